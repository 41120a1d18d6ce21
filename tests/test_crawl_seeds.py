"""Seeds: the same rows from every kind of list; bad rows counted, bad lists refused by name."""

import csv
import gzip
import io
import json
import tracemalloc
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path
from urllib.parse import urljoin

import ada_url
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from manifests.limits import CrawlLimits, Limits
from manifests.reasons import LinkSkipped
from manifests.store import StoreError
from pipelines.crawl.block import Crawl
from pipelines.crawl.records import FRONTIER
from pipelines.crawl.seeds import (
    BATCH_ROWS,
    FORMATS,
    MAX_CAPTION_CHARS,
    Seed,
    SeedError,
    SeedOptions,
    frontier_rows,
    kind_of,
    plan_seeds,
    read_seeds,
)

PAGES, MEDIA = SeedOptions(), SeedOptions(("page", "image"))
LIMITS = CrawlLimits()
Pair = tuple[str, str | None]


def read(*seeds, options=MEDIA, limits=LIMITS, text_limits=None):
    """Return (frontier rows, counts by reason) of everything."""
    rows, skipped = [], Counter()
    for batch in read_seeds(plan_seeds([str(seed) for seed in seeds]), options, limits, text_limits):
        assert batch.rows.schema == FRONTIER and 0 <= batch.rows.num_rows <= BATCH_ROWS
        rows += batch.rows.to_pylist()
        skipped += batch.skipped
    return rows, dict(skipped)


def pairs(*seeds, **how):
    """Return (url, caption) of every row; nothing may have been skipped."""
    rows, skipped = read(*seeds, **how)
    assert skipped == {}
    return [(row["url"], row["caption"]) for row in rows]


class Pictures(HTMLParser):
    """Finds what a real page shows and links to: (absolute URL, alternative text)."""

    def __init__(self, base: str) -> None:
        super().__init__()
        self.base, self.found = base, []

    def handle_starttag(self, tag, attrs):
        at = dict(attrs)
        if tag == "img" and at.get("src"):
            self.found.append((urljoin(self.base, at["src"]), (at.get("alt") or "").strip() or None))
        elif tag == "a" and (at.get("href") or "").startswith("http"):
            self.found.append((at["href"].partition("#")[0], None))


@pytest.fixture(scope="module")
def real_list(pages) -> list[Pair]:
    """Give every picture and outward link of a manual in Japanese, German and English: about a thousand rows."""
    found = []
    for path, payload in pages("debian-handbook"):
        if path.startswith(("ja-JP/", "de-DE/", "en-US/")):
            parser = Pictures(f"https://handbook.example/{path}")
            parser.feed(payload.decode())
            found += [pair for pair in parser.found if pair[0].isascii() and pair[0] == pair[0].strip()]
    assert len(found) > 500 and any(caption and not caption.isascii() for _, caption in found)
    return found


def write_list(path: Path, found: list[Pair], names=("url", "caption")) -> Path:
    """Write a list in the form that its name states, by libraries that the reader does not use."""
    plain = path.name.removesuffix(".gz").removesuffix(".zst")
    if plain.endswith(".parquet"):
        pq.write_table(pa.table(dict(zip(names, zip(*found, strict=True), strict=True))), path, row_group_size=100)
        return path
    if plain.endswith((".jsonl", ".ndjson")):
        text = "".join(json.dumps(dict(zip(names, pair, strict=True)), ensure_ascii=False) + "\n" for pair in found)
    elif plain.endswith((".csv", ".tsv")):
        file = io.StringIO(newline="")
        writer = csv.writer(file, delimiter="\t" if plain.endswith(".tsv") else ",")
        writer.writerows([("number", *names), *((i, url, caption or "") for i, (url, caption) in enumerate(found))])
        text = file.getvalue()
    else:
        text = "# seeds\n\n" + "".join(f"{url}\r\n" for url, _ in found)
    data = text.encode()
    data = gzip.compress(data) if path.suffix == ".gz" else data
    path.write_bytes(zstandard.compress(data) if path.suffix == ".zst" else data)
    return path


CAPTIONED = [f"l{suffix}{coding}" for suffix in (".csv", ".tsv", ".jsonl", ".ndjson") for coding in ("", ".gz", ".zst")]


@pytest.mark.parametrize("name", [*CAPTIONED, "l.parquet"])
def test_lists_with_captions_give_the_same_rows_in_every_form(tmp_path, real_list, name):
    assert pairs(write_list(tmp_path / name, real_list)) == canonical(real_list)


