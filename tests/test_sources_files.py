"""Folders of files: packed into units, one record a file, everything accounted for."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
from corpora import LIMITS, MemoryStore, read_bytes, read_input
from hypothesis import given
from hypothesis import strategies as st

from manifests.store import open_input
from pipelines.demo_input import fetch_package
from pipelines.sources import Unit, plan_units, read_unit
from pipelines.sources.files import pack_files
from pipelines.sources.plan import kind_of, pack_sizes


def test_a_folder_of_a_real_manual_gives_every_page_and_counts_the_rest(pages):
    folder = fetch_package("installation-guide-amd64").page_folder / "ja"
    outcome = read_input(open_input(str(folder)), unit_bytes=100_000)
    expected = {
        f"in:{path.removeprefix('ja/')}": body
        for path, body in pages("installation-guide-amd64")
        if path.startswith("ja/")
    }
    assert {row["uri"]: row["payload"] for row in outcome.rows} == expected
    files = sum(path.is_file() for path in folder.rglob("*"))
    assert outcome.events == files and set(outcome.skipped) <= {"file_type"}


def test_a_moved_folder_keeps_its_uris(tmp_path: Path):
    uris = []
    for folder in (tmp_path / "here", tmp_path / "over" / "there"):
        (folder / "sub").mkdir(parents=True)
        (folder / "sub" / "a.md").write_text("# A")
        uris.append([row["uri"] for row in read_input(open_input(str(folder))).rows])
    assert uris == [["in:sub/a.md"]] * 2


@pytest.mark.parametrize(
    ("name", "media_type"),
    [
        ("a.html", "text/html"),
        ("a.HTM", "text/html"),
        ("a.xhtml", "application/xhtml+xml"),
        ("a.txt", "text/plain"),
        ("a.md", "text/markdown"),
    ],
)
def test_the_suffix_states_the_type(name: str, media_type: str):
    assert [row["media_type"] for row in read_bytes(name, b"x").rows] == [media_type]


def test_a_file_beyond_the_limit_is_named_and_not_read():
    outcome = read_bytes("a.html", b"x" * 11, limits=replace(LIMITS, max_record_bytes=10))
    (row,) = outcome.quarantined
    assert (row["reason"], row["uri"], row["limit"], row["limit_value"], row["observed"]) == (
        "record_too_large",
        "in:a.html",
        "max_record_bytes",
        10,
        11,
    )


def test_a_file_whose_name_is_not_utf_8_is_quarantined_alone(tmp_path: Path):
    for name in (b"a\xff.html", b"b.html"):
        Path(tmp_path / os.fsdecode(name)).write_bytes(b"<p>x")
    outcome = read_input(open_input(str(tmp_path)))
    assert [row["uri"] for row in outcome.rows] == ["in:b.html"]
    assert [(row["reason"], row["uri"]) for row in outcome.quarantined] == [("malformed_record", r"in:a\udcff.html")]


def test_a_container_whose_name_is_not_utf_8_is_named():
    with pytest.raises(ValueError, match=r"input in: .*\\\\udcff.warc.* is not UTF-8"):
        plan_units(MemoryStore({"a\udcff.warc": b""}), "in")


def test_an_empty_file_is_a_record():
    assert read_bytes("a.html", b"").payloads == [b""]


def test_a_file_that_has_gone_since_the_plan_fails_the_job():
    store = MemoryStore({"a.warc": b"x", "b.html": b"<p>"})
    units = plan_units(store, "in")
    for unit in units:
        with pytest.raises((FileNotFoundError, KeyError)):
            list(read_unit(MemoryStore({}), unit, 0, LIMITS))


@given(st.integers(0, 9), st.integers(1, 9))
def test_reading_again_from_a_cursor_gives_what_follows(files: int, rows: int):
    store = MemoryStore({f"{i}.{'html' if i % 3 else 'png'}": bytes([i]) for i in range(files)})
    for unit in plan_units(store, "in"):
        limits = replace(LIMITS, batch_rows=rows)
        chunks = list(read_unit(store, unit, 0, limits))
        for i, chunk in enumerate(chunks):
            assert list(read_unit(store, unit, chunk.cursor, limits)) == chunks[i + 1 :]


@given(st.lists(st.integers(0, 30)), st.integers(1, 40), st.integers(1, 5))
def test_packing_keeps_the_order_and_both_limits(sizes: list[int], most: int, files: int):
    given_files = [(f"{i:03d}", size) for i, size in enumerate(sizes)]
    packs = list(pack_files(given_files, most, files))
    assert [name for names, _ in packs for name in names] == [name for name, _ in given_files]
    for names, total in packs:
        assert total == sum(sizes[int(name)] for name in names)
        assert len(names) <= files and (total <= most or len(names) == 1)


@given(st.lists(st.integers(0, 30)), st.integers(1, 40))
def test_neighbours_are_packed_without_a_gap(sizes: list[int], most: int):
    ranges = list(pack_sizes(sizes, most))
    assert [i for start, end in ranges for i in range(start, end)] == list(range(len(sizes)))
    assert all(sum(sizes[start:end]) <= most or end - start == 1 for start, end in ranges)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.warc.gz", "warc"),
        ("CC-MAIN-1.warc.wet.gz", "warc"),
        ("x/y.JSONL.zst", "jsonl"),
        ("a.ndjson", "jsonl"),
        ("a.parquet", "parquet"),
        ("a.tgz", "tar"),
        ("a.tar.zst", "tar"),
        ("a.gz", "files"),
        ("a.html", "files"),
    ],
)
def test_an_object_is_read_by_its_name(name: str, kind: str):
    assert kind_of(name) == kind


def test_units_cover_every_object_once_in_name_order():
    store = MemoryStore({"b.warc": bytes(25), "a.jsonl": bytes(11), "c.html": b"1", "d.png": b"22", "e.tar": bytes(30)})
    units = plan_units(store, "in", unit_bytes=10)
    assert units == [
        Unit(0, "in", "a.jsonl", "jsonl", 0, 10),
        Unit(1, "in", "a.jsonl", "jsonl", 10, 11),
        Unit(2, "in", "b.warc", "warc", 0, 10),
        Unit(3, "in", "b.warc", "warc", 10, 20),
        Unit(4, "in", "b.warc", "warc", 20, 25),
        Unit(5, "in", "e.tar", "tar", 0, 30),
        Unit(6, "in", "", "files", 0, 3, ("c.html", "d.png")),
    ]
    assert [unit.files() for unit in units[4:]] == [("b.warc",), ("e.tar",), ("c.html", "d.png")]
    assert "index" not in units[0].identity()


def test_a_kind_that_is_given_chooses_the_objects_of_that_kind_or_the_only_one():
    both = MemoryStore({"a.warc": b"x", "b.jsonl": b"{}"})
    assert [unit.uri for unit in plan_units(both, "in", "jsonl")] == ["b.jsonl"]
    assert [unit.kind for unit in plan_units(MemoryStore({"crawl.bin": b"x"}), "in", "warc")] == ["warc"]


def test_an_unknown_kind_is_refused_with_what_there_is():
    with pytest.raises(ValueError, match=r"'in'.*'war'.*auto, warc, files, jsonl, parquet, tar"):
        plan_units(MemoryStore({}), "in", "war")
