"""WARC files without compression.

Nothing guards their bytes, so lengths are believed only if what follows agrees.
"""

from collections.abc import Generator

from manifests.limits import Limits
from manifests.reasons import Quarantine
from pipelines.sources.header_fields import Fields
from pipelines.sources.units import Broken
from pipelines.sources.warc_frames import DamagedSpan, Frame, parse_head
from pipelines.sources.window import Window

AFTER_BYTES = 24
FIRST_HEAD_BYTES = 4096


class PlainContainer:
    """Records one behind the other, each followed by two line ends."""

    def __init__(self, window: Window, limits: Limits) -> None:
        self.window, self.limits, self.size = window, limits, window.size

    def _head(self, position: int) -> tuple[Fields, int, int] | None:
        """Return (fields, length, position of the block) of the record at `position`."""
        for length in (FIRST_HEAD_BYTES, self.limits.max_header_bytes):
            parsed = parse_head(bytes(self.window.at(position, length)), 0, length)
            if parsed:
                return parsed[0], parsed[1], position + parsed[2]
        return None

    def _after(self, stop: int) -> tuple[int, bool]:
        """Return (line-end bytes at `stop`, whether a record or the file's end follows them)."""
        after = bytes(self.window.at(stop, AFTER_BYTES))
        rest = after.lstrip(b"\r\n")
        ends = stop + len(after) >= self.size and not rest
        return len(after) - len(rest), ends or rest.startswith(b"WARC/")

    def is_start(self, position: int) -> bool:
        if bytes(self.window.at(position, 5)) != b"WARC/":
            return False
        head = self._head(position)
        if head is None or head[2] + head[1] > self.size:
            return False
        line_ends, followed = self._after(head[2] + head[1])
        return line_ends > 0 or followed

    def find_start(self, position: int) -> int:
        return self._find_start(position, self.size)

    def _find_start(self, position: int, stop: int) -> int:
        found = self.window.find(b"WARC/", position, stop)
        while found < stop and not self.is_start(found):
            found = self.window.find(b"WARC/", found + 1, stop)
        return found

    def records(self, position: int, end: int) -> Generator[Frame | Broken, None, int]:
        head = self._head(position)
        if head is None:
            raise self._headless(position)
        fields, length, begin = head
        following = self._check(position, begin + length)
        largest = self.limits.max_record_bytes + self.limits.max_header_bytes
        kept = length if length <= largest else self.limits.max_header_bytes
        yield Frame(position, fields, bytes(self.window.at(begin, kept)), length)
        return following

    def _headless(self, position: int) -> DamagedSpan:
        """Return what to say of a place without a record's head: the file may end inside one."""
        begun = b"WARC/".startswith(bytes(self.window.at(position, 5)))
        if begun and self.size - position < self.limits.max_header_bytes:
            detail = "the file ends inside a record's head"
            return DamagedSpan(Quarantine.TRUNCATED_RECORD, detail, position, position + 1)
        return DamagedSpan(Quarantine.DAMAGED_CONTAINER, "no WARC record stands here", position, position + 1)

    def _check(self, position: int, stop: int) -> int:
        """Return where the record behind the one in [position, stop) starts.

        Raise where `stop` can't be its end.
        """
        if stop > self.size:
            detail = f"the record declares {stop - self.size} bytes more than the file holds"
            raise DamagedSpan(Quarantine.TRUNCATED_RECORD, detail, position, position + 1)
        line_ends, followed = self._after(stop)
        if followed:
            return stop + line_ends
        inner = self._find_start(position + 1, stop)
        if inner < stop:
            raise DamagedSpan(Quarantine.TRUNCATED_RECORD, "another record starts inside this one", position, inner)
        if not line_ends:
            detail = "the record does not end where its Content-Length says"
            raise DamagedSpan(Quarantine.DAMAGED_CONTAINER, detail, position, position + 1)
        return stop + line_ends
