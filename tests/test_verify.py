"""Verification: whatever happened to a published file is found, and the report names it."""

import hashlib
import json
import random

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from manifests.integrity import IntegrityError
from manifests.manifest import commit, manifest_name, seal
from manifests.reader import Reader, read_manifest
from manifests.shards import write_shard
from manifests.store import open_store
from manifests.tar_shards import read_members, write_tar_shard
from manifests.verify import compare, verify

PARQUET, TAR = 0, 1


def ids_of(numbers):
    return sorted(hashlib.sha256(b"%d" % n).digest()[:16] for n in numbers)


def documents(numbers, suffix=""):
    ids = ids_of(numbers)
    return pa.table({"id": pa.array(ids, pa.binary(16)), "text": [id_.hex() + suffix for id_ in ids]})


def ledger(read, kept, dropped=0):
    out = {"kept": kept, "dropped/gopher_v1/word_count": dropped}
    return {"unit": "total", "in": read, "out": {name: n for name, n in out.items() if n}, "lost_bytes": 0}


@pytest.fixture
def store(tmp_path):
    return open_store(tmp_path / "out")


@pytest.fixture
def snapshot(store, tmp_path):
    """A committed job of a Parquet shard and a tar shard, 100 records each."""
    parquet = write_shard(store, "job/data/part-0", "documents", documents(range(100)))
    samples = [(id_.hex(), {"jpg": id_ * 30, "json": b'{"alt": ""}'}) for id_ in ids_of(range(500, 600))]
    tar, index = write_tar_shard(store, "job/data/part-1", "images", samples, tmp_path / "scratch")
    shards = [shard.as_json() for shard in (parquet, tar, index)]
    commit(store, "job", {"job": "job", "shards": shards, "ledger": ledger(200, 200)})
    return read_manifest(store, "job")


def recommit(store, manifest, **change):
    """Commit the manifest with other entries as the next snapshot."""
    commit(store, "job", {**manifest, **change})


def found(store):
    return [(problem.shard, problem.what) for problem in verify(store, "job").problems]


def test_a_sound_snapshot_is_sound(store, snapshot):
    done = []
    report = verify(store, "job", progress=done.append)
    assert report.is_sound
    assert (report.shards, report.records) == (3, 400)
    assert done == [shard["bytes"] for shard in snapshot["shards"]]
    assert "sound (3 shards, 400 records" in str(report)


def test_what_is_wrong_is_printed_with_shard_expected_and_found(store, snapshot):
    shard = snapshot["shards"][PARQUET]
    store.path(shard["name"]).write_bytes(b"short")
    text = str(verify(store, "job"))
    assert f"{shard['name']}: size: expected {shard['bytes']} bytes, found 5 bytes" in text
    assert f"{shard['name']}: sha256: expected {shard['sha256']}, found" in text
    assert f"{shard['name']}: records: expected 100, found 0" in text


def test_a_missing_shard_and_the_others_are_reported(store, snapshot):
    names = [shard["name"] for shard in snapshot["shards"]]
    store.delete(names[PARQUET])
    store.delete(names[TAR])
    assert found(store) == [(names[PARQUET], "missing"), (names[TAR], "missing")]


def test_no_snapshot_is_a_problem(store):
    assert [problem.what for problem in verify(store, "job").problems] == ["missing"]
    assert [problem.what for problem in verify(store, "job", 3).problems] == ["missing"]


@pytest.mark.parametrize(
    ("damage", "what"),
    [
        pytest.param(lambda body: body.replace(b'"kept":200', b'"kept":201'), "digest", id="an edited figure"),
        pytest.param(lambda body: body[:-5], "unreadable", id="a cut"),
        pytest.param(lambda body: b"\xff\xfe", "unreadable", id="no text"),
        pytest.param(lambda body: b"[]", "format", id="another kind of JSON"),
        pytest.param(lambda body: body.replace(b'"format":1', b'"format":9'), "format", id="a later format"),
    ],
)
def test_a_damaged_manifest_is_named(store, snapshot, damage, what):
    name = manifest_name("job", 1)
    store.path(name).write_bytes(damage(store.read(name)))
    assert (name, what) in found(store)


@pytest.mark.parametrize(
    ("change", "what"),
    [
        pytest.param({"records": 99}, "records", id="record count"),
        pytest.param({"bytes": 1}, "size", id="size"),
        pytest.param({"sha256": "0" * 64}, "sha256", id="sha256"),
        pytest.param({"min_id": "0" * 32}, "first id", id="first id"),
        pytest.param({"max_id": "f" * 32}, "last id", id="last id"),
        pytest.param({"name": "job/data/none.parquet"}, "missing", id="name"),
        pytest.param({"name": "pipe:id"}, "entry", id="a name that must not be opened"),
        pytest.param({"sha256": None}, "entry", id="no sha256"),
    ],
)
@pytest.mark.parametrize("shard", [PARQUET, TAR], ids=["parquet", "tar"])
def test_an_entry_that_is_not_so_is_named(store, snapshot, shard, change, what):
    shards = list(snapshot["shards"])
    shards[shard] = {**shards[shard], **change}
    recommit(store, snapshot, shards=shards)
    assert (shards[shard]["name"], what) in found(store)


