"""Every export holds what was committed, read by parsers that share no code with the writers."""

import hashlib
import io
import json
import sqlite3
import struct
import tarfile
from itertools import pairwise

import pyarrow.parquet as pq
import pytest
import webdataset
import yaml
from array_record.python.array_record_module import ArrayRecordReader
from export_world import World, files, world
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from hypothesis import given
from hypothesis import strategies as st

from benchmarks import snapshots
from manifests.exports import FORMATS, Options, export
from manifests.exports.arrayrecord import encode_example
from manifests.exports.energon import dataset_yaml
from manifests.exports.packing import MAX_FILE_BYTES, cut
from manifests.exports.source import open_source
from manifests.reader import ManifestError
from manifests.store import open_store

SMALL = Options(shard_bytes=40_000)
JOBS = ("images", "media", "text")


@pytest.fixture(scope="module")
def there(tmp_path_factory) -> World:
    return world(tmp_path_factory.mktemp("exports"))


@pytest.fixture
def exported(there, tmp_path):
    """Give `exported(job, format)`: the folder of an export in small files."""

    def make(job, format_name, options=SMALL):
        folder = tmp_path / f"{job}-{format_name}"
        export(there.source(job), open_store(folder), format_name, options)
        return folder

    return make


def slices(data, count_at=0):
    """Return the pieces that a table of 32-bit offsets cuts a file into."""
    (count,) = struct.unpack_from("<I", data, count_at)
    offsets = struct.unpack_from(f"<{count + 1}I", data, count_at + 4)
    assert offsets[-1] == len(data)
    return [data[a:b] for a, b in pairwise(offsets)]


def columns(piece, names):
    """Return the values of one sample: lengths, then bytes."""
    sizes = struct.unpack_from(f"<{len(names)}I", piece)
    values, at = {}, 4 * len(names)
    for name, size in zip(names, sizes, strict=True):
        values[name] = piece[at : at + size]
        at += size
    assert at == len(piece)
    return values


def present(values):
    """Return (key, the fields that the sample really has)."""
    fields = values["fields"].decode().split(",")
    for name in set(values) - {"id", "fields", *fields}:
        assert values[name] in (b"", b"null")
    return values["id"].decode(), {name: values[name] for name in fields}


@pytest.mark.parametrize("job", JOBS)
def test_mds_holds_the_samples_in_shards_that_its_index_describes(there, exported, job):
    folder, read = exported(job, "mds"), []
    index = json.loads((folder / "index.json").read_text())
    assert index["version"] == 2
    for shard in index["shards"]:
        data = (folder / shard["raw_data"]["basename"]).read_bytes()
        assert shard["raw_data"]["bytes"] == len(data) <= shard["size_limit"] or shard["samples"] == 1
        assert shard["raw_data"]["hashes"] == {"sha256": hashlib.sha256(data).hexdigest()}
        assert shard["column_names"] == sorted(shard["column_names"])
        pieces = slices(data)
        assert shard["samples"] == len(pieces)
        read += [present(columns(piece, shard["column_names"])) for piece in pieces]
    assert read == there.in_order(job)
    assert len(index["shards"]) > 1


def test_mds_says_its_columns_in_every_shard_as_in_the_index(exported):
    folder = exported("media", "mds")
    shard = json.loads((folder / "index.json").read_text())["shards"][0]
    data = (folder / shard["raw_data"]["basename"]).read_bytes()
    (first,) = struct.unpack_from("<I", data, 4)
    config = json.loads(data[4 + 4 * (shard["samples"] + 1) : first])
    assert config == {name: shard[name] for name in config}
    encodings = dict(zip(shard["column_names"], shard["column_encodings"], strict=True))
    assert encodings["json"] == "json"
    assert encodings["ogg"] == encodings["png"] == encodings["mp4"] == "bytes"