@pytest.mark.parametrize("name", ["l.txt", "l.TXT", "l.txt.gz", "l.txt.zst", "l.urls", "seeds"])
def test_text_lists_give_the_same_urls_without_captions(tmp_path, real_list, name):
    listed = [(url, None) for url, _ in real_list]
    assert pairs(write_list(tmp_path / name, listed)) == canonical(listed)


def canonical(found: list[Pair]) -> list[Pair]:
    """Return what well-formed real URLs are to the frontier, by the WHATWG parser alone; "?" without a query goes."""
    return [(ada_url.URL(url).href.removesuffix("?"), caption) for url, caption in found]


def img2datasets_reader():
    """Return its reader alone: the package itself asks an index for newer versions when it is imported."""
    [folder] = find_spec("img2dataset").submodule_search_locations
    spec = spec_from_file_location("img2dataset_reader", Path(folder) / "reader.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Reader


@pytest.mark.parametrize("form", ["parquet", "csv", "jsonl", "csv.gz"])
def test_img2datasets_own_reader_finds_the_same_rows(tmp_path, real_list, form):
    listed = write_list(tmp_path / f"list.{form}", real_list, ("URL", "TEXT"))
    (tmp_path / "work").mkdir()
    Reader = img2datasets_reader()
    reader = Reader(str(listed), form, "URL", "TEXT", None, None, None, 10_000, set(), str(tmp_path / "work"))
    [(_, arrow)] = list(reader)
    with pa.memory_map(arrow) as file:
        table = pa.ipc.open_file(file).read_all()
    theirs = [(row["url"], row["caption"] or None) for row in table.to_pylist()]
    ours = pairs(listed, options=replace(MEDIA, url_column="URL", caption_column="TEXT"))
    assert ours == canonical(theirs)


def test_a_seed_is_a_frontier_row_of_its_own_origin():
    [row], skipped = read("https://WWW.example.org/a?utm_source=x&b=1#part", options=PAGES)
    stated = {name: value for name, value in row.items() if value is not None}
    assert skipped == {}
    assert stated.pop("key") > 0 and len(stated.pop("url_id")) == 16
    assert stated == {
        "url": "https://www.example.org/a?b=1",
        "authority": "https://www.example.org",
        "kind": "page",
        "origin": "seed",
        "depth": 0,
        "redirects": 0,
        "state": "pending",
        "visits": 0,
        "attempts": 0,
    }


def test_hosts_of_one_domain_have_one_key_and_every_url_an_id():
    rows, _ = read("https://a.example.org/", "http://b.example.org:8080/x", "https://example.net/", options=PAGES)
    assert rows[0]["key"] == rows[1]["key"] != rows[2]["key"]
    assert len({row["url_id"] for row in rows}) == 3
    assert rows[1]["authority"] == "http://b.example.org:8080"


@pytest.mark.parametrize(
    ("url", "kinds", "captioned", "kind"),
    [
        pytest.param("https://a.example/", ("page",), False, "page", id="a page"),
        pytest.param("https://a.example/sitemap.xml", ("page",), False, "sitemap", id="a sitemap"),
        pytest.param("https://a.example/s.XML.gz?x=1", ("image",), True, "sitemap", id="a packed one, among media"),
        pytest.param("https://a.example/?f=.xml", ("page",), False, "page", id="a query's end says nothing"),
        pytest.param("https://a.example/p.jpg", ("page", "image"), False, "image", id="a picture by its name"),
        pytest.param("https://a.example/p.JPG?w=1", ("page", "image"), False, "image", id="in capitals, with a query"),
        pytest.param("https://a.example/p.jpg", ("page",), False, "page", id="pictures are not asked for"),
        pytest.param("https://a.example/p.jpg", ("audio",), False, "audio", id="... the answer is what is asked for"),
        pytest.param("https://a.example/p", ("page", "image"), True, "image", id="captions belong to media"),
        pytest.param("https://a.example/p", ("page", "image"), False, "page", id="no captions, no hint: a page"),
        pytest.param("https://a.example/v.webm", ("page", "image", "video"), True, "video", id="the name wins"),
        pytest.param("https://a.example/p", ("page",), True, "page", id="captions, and only pages asked for"),
        pytest.param("https://a.example/p", ("image", "video"), False, "image", id="only media: the first kind"),
    ],
)
def test_what_a_url_is_taken_for(url, kinds, captioned, kind):
    assert kind_of(url, kinds, captioned=captioned) == kind


@pytest.mark.parametrize(
    ("name", "content", "reasons"),
    [
        pytest.param("l.txt", b"http://[bad\n", {"malformed": 1}, id="no URL at all"),
        pytest.param("l.txt", b"file:///etc/passwd\nmailto:x@example.org\n", {"scheme": 2}, id="other schemes"),
        pytest.param("l.txt", b"http://x.example/" + b"a" * 5000, {"too_long": 1}, id="beyond max_url_chars"),
        pytest.param("l.txt", b"http://x.example/" + b"a" * 99_000, {"too_long": 1}, id="a line beyond a record"),
        pytest.param("l.txt", b"http://x.example/\xff\n", {"malformed": 1}, id="not UTF-8"),
        pytest.param("l.jsonl", b'{"url": 7}\n{"link": "http://x.example/"}\n', {"malformed": 2}, id="no text in url"),
        pytest.param("l.jsonl", b"[1]\n{\n" + b"[" * 9000 + b"\n", {"malformed": 3}, id="no object, no JSON, too deep"),
        pytest.param("l.jsonl", b'{"url": "http://x.example/\\ud800"}\n', {"malformed": 1}, id="half a UTF-16 pair"),
        pytest.param("l.csv", b"url\n\xff\n\nftp://x.example/\n", {"malformed": 1, "scheme": 1}, id="bad CSV fields"),
        pytest.param("l.csv", b"n,url\n1\n", {"malformed": 1}, id="a CSV row too short"),
        pytest.param("l.csv", b"url\n" + b"a" * 70_000, {"too_long": 1}, id="a CSV row beyond a record"),
    ],
)
def test_bad_rows_are_counted_and_the_list_goes_on(tmp_path, name, content, reasons):
    good = {"l.txt": b"\nhttp://good.example/\n", "l.csv": b"\nhttp://good.example/\n"}
    if name == "l.csv" and content.startswith(b"n,"):
        good[name] = b"2,http://good.example/\n"
    tail = good.get(name, b'\n{"url": "http://good.example/"}\n')
    (tmp_path / name).write_bytes(content + tail)
    rows, skipped = read(tmp_path / name, text_limits=Limits(max_record_bytes=65_536))
    assert [row["url"] for row in rows] == ["http://good.example/"]
    assert skipped == reasons


def test_a_quote_that_nothing_closes_costs_a_bounded_part_of_the_list(tmp_path):
    rows = [f"http://x.example/{number}" for number in range(20_000)]
    (tmp_path / "l.csv").write_text("url\n" + "\n".join([*rows[:10], '"http://y.example/', *rows[10:]]) + "\n")
    found, skipped = read(tmp_path / "l.csv")
    urls = [row["url"] for row in found]
    assert skipped == {"malformed": 1}
    assert urls[:10] == rows[:10] and urls[10:] == rows[-len(urls[10:]) :]
    assert sum(map(len, rows)) - sum(map(len, urls)) < 131_072 + 100


@pytest.mark.parametrize("kind", [pa.string(), pa.large_string(), pa.string_view(), pa.binary(), pa.binary_view()])
def test_parquet_holds_urls_in_any_type_of_text(tmp_path, kind):
    urls = ["http://x.example/1", None, "gopher://x.example/", "http://x.example/\N{SNOWMAN}"]
    array = pa.array([url and url.encode() if "binary" in str(kind) else url for url in urls], kind)
    pq.write_table(pa.table({"url": array}), tmp_path / "l.parquet")
    rows, skipped = read(tmp_path / "l.parquet")
    assert [row["url"] for row in rows] == ["http://x.example/1", "http://x.example/%E2%98%83"]
    assert skipped == {LinkSkipped.MALFORMED: 1, LinkSkipped.SCHEME: 1}


def test_parquet_may_hold_urls_in_a_dictionary(tmp_path):
    array = pa.array(["http://x.example/", "http://y.example/", "http://x.example/"]).dictionary_encode()
    pq.write_table(pa.table({"url": array, "caption": array}), tmp_path / "l.parquet")
    assert [url for url, _ in pairs(tmp_path / "l.parquet")] == array.to_pylist()


def test_captions_are_whole_text(tmp_path):
    broken = {"url": "http://x.example/", "caption": " \ud83d" + "山" * 5000}
    (tmp_path / "l.jsonl").write_text(json.dumps(broken) + "\n" + json.dumps({**broken, "caption": 5}) + "\n")
    (_, first), (_, second) = pairs(tmp_path / "l.jsonl")
    assert first == "\ufffd" + "山" * (MAX_CAPTION_CHARS - 1)
    assert second is None


def test_a_folder_or_pattern_stands_for_its_lists_in_name_order(tmp_path):
    for name, url in (("b.txt", "http://b.example/"), ("a.csv", "url\nhttp://a.example/"), ("_SUCCESS", "")):
        (tmp_path / name).write_text(url)
    assert [url for url, _ in pairs(tmp_path)] == ["http://a.example/", "http://b.example/"]
    assert [url for url, _ in pairs(tmp_path / "*.txt", "http://c.example/")] == [
        "http://b.example/",
        "http://c.example/",
    ]


def test_a_plan_names_each_list_and_changes_with_it(tmp_path):
    (tmp_path / "l.txt").write_text("http://a.example/\n")
    [before] = plan_seeds([str(tmp_path / "l.txt")])
    assert (before.format, before.bytes, before.place) == ("text", 18, str(tmp_path / "l.txt"))
    assert json.loads(json.dumps(before.as_json())) == before.as_json()
    (tmp_path / "l.txt").unlink()
    (tmp_path / "l.txt").write_text("http://other.example/\n")
    [after] = plan_seeds([str(tmp_path / "l.txt")])
    assert after != before


@pytest.mark.parametrize(
    ("seed", "said"),
    [
        pytest.param("nowhere.txt", r"seed 1: .*http:// or https://", id="no such file"),
        pytest.param("www.example.org", r"seed 1: .*http:// or https://", id="a host without its scheme"),
        pytest.param("ftp://example.org/list", r"seed 1: .*'ftp'", id="a scheme that is no store"),
        pytest.param("file:///etc/hosts", r"seed 1: .*'file'", id="file: is no way around"),
        pytest.param("https://user:secret@[bad/", r"seed 1: ", id="a URL that does not parse"),
        pytest.param("https://example.org/" + "a" * 5000, r"seed 1: ", id="a URL that is too long"),
    ],
)
def test_a_wrong_seed_of_the_command_line_stops_the_crawl(seed, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SeedError, match=said) as caught:
        read(seed)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("seed", ["", "  ", "nowhere.txt", "ftp://bob:s3/cr?et@a.example/l", "http://bob:s3/cr@a.b/"])
def test_a_wrong_seed_is_wrong_usage_before_anything_is_read(seed, tmp_path, monkeypatch):
    (tmp_path / "list.txt").write_text("http://a.example/\n")
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SeedError, match=r"^seed 2") as caught:
        plan_seeds(["http://a.example/", seed])
    assert caught.value.is_usage
    assert "cr" not in str(caught.value)


