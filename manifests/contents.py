"""What a shard really holds: read as far as it goes, and held against its manifest entry."""

from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from manifests.integrity import IntegrityError, Problem
from manifests.shards import Shard
from manifests.tar_shards import read_members

DOCUMENTS = "documents"  # the kind in which no id comes twice
_UNREADABLE = (pa.ArrowException, OSError, ValueError)  # what pyarrow raises for damaged files

UInt64s = npt.NDArray[np.uint64]


class Contents:
    """What a shard holds: read as far as it goes, then held against the manifest."""

    def __init__(self, shard: Shard) -> None:
        self.shard, self.records = shard, 0
        self.first: bytes | None = None
        self.last: bytes | None = None

    def tar(self, file: BinaryIO) -> Iterator[Problem]:
        key = ""
        try:
            for key, _, _, _ in read_members(file, self.shard.name):
                self.records += self.last is None or self.last.hex() != key
                self.last = bytes.fromhex(key)
                self.first = self.first or self.last
        except IntegrityError as error:
            found = f"{error.problem.found} (last good key {key or 'none'})"
            yield Problem(self.shard.name, error.problem.what, error.problem.expected, found, error.problem.offset)

    def parquet(self, file: BinaryIO, is_right: bool) -> Iterator[Problem]:
        """Read the ids of a file with the right bytes, every column of another."""
        try:
            parquet = pq.ParquetFile(file, page_checksum_verification=True)
        except _UNREADABLE as error:
            yield Problem(self.shard.name, "unreadable", "a Parquet file", str(error))
            return
        if self.shard.min_id is not None and "id" not in parquet.schema_arrow.names:
            yield Problem(self.shard.name, "columns", "id among them", ", ".join(parquet.schema_arrow.names))
        columns = [name for name in parquet.schema_arrow.names if name == "id"] if is_right else None
        for group in range(parquet.metadata.num_row_groups):
            yield from self._row_group(parquet, group, columns)

    def _row_group(self, parquet: pq.ParquetFile, group: int, columns: list[str] | None) -> Iterator[Problem]:
        metadata = parquet.metadata.row_group(group)
        try:
            table = parquet.read_row_group(group, columns)
        except _UNREADABLE as error:
            offset = metadata.column(0).dictionary_page_offset or metadata.column(0).data_page_offset
            found = f"{error} (row group {group}, {self.records} records before it)"
            yield Problem(self.shard.name, "unreadable", "a row group", found, offset)
            return
        if self.shard.min_id is not None and "id" in table.column_names:
            yield from self._ordered(table["id"].combine_chunks())
        self.records += metadata.num_rows

    def _ordered(self, ids: "pa.Array[Any]") -> Iterator[Problem]:
        """Name the first record that comes before the one ahead of it; in documents, no id comes twice."""
        numbers = np.concatenate([_numbers(self.last), _id_numbers(ids)])
        high, low = numbers[:, 0], numbers[:, 1]
        rises = (high[1:] > high[:-1]) | ((high[1:] == high[:-1]) & (low[1:] > low[:-1]))
        if self.shard.kind != DOCUMENTS:
            rises |= (high[1:] == high[:-1]) & (low[1:] == low[:-1])
        if not rises.all():
            place = int(np.argmin(rises))
            before, after = (numbers[place + step].astype(">u8").tobytes().hex() for step in (0, 1))
            row = self.records + place + (self.last is None)
            yield Problem(self.shard.name, f"order of ids at record {row}", f"an id after {before}", after)
        if len(ids):
            self.first = self.first or ids[0].as_py()
            self.last = ids[-1].as_py()

    def totals(self) -> Iterator[Problem]:
        shard = self.shard
        if self.records != shard.records:
            yield Problem(shard.name, "records", str(shard.records), str(self.records))
        for what, stated, found in (
            ("first id", shard.min_id, self.first),
            ("last id", shard.max_id, self.last),
        ):
            if stated is not None and stated != (found.hex() if found else None):
                yield Problem(shard.name, what, stated, found.hex() if found else "no record")


def _numbers(value: bytes | None) -> UInt64s:
    """Return a 16-byte id as one row of two numbers that sort as ids do, shape (1, 2); (0, 2) for None."""
    numbers: UInt64s = np.frombuffer(value or b"", ">u8").astype(np.uint64).reshape(-1, 2)
    return numbers


def _id_numbers(ids: "pa.Array[Any]") -> UInt64s:
    """Return 16-byte ids as rows of two numbers, shape (len(ids), 2)."""
    raw = ids.buffers()[1]
    if raw is None or not len(ids):
        return _numbers(None)
    begin = 16 * ids.offset
    return _numbers(memoryview(raw)[begin : begin + 16 * len(ids)].tobytes())
