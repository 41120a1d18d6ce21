"""Where objects lie: a local folder or an S3 bucket behind one small protocol.

An object is created once, whole, by name, and never changed: `put_new` is the only way to write. Nothing is
decided by a listing or a rename, so two writers of one name can't both win, and a killed one leaves nothing
that is visible.
"""

import io
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from glob import has_magic
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, Protocol, cast

if TYPE_CHECKING:
    import pyarrow as pa

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*):")
_ESCAPED = re.compile(r"\[([*?[])\]")


class StoreError(OSError):
    """A store could not do what it was asked to; the message names the object, the action and the cause."""


class ObjectNotFound(StoreError, FileNotFoundError):
    """The named object does not exist."""


class Store(Protocol):
    """Objects under one root; a name is a relative POSIX path such as `text/data/part-00000.parquet`.

    Every method raises StoreError when the system below fails for longer than a few retries.
    """

    @property
    def uri(self) -> str:
        """The root, as `open_store` takes it."""
        ...

    def size(self, name: str) -> int | None:
        """Return the object's bytes, or None where there is no such object."""
        ...

    def generation(self, name: str) -> str:
        """Return a short text that differs when the object has been replaced (mtime, ETag)."""
        ...

    def read(self, name: str) -> bytes:
        """Return the whole object."""
        ...

    def read_range(self, name: str, start: int, length: int) -> bytes:
        """Return bytes [start, start + length); fewer only where the object ends, b"" past its end."""
        ...

    def open(self, name: str) -> BinaryIO:
        """Open the object for buffered random access."""
        ...

    def put_new(self, name: str, data: bytes | Path) -> bool:
        """Create the object, whole and durable, and return True; False where the name is taken already.

        A Path is a local temporary file that the store takes over: it is gone after True and after False.
        After StoreError the name is either free or holds the whole object, and the call may be repeated.
        """
        ...

    def delete(self, name: str) -> None:
        """Remove the object; nothing happens where there is none."""
        ...

    def list(self, prefix: str = "") -> Iterator[tuple[str, int]]:
        """Yield (name, bytes) of the objects whose name starts with `prefix`, in UTF-8 order of the names.

        For inputs and garbage collection only, never to find out what is done.
        """
        ...

    def sweep(self, older_than_s: float = 86_400.0) -> int:
        """Remove what killed writers left behind longer ago than this; return how many pieces."""
        ...


def check_name(name: str) -> str:
    """Return `name` if it is a relative POSIX path that stays below its root.

    Raises StoreError for an empty, absolute or climbing name, an empty or "." component, and NUL.
    """
    parts = name.split("/")
    if not name or "\0" in name or any(part in ("", ".", "..") for part in parts):
        raise StoreError(f"{name!r}: not the name of an object (a relative path without '.', '..' or '//')")
    return name


def split_scheme(uri: str) -> tuple[str, str]:
    """Return (scheme in lower case or "", what follows it); refuse what only a shell should expand."""
    if uri.startswith("~") or re.search(r"\$[A-Za-z_{(]|`", uri):
        raise StoreError(f"{uri!r}: '~', '$NAME' and '`' are not expanded here; write the location itself")
    match = _SCHEME.match(uri)
    return (match.group(1).lower(), uri[match.end() :]) if match else ("", uri)


def open_store(uri: str | Path) -> Store:
    """Open the store at a local path or `s3://bucket/prefix`; a file's path gives a store of that file alone.

    Raises StoreError for every other scheme, by name.
    """
    if isinstance(uri, Path):
        return _open_local(uri)
    scheme, rest = split_scheme(uri)
    if scheme == "":
        return _open_local(Path(uri))
    if scheme == "s3":
        from manifests.s3_store import S3Store

        bucket, _, prefix = rest.removeprefix("//").partition("/")
        return S3Store(bucket, prefix.strip("/"))
    if scheme == "gs":
        raise StoreError(
            f"{uri}: Google Cloud Storage needs a client that creates objects with ifGenerationMatch=0, and "
            "none is among this version's dependencies; use a local path or an S3-compatible bucket"
        )
    raise StoreError(f"{uri}: scheme {scheme!r} is refused; a store is a local path or s3://bucket/prefix")


def open_input(uri: str | Path) -> Store:
    """Open an input: a folder, a prefix, a pattern, or one object, whose store then lists that object alone.

    A pattern (`*`, `?`, `[...]` within a name, `**` for any folders) chooses among the objects below its first part
    that is no pattern; a folder that it matches counts with all that it holds. What exists by that very name is no
    pattern.
    """
    text = str(uri)
    if split_scheme(text)[0] != "s3":
        return _chosen(text) if has_magic(text) and not Path(text).exists() else open_store(uri)
    parent, _, last = text.rpartition("/")
    if last and parent not in ("s3:", "s3:/"):
        above = open_store(parent)
        if above.size(last) is not None:
            return OneObject(above, last)
    return _chosen(text) if has_magic(text) else open_store(uri)


