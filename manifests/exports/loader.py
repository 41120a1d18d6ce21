"""What a trainer reads: one endless shuffled sequence of records, the same for any number of readers.

The sequence follows from the manifest digest and a seed. An epoch is every record once: the snapshot is cut into
windows of neighbouring records, windows come by lot, records of a window by lot too. Readers take turns from where
all of them stand, so a checkpoint is one position, and who goes on from it may be more readers or fewer.
"""

import hashlib
from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import accumulate, groupby
from operator import attrgetter

import pyarrow.parquet as pq

from manifests.exports.source import Source, document_sample
from manifests.reader import Position, locate, open_shard
from manifests.shards import ROW_GROUP_ROWS, Shard
from manifests.tar_shards import Member, Sample, read_member

CACHED_SHARDS = 4  # indexes or sound files that a reader remembers
Keyed = tuple[str, int]  # key of a record, its place in the shard


@dataclass(frozen=True)
class Window:
    """Neighbouring records [start, stop) of one shard."""

    shard: Shard
    start: int
    stop: int


class Sequence:
    """The records of a source in a trainer's order; `window`, records that are mixed with each other, is part of it.

    A tar is read by its index, member by member, each held against its sha256: a reader fetches its own records
    alone. A Parquet shard is hashed once, then read by row groups with their checksums.
    """

    def __init__(self, source: Source, window: int = ROW_GROUP_ROWS) -> None:
        if window < 1 or not source.reader.records:
            raise ValueError(f"a window of {window} over {source.reader.records} records; neither can be less than 1")
        self.source, self.window, self.records = source, window, source.reader.records
        self.windows = [
            Window(shard, start, min(start + window, shard.records))
            for shard in source.shards
            for start in range(0, shard.records, window)
        ]
        self._members = lru_cache(CACHED_SHARDS)(self._read_members)
        self._sound = lru_cache(CACHED_SHARDS)(self._check)

    def __reduce__(self) -> tuple[type["Sequence"], tuple[Source, int]]:
        return (Sequence, (self.source, self.window))  # for the workers of a trainer's loader

    def start(self, seed: int = 0) -> Position:
        """Return the position before the first record of epoch 0."""
        return Position(self.source.digest, seed=seed)

    def samples(self, position: Position, rank: int = 0, world_size: int = 1) -> Iterator[tuple[Position, Sample]]:
        """Yield a reader's records from a position on, without end.

        Of the records ahead of `position`, the reader of rank r takes the r-th, the (r + world_size)-th and so on.
        The position beside a record is where all stand when each has taken as many as this one.

        Raises ValueError for a position in another manifest, IntegrityError for a record that is not what it was.
        """
        if not 0 <= rank < world_size:
            raise ValueError(f"rank {rank} of {world_size} readers: ranks are 0 to {world_size - 1}")
        if position.manifest_digest != self.source.digest:
            raise ValueError(f"this position is in manifest {position.manifest_digest}, not {self.source.digest}")
        behind = position.epoch * self.records + position.index
        ahead = rank
        while True:
            epoch, index = divmod(behind + ahead, self.records)
            for taken, sample in enumerate(self._of_epoch(replace(position, epoch=epoch), index, world_size)):
                after = behind + ahead + taken * world_size - rank + world_size
                yield replace(position, epoch=after // self.records, index=after % self.records), sample
            ahead += (self.records - index + world_size - 1) // world_size * world_size

    def _of_epoch(self, position: Position, first: int, step: int) -> Iterator[Sample]:
        """Yield the records `first`, `first + step` ... of the position's epoch, to its end."""
        windows = sorted(self.windows, key=lambda window: _lot(position, f"{window.shard.sha256}/{window.start}"))
        ends = list(accumulate(window.stop - window.start for window in windows))
        while first < self.records:
            number = bisect_right(ends, first)
            begin = ends[number - 1] if number else 0
            yield from self._of_window(position, windows[number], range(first - begin, ends[number] - begin, step))
            first += (ends[number] - first + step - 1) // step * step

    def _of_window(self, position: Position, window: Window, wanted: range) -> Iterator[Sample]:
        """Yield the records of a window whose places in its own order are `wanted`."""
        if window.shard.name.endswith(".tar"):
            samples = self._members(window.shard)[window.start : window.stop]
            order = sorted(samples, key=lambda members: _lot(position, members[0].key))
            for place in wanted:
                yield self._sample(window.shard, order[place])
            return
        documents = sorted(self._documents(window), key=lambda sample: _lot(position, sample[0]))
        yield from (documents[place] for place in wanted)

    def _sample(self, shard: Shard, members: list[Member]) -> Sample:
        store, name = locate(self.source.store, shard)
        return members[0].key, {member.extension: read_member(store, name, member) for member in members}

    def _documents(self, window: Window) -> list[Sample]:
        """Return the documents of a window, in their order."""
        self._sound(window.shard)
        store, name = locate(self.source.store, window.shard)
        with store.open(name) as file:
            parquet = pq.ParquetFile(file, page_checksum_verification=True)
            groups = range(window.start // ROW_GROUP_ROWS, (window.stop - 1) // ROW_GROUP_ROWS + 1)
            rows = parquet.read_row_groups(list(groups)).slice(
                window.start - groups.start * ROW_GROUP_ROWS, window.stop - window.start
            )
        return [document_sample(row) for row in rows.to_pylist()]

    def _read_members(self, shard: Shard) -> list[list[Member]]:
        """Return the members of each sample of a tar."""
        return [list(group) for _, group in groupby(self.source.members(shard), attrgetter("key"))]

    def _check(self, shard: Shard) -> bool:
        """Hash a shard; raises IntegrityError."""
        with open_shard(self.source.store, shard):
            return True


def _lot(position: Position, what: str) -> bytes:
    """Return what decides where a window or a record comes in an epoch."""
    return hashlib.blake2b(f"{position.seed}/{position.epoch}/{what}".encode(), digest_size=16).digest()
