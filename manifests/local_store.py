"""The store in a local folder: temporary name, fsync, hard link.

The link is the commit: it fails where the name is taken, and it shows the object whole or not at all.
An object's bytes are on disk before its name is, and its name is on disk before `put_new` answers.
"""

import errno
import io
import os
import secrets
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO, TypeVar

from manifests.store import ObjectNotFound, StoreError, check_name

TEMPORARY_PREFIX = ".corpusmill-tmp-"
_TRANSIENT = {errno.EIO, errno.EAGAIN, errno.EINTR, errno.ESTALE, errno.ETIMEDOUT, errno.EBUSY}
_ATTEMPTS = 3
_CHUNK_BYTES = 1 << 20
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
_READ_FILE = os.O_RDONLY | os.O_CLOEXEC
T = TypeVar("T")


class System:
    """Every call of a local store to the operating system, so that a test can make any of them fail."""

    open = staticmethod(os.open)
    read = staticmethod(os.read)
    pread = staticmethod(os.pread)
    write = staticmethod(os.write)
    fchmod = staticmethod(os.fchmod)
    fsync = staticmethod(os.fsync)
    close = staticmethod(os.close)
    link = staticmethod(os.link)
    unlink = staticmethod(os.unlink)
    mkdir = staticmethod(os.mkdir)
    stat = staticmethod(os.stat)
    sleep = staticmethod(time.sleep)
    now = staticmethod(time.time)

    def scandir(self, path: Path) -> AbstractContextManager[Iterator[os.DirEntry[str]]]:
        return os.scandir(path)


