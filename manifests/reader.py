"""Reading a committed snapshot: no byte reaches the caller before it has been held against the manifest."""

import hashlib
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from manifests.contents import DOCUMENTS
from manifests.integrity import IntegrityError, Problem, open_hashed
from manifests.manifest import FORMAT, Manifest, load_manifest, newest_version, seal
from manifests.shards import Shard
from manifests.store import Store, StoreError, check_name, open_store, split_scheme
from manifests.tar_shards import read_samples

SCHEMES = ("s3", "gs", "https")  # of a shard's name; every other name is relative to the store
_RELATIVE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._=+-]*(/[A-Za-z0-9_][A-Za-z0-9._=+-]*)*")
_SHA256 = re.compile(r"[0-9a-f]{64}")


class ManifestError(ValueError):
    """A manifest is missing, is not what its digest says, or names something that no reader may open."""


def read_manifest(store: Store, job: str, version: int | None = None) -> Manifest:
    """Return a committed manifest, the newest one by default.

    Raises ManifestError where there is none, or where its body and its digest disagree.
    """
    check_name(job)
    number = newest_version(store, job) if version is None else version
    if number < 1:
        raise ManifestError(f"{store.uri}/{job}: no snapshot has been committed here")
    try:
        return load_manifest(store, job, number)
    except FileNotFoundError as error:
        raise ManifestError(f"{store.uri}/{job}: there is no snapshot {number}") from error
    except ValueError as error:
        raise ManifestError(f"{store.uri}/{job}, snapshot {number}: {error}") from error


def check_shard_name(name: str) -> str:
    """Return `name` if a reader may open it: a plain relative path, or s3://, gs:// or https://.

    Raises ManifestError for `pipe:`, `file:` and every other scheme, absolute or climbing paths, and
    anything that a shell or a library would expand.
    """
    try:
        scheme, rest = split_scheme(name)
    except StoreError as error:
        raise ManifestError(f"shard {error}") from error
    if scheme and scheme not in SCHEMES:
        raise ManifestError(f"shard {name!r}: scheme {scheme!r} is refused")
    path = rest.removeprefix("//") if scheme else name
    if (scheme and not rest.startswith("//")) or not _RELATIVE.fullmatch(path) or (scheme and "/" not in path):
        raise ManifestError(f"shard {name!r}: not a plain name below its root")
    return name


def shard_of(entry: Mapping[str, Any]) -> Shard:
    """Return a manifest's shard entry, checked; fields that it has besides are left alone.

    Raises ManifestError.
    """
    try:
        shard = Shard(**{field: entry[field] for field in Shard.__dataclass_fields__})
    except KeyError as error:
        raise ManifestError(f"shard {entry.get('name')!r}: the manifest does not state {error}") from error
    check_shard_name(shard.name)
    counts = [shard.bytes, shard.records]
    if not all(type(n) is int and n >= 0 for n in counts) or not _SHA256.fullmatch(str(shard.sha256)):
        raise ManifestError(f"shard {shard.name}: bytes, records or sha256 are not numbers of a file")
    return shard


def locate(store: Store, shard: Shard) -> tuple[Store, str]:
    """Return where a shard lies: its store and its name there."""
    if split_scheme(shard.name)[0] == "":
        return store, shard.name
    folder, _, name = shard.name.rpartition("/")
    return open_store(folder), name


@contextmanager
def open_shard(store: Store, shard: Shard) -> Iterator[BinaryIO]:
    """Open a shard whose size and sha256 have been checked; raises IntegrityError before anything is read."""
    where, name = locate(store, shard)
    size = where.size(name)
    if size is None:
        raise IntegrityError(Problem(shard.name, "missing", f"{shard.bytes} bytes", "no such object"))
    if size != shard.bytes:
        raise IntegrityError(Problem(shard.name, "size", f"{shard.bytes} bytes", f"{size} bytes"))
    hashed = open_hashed(where, name)
    with hashed.file:
        if hashed.sha256 != shard.sha256:
            raise IntegrityError(Problem(shard.name, "sha256", shard.sha256, hashed.sha256))
        yield hashed.file


@dataclass(frozen=True)
class Position:
    """Where a trainer stands: `index` records of the epoch are behind it, whoever has read them."""

    manifest_digest: str
    epoch: int = 0
    index: int = 0
    seed: int = 0

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, state: Mapping[str, Any]) -> "Position":
        """Return the position that `as_json` gave; raises ValueError for anything else."""
        fields = {"manifest_digest": str, "epoch": int, "index": int, "seed": int}
        if set(state) != set(fields) or any(type(state[name]) is not kind for name, kind in fields.items()):
            raise ValueError(f"{dict(state)!r} is not a reader's position: {', '.join(fields)}")
        if state["epoch"] < 0 or state["index"] < 0:
            raise ValueError(f"epoch {state['epoch']}, index {state['index']}: neither can be negative")
        return cls(**state)


