"""What is wrong with a published file, said in one way everywhere: which, what, expected, found, where."""

import hashlib
import tempfile
from dataclasses import dataclass
from typing import BinaryIO

from manifests.local_store import LocalStore
from manifests.store import OneObject, Store

_CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class Problem:
    """One thing that a file or its manifest says and that is not so."""

    shard: str  # name in the manifest
    what: str  # "sha256", "records" ...
    expected: str
    found: str
    offset: int | None = None  # byte of the file, where one can be told

    def __str__(self) -> str:
        at = "" if self.offset is None else f" at byte {self.offset}"
        return f"{self.shard}: {self.what}{at}: expected {self.expected}, found {self.found}"


class IntegrityError(ValueError):
    """A published file is not what its manifest says; nothing of it that is in doubt was handed out."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(str(problem))
        self.problem = problem

    def __reduce__(self) -> tuple[type["IntegrityError"], tuple[Problem]]:
        return (IntegrityError, (self.problem,))


@dataclass
class Hashed:
    """An open file of which every byte has been hashed: who reads `file` sees the bytes that were hashed."""

    file: BinaryIO
    bytes: int
    sha256: str


def open_hashed(store: Store, name: str) -> Hashed:
    """Open an object at its start and hash it; a remote one is copied to an unnamed temporary file."""
    inner = store.store if isinstance(store, OneObject) else store
    source = store.open(name)
    if isinstance(inner, LocalStore):
        return _hashed(source, None)
    with source:
        copy: BinaryIO = tempfile.TemporaryFile()  # noqa: SIM115  (handed to the caller)
        return _hashed(source, copy)


def _hashed(source: BinaryIO, copy: BinaryIO | None) -> Hashed:
    digest, size = hashlib.sha256(), 0
    while chunk := source.read(_CHUNK_BYTES):
        digest.update(chunk)
        size += len(chunk)
        if copy is not None:
            copy.write(chunk)
    file = source if copy is None else copy
    file.seek(0)
    return Hashed(file, size, digest.hexdigest())
