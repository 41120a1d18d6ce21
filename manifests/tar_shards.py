"""WebDataset tar shards whose bytes follow from their samples, and a reader that takes no other tar.

A member is `<32 hex digits>.<extension>`, or `<32 hex digits>.<4 to 6 digits>.<extension>` where a sample holds several
files of a kind (`0000.jpg` is then the field, for webdataset and Megatron-Energon alike). A sample is the neighbouring
members of one key, keys ascend and so do the extensions of a sample. Every other bit of a header is fixed, so the
reader rebuilds each header from its name and size and compares: one flipped bit, one missing or added byte is found
where it is. (A tar reader that resynchronises ends such a shard early and in silence.)
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa

from manifests.integrity import IntegrityError, Problem
from manifests.shards import Shard, write_shard
from manifests.store import Store

BLOCK = 512
MAX_MEMBER_BYTES = 8**11 - 1  # the size field holds eleven octal digits
END = bytes(2 * BLOCK)
_TEXTS = {"json", "txt", "srt", "vtt"}
_IMAGES = {"jpg", "png", "webp", "gif", "avif", "tif", "bmp"}
_AUDIO = {"flac", "wav", "mp3", "ogg", "opus", "m4a"}
_VIDEO = {"mp4", "webm", "mkv"}
_ARRAYS = {"npy"}  # features
EXTENSIONS = frozenset(_TEXTS | _IMAGES | _AUDIO | _VIDEO | _ARRAYS)
_COLUMNS: list[tuple[str, pa.DataType]] = [
    ("id", pa.binary(16)),
    ("extension", pa.string()),
    ("offset", pa.int64()),  # of the member's first byte of content
    ("bytes", pa.int64()),
    ("sha256", pa.binary(32)),
]
INDEX = pa.schema(_COLUMNS)
_NAME = re.compile(r"([0-9a-f]{32})\.((?:[0-9]{4,6}\.)?[a-z0-9]+)")
_NUMBER = re.compile(r"[0-9]{4,6}\.")

Sample = tuple[str, Mapping[str, bytes]]


@dataclass(frozen=True)
class Member:
    """One file of a shard: `key`.`extension`, `bytes` of content from `offset`, its sha256 in hex."""

    key: str
    extension: str
    offset: int
    bytes: int
    sha256: str

    def as_row(self) -> dict[str, Any]:
        """Return the member as a row of INDEX."""
        return {**asdict(self), "id": bytes.fromhex(self.key), "sha256": bytes.fromhex(self.sha256)}


def header(name: str, size: int) -> bytes:
    """Return the one header, 512 bytes of ustar, that a member of this name and size has here.

    Mode 0644, user and group 0 without names, time 0, a plain file.
    """
    fields = b"".join(
        (
            name.encode("ascii").ljust(100, b"\0"),
            b"0000644\0" + b"0000000\0" * 2,
            b"%011o\0" % size,
            b"%011o\0" % 0,
            b" " * 8,
            b"0".ljust(101, b"\0"),
            b"ustar\00000",
        )
    ).ljust(BLOCK, b"\0")
    return fields[:148] + b"%06o\0 " % sum(fields) + fields[156:]


def _is_known(extension: str) -> bool:
    return _NUMBER.sub("", extension, count=1) in EXTENSIONS


def _checked(key: str, parts: Mapping[str, bytes], last: str) -> None:
    """Raise ValueError for a sample that a shard cannot hold at this place."""
    if not re.fullmatch(r"[0-9a-f]{32}", key):
        raise ValueError(f"key {key!r} is not 32 lower-case hex digits")
    if key <= last:
        raise ValueError(f"key {key} after {last}: keys ascend, and a key comes once")
    if not parts:
        raise ValueError(f"sample {key} has no member")
    for extension, content in parts.items():
        if not _is_known(extension):
            raise ValueError(f"sample {key}: {extension!r} is not one of {', '.join(sorted(EXTENSIONS))}")
        if len(content) > MAX_MEMBER_BYTES:
            raise ValueError(f"{key}.{extension}: {len(content)} bytes are over the limit of {MAX_MEMBER_BYTES}")


def write_tar(file: BinaryIO, samples: Iterable[Sample]) -> list[Member]:
    """Write a whole tar of `samples`, which come by ascending key, and return its members in order.

    Raises ValueError for a bad key or extension, a key that does not ascend, and a sample without members.
    """
    members: list[Member] = []
    last, offset = "", 0
    for key, parts in samples:
        _checked(key, parts, last)
        last = key
        for extension in sorted(parts):
            content = parts[extension]
            file.write(header(f"{key}.{extension}", len(content)))
            file.write(content)
            file.write(bytes(-len(content) % BLOCK))
            sha256 = hashlib.sha256(content).hexdigest()
            members.append(Member(key, extension, offset + BLOCK, len(content), sha256))
            offset += BLOCK + len(content) + -len(content) % BLOCK
    file.write(END)
    return members


def index_table(members: Iterable[Member]) -> pa.Table:
    """Return the members as a table of schema INDEX, in their order."""
    return pa.Table.from_pylist([member.as_row() for member in members], INDEX)


def write_tar_shard(
    store: Store, stem: str, kind: str, samples: Iterable[Sample], scratch: Path
) -> tuple[Shard, Shard]:
    """Store samples as `stem-<sha8>.tar` with an index `stem-<sha8>.parquet` (kind "index"); return both.

    The tar is made in the local file `scratch`, which is gone afterwards; its size is bounded by that disk.
    """
    try:
        with scratch.open("w+b") as file:
            members = write_tar(file, samples)
            size = file.tell()
            file.seek(0)
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        name = f"{stem}-{digest[:8]}.tar"
        if not store.put_new(name, scratch) and store.size(name) != size:
            raise RuntimeError(f"{name}: written twice with different bytes; what makes it is not deterministic")
    finally:
        with suppress(FileNotFoundError):
            scratch.unlink()
    keys = [key for key, _ in groupby(members, lambda member: member.key)]
    ends = (keys[0], keys[-1]) if keys else (None, None)
    shard = Shard(name, kind, size, digest, len(keys), *ends)
    return shard, write_shard(store, stem, "index", index_table(members))


def read_members(file: BinaryIO, shard: str) -> Iterator[tuple[str, str, int, bytes]]:
    """Yield (key, extension, offset of the content, content) of a tar that `write_tar` made, in order.

    Raises IntegrityError, naming shard and byte, at the first thing that `write_tar` would not write.
    """
    offset, last = 0, ("", "")
    while (block := _take(file, BLOCK, shard, offset)) != END[:BLOCK]:
        key, extension, size = _parsed(block, shard, offset)
        if (key, extension) <= last:
            found = f"{key}.{extension} after {'.'.join(last)}"
            raise _wrong(shard, "order of members", "ascending names", found, offset)
        last, start = (key, extension), offset + BLOCK
        content = _take(file, size, shard, start)
        padding = _take(file, -size % BLOCK, shard, start + size)
        if padding.strip(b"\0"):
            raise _wrong(shard, "padding", "zero bytes", "others", start + size)
        yield key, extension, start, content
        offset = start + size + len(padding)
    _take_end(file, shard, offset)


def read_samples(file: BinaryIO, shard: str) -> Iterator[tuple[str, dict[str, bytes]]]:
    """Yield (key, {extension: content}) of each sample; errors as in `read_members`.

    A sample is handed out when the next one has begun or the end has been seen, so never in part.
    """
    for key, members in groupby(read_members(file, shard), itemgetter(0)):
        yield key, {extension: content for _, extension, _, content in members}


def read_member(store: Store, shard: str, member: Member) -> bytes:
    """Return one member's content by its index entry; raises IntegrityError for another sha256."""
    content = store.read_range(shard, member.offset, member.bytes)
    found = hashlib.sha256(content).hexdigest()
    if found != member.sha256:
        what = f"sha256 of {member.key}.{member.extension}"
        raise _wrong(shard, what, member.sha256, found, member.offset)
    return content


