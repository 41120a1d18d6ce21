"""Events in, chunks out: the one place where records are counted, digested and put into Arrow batches."""

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pyarrow as pa

from manifests.limits import Limits
from manifests.records import RAW
from pipelines.sources.units import Broken, Event, Found, RawChunk, Unit


class ChunkBuilder:
    """Gathers the events of one chunk."""

    def __init__(self, unit: Unit, cursor: int) -> None:
        self.unit, self.cursor = unit, cursor
        self.columns: list[list[Any]] = [[] for _ in RAW]
        self.payload_bytes = 0
        self.chunk = RawChunk(pa.RecordBatch.from_pylist([], RAW), cursor)

    def would_overflow(self, found: Found, limits: Limits) -> bool:
        """Return whether `found` belongs into the next chunk; the first record of a chunk always fits."""
        rows = len(self.columns[0])
        return rows > 0 and (rows >= limits.batch_rows or self.payload_bytes + len(found.payload) > limits.batch_bytes)

    def add(self, event: Event) -> None:
        """Take an event; its ordinal is the cursor."""
        if isinstance(event, Found):
            self._add_row(event)
        elif isinstance(event, Broken):
            self.chunk.quarantined.append(quarantined(event, self.unit, self.cursor))
            self.chunk.lost_bytes += event.lost_bytes
        else:
            self.chunk.skipped[event] += 1
        self.cursor += 1

    def _add_row(self, found: Found) -> None:
        digest = hashlib.sha256(found.payload).digest()
        row = (
            found.uri,
            self.cursor,
            found.offset,
            found.media_type,
            found.charset,
            found.fetched_at_us,
            found.policy,
            found.language,
            digest,
            found.payload,
        )
        for column, value in zip(self.columns, row, strict=True):
            column.append(value)
        self.payload_bytes += len(found.payload)

    def finish(self) -> RawChunk:
        """Return the chunk with its batch and its cursor."""
        *columns, payloads = self.columns
        arrays = [pa.array(column, field.type) for column, field in zip(columns, RAW, strict=False)]
        self.chunk.batch = pa.RecordBatch.from_arrays([*arrays, binary_array(payloads)], schema=RAW)
        self.chunk.cursor = self.cursor
        return self.chunk


def binary_array(payloads: list[bytes | memoryview]) -> pa.Array:
    """Return large_binary of `payloads`, each copied once, into memory that Arrow's pool hands out again."""
    offsets = np.zeros(len(payloads) + 1, np.int64)
    np.cumsum([len(payload) for payload in payloads], out=offsets[1:])
    data = pa.allocate_buffer(int(offsets[-1]))
    view, at = memoryview(data).cast("B"), 0
    for payload in payloads:
        view[at : at + len(payload)] = payload
        at += len(payload)
    return pa.Array.from_buffers(pa.large_binary(), len(payloads), [None, pa.py_buffer(offsets), data])


def quarantined(event: Broken, unit: Unit, ordinal: int) -> dict[str, Any]:
    """Return the row of QUARANTINED for an event."""
    return {
        "uri": event.uri,
        "source": unit.source,
        "unit": unit.index,
        "ordinal": ordinal,
        "offset": event.offset,
        "reason": str(event.reason),
        "detail": event.detail.encode()[:512].decode(errors="ignore"),
        "limit": event.limit,
        "limit_value": event.limit_value,
        "observed": event.observed,
        "bytes": event.size,
        "digest": event.digest,
    }


def chunks(events: Iterable[Event], unit: Unit, cursor: int, limits: Limits) -> Iterator[RawChunk]:
    """Yield the chunks of `events`, the first of which has the ordinal `cursor`.

    A chunk also ends after 16 x batch_rows events without a row, so that a cursor never stands still for
    long.
    """
    builder = ChunkBuilder(unit, cursor)
    for event in events:
        full = builder.would_overflow(event, limits) if isinstance(event, Found) else False
        if full or builder.cursor - cursor >= 16 * limits.batch_rows:
            yield builder.finish()
            cursor = builder.cursor
            builder = ChunkBuilder(unit, cursor)
        builder.add(event)
    if builder.cursor > cursor:
        yield builder.finish()
