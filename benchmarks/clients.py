"""Run by a peer's own Python: reads an export with the real client and prints what it saw.

    python clients.py CLIENT FOLDER      prints {"id": {"field": sha256 of the content, ...}, ...}

Nothing of corpusmill is imported here. A picture that a client hands out decoded is named `png/pixels`, with the
sha256 of mode, size and pixels. `twin-*` clients write FOLDER/samples.json anew with the peer's own writer.
"""

import hashlib
import io
import json
import sys
from itertools import pairwise
from pathlib import Path

Seen = dict[str, dict[str, str]]


def sha(content) -> str:
    """Return the sha256 of bytes, text, or a JSON value in the one form that corpusmill writes it."""
    if isinstance(content, str):
        content = content.encode()
    elif not isinstance(content, bytes | bytearray | memoryview):
        content = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    return hashlib.sha256(content).hexdigest()


def pixels(image) -> str:
    """Return the sha256 of a PIL picture's mode, size and pixels."""
    return sha(f"{image.mode} {image.size} ".encode() + image.tobytes())


def tars(folder: Path) -> list[str]:
    return [str(path) for path in sorted(folder.glob("data/*.tar"))]


def of_present(sample, skip: set[str]) -> dict[str, str]:
    """Return the fields that `fields` names."""
    present = sample["fields"].split(",")
    assert set(present) <= set(sample) - skip
    return {name: sha(sample[name]) for name in present}


def read_webdataset(folder: Path) -> Seen:
    """webdataset, raw bytes."""
    import webdataset

    found = webdataset.WebDataset(tars(folder), shardshuffle=False)
    return {s["__key__"]: {name: sha(v) for name, v in s.items() if not name.startswith("__")} for s in found}


def read_webdataset_decoded(folder: Path) -> Seen:
    """webdataset with pictures decoded by PIL and JSON parsed."""
    import webdataset

    found = webdataset.WebDataset(tars(folder), shardshuffle=False).decode("pil")
    return {s["__key__"]: {"json": sha(s["json"]), "txt": sha(s["txt"]), "png/rgb": pixels(s["png"])} for s in found}


def read_hf(folder: Path) -> Seen:
    """datasets.load_dataset of the folder, media not decoded, and the first picture decoded."""
    import datasets

    found = datasets.load_dataset(str(folder), split="train")
    for name, feature in found.features.items():
        inner = getattr(feature, "feature", None)
        if hasattr(feature, "decode"):
            found = found.cast_column(name, type(feature)(decode=False))
        elif hasattr(inner, "decode"):
            found = found.cast_column(name, type(feature)(type(inner)(decode=False)))
    seen: Seen = {}
    for row in found:
        lists = [each for value in row.values() if isinstance(value, list) for each in value]
        fields = {each["path"].partition(".")[2]: each["bytes"] for each in lists}
        plain = {name: value for name, value in row.items() if not isinstance(value, list)}
        fields |= {name: value["bytes"] if isinstance(value, dict) else value for name, value in plain.items()}
        seen[row["id"]] = {name: sha(value) for name, value in fields.items() if name != "id" and value is not None}
    return seen


def read_hf_decoded(folder: Path) -> Seen:
    """datasets.load_dataset with its own decoding of pictures."""
    import datasets

    found = datasets.load_dataset(str(folder), split="train")
    return {row["id"]: {"png/pixels": pixels(row["png"]), "txt": sha(row["txt"])} for row in found}


def read_hf_documents(folder: Path) -> Seen:
    """datasets.load_dataset of documents: text and URI."""
    import datasets

    found = datasets.load_dataset(str(folder), split="train")
    return {row["id"]: {"txt": sha(row["text"]), "uri": sha(row["uri"])} for row in found}


def read_hf_tars(folder: Path) -> Seen:
    """datasets.load_dataset("webdataset") of the very tars."""
    import datasets

    found = datasets.load_dataset("webdataset", data_files=tars(folder), split="train")
    found = found.cast_column("png", datasets.Image(decode=False))
    return {
        row["__key__"]: {"png": sha(row["png"]["bytes"]), "txt": sha(row["txt"]), "json": sha(row["json"])}
        for row in found
    }


def read_croissant(folder: Path) -> Seen:
    """mlcroissant: pictures come decoded, sound and film as bytes, items of lists by their number."""
    import mlcroissant
    from PIL import Image

    data = mlcroissant.Dataset(str(folder / "croissant.json"))
    seen: Seen = {}
    for record in data.records("samples"):
        fields = {name.partition("/")[2]: value for name, value in record.items() if value is not None}
        lists = {name: value for name, value in fields.items() if isinstance(value, list)}
        fields |= {f"{name}/{n}": each for name, some in lists.items() for n, each in enumerate(some)}
        fields = {name: value for name, value in fields.items() if isinstance(value, bytes | Image.Image)}
        key = fields.pop("id").decode()
        seen[key] = {
            f"{name}/pixels" if isinstance(value, Image.Image) else name: (
                pixels(value) if isinstance(value, Image.Image) else sha(value)
            )
            for name, value in fields.items()
        }
    return seen


