"""Records of a WARC file between two byte positions, whatever happened to the file on its way.

Both containers answer three questions: does a sound record start at this byte, where is the next that does,
and what stands here. `frames` walks from one start to the next, and what lies between two walks is lost and
counted. Of two neighbouring ranges the earlier answers for everything up to the first sound start at or
behind its end, so that a file is read exactly once however it is cut.
"""

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import Protocol

from manifests.reasons import Quarantine
from pipelines.sources.header_fields import Fields, head_end, parse_fields
from pipelines.sources.units import Broken

LOOK_BACK_BYTES = 1 << 20


@dataclass(slots=True)
class Frame:
    """A WARC record.

    `block` holds `length` bytes, or only its beginning where it is longer than the limit.
    """

    offset: int  # of the record, or of the gzip member that holds it
    fields: Fields
    block: bytes
    length: int


class DamagedSpan(Exception):
    """No sound record stands at `start`; look for the next one from `search_from` on."""

    def __init__(self, reason: Quarantine, detail: str, start: int, search_from: int) -> None:
        super().__init__(detail)
        self.reason, self.detail, self.start, self.search_from = reason, detail, start, search_from


class Container(Protocol):
    """How records are laid out in a file of `size` bytes."""

    size: int

    def is_start(self, position: int) -> bool:
        """Return whether a sound record (or its gzip member) starts at `position`."""
        ...

    def find_start(self, position: int) -> int:
        """Return the first sound start at or behind `position`, or `size`."""
        ...

    def records(self, position: int, end: int) -> Generator[Frame | Broken, None, int]:
        """Yield records from `position` on, return where to go on; raise DamagedSpan where none stands."""
        ...


def frames(container: Container, start: int, end: int) -> Iterator[Frame | Broken]:
    """Yield the records whose first byte lies in [start, end), and one Broken for every lost span."""
    yield from _walk(container, first_start(container, start), end)


def first_start(container: Container, start: int) -> int:
    """Return where the range's first record starts.

    Found from before `start`, so that a WARC file which is the payload of a record is not taken for records
    of its own.
    """
    if start == 0:
        return 0
    before = container.find_start(max(0, start - LOOK_BACK_BYTES))
    walk = _walk(container, before, start)
    while True:
        try:
            next(walk)
        except StopIteration as stopped:
            position: int = stopped.value
            return position


def _walk(container: Container, position: int, end: int) -> Generator[Frame | Broken, None, int]:
    while position < container.size and (position < end or not container.is_start(position)):
        try:
            position = yield from container.records(position, end)
        except DamagedSpan as damage:
            found = container.find_start(damage.search_from)
            lost = found - damage.start
            reason = damage.reason
            if reason == Quarantine.TRUNCATED_RECORD and found < container.size:
                reason = Quarantine.DAMAGED_CONTAINER
            yield Broken(reason, damage.detail, damage.start, size=lost, lost_bytes=lost)
            position = found
    return position


def parse_head(data: bytes, start: int, max_bytes: int) -> tuple[Fields, int, int] | None:
    """Return (fields, content length, position behind the head) of the WARC record at `start`.

    None if there is none.
    """
    if not data.startswith(b"WARC/", start):
        return None
    stop = head_end(data, start, max_bytes)
    if stop < 0:
        return None
    head = data[start:stop]
    try:
        text = head.decode()
    except UnicodeDecodeError:
        text = head.decode("latin-1")
    fields = parse_fields(text)
    lengths = {value for name, value in fields if name.lower() == "content-length"}
    length = lengths.pop() if len(lengths) == 1 else ""
    if not (length.isascii() and length.isdigit() and len(length) <= 18):
        return None
    return fields, int(length), stop
