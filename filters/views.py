"""Views of a text: edits keep ranges of it, ranges compose, and offsets follow.

A view is written as kept byte ranges of the stored text, null meaning all of it. Ranges are sorted, disjoint and
start and end on character boundaries.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from filters.native import kernel, string_buffers
from manifests.records import PART, RANGE

VERSION = 1
_NEWLINE = 10


@kernel
def _line_ranges(body: Any, offsets: Any, line_offsets: Any, kept: Any, out: Any) -> int:
    out_start, out_end, out_offsets = out
    filled = 0
    for doc in range(len(offsets) - 1):
        begin, stop = offsets[doc], offsets[doc + 1]
        line, first, at = line_offsets[doc], filled, begin
        while line < line_offsets[doc + 1]:
            end = at
            while end < stop and body[end] != _NEWLINE:
                end += 1
            past = min(end + 1, stop)
            if kept[line]:
                if filled > first and out_end[filled - 1] == at - begin:
                    out_end[filled - 1] = past - begin
                else:
                    out_start[filled], out_end[filled] = at - begin, past - begin
                    filled += 1
            line += 1
            at = past
        # lines are joined by newlines: the newline before a dropped last line goes with it
        if filled > first and not kept[line - 1] and body[begin + out_end[filled - 1] - 1] == _NEWLINE:
            out_end[filled - 1] -= 1
        out_offsets[doc + 1] = filled
    return filled


def keep_lines(text: pa.StringArray, line_offsets: npt.NDArray[np.int64], kept: npt.NDArray[np.uint8]) -> pa.ListArray:
    """Return the view that keeps whole lines (text between newlines), shape (len(text),), list of RANGE.

    kept: uint8[n_lines], line_offsets: int64[len(text) + 1], as `filters.lines.split_lines` numbers them.
    """
    body, offsets = string_buffers(text)
    starts, ends = np.zeros(len(kept), np.int32), np.zeros(len(kept), np.int32)
    bounds = np.zeros(len(text) + 1, np.int32)
    count = _line_ranges(body, offsets, line_offsets, kept, (starts, ends, bounds))
    ranges = pa.StructArray.from_arrays([pa.array(starts[:count]), pa.array(ends[:count])], fields=list(RANGE))
    return pa.ListArray.from_arrays(pa.array(bounds), ranges)


def _flat(ranges: pa.ListArray) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    values = ranges.values
    return (
        ranges.offsets.to_numpy(),
        values.field("start").to_numpy(zero_copy_only=False),
        values.field("end").to_numpy(zero_copy_only=False),
    )


@kernel
def _view_bytes(body: Any, offsets: Any, view: Any, out: Any, out_offsets: Any) -> int:
    bounds, starts, ends = view
    filled = 0
    for doc in range(len(offsets) - 1):
        for r in range(bounds[doc], bounds[doc + 1]):
            for i in range(offsets[doc] + starts[r], offsets[doc] + ends[r]):
                out[filled] = body[i]
                filled += 1
        out_offsets[doc + 1] = filled
    return filled


def apply_view(text: pa.StringArray, view: pa.ListArray) -> pa.StringArray:
    """Return the texts that the views leave, shape (len(text),)."""
    body, offsets = string_buffers(text)
    out = np.empty(int(offsets[-1] - offsets[0]), np.uint8)
    out_offsets = np.zeros(len(text) + 1, np.int32)
    size = _view_bytes(body, offsets, _flat(view), out, out_offsets)
    return pa.StringArray.from_buffers(len(text), pa.py_buffer(out_offsets), pa.py_buffer(out[:size]))


@kernel
def _subtract(body: Any, offsets: Any, view: Any, cuts: Any, out: Any) -> int:
    bounds, starts, ends = view
    cut_bounds, cut_starts, cut_ends = cuts
    out_start, out_end, out_offsets = out
    filled = 0
    for doc in range(len(offsets) - 1):
        first, c, done = filled, cut_bounds[doc], 0
        for r in range(bounds[doc], bounds[doc + 1]):
            at = max(starts[r], done)
            while at < ends[r]:
                while c < cut_bounds[doc + 1] and cut_ends[c] <= at:
                    c += 1
                stop = ends[r]
                if c < cut_bounds[doc + 1]:
                    stop = min(stop, max(at, cut_starts[c]))
                if stop > at:
                    out_start[filled], out_end[filled] = at, stop
                    filled += 1
                at = stop
                if c < cut_bounds[doc + 1] and cut_starts[c] <= at:
                    at = max(at, cut_ends[c])
                    done = at
        # lines are joined by newlines: the newline before a last line that was cut goes with it
        was_cut = filled > first and out_end[filled - 1] < ends[bounds[doc + 1] - 1]
        if was_cut and body[offsets[doc] + out_end[filled - 1] - 1] == _NEWLINE:
            out_end[filled - 1] -= 1
            filled -= out_end[filled - 1] == out_start[filled - 1]
        out_offsets[doc + 1] = filled
    return filled


def without(text: pa.StringArray, view: pa.ListArray, cuts: pa.ListArray) -> pa.ListArray:
    """Return the views less `cuts`, shape (len(text),), list of RANGE.

    cuts: list of RANGE in bytes of the stored text, ascending by start; they may overlap. A null cuts nothing.
    """
    body, offsets = string_buffers(text)
    most = len(view.values) + len(cuts.values)
    starts, ends = np.zeros(most, np.int32), np.zeros(most, np.int32)
    bounds = np.zeros(len(text) + 1, np.int32)
    count = _subtract(body, offsets, _flat(view), _flat(cuts), (starts, ends, bounds))
    ranges = pa.StructArray.from_arrays([pa.array(starts[:count]), pa.array(ends[:count])], fields=list(RANGE))
    return pa.ListArray.from_arrays(pa.array(bounds), ranges)


@kernel
def _inside(item_doc_offsets: Any, item_starts: Any, offsets: Any, view: Any, out: Any) -> None:
    bounds, starts, ends = view
    for doc in range(len(offsets) - 1):
        r = bounds[doc]
        for item in range(item_doc_offsets[doc], item_doc_offsets[doc + 1]):
            at = item_starts[item] - offsets[doc]
            while r < bounds[doc + 1] and ends[r] <= at:
                r += 1
            out[item] = r < bounds[doc + 1] and starts[r] <= at


def items_in_view(
    text: pa.StringArray,
    view: pa.ListArray,
    item_doc_offsets: npt.NDArray[np.int64],
    item_starts: npt.NDArray[np.int32],
) -> npt.NDArray[np.uint8]:
    """Return 1 for each item (word, line) whose absolute start byte lies in its text's view, shape (n_items,)."""
    _, offsets = string_buffers(text)
    out = np.zeros(len(item_starts), np.uint8)
    _inside(item_doc_offsets, item_starts, offsets, _flat(view), out)
    return out