def read_mds(folder: Path) -> Seen:
    """mosaicml-streaming, with the shards' sha256 checked by it."""
    from streaming import StreamingDataset

    found = StreamingDataset(local=str(folder), shuffle=False, batch_size=1, validate_hash="sha256")
    return {s["id"]: of_present(s, {"id", "fields"}) for s in (found[n] for n in range(len(found)))}


def read_mds_decoded(folder: Path) -> Seen:
    """mosaicml-streaming with the encoding `png`: it decodes the picture."""
    from streaming import StreamingDataset

    found = StreamingDataset(local=str(folder), shuffle=False, batch_size=1)
    return {
        s["id"]: {"png/pixels": pixels(s["png"]), "txt": sha(s["txt"])} for s in (found[n] for n in range(len(found)))
    }


def read_litdata(folder: Path) -> Seen:
    """litdata, iterated through its own loader."""
    import litdata

    found = litdata.StreamingDataset(str(folder), shuffle=False)
    seen = {s["id"]: of_present(s, {"id", "fields"}) for s in found}
    assert len(seen) == len(found)
    return seen


def read_grain(folder: Path) -> Seen:
    """grain's ArrayRecord source, the Example parsed by protobuf."""
    from grain.sources import ArrayRecordDataSource

    example = example_class()
    found = ArrayRecordDataSource([str(path) for path in sorted(folder.glob("*.array_record"))])
    seen: Seen = {}
    for number in range(len(found)):
        features = example.FromString(found[number]).features.feature
        fields = {name: value.bytes_list.value[0] for name, value in features.items()}
        key = fields.pop("id").decode()
        seen[key] = {name: sha(value) for name, value in fields.items()}
    return seen


def example_class():
    """Return tf.train.Example as protobuf makes it from its own description."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    file = descriptor_pb2.FileDescriptorProto(name="example.proto", package="tensorflow", syntax="proto3")

    def message(name: str, *fields: tuple[str, int, int, str], parent=None):
        made = (parent.nested_type if parent else file.message_type).add(name=name)
        for field, kind, label, type_name in fields:
            number = len(made.field) + 1
            made.field.add(name=field, number=number, type=kind, label=label, type_name=type_name or None)
        return made

    text, blob, sub, one, many = 9, 12, 11, 1, 3
    message("BytesList", ("value", blob, many, ""))
    message("Feature", ("bytes_list", sub, one, ".tensorflow.BytesList"))
    features = message("Features", ("feature", sub, many, ".tensorflow.Features.FeatureEntry"))
    entry = message("FeatureEntry", ("key", text, one, ""), ("value", sub, one, ".tensorflow.Feature"), parent=features)
    entry.options.map_entry = True
    message("Example", ("features", sub, one, ".tensorflow.Features"))
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("tensorflow.Example"))


def energon_samples(folder: Path, decoder):
    """Yield the samples of Energon's loader, each once."""
    from megatron.energon import Cooker, DefaultTaskEncoder, WorkerConfig, get_loader, get_val_dataset, stateless

    @stateless
    def cook(sample):
        return sample

    class Raw(DefaultTaskEncoder):
        cookers = (Cooker(cook),)

        def batch(self, samples):
            return samples

        def encode_batch(self, batch):
            return batch

    Raw.decoder = decoder
    alone = WorkerConfig(rank=0, world_size=1, num_workers=0)
    found = get_val_dataset(str(folder), split_part="train", worker_config=alone, batch_size=1, task_encoder=Raw())
    for batch in get_loader(found):
        yield from batch


def read_energon(folder: Path) -> Seen:
    """megatron-energon's crude samples, fields as bytes."""
    return {
        s["__key__"]: {name: sha(v) for name, v in s.items() if not name.startswith("__")}
        for s in energon_samples(folder, None)
    }


def read_energon_captions(folder: Path) -> Seen:
    """megatron-energon's CaptioningSample, not decoded."""
    return {s.__key__: {"png": sha(s.image), "txt": sha(s.caption)} for s in energon_samples(folder, None)}


