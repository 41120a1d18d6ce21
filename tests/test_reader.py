"""The reader opens nothing that a manifest must not name and hands out nothing that it does not vouch for."""

import hashlib
import json

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from moto.server import ThreadedMotoServer

from manifests.integrity import IntegrityError
from manifests.manifest import commit, seal
from manifests.reader import ManifestError, Position, Reader, check_shard_name, read_manifest
from manifests.shards import write_shard
from manifests.store import StoreError, open_store
from manifests.tar_shards import write_tar_shard


def ids_of(start, count):
    return sorted(hashlib.sha256(b"%d" % n).digest()[:16] for n in range(start, start + count))


def documents(start, count):
    ids = ids_of(start, count)
    return pa.table({"id": pa.array(ids, pa.binary(16)), "text": [id_.hex() * 9 for id_ in ids]})


def samples(start, count):
    return [(id_.hex(), {"jpg": id_ * 40, "json": b"{}"}) for id_ in ids_of(start, count)]


@pytest.fixture
def store(tmp_path):
    return open_store(tmp_path / "out")


@pytest.fixture
def text(store):
    """A committed text job: 3 shards of documents, one of them in two row groups, and what was dropped."""
    shards = [
        write_shard(store, f"text/data/part-{n}", "documents", documents(n * 10_000, count))
        for n, count in enumerate((30, 5000, 1))
    ]
    shards.append(write_shard(store, "text/dropped/part-0", "dropped", documents(90_000, 7)))
    commit(store, "text", {"job": "text", "shards": [shard.as_json() for shard in shards]})
    return read_manifest(store, "text")


@pytest.fixture
def images(store, tmp_path):
    """A committed image job of two tar shards."""
    pairs = [
        write_tar_shard(store, f"images/data/part-{n}", "images", samples(n * 1000, count), tmp_path / "scratch")
        for n, count in enumerate((12, 5))
    ]
    commit(store, "images", {"job": "images", "shards": [shard.as_json() for pair in pairs for shard in pair]})
    return read_manifest(store, "images")


def all_ids(batches):
    return [id_ for batch in batches for id_ in batch["id"].to_pylist()]


# What is read.


def test_every_record_of_the_kind_is_read_once_and_in_order(store, text):
    expected = [id_ for n, count in enumerate((30, 5000, 1)) for id_ in ids_of(n * 10_000, count)]
    reader = Reader(store, text)
    assert all_ids(reader.batches(batch_rows=700)) == expected
    assert reader.records == len(expected)
    assert all_ids(Reader(store, text, "dropped").batches()) == ids_of(90_000, 7)


def test_columns_can_be_chosen(store, text):
    assert {tuple(batch.schema.names) for batch in Reader(store, text).batches(["id"])} == {("id",)}


def test_every_sample_of_a_tar_shard_is_read_once_and_in_order(store, images):
    expected = [(key, parts) for start, count in ((0, 12), (1000, 5)) for key, parts in samples(start, count)]
    assert list(Reader(store, images, "images").samples()) == expected


def test_a_snapshot_can_be_pinned_and_the_newest_is_the_default(store, text):
    _, second = commit(store, "text", {"job": "text", "shards": []})
    assert read_manifest(store, "text") == second
    assert read_manifest(store, "text", 1) == text
    store.delete("text/CURRENT")
    assert read_manifest(store, "text") == second


