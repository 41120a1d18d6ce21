"""Every kind of input through the real job: the same pages give the same texts, under the names that are promised."""

import gzip
import io
import json
import os
import shutil
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import corpora
import jobs
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from filters.extract import Record, extract_record
from manifests.limits import Limits
from manifests.store import open_input
from pipelines.launcher import Launcher
from pipelines.recipe import Text
from pipelines.sources.warc_writer import Page, write_warc
from pipelines.text.decide import Decide

DATE = "2026-01-01T00:00:00Z"
COUNT = 40
EVERYTHING_KEPT = ("--set", "text.rules=[]", "--set", "text.edits=[]", "--set", "text.dedup={exact: false, near: null}")
EVERYTHING_KEPT += ("--set", "text.personal=null")

Pages = list[tuple[str, bytes]]


def chosen_pages() -> Pages:
    """Return 40 real pages by name, in at least 15 locales."""
    return [(name.replace("/", "-"), body) for name, body in corpora.pages("debian-handbook")[:: 560 // COUNT][:COUNT]]


def text_of(body: bytes) -> str:
    """Return the text that our extractor finds in a page."""
    return extract_record(Record("https://a.example/", None, None, None, None, body), Limits(), ()).text.decode()


def tar(pages: Pages) -> bytes:
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        for name, body in pages:
            info = tarfile.TarInfo(f"pages/{name}")
            info.size = len(body)
            archive.addfile(info, io.BytesIO(body))
    return file.getvalue()


def rows(texts: Pages, address: bool) -> list[dict[str, str]]:
    """Return rows that go by their id, or by their address."""
    if address:
        return [{"text": body.decode(), "url": f"https://rows.example/{name}", "id": "x"} for name, body in texts]
    return [{"text": body.decode(), "id": name} for name, body in texts]


def jsonl(texts: Pages) -> bytes:
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows(texts, address=False))


def parquet(texts: Pages, *, address: bool = False) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows(texts, address)), sink, row_group_size=7)
    return sink.getvalue()


def warc(name: str, host: str) -> Callable[[Pages, Path], None]:
    def write(pages: Pages, folder: Path) -> None:
        write_warc(folder / name, DATE, (), [Page(f"https://{host}/{path}", body) for path, body in pages])

    return write


def wet(texts: Pages, folder: Path) -> None:
    """Write conversion records as Common Crawl does: plain text, the page's address."""
    records = [b"WARC/1.0\r\nWARC-Type: warcinfo\r\nContent-Length: 0\r\n\r\n\r\n\r\n"]
    for name, body in texts:
        head = (
            f"WARC/1.0\r\nWARC-Type: conversion\r\nWARC-Target-URI: https://wet.example/{name}\r\nWARC-Date: {DATE}\r\n"
        )
        head += f"Content-Type: text/plain\r\nContent-Length: {len(body)}\r\n\r\n"
        records.append(head.encode() + body + b"\r\n\r\n")
    (folder / "crawl.warc.wet.gz").write_bytes(b"".join(map(gzip.compress, records)))


def one_file(name: str, make: Callable[[Pages], bytes]) -> Callable[[Pages, Path], None]:
    return lambda pages, folder: [(folder / name).write_bytes(make(pages)), None][-1]


def many_files(suffix: str) -> Callable[[Pages, Path], None]:
    def write(pages: Pages, folder: Path) -> None:
        for name, body in pages:
            (folder / Path(name).with_suffix(suffix)).write_bytes(body)

    return write


