"""MosaicML MDS (mosaicml-streaming 0.13, format version 2): `shard.00000.mds` ... and `index.json`.

A shard is the number of samples, offsets, the columns as JSON, the samples; a sample is the lengths of its
columns, then the columns by name. The bytes are those that `MDSWriter` writes for the same columns and limit.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from manifests.exports.destination import Destination
from manifests.exports.packing import Encoded, cut, offset_table, sized
from manifests.exports.source import EMPTY, Source, sha256_of

KEY, PRESENT = "id", "fields"
ENCODINGS = {"json": "json", "srt": "str", "txt": "str", "vtt": "str"}  # all others: bytes
ASKED = frozenset({"bytes", "jpeg", "json", "png", "str"})  # encodings that store a field's bytes as they are


def columns_of(source: Source, asked: Mapping[str, str]) -> dict[str, str]:
    """Return column -> encoding: every field, the id, and `fields`, which names those that the sample has.

    `asked` overrides: with `jpeg` or `png` the client decodes the picture.

    Raises ValueError for an unknown field or encoding, and for pictures that not every sample has.
    """
    for name, encoding in asked.items():
        if name not in source.fields:
            raise ValueError(f"encoding {name}={encoding}: the fields are {', '.join(source.fields)}")
        if encoding not in ASKED:
            raise ValueError(f"encoding {name}={encoding}: choose one of {', '.join(sorted(ASKED))}")
        if encoding in ("jpeg", "png") and not source.fields[name]:
            raise ValueError(f"encoding {name}={encoding}: some samples have no {name}, and no bytes are no picture")
    fields = {field: asked.get(field, ENCODINGS.get(field, "bytes")) for field in source.fields}
    return {KEY: "str", PRESENT: "str", **fields}


def export_mds(
    source: Source, destination: Destination, shard_bytes: int, encodings: Mapping[str, str]
) -> dict[str, Any]:
    """Write the samples as MDS and return the settings that the bytes follow from.

    A column that a sample lacks holds no bytes (`null` for JSON); the column `fields` tells.
    """
    columns = dict(sorted(columns_of(source, encodings).items()))
    config = {
        "column_encodings": list(columns.values()),
        "column_names": list(columns),
        "column_sizes": [None] * len(columns),
        "compression": None,
        "format": "mds",
        "hashes": ["sha256"],
        "size_limit": shard_bytes,
        "version": 2,
    }
    header = json.dumps(config, sort_keys=True).encode()
    room = shard_bytes - 4 - 4 - len(header)
    shards = []
    for number, samples in enumerate(cut(_encoded(source, list(columns)), room)):
        name = f"shard.{number:05d}.mds"
        data = offset_table(samples, header) + b"".join(samples)
        destination.put(name, data, len(samples))
        raw = {"basename": name, "bytes": len(data), "hashes": {"sha256": sha256_of(data)}}
        shards.append({**config, "raw_data": raw, "samples": len(samples), "zip_data": None})
    destination.put("index.json", json.dumps({"shards": shards, "version": 2}, sort_keys=True).encode())
    return {"shard_bytes": shard_bytes, "columns": columns}


def _encoded(source: Source, names: list[str]) -> Iterator[Encoded]:
    for key, fields in source.samples():
        values = {KEY: key.encode(), PRESENT: ",".join(sorted(fields)).encode(), **fields}
        yield key, sized([values.get(name, EMPTY.get(name, b"")) for name in names])
