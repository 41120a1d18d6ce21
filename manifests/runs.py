"""Runs: Arrow IPC files sorted by a uniform key, the one form in which staged data waits and meets.

Everything that must come together (the rows of a shard, equal bands, a record and its verdict, equal words) carries
the same key, so it comes together when the same key range is read from every run. The number of shards or
partitions stands in no staged file, compaction is a merge, and the order of a shard is the order of its keys.

A run is an Arrow IPC stream (any Arrow reader reads it) followed by an index: the first key, place, rows and CRC-32 of
each batch. A range costs the index and the batches that it touches, and a damaged byte is never passed on.
"""

import hashlib
import json
import struct
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from manifests.keys import KEY_SPACE, canonical_json, digest_of
from manifests.objects import AGAIN, damaged, read_json
from manifests.store import Store, arrow_file

RUN_VERSION = 2  # of the file and of what a marker says of it: part of every key under which runs are found
BATCH_BYTES = 1 << 18
MAGIC = b"CMRUN001"
_TAIL = struct.Struct("<QI8s")  # length of the index, its CRC-32, magic
MAX_COPIED_SHARE = 0.5  # of a batch: a smaller piece is copied, so that it does not hold the whole


@dataclass(frozen=True)
class Run:
    """A stored run: what a done-marker says about it. Keys are those of its first and last row, 0 where it is empty."""

    name: str
    bytes: int
    sha256: str
    rows: int
    first_key: int
    last_key: int
    memory_bytes: int  # of its rows, decompressed

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def meets(self, low: int, high: int) -> bool:
        """Return whether the run may hold a row with low <= key < high."""
        return self.rows > 0 and self.first_key < high and self.last_key >= low


class DamagedRunError(RuntimeError):
    """A staged file does not hold what was written."""

    def __init__(self, name: str, what: str, expected: object, found: object) -> None:
        folder = name.rpartition("/")[0]
        super().__init__(f"{name}: {what} is {found}, was written as {expected}; delete {folder}/ and run again")


def sort_table(table: pa.Table, order: Sequence[str] = ("key",)) -> pa.Table:
    """Return the rows of `table` in ascending `order`, as one chunk a column; no order leaves it as it is."""
    if not order:
        return table
    table = table.combine_chunks()
    if table.num_rows < 2:
        return table
    return table.take(pc.sort_indices(table, sort_keys=[(name, "ascending") for name in order])).combine_chunks()


