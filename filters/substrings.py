"""Byte strings that stand in a corpus more than once: each is kept once (ExactSubstr; Lee et al. 2022, section 4.1).

What goes, to the byte. A *window* is `min_bytes` bytes of a text in a row. A window is *repeated* where an equal one
begins earlier, by (document, position), and does not overlap it; the bytes of repeated windows are cut. So of every
string of `min_bytes` or more the first occurrence stays, and a run of one character keeps one window.

How windows meet without a suffix array of all text: a window belongs to its *anchor*, the one of its k-grams whose
mixed hash is the smallest (the leftmost of equals). Equal windows have equal anchors, and neighbours mostly share one,
so a text falls into *pieces*, runs of windows with one anchor (the super-k-mers of k-mer counters; Li et al. 2013,
Deorowicz et al. 2015; the guarantee is that of winnowing, Schleimer et al. 2003). Pieces that carry the hash of their
anchor as key meet by key range; there windows are compared byte by byte, so no hash decides. Work and memory are
linear in pieces, however often a string stands there.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from filters.native import kernel, mix64, string_buffers

VERSION = 1
_BASE = np.uint64(0x9E3779B97F4A7C15)
_KEY = np.uint64(0xD6E8FEB86659FD93)
_ONE = np.uint64(1)

Bytes = npt.NDArray[np.uint8]
Offsets = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Pieces:
    """Runs of windows with one anchor, all of length `min_bytes`; the bytes of a piece overlap its neighbours'.

    keys     uint64[n]  hash of the anchor, uniform
    docs     int64[n]   equal for pieces of one document; grows in the order in which the first one stays
    starts   int64[n]   byte of the document at which the first window begins
    windows  int64[n]   how many windows, at least 1; a piece holds windows - 1 + min_bytes bytes
    begins   int64[n]   byte of the buffer at which the first window begins
    """

    keys: npt.NDArray[np.uint64]
    docs: Offsets
    starts: Offsets
    windows: Offsets
    begins: Offsets

    def take(self, rows: npt.NDArray[Any]) -> "Pieces":
        """Return the pieces at `rows`, indices or bool[n]."""
        return Pieces(self.keys[rows], self.docs[rows], self.starts[rows], self.windows[rows], self.begins[rows])

    @property
    def offsets(self) -> Offsets:
        """Where the windows of each piece stand among all windows, int64[n + 1]."""
        return np.concatenate([[0], np.cumsum(self.windows)]).astype(np.int64)


def anchor_bytes(min_bytes: int) -> int:
    """Return the length of an anchor: a third of a window."""
    return max(1, min_bytes // 3)


def pieces(text: pa.StringArray, min_bytes: int) -> Pieces:
    """Return the pieces of texts, in order; `docs` are their rows. A text shorter than a window has none."""
    if min_bytes < 2:
        raise ValueError(f"min_bytes must be at least 2, got {min_bytes}")
    body, offsets = string_buffers(text)
    room = 1024 + 4 * int(offsets[-1] - offsets[0]) // min_bytes
    while True:
        out: Any = tuple(np.empty(room, kind) for kind in (np.uint64, np.int64, np.int64, np.int64))
        count = _cut_up(body, offsets, min_bytes, anchor_bytes(min_bytes), out)
        if count <= room:
            break
        room = count
    keys, docs, starts, windows = (column[:count].copy() for column in out)
    return Pieces(keys, docs, starts, windows, starts + offsets[docs].astype(np.int64))


def repeated_windows(body: Bytes, found: Pieces, min_bytes: int) -> Bytes:
    """Return 1 for each window that is repeated, uint8[windows], in the order of `found.offsets`.

    `found` lies in the order of keys, docs, starts.
    """
    out = np.zeros(int(found.windows.sum()), np.uint8)
    most = _largest_group(found.keys, found.windows)
    slots = 1 << max(1, int(2 * most - 1).bit_length())
    table = np.empty(slots, np.uint64), np.empty(slots, np.int64), np.empty(slots, np.int32)
    columns = found.keys, found.docs, found.starts, found.windows, found.begins
    _look_up(body, columns, min_bytes, table, out)
    return out


def runs_of_windows(found: Pieces, flags: Bytes, min_bytes: int) -> tuple[Offsets, Offsets, Offsets]:
    """Return (piece, start, end) of each run of flagged windows, int64[n] each, in bytes of the document."""
    at = np.flatnonzero(flags)
    bounds = found.offsets
    piece = np.searchsorted(bounds, at, "right") - 1
    apart = (at[1:] != at[:-1] + 1) | (piece[1:] != piece[:-1])
    first = np.flatnonzero(np.concatenate([[True], apart])) if len(at) else np.zeros(0, np.int64)
    last = np.append(first[1:], len(at)) - 1 if len(at) else first
    owner = piece[first]
    base = found.starts[owner] - bounds[owner]
    return owner, base + at[first], base + at[last] + min_bytes


def single_windows(body: Bytes, found: Pieces, flags: Bytes, min_bytes: int) -> Pieces:
    """Return a piece for each window that is not flagged, keyed by all its bytes: for anchors that are everywhere."""
    at = np.flatnonzero(flags == 0)
    piece = np.searchsorted(found.offsets, at, "right") - 1
    within = at - found.offsets[piece]
    begins = found.begins[piece] + within
    ones = np.ones(len(at), np.int64)
    return Pieces(_keys(body, begins, min_bytes), found.docs[piece], found.starts[piece] + within, ones, begins)


def bytes_of(body: Bytes, found: Pieces, min_bytes: int) -> pa.BinaryArray:
    """Return the bytes of each piece, shape (n,); together less than 2 GiB."""
    sizes = found.windows + (min_bytes - 1)
    offsets = np.concatenate([[0], np.cumsum(sizes)])
    if offsets[-1] >= 1 << 31:
        raise ValueError(f"{offsets[-1]} bytes of pieces do not fit into one array")
    out = np.empty(int(offsets[-1]), np.uint8)
    _copy(body, found.begins, offsets, out)
    return pa.Array.from_buffers(
        pa.binary(), len(sizes), [None, pa.py_buffer(offsets.astype(np.int32)), pa.py_buffer(out)]
    )


def cuts(
    text: pa.StringArray, view: pa.ListArray, bounds: Offsets, starts: Offsets, ends: Offsets, min_characters: int
) -> tuple[Offsets, Offsets, Offsets]:
    """Return what is cut of stored texts: (row, start, end), int64[n] each, in bytes of the stored text.

    `starts` and `ends` are repeated strings in bytes of the views, those of row i at bounds[i]:bounds[i + 1], ascending
    by start; they may overlap. Joined, and without the bytes of characters that are not all inside, each must have
    `min_characters` code points, or it stays.
    """
    body, offsets = string_buffers(text)
    view_offsets = view.offsets.to_numpy()
    kept = [view.values.field(name).to_numpy(zero_copy_only=False) for name in ("start", "end")]
    out = tuple(np.empty(len(starts), np.int64) for _ in range(3))
    columns = (bounds, starts, ends)
    count = _fit(body, offsets, (view_offsets, *kept), columns, min_characters, out)
    rows, begins, past = (column[:count].copy() for column in out)
    return rows, begins, past


@kernel
def _cut_up(body: Any, offsets: Any, window: int, gram: int, out: Any) -> int:
    """Fill in the pieces of all texts; return how many there are, also where `out` has no room for them."""
    keys, docs, starts, windows = out
    slots = 1
    while slots < window - gram + 2:
        slots *= 2
    hashes, places = np.empty(slots, np.uint64), np.empty(slots, np.int64)
    mask, count = slots - 1, 0
    leading = _ONE
    for _ in range(gram):
        leading *= _BASE
    for doc in range(len(offsets) - 1):
        base, size = offsets[doc], offsets[doc + 1] - offsets[doc]
        if size < window:
            continue
        rolled, head, tail, anchor = np.uint64(0), 0, 0, -1
        for i in range(size):
            rolled = rolled * _BASE + np.uint64(body[base + i]) + _ONE
            if i >= gram:
                rolled -= leading * (np.uint64(body[base + i - gram]) + _ONE)
            place = i - gram + 1
            if place < 0:
                continue
            mixed = mix64(rolled)
            while tail > head and hashes[(tail - 1) & mask] > mixed:
                tail -= 1
            hashes[tail & mask], places[tail & mask] = mixed, place
            tail += 1
            start = i - window + 1
            if start < 0:
                continue
            if places[head & mask] < start:
                head += 1
            if places[head & mask] != anchor:
                anchor = places[head & mask]
                if count < len(keys):
                    keys[count] = mix64(hashes[head & mask] ^ _KEY)
                    docs[count], starts[count], windows[count] = doc, start, 0
                count += 1
            if count <= len(keys):
                windows[count - 1] += 1
    return count


@kernel
def _largest_group(keys: Any, windows: Any) -> int:
    """Return the windows of the largest group of equal keys that has two pieces or more."""
    most, start = 0, 0
    while start < len(keys):
        end, held = start, 0
        while end < len(keys) and keys[end] == keys[start]:
            held += windows[end]
            end += 1
        if end - start > 1:
            most = max(most, held)
        start = end
    return most


@kernel
def _hash(body: Any, begin: int, window: int) -> Any:
    rolled = np.uint64(0)
    for i in range(begin, begin + window):
        rolled = rolled * _BASE + np.uint64(body[i]) + _ONE
    return rolled


@kernel
def _equal(body: Any, left: int, right: int, window: int) -> bool:
    i = window - 1
    while i >= 0 and body[left + i] == body[right + i]:
        i -= 1
    return i < 0


@kernel
def _look_up_piece(body: Any, columns: Any, piece: int, mask: int, window: int, table: Any, out: Any) -> None:
    """Look every window of a piece up among those of its group that came before, and enter those that are new."""
    _, docs, starts, windows, begins = columns
    hashes, owners, places = table
    leading = _ONE
    for _ in range(window):
        leading *= _BASE
    begin = begins[piece]
    rolled = _hash(body, begin, window)
    near = np.int64(-1)  # where in the buffer the equal of the window before this one begins
    for i in range(windows[piece]):
        if i > 0:
            rolled = rolled * _BASE + np.uint64(body[begin + i + window - 1]) + _ONE
            rolled -= leading * (np.uint64(body[begin + i - 1]) + _ONE)
        mixed = mix64(rolled)
        slot, found = np.int64(mixed & np.uint64(mask)), np.int64(-1)
        while owners[slot] >= 0:
            if hashes[slot] == mixed:
                other = begins[owners[slot]] + places[slot]
                # one byte tells where the windows before these were equal
                length = 1 if near >= 0 and other == near + 1 else window
                if _equal(body, other + window - length, begin + i + window - length, length):
                    found = other
                    break
            slot = (slot + 1) & mask
        near = found
        if found < 0:
            hashes[slot], owners[slot], places[slot] = mixed, piece, i
        else:
            first = owners[slot]
            out[i] = docs[first] != docs[piece] or starts[piece] + i - starts[first] - places[slot] >= window


@kernel
def _look_up(body: Any, columns: Any, window: int, table: Any, out: Any) -> None:
    keys, windows = columns[0], columns[3]
    start, at = 0, 0
    while start < len(keys):
        end, held = start, 0
        while end < len(keys) and keys[end] == keys[start]:
            held += windows[end]
            end += 1
        if end - start > 1:  # windows of one piece overlap each other
            slots = 2
            while slots < 2 * held:
                slots *= 2
            table[1][:slots] = -1
            done = at
            for piece in range(start, end):
                flags = out[done : done + windows[piece]]
                _look_up_piece(body, columns, piece, slots - 1, window, table, flags)
                done += windows[piece]
        at += held
        start = end


@kernel
def _keys(body: Any, begins: Any, window: int) -> Any:
    out = np.empty(len(begins), np.uint64)
    for i in range(len(begins)):
        out[i] = mix64(_hash(body, begins[i], window) ^ _KEY)
    return out


@kernel
def _copy(body: Any, begins: Any, offsets: Any, out: Any) -> None:
    for piece in range(len(begins)):
        size = offsets[piece + 1] - offsets[piece]
        out[offsets[piece] : offsets[piece + 1]] = body[begins[piece] : begins[piece] + size]


@kernel
def _fit(body: Any, offsets: Any, view: Any, found: Any, least: int, out: Any) -> int:
    """Join, trim to characters and map to the stored text what is repeated; return how many cuts that are."""
    view_offsets, view_starts, view_ends = view
    bounds, starts, ends = found
    rows, begins, past = out
    count = 0
    for row in range(len(offsets) - 1):
        r, passed = view_offsets[row], 0  # bytes of the view before range r
        i = bounds[row]
        while i < bounds[row + 1]:
            start, end = starts[i], ends[i]
            while i < bounds[row + 1] and starts[i] <= end:
                end = max(end, ends[i])
                i += 1
            characters, first, last = 0, np.int64(-1), np.int64(-1)
            at = start
            while at < end:
                while at - passed >= view_ends[r] - view_starts[r]:
                    passed += view_ends[r] - view_starts[r]
                    r += 1
                stored = view_starts[r] + at - passed
                lead = body[offsets[row] + stored]
                if lead & 0xC0 != 0x80:  # a character begins
                    size = 1 + (lead >= 0xC0) + (lead >= 0xE0) + (lead >= 0xF0)
                    if at + size > end:
                        break
                    first = stored if first < 0 else first
                    last, characters = stored + size, characters + 1
                    at += size
                else:
                    at += 1
            if characters >= max(least, 1):
                rows[count], begins[count], past[count] = row, first, last
                count += 1
    return count