def test_a_store_that_fails_is_no_wrong_usage(monkeypatch):
    def fails(uri):
        raise StoreError(f"{uri}: no answer")

    monkeypatch.setattr("pipelines.crawl.seeds.open_input", fails)
    with pytest.raises(SeedError, match=r"^seed 1: s3://bucket/list\.txt: no answer") as caught:
        plan_seeds(["s3://bucket/list.txt"])
    assert not caught.value.is_usage


@pytest.mark.parametrize(
    ("given", "held"),
    [
        pytest.param("http://bob:pw@a.example/x", "http://a.example/x", id="name and password"),
        pytest.param("HTTPS:bob:p@w@a.example", "HTTPS:a.example", id="no slash, and an @ in the password"),
        pytest.param("http:\\\\bob@a.example/", "http:\\\\a.example/", id="slashes as Windows writes them"),
        pytest.param("http://bob:pw@/a.example/", "http://@/a.example/", id="no host stays no host"),
        pytest.param("http://a.example/@b?c@d#e@f", "http://a.example/@b?c@d#e@f", id="other signs stay"),
        pytest.param("lists/a@b.txt", "lists/a@b.txt", id="a path"),
    ],
)
def test_a_block_holds_no_credentials(given, held):
    block = Crawl(seeds=(given,), contact="you@a.example", exclude=("http://bob:pw@a.example/x",))
    assert (block.seeds, block.exclude) == ((held,), ("http://a.example/x",))


