"""Tar archives (ustar, GNU, pax; plain, gzip, zstd): members as streams, nothing is ever extracted.

Python's own reader ends without an error at a damaged header. Here the archive goes on at the next header
whose checksum is right, and the bytes between are lost and counted. Archives joined by `cat` are read to the
end.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from manifests.limits import MIB, Limits
from manifests.reasons import Quarantine, Skipped
from pipelines.sources.files import media_type_of
from pipelines.sources.jsonl import stream_broken
from pipelines.sources.streams import DecodedStream
from pipelines.sources.units import Broken, Event, Found, Unit

BLOCK = 512
ZERO = bytes(BLOCK)
MAX_EXTENSION_BYTES = 1 << 20  # of a pax or long-name record
FILE_TYPES, FOLDER_TYPE = b"0\x007", b"5"
LINK_AND_DEVICE_TYPES = b"12346"
LONG_NAME, LONG_LINK, PAX, PAX_GLOBAL = b"L", b"K", b"x", b"g"


@dataclass(frozen=True, slots=True)
class Member:
    """A header: `name` as bytes, as it stands; `offset` of the header in the decoded archive."""

    name: bytes
    size: int
    kind: bytes
    offset: int


class TarStream:
    """Forward reading with a position."""

    def __init__(self, file: BinaryIO) -> None:
        self.file, self.position = file, 0

    def read(self, length: int) -> bytes:
        data = self.file.read(length)
        self.position += len(data)
        return data

    def skip(self, length: int) -> bool:
        """Return whether there were `length` bytes to leave out."""
        while length > 0:
            data = self.read(min(length, MIB))
            if not data:
                return False
            length -= len(data)
        return True


def octal(field: bytes) -> int | None:
    """Return a number field: octal digits, or base 256 where its first bit is set; None if it is neither."""
    if field[:1] == b"\x80":
        return int.from_bytes(field[1:], "big")
    digits = field.strip(b" \0")
    return int(digits or b"0", 8) if all(48 <= digit <= 55 for digit in digits) else None


def parse_header(block: bytes, offset: int) -> Member | None:
    """Return the member whose header `block` is, None where the checksum is wrong."""
    stated, size = octal(block[148:156]), octal(block[124:136])
    actual = sum(block) - sum(block[148:156]) + 8 * 32
    if len(block) < BLOCK or stated != actual or size is None or block == ZERO:
        return None
    name, prefix = block[:100].split(b"\0")[0], block[345:500].split(b"\0")[0]
    if prefix and block[257:263] == b"ustar\0":
        name = prefix + b"/" + name
    return Member(name, size, block[156:157], offset)


def pax_fields(data: bytes) -> dict[bytes, bytes]:
    """Return the records of a pax header ("27 path=some/name\\n"); what does not parse ends it."""
    fields = {}
    while data:
        digits, space, rest = data.partition(b" ")
        if not (space and digits.isdigit() and len(digits) < 10):
            break
        length = int(digits)
        key, equals, value = rest[: max(0, length - len(digits) - 1)].partition(b"=")
        if not equals:
            break
        fields[key] = value.removesuffix(b"\n")
        data = data[length:]
    return fields


def member_name(raw: bytes, max_bytes: int) -> str | None:
    """Return a member's name if it stays below the folder that it would be unpacked in, else None."""
    try:
        name = raw.decode()
    except UnicodeDecodeError:
        return None
    unsafe = not name or "\0" in name or name.startswith("/") or len(raw) > max_bytes
    return None if unsafe or ".." in name.split("/") else name.removeprefix("./")


