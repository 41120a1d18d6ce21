"""Grain's ArrayRecord: one file a shard, one `tf.train.Example` a record, written by the package `array-record`.

Features are lists of one bytes value: `id` (32 hex digits) and every field that the sample has. The Example is
encoded here: a few lines of protobuf's wire format, features by name, so that the bytes follow from the sample.
"""

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from manifests.exports.destination import Destination, scratch_file
from manifests.exports.source import Source

OPTIONS = "group_size:1,zstd:3"  # a record a chunk: any record costs one read
KEY = "id"


def export_arrayrecord(source: Source, destination: Destination) -> dict[str, Any]:
    """Write the samples as ArrayRecord files and return the settings that the bytes follow from.

    Raises RuntimeError that says what to install where `array-record` is missing.
    """
    writer = _writer()
    for number, shard in enumerate(source.shards):
        name = f"part-{number:05d}-of-{len(source.shards):05d}.array_record"
        with scratch_file(destination, name) as path:
            file = writer(str(path), OPTIONS)
            for key, fields in source.samples_of(shard):
                file.write(encode_example({KEY: key.encode(), **fields}))
            file.close()
            destination.put_file(name, path, shard.records)
    return {"options": OPTIONS}


def encode_example(features: Mapping[str, bytes]) -> bytes:
    """Return a serialized `tf.train.Example` with one bytes value for each name, by name."""
    entries = b"".join(
        _field(1, _field(1, name.encode()) + _field(2, _field(1, _field(1, value))))
        for name, value in sorted(features.items())
    )
    return _field(1, entries)


def _field(number: int, content: bytes) -> bytes:
    """Return a length-delimited field of protobuf's wire format."""
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])


def _writer() -> Any:
    try:
        return import_module("array_record.python.array_record_module").ArrayRecordWriter
    except ModuleNotFoundError as error:
        raise RuntimeError(
            "ArrayRecord files are written by the package array-record: pip install 'corpusmill[arrayrecord]'"
        ) from error