@pytest.mark.parametrize("job", JOBS)
def test_litdata_holds_the_samples_in_chunks_that_its_index_describes(there, exported, job):
    folder, read = exported(job, "litdata"), []
    index = json.loads((folder / "index.json").read_text())
    names = json.loads(json.loads(index["config"]["data_spec"])[1]["context"])
    assert len(names) == len(index["config"]["data_format"])
    for chunk in index["chunks"]:
        data = (folder / chunk["filename"]).read_bytes()
        pieces = slices(data)
        assert (chunk["chunk_bytes"], chunk["chunk_size"]) == (len(data), len(pieces))
        read += [present(columns(piece, names)) for piece in pieces]
    assert read == there.in_order(job)


def walked(path):
    """Return (name, offset of header, offset of content, bytes) of each member, by the standard library."""
    with tarfile.open(path) as archive:
        return [(member.name, member.offset, member.offset_data, member.size) for member in archive]


@pytest.mark.parametrize("job", ["images", "media"])
def test_energons_index_says_where_the_standard_library_finds_each_member(there, exported, job):
    folder = exported(job, "energon")
    info = json.loads((folder / ".nv-meta/.info.json").read_text())["shard_counts"]
    database = sqlite3.connect(folder / ".nv-meta/index.sqlite")
    assert sum(info.values()) == len(there.samples[job])
    for number, (name, count) in enumerate(info.items()):
        members = walked(folder / name)
        keys = list(dict.fromkeys(member[0].split(".")[0] for member in members))
        starts = [next(m[1] for m in members if m[0].startswith(key)) for key in keys]
        *offsets, end = struct.unpack(f"<{count + 1}Q", (folder / name.replace(".tar", ".tar.idx")).read_bytes())
        assert offsets == starts
        assert (folder / name).stat().st_size == end + 1024
        wanted = "SELECT sample_key, byte_offset FROM samples WHERE tar_file_id = ? ORDER BY sample_index"
        assert database.execute(wanted, (number,)).fetchall() == list(zip(keys, starts, strict=True))
        parts = database.execute(
            "SELECT sample_key || '.' || part_name, content_byte_offset, content_byte_size FROM sample_parts "
            "JOIN samples USING (tar_file_id, sample_index) WHERE tar_file_id = ? ORDER BY content_byte_offset",
            (number,),
        ).fetchall()
        assert parts == [(member, at, size) for member, _, at, size in members]


def test_energon_finds_a_dataset_of_captions_or_of_crude_samples(exported):
    def described(job):
        return yaml.safe_load((exported(job, "energon") / ".nv-meta/dataset.yaml").read_text())

    assert described("images")["field_map"] == {"image": "png", "caption": "txt"}
    assert described("media") == {"__module__": "megatron.energon", "__class__": "CrudeWebdataset"}


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        pytest.param({"jpg": True, "txt": True}, "CaptioningSample", id="a picture and a text each"),
        pytest.param({"jpg": True, "txt": False}, "CrudeWebdataset", id="some have no text"),
        pytest.param({"jpg": False, "png": False, "txt": True}, "CrudeWebdataset", id="two kinds of pictures"),
        pytest.param({"jpg": True, "txt": True, "flac": True}, "CrudeWebdataset", id="sound besides"),
    ],
)
def test_samples_are_captions_only_where_all_are(fields, name):
    described = dataset_yaml(fields)
    assert described.get("sample_type", described)["__class__"] == name


def test_webdataset_reads_the_tars_of_the_energon_export(there, exported):
    urls = [str(path) for path in sorted(exported("media", "energon").glob("data/*.tar"))]
    read = {
        sample["__key__"]: {name: value for name, value in sample.items() if not name.startswith("__")}
        for sample in webdataset.WebDataset(urls, shardshuffle=False)
    }
    assert read == there.samples["media"]


