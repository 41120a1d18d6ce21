"""One record's story in a snapshot: kept, dropped, merged, refused or quarantined, and where it came from."""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from manifests.manifest import Manifest
from manifests.reader import open_shard, shard_of
from manifests.store import Store

_SHOWN = 400  # characters of a text
_VERDICT = {"documents": "kept", "quarantine": "quarantined", "refused": "refused"}


def find_records(store: Store, manifest: Manifest, record_id: str | None, uri: str | None) -> Iterator[dict[str, Any]]:
    """Yield every row of the snapshot with this id (hex) or URI, from the shards that can hold it."""
    units = {format(int(unit["unit_key"]), "d"): unit["unit"] for unit in manifest["units"] if "unit_key" in unit}
    for shard in manifest["shards"]:
        if not shard["name"].endswith(".parquet") or (record_id is not None and not _may_hold(shard, record_id)):
            continue
        with open_shard(store, shard_of(shard)) as file:
            yield from _rows(pq.ParquetFile(file), shard, record_id, uri, units)


def _may_hold(shard: dict[str, Any], record_id: str) -> bool:
    return shard["min_id"] is not None and shard["min_id"] <= record_id.lower() <= shard["max_id"]


def _rows(
    file: pq.ParquetFile, shard: dict[str, Any], record_id: str | None, uri: str | None, units: dict[str, str]
) -> Iterator[dict[str, Any]]:
    name, wanted = (
        ("uri", pa.scalar(uri)) if uri is not None else ("id", pa.scalar(bytes.fromhex(record_id or ""), pa.binary(16)))
    )
    for group in range(file.num_row_groups):
        found = pc.equal(file.read_row_group(group, columns=[name])[name], wanted)
        if pc.any(found).as_py():
            for row in file.read_row_group(group).filter(found).to_pylist():
                yield {
                    "verdict": row.get("verdict") or _VERDICT[shard["kind"]],
                    "shard": shard["name"],
                    **_readable(row, units),
                }


def _readable(row: dict[str, Any], units: dict[str, str]) -> dict[str, Any]:
    shown: dict[str, Any] = {}
    for name, value in row.items():
        if name == "unit":
            shown[name] = units.get(str(value), value)
        elif isinstance(value, bytes):
            shown[name] = value.hex()
        elif name == "text" and isinstance(value, str) and len(value) > _SHOWN:
            shown[name] = f"{value[:_SHOWN]} … ({len(value)} characters)"
        elif name == "fetched_at" and value is not None:
            shown[name] = value.isoformat()
        else:
            shown[name] = value
    return shown
