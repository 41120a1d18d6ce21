"""Mask personal data: an edit that puts a name of the class where the data stood, and moves offsets with it.

The same name for all of a class by default ("<EMAIL>"), or numbered within a text ("<EMAIL_1>", again "<EMAIL_1>" where
the same string comes back), so that who wrote to whom stays readable. Neither needs a key. Keyed pseudonyms are not
made: telephone, card and national numbers are few enough to be tried one after the other by whoever gets the key.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from filters.native import kernel, string_buffers
from filters.personal.style import Style
from manifests.records import PART, RANGE

VERSION = 1


@dataclass(frozen=True)
class Masked:
    """Masked texts, and how they came about, shape (len(text),) each."""

    text: pa.StringArray
    kept: pa.ListArray  # list of RANGE: the bytes of the text before that stay, a view of it
    replaced: pa.ListArray  # list of RANGE: the bytes of the text after that stand for data, in the order of spans
    _before: npt.NDArray[np.int64]  # (n_spans, 2): code points of spans in the text before
    _after: npt.NDArray[np.int64]  # (n_spans, 2): code points of what stands for them
    _bounds: npt.NDArray[np.int64]  # spans of each text

    def move_parts(self, parts: pa.ListArray) -> pa.ListArray:
        """Return `parts`, list of PART in code points of the text before, with code points of the masked text.

        A part that starts or ends inside data starts or ends with what stands for it.
        """
        flat, bounds = parts.flatten(), parts.offsets.to_numpy() - parts.offsets[0].as_py()
        moved = {}
        for side in ("start", "end"):
            points = flat.field(side).to_numpy(zero_copy_only=False).astype(np.int64)
            _move(points, bounds, (self._before, self._after, self._bounds), side == "end")
            moved[side] = pa.array(points.astype(np.int32))
        columns = [moved.get(each.name, flat.field(each.name)) for each in PART]
        pieces = pa.StructArray.from_arrays(columns, fields=list(PART))
        return pa.ListArray.from_arrays(pa.array(bounds.astype(np.int32)), pieces)


@kernel
def _move(points: Any, bounds: Any, spans: Any, is_end: bool) -> None:
    before, after, span_bounds = spans
    for row in range(len(bounds) - 1):
        for p in range(bounds[row], bounds[row + 1]):
            point = points[p]
            low, high = span_bounds[row], span_bounds[row + 1]
            first = low
            while low < high:  # the last span that starts before the point
                middle = (low + high) // 2
                if before[middle, 0] < point:
                    low = middle + 1
                else:
                    high = middle
            if low == first:
                continue
            span = low - 1
            if point >= before[span, 1]:
                points[p] = after[span, 1] + point - before[span, 1]
            else:
                points[p] = after[span, 1] if is_end else after[span, 0]


@kernel
def _splice(body: Any, offsets: Any, spans: Any, tokens: Any, out: Any) -> int:
    """Write texts with tokens for spans; count code points on the way. Return the bytes written."""
    span_bounds, starts, ends, chosen = spans
    token_body, token_offsets = tokens
    written, out_offsets, replaced, before, after = out
    filled = 0
    for row in range(len(offsets) - 1):
        base, at, seen, made = offsets[row], offsets[row], 0, 0
        row_start = filled
        for s in range(span_bounds[row], span_bounds[row + 1] + 1):
            last = s == span_bounds[row + 1]
            stop = offsets[row + 1] if last else base + starts[s]
            while at < stop:
                if body[at] & 0xC0 != 0x80:
                    seen += 1
                    made += 1
                written[filled] = body[at]
                filled += 1
                at += 1
            if last:
                break
            before[s, 0], after[s, 0], replaced[s, 0] = seen, made, filled - row_start
            while at < base + ends[s]:
                seen += body[at] & 0xC0 != 0x80
                at += 1
            for t in range(token_offsets[chosen[s]], token_offsets[chosen[s] + 1]):
                made += token_body[t] & 0xC0 != 0x80
                written[filled] = token_body[t]
                filled += 1
            before[s, 1], after[s, 1], replaced[s, 1] = seen, made, filled - row_start
        out_offsets[row + 1] = filled
    return filled


def mask(text: pa.StringArray, spans: pa.RecordBatch, style: Style | None = None) -> Masked:
    """Return the texts with a token in the place of each span; `spans` as `filters.personal.find.find` gives them."""
    body, offsets = string_buffers(text)
    rows, starts, ends = (spans[name].to_numpy() for name in ("row", "start", "end"))
    bounds = np.searchsorted(rows, np.arange(len(text) + 1)).astype(np.int64)
    distinct, chosen = _tokens(text, spans, style or Style())
    token_body, token_offsets = string_buffers(distinct)
    sizes = np.diff(token_offsets)[chosen] if len(chosen) else np.zeros(0, np.int64)
    room = int(offsets[-1] - offsets[0]) + int(sizes.sum())
    written, out_offsets = np.empty(room, np.uint8), np.zeros(len(text) + 1, np.int32)
    replaced, before, after = (np.zeros((len(rows), 2), np.int64) for _ in range(3))
    told = (written, out_offsets, replaced, before, after)
    size = _splice(body, offsets, (bounds, starts, ends, chosen), (token_body, token_offsets), told)
    masked = pa.StringArray.from_buffers(len(text), pa.py_buffer(out_offsets), pa.py_buffer(written[:size]))
    lengths = np.diff(offsets).astype(np.int64)
    return Masked(masked, _kept(lengths, bounds, starts, ends), _ranges(bounds, replaced), before, after, bounds)


def _ranges(bounds: npt.NDArray[np.int64], pairs: npt.NDArray[np.int64]) -> pa.ListArray:
    columns = [pa.array(pairs[:, side].astype(np.int32)) for side in (0, 1)]
    return pa.ListArray.from_arrays(
        pa.array(bounds.astype(np.int32)), pa.StructArray.from_arrays(columns, fields=list(RANGE))
    )


def _kept(
    lengths: npt.NDArray[np.int64],
    bounds: npt.NDArray[np.int64],
    starts: npt.NDArray[np.int64],
    ends: npt.NDArray[np.int64],
) -> pa.ListArray:
    """Return what lies before, between and after the spans of each text, without empty pieces."""
    counts = np.diff(bounds)
    row = np.repeat(np.arange(len(lengths)), counts + 1)
    place = np.arange(len(row)) - np.repeat(bounds[:-1] + np.arange(len(lengths)), counts + 1)
    first, last = place == 0, place == np.repeat(counts, counts + 1)
    left, right = np.zeros(len(row), np.int64), lengths[row]
    left[~first], right[~last] = ends, starts
    full = left < right
    inside = np.concatenate([[0], np.cumsum(np.bincount(row[full], minlength=len(lengths)))])
    return _ranges(inside, np.stack([left[full], right[full]], axis=1))


def _tokens(text: pa.StringArray, spans: pa.RecordBatch, style: Style) -> tuple[pa.StringArray, npt.NDArray[np.int64]]:
    """Return (distinct tokens, the one of each span)."""
    names = spans["class"].to_pylist()
    numbered = style.naming == "numbered"
    tokens = _numbered(text, spans, style) if numbered else [style.token(name) for name in names]
    distinct = sorted(set(tokens)) or [""]
    at = {token: place for place, token in enumerate(distinct)}
    return pa.array(distinct, pa.string()), np.array([at[token] for token in tokens], np.int64)


def _numbered(text: pa.StringArray, spans: pa.RecordBatch, style: Style) -> list[str]:
    body, offsets = string_buffers(text)
    columns = (spans[name].to_pylist() for name in ("row", "start", "end", "class"))
    seen: dict[tuple[int, str], dict[bytes, int]] = {}
    tokens = []
    for row, start, end, name in zip(*columns, strict=True):
        said = bytes(body[offsets[row] + start : offsets[row] + end])
        numbers = seen.setdefault((row, name), {})
        number = numbers.setdefault(said, len(numbers) + 1)
        tokens.append(f"{style.token(name)[:-1]}_{number}>")
    return tokens


def count_by_class(spans: pa.RecordBatch, chosen: npt.NDArray[np.bool_] | None = None) -> dict[str, int]:
    """Return {class: spans}, sorted by class; chosen: bool[n_texts], the texts that count."""
    names = spans["class"]
    if chosen is not None:
        names = names.filter(pa.array(chosen[spans["row"].to_numpy()]))
    counts = {each["values"]: each["counts"] for each in names.value_counts().to_pylist()}
    return dict(sorted(counts.items()))
