"""WARC files compressed record by record (ISO 28500, annex D); members of many records are read as well.

FastWARC reads as long as everything is in order: it inflates faster than zlib, and where the file is damaged
it stops, skips or gives less without a word. So a record of FastWARC counts only if it is as long as it says,
came out of one member, and the member behind it was reached, which means that its checksum was right. From
the first record that does not, one member is inflated by zlib, with every doubt named, and FastWARC may go on
behind it.
"""

import zlib
from collections.abc import Generator

from fastwarc.stream_io import GzipReader
from fastwarc.warc import ArchiveIterator

from manifests.limits import MIB, Limits
from manifests.reasons import Quarantine
from pipelines.sources.units import Broken
from pipelines.sources.warc_frames import DamagedSpan, Frame, parse_head
from pipelines.sources.window import Tail, Window

MAGIC = b"\x1f\x8b\x08"
FEED_BYTES = 1 << 16
UNDECODED = "\ufffd"  # stands in FastWARC's headers where bytes were no UTF-8
TRIAL_BYTES = 70_000  # a member's own header may hold 64 KiB of extra fields


class Inflater:
    """One gzip member from `position` on, inflated piece by piece; the checksum is tested at its end."""

    def __init__(self, window: Window, position: int, limits: Limits) -> None:
        self.window, self.limits = window, limits
        self.start = self.fed = position  # coded bytes before `fed` have been given to zlib
        self._zlib = zlib.decompressobj(31)
        self._tail: bytes = b""
        self._inflated = 0

    @property
    def ended(self) -> bool:
        return self._zlib.eof

    @property
    def end(self) -> int:
        """Position behind the member; only when it has ended."""
        return self.fed - len(self._zlib.unused_data)

    def _step(self, length: int) -> bytes:
        feed: bytes | memoryview = self._tail or self.window.at(self.fed, FEED_BYTES)
        if not feed:
            raise DamagedSpan(
                Quarantine.TRUNCATED_RECORD, "the file ends inside a gzip member", self.start, self.start + 1
            )
        try:
            piece = self._zlib.decompress(feed, length)
        except zlib.error as error:
            detail = f"gzip member does not inflate: {error}"
            raise DamagedSpan(Quarantine.DAMAGED_CONTAINER, detail, self.start, self.start + 1) from None
        self.fed += 0 if self._tail else len(feed)
        self._tail = self._zlib.unconsumed_tail
        self._inflated += len(piece)
        return piece

    def read(self, length: int) -> bytes:
        """Return `length` bytes, fewer only where the member ends; DamagedSpan where it breaks off."""
        pieces, got = [], 0
        while got < length and not self.ended:
            pieces.append(self._step(length - got))
            got += len(pieces[-1])
        return b"".join(pieces)

    def skip(self, length: int) -> int:
        """Forget `length` bytes, return how many there were before the member ended.

        DamagedSpan at a bomb.
        """
        skipped = 0
        while skipped < length and not self.ended:
            skipped += len(self._step(min(length - skipped, MIB)))
            if self._inflated > MIB + self.limits.max_coding_ratio * (self.fed - self.start):
                detail = f"gzip member expands more than {self.limits.max_coding_ratio} times"
                raise DamagedSpan(Quarantine.DECODED_TOO_LARGE, detail, self.start, self.start + 1)
        return skipped

    def finish(self) -> int:
        """Skip what is left, return the position behind the member."""
        self.skip(1 << 62)
        return self.end

    def settle(self) -> None:
        """Let a later break count from here: everything before has been given on."""
        self.start = max(self.start, self.fed - len(self._tail))


