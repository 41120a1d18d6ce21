"""One record's story in a snapshot: kept, dropped, merged, refused or quarantined, and where it came from."""

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from manifests.manifest import Manifest
from manifests.reader import open_shard, shard_of
from manifests.store import Store

_SHOWN = 400  # characters of a text
_VERDICT = {"quarantine": "quarantined", "refused": "refused", "dropped": "dropped"}  # of rows that don't say it
_NO_RECORDS = frozenset({"contact", "time_lines", "counts"})  # what is there for the report, and words
_URI_COLUMNS = ("uri", "evidence", "body")  # where a row names a URI: its own, of what it cites, of what it would have


def find_records(store: Store, manifest: Manifest, record_id: str | None, uri: str | None) -> Iterator[dict[str, Any]]:
    """Yield every row of the snapshot with this id (hex) or URI, from the shards that can hold it.

    A conversation has no URI: it is found by those of the texts that it cites.
    """
    units = {
        format(int(unit["unit_key"]), "d"): unit["unit"] for unit in manifest.get("units", ()) if "unit_key" in unit
    }
    for shard in manifest["shards"]:
        if not shard["name"].endswith(".parquet") or shard["kind"] in _NO_RECORDS:
            continue
        if record_id is not None and not _may_hold(shard, record_id):
            continue
        with open_shard(store, shard_of(shard)) as file:
            yield from _rows(pq.ParquetFile(file), shard, record_id, uri, units)


def _may_hold(shard: Mapping[str, Any], record_id: str) -> bool:
    return shard["min_id"] is not None and shard["min_id"] <= record_id.lower() <= shard["max_id"]


def _rows(
    file: pq.ParquetFile, shard: Mapping[str, Any], record_id: str | None, uri: str | None, units: Mapping[str, str]
) -> Iterator[dict[str, Any]]:
    asked = ("id",) if uri is None else _URI_COLUMNS
    name = next((each for each in asked if each in file.schema_arrow.names), None)
    for group in range(file.num_row_groups if name else 0):
        column = file.read_row_group(group, columns=[name])[name].combine_chunks()
        found = (
            _name_uri(name or "", column, uri) if uri is not None else pc.equal(column, bytes.fromhex(record_id or ""))
        )
        if pc.any(found).as_py():
            for row in file.read_row_group(group).filter(found).to_pylist():
                verdict = row.get("verdict") or _VERDICT.get(shard["kind"], "kept")
                yield {"verdict": verdict, "shard": shard["name"], "shard_kind": shard["kind"], **_readable(row, units)}


def _name_uri(name: str, column: Any, uri: str) -> Any:
    """Return which rows of one of _URI_COLUMNS name a URI, bool[n]."""
    if name == "evidence":
        named = np.zeros(len(column), bool)
        cited = pc.equal(column.flatten().field("url"), uri).fill_null(False)
        named[pc.list_parent_indices(column).filter(cited).to_numpy()] = True
        return pa.array(named)
    if name == "body":  # a candidate as JSON
        return pc.match_substring(column, f'"url":{json.dumps(uri, ensure_ascii=False)}').fill_null(False)
    return pc.equal(column, uri).fill_null(False)


def _readable(row: Mapping[str, Any], units: Mapping[str, str]) -> dict[str, Any]:
    shown = {name: _value(name, value) for name, value in row.items()}
    if "unit" in row:
        shown["unit"] = units.get(str(row["unit"]), row["unit"])
    return shown


def _value(name: str, value: Any) -> Any:
    """Return what JSON can hold: bytes as hex digits, times as ISO 8601, long texts cut."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, datetime):
        return value.isoformat()
    if name in {"text", "body"} and isinstance(value, str) and len(value) > _SHOWN:
        return f"{value[:_SHOWN]} … ({len(value)} characters)"
    if isinstance(value, dict):
        return {inner: _value(inner, each) for inner, each in value.items()}
    if isinstance(value, list):
        return [_value(name, each) for each in value]
    return value
