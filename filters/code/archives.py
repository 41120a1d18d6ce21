"""Members of archives and bare git repositories, read as streams inside a guarded child: nothing is written anywhere.

Archives are told by their bytes, not by names: tar (plain, gzip, bzip2, xz, zstd), zip and so wheels and jars, ar and
so Debian packages (their data.tar). Of a git repository the objects come in and the tree of one commit goes out;
nothing of it is executed, no hook, no filter, no alternate. A member that is no file costs itself and says why; what
is beyond a limit ends its archive, and what came before stays.
"""

import bz2
import gzip
import io
import json
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any

import pyarrow as pa
import zstandard

from filters.code.names import is_license_name, unsafe
from filters.guard_child import Outputs, Progress
from manifests.limits import MIB, CodeLimits, Limits
from manifests.reasons import CodeFault, SkippedCode

ARCHIVES_VERSION = 1
ARCHIVE = pa.schema(
    [
        ("kind", pa.string()),  # archive | git
        ("payload", pa.large_binary()),  # of an archive its bytes; of git the objects (pack_git)
        ("revision", pa.string()),  # git: what to read, or null for HEAD
        ("cursor", pa.int64()),  # members to pass over
        ("only_licenses", pa.bool_()),  # the names of all members, the bytes of licence texts only
    ]
)
MEMBERS = pa.schema(
    [
        ("ordinal", pa.int64()),  # among all members that are no folders
        ("path", pa.string()),  # escaped where it is no UTF-8
        ("what", pa.string()),  # file | fault | skipped
        ("reason", pa.string()),  # manifests.reasons.CodeFault or SkippedCode
        ("detail", pa.string()),
        ("limit", pa.string()),
        ("observed", pa.int64()),
        ("payload", pa.large_binary()),
    ]
)
_VERSION_CONTROL = frozenset({".git", ".hg", ".svn", ".bzr", "CVS"})
_PIECE = 1 << 16


class _Ended(Exception):
    """The archive can't be read further."""

    def __init__(self, reason: CodeFault, detail: str, limit: str | None = None, observed: int | None = None) -> None:
        super().__init__(detail)
        self.reason, self.detail, self.limit, self.observed = reason, detail, limit, observed


@dataclass(frozen=True)
class Member:
    """One member: a file with its bytes, or why it is none."""

    path: str
    what: str
    payload: bytes = b""
    reason: str | None = None
    detail: str = ""
    limit: str | None = None
    observed: int | None = None


def read_batch(batch: pa.RecordBatch, limits: Limits, code: CodeLimits, progress: Progress) -> Outputs:
    """Return the members of one archive from its cursor on, as many as a window holds, and whether that was all."""
    row = {name: batch[name][0] for name in batch.schema.names}
    payload, cursor = row["payload"].as_buffer(), row["cursor"].as_py()
    if row["kind"].as_py() == "git":
        members = _git_members(payload, row["revision"].as_py(), limits)
    else:
        members = _members(payload, limits, code)
    rows: list[dict[str, Any]] = []
    held, done = 0, True
    for ordinal, member in enumerate(_bounded(members, code)):
        progress(0)
        if ordinal >= cursor:
            if rows and held + len(member.payload) > code.archive_window_bytes:
                done = False
                break
            body = b"" if row["only_licenses"].as_py() and not is_license_name(member.path) else member.payload
            rows.append({"ordinal": ordinal, **member.__dict__, "payload": body})
            held += len(body)
    return {"members": pa.RecordBatch.from_pylist(rows, MEMBERS), "done": json.dumps(done).encode()}


def _bounded(members: Iterator[Member], code: CodeLimits) -> Iterator[Member]:
    """Yield the members; damage and limits end them with a fault that has no path."""
    seen: set[str] = set()
    count = 0
    try:
        for member in members:
            count += 1
            if count > code.max_archive_members:
                raise _Ended(CodeFault.TOO_MANY_MEMBERS, "members", "max_archive_members", count)
            if member.what == "file" and member.path in seen:
                yield _fault(member.path, CodeFault.DUPLICATE_MEMBER, "the name stood there before")
            else:
                seen.add(member.path)
                yield member
    except _Ended as ended:
        yield Member("", "fault", b"", str(ended.reason), ended.detail, ended.limit, ended.observed)
    except _DAMAGE as error:
        yield _fault("", CodeFault.DAMAGED_ARCHIVE, f"{type(error).__name__}: {str(error)[:120]}")