@pytest.mark.parametrize("name", ["l.csv", "l.parquet"])
@pytest.mark.parametrize("columns", [("url", "url"), ("caption", "url", "caption")])
def test_a_column_that_stands_twice_is_no_choice_of_ours(tmp_path, name, columns):
    if name == "l.csv":
        (tmp_path / name).write_text(",".join(columns) + "\nhttp://a.example/" * 2)
    else:
        values = pa.array(["http://a.example/"])
        pq.write_table(pa.table([values] * len(columns), names=list(columns)), tmp_path / name)
    with pytest.raises(SeedError, match=rf"{name} has 2 columns '{columns[0]}'"):
        read(tmp_path / name)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        pytest.param("l.pdf", b"%PDF", r"l\.pdf' is no list of URLs", id="a file of another kind"),
        pytest.param("l.parquet.gz", b"", r"l\.parquet\.gz' is no list", id="Parquet is packed inside"),
        pytest.param("l.csv", b"", r"l\.csv has no column 'url'; it has no columns", id="an empty table"),
        pytest.param("l.csv", b"link,text\na,b\n", r"has no column 'url'; it has link, text", id="a CSV without it"),
        pytest.param("l.parquet", b"PAR1", r"l\.parquet: not a readable Parquet file", id="no Parquet"),
        pytest.param("l.txt.gz", gzip.compress(b"http://a.example/\n" * 99)[:-9], r"ends inside", id="cut gzip"),
        pytest.param("l.jsonl.zst", b"\x28\xb5\x2f\xfd\xff\xff", r"damaged|ends inside", id="damaged zstd"),
    ],
)
def test_a_list_that_is_broken_as_a_whole_stops_the_crawl_by_name(tmp_path, name, content, said):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(SeedError, match=said):
        read(tmp_path / name)