@pytest.mark.parametrize("job", ["images", "media"])
@pytest.mark.parametrize("format_name", ["hf", "croissant"])
def test_typed_parquet_holds_the_samples(there, exported, job, format_name):
    read = {}
    for path in sorted(exported(job, format_name).glob("data/*.parquet")):
        table = pq.read_table(path)
        features = json.loads(table.schema.metadata[b"huggingface"])["info"]["features"]
        assert list(features) == table.column_names
        for row in table.to_pylist():
            key = row.pop("id")
            assert all(value["path"] == f"{key}.{name}" for name, value in row.items() if isinstance(value, dict))
            read[key] = {
                name: value["bytes"] if isinstance(value, dict) else value.encode()
                for name, value in row.items()
                if value is not None
            }
    assert read == there.samples[job]


def test_documents_in_parquet_keep_their_columns_with_hex_for_digests(there, exported):
    rows = [
        row for path in sorted(exported("text", "hf").glob("data/*.parquet")) for row in pq.read_table(path).to_pylist()
    ]
    assert [row["id"] for row in rows] == [key for key, _ in there.in_order("text")]
    for row in rows:
        sample = there.samples["text"][row["id"]]
        about = json.loads(sample["json"])
        assert row["text"].encode() == sample["txt"]
        assert (row["digest"], row["uri"], row["parts"]) == (about["digest"], about["uri"], about["parts"])


@pytest.mark.parametrize(
    ("job", "format_name"),
    [(job, name) for job in ("media", "text") for name in FORMATS if (job, name) != ("text", "energon")],
)
def test_a_shard_without_records_is_no_obstacle(tmp_path, job, format_name):
    """One record, so two of three shards hold none."""
    store = open_store(tmp_path / "store")
    snapshots.commit_documents(store, snapshots.documents(1))
    snapshots.commit_samples(store, "media", snapshots.pictures(1))
    record = export(open_source(store, job), open_store(tmp_path / "out"), format_name, SMALL)
    assert record["records"] == sum(file["records"] for file in record["files"]) == 1


def test_a_croissant_names_every_file_with_its_sha256_and_every_field(there, exported):
    folder = exported("media", "croissant")
    described = json.loads((folder / "croissant.json").read_text())
    assert described["conformsTo"] == "http://mlcommons.org/croissant/1.1"
    objects = [item for item in described["distribution"] if item["@type"] == "cr:FileObject"]
    found = files(folder)
    assert {item["contentUrl"]: item["sha256"] for item in objects} == {
        name: digest for name, digest in found.items() if name.endswith(".parquet")
    }
    types = {field["name"]: field["dataType"] for field in described["recordSet"][0]["field"]}
    assert types == {
        "id": "sc:Text",
        "json": "sc:Text",
        "txt": "sc:Text",
        "ogg": "sc:AudioObject",
        "png": "sc:ImageObject",
        "mp4": "sc:VideoObject",
    }


@pytest.mark.parametrize("job", JOBS)
def test_array_records_are_examples_of_the_samples(there, exported, job):
    read = []
    for path in sorted(exported(job, "arrayrecord").glob("*.array_record")):
        reader = ArrayRecordReader(str(path))
        read += [parsed(record) for record in reader.read(0, reader.num_records())] if reader.num_records() else []
    assert [(fields.pop("id").decode(), fields) for fields in read] == there.in_order(job)


def example_class():
    """Return a message with the fields of tf.train.Example, made by protobuf."""
    file = descriptor_pb2.FileDescriptorProto(name="e.proto", package="t", syntax="proto3")
    values = file.message_type.add(name="Values")
    values.field.add(name="value", number=1, type=12, label=3)
    feature = file.message_type.add(name="Feature")
    feature.field.add(name="bytes_list", number=1, type=11, label=1, type_name=".t.Values")
    features = file.message_type.add(name="Features")
    entry = features.nested_type.add(name="FeatureEntry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, type=9, label=1)
    entry.field.add(name="value", number=2, type=11, label=1, type_name=".t.Feature")
    features.field.add(name="feature", number=1, type=11, label=3, type_name=".t.Features.FeatureEntry")
    example = file.message_type.add(name="Example")
    example.field.add(name="features", number=1, type=11, label=1, type_name=".t.Features")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("t.Example"))