_DAMAGE = (
    tarfile.TarError,
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    zstandard.ZstdError,
    EOFError,
    OSError,
    ValueError,
    NotImplementedError,
    RuntimeError,
    KeyError,
    IndexError,
    struct.error,
    AssertionError,
)


def _fault(path: str, reason: CodeFault, detail: str, limit: str | None = None, observed: int | None = None) -> Member:
    return Member(path, "fault", b"", str(reason), detail, limit, observed)


def shown(name: str | bytes) -> str:
    """Return a name as text: bytes that are no UTF-8 as escapes."""
    raw = name.encode("utf-8", "surrogateescape") if isinstance(name, str) else name
    return raw.decode(errors="backslashreplace")[:1024].replace("\0", "\\x00")


def judged(name: str | bytes, size: int, limits: Limits) -> Member | None:
    """Return why a file of this name and size isn't read, None where it is."""
    why = unsafe(name, limits.max_member_name_bytes)
    if why is not None:
        return _fault(shown(name), CodeFault.UNSAFE_PATH, why)
    path = shown(name)
    if not _VERSION_CONTROL.isdisjoint(path.split("/")[:-1]):
        return Member(path, "skipped", b"", str(SkippedCode.VERSION_CONTROL))
    if size > limits.max_record_bytes:
        return _fault(path, CodeFault.FILE_TOO_LARGE, "the file", "max_record_bytes", size)
    return None


class _Counted(io.RawIOBase):
    """A decoded stream that ends where it has given more than the limits allow."""

    def __init__(self, stream: IO[bytes], coded: int, limits: Limits, code: CodeLimits) -> None:
        self.stream, self.given = stream, 0
        self.most = code.max_archive_expanded_bytes
        self.most_by_ratio = MIB + coded * limits.max_coding_ratio

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self.stream.read(min(len(buffer), _PIECE))
        self.given += len(data)
        if self.given > self.most:
            raise _Ended(CodeFault.ARCHIVE_BOMB, "decoded bytes", "max_archive_expanded_bytes", self.given)
        if self.given > self.most_by_ratio:
            raise _Ended(CodeFault.ARCHIVE_BOMB, "decoded / coded bytes", "max_coding_ratio", self.given)
        buffer[: len(data)] = data
        return len(data)


def _members(payload: Any, limits: Limits, code: CodeLimits) -> Iterator[Member]:
    head = bytes(memoryview(payload)[:8])
    file = io.BytesIO(payload)
    if head.startswith(b"!<arch>\n"):
        yield from _debian_members(file, limits, code)
    elif head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        yield from _zip_members(file, payload.size, limits, code)
    else:
        yield from _tar_members(file, payload.size, head, limits, code)


def _decoder(file: IO[bytes], head: bytes) -> IO[bytes]:
    if head.startswith(b"\x1f\x8b"):
        return gzip.GzipFile(fileobj=file)  # type: ignore[return-value]
    if head.startswith(b"BZh"):
        return bz2.BZ2File(file)
    if head.startswith((b"\xfd7zXZ\0", b"]\0\0")):
        return lzma.LZMAFile(file)
    if head.startswith(b"\x28\xb5\x2f\xfd"):
        reader = zstandard.ZstdDecompressor(max_window_size=1 << 27)
        return reader.stream_reader(file, read_across_frames=True)
    return file


def _tar_members(file: IO[bytes], coded: int, head: bytes, limits: Limits, code: CodeLimits) -> Iterator[Member]:
    stream = io.BufferedReader(_Counted(_decoder(file, head), coded, limits, code), MIB)
    with tarfile.open(fileobj=stream, mode="r|", encoding="utf-8", errors="surrogateescape") as tar:
        for info in tar:
            if info.isdir():
                continue
            yield _tar_member(tar, info, limits)
            tar.members = []  # type: ignore[attr-defined]  # the reader would keep them all


def _tar_member(tar: tarfile.TarFile, info: tarfile.TarInfo, limits: Limits) -> Member:
    name = info.name.removeprefix("./")
    if info.issym():
        return Member(shown(name), "skipped", b"", str(SkippedCode.SYMLINK))
    if not info.isreg() or info.sparse is not None:
        return _fault(shown(name), CodeFault.DEVICE, f"a member of type {info.type!r}")
    refused = judged(name, info.size, limits)
    if refused is not None:
        return refused
    content = tar.extractfile(info)
    data = content.read() if content is not None else b""
    if len(data) != info.size:
        raise _Ended(CodeFault.DAMAGED_ARCHIVE, "the archive ends inside a member")
    return Member(shown(name), "file", data)


