"""Megatron-Energon (7.4): the tars as they are, and beside them what `energon prepare` would write.

`.nv-meta/` holds `dataset.yaml`, `split.yaml`, `.info.json`, `index.sqlite` and `index.uuid`; each tar has a
`.tar.idx`: the first byte of every sample, then the byte after the last. All of it comes from the Parquet index;
no payload is read.
"""

import json
import sqlite3
import struct
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import UUID

from manifests.exports.destination import Destination, scratch_file
from manifests.exports.source import Source, end_of, numbered_extension, sample_bounds
from manifests.tar_shards import Member

ENERGON_VERSION = "7.4.1"
IMAGES = ("jpg", "png", "webp")  # as its decoder takes them
_TABLES = """
CREATE TABLE samples (tar_file_id INTEGER NOT NULL, sample_key TEXT NOT NULL UNIQUE, sample_index INTEGER NOT NULL,
                      byte_offset INTEGER, byte_size INTEGER);
CREATE TABLE sample_parts (tar_file_id INTEGER, sample_index INTEGER, part_name TEXT, content_byte_offset INTEGER,
                           content_byte_size INTEGER);
"""
_INDEXES = """
CREATE INDEX idx_samples_by_tar_and_idx ON samples(tar_file_id, sample_index);
CREATE INDEX idx_sample_parts_seq ON sample_parts(tar_file_id, sample_index, content_byte_offset);
CREATE INDEX idx_sample_parts_full
  ON sample_parts(tar_file_id, sample_index, part_name, content_byte_offset, content_byte_size);
"""
LOADER = "sample_loader.py"  # in .nv-meta: Energon's own way to say how a sample is made
SAMPLE_LOADER = '''"""How Energon makes an InterleavedSample: texts and media in the order of the sample's `json`."""

import json


def part_filter(name):
    return True


def sample_loader(sample):
    body = sample["json"]
    parts = (json.loads(body) if isinstance(body, bytes | str) else body)["parts"]
    own = sample["__key__"].rpartition("/")[2] + "."
    sequence = []
    for part in parts:
        member = (part.get("member") or "").removeprefix(own)
        if part.get("text") is not None:
            sequence.append(part["text"])
        elif member in sample and part["kind"] != "video":
            sequence.append(sample[member])
    return {"sequence": sequence}
'''
_VERSION_FIELDS = slice(92, 100)  # of an SQLite file: which library wrote it last, read by nobody


def export_energon(source: Source, destination: Destination) -> dict[str, Any]:
    """Place the tars, write their `.tar.idx` and `.nv-meta/`, and return the settings that follow.

    Samples of an image and a text are CaptioningSample, those with numbered files InterleavedSample, all others are
    crude: a cooker of the trainer's makes them.

    Raises ValueError where the samples lie in no tars.
    """
    if not source.has_tars:
        raise ValueError(f"kind {source.kind!r} has no tar shards, which Energon reads; choose another format")
    counts: dict[str, int] = {}
    with scratch_file(destination, "index.sqlite") as path:
        with closing(sqlite3.connect(path)) as database:
            database.executescript(_TABLES)
            for shard in source.shards:
                if shard.records:  # Energon refuses an empty shard
                    name, members = destination.place(source, shard), source.members(shard)
                    destination.put(f"{name.removesuffix('.tar')}.tar.idx", tar_index(members))
                    _insert(database, len(counts), members)
                    counts[name] = shard.records
            database.executescript(_INDEXES)
            database.commit()
        _drop_version(path)
        destination.put_file(".nv-meta/index.sqlite", path)
    _write_text(destination, ".info.json", {"energon_version": ENERGON_VERSION, "shard_counts": counts})
    parts = {"train": list(counts), "val": [], "test": []}
    _write_text(destination, "split.yaml", {"split_parts": parts, "exclude": []})
    described = dataset_yaml(source.fields)
    _write_text(destination, "dataset.yaml", described)
    if "sample_loader" in described:
        destination.put(f".nv-meta/{LOADER}", SAMPLE_LOADER.encode())
    destination.put(".nv-meta/index.uuid", str(UUID(source.digest[:32])).encode())
    return described


def dataset_yaml(fields: dict[str, bool]) -> dict[str, Any]:
    """Return how Energon is to read samples with these fields (field -> whether every sample has it)."""
    images = [field for field in IMAGES if field in fields]
    all_have_one = len(images) == 1 and fields[images[0]]
    if all_have_one and fields.get("txt") and set(fields) <= {*images, "txt", "json"}:
        kind = {"__module__": "megatron.energon", "__class__": "CaptioningSample"}
        return {"sample_type": kind, "field_map": {"image": images[0], "caption": "txt"}}
    if fields.get("json") and any(numbered_extension(field) for field in fields):
        kind = {"__module__": "megatron.energon", "__class__": "InterleavedSample"}
        return {"sample_type": kind} | {name: f"{LOADER}:{name}" for name in ("sample_loader", "part_filter")}
    return {"__module__": "megatron.energon", "__class__": "CrudeWebdataset"}


def _write_text(destination: Destination, name: str, value: Any) -> None:
    """Write JSON, which YAML is a superset of."""
    destination.put(f".nv-meta/{name}", json.dumps(value, indent=2).encode())


def tar_index(members: list[Member]) -> bytes:
    """Return a `.tar.idx`: the first byte of every sample, then the byte after the last; 64 bits, little-endian."""
    offsets = [start for _, start, _ in sample_bounds(members)] + [end_of(members)]
    return struct.pack(f"<{len(offsets)}Q", *offsets)


def _insert(database: sqlite3.Connection, number: int, members: list[Member]) -> None:
    bounds = sample_bounds(members)
    index = {key: place for place, (key, _, _) in enumerate(bounds)}
    samples = [(number, key, index[key], start, size) for key, start, size in bounds]
    parts = [(number, index[member.key], member.extension, member.offset, member.bytes) for member in members]
    database.executemany("INSERT INTO samples VALUES (?, ?, ?, ?, ?)", samples)
    database.executemany("INSERT INTO sample_parts VALUES (?, ?, ?, ?, ?)", parts)
    database.commit()


def _drop_version(path: Path) -> None:
    """Take SQLite's own version out of the file's header, so that one input gives one file everywhere."""
    with path.open("r+b") as file:
        file.seek(_VERSION_FIELDS.start)
        file.write(bytes(_VERSION_FIELDS.stop - _VERSION_FIELDS.start))
