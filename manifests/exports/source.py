"""What an export reads: the samples of one kind of a committed snapshot, every byte held against its manifest."""

import hashlib
import math
import re
from collections.abc import Iterator, Mapping
from copy import copy
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

import pyarrow.parquet as pq

from manifests.contents import DOCUMENTS
from manifests.integrity import IntegrityError, Problem
from manifests.keys import canonical_json
from manifests.manifest import Manifest
from manifests.reader import ManifestError, Reader, open_shard, read_manifest, shard_of
from manifests.shards import Shard
from manifests.store import Store
from manifests.tar_shards import BLOCK, Member, Sample

INDEX_KIND = "index"
CONVERSATIONS = "conversations"  # records of instruction sets
TEXTS = frozenset({"json", "srt", "txt", "vtt"})  # fields that are UTF-8
EMPTY = {"json": b"null"}  # stands where a sample lacks a field and a format wants a value; b"" for all others
_NUMBERED = re.compile(r"[0-9]{4,6}\.([a-z0-9]+)")
_CONTENT_NAME = re.compile(r"(.*)-[0-9a-f]{8}\.(tar|parquet)")


@dataclass(frozen=True)
class Source:
    """One kind of records of one snapshot: tar shards with their index, or Parquet shards of documents.

    A sample is (key, {field: bytes}). The key is the record's id, 32 hex digits. The fields of a tar's sample
    are its extensions; a document has `txt`, its text, and `json`, all its other columns.
    """

    store: Store
    manifest: Manifest
    kind: str

    @property
    def digest(self) -> str:
        """The digest of the manifest: two sources with one digest hold the same samples."""
        return str(self.manifest["digest"])

    @cached_property
    def reader(self) -> Reader:
        """The reader that checks what it hands out."""
        return Reader(self.store, self.manifest, self.kind)

    @property
    def shards(self) -> list[Shard]:
        """The shards in the manifest's order."""
        return self.reader.shards

    @property
    def has_tars(self) -> bool:
        """Whether the samples lie in tars; documents lie in Parquet."""
        return any(shard.name.endswith(".tar") for shard in self.shards)

    @cached_property
    def fields(self) -> dict[str, bool]:
        """Field -> whether every sample has it, by name; read from the index, not from the payload."""
        if not self.has_tars:
            return {"json": True, "txt": True}
        counts: dict[str, int] = {}
        for shard in self.shards:
            with open_shard(self.store, self._index(shard)) as file:
                found = pq.read_table(file, columns=["extension"])["extension"].value_counts()
            for extension, count in ((entry["values"], entry["counts"]) for entry in found.to_pylist()):
                counts[extension] = counts.get(extension, 0) + count
        return {field: counts[field] == self.reader.records for field in sorted(counts)}

    def samples(self) -> Iterator[Sample]:
        """Yield every sample once, in the manifest's order of shards and by key in each.

        Raises IntegrityError naming the shard before its first sample is handed out.
        """
        for shard in self.shards:
            yield from self.samples_of(shard)

    def samples_of(self, shard: Shard) -> Iterator[Sample]:
        """Yield the samples of one shard."""
        one = self.reader_of(shard)
        if shard.name.endswith(".tar"):
            yield from one.samples()
            return
        for batch in one.batches():
            yield from map(document_sample, batch.to_pylist())

    def reader_of(self, shard: Shard) -> Reader:
        """Return a reader of one shard alone."""
        one = copy(self.reader)
        one.shards = [shard]
        return one

    def members(self, shard: Shard) -> list[Member]:
        """Return the index of a tar shard: its members in order.

        Raises ManifestError where it has none, IntegrityError where the index is damaged or of another tar.
        """
        index = self._index(shard)
        with open_shard(self.store, index) as file:
            rows = pq.read_table(file).to_pylist()
        if (found := len({row["id"] for row in rows})) != shard.records:
            raise IntegrityError(Problem(index.name, f"samples of {shard.name}", str(shard.records), str(found)))
        return [
            Member(row["id"].hex(), row["extension"], row["offset"], row["bytes"], row["sha256"].hex()) for row in rows
        ]

    @cached_property
    def _indexes(self) -> dict[str, Shard]:
        """Stem of a tar's name -> its index."""
        entries = (entry for entry in self.manifest["shards"] if entry["kind"] == INDEX_KIND)
        return {_stem(entry["name"]): shard_of(entry) for entry in entries}

    def _index(self, shard: Shard) -> Shard:
        stem = _stem(shard.name)
        if stem not in self._indexes:
            raise ManifestError(f"shard {shard.name}: the snapshot has no index {stem}-*.parquet")
        return self._indexes[stem]


def open_source(store: Store, job: str, version: int | None = None, kind: str | None = None) -> Source:
    """Return the samples of a snapshot (the newest by default).

    `kind` may be left out where the snapshot has one kind of tars, or none and documents or conversations.

    Raises ManifestError for a snapshot or a kind that is not there, or where `kind` leaves a choice.
    """
    manifest = read_manifest(store, job, version)
    kinds = {shard["kind"] for shard in manifest["shards"] if shard["name"].endswith(".tar")}
    kinds = kinds or {shard["kind"] for shard in manifest["shards"] if shard["kind"] in (DOCUMENTS, CONVERSATIONS)}
    all_kinds = {shard["kind"] for shard in manifest["shards"]}
    if kind is None and len(kinds) == 1:
        (kind,) = kinds
    if kind is None or kind not in kinds | (all_kinds & {DOCUMENTS}):
        offered = ", ".join(sorted(kinds | (all_kinds & {DOCUMENTS}))) or "none"
        raise ManifestError(f"{store.uri}/{job}: kind {kind!r} cannot be exported; kinds here: {offered}")
    return Source(store, manifest, kind)


def numbered_extension(field: str) -> str | None:
    """Return the extension of one of several files of a sample ("0000.jpg"), None for any other field."""
    found = _NUMBERED.fullmatch(field)
    return found[1] if found else None


def sample_bounds(members: list[Member]) -> list[tuple[str, int, int]]:
    """Return (key, first byte, bytes) of each sample of a tar: its headers, contents and padding."""
    starts = [(m.key, m.offset - BLOCK) for n, m in enumerate(members) if not n or members[n - 1].key != m.key]
    ends = [start for _, start in starts[1:]] + [end_of(members)]
    return [(key, start, end - start) for (key, start), end in zip(starts, ends, strict=True)]


def end_of(members: list[Member]) -> int:
    """Return the byte after the last member of a tar and its padding, 0 for an empty tar."""
    return members[-1].offset + members[-1].bytes + -members[-1].bytes % BLOCK if members else 0


def plain(value: Any) -> Any:
    """Return an Arrow row's value as JSON knows it: bytes in hex, times in ISO 8601, numbers that are none null."""
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {name: plain(item) for name, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


def document_sample(row: dict[str, Any]) -> Sample:
    """Return a document's row as a sample: `txt`, its text; `json`, all other columns."""
    text = row.pop("text").encode()
    return row["id"].hex(), {"json": canonical_json(plain(row)), "txt": text}


def _stem(name: str) -> str:
    match = _CONTENT_NAME.fullmatch(name)
    return match.group(1) if match else name


def sha256_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