def _zip_members(file: IO[bytes], coded: int, limits: Limits, code: CodeLimits) -> Iterator[Member]:
    given, most_by_ratio = 0, MIB + coded * limits.max_coding_ratio
    with zipfile.ZipFile(file) as archive:
        infos = sorted(archive.infolist(), key=lambda info: info.header_offset)
        for info in infos:
            if info.is_dir():
                continue
            member = _zip_member(archive, info, limits)
            given += len(member.payload)
            if given > code.max_archive_expanded_bytes:
                raise _Ended(CodeFault.ARCHIVE_BOMB, "decoded bytes", "max_archive_expanded_bytes", given)
            if given > most_by_ratio:
                raise _Ended(CodeFault.ARCHIVE_BOMB, "decoded / coded bytes", "max_coding_ratio", given)
            yield member


def _zip_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, limits: Limits) -> Member:
    name = info.filename
    if info.external_attr >> 28 == 0xA:
        return Member(shown(name), "skipped", b"", str(SkippedCode.SYMLINK))
    refused = judged(name, info.file_size, limits)
    if refused is not None:
        return refused
    if info.flag_bits & 1:
        return _fault(shown(name), CodeFault.DAMAGED_ARCHIVE, "the member is encrypted")
    with archive.open(info) as content:
        data = content.read(limits.max_record_bytes + 1)
    if len(data) > limits.max_record_bytes:  # more than its header said
        return _fault(shown(name), CodeFault.FILE_TOO_LARGE, "the file", "max_record_bytes", len(data))
    return Member(shown(name), "file", data)


def _debian_members(file: IO[bytes], limits: Limits, code: CodeLimits) -> Iterator[Member]:
    """Yield the members of the data archive of a Debian package (deb(5)), paths below its root."""
    file.seek(8)
    while header := file.read(60):
        if len(header) < 60 or header[58:] != b"`\n" or not header[48:58].strip().isdigit():
            raise _Ended(CodeFault.DAMAGED_ARCHIVE, "no ar header stands here")
        name, size = header[:16].rstrip(b" /"), int(header[48:58])
        body = file.read(size)
        if len(body) != size:
            raise _Ended(CodeFault.DAMAGED_ARCHIVE, "the archive ends inside a member")
        file.read(size & 1)
        if name.startswith(b"data.tar"):
            yield from _tar_members(io.BytesIO(body), size, body[:8], limits, code)


def pack_git(objects: list[tuple[str, bytes]]) -> bytes:
    """Return files of a bare repository as one payload: a table of names and sizes, then their bytes."""
    table = json.dumps([(name, len(data)) for name, data in objects]).encode()
    return b"".join([struct.pack("<Q", len(table)), table, *(data for _, data in objects)])


def _unpack_git(payload: Any) -> dict[str, bytes]:
    view = memoryview(payload)
    (length,) = struct.unpack_from("<Q", view)
    files, at = {}, 8 + length
    for name, size in json.loads(bytes(view[8:at])):
        files[name] = bytes(view[at : at + size])
        at += size
    return files


def _git_members(payload: Any, revision: str | None, limits: Limits) -> Iterator[Member]:
    from filters.code.git import GitError, tree_of

    try:
        for path, kind, data in tree_of(_unpack_git(payload), revision, limits.max_record_bytes):
            yield _git_member(path, kind, data, limits)
    except GitError as error:
        raise _Ended(CodeFault.DAMAGED_REPOSITORY, str(error)) from error


def _git_member(path: bytes, kind: str, data: bytes | int, limits: Limits) -> Member:
    if kind == "symlink":
        return Member(shown(path), "skipped", b"", str(SkippedCode.SYMLINK))
    if kind == "submodule":
        return Member(shown(path), "skipped", b"", str(SkippedCode.SUBMODULE))
    size = data if isinstance(data, int) else len(data)
    refused = judged(path, size, limits)
    if refused is not None or isinstance(data, int):
        return refused or _fault(shown(path), CodeFault.FILE_TOO_LARGE, "the file", "max_record_bytes", size)
    return Member(shown(path), "file", data)