def test_a_parquet_list_without_the_column_names_those_it_has(tmp_path):
    write_list(tmp_path / "l.parquet", [("http://x.example/", None)], ("URL", "TEXT"))
    with pytest.raises(SeedError, match=r"no column 'url'; it has URL, TEXT"):
        read(tmp_path / "l.parquet")


def test_a_damaged_parquet_page_is_told(tmp_path):
    path = tmp_path / "l.parquet"
    table = pa.table({"url": [f"http://x.example/{number * 7919}" for number in range(5000)]})
    pq.write_table(table, path, compression="none", use_dictionary=False, write_page_checksum=True)
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(SeedError, match=r"l\.parquet: not a readable Parquet file"):
        read(path)


def test_memory_does_not_grow_with_a_list(tmp_path):
    def peak(rows):
        path = tmp_path / f"{rows}.csv.gz"
        with gzip.open(path, "wt", compresslevel=1) as file:
            file.write("url,caption\n")
            file.writelines(f"http://x.example/{number},about {number}\n" for number in range(rows))
        tracemalloc.start()
        count = sum(batch.rows.num_rows for batch in read_seeds(plan_seeds([str(path)]), MEDIA, LIMITS))
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert count == rows
        return most

    assert peak(5 * BATCH_ROWS) < 1.5 * peak(2 * BATCH_ROWS)


LINES = st.one_of(
    st.text(max_size=20),
    st.builds("http://{}.example/{}".format, st.text("abc", min_size=1, max_size=3), st.text(max_size=9)),
)


@given(st.lists(LINES))
def test_every_row_is_given_or_counted(texts):
    seeds = [Seed(text) for text in texts if text.isprintable()]
    rows, skipped = frontier_rows([*seeds, LinkSkipped.MALFORMED], MEDIA, LIMITS)
    assert rows.num_rows + skipped.total() == len(seeds) + 1
    assert rows.schema == FRONTIER
    again, none = frontier_rows([Seed(url) for url in rows["url"].to_pylist()], MEDIA, LIMITS)
    assert again["url"] == rows["url"] and not none


def test_options_come_from_the_block():
    block = Crawl(
        seeds=("x",), contact="mailto:a@example.org", kinds=("image",), strip_parameters=("ref",), sort_query=True
    )
    [row], _ = read("https://a.example/x?z=1&ref=2&b=3", options=SeedOptions.of(block))
    assert (row["url"], row["kind"]) == ("https://a.example/x?b=3&z=1", "image")


def test_every_format_is_tested():
    assert set(FORMATS.values()) == {"text", "csv", "tsv", "jsonl", "parquet"}
