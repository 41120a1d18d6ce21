"""Parquet shards with content names: the same rows give the same bytes, and the name tells the bytes."""

import hashlib
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from manifests.runs import put_same
from manifests.store import Store

ROW_GROUP_ROWS = 4096


@dataclass(frozen=True)
class Shard:
    """One published file, as the manifest lists it; ids are hex, null where the shard has none."""

    name: str
    kind: str
    bytes: int
    sha256: str
    records: int
    min_id: str | None
    max_id: str | None

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def encode_parquet(table: pa.Table) -> bytes:
    """Return `table` as Parquet: zstd, page checksums, fixed row groups; no clock or host in the file."""
    sink = pa.BufferOutputStream()
    pq.write_table(
        table.replace_schema_metadata(None),
        sink,
        compression="zstd",
        row_group_size=ROW_GROUP_ROWS,
        write_page_checksum=True,
    )
    return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]


def write_shard(store: Store, stem: str, kind: str, table: pa.Table) -> Shard:
    """Store `table` (sorted by id where it has one) as `stem-<first 8 hex digits of sha256>.parquet`."""
    data = encode_parquet(table)
    sha256 = hashlib.sha256(data).hexdigest()
    name = f"{stem}-{sha256[:8]}.parquet"
    put_same(store, name, data)
    ids = table["id"] if "id" in table.column_names and table.num_rows else None
    ends = (None, None) if ids is None else (ids[0].as_py().hex(), ids[-1].as_py().hex())
    return Shard(name, kind, len(data), sha256, table.num_rows, *ends)
