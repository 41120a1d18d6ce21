"""Runs: Arrow IPC files sorted by a uniform key, the one form in which staged data waits and meets.

Everything that must come together (the rows of a shard, equal bands, a record and its verdict, equal words) carries
the same key, so it comes together when the same key range is read from every run. The number of shards or
partitions stands in no staged file, compaction is a merge, and the order of a shard is the order of its keys.
"""

import base64
import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from manifests.keys import KEY_SPACE
from manifests.store import Store

BATCH_BYTES = 1 << 20
_INDEX = b"corpusmill.first_keys"


@dataclass(frozen=True)
class Run:
    """A stored run: what a done-marker says about it."""

    name: str
    bytes: int
    sha256: str
    rows: int

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def sort_table(table: pa.Table, order: Sequence[str] = ("key",)) -> pa.Table:
    """Return the rows of `table` in ascending `order`, as one chunk a column."""
    table = table.combine_chunks()
    if table.num_rows < 2:
        return table
    return table.take(pc.sort_indices(table, sort_keys=[(name, "ascending") for name in order])).combine_chunks()


def encode_run(table: pa.Table) -> bytes:
    """Return the bytes of a run: batches of about 1 MiB, LZ4, the first key of each batch in the schema's metadata.

    `table` is sorted by its first column, `key`.
    """
    rows = max(1, table.num_rows * BATCH_BYTES // max(1, table.nbytes))
    batches = table.combine_chunks().to_batches(max_chunksize=rows)
    first = np.array([batch["key"][0].as_py() for batch in batches], np.uint64)
    schema = table.schema.with_metadata({_INDEX: base64.b64encode(first.tobytes())})
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, schema, options=pa.ipc.IpcWriteOptions(compression="lz4")) as writer:
        for batch in batches:
            writer.write_batch(batch.replace_schema_metadata(schema.metadata))
    return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]


def write_run(store: Store, name: str, table: pa.Table, order: Sequence[str] = ("key",)) -> Run:
    """Sort `table` and store it as a new object; the same name with other bytes is an error (not deterministic)."""
    data = encode_run(sort_table(table, order))
    put_same(store, name, data)
    return Run(name, len(data), hashlib.sha256(data).hexdigest(), table.num_rows)


def put_same(store: Store, name: str, data: bytes) -> None:
    """Create `name`, or find it there with the same bytes (a replay, a twin, a retry of our own write)."""
    if not store.put_new(name, data) and store.read(name) != data:
        raise RuntimeError(f"{name}: written twice with different bytes; the work that makes it is not deterministic")


def read_run(
    store: Store, run: Run, low: int = 0, high: int = KEY_SPACE, columns: Sequence[str] | None = None
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a run with low <= key < high, in order, `key` always among the columns."""
    with store.open(run.name) as file:
        reader = pa.ipc.open_file(file)
        schema = reader.schema
        if columns is not None:
            wanted = [schema.get_field_index(name) for name in dict.fromkeys(["key", *columns])]
            reader = pa.ipc.open_file(file, options=pa.ipc.IpcReadOptions(included_fields=sorted(wanted)))
        first = np.frombuffer(base64.b64decode(schema.metadata[_INDEX]), np.uint64)
        start = max(0, int(np.searchsorted(first, np.uint64(low), "left")) - 1)
        for number in range(start, len(first)):
            if int(first[number]) >= high:
                return
            batch = _clip(reader.get_batch(number), low, high)
            if batch.num_rows:
                yield batch.replace_schema_metadata(None)


def _clip(batch: pa.RecordBatch, low: int, high: int) -> pa.RecordBatch:
    keys = batch["key"].to_numpy()
    begin = int(np.searchsorted(keys, np.uint64(low), "left"))
    end = len(keys) if high >= KEY_SPACE else int(np.searchsorted(keys, np.uint64(high), "left"))
    return batch.slice(begin, max(0, end - begin))


def gather(
    store: Store,
    runs: Iterable[Run],
    schema: pa.Schema,
    low: int = 0,
    high: int = KEY_SPACE,
    order: Sequence[str] = ("key",),
) -> pa.Table:
    """Return the rows of all `runs` with low <= key < high as one table in `order`; `schema` names the columns."""
    batches = [batch for run in runs for batch in read_run(store, run, low, high, schema.names)]
    table = pa.Table.from_batches([batch.select(schema.names) for batch in batches], schema)
    return sort_table(table, order)


def partitions_for(total_bytes: int, limit_bytes: int) -> int:
    """Return how many even key ranges keep each at or under about `limit_bytes`; at least 1."""
    return max(1, -(-total_bytes // limit_bytes))