def test_shards_in_a_bucket_are_read_through_a_local_copy(monkeypatch):
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    for name, value in (
        ("AWS_ENDPOINT_URL", f"http://{host}:{port}"),
        ("AWS_ACCESS_KEY_ID", "key"),
        ("AWS_SECRET_ACCESS_KEY", "secret"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
    ):
        monkeypatch.setenv(name, value)
    bucket = open_store("s3://corpus/out")
    bucket.client.create_bucket(Bucket="corpus")
    shard = write_shard(bucket, "text/data/part-0", "documents", documents(0, 300))
    body = {"job": "text", "shards": [shard.as_json()]}
    assert all_ids(Reader(bucket, seal(body)).batches()) == ids_of(0, 300)
    # By its full address from the manifest of another store.
    body["shards"][0]["name"] = f"s3://corpus/out/{shard.name}"
    assert all_ids(Reader(open_store("/nowhere"), seal(body)).batches()) == ids_of(0, 300)
    bucket.delete(shard.name)
    bucket.put_new(shard.name, b"\0" * shard.bytes)
    with pytest.raises(IntegrityError, match=r"s3://corpus/out/text/data/part-0.*sha256"):
        list(Reader(bucket, seal(body)).batches())
    server.stop()


# What is refused.

REFUSED = [
    "pipe:cat /etc/passwd",
    "PIPE:id",
    "file:///etc/passwd",
    "file:shard.tar",
    "http://host/shard.tar",
    "ftp://host/shard.tar",
    "data:text/plain,x",
    "hdfs://host/shard",
    "s3:bucket/shard",
    "s3:///etc/shard",
    "s3://bucket",
    "s3://bucket/../other/shard",
    "https://user@host/shard",
    "https://host:8443/x?y=z",
    "/etc/passwd",
    "../other/part.tar",
    "data/../../part.tar",
    "data//part.tar",
    "./part.tar",
    ".hidden/part.tar",
    "~/part.tar",
    "~root/part.tar",
    "$HOME/part.tar",
    "data/${SECRET}.tar",
    "data/$(id).tar",
    "data/`id`.tar",
    "data/part-{000..999}.tar",
    "data/part*.tar",
    "data/part.tar\n",
    "data\\part.tar",
    "data/part 1.tar",
    "data/part.tar::pipe:id",
    "|id",
    "-",
    "",
]


@pytest.mark.parametrize("name", REFUSED, ids=repr)
def test_a_manifest_that_names_it_is_refused_before_anything_is_opened(name):
    entry = {
        "name": name,
        "kind": "documents",
        "bytes": 1,
        "sha256": "0" * 64,
        "records": 1,
        "min_id": None,
        "max_id": None,
    }

    class Untouchable:
        def __getattr__(self, method):
            raise AssertionError(f"{method} was called")

    with pytest.raises(ManifestError):
        Reader(Untouchable(), seal({"job": "text", "shards": [entry]}))


@pytest.mark.parametrize(
    "name",
    [
        "part-0.tar",
        "text/data/part-00007-of-00032-0a1b2c3d.parquet",
        "s3://b/x/p.tar",
        "gs://b/p.tar",
        "https://host.org/p.tar",
    ],
)
def test_a_plain_name_is_not_refused(name):
    assert check_shard_name(name) == name


@given(st.text(alphabet="ab./:$~|\\ \n{%", max_size=10))
def test_a_name_that_passes_has_nothing_to_expand(name):
    try:
        check_shard_name(name)
    except ManifestError:
        return
    assert set(name) <= set("ab./")
    assert not name.startswith((".", "/"))
    assert "/." not in name


@pytest.mark.parametrize("name", ["gs://bucket/p.parquet", "https://host.org/p.parquet"])
def test_a_place_that_this_version_cannot_read_is_named(store, name):
    entry = {
        "name": name,
        "kind": "documents",
        "bytes": 1,
        "sha256": "0" * 64,
        "records": 1,
        "min_id": None,
        "max_id": None,
    }
    with pytest.raises(StoreError, match=name.rsplit("/", 1)[0]):
        list(Reader(store, seal({"shards": [entry]})).batches())


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"bytes": -1}, id="a negative size"),
        pytest.param({"bytes": "12"}, id="a size in quotes"),
        pytest.param({"records": True}, id="a truth value as count"),
        pytest.param({"sha256": "abc"}, id="a short sha256"),
        pytest.param({"sha256": None}, id="no sha256"),
    ],
)
def test_an_entry_that_vouches_for_nothing_is_refused(store, text, change):
    entry = {**text["shards"][0], **change}
    with pytest.raises(ManifestError):
        Reader(store, seal({"shards": [entry]}))


def test_an_entry_without_a_digest_at_all_is_refused(store, text):
    entry = {name: value for name, value in text["shards"][0].items() if name != "sha256"}
    with pytest.raises(ManifestError, match="sha256"):
        Reader(store, seal({"shards": [entry]}))


def test_fields_of_a_later_version_are_no_obstacle(store, text):
    shards = [{**entry, "crc32c": "x"} for entry in text["shards"]]
    assert Reader(store, seal({"shards": shards})).records == 5031


def test_a_manifest_that_was_edited_is_refused(store, text):
    with pytest.raises(ManifestError, match="digest"):
        Reader(store, {**text, "job": "other"})
    with pytest.raises(ManifestError, match="format"):
        Reader(store, seal({**text, "format": 2}) | {"format": 2})
    store.delete("text/manifests/v000001.json")
    store.put_new("text/manifests/v000001.json", json.dumps({**text, "job": "other"}).encode())
    with pytest.raises(ManifestError, match="snapshot 1"):
        read_manifest(store, "text")


def test_where_nothing_is_committed_it_says_so(store, text):
    with pytest.raises(ManifestError, match="no snapshot has been committed"):
        read_manifest(store, "images")
    with pytest.raises(ManifestError, match="no snapshot 9"):
        read_manifest(store, "text", 9)


# Damage.