EXAMPLE = example_class()


def parsed(record):
    features = EXAMPLE.FromString(bytes(record)).features.feature
    return {name: feature.bytes_list.value[0] for name, feature in features.items()}


@given(st.dictionaries(st.text(max_size=200), st.binary(max_size=300)))
def test_protobuf_reads_every_example_back(features):
    assert parsed(encode_example(features)) == features


@given(st.lists(st.binary(max_size=40)), st.integers(1, 100))
def test_cutting_loses_nothing_and_keeps_to_the_limit(pieces, limit):
    runs = list(cut(((str(n), piece) for n, piece in enumerate(pieces)), limit))
    assert [piece for run in runs for piece in run] == pieces
    assert all(len(run) == 1 or sum(len(piece) + 4 for piece in run) <= limit for run in runs)


class Huge(bytes):
    """No bytes that say that they are many."""

    def __len__(self):
        return MAX_FILE_BYTES


def test_a_sample_past_32_bits_is_refused_by_name():
    with pytest.raises(ValueError, match="sample abc: 4294967295 bytes"):
        list(cut([("abc", Huge())], 1 << 20))


@pytest.mark.parametrize("format_name", FORMATS)
def test_the_same_snapshot_is_the_same_files(there, tmp_path, format_name):
    source = there.source("images")
    records = [export(source, open_store(tmp_path / name), format_name, SMALL) for name in ("one", "two")]
    assert records[0] == records[1]
    found = files(tmp_path / "one")
    assert found == files(tmp_path / "two")
    assert {file["name"]: file["sha256"] for file in records[0]["files"]} == {
        name: digest for name, digest in found.items() if name != "export.json"
    }
    assert records[0]["records"] == len(there.samples["images"])
    assert json.loads((tmp_path / "one/export.json").read_text()) == records[0]


@pytest.mark.parametrize(
    ("encodings", "message"),
    [
        pytest.param({"jpg": "jpeg"}, "the fields are json, mp4", id="a field that is not there"),
        pytest.param({"png": "pkl"}, "choose one of", id="an encoding that runs code"),
        pytest.param({"png": "png"}, "some samples have no png", id="a picture that some samples lack"),
    ],
)
def test_mds_refuses_an_encoding(there, tmp_path, encodings, message):
    with pytest.raises(ValueError, match=message):
        export(there.source("media"), open_store(tmp_path / "out"), "mds", Options(encodings=encodings))
    assert not (tmp_path / "out/export.json").exists()


def test_energon_has_no_documents_to_read(there, tmp_path):
    with pytest.raises(ValueError, match="no tar shards"):
        export(there.source("text"), open_store(tmp_path), "energon")


def test_a_kind_that_is_not_there_is_named_with_those_that_are(there):
    with pytest.raises(ManifestError, match="kinds here: images"):
        open_source(there.store, "images", kind="index")


def test_an_unknown_format_is_refused(there, tmp_path):
    with pytest.raises(ValueError, match="none of arrayrecord"):
        export(there.source("text"), open_store(tmp_path), "tfrecord")


def test_a_first_sample_can_be_read_without_any_client(exported):
    """Four lines with the standard library alone: the layout is what the docstring says."""
    data = (exported("images", "litdata") / "chunk-0-0.bin").read_bytes()
    start = struct.unpack_from("<I", data, 4)[0]
    sizes = struct.unpack_from("<5I", data, start)  # fields, id, json, png, txt
    png = data[start + 20 + sum(sizes[:3]) :][: sizes[3]]
    assert io.BytesIO(png).read(8) == b"\x89PNG\r\n\x1a\n"
