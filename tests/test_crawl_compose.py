"""Parts become files: nothing is lost or packed twice, and the index leads into the file."""

import hashlib
import io
import json
import tracemalloc
from itertools import pairwise
from pathlib import Path

import pytest
from fastwarc.warc import ArchiveIterator as FastIterator
from hypothesis import given
from hypothesis import strategies as st
from test_crawl_warc import HTML, INFO, by_fastwarc, by_warcio, exchange
from warcio.archiveiterator import ArchiveIterator

from manifests.local_store import LocalStore
from manifests.shards import Shard
from pipelines.crawl.compose import INFO_BYTES, FilePlan, PartRef, compose, put_part, write_file
from pipelines.crawl.warc import Capture, warcinfo_id, write_captures

MIB = 1 << 20


def captures(part: int, count: int = 3) -> list[Capture]:
    """Captures whose keys interleave with those of other parts; the last one is refused."""
    sent = [
        exchange(HTML + bytes([part, n]), url=f"http://h{n}.example/{part}", started_s=1.79e9 + 100 * part + n)
        for n in range(count)
    ]
    return [*[Capture(one, "kept") for one in sent[:-1]], Capture(sent[-1], "refused", "noai")]


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path / "out")


def put(store: LocalStore, part: int, count: int = 3) -> PartRef:
    data, lines = write_captures(captures(part, count), INFO)
    return put_part(store, f"crawl/staged/{part}", data, lines, count - 1)


def written(store: LocalStore, tmp_path: Path, *parts: PartRef) -> tuple[Shard, Shard]:
    return write_file(store, FilePlan(7, parts), "crawl/data", INFO, tmp_path / "scratch")


# ---- the plan


sizes = st.lists(st.integers(0, 300_000), max_size=30)


@given(sizes, st.integers(INFO_BYTES, 500_000))
def test_every_part_is_in_one_file_and_in_its_order(sizes: list[int], limit: int):
    parts = [PartRef(f"p{number}", size, "", "", 1) for number, size in enumerate(sizes)]
    plans = compose(parts, limit, first=3)
    assert [part for plan in plans for part in plan.parts] == [part for part in parts if part.bytes]
    assert [plan.index for plan in plans] == list(range(3, 3 + len(plans)))
    assert all(plan.bytes + INFO_BYTES <= limit or len(plan.parts) == 1 for plan in plans)


@given(sizes, st.integers(INFO_BYTES, 500_000))
def test_a_file_is_ended_only_where_the_next_part_does_not_fit(sizes: list[int], limit: int):
    plans = compose([PartRef("p", size, "", "", 1) for size in sizes], limit)
    for plan, following in pairwise(plans):
        assert plan.bytes + following.parts[0].bytes + INFO_BYTES > limit


def test_no_parts_are_no_files():
    assert compose([], MIB) == [] == compose([PartRef("empty", 0, "", "", 0)], MIB)


# ---- the files


def test_a_file_is_its_warcinfo_record_and_the_parts_as_they_are(store: LocalStore, tmp_path: Path):
    parts = [put(store, number) for number in range(3)]
    shard, _ = written(store, tmp_path, *parts)
    data = store.read(shard.name)
    stored = b"".join(store.read(part.name) for part in parts)
    assert data.endswith(stored)
    found = list(by_warcio(data))
    assert list(by_fastwarc(data)) == found
    assert found[0].type == "warcinfo" and found[1:] == list(by_warcio(stored))
    assert {record.fields["WARC-Warcinfo-ID"] for record in found[1:]} == {found[0].fields["WARC-Record-ID"]}
    assert found[0].fields["WARC-Record-ID"] == warcinfo_id(INFO)
    assert len({record.fields["WARC-Record-ID"] for record in found}) == len(found) == 1 + 3 * 7


def test_names_follow_from_the_bytes(store: LocalStore, tmp_path: Path):
    shard, index = written(store, tmp_path, put(store, 1), put(store, 2))
    for one, ending, kind, records in [(shard, ".warc.gz", "warc", 4), (index, ".cdxj", "cdxj", 4)]:
        data = store.read(one.name)
        assert one.sha256 == hashlib.sha256(data).hexdigest() and one.bytes == len(data)
        assert one.name == f"crawl/data/part-00007-{one.sha256[:8]}{ending}"
        assert (one.kind, one.records) == (kind, records)


def test_the_index_leads_to_each_record_of_the_file(store: LocalStore, tmp_path: Path):
    shard, index = written(store, tmp_path, *[put(store, number, 5) for number in range(4)])
    lines = store.read(index.name).splitlines()
    assert lines == sorted(lines) and len(lines) == 16
    found = set()
    for line in lines:
        fields = json.loads(line.split(b" ", 2)[2])
        assert fields["filename"] == shard.name.rpartition("/")[2]
        member = store.read_range(shard.name, int(fields["offset"]), int(fields["length"]))
        record = next(ArchiveIterator(io.BytesIO(member), check_digests="raise"))
        fast = next(FastIterator(io.BytesIO(member)))
        assert record.rec_headers.get_header("WARC-Target-URI") == fast.headers["WARC-Target-URI"] == fields["url"]
        assert record.content_stream().read() == fast.reader.read()
        found.add(fields["url"])
    assert found == {capture.exchange.url for number in range(4) for capture in captures(number, 5)[:-1]}


def test_writing_it_again_changes_nothing(store: LocalStore, tmp_path: Path):
    parts = [put(store, 1), put(store, 2)]
    first = written(store, tmp_path, *parts)
    before = {name: store.generation(name) for name, _ in store.list()}
    assert written(store, tmp_path, *[put(store, 1), put(store, 2)]) == first
    assert {name: store.generation(name) for name, _ in store.list()} == before
    assert not (tmp_path / "scratch").exists()


@pytest.mark.parametrize("damage", ["flip", "cut", "grow"])
def test_a_damaged_part_is_named_and_no_file_is_made(store: LocalStore, tmp_path: Path, damage: str):
    good, bad = put(store, 1), put(store, 2)
    data = bytearray(store.read(bad.name))
    data[50] ^= damage == "flip"
    store.delete(bad.name)
    store.put_new(bad.name, bytes(data[:-1] if damage == "cut" else data + b"\0" * (damage == "grow")))
    with pytest.raises(RuntimeError, match=bad.name):
        written(store, tmp_path, good, bad)
    assert list(store.list("crawl/data")) == [] and not (tmp_path / "scratch").exists()


def test_a_warcinfo_record_that_takes_too_much_room_is_refused(store: LocalStore, tmp_path: Path):
    long = {**INFO, **{str(n): hashlib.sha256(str(n).encode()).hexdigest() for n in range(1000)}}
    with pytest.raises(ValueError, match="file_info"):
        write_file(store, FilePlan(0, (put(store, 1),)), "crawl/data", long, tmp_path / "scratch")


def test_memory_does_not_grow_with_the_file(store: LocalStore, tmp_path: Path):
    noise = hashlib.shake_256(b"x").digest(8 * MIB)
    data, lines = write_captures([Capture(exchange(noise), "kept")], INFO)
    parts = [put_part(store, f"crawl/staged/{number}", data, lines, 1) for number in range(8)]
    del noise, data
    tracemalloc.start()
    try:
        shard, _ = written(store, tmp_path, *parts)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert shard.bytes > 64 * MIB
    assert peak < 12 * MIB