@dataclass(frozen=True)
class LocalStore:
    """Objects are files below `root`, which is made by the first `put_new`.

    Symbolic links to files are read and listed, links to folders are read and not walked. An object made
    from a Path gets the permissions that its folder grants, without the execute bits.
    """

    root: Path
    system: System = field(default_factory=System, repr=False, compare=False)
    _durable: set[Path] = field(default_factory=set, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "root", Path(os.path.abspath(self.root)))  # noqa: PTH100  (keeps links)

    def __reduce__(self) -> tuple[type["LocalStore"], tuple[Path, System]]:
        return (LocalStore, (self.root, self.system))  # what is durable here may not be so on another machine

    @property
    def uri(self) -> str:
        return str(self.root)

    def path(self, name: str) -> Path:
        """Return where the object is or would be."""
        check_name(name)
        if any(part.startswith(TEMPORARY_PREFIX) for part in name.split("/")):
            raise StoreError(f"{name!r}: names that start with {TEMPORARY_PREFIX} are the store's own")
        return self.root / name

    def size(self, name: str) -> int | None:
        status = self._status(name)
        return None if status is None else status.st_size

    def generation(self, name: str) -> str:
        status = self._status(name)
        if status is None:
            raise ObjectNotFound(f"{self.path(name)}: no such object")
        return f"{status.st_mtime_ns:x}-{status.st_size:x}"

    def _status(self, name: str) -> os.stat_result | None:
        return self._status_of(self.path(name))

    def _status_of(self, path: Path) -> os.stat_result | None:
        try:
            status = self._retried("look up", path, lambda: self.system.stat(path))
        except ObjectNotFound:
            return None
        return status if stat.S_ISREG(status.st_mode) else None

    def read(self, name: str) -> bytes:
        path = self.path(name)

        def whole() -> bytes:
            with _Descriptor(self.system, path, _READ_FILE) as fd:
                return b"".join(iter(lambda: self.system.read(fd, _CHUNK_BYTES), b""))

        return self._retried("read", path, whole)

    def read_range(self, name: str, start: int, length: int) -> bytes:
        path = self.path(name)
        return self._retried("read", path, lambda: self._range(path, start, length))

    def _range(self, path: Path, start: int, length: int) -> bytes:
        pieces, got = [], 0
        with _Descriptor(self.system, path, _READ_FILE) as fd:
            while got < length and (piece := self.system.pread(fd, length - got, start + got)):
                pieces.append(piece)
                got += len(piece)
        return b"".join(pieces)

    def open(self, name: str) -> BinaryIO:
        path = self.path(name)

        def opened() -> BinaryIO:
            raw = io.FileIO(path, "rb", opener=lambda at, _: self.system.open(at, _READ_FILE))
            return io.BufferedReader(raw, _CHUNK_BYTES)

        return self._retried("open", path, opened)

    def put_new(self, name: str, data: bytes | Path) -> bool:
        path = self.path(name)
        try:
            created = self._put(path, data)
        except ObjectNotFound:  # the folder was there once and has been removed
            self._durable.clear()
            created = self._put(path, data)
        if isinstance(data, Path):
            self._discard(data)
        return created

    def _put(self, path: Path, data: bytes | Path) -> bool:
        self._make_folder(path.parent)
        created = False
        if self._status_of(path) is None:
            created = self._retried("create", path, lambda: self._create(path, data))
        # Also where another writer was first: it may have died between its link and this.
        self._retried("make durable", path, lambda: self._fsync_folder(path.parent))
        return created

    def _create(self, path: Path, data: bytes | Path) -> bool:
        """Write and link once; after an error all of it is repeated: a failed fsync may have lost bytes."""
        if isinstance(data, Path) and (linked := self._adopt(path, data)) is not None:
            return linked
        temporary = path.parent / f"{TEMPORARY_PREFIX}{secrets.token_hex(12)}"
        try:
            with _Descriptor(self.system, temporary, _NEW_FILE) as fd:
                self._fill(fd, data)
                self.system.fsync(fd)
            return self._link(temporary, path)
        finally:
            self._discard(temporary)

    def _adopt(self, path: Path, source: Path) -> bool | None:
        """Link a finished local file to its name; None where it is on another device and has to be copied."""
        with _Descriptor(self.system, source, _READ_FILE) as fd:
            self.system.fchmod(fd, self.system.stat(path.parent).st_mode & 0o666)
            self.system.fsync(fd)
        try:
            return self._link(source, path)
        except OSError as error:
            if error.errno == errno.EXDEV:
                return None
            raise

    def _fill(self, fd: int, data: bytes | Path) -> None:
        if isinstance(data, bytes):
            self._write_all(fd, data)
            return
        with _Descriptor(self.system, data, _READ_FILE) as source:
            while chunk := self.system.read(source, _CHUNK_BYTES):
                self._write_all(fd, chunk)

    def _write_all(self, fd: int, data: bytes) -> None:
        rest = memoryview(data)
        while rest:
            written = self.system.write(fd, rest)
            if written <= 0:
                raise OSError(errno.EIO, "the system wrote nothing and reported no error")
            rest = rest[written:]

    def _link(self, temporary: Path, path: Path) -> bool:
        """Give the file its name; False where another file bears it.

        An error may come after the link was made (NFS), so the answer is what the name shows.
        """
        try:
            self.system.link(temporary, path)
        except OSError as error:
            if error.errno != errno.EEXIST and not self._is_there(path):
                raise
            status = self.system.stat(path)
            if not stat.S_ISREG(status.st_mode):
                raise
            return os.path.samestat(self.system.stat(temporary), status)
        return True

    def _is_there(self, path: Path) -> bool:
        try:
            self.system.stat(path)
        except OSError:
            return False
        return True

    def _discard(self, path: Path) -> None:
        """Remove a temporary file; one that stays is harmless, and `sweep` finds it."""
        try:
            self.system.unlink(path)
        except OSError:
            return

    def _make_folder(self, folder: Path) -> None:
        """Make the folder and its parents, each entry on disk; once per process for each folder."""
        if folder in self._durable:
            return
        parent = folder.parent
        if self.root in folder.parents or not self._is_folder(parent):
            self._make_folder(parent)
        self._retried("make folder", folder, lambda: self._mkdir(folder))
        self._retried("make durable", folder, lambda: self._fsync_folder(parent))
        self._durable.add(folder)

    def _is_folder(self, path: Path) -> bool:
        try:
            return stat.S_ISDIR(self._retried("look up", path, lambda: self.system.stat(path)).st_mode)
        except ObjectNotFound:
            return False

    def _mkdir(self, folder: Path) -> None:
        try:
            self.system.mkdir(folder)
        except FileExistsError:
            if not stat.S_ISDIR(self.system.stat(folder).st_mode):
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR)) from None

    def _fsync_folder(self, folder: Path) -> None:
        with _Descriptor(self.system, folder, _READ_FILE | os.O_DIRECTORY) as fd:
            # Not repeated: a second fsync may say yes to what the first has lost.
            self._guarded("make durable", folder, lambda: self.system.fsync(fd))

    def delete(self, name: str) -> None:
        path = self.path(name)
        try:
            self._retried("delete", path, lambda: self.system.unlink(path))
        except ObjectNotFound:
            return
        self._retried("make durable", path, lambda: self._fsync_folder(path.parent))

    def list(self, prefix: str = "") -> Iterator[tuple[str, int]]:
        folder = prefix.rpartition("/")[0]
        if folder:
            check_name(folder)
        for name, entry in self._walk(f"{folder}/" if folder else ""):
            if not name.startswith(prefix) or entry.name.startswith(TEMPORARY_PREFIX):
                continue
            if (status := self._status(name)) is not None:
                yield name, status.st_size

    def _walk(self, folder: str) -> Iterator[tuple[str, os.DirEntry[str]]]:
        for key, entry in self._entries(folder):
            if key.endswith("/"):
                yield from self._walk(folder + key)
            elif self._is_file(entry):
                yield folder + key, entry

    def _is_file(self, entry: os.DirEntry[str]) -> bool:
        """Return whether a file stands there; a link that leads back to itself is as dead as one to nothing."""
        try:
            return entry.is_file()
        except OSError as error:
            if error.errno == errno.ELOOP:
                return False
            raise _named("look up", Path(entry.path), error) from error

    def _entries(self, folder: str) -> Sequence[tuple[str, os.DirEntry[str]]]:
        """Entries of a folder; "/" after a sub-folder's name gives the order of whole names."""
        path = self.root / folder

        def scanned() -> Sequence[tuple[str, os.DirEntry[str]]]:
            with self.system.scandir(path) as entries:
                return [(e.name + "/" * e.is_dir(follow_symlinks=False), e) for e in entries]

        try:
            found = self._retried("list", path, scanned)
        except ObjectNotFound:
            return []
        return sorted(found, key=lambda item: os.fsencode(item[0]))

    def sweep(self, older_than_s: float = 86_400.0) -> int:
        old = self.system.now() - older_than_s
        left = [self.root / name for name, entry in self._walk("") if entry.name.startswith(TEMPORARY_PREFIX)]
        return sum(self._sweep(path, old) for path in left)

    def _sweep(self, path: Path, old: float) -> bool:
        """Remove a leftover from before `old` (seconds since 1970); False where it is younger or gone."""
        try:
            if self._retried("look up", path, lambda: self.system.stat(path)).st_mtime > old:
                return False
            self._retried("sweep", path, lambda: self.system.unlink(path))
        except ObjectNotFound:
            return False
        return True

    def _retried(self, action: str, path: Path, call: Callable[[], T]) -> T:
        """Return call(), repeated a bounded number of times while the system says that it is worth it."""
        for attempt in range(1, _ATTEMPTS):
            try:
                return call()
            except OSError as error:
                if error.errno not in _TRANSIENT:
                    raise _named(action, path, error) from error
                self.system.sleep(0.02 * 4**attempt)
        return self._guarded(action, path, call)

    def _guarded(self, action: str, path: Path, call: Callable[[], T]) -> T:
        try:
            return call()
        except OSError as error:
            raise _named(action, path, error) from error


@dataclass
class _Descriptor:
    """A file descriptor that is closed; an error of close counts unless another error is on its way."""

    system: System
    path: Path
    flags: int

    def __enter__(self) -> int:
        self.fd = self.system.open(self.path, self.flags, 0o666)
        return self.fd

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            self.system.close(self.fd)
        except OSError:
            if kind is None:
                raise


def _named(action: str, path: Path, error: OSError) -> StoreError:
    if isinstance(error, StoreError):
        return error
    code = errno.errorcode.get(error.errno or 0, type(error).__name__)
    missing = error.errno in (errno.ENOENT, errno.ENOTDIR)
    return (ObjectNotFound if missing else StoreError)(f"cannot {action} {path}: {error.strerror} ({code})")