# input -> (what is written, whether it holds pages or texts, the URI of the page called {name} with {stem})
KINDS: dict[str, tuple[Callable[[Pages, Path], None], str, str]] = {
    "html": (many_files(".html"), "pages", "html:{stem}.html"),
    "xhtml": (many_files(".xhtml"), "pages", "xhtml:{stem}.xhtml"),
    "text": (many_files(".txt"), "texts", "text:{stem}.txt"),
    "markdown": (many_files(".md"), "texts", "markdown:{stem}.md"),
    "tar": (one_file("a.tar", tar), "pages", "tar:a.tar#pages/{name}"),
    "tar-gz": (one_file("a.tar.gz", lambda pages: gzip.compress(tar(pages))), "pages", "tar-gz:a.tar.gz#pages/{name}"),
    "tar-zst": (
        one_file("a.tar.zst", lambda pages: zstandard.compress(tar(pages))),
        "pages",
        "tar-zst:a.tar.zst#pages/{name}",
    ),
    "jsonl": (one_file("a.jsonl", jsonl), "texts", "jsonl:a.jsonl#{name}"),
    "jsonl-gz": (
        one_file("a.jsonl.gz", lambda texts: gzip.compress(jsonl(texts))),
        "texts",
        "jsonl-gz:a.jsonl.gz#{name}",
    ),
    "jsonl-zst": (
        one_file("a.jsonl.zst", lambda texts: zstandard.compress(jsonl(texts))),
        "texts",
        "jsonl-zst:a.jsonl.zst#{name}",
    ),
    "parquet": (one_file("a.parquet", parquet), "texts", "parquet:a.parquet#{name}"),
    "parquet-url": (
        one_file("a.parquet", lambda texts: parquet(texts, address=True)),
        "texts",
        "https://rows.example/{name}",
    ),
    "warc": (warc("a.warc", "plain.example"), "pages", "https://plain.example/{name}"),
    "warc-gz": (warc("a.warc.gz", "gz.example"), "pages", "https://gz.example/{name}"),
    "wet": (wet, "texts", "https://wet.example/{name}"),
}


@pytest.fixture(scope="module")
def pages() -> Pages:
    return chosen_pages()


@pytest.fixture(scope="module")
def texts(pages) -> dict[str, str]:
    """Give name -> the text of each page."""
    return {name: text_of(body) for name, body in pages}


@pytest.fixture(scope="module")
def out(pages, texts, tmp_path_factory) -> Path:
    """Give the output of one job over all kinds of input."""
    folder = tmp_path_factory.mktemp("inputs")
    for name, (write, holds, _) in KINDS.items():
        (folder / name).mkdir()
        write(pages if holds == "pages" else [(n, text.encode()) for n, text in texts.items()], folder / name)
    (folder / "html" / "style.css").write_text("p {}")
    (folder / "html" / "noextension").write_text("?")
    (folder / "html" / "picture.PNG").write_bytes(b"\x89PNG")
    arguments = [*(folder / name for name in KINDS), "--out", folder / "out", "--quiet", "--workers", "2"]
    jobs.run("text", *arguments, *EVERYTHING_KEPT)
    return folder / "out"


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_pages_give_the_same_texts_under_the_names_that_are_promised(out, texts, kind):
    uri = KINDS[kind][2]
    expected = {uri.format(name=name, stem=Path(name).stem): text for name, text in texts.items()}
    assert {row["uri"]: row["text"] for row in jobs.rows(out) if row["source"] == kind} == expected


@pytest.mark.parametrize(
    ("kind", "media_type"),
    [
        ("html", {"text/html", "application/xhtml+xml"}),
        ("xhtml", {"application/xhtml+xml"}),
        ("text", {"text/plain"}),
        ("markdown", {"text/markdown"}),
        ("jsonl", {"text/plain"}),
        ("parquet", {"text/plain"}),
        ("wet", {"text/plain"}),
    ],
)
def test_a_document_says_what_it_was_read_as(out, kind, media_type):
    assert {row["media_type"] for row in jobs.rows(out) if row["source"] == kind} <= media_type


def test_records_of_a_warc_keep_their_date_and_files_have_none(out):
    dates = {row["source"]: row["fetched_at"] for row in jobs.rows(out)}
    assert {name for name, date in dates.items() if date is not None} == {"warc", "warc-gz", "wet"}
    assert f"{dates['warc']:%Y-%m-%dT%H:%M:%SZ}" == DATE


def test_every_input_is_accounted_for(out):
    manifest = jobs.manifest(out)
    assert manifest["ledger"]["in"] == len(KINDS) * COUNT + 3 + 3
    assert manifest["ledger"]["out"] == {
        "kept": len(KINDS) * COUNT,
        "skipped/file_type": 3,
        "skipped/warc_record_type": 3,
    }


def test_files_with_another_extension_are_counted_as_skipped(out):
    (unit,) = [unit for unit in jobs.manifest(out)["units"] if unit["unit"].startswith("html:")]
    assert unit["out"] == {"kept": COUNT, "skipped/file_type": 3}


# ---- what can be wrong with an input, or with what is said of it


def said(*arguments: Any, status: int) -> str:
    """Return the message of a command that must fail: one line, and no traceback."""
    message = jobs.run(*arguments, status=status)
    assert "Traceback" not in message
    return message


