"""Samples that hold any number of files (`0000.png`, `0001.ogg` ...), in every format that has to take them."""

import json
import sqlite3

import pyarrow.parquet as pq
import pytest
import yaml

from benchmarks import snapshots
from manifests.exports import Options, export
from manifests.exports.energon import SAMPLE_LOADER
from manifests.exports.hf import FEATURES
from manifests.exports.source import numbered_extension, open_source
from manifests.store import open_store
from manifests.tar_shards import EXTENSIONS

JOB = "interleave"
TEXTS = ("最初の絵", "the second picture", "")


def document(pictures, sounds):
    """Return a sample whose parts are texts, pictures and sounds by turns; one picture stands twice."""
    key, files, parts = pictures[0][0], {}, []
    for text, (_, fields) in zip(TEXTS, [*pictures, *sounds], strict=False):
        extension = "png" if "png" in fields else "ogg"
        name = f"{len(files):04d}.{extension}"
        files[name] = fields[extension]
        kind = "image" if extension == "png" else "audio"
        parts += [{"kind": "text", "text": text}, {"kind": kind, "member": f"{key}.{name}"}]
    gone = {"kind": "image", "dropped": "obelics_v1/alt_decoration_word_count>0"}
    parts += [parts[1], gone, {"kind": "video", "member": f"{'0' * 32}.mp4"}]
    return key, {**files, "json": json.dumps({"parts": parts}).encode()}


@pytest.fixture(scope="module")
def there(tmp_path_factory):
    """A store with documents of one, two and three files, and one of a text alone; and what was put into it."""
    pictures, sounds = snapshots.pictures(5), snapshots.sounds(2)
    made = [
        document(pictures[:1], ()),
        document(pictures[1:3], sounds[:1]),
        document(pictures[3:4], sounds[1:]),
        (pictures[4][0], {"json": json.dumps({"parts": [{"kind": "text", "text": "文だけ"}]}).encode()}),
    ]
    store = open_store(tmp_path_factory.mktemp("interleaved"))
    snapshots.commit_samples(store, JOB, made)
    return store, dict(made)


@pytest.fixture
def exported(there, tmp_path):
    def make(format_name):
        export(open_source(there[0], JOB), open_store(tmp_path / format_name), format_name, Options(40_000))
        return tmp_path / format_name

    return make


@pytest.mark.parametrize("format_name", ["hf", "croissant"])
def test_numbered_files_are_one_list_for_each_kind_of_media(there, exported, format_name):
    read = {}
    for path in sorted(exported(format_name).glob("data/*.parquet")):
        table = pq.read_table(path)
        features = json.loads(table.schema.metadata[b"huggingface"])["info"]["features"]
        assert features["images"] == {"feature": {"_type": "Image"}, "_type": "Sequence"}
        assert features["audios"]["feature"] == {"_type": "Audio"}
        for row in table.to_pylist():
            files = {each["path"]: each["bytes"] for each in (*row["images"], *row["audios"])}
            own = {name.removeprefix(f"{row['id']}."): content for name, content in files.items()}
            assert [*own] == sorted(own, key=lambda name: (name.endswith("ogg"), name))
            read[row["id"]] = own | {"json": row["json"].encode()}
    assert read == there[1]


def test_energon_finds_interleaved_samples_and_the_code_that_makes_them(there, exported):
    folder = exported("energon")
    described = yaml.safe_load((folder / ".nv-meta/dataset.yaml").read_text())
    assert described["sample_type"]["__class__"] == "InterleavedSample"
    assert (folder / ".nv-meta/sample_loader.py").read_text() == SAMPLE_LOADER
    rows = sqlite3.connect(folder / ".nv-meta/index.sqlite").execute("SELECT part_name FROM sample_parts").fetchall()
    assert {name for (name,) in rows} == {name for fields in there[1].values() for name in fields}


@pytest.mark.parametrize("is_decoded", [False, True])
@pytest.mark.parametrize("prefix", ["", "data/part-00000.tar/"])
def test_the_code_for_energon_gives_texts_and_media_in_their_order(there, is_decoded, prefix):
    """What is gone, and what stands in another tar, is not in the sequence; an empty text is."""
    made = {}  # Energon runs it as well
    exec(compile(SAMPLE_LOADER, "sample_loader.py", "exec"), made)
    for key, fields in there[1].items():
        body = json.loads(fields["json"])
        told = fields | {"json": body if is_decoded else fields["json"], "__key__": prefix + key}
        expected = [
            part["text"] if part["kind"] == "text" else fields[part["member"][33:]]
            for part in body["parts"]
            if part["kind"] == "text" or part.get("member", "")[:32] == key
        ]
        assert made["sample_loader"](told) == {"sequence": expected}
        assert made["part_filter"]("0000.png")


def test_features_beside_sounds_are_bytes(tmp_path):
    store = open_store(tmp_path)
    samples = [(key, {"ogg": fields["ogg"], "npy": b"\x93NUMPY" + key.encode()}) for key, fields in snapshots.sounds(3)]
    snapshots.commit_samples(store, "audio", samples)
    export(open_source(store, "audio"), open_store(tmp_path / "hf"), "hf")
    read = [row for path in (tmp_path / "hf/data").iterdir() for row in pq.read_table(path).to_pylist()]
    assert {row["id"]: (row["ogg"]["bytes"], row["npy"]) for row in read} == {
        key: (fields["ogg"], fields["npy"]) for key, fields in samples
    }


@pytest.mark.parametrize("format_name", ["mds", "litdata", "arrayrecord"])
def test_the_other_formats_name_each_file(there, exported, format_name):
    """Read back by the real clients in `make peers`; here, that every byte is somewhere."""
    whole = b"".join(path.read_bytes() for path in sorted(exported(format_name).iterdir()))
    assert whole
    if format_name != "arrayrecord":  # its chunks are compressed
        assert all(content in whole for fields in there[1].values() for content in fields.values())


def test_a_number_makes_a_file_one_of_several():
    assert [numbered_extension(name) for name in ("0000.jpg", "123456.flac", "jpg", "json", "123.jpg")] == [
        "jpg", "flac", None, None, None
    ]  # fmt: skip
    assert set(FEATURES) | {"json", "txt", "srt", "vtt", "npy"} == EXTENSIONS