def _chosen(uri: str) -> Store:
    """Open a pattern; `[*]` and the like, as glob.escape writes them, stand for the character itself."""
    parts = uri.split("/")
    plain = [_ESCAPED.sub(r"\1", part) for part in parts]
    first = next((i for i, part in enumerate(parts) if has_magic(_ESCAPED.sub("", part))), len(parts))
    if first == len(parts):
        return open_store("/".join(plain))
    root = "/".join(plain[:first]) or ("/" if first else ".")
    return Chosen(open_store(root), tuple(parts[first:]))


def _matches(parts: Sequence[str], pattern: Sequence[str]) -> bool:
    """Return whether the beginning of a path matches; a pattern of no parts matches all."""
    if not pattern or not parts:
        return not pattern
    if pattern[0] == "**":
        return _matches(parts, pattern[1:]) or _matches(parts[1:], pattern)
    return fnmatchcase(parts[0], pattern[0]) and _matches(parts[1:], pattern[1:])


def _open_local(path: Path) -> Store:
    from manifests.local_store import LocalStore

    if path.is_file():
        return OneObject(LocalStore(path.parent), path.name)
    return LocalStore(path)


def arrow_file(store: Store, name: str) -> "pa.NativeFile":
    """Open an object for pyarrow: memory-mapped where it is a local file, else by the store's own file."""
    import pyarrow as pa

    from manifests.local_store import LocalStore

    inner = store.store if isinstance(store, OneObject | Chosen) else store
    if isinstance(inner, LocalStore) and inner.size(name):
        return pa.memory_map(str(inner.path(name)))
    return pa.PythonFile(cast(io.IOBase, store.open(name)), mode="r")


@dataclass(frozen=True)
class OneObject:
    """A store narrowed to one of its objects, for reading: an input that is a single file."""

    store: Store
    name: str

    @property
    def uri(self) -> str:
        return f"{self.store.uri.rstrip('/')}/{self.name}"

    def _only(self, name: str) -> str:
        if name != self.name:
            raise ObjectNotFound(f"{name!r}: this store holds {self.name!r} alone")
        return name

    def size(self, name: str) -> int | None:
        return self.store.size(name) if name == self.name else None

    def generation(self, name: str) -> str:
        return self.store.generation(self._only(name))

    def read(self, name: str) -> bytes:
        return self.store.read(self._only(name))

    def read_range(self, name: str, start: int, length: int) -> bytes:
        return self.store.read_range(self._only(name), start, length)

    def open(self, name: str) -> BinaryIO:
        return self.store.open(self._only(name))

    def put_new(self, name: str, data: bytes | Path) -> bool:
        raise StoreError(f"{self.uri}: this is one object, not a folder; cannot create {name!r} here")

    def delete(self, name: str) -> None:
        raise StoreError(f"{self.uri}: opened for reading; cannot delete {name!r}")

    def list(self, prefix: str = "") -> Iterator[tuple[str, int]]:
        size = self.size(self.name)
        if self.name.startswith(prefix) and size is not None:
            yield self.name, size

    def sweep(self, older_than_s: float = 86_400.0) -> int:
        return 0


@dataclass(frozen=True)
class Chosen:
    """A store whose listing holds only what a pattern chooses, for reading: an input that is a pattern."""

    store: Store
    pattern: tuple[str, ...]

    @property
    def uri(self) -> str:
        return f"{self.store.uri.rstrip('/')}/{'/'.join(self.pattern)}"

    def size(self, name: str) -> int | None:
        return self.store.size(name)

    def generation(self, name: str) -> str:
        return self.store.generation(name)

    def read(self, name: str) -> bytes:
        return self.store.read(name)

    def read_range(self, name: str, start: int, length: int) -> bytes:
        return self.store.read_range(name, start, length)

    def open(self, name: str) -> BinaryIO:
        return self.store.open(name)

    def put_new(self, name: str, data: bytes | Path) -> bool:
        raise StoreError(f"{self.uri}: a pattern is for reading; cannot create {name!r}")

    def delete(self, name: str) -> None:
        raise StoreError(f"{self.uri}: a pattern is for reading; cannot delete {name!r}")

    def chooses(self, name: str) -> bool:
        """Return whether the pattern chooses the object, be it there or not."""
        return _matches(name.split("/"), self.pattern)

    def list(self, prefix: str = "") -> Iterator[tuple[str, int]]:
        for name, size in self.store.list(prefix):
            if self.chooses(name):
                yield name, size

    def sweep(self, older_than_s: float = 0.0) -> int:
        return 0


class Listed(Chosen):
    """A store whose listing holds exactly the names given, for reading: the files of a snapshot."""

    def chooses(self, name: str) -> bool:
        return name in self.pattern

    def list(self, prefix: str = "") -> Iterator[tuple[str, int]]:
        for name in self.pattern:
            size = self.size(name)
            if name.startswith(prefix) and size is not None:
                yield name, size