def encode_run(table: pa.Table) -> bytes:
    """Return the bytes of a run: batches of about 256 KiB, LZ4, then the index. `table` is sorted by `key`."""
    rows = max(1, table.num_rows * BATCH_BYTES // max(1, table.nbytes))
    batches = table.replace_schema_metadata(None).combine_chunks().to_batches(max_chunksize=rows)
    schema = batches[0].schema if batches else table.schema.remove_metadata()
    sink, places = pa.BufferOutputStream(), [schema.serialize().size]  # the stream begins with the schema's message
    with pa.ipc.new_stream(sink, schema, options=_OPTIONS) as writer:
        for batch in batches:
            writer.write_batch(batch)
            places.append(sink.tell())
    body = sink.getvalue()
    view = memoryview(body)
    index = canonical_json(
        {
            "first_keys": [batch["key"][0].as_py() for batch in batches],
            "places": places,
            "rows": [batch.num_rows for batch in batches],
            "crc32": [zlib.crc32(view[start:end]) for start, end in pairwise([0, *places])],
        }
    )
    return b"".join([body, index, _TAIL.pack(len(index), zlib.crc32(index), MAGIC)])


_OPTIONS = pa.ipc.IpcWriteOptions(compression="lz4")


def write_run(store: Store, stem: str, table: pa.Table, order: Sequence[str] = ("key",)) -> Run:
    """Sort `table` and store it as `stem-<first 16 hex digits of sha256>.arrow`.

    The content names the file, so a twin, a replay or a try with other settings never meets a file that it must not.
    """
    table = sort_table(table, order)
    data = encode_run(table)
    sha256 = hashlib.sha256(data).hexdigest()
    name = f"{stem}-{sha256[:16]}.arrow"
    put_same(store, name, data)
    ends = (table["key"][0].as_py(), table["key"][-1].as_py()) if table.num_rows else (0, 0)
    return Run(name, len(data), sha256, table.num_rows, ends[0], ends[1], table.nbytes)


def put_same(store: Store, name: str, data: bytes) -> None:
    """Create `name`, or find it there with the same bytes (a replay, a twin, a retry of our own write)."""
    if not store.put_new(name, data) and store.read(name) != data:
        raise RuntimeError(
            f"{name}: written twice with different bytes. Either the file is damaged (delete it and run again), "
            "or the work that makes it is not deterministic"
        )


def read_run(store: Store, run: Run, low: int = 0, high: int = KEY_SPACE) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a run with low <= key < high, in order. Raises DamagedRunError before a wrong row is given."""
    if not run.meets(low, high):
        return
    with arrow_file(store, run.name) as file:
        index, schema = _index(file, run)
        first = np.array(index["first_keys"], np.uint64)
        start = max(0, int(np.searchsorted(first, np.uint64(low), "left")) - 1)
        for number in range(start, len(first)):
            if int(first[number]) >= high:
                return
            message = _checked(file, run, index, number + 1)
            batch = _clip(pa.ipc.read_record_batch(message, schema), low, high)
            if batch.num_rows:
                yield batch


def run_schema(store: Store, run: Run) -> pa.Schema:
    """Return the columns of a run."""
    with arrow_file(store, run.name) as file:
        return _index(file, run)[1]


def _index(file: pa.NativeFile, run: Run) -> tuple[dict[str, Any], pa.Schema]:
    size = file.size()
    if size != run.bytes:
        raise DamagedRunError(run.name, "its size", run.bytes, size)
    length, crc32, magic = _TAIL.unpack(_bytes_at(file, size - _TAIL.size, _TAIL.size))
    packed = _bytes_at(file, size - _TAIL.size - length, length) if length < size else b""
    if magic != MAGIC or zlib.crc32(packed) != crc32:
        raise DamagedRunError(run.name, "the CRC-32 of its index", crc32, zlib.crc32(packed))
    index = json.loads(packed)
    if sum(index["rows"]) != run.rows:
        raise DamagedRunError(run.name, "its number of rows", run.rows, sum(index["rows"]))
    return index, pa.ipc.read_schema(_checked(file, run, index, 0))


def _checked(file: pa.NativeFile, run: Run, index: dict[str, Any], number: int) -> pa.Buffer:
    """Return message `number` (0: the schema) of a run, its bytes held against their CRC-32."""
    places = [0, *index["places"]]
    file.seek(places[number])
    message = file.read_buffer(places[number + 1] - places[number])
    if (found := zlib.crc32(message)) != index["crc32"][number]:
        raise DamagedRunError(run.name, f"the CRC-32 at byte {places[number]}", index["crc32"][number], found)
    return message


def _bytes_at(file: pa.NativeFile, place: int, length: int) -> bytes:
    file.seek(max(0, place))
    return file.read(length)  # type: ignore[no-any-return]


def _clip(batch: pa.RecordBatch, low: int, high: int) -> pa.RecordBatch:
    keys = batch["key"].to_numpy()
    begin = int(np.searchsorted(keys, np.uint64(low), "left"))
    end = len(keys) if high >= KEY_SPACE else int(np.searchsorted(keys, np.uint64(high), "left"))
    if end - begin < MAX_COPIED_SHARE * len(keys):
        return batch.take(pa.array(np.arange(begin, max(begin, end))))
    return batch.slice(begin, end - begin)


def gather(
    store: Store,
    runs: Iterable[Run],
    schema: pa.Schema,
    low: int = 0,
    high: int = KEY_SPACE,
    order: Sequence[str] = ("key",),
) -> pa.Table:
    """Return the rows of all `runs` with low <= key < high as one table in `order`; `schema` names the columns."""
    batches = [batch.select(schema.names) for run in runs for batch in read_run(store, run, low, high)]
    return sort_table(pa.Table.from_batches(batches, schema), order)


def save_runs(store: Store, job: str, runs: Iterable[Run]) -> str:
    """Store a list of runs under a name of its content and return the name: tasks and graphs carry only that."""
    body = [run.as_json() for run in runs]
    name = f"{job}/plans/runs-{digest_of(body)[:32]}.json"
    put_same(store, name, canonical_json(body))
    return name


def load_runs(store: Store, name: str, mend: str = AGAIN) -> list[Run]:
    """Return the runs that `save_runs` stored; `mend` says what to do about a damaged list."""
    runs = read_json(store, name, kind=list, what="list of runs", mend=mend)
    try:
        return [Run(**run) for run in runs]
    except TypeError as error:
        raise damaged(name, "list of runs", "it holds something else", mend) from error


def partitions_for(total_bytes: int, limit_bytes: int) -> int:
    """Return how many even key ranges keep each at or under about `limit_bytes`; at least 1."""
    return max(1, -(-total_bytes // limit_bytes))