def read_energon_decoded(folder: Path) -> Seen:
    """megatron-energon's CaptioningSample with pictures decoded to RGB tensors by it."""
    from megatron.energon import SampleDecoder
    from PIL import Image

    def picture(tensor):
        return Image.fromarray((tensor * 255).round().byte().permute(1, 2, 0).numpy())

    return {
        s.__key__: {"png/rgb": pixels(picture(s.image)), "txt": sha(s.caption)}
        for s in energon_samples(folder, SampleDecoder())
    }


def read_energon_sequence(folder: Path) -> Seen:
    """megatron-energon's InterleavedSample, not decoded: texts and files by their place in the sequence."""
    return {
        s.__key__: {str(place): sha(each) for place, each in enumerate(s.sequence)}
        for s in energon_samples(folder, None)
    }


def read_energon_sequence_decoded(folder: Path) -> Seen:
    """megatron-energon's InterleavedSample with pictures decoded to RGB tensors by it; sounds are left out."""
    import torch
    from megatron.energon import SampleDecoder
    from PIL import Image

    def seen_of(each):
        if isinstance(each, str):
            return sha(each)
        return pixels(Image.fromarray((each * 255).round().byte().permute(1, 2, 0).numpy()))

    return {
        s.__key__: {
            str(place): seen_of(each) for place, each in enumerate(s.sequence) if isinstance(each, str | torch.Tensor)
        }
        for s in energon_samples(folder, SampleDecoder())
    }


def read_megatron(folder: Path) -> Seen:
    """megatron-core's IndexedDataset, memory-mapped and not: each document's tokens, the lengths of its sequences."""
    import numpy
    from megatron.core.datasets.indexed_dataset import IndexedDataset

    seen: Seen = {}
    for prefix in token_prefixes(folder):
        for mapped in (True, False):
            found = IndexedDataset(str(folder / prefix), mmap=mapped)
            bounds = found.document_indices.tolist()
            for number, (first, last) in enumerate(pairwise(bounds)):
                rows = [numpy.asarray(found[n], numpy.int64) for n in range(first, last)]
                fields = {
                    "tokens": sha(numpy.concatenate(rows).tobytes()),
                    "lengths": sha(json.dumps([len(row) for row in rows])),
                }
                assert seen.setdefault(f"{prefix}#{number}", fields) == fields
    return seen


def token_prefixes(folder: Path) -> list[str]:
    """Return the pairs of files below a store, those of masks left out."""
    found = (path.with_suffix("").relative_to(folder).as_posix() for path in folder.glob("tokens/data/**/*.idx"))
    return sorted(prefix for prefix in found if not prefix.endswith(".mask"))


def twin_megatron(folder: Path) -> Seen:
    """megatron-core's IndexedDatasetBuilder over the documents that its reader finds: the files' sha256."""
    import numpy
    import torch
    from megatron.core.datasets.indexed_dataset import IndexedDataset, IndexedDatasetBuilder

    ours, theirs = {}, {}
    for prefix in token_prefixes(folder):
        found, out = IndexedDataset(str(folder / prefix)), folder / "twin"
        builder = IndexedDatasetBuilder(str(out) + ".bin", dtype=found.index.dtype)
        bounds = found.document_indices.tolist()
        for first, last in pairwise(bounds):
            rows = [numpy.asarray(found[n]) for n in range(first, last)]
            whole = numpy.concatenate(rows).astype(numpy.int64)
            builder.add_document(torch.from_numpy(whole), [len(row) for row in rows])
        builder.finalize(str(out) + ".idx")
        for suffix in (".bin", ".idx"):
            ours[prefix + suffix] = sha((folder / (prefix + suffix)).read_bytes())
            theirs[prefix + suffix] = sha(Path(str(out) + suffix).read_bytes())
    return {"ours": ours, "theirs": theirs}


def twin_energon(folder: Path) -> Seen:
    """`energon prepare` over the same tars: what it writes, file by file, with SQLite tables as rows."""
    import sqlite3

    from megatron.energon.flavors.webdataset.prepare import WebdatasetPreparator

    names = [str(path.relative_to(folder)) for path in sorted(folder.glob("data/*.tar"))]
    before = energon_files(folder, sqlite3)
    for path in [*folder.glob("data/*.idx"), *(folder / ".nv-meta").iterdir()]:
        path.unlink()
    ratio = [("train", 1.0), ("val", 0.0), ("test", 0.0)]
    WebdatasetPreparator.prepare_dataset(folder, names, split_parts_ratio=ratio, workers=1, shuffle_seed=None)
    return {"ours": before, "theirs": energon_files(folder, sqlite3)}