def _parsed(block: bytes, shard: str, offset: int) -> tuple[str, str, int]:
    """Return (key, extension, bytes of content) of a header that is exactly as `header` makes it."""
    name = block[:100].rstrip(b"\0").decode("latin-1")
    match, octal = _NAME.fullmatch(name), block[124:135]
    if match is None or not _is_known(match.group(2)):
        raise _wrong(shard, "member name", "32 hex digits and a known extension", repr(name), offset)
    if not re.fullmatch(rb"[0-7]{11}", octal):
        raise _wrong(shard, "member size", "eleven octal digits", repr(octal), offset)
    right = header(name, int(octal, 8))
    if block != right:
        place = next(i for i in range(BLOCK) if block[i] != right[i])
        raise _wrong(shard, f"header of {name}", f"byte {right[place]:#04x}", f"{block[place]:#04x}", offset + place)
    return match.group(1), match.group(2), int(octal, 8)


def _take(file: BinaryIO, size: int, shard: str, offset: int) -> bytes:
    """Return exactly `size` bytes of content, padding or header."""
    piece = file.read(size) if size <= 1 << 24 else b"".join(_pieces(file, size))
    if len(piece) != size:
        raise _wrong(shard, "length", f"{size} more bytes", f"{len(piece)}, then the end of the file", offset)
    return piece


def _pieces(file: BinaryIO, size: int) -> Iterator[bytes]:
    """Read in pieces, so that a size that lies costs no memory."""
    while size > 0 and (piece := file.read(min(size, 1 << 24))):
        size -= len(piece)
        yield piece


def _take_end(file: BinaryIO, shard: str, offset: int) -> None:
    second = file.read(BLOCK + 1)
    if second != END[:BLOCK]:
        found = f"{len(second)} bytes" + (" with data in them" if second.strip(b"\0") else "")
        raise _wrong(shard, "end of archive", "one more block of zeros and no byte after it", found, offset + BLOCK)


def _wrong(shard: str, what: str, expected: str, found: str, offset: int) -> IntegrityError:
    return IntegrityError(Problem(shard, what, expected, found, offset))
