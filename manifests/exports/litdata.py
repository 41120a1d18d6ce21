"""LitData chunks (litdata 0.2.76): `chunk-0-0.bin` ... and `index.json`, items as its PyTreeLoader reads them.

A chunk is the number of items, offsets, the items; an item is a dictionary: the lengths of its values, then the
values, by name. Media are bytes, texts are str.
"""

import json
from collections.abc import Iterator
from typing import Any

from manifests.exports.destination import Destination
from manifests.exports.packing import Encoded, cut, offset_table, sized
from manifests.exports.source import TEXTS, Source

KEY, PRESENT = "id", "fields"


def export_litdata(source: Source, destination: Destination, shard_bytes: int) -> dict[str, Any]:
    """Write the samples as LitData chunks and return the settings that the bytes follow from.

    A value that a sample lacks is empty; the value `fields` names those that it has.
    """
    names = sorted([KEY, PRESENT, *source.fields])
    chunks = []
    for number, items in enumerate(cut(_encoded(source, names), shard_bytes)):
        name = f"chunk-0-{number}.bin"
        data = offset_table(items) + b"".join(items)
        destination.put(name, data, len(items))
        chunks.append({"chunk_bytes": len(data), "chunk_size": len(items), "dim": None, "filename": name})
    index = {"chunks": chunks, "config": _config(names, shard_bytes), "updated_at": "0"}
    destination.put("index.json", json.dumps(index, sort_keys=True).encode())
    return {"shard_bytes": shard_bytes, "names": names}


def _config(names: list[str], shard_bytes: int) -> dict[str, Any]:
    """Return what litdata's writer says of a dictionary with these names."""
    leaf: dict[str, Any] = {"type": None, "context": None, "children_spec": []}
    spec = [1, {"type": "builtins.dict", "context": json.dumps(names), "children_spec": [leaf] * len(names)}]
    types = {name: "str" if name in TEXTS | {KEY, PRESENT} else "bytes" for name in names}
    return {
        "chunk_bytes": shard_bytes,
        "chunk_size": None,
        "compression": None,
        "compression_batch_size": None,
        "compression_level": None,
        "data_format": list(types.values()),
        "data_spec": json.dumps(spec),
        "encryption": None,
        "ipc_compression": None,
        "item_loader": "PyTreeLoader",
        "types": types,
    }


def _encoded(source: Source, names: list[str]) -> Iterator[Encoded]:
    for key, fields in source.samples():
        values = {KEY: key.encode(), PRESENT: ",".join(sorted(fields)).encode(), **fields}
        yield key, sized([values.get(name, b"") for name in names])
