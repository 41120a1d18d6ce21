"""XML dumps: one event a page or row however the file is packed and cut; what is broken costs itself."""

import bz2
import gzip
import io
import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import corpora
import pytest
import real_books
import zstandard
from corpora import LIMITS, MemoryStore, read_bytes, read_input
from hypothesis import given, settings
from hypothesis import strategies as st

from manifests.limits import KIB
from pipelines.sources import plan_units, read_unit
from pipelines.sources.units import WIKI_PAGE

HEAD = (
    '<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/" version="0.11" xml:lang="ja"><siteinfo>'
    "<base>https://ja.wikipedia.org/wiki/%E3%83%A1</base><namespaces>"
    '<namespace key="6" case="first-letter">ファイル</namespace></namespaces></siteinfo>'
)


def page(title: str, text: str = "本文。", ns: int = 0, number: int = 1) -> str:
    said = f"<title>{title}</title><ns>{ns}</ns><id>{number}</id>"
    return f"<page>{said}<revision><id>9</id><text>{text}</text></revision></page>"


def dump(*pages: str) -> bytes:
    return (HEAD + "\n".join(pages) + "</mediawiki>").encode()


def rows(count: int, body: str = "&lt;p&gt;x &amp;gt; y&lt;/p&gt;") -> bytes:
    lines = [f'  <row Id="{n}" PostTypeId="{1 + n % 3}" Score="{n}" Body="{body} {n}" />' for n in range(count)]
    return ('<?xml version="1.0" encoding="utf-8"?>\r\n<posts>\r\n' + "\r\n".join(lines) + "\r\n</posts>").encode()


def streams(data: bytes, size: int) -> bytes:
    """Return bzip2 of many streams, as Wikimedia's multistream dumps and pbzip2 write it."""
    return b"".join(bz2.compress(data[at : at + size]) for at in range(0, len(data), size))


# ---- a real dump


def test_every_page_of_a_real_dump_is_accounted_for():
    """ElementTree counts; redirects and namespaces are what the pages themselves say."""
    data = real_books.dump(real_books.ENGLISH)
    outcome = read_bytes("enwiki-pages-articles1.xml-p10p30302.bz2", bz2.compress(data))
    articles, redirects, others = [], 0, 0
    for _, element in ElementTree.iterparse(
        io.BytesIO(data + (b"" if b"</mediawiki>" in data[-99:] else b"</mediawiki>"))
    ):
        if element.tag.endswith("}page"):
            said = {child.tag.rpartition("}")[2]: child for child in element}
            if said["ns"].text != "0":
                others += 1
            elif "redirect" in said:
                redirects += 1
            else:
                articles.append(said["title"].text)
    assert outcome.skipped == {"wiki_redirect": redirects, "wiki_namespace": others} and not outcome.quarantined
    assert len(outcome.rows) == len(articles) > 100
    assert outcome.rows[0]["uri"] == f"https://en.wikipedia.org/wiki/{articles[0].replace(' ', '_')}"
    assert {row["language"] for row in outcome.rows} == {"en"}


@pytest.mark.parametrize("unit_bytes", [99_991, 1_000_003])
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "bzip2 streams"])
def test_a_real_dump_is_the_same_however_it_is_cut(packed, unit_bytes):
    data = real_books.dump(real_books.ENGLISH)
    whole = read_bytes("a.xml", data)
    name, cut = ("a.xml.bz2", streams(data, 70_001)) if packed else ("a.xml", data)
    outcome = read_bytes(name, cut, unit_bytes=unit_bytes)
    assert outcome.payloads == whole.payloads and outcome.skipped == whole.skipped


def test_a_dump_in_utf_16_is_none_of_ours():
    data = bz2.decompress((real_books.dumps() / "bgwiki-latest-pages-articles-shortened.xml.bz2").read_bytes())
    assert data.startswith(b"\xff\xfe")
    assert read_bytes("bg.xml.bz2", bz2.compress(data)).skipped == {"file_type": 1}
    assert read_bytes("bg.xml.bz2", bz2.compress(data), kind="mediawiki").reasons == ["malformed_record"]


# ---- kinds by content


@pytest.mark.parametrize(
    ("name", "data", "kind"),
    [
        ("x.xml", dump(page("A")), "mediawiki"),
        ("x.xml", b"\xef\xbb\xbf<?xml version='1.0'?>\n<!-- a --> " + dump(page("A")), "mediawiki"),
        ("jawiki-20260101-pages-articles1.xml-p1p9.bz2", bz2.compress(dump(page("A"))), "mediawiki"),
        ("x.xml.gz", gzip.compress(dump(page("A"))), "mediawiki"),
        ("x.xml.zst", zstandard.compress(dump(page("A"))), "mediawiki"),
        ("Posts.xml", rows(3), "stackexchange"),
        ("x.xml", b"<rss><channel/></rss>", "files"),
        ("x.xml.gz", b"\x1f\x8bbroken", "mediawiki"),
        ("x.xml", b"", "files"),
        ("x.html", dump(page("A")), "files"),
    ],
)
def test_the_content_says_what_xml_is(name, data, kind):
    assert [unit.kind for unit in plan_units(MemoryStore({name: data}), "in")] == [kind]