def overwrite(store, name, data):
    store.path(name).write_bytes(data)


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        pytest.param(lambda data: data[:-1], "size", id="cut"),
        pytest.param(lambda data: data + b"x", "size", id="longer"),
        pytest.param(lambda data: data[:99] + bytes([data[99] ^ 1]) + data[100:], "sha256", id="a flipped bit"),
    ],
)
def test_nothing_of_a_damaged_shard_is_handed_out(store, text, damage, message):
    name = text["shards"][1]["name"]
    overwrite(store, name, damage(store.read(name)))
    seen = []
    with pytest.raises(IntegrityError, match=f"{name}: {message}"):
        seen.extend(all_ids(Reader(store, text).batches()))
    assert not set(seen) & set(ids_of(10_000, 5000))


def test_a_missing_shard_is_named(store, text):
    store.delete(text["shards"][0]["name"])
    with pytest.raises(IntegrityError, match=f"{text['shards'][0]['name']}: missing"):
        next(Reader(store, text).batches())


@pytest.mark.parametrize("stated", [29, 31])
def test_a_count_that_the_parquet_shard_does_not_have_is_an_error(store, text, stated):
    shards = [{**text["shards"][0], "records": stated}]
    with pytest.raises(IntegrityError, match=f"records: expected {stated}, found 30"):
        next(Reader(store, seal({"shards": shards})).batches())


@pytest.mark.parametrize("stated", [11, 13])
def test_a_count_that_the_tar_shard_does_not_have_is_an_error(store, images, stated):
    shards = [{**images["shards"][0], "records": stated}]
    with pytest.raises(IntegrityError, match=f"records: expected {stated}, found 12"):
        list(Reader(store, seal({"shards": shards}), "images").samples())


# Where a trainer stands.


@pytest.mark.parametrize("epoch", [0, 3])
def test_an_epoch_holds_every_record_once(store, text, epoch):
    reader = Reader(store, text)
    position = Position(reader.digest, epoch=epoch, seed=5)
    steps = list(reader.batches_from(position, batch_rows=999))
    assert sorted(all_ids(batch for _, batch in steps)) == sorted(all_ids(reader.batches()))
    assert steps[-1][0] == Position(reader.digest, epoch=epoch + 1, seed=5)


def test_epochs_and_seeds_order_the_shards_differently_and_always_the_same_way(store, text):
    reader = Reader(store, text)
    orders = {
        (seed, epoch): tuple(
            all_ids(b for _, b in reader.batches_from(Position(reader.digest, epoch, 0, seed), ["id"]))
        )
        for seed in range(3)
        for epoch in range(3)
    }
    assert len(set(orders.values())) > 2
    again = Reader(store, text).batches_from(Position(reader.digest, 2, 0, 1), ["id"], batch_rows=77)
    assert tuple(all_ids(batch for _, batch in again)) == orders[1, 2]


@pytest.mark.parametrize("batch_rows", [64, 1000])
def test_reading_on_from_a_saved_position_gives_the_rest_of_the_epoch(store, text, batch_rows):
    reader = Reader(store, text)
    steps = list(reader.batches_from(reader.start(seed=2), ["id"], batch_rows))
    whole = all_ids(batch for _, batch in steps)
    for position, _ in [*steps[:-1:5], *steps[-3:-1]]:
        saved = json.loads(json.dumps(position.as_json()))
        rest = Reader(store, text).batches_from(Position.from_json(saved), ["id"], 300)
        assert all_ids(batch for _, batch in rest) == whole[position.index :]


def test_samples_are_read_on_from_a_saved_position_too(store, images):
    reader = Reader(store, images, "images")
    steps = list(reader.samples_from(reader.start(seed=1)))
    whole = [sample for _, sample in steps]
    assert len(whole) == 17
    assert steps[-1][0] == Position(reader.digest, epoch=1, seed=1)
    for position, _ in steps[:-1]:
        assert [sample for _, sample in reader.samples_from(position)] == whole[position.index :]


def test_a_position_in_other_data_is_refused(store, text, images):
    position = Reader(store, images, "images").start()
    with pytest.raises(ValueError, match="this position is in manifest"):
        next(Reader(store, text).batches_from(position))


@pytest.mark.parametrize(
    "change",
    [{"index": -1}, {"epoch": "0"}, {"worker": 3}, {"seed": None}, {"index": 10**9}],
    ids=["before the start", "text for a number", "a field too many", "no seed", "past the end"],
)
def test_a_position_that_makes_no_sense_is_refused(store, text, change):
    reader = Reader(store, text)
    with pytest.raises(ValueError, match=r"position|negative|past"):
        list(reader.batches_from(Position.from_json(reader.start().as_json() | change)))