def energon_files(folder: Path, sqlite3) -> dict[str, str]:
    """Return the sha256 of everything that Energon's index says."""
    import braceexpand
    import yaml

    seen = {path.name: sha(path.read_bytes()) for path in sorted(folder.glob("data/*.idx"))}
    database = sqlite3.connect(folder / ".nv-meta/index.sqlite")
    for table in ("samples", "sample_parts"):
        seen[table] = sha(database.execute(f"SELECT * FROM {table} ORDER BY 1, 2, 3, 4, 5").fetchall())
    seen["indexes"] = sha(sorted(database.execute("SELECT name, tbl_name FROM sqlite_master").fetchall()))
    columns = [database.execute(f"PRAGMA table_info({table})").fetchall() for table in ("samples", "sample_parts")]
    seen["columns"] = sha(columns)
    seen[".info.json"] = sha(json.loads((folder / ".nv-meta/.info.json").read_text()))
    parts = yaml.safe_load((folder / ".nv-meta/split.yaml").read_text())
    whole = {
        part: [name for item in names for name in braceexpand.braceexpand(item)]
        for part, names in parts["split_parts"].items()
    }
    seen["split.yaml"] = sha([whole, parts["exclude"]])
    return seen


def _samples(folder: Path) -> list[dict[str, bytes]]:
    """Return what the caller put into samples.json: fields in latin-1, so that JSON holds bytes."""
    stated = json.loads((folder / "samples.json").read_text())
    return [{name: value.encode("latin-1") for name, value in sample.items()} for sample in stated]


def _values(sample: dict[str, bytes], texts: set[str]) -> dict[str, object]:
    return {name: value.decode() if name in texts else value for name, value in sample.items()}


def twin_mds(folder: Path) -> Seen:
    """MDSWriter over the same samples: the files' sha256."""
    from streaming import MDSWriter

    index = json.loads((folder / "index.json").read_text())["shards"][0]
    columns = dict(zip(index["column_names"], index["column_encodings"], strict=True))
    out = folder / "twin"
    texts = {name for name, encoding in columns.items() if encoding == "str"}
    with MDSWriter(out=str(out), columns=columns, hashes=["sha256"], size_limit=index["size_limit"]) as writer:
        for sample in _samples(folder):
            writer.write(_values(sample, texts))
    return _twins(folder, out, "*.mds")


def twin_litdata(folder: Path) -> Seen:
    """litdata's own writer over the same samples: the files' sha256."""
    from litdata.streaming.writer import BinaryWriter

    config = json.loads((folder / "index.json").read_text())["config"]
    names = json.loads(json.loads(config["data_spec"])[1]["context"])
    texts = {name for name, kind in zip(names, config["data_format"], strict=True) if kind == "str"}
    out = folder / "twin"
    out.mkdir()
    writer = BinaryWriter(str(out), chunk_bytes=config["chunk_bytes"])
    for number, sample in enumerate(_samples(folder)):
        writer[number] = dict(sorted(_values(sample, texts).items()))
    writer.done()
    writer.merge()
    return _twins(folder, out, "*.bin")


def _twins(folder: Path, out: Path, pattern: str) -> Seen:
    """Return the sha256 of the files of both, and of their indexes without clocks."""

    def both(where: Path) -> dict[str, str]:
        index = json.loads((where / "index.json").read_text())
        index.pop("updated_at", None)
        return {"index.json": sha(index), **{path.name: sha(path.read_bytes()) for path in where.glob(pattern)}}

    return {"ours": both(folder), "theirs": both(out)}


CLIENTS = {
    name.replace("_", "-"): function
    for name, function in {
        "webdataset": read_webdataset,
        "webdataset_decoded": read_webdataset_decoded,
        "hf": read_hf,
        "hf_decoded": read_hf_decoded,
        "hf_documents": read_hf_documents,
        "hf_tars": read_hf_tars,
        "croissant": read_croissant,
        "mds": read_mds,
        "mds_decoded": read_mds_decoded,
        "litdata": read_litdata,
        "grain": read_grain,
        "energon": read_energon,
        "energon_captions": read_energon_captions,
        "energon_decoded": read_energon_decoded,
        "energon_sequence": read_energon_sequence,
        "energon_sequence_decoded": read_energon_sequence_decoded,
        "megatron": read_megatron,
        "twin_energon": twin_energon,
        "twin_megatron": twin_megatron,
        "twin_mds": twin_mds,
        "twin_litdata": twin_litdata,
    }.items()
}


def main() -> None:
    """Print what the client saw as the last line."""
    client, folder = sys.argv[1:]
    told = io.StringIO()
    stdout, sys.stdout = sys.stdout, told  # what clients print is not the answer
    seen = CLIENTS[client](Path(folder))
    sys.stdout = stdout
    print(json.dumps(seen))


if __name__ == "__main__":
    main()