@pytest.mark.parametrize(
    ("stated", "what"),
    [
        pytest.param(ledger(201, 200), "ledger", id="a record that went nowhere"),
        pytest.param(ledger(200, 199, 1), "ledger", id="a kept record too many in the shards"),
    ],
)
def test_a_ledger_that_does_not_balance_is_named(store, snapshot, stated, what):
    recommit(store, snapshot, ledger=stated)
    assert found(store) == [(manifest_name("job", 2), what)]


@pytest.mark.parametrize(
    ("order", "kind", "problem"),
    [
        pytest.param([1, 0, 2], "documents", "order of ids at record 1", id="out of order"),
        pytest.param([0, 1, 1], "documents", "order of ids at record 2", id="a document twice"),
        pytest.param([0, 1, 1], "dropped", None, id="one id dropped twice is in order"),
        pytest.param([0, 2, 1], "dropped", "order of ids at record 2", id="dropped out of order"),
    ],
)
def test_the_order_of_ids_is_checked(store, order, kind, problem):
    shard = write_shard(store, "job/data/part-0", kind, documents(range(3)).take(order))
    commit(store, "job", {"shards": [shard.as_json()]})
    assert found(store) == ([(shard.name, problem)] if problem else [])


def test_order_is_checked_across_row_groups(store):
    table = documents(range(10_000))
    swapped = pa.concat_tables([table.slice(4096), table.slice(0, 4096)])
    shard = write_shard(store, "job/data/part-0", "documents", swapped)
    commit(store, "job", {"shards": [shard.as_json()]})
    assert found(store) == [(shard.name, "order of ids at record 5904")]


def test_records_without_an_id_are_counted_only(store):
    shard = write_shard(store, "job/quarantine/0", "quarantine", pa.table({"uri": ["a", "b"]}))
    commit(store, "job", {"shards": [shard.as_json()], "ledger": ledger(0, 0)})
    assert found(store) == []


def test_a_lone_empty_shard_is_sound(store):
    shard = write_shard(store, "job/data/part-0", "documents", documents([]))
    commit(store, "job", {"shards": [shard.as_json()]})
    assert found(store) == []


# Bit flips and cuts, seen by the reader and by verify.


def refused(reader, kind):
    """Return the shard that the reader names when it reads everything, or None."""
    try:
        for _ in reader.samples() if kind == "images" else reader.batches():
            pass
    except IntegrityError as error:
        return error.problem.shard
    return None


@pytest.fixture(params=[PARQUET, TAR], ids=["parquet", "tar"])
def victim(request, store, snapshot):
    """One of the shards: (entry, its bytes, its path, a reader of it)."""
    entry = snapshot["shards"][request.param]
    return entry, store.read(entry["name"]), store.path(entry["name"]), Reader(store, snapshot, entry["kind"])