class GzipContainer:
    """Gzip members one behind the other; a member belongs to the range where its first byte lies."""

    def __init__(self, window: Window, limits: Limits) -> None:
        self.window, self.limits, self.size = window, limits, window.size
        self.largest = limits.max_record_bytes + limits.max_header_bytes

    def is_start(self, position: int) -> bool:
        view = self.window.at(position, TRIAL_BYTES)
        if bytes(view[:3]) != MAGIC:
            return False
        try:
            return zlib.decompressobj(31).decompress(view, 5) == b"WARC/"
        except zlib.error:
            return False

    def find_start(self, position: int) -> int:
        found = self.window.find(MAGIC, position, self.size)
        while found < self.size and not self.is_start(found):
            found = self.window.find(MAGIC, found + 1, self.size)
        return found

    def records(self, position: int, end: int) -> Generator[Frame | Broken, None, int]:
        reached = yield from self._fast(position, end)
        if reached > position:
            return reached
        return (yield from self._member(position))

    def _fast(self, position: int, end: int) -> Generator[Frame, None, int]:
        """Yield what FastWARC reads beyond doubt.

        Return where the first record starts that was not yielded.
        """
        source, most = GzipReader(Tail(self.window, position)), self.limits.max_header_bytes
        archive = ArchiveIterator(source, parse_http=False, stream_detect=False, max_header_len=most)
        records = iter(archive)
        held: Frame | None = None
        reached = position
        while True:
            try:
                record = next(records, None)
                if record is None:
                    return reached
                offset, length = position + record.stream_pos, record.content_length
                if source.frame_start_position() != record.stream_pos:
                    return reached
                if held:
                    yield held
                    reached, held = offset, None
                if offset != reached or offset >= end or length > self.largest:
                    return reached
                block = record.reader.read()
                if len(block) != length or source.frame_start_position() != record.stream_pos:
                    return reached
                fields = record.headers.to_tuples()
                if any(UNDECODED in value for _, value in fields):
                    return reached
                held = Frame(offset, fields, block, length)
            except (OSError, ValueError):
                return reached

    def _member(self, position: int) -> Generator[Frame | Broken, None, int]:
        """Yield the records of one member, return the position behind it."""
        stream = Inflater(self.window, position, self.limits)
        content = MemberContent(stream, self.largest, self.limits.max_header_bytes)
        while content.fill():
            try:
                frame = content.take(position)
            except UnsoundRecord as unsound:
                end = stream.finish()
                span = 0 if content.taken else end - position
                yield Broken(unsound.reason, str(unsound), position, size=span, lost_bytes=span)
                return end
            yield frame
        return stream.end


class UnsoundRecord(Exception):
    """Inflated bytes, whose checksum may well be right, that are no WARC record."""

    def __init__(self, reason: Quarantine, detail: str) -> None:
        super().__init__(detail)
        self.reason = reason


class MemberContent:
    """The records of one member, of which at most two limits' worth of bytes are held."""

    def __init__(self, stream: Inflater, largest: int, max_header_bytes: int) -> None:
        self.stream, self.largest, self.max_header_bytes = stream, largest, max_header_bytes
        self.data, self.at, self.taken = b"", 0, 0

    def fill(self) -> bool:
        """Go to the next record's head, return whether there is anything.

        A small member is read whole at once.
        """
        self._skip_line_ends()
        while len(self.data) - self.at < self.max_header_bytes and not self.stream.ended:
            self._read_more()
            self._skip_line_ends()
        return self.at < len(self.data)

    def take(self, offset: int) -> Frame:
        """Return the record that stands here and go behind it; raises UnsoundRecord."""
        parsed = parse_head(self.data, self.at, self.max_header_bytes)
        if parsed is None:
            raise UnsoundRecord(Quarantine.MALFORMED_RECORD, "no WARC record in a gzip member")
        fields, length, begin = parsed
        head_bytes, kept = begin - self.at, length if length <= self.largest else self.max_header_bytes
        if len(self.data) - begin < length <= self.largest:
            self._read_more()
        begin = self.at + head_bytes
        block = self.data[begin : begin + kept]
        missing = max(0, begin + length - len(self.data))
        if missing and (length <= self.largest or self.stream.skip(missing) < missing):
            detail = "the record declares more bytes than its gzip member holds"
            raise UnsoundRecord(Quarantine.TRUNCATED_RECORD, detail)
        self.at = min(begin + length, len(self.data))
        self._skip_line_ends()
        if not b"WARC/".startswith(self.data[self.at : self.at + 5]):
            raise UnsoundRecord(Quarantine.MALFORMED_RECORD, "the record is longer than it declares")
        self.taken += 1
        return Frame(offset, fields, block, length)

    def _read_more(self) -> None:
        if self.taken:
            self.stream.settle()
        self.data, self.at = self.data[self.at :] + self.stream.read(self.largest), 0

    def _skip_line_ends(self) -> None:
        while self.data[self.at : self.at + 1] in (b"\r", b"\n"):
            self.at += 1