@kernel
def _to_code_points(body: Any, offsets: Any, view: Any, point_offsets: Any, points: Any, out: Any) -> None:
    """Map byte offsets, ascending within each text, to code points of its view."""
    bounds, starts, ends = view
    for doc in range(len(offsets) - 1):
        base, r, done, seen = offsets[doc], bounds[doc], 0, 0
        for k in range(point_offsets[doc], point_offsets[doc + 1]):
            point = points[k]
            while r < bounds[doc + 1]:
                for i in range(base + max(starts[r], done), base + min(ends[r], point)):
                    if body[i] & 0xC0 != 0x80:
                        seen += 1
                if ends[r] > point:
                    break
                r += 1
            done = max(done, point)
            out[k] = seen


def parts_of_view(text: pa.StringArray, view: pa.ListArray, parts: pa.ListArray) -> pa.ListArray:
    """Return `parts` with code-point offsets of the views; pieces of text that the view drops go, media stay.

    parts: list of PART in order, with byte offsets into the stored text, not overlapping.
    """
    body, offsets = string_buffers(text)
    flat, at = parts.flatten(), parts.offsets.to_numpy() - parts.offsets[0].as_py()
    sides = [flat.field(name).to_numpy(zero_copy_only=False) for name in ("start", "end")]
    points = np.stack(sides, axis=1).ravel().astype(np.int32)
    mapped = np.zeros(len(points), np.int32)
    _to_code_points(body, offsets, _flat(view), at.astype(np.int64) * 2, points, mapped)
    start, end = mapped[0::2], mapped[1::2]
    media = pc.is_in(flat.field("kind"), pa.array(["image", "audio", "video"])).to_numpy(zero_copy_only=False)
    stays = media | (start < end)
    moved = {"start": pa.array(start), "end": pa.array(end)}
    columns = [moved.get(field.name, flat.field(field.name)) for field in PART]
    pieces = pa.StructArray.from_arrays(columns, fields=list(PART)).filter(pa.array(stays))
    bounds = np.concatenate([[0], np.cumsum(stays)])[at].astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(bounds), pieces)