@pytest.mark.parametrize(
    ("pack", "name"),
    [(bytes, "a.xml"), (bz2.compress, "a.xml.bz2"), (gzip.compress, "a.xml.gz"), (zstandard.compress, "a.xml.zst")],
)
def test_every_packing_holds_the_same_pages(pack, name):
    data = dump(*(page(f"題 {n}", "語" * n, number=n) for n in range(50)))
    outcome = read_bytes(name, pack(data))
    assert [row["uri"] for row in outcome.rows][:2] == [
        "https://ja.wikipedia.org/wiki/%E9%A1%8C_0",
        "https://ja.wikipedia.org/wiki/%E9%A1%8C_1",
    ]
    assert outcome.payloads == read_bytes("a.xml", data).payloads and len(outcome.rows) == 50


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 3000), max_size=12), st.integers(40, 5000), st.integers(20, 4000), st.booleans())
def test_pages_do_not_depend_on_streams_or_units(sizes, stream_bytes, unit_bytes, packed):
    data = dump(*(page(f"T{n}", "あ" * size, number=n) for n, size in enumerate(sizes)))
    name, file = ("a.xml.bz2", streams(data, stream_bytes)) if packed else ("a.xml", data)
    outcome = read_bytes(name, file, unit_bytes=unit_bytes, kind="mediawiki")
    assert [row["uri"].rpartition("T")[2] for row in outcome.rows] == [str(n) for n in range(len(sizes))]


def test_a_reader_goes_on_at_any_cursor():
    store = MemoryStore({"a.xml.bz2": streams(dump(*(page(f"T{n}", ns=n % 2) for n in range(40))), 500)})
    (unit,) = plan_units(store, "in")
    small = replace(LIMITS, batch_rows=3)
    whole = list(read_unit(store, unit, 0, small))
    for at, chunk in enumerate(whole[:-1]):
        rest = list(read_unit(store, unit, chunk.cursor, small))
        assert [each.batch for each in rest] == [each.batch for each in whole[at + 1 :]]


def test_rows_are_cut_without_a_tree_and_kinds_that_are_no_posts_are_skipped():
    outcome = read_bytes("Posts.xml", rows(9))
    assert [row["uri"] for row in outcome.rows] == [f"in:Posts.xml#{n}" for n in range(9) if n % 3 != 2]
    assert outcome.skipped == {"post_type": 3}
    assert all(payload.startswith(b"<row Id=") and payload.endswith(b"/>") for payload in outcome.payloads)


def test_a_media_job_leaves_dumps_alone():
    outcome = read_bytes("a.xml", dump(page("A")), media_types=frozenset({"image/png"}))
    assert outcome.skipped == {"file_type": 1}


# ---- damage


def test_a_page_beyond_the_limit_is_named_and_not_held():
    data = dump(page("A"), page("B", "x" * 300 * KIB), page("C"))
    outcome = read_bytes("a.xml", data, limits=replace(LIMITS, max_record_bytes=100 * KIB))
    (row,) = outcome.quarantined
    assert (row["reason"], row["limit"]) == ("record_too_large", "max_record_bytes")
    assert row["observed"] > 300 * KIB and [each["uri"][-1] for each in outcome.rows] == ["A", "C"]


def test_a_page_that_does_not_end_costs_itself():
    data = dump(page("A"), page("B").removesuffix("</page>"), page("C"))
    outcome = read_bytes("a.xml", data)
    assert outcome.reasons == ["truncated_record"] and [each["uri"][-1] for each in outcome.rows] == ["A", "C"]


def test_a_file_that_ends_inside_a_page_says_so():
    data = dump(page("A"), page("B"))
    outcome = read_bytes("a.xml", data[: data.rindex(b"<text>")])
    assert outcome.reasons == ["truncated_record"] and outcome.lost_bytes > 0


def test_a_damaged_stream_costs_what_stands_in_it():
    pages = [page(f"T{n}", "語" * 200) for n in range(30)]
    pieces = [bz2.compress(text.encode()) for text in (HEAD, *("".join(pages[n : n + 10]) for n in (0, 10, 20)))]
    broken = bytearray(pieces[2])
    broken[40] ^= 0xFF
    outcome = read_bytes("a.xml.bz2", b"".join([pieces[0], pieces[1], bytes(broken), pieces[3]]))
    assert outcome.reasons == ["damaged_container"] and outcome.lost_bytes == len(broken)
    assert [each["uri"].rpartition("T")[2] for each in outcome.rows] == [str(n) for n in (*range(10), *range(20, 30))]


@pytest.mark.parametrize(("name", "pack"), [("a.xml.bz2", bz2.compress), ("a.xml.gz", gzip.compress)])
def test_a_bomb_stops_at_the_ratio(name, pack):
    outcome = read_bytes(name, pack(dump(page("A")) + b" " * (64 << 20)), limits=replace(LIMITS, max_record_bytes=KIB))
    assert "decoded_too_large" in outcome.reasons
    assert (
        next(row for row in outcome.quarantined if row["reason"] == "decoded_too_large")["limit"] == "max_coding_ratio"
    )


def test_a_cut_file_says_so():
    data = bz2.compress(dump(*(page(f"T{n}", str(n) * 99) for n in range(50))))
    assert read_bytes("a.xml.bz2", data[:-20], kind="mediawiki").reasons == ["truncated_record"]


@pytest.mark.parametrize(
    ("name", "data"), [("a.xml.gz", b"\x1f\x8bbroken"), ("a.xml.bz2", b"BZh91AY&SYbroken, and on")]
)
def test_a_file_that_does_not_decode_is_damaged(name, data):
    assert read_bytes(name, data).reasons[0] in ("damaged_container", "truncated_record")


def test_an_entity_bomb_is_cut_out_as_any_page_and_only_its_parser_speaks():
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa">]>' + HEAD + page("A", "&a;") + "</mediawiki>"
    outcome = read_bytes("a.xml", bomb.encode(), kind="mediawiki")
    assert outcome.reasons == ["malformed_record"]  # a document type before the root: no dump has one


def test_the_limit_on_media_types_is_the_text_jobs_own():
    outcome = read_input(MemoryStore({"a.xml": dump(page("A"))}), media_types=frozenset({WIKI_PAGE}))
    assert len(outcome.rows) == 1 and corpora.LIMITS is LIMITS
