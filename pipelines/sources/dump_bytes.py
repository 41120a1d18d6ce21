"""The bytes of a dump, decoded piece by piece: plain, gzip, zstd, or bzip2, whose streams can be entered.

Wikimedia writes its large dumps as many bzip2 streams one behind the other, so a range of such a file begins at the
first stream in it. A file of a single stream belongs to its first range as a whole.
"""

import bz2
from collections.abc import Generator, Iterator
from typing import BinaryIO, NamedTuple

from manifests.limits import MIB, Limits
from manifests.reasons import Quarantine
from pipelines.sources.streams import DecodedStream, StreamFailure
from pipelines.sources.window import Window

FEED_BYTES = 1 << 16
PIECE_BYTES = 1 << 20
BZIP2_LEVELS = tuple(b"BZh%d" % level for level in range(1, 10))
BZIP2_BLOCK = b"1AY&SY"  # the first block's magic: pi, in binary-coded decimals
SUFFIXES = (".bz2", ".gz", ".zst")


class Piece(NamedTuple):
    """Decoded bytes. Byte i stands at `place`, or at place + i where the file is plain; `starts`: after a break."""

    data: bytes
    place: int
    is_plain: bool = False


class Lost(NamedTuple):
    """What could not be decoded, and where it begins; what follows does not continue what was before."""

    failure: StreamFailure
    place: int


def packed_as(head: bytes) -> str:
    """Return bz2, gz, zst or "" by a file's first bytes."""
    if head.startswith(BZIP2_LEVELS) and head[4:10] == BZIP2_BLOCK:
        return "bz2"
    if head.startswith(b"\x1f\x8b"):
        return "gz"
    return "zst" if head.startswith(b"\x28\xb5\x2f\xfd") else ""


def can_be_split(name: str) -> bool:
    """Return whether ranges of a dump can be read alone, by its name."""
    return not name.lower().endswith((".gz", ".zst"))


def head_of(file: BinaryIO, size: int, limits: Limits, most: int) -> bytes:
    """Return the first decoded bytes of a file, at most `most`, fewer where it ends or breaks."""
    head = b""
    for piece in pieces(file, size, 0, size, limits):
        if isinstance(piece, Lost):
            break
        head += piece.data
        if len(head) >= most:
            break
    return head[:most]


def pieces(file: BinaryIO, size: int, start: int, end: int, limits: Limits) -> Iterator[Piece | Lost]:
    """Yield the decoded bytes from the first that can be entered at or behind `start`, and on to the end of the file.

    The reader stops when what it has begun before `end` is complete.
    """
    file.seek(0)
    coding = packed_as(file.read(10))
    file.seek(0)
    if coding == "bz2":
        yield from _Bzip2(Window(file, size), limits).pieces(start, end)
    elif coding:
        yield from _one_stream(DecodedStream(file, size, limits, zstd=coding == "zst"), start)
    else:
        file.seek(start)
        while data := file.read(PIECE_BYTES):
            yield Piece(data, start, is_plain=True)
            start += len(data)


def _one_stream(stream: DecodedStream, start: int) -> Iterator[Piece | Lost]:
    if start:
        return
    while data := stream.read(PIECE_BYTES):
        yield Piece(data, 0)
    if stream.failure is not None:
        yield Lost(stream.failure, 0)


class _Bzip2:
    """The streams of a bzip2 file."""

    def __init__(self, window: Window, limits: Limits) -> None:
        self.window, self.limits, self.size = window, limits, window.size

    def pieces(self, start: int, end: int) -> Iterator[Piece | Lost]:
        at = self.find(start)
        while at < self.size:
            behind = yield from self._stream(at)
            if behind == at:
                following = self.find(at + 1)
                yield Lost(self._failure(following - at), at)
                behind = following
            elif behind < self.size and not self._is_start(behind):  # padding, or damage
                following = self.find(behind)
                if any(bytes(self.window.at(behind, min(following - behind, MIB)))):
                    yield Lost(self._failure(following - behind), behind)
                behind = following
            at = behind

    def _failure(self, lost: int) -> StreamFailure:
        return StreamFailure(self._reason, self._detail, lost, self._limit, self._observed)

    _reason, _detail = Quarantine.DAMAGED_CONTAINER, "no bzip2 stream stands here"
    _limit: str | None = None
    _observed: int | None = None

    def _is_start(self, at: int) -> bool:
        return packed_as(bytes(self.window.at(at, 10))) == "bz2"

    def find(self, start: int) -> int:
        """Return where the first stream at or behind `start` begins, or the file's size."""
        while (at := self.window.find(BZIP2_BLOCK, start + 4, self.size)) < self.size:
            if self._is_start(at - 4):
                return at - 4
            start = at - 3
        return self.size

    def _stream(self, start: int) -> Generator[Piece, None, int]:
        """Yield what a stream holds; return the position behind it, or `start` where it is damaged."""
        decoder, at, given = bz2.BZ2Decompressor(), start, 0
        while not decoder.eof:
            feed = bytes(self.window.at(at, FEED_BYTES)) if decoder.needs_input else b""
            if decoder.needs_input and not feed:
                return self._fail(start, Quarantine.TRUNCATED_RECORD, "the file ends inside its compressed stream")
            at += len(feed)
            try:
                data = decoder.decompress(feed, PIECE_BYTES)
            except (OSError, ValueError, EOFError):
                return self._fail(start, Quarantine.DAMAGED_CONTAINER, "the compressed stream is damaged")
            given += len(data)
            if data:
                yield Piece(data, start)
            if given > self.limits.max_record_bytes and given > self.limits.max_coding_ratio * (at - start):
                detail, ratio = "the compressed stream expands beyond the limit", given // (at - start)
                return self._fail(start, Quarantine.DECODED_TOO_LARGE, detail, "max_coding_ratio", ratio)
        return at - len(decoder.unused_data)

    def _fail(
        self, start: int, reason: Quarantine, detail: str, limit: str | None = None, observed: int | None = None
    ) -> int:
        self._reason, self._detail, self._limit, self._observed = reason, detail, limit, observed
        return start
