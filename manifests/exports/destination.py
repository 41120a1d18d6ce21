"""Where an export goes: files that are each created once, and `export.json`, written last, that names them all."""

import errno
import os
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from manifests.exports.source import Source, sha256_of
from manifests.integrity import open_hashed
from manifests.keys import canonical_json
from manifests.local_store import LocalStore
from manifests.reader import locate, open_shard
from manifests.runs import put_same
from manifests.shards import Shard
from manifests.store import Store

RECORD = "export.json"
EXPORT_VERSION = 1  # raise when the files of the same snapshot would differ


@dataclass(frozen=True)
class File:
    """One file of an export; `records` is 0 where it holds none."""

    name: str
    bytes: int
    sha256: str
    records: int


@dataclass
class Destination:
    """An export while it is written: a store of its own, a local scratch folder, the files so far."""

    store: Store
    scratch: Path
    files: list[File] = field(default_factory=list)

    def put(self, name: str, data: bytes, records: int = 0) -> None:
        """Create a file, or find it there with the same bytes; raises RuntimeError for other bytes."""
        put_same(self.store, name, data)
        self.files.append(File(name, len(data), sha256_of(data), records))

    def put_file(self, name: str, path: Path, records: int = 0) -> None:
        """Create a file from a local one, which is gone afterwards; raises RuntimeError as `put` does."""
        made = open_hashed(LocalStore(path.parent), path.name)
        made.file.close()
        if not self.store.put_new(name, path):
            self._same(name, made.sha256)
        self.files.append(File(name, made.bytes, made.sha256, records))

    def place(self, source: Source, shard: Shard) -> str:
        """Put a shard as it is into `data/` and return its name there: a hard link where that can be, else a copy.

        What is copied is checked while it is copied; a link shows the very file, which `corpusmill verify` checks.
        """
        name = f"data/{Path(shard.name).name}"
        path = self.scratch / "placed"
        if not _linked(source, shard, path):
            with open_shard(source.store, shard) as file, path.open("wb") as out:
                shutil.copyfileobj(file, out, 1 << 20)
        if not self.store.put_new(name, path):
            self._same(name, shard.sha256)
        self.files.append(File(name, shard.bytes, shard.sha256, shard.records))
        return name

    def finish(self, format_name: str, source: Source, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Write `export.json` and return it: format, settings, snapshot, every file with its sha256."""
        record = {
            "export": EXPORT_VERSION,
            "format": format_name,
            "settings": dict(settings),
            "manifest_digest": source.digest,
            "kind": source.kind,
            "records": source.reader.records,
            "files": [asdict(file) for file in sorted(self.files, key=lambda file: file.name)],
        }
        put_same(self.store, RECORD, canonical_json(record))
        return record

    def _same(self, name: str, sha256: str) -> None:
        there = open_hashed(self.store, name)
        there.file.close()
        if there.sha256 != sha256:
            raise RuntimeError(f"{self.store.uri}/{name} is there with other bytes; export into an empty folder")


@contextmanager
def scratch_file(destination: Destination, name: str) -> Iterator[Path]:
    """Give a path in the scratch folder that is free before and after."""
    path = destination.scratch / name
    path.unlink(missing_ok=True)
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)


def _linked(source: Source, shard: Shard, path: Path) -> bool:
    """Make `path` a hard link to a local shard; False where the shard is remote or on another file system."""
    store, name = locate(source.store, shard)
    if not isinstance(store, LocalStore) or store.size(name) != shard.bytes:
        return False
    path.unlink(missing_ok=True)
    try:
        os.link(store.path(name), path)
    except OSError as error:
        if error.errno in (errno.EXDEV, errno.EPERM, errno.ENOTSUP, errno.EMLINK, errno.EACCES):
            return False
        raise
    return True
