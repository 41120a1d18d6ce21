"""JSON Lines, plain (split by byte range), gzip or zstd (one stream, one unit).

A row without a name of its own goes by the byte offset of its line in the decoded file: a range can't count
the lines before it, and the offset is the same however the file is cut or compressed. Blank lines are no
rows.
"""

import hashlib
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from manifests.limits import MIB, Limits
from manifests.reasons import Quarantine
from pipelines.sources.rows import row_event
from pipelines.sources.streams import DecodedStream, StreamFailure
from pipelines.sources.units import Broken, Columns, Event, Unit


@dataclass(frozen=True, slots=True)
class Line:
    """A line without its end.

    `data` is empty where `size` is beyond the limit, `whole` where a line end closed it.
    """

    offset: int
    data: bytes
    size: int
    whole: bool
    digest: bytes | None = None  # sha256 of a line that is too long to keep


def read_line(file: BinaryIO, offset: int, largest: int) -> tuple[Line, int] | None:
    """Return (line at the file's position, position behind it), None at the end.

    A longer line is not held.
    """
    data = file.readline(largest + 1)
    if not data:
        return None
    whole = data.endswith(b"\n")
    if whole or len(data) <= largest:
        return Line(offset, data, len(data), whole), offset + len(data)
    digest, size = hashlib.sha256(data), len(data)
    while not whole and (data := file.readline(MIB)):
        digest.update(data)
        size += len(data)
        whole = data.endswith(b"\n")
    return Line(offset, b"", size, whole, digest.digest()), offset + size


def lines(file: BinaryIO, start: int, end: int | None, largest: int) -> Iterator[Line]:
    """Yield the lines whose first byte lies in [start, end).

    `file` stands at 0 and is sought only if start > 0.
    """
    position = start
    if start:
        file.seek(start - 1)
        before = read_line(file, start - 1, largest)
        position = before[1] if before else start
    while end is None or position < end:
        found = read_line(file, position, largest)
        if found is None:
            return
        yield found[0]
        position = found[1]


def jsonl_events(file: BinaryIO, size: int, unit: Unit, limits: Limits, columns: Columns) -> Iterator[Event]:
    """Yield one event for each line of the unit, and one for the rest of a stream that breaks off."""
    name = unit.uri.lower()
    if not name.endswith((".gz", ".zst")):
        for line in lines(file, unit.start, unit.end, limits.max_record_bytes):
            yield from _line_events(line, unit, limits, columns)
        return
    stream = DecodedStream(file, size, limits, zstd=name.endswith(".zst"))
    for line in lines(io.BufferedReader(stream, MIB), 0, None, limits.max_record_bytes):
        if line.whole or stream.failure is None:
            yield from _line_events(line, unit, limits, columns)
    if stream.failure is not None:
        yield stream_broken(stream.failure, limits)


def stream_broken(failure: StreamFailure, limits: Limits) -> Broken:
    """Return the event of a compressed stream that ends early; its incomplete last record is part of it."""
    most = getattr(limits, failure.limit) if failure.limit else None
    lost = failure.lost_bytes
    return Broken(
        failure.reason,
        failure.detail,
        size=lost,
        lost_bytes=lost,
        limit=failure.limit,
        limit_value=most,
        observed=failure.observed,
    )


def _line_events(line: Line, unit: Unit, limits: Limits, columns: Columns) -> Iterator[Event]:
    place = f"{unit.source}:{unit.uri}#{line.offset}"
    if line.digest is not None:
        most, detail = limits.max_record_bytes, "the line goes beyond the limit"
        reason = Quarantine.RECORD_TOO_LARGE
        yield Broken(reason, detail, line.offset, place, line.size, 0, "max_record_bytes", most, line.size, line.digest)
        return
    data = line.data.strip()
    if line.offset == 0:
        data = data.removeprefix(b"\xef\xbb\xbf")
    if data:
        yield _row(data, place, line, limits, columns)


def _row(data: bytes, place: str, line: Line, limits: Limits, columns: Columns) -> Event:
    digest = hashlib.sha256(line.data).digest

    def broken(detail: str, reason: Quarantine = Quarantine.MALFORMED_RECORD) -> Broken:
        return Broken(reason, detail, line.offset, place, line.size, digest=digest())

    try:
        row = json.loads(data.decode())
    except UnicodeDecodeError:
        return broken("the line is not UTF-8")
    except json.JSONDecodeError as error:
        return broken(f"not JSON: {error.msg} at character {error.pos}")
    except RecursionError:
        return broken("JSON nested too deep to read", Quarantine.NESTING_TOO_DEEP)
    except ValueError:
        return broken("a number with too many digits")
    if not isinstance(row, dict):
        return broken("the line is JSON, and no object")
    return row_event(row, place, line.offset, columns, limits)