@pytest.fixture
def small(pages, tmp_path) -> Path:
    """Give a folder of three real pages."""
    folder = tmp_path / "small"
    folder.mkdir()
    many_files(".html")(pages[:3], folder)
    return folder


@pytest.mark.parametrize("what", ["nowhere", "empty"])
def test_an_input_that_is_not_there_or_empty_is_named(tmp_path, what):
    (tmp_path / "empty").mkdir()
    message = said("text", tmp_path / what, "--out", tmp_path / "out", "--quiet", status=1)
    assert str(tmp_path / what) in message
    assert not (tmp_path / "out").exists()


def test_one_input_of_several_that_is_not_there_is_named(small, tmp_path):
    message = said("text", small, tmp_path / "nowhere", "--out", tmp_path / "out", "--quiet", status=1)
    assert str(tmp_path / "nowhere") in message
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("block", "line", "field", "problem"),
    [
        pytest.param("text: {shards: 0}", 3, "text.shards", "must be", id="a value out of range"),
        pytest.param("text:\n  shard: 4", 4, "text.shard", "shards", id="a misspelt key"),
        pytest.param("text:\n  languages: [deutsch]", 4, "text.languages", "language code", id="no language code"),
        pytest.param("limits:\n  batch_rows: many", 4, "limits.batch_rows", "must be", id="a word for a number"),
        pytest.param("text:\n  rules: [gopher_v9]", 4, "text.rules", "gopher_v1", id="an unknown rule set"),
        pytest.param("text: [", 3, "", "YAML", id="no YAML"),
    ],
)
def test_an_error_of_a_recipe_names_file_line_and_field(small, tmp_path, block, line, field, problem):
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(f"corpusmill: 1\ninputs: [{{name: small, uri: {small.name}}}]\n{block}\n")
    message = said("run", recipe, "--out", tmp_path / "out", status=2)
    assert f"{recipe}:" in message
    assert f":{line}:" in message or not field
    assert field in message
    assert problem in message
    assert not (tmp_path / "out").exists()


def test_an_error_on_the_command_line_names_the_field(small, tmp_path):
    message = said("text", small, "--out", tmp_path / "out", "--set", "text.shards=none", status=2)
    assert "command line: text.shards" in message


def test_a_recipe_that_is_not_there_is_named(tmp_path):
    assert "nothing.yaml" in said("run", tmp_path / "nothing.yaml", "--out", tmp_path / "out", status=2)


