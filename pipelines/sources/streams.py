"""Files that are compressed as one stream: decoded piece by piece, up to where they break."""

import io
import zlib
from dataclasses import dataclass
from typing import Any, BinaryIO

import zstandard

from manifests.limits import Limits
from manifests.reasons import Quarantine

GZIP_FEED_BYTES = 1 << 16
ZSTD_FEED_BYTES = 1 << 10  # a coded byte may stand for 32 KiB, and a feed's output comes in one piece
PIECE_BYTES = 1 << 20
ZSTD_WINDOW = 128 << 20


@dataclass(frozen=True)
class StreamFailure:
    """Why a stream ended early; `lost_bytes` of the coded file were not read."""

    reason: Quarantine
    detail: str
    lost_bytes: int
    limit: str | None = None
    observed: int | None = None


class DecodedStream(io.RawIOBase):
    """What a gzip or zstd file of `size` bytes holds; at damage it ends, and `failure` says why."""

    def __init__(self, file: BinaryIO, size: int, limits: Limits, zstd: bool = False) -> None:
        self.file, self.size, self.limits, self.zstd = file, size, limits, zstd
        self.failure: StreamFailure | None = None
        self._fed = self._given = 0
        self._tail = b""
        self._ready = memoryview(b"")
        self._new_member()

    def _new_member(self) -> None:
        decoder = zstandard.ZstdDecompressor(max_window_size=ZSTD_WINDOW)
        self._decoder: Any = decoder.decompressobj() if self.zstd else zlib.decompressobj(31)
        self._inside = False

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        target = memoryview(buffer).cast("B")
        while not self._ready and self.failure is None and self._advance():
            pass
        count = min(len(target), len(self._ready))
        target[:count] = self._ready[:count]
        self._ready = self._ready[count:]
        return count

    def _advance(self) -> bool:
        """Decode one feed, return whether there was any."""
        before = self._fed - len(self._tail)
        feed = self._tail or self.file.read(ZSTD_FEED_BYTES if self.zstd else GZIP_FEED_BYTES)
        if not feed:
            if self._inside:
                self._fail(Quarantine.TRUNCATED_RECORD, "the file ends inside its compressed stream", self.size)
            return False
        self._fed += 0 if self._tail else len(feed)
        try:
            piece = self._decoder.decompress(feed) if self.zstd else self._decoder.decompress(feed, PIECE_BYTES)
        except (zlib.error, zstandard.ZstdError) as error:
            self._fail(Quarantine.DAMAGED_CONTAINER, f"the compressed stream is damaged: {error}", before)
            return False
        self._inside, self._tail = True, self._decoder.unconsumed_tail
        if self._decoder.eof:
            self._tail = self._decoder.unused_data
            self._new_member()
        self._ready = memoryview(piece)
        self._given += len(piece)
        self._check_ratio(before)
        return True

    def _check_ratio(self, before: int) -> None:
        limits = self.limits
        if self._given > limits.max_record_bytes and self._given > limits.max_coding_ratio * self._fed:
            detail = "the compressed stream expands beyond the limit"
            self._fail(Quarantine.DECODED_TOO_LARGE, detail, before, "max_coding_ratio", self._given // self._fed)

    def _fail(
        self,
        reason: Quarantine,
        detail: str,
        position: int,
        limit: str | None = None,
        observed: int | None = None,
    ) -> None:
        self.failure = StreamFailure(reason, detail, self.size - position, limit, observed)