class TarReader:
    """One pass over an archive."""

    def __init__(self, stream: TarStream, unit: Unit, limits: Limits, media_types: frozenset[str]) -> None:
        self.stream, self.unit, self.limits, self.media_types = stream, unit, limits, media_types
        self.marked = False  # the last block was zero, which is how an archive ends
        self.cut = False  # the archive ended inside a member, and that has been said
        self._found: bytes = b""  # a header block that the search for one has read

    def events(self) -> Iterator[Event]:
        """Yield what the archive holds; a missing end marker is an event as well, of no bytes."""
        extended: dict[bytes, bytes] = {}
        while block := self._found or self.stream.read(BLOCK):
            self._found = b""
            self.marked = not block.strip(b"\0")
            if self.marked:
                continue
            member = parse_header(block, self.stream.position - len(block))
            if member is None:
                yield self._search(len(block))
            elif member.kind in (LONG_NAME, LONG_LINK, PAX, PAX_GLOBAL):
                extended |= self._extension(member)
            else:
                yield from self._member(self._extended(member, extended), b"GNU.sparse.major" in extended)
                extended = {}
        if not (self.marked or self.cut):
            detail = "the archive ends without its end marker"
            yield Broken(Quarantine.TRUNCATED_RECORD, detail, self.stream.position)

    def _search(self, lost: int) -> Broken:
        """Go to the next block that is a header, return what was lost on the way.

        Zero blocks before the archive's end are its end marker and not lost.
        """
        start, zeros = self.stream.position - lost, 0
        while block := self.stream.read(BLOCK):
            if block[257:262] == b"ustar" and parse_header(block, 0):
                self._found, zeros = block, 0
                break
            zeros = zeros + 1 if block == ZERO else 0
            lost += len(block)
        self.marked = zeros >= 2
        self.cut = not (self._found or self.marked)
        lost -= zeros * BLOCK if self.marked else 0
        return Broken(Quarantine.DAMAGED_CONTAINER, "no tar header stands here", start, size=lost, lost_bytes=lost)

    def _extension(self, member: Member) -> dict[bytes, bytes]:
        """Return what a pax or long-name record says of the next member; a global one says nothing here."""
        if member.size > MAX_EXTENSION_BYTES:
            self.stream.skip(member.size)
            return {}
        data = self.stream.read(member.size)
        self.stream.skip(-member.size % BLOCK)
        if member.kind == LONG_NAME:
            return {b"path": data.rstrip(b"\0")}
        return pax_fields(data) if member.kind == PAX else {}

    def _extended(self, member: Member, extended: dict[bytes, bytes]) -> Member:
        size = extended.get(b"size", b"")
        stated = int(size) if size.isdigit() and len(size) < 19 else member.size
        return Member(extended.get(b"path", member.name), stated, member.kind, member.offset)

    def _member(self, member: Member, sparse: bool) -> Iterator[Event]:
        event = None if member.kind == FOLDER_TYPE else self._judged(member, sparse)
        padding = -member.size % BLOCK
        if event is not None or member.kind == FOLDER_TYPE:
            whole = self.stream.skip(member.size)
        else:
            data = self.stream.read(member.size)
            whole = len(data) == member.size
            name = member_name(member.name, self.limits.max_member_name_bytes) or ""
            event = Found(self._uri(name), data, member.offset, media_type_of(name))
        if not whole:
            self.cut = True
            lost = self.stream.position - member.offset
            detail = "the archive ends inside a member"
            event = Broken(Quarantine.TRUNCATED_RECORD, detail, member.offset, size=lost, lost_bytes=lost)
        self.stream.skip(padding)
        if event is not None:
            yield event

    def _judged(self, member: Member, sparse: bool) -> Event | None:
        """Return the event of a member that is not read, None for one that is."""
        name = member_name(member.name, self.limits.max_member_name_bytes)
        if name is None or member.kind in LINK_AND_DEVICE_TYPES:
            detail = "a link or device" if name else "a name that can't be a file's below a folder"
            return Broken(Quarantine.UNSAFE_MEMBER_NAME, detail, member.offset, size=member.size)
        if member.kind not in FILE_TYPES or sparse:
            detail = f"a member of kind {member.kind!r} is not read" if not sparse else "sparse files are not read"
            return Broken(Quarantine.MALFORMED_RECORD, detail, member.offset, self._uri(name), member.size)
        media_type = media_type_of(name)
        if media_type not in self.media_types:
            return Skipped.FILE_TYPE
        most, reason = self.limits.max_record_bytes, Quarantine.RECORD_TOO_LARGE
        if member.size > most:
            detail, uri = "the member goes beyond the limit", self._uri(name)
            return Broken(reason, detail, member.offset, uri, member.size, 0, "max_record_bytes", most, member.size)
        return None

    def _uri(self, name: str) -> str:
        return f"{self.unit.source}:{self.unit.uri}#{name}"


def tar_events(file: BinaryIO, size: int, unit: Unit, limits: Limits, media_types: frozenset[str]) -> Iterator[Event]:
    """Yield one event for each member that is no folder, and one for every lost span.

    Offsets are decoded bytes.
    """
    name = unit.uri.lower()
    if not name.endswith((".gz", ".tgz", ".zst")):
        yield from TarReader(TarStream(file), unit, limits, media_types).events()
        return
    stream = DecodedStream(file, size, limits, zstd=name.endswith(".zst"))
    for event in TarReader(TarStream(io.BufferedReader(stream, MIB)), unit, limits, media_types).events():
        if stream.failure is None or not (isinstance(event, Broken) and event.reason == Quarantine.TRUNCATED_RECORD):
            yield event
    if stream.failure is not None:
        yield stream_broken(stream.failure, limits)
