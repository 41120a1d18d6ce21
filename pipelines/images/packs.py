"""Bytes out of packs: what stands close together is read at once."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from manifests.integrity import IntegrityError, Problem
from manifests.limits import MIB
from manifests.store import Store

GAP_BYTES = MIB // 4  # read over rather than asked for apart
RANGE_BYTES = 32 * MIB  # of one read
CHUNK_BYTES = 64 * MIB  # of payloads held at once
PLACE = ("id", "pack", "offset", "stored_bytes", "stored_sha256")


def chunks(sizes: Sequence[int], most: int = CHUNK_BYTES) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of neighbouring rows that hold at most `most` bytes together, or are one row."""
    start = held = 0
    for row, size in enumerate(sizes):
        if row > start and held + size > most:
            yield start, row
            start, held = row, 0
        held += size
    if start < len(sizes):
        yield start, len(sizes)


def read_payloads(store: Store, places: pa.Table) -> list[bytes]:
    """Return the bytes that rows of PLACE name, in their order.

    Raises IntegrityError where they are others than those that were stored.
    """
    rows = places.select(list(PLACE)).to_pylist()
    found: dict[int, bytes] = {}
    order = sorted(range(len(rows)), key=lambda row: (rows[row]["pack"], rows[row]["offset"]))
    for group in _neighbours(rows, order):
        first, last = rows[group[0]], rows[group[-1]]
        start = first["offset"]
        content = memoryview(store.read_range(first["pack"], start, _end(last) - start))
        for row in group:
            found[row] = bytes(content[rows[row]["offset"] - start : _end(rows[row]) - start])
            _check(found[row], rows[row])
    return [found[row] for row in range(len(rows))]


def _neighbours(rows: Sequence[Mapping[str, Any]], order: Sequence[int]) -> Iterator[list[int]]:
    """Yield rows, sorted by place, that one read brings."""
    group: list[int] = []
    for row in order:
        if group and not _joins(rows[group[0]], rows[group[-1]], rows[row]):
            yield group
            group = []
        group.append(row)
    if group:
        yield group


def _joins(first: Mapping[str, Any], last: Mapping[str, Any], new: Mapping[str, Any]) -> bool:
    is_near: bool = first["pack"] == new["pack"] and new["offset"] - _end(last) <= GAP_BYTES
    return is_near and _end(new) - first["offset"] <= RANGE_BYTES


def _end(row: Mapping[str, Any]) -> int:
    end: int = row["offset"] + row["stored_bytes"]
    return end


def _check(content: bytes, row: Mapping[str, Any]) -> None:
    if (found := hashlib.sha256(content).digest()) != row["stored_sha256"]:
        what = f"sha256 of {row['id'].hex()}"
        raise IntegrityError(Problem(row["pack"], what, row["stored_sha256"].hex(), found.hex()))