class Reader:
    """The records of one kind in a snapshot, in the manifest's order, or shuffled by shard from a position.

    Every name is checked before anything is opened, every shard's size and sha256
    before its first record is handed out, its record count by its end. Raises ManifestError here, and
    IntegrityError naming the shard while reading.
    """

    def __init__(self, store: Store, manifest: Manifest, kind: str = DOCUMENTS) -> None:
        if manifest.get("format") != FORMAT:
            raise ManifestError(f"format {manifest.get('format')!r} of the manifest is not {FORMAT}")
        if seal(manifest)["digest"] != manifest.get("digest"):
            raise ManifestError(f"manifest {manifest.get('digest')}: its body has digest {seal(manifest)['digest']}")
        self.store, self.kind, self.digest = store, kind, str(manifest["digest"])
        shards = [shard_of(entry) for entry in manifest["shards"]]
        self.shards = [shard for shard in shards if shard.kind == kind]

    @property
    def records(self) -> int:
        """How many records an epoch has."""
        return sum(shard.records for shard in self.shards)

    def batches(self, columns: Sequence[str] | None = None, batch_rows: int = 1024) -> Iterator[pa.RecordBatch]:
        """Yield every record of the Parquet shards once, at most `batch_rows` at a time."""
        for shard in self.shards:
            yield from self._rows(shard, 0, columns, batch_rows)

    def samples(self) -> Iterator[tuple[str, dict[str, bytes]]]:
        """Yield (key, {extension: content}) of every sample of the tar shards once."""
        for shard in self.shards:
            yield from self._samples(shard, 0)

    def start(self, seed: int = 0) -> Position:
        """Return the position before the first record of epoch 0."""
        return Position(self.digest, seed=seed)

    def batches_from(
        self, position: Position, columns: Sequence[str] | None = None, batch_rows: int = 1024
    ) -> Iterator[tuple[Position, pa.RecordBatch]]:
        """Yield the rest of the position's epoch as (position after the batch, batch).

        The last position is the start of the next epoch. Where batches are cut depends on the position, the
        sequence of records does not. Raises ValueError for a position in another manifest.
        """
        for shard, skip in self._rest(position):
            for batch in self._rows(shard, skip, columns, batch_rows):
                position = self._after(position, batch.num_rows)
                yield position, batch

    def samples_from(self, position: Position) -> Iterator[tuple[Position, tuple[str, dict[str, bytes]]]]:
        """Yield the rest of the epoch as (position after the sample, sample), as `batches_from` does."""
        for shard, skip in self._rest(position):
            for sample in self._samples(shard, skip):
                position = self._after(position, 1)
                yield position, sample

    def _after(self, position: Position, count: int) -> Position:
        index = position.index + count
        if index == self.records:
            return replace(position, epoch=position.epoch + 1, index=0)
        return replace(position, index=index)

    def _rest(self, position: Position) -> Iterator[tuple[Shard, int]]:
        """Yield (shard, records of it to skip) for what is left, in the epoch's own order of shards."""
        if position.manifest_digest != self.digest:
            raise ValueError(
                f"this position is in manifest {position.manifest_digest}, the data is manifest "
                f"{self.digest}; start anew, or read the snapshot that the position is of"
            )
        if position.index > self.records:
            raise ValueError(f"index {position.index} is past the {self.records} records of the snapshot")
        behind = position.index
        for shard in sorted(self.shards, key=lambda shard: _draw(position, shard)):
            if behind < shard.records:
                yield shard, behind
            behind = max(0, behind - shard.records)

    def _rows(
        self, shard: Shard, skip: int, columns: Sequence[str] | None, batch_rows: int
    ) -> Iterator[pa.RecordBatch]:
        with open_shard(self.store, shard) as file:
            parquet = pq.ParquetFile(file, page_checksum_verification=True)
            if parquet.metadata.num_rows != shard.records:
                raise _miscounted(shard, parquet.metadata.num_rows)
            first, skip = _row_group(parquet.metadata, skip)
            groups = list(range(first, parquet.metadata.num_row_groups))
            for batch in parquet.iter_batches(batch_rows, groups, list(columns) if columns is not None else None):
                behind = min(skip, batch.num_rows)
                skip -= behind
                if behind < batch.num_rows:
                    yield batch.slice(behind)

    def _samples(self, shard: Shard, skip: int) -> Iterator[tuple[str, dict[str, bytes]]]:
        with open_shard(self.store, shard) as file:
            count = 0
            for count, sample in enumerate(read_samples(file, shard.name), 1):
                if skip < count <= shard.records:
                    yield sample
            if count != shard.records:
                raise _miscounted(shard, count)


def _miscounted(shard: Shard, found: int) -> IntegrityError:
    return IntegrityError(Problem(shard.name, "records", str(shard.records), str(found)))


def _row_group(metadata: pq.FileMetaData, skip: int) -> tuple[int, int]:
    """Return the row group that holds row `skip`, and how many of its rows come before that row."""
    group = 0
    while group < metadata.num_row_groups and skip >= metadata.row_group(group).num_rows:
        skip -= metadata.row_group(group).num_rows
        group += 1
    return group, skip


def _draw(position: Position, shard: Shard) -> bytes:
    """Return the shard's lot in the epoch's shuffle; it follows from seed, epoch and content alone."""
    return hashlib.sha256(f"{position.seed}/{position.epoch}/{shard.sha256}/{shard.name}".encode()).digest()