def test_a_thousand_cuts_of_a_shard_are_found_and_the_shard_is_named(victim):
    entry, data, path, reader = victim
    cuts = sorted({len(data) * n // 1000 for n in range(1000)})
    assert len(cuts) == 1000
    for cut in cuts:
        path.write_bytes(data[:cut])
        assert refused(reader, entry["kind"]) == entry["name"]
    path.write_bytes(data)
    assert refused(reader, entry["kind"]) is None


def test_flipped_bits_of_a_shard_are_found_and_the_shard_is_named(victim):
    entry, data, path, reader = victim
    places = range(0, 8 * len(data), max(1, 8 * len(data) // 1000))
    if entry["name"].endswith(".tar"):
        starts = [offset - 512 for _, _, offset, _ in read_members(path.open("rb"), "t")]
        places = [8 * start + bit for start in starts for bit in range(start % 787, 4096, 787)]
    for place in places:
        flipped = bytearray(data)
        flipped[place // 8] ^= 1 << place % 8
        path.write_bytes(flipped)
        assert refused(reader, entry["kind"]) == entry["name"]


def test_verify_names_the_shard_for_cuts_and_flips_and_goes_on(store, victim):
    entry, data, path, _ = victim
    rng = random.Random(3)
    for _ in range(60):
        place = rng.randrange(len(data))
        flipped = data[:place] + bytes([data[place] ^ 1 << rng.randrange(8)]) + data[place + 1 :]
        for damaged in (flipped, data[:place]):
            path.write_bytes(damaged)
            report = verify(store, "job")
            assert {problem.shard for problem in report.problems} == {entry["name"]}
            assert "sha256" in {problem.what for problem in report.problems}
            assert report.shards == 3


def test_a_flipped_tar_header_is_told_with_its_byte_and_the_last_good_key(store, snapshot):
    entry = snapshot["shards"][TAR]
    data = bytearray(store.read(entry["name"]))
    members = list(read_members(store.open(entry["name"]), "t"))
    key, _, offset, _ = members[80]  # the first member of sample 40
    data[offset - 512 + 130] ^= 1
    store.path(entry["name"]).write_bytes(data)
    problems = {problem.what: problem for problem in verify(store, "job").problems}
    header = problems[f"header of {key}.jpg"]
    assert offset - 512 <= header.offset < offset
    assert members[79][0] in header.found
    assert problems["records"].found == "40"


def test_a_flipped_byte_of_a_parquet_page_is_told_with_its_row_group(store):
    shard = write_shard(store, "job/data/part-0", "documents", documents(range(9000)))
    commit(store, "job", {"shards": [shard.as_json()]})
    group = pq.ParquetFile(store.open(shard.name)).metadata.row_group(1)
    data = bytearray(store.read(shard.name))
    data[group.column(1).data_page_offset + 100] ^= 0xFF
    store.path(shard.name).write_bytes(data)
    problems = {problem.what: problem for problem in verify(store, "job").problems}
    assert "row group 1, 4096 records before it" in problems["unreadable"].found
    first = group.column(0)
    assert problems["unreadable"].offset in (first.dictionary_page_offset, first.data_page_offset)
    assert problems["records"].found == "4904"


# Two snapshots.


def two(store, tmp_path, left, right, **fields):
    """Commit two jobs of documents and return what compare takes."""
    sides = []
    for name, tables in (("left", left), ("right", right)):
        out = open_store(tmp_path / name)
        shards = [write_shard(out, f"job/data/part-{n}", "documents", table) for n, table in enumerate(tables)]
        body = {"shards": [shard.as_json() for shard in shards], **(fields if name == "right" else {})}
        sides += [out, seal(body)]
    return sides


def hexes(numbers):
    return sorted(id_.hex() for id_ in ids_of(numbers))


def test_equal_snapshots_differ_in_nothing(store, tmp_path):
    difference = compare(*two(store, tmp_path, [documents(range(50))], [documents(range(50))]))
    assert difference.is_empty
    assert "the same snapshot" in str(difference)


def test_ids_that_differ_are_listed(store, tmp_path):
    changed = pa.concat_tables([documents(range(3), "!"), documents(range(3, 47))]).sort_by("id")
    left = [documents(range(100, 200)), documents(range(50))]
    right = [documents(range(100, 200)), pa.concat_tables([changed, documents([300])]).sort_by("id")]
    difference = compare(*two(store, tmp_path, left, right, settings={"seed": 2}))
    assert not difference.is_empty
    assert difference.only_left == hexes(range(47, 50))
    assert difference.only_right == hexes([300])
    assert difference.changed == hexes(range(3))
    assert difference.fields == ["settings", "shards"]
    assert hexes([300])[0] in str(difference)


def test_another_number_of_shards_is_no_difference_of_ids(store, tmp_path):
    whole = documents(range(90))
    difference = compare(*two(store, tmp_path, [whole], [whole.slice(0, 30), whole.slice(30)]))
    assert difference.fields == ["shards"]
    assert difference.only_left == difference.only_right == difference.changed == []


def test_samples_of_tar_shards_are_compared_by_their_members(tmp_path):
    sides = []
    for name, alt in (("left", b"a"), ("right", b"b")):
        out = open_store(tmp_path / name)
        samples = [
            (id_.hex(), {"jpg": b"x", "json": alt if n == 4 else b"same"}) for n, id_ in enumerate(ids_of(range(9)))
        ]
        shard, _ = write_tar_shard(out, "images/data/part-0", "images", samples, tmp_path / "scratch")
        sides += [out, seal({"shards": [shard.as_json()]})]
    assert compare(*sides, kind="images").changed == [hexes(range(9))[4]]


def test_a_damaged_shard_is_not_compared(store, tmp_path):
    sides = two(store, tmp_path, [documents(range(50))], [documents(range(49))])
    name = sides[1]["shards"][0]["name"]
    sides[0].path(name).write_bytes(b"x")
    with pytest.raises(IntegrityError, match=name):
        compare(*sides)


def test_a_long_report_is_cut_short_and_says_so(store, tmp_path):
    difference = compare(*two(store, tmp_path, [documents(range(100))], [documents(range(1))]))
    assert "99 ids only in the first" in str(difference)
    assert "and 79 more" in str(difference)
    assert json.dumps(difference.only_left)