def test_a_plan_is_printed_as_json_and_nothing_is_written(small, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    plan = json.loads(jobs.run("text", small, "--out", tmp_path / "out", "--plan"))
    assert plan["units"]["count"] == 1
    assert plan["units"]["names"][0].startswith("small:")
    assert plan["recipe"]["inputs"][0]["uri"] == str(small)
    assert sorted(tmp_path.rglob("*")) == before


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_table_without_a_text_column_is_named_with_the_columns_that_it_has(tmp_path, workers):
    (tmp_path / "in").mkdir()
    pq.write_table(pa.table({"body": ["x"]}), tmp_path / "in" / "a.parquet")
    message = jobs.run("text", tmp_path / "in", "--out", tmp_path / "out", "--quiet", "--workers", workers, status=1)
    assert message.splitlines()[-1].startswith("corpusmill: in:a.parquet has no column 'text'; it has body")


def test_an_input_that_changed_while_it_was_read_is_not_committed(small, tmp_path):
    process = jobs.start("text", small, "--out", tmp_path / "out", "--quiet", "--workers", "1")
    plans = tmp_path / "out" / "text" / "plans"
    assert jobs.wait_for(lambda: list(plans.glob("stage-*")), process)
    page = next(small.iterdir())
    page.write_bytes(page.read_bytes() + b"<p>more")
    _, error = process.communicate(timeout=120)
    assert process.returncode == 1
    assert "the input changed while it was read" in error
    assert not (tmp_path / "out" / "text" / "manifests").exists()


def test_one_file_and_a_folder_are_inputs_alike(small, tmp_path):
    one = sorted(small.iterdir())[0]
    plan = json.loads(jobs.run("text", one, small, "--out", tmp_path / "out", "--plan"))
    assert plan["units"]["count"] == 2
    assert plan["units"]["names"][0].endswith(f"{one.name}..{one.name}[0-{one.stat().st_size})")


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        pytest.param("crawl/*.txt", ["a.txt", "b.txt"], id="files of a folder"),
        pytest.param(
            "crawl/*", ["a.txt", "b.txt", "c.md", "d/a.txt", "d/e/a.txt"], id="a folder counts with all it holds"
        ),
        pytest.param("crawl/**/a.*", ["a.txt", "d/a.txt", "d/e/a.txt"], id="any folders"),
        pytest.param("crawl/[bc].*", ["b.txt", "c.md"], id="a choice of letters"),
        pytest.param("crawl/d/?.txt", ["a.txt"], id="one letter"),
        pytest.param("*/d/*.txt", ["crawl/d/a.txt"], id="a pattern for a folder"),
        pytest.param("crawl/*.html", [], id="nothing"),
        pytest.param("odd[[]1]/*.txt", ["x.txt"], id="an escaped bracket is a bracket"),
        pytest.param("odd[1]", ["x.txt"], id="what exists by that name is no pattern"),
    ],
)
def test_a_pattern_chooses_its_files_and_names_them_from_its_first_folder(tmp_path, pattern, names):
    for name in ("crawl/a.txt", "crawl/b.txt", "crawl/c.md", "crawl/d/a.txt", "crawl/d/e/a.txt", "odd[1]/x.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    store = open_input(str(tmp_path / pattern))
    assert [name for name, _ in store.list()] == names
    assert all(store.read(name).decode().endswith(name) for name in names)


def test_a_pattern_in_a_recipe_is_taken_from_the_recipes_folder(small, tmp_path):
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text(f"corpusmill: 1\ninputs: [{{name: some, uri: '{small.name}/*.html'}}]\n")
    plan = json.loads(jobs.run("run", recipe, "--out", tmp_path / "out", "--plan"))
    names = sorted(path.name for path in small.iterdir())
    assert plan["units"]["names"][0].startswith(f"some:{names[0]}..{names[-1]}[")


def test_names_and_links_that_are_no_records_cost_themselves(small, tmp_path):
    Path(small / os.fsdecode(b"a\xff.html")).write_bytes(b"<p>x")
    (small / "loop").symlink_to("loop")
    out = tmp_path / "out"
    jobs.run("text", small, "--out", out, "--quiet", "--set", "text.max_quarantined_fraction=0.5")
    assert jobs.funnel(out)["in"] == 4
    assert [row["detail"] for row in jobs.quarantined(out)] == ["the file's name is not UTF-8"]


@pytest.mark.parametrize("below", ["out", "."])
def test_an_output_in_an_input_is_refused(small, below):
    assert "lies in the input" in said("text", small, "--out", small / below, "--quiet", status=2)


@pytest.mark.parametrize("pattern", ["**", "*/*/*", "**/*.html", "o*"])
def test_an_output_that_a_pattern_would_choose_is_refused(small, pattern):
    assert "lies in the input" in said("text", small / pattern, "--out", small / "out", "--quiet", status=2)


@pytest.mark.parametrize("pattern", ["*.html", "in/**"])
def test_an_output_beside_what_a_pattern_chooses_is_not(small, pattern):
    (small / "in").mkdir()
    (small / "in" / "page.html").write_bytes(
        (small / sorted(p.name for p in small.iterdir() if p.is_file())[0]).read_bytes()
    )
    jobs.run("text", small / pattern, "--out", small / "out", "--plan")


def test_an_output_that_lost_files_says_what_to_delete_and_is_whole_again(small, tmp_path):
    out = tmp_path / "out"
    command = ("text", small, "--out", out, "--quiet")
    jobs.run(*command)
    digest = jobs.digest(out)
    (marker,) = (out / "text" / "staged").rglob("done.json")
    marker.write_bytes(marker.read_bytes()[:100])
    assert f"{marker.relative_to(out)}: a damaged marker" in said(*command, status=1)
    marker.unlink()
    shard = next((out / "text").glob("d*/*.parquet"))
    shard.unlink()
    message = said(*command, status=1)
    assert str(shard.relative_to(out)) in message and "text/write/" in message
    shutil.rmtree(out / "text" / "write")
    jobs.run(*command)
    assert jobs.digest(out) == digest
    assert "sound" in jobs.run("verify", "--out", out)


def test_the_smallest_shards_are_of_one_byte(tmp_path):
    decide = Decide(Launcher(str(tmp_path)), "text", Text(), (), Limits(shard_bytes=1), {})
    assert decide.shard_count(3) == 3
