"""Lines and paragraphs that stand in several documents of a corpus: each is kept once.

CCNet keeps the first of each paragraph of a snapshot (Wenzek et al. 2020, section 3.1) and compares paragraphs without
case and digits; here they are compared byte by byte, without white space at their ends, so nothing that differs goes.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from filters import views
from filters.lines import Lines, split_lines
from filters.native import kernel, mix64, string_buffers

VERSION = 1
_NEWLINE = 10
_K = np.uint64(0x9FB21C651E98DF25)


@dataclass(frozen=True)
class Passages:
    """Passages of a batch of texts, in order.

    hashes        uint64[n]  of what the passage says
    rows          int64[n]   the text that it stands in
    starts, ends  int32[n]   bytes in that text; `ends` takes in the newline behind a passage where there is one
    """

    hashes: npt.NDArray[np.uint64]
    rows: npt.NDArray[np.int64]
    starts: npt.NDArray[np.int32]
    ends: npt.NDArray[np.int32]


def passages(text: pa.StringArray, view: pa.ListArray, *, paragraphs: bool, min_characters: int) -> Passages:
    """Return the lines, or the paragraphs (lines between blank ones), of the views of texts.

    Passages of fewer than `min_characters` code points are left out. A line that the view drops belongs to none, and
    does not end a paragraph.
    """
    found = split_lines(text)
    begins, past = _bounds(text, found)
    inside = views.items_in_view(text, view, found.doc_offsets, begins) != 0
    rows = np.repeat(np.arange(len(text)), np.diff(found.doc_offsets))
    blank = found.starts == found.ends
    chosen = np.flatnonzero(inside & ~blank)
    if not len(chosen):
        return Passages(np.zeros(0, np.uint64), chosen, np.zeros(0, np.int32), np.zeros(0, np.int32))
    firsts = _first_lines(chosen, rows, blank) if paragraphs else np.arange(len(chosen))
    lasts = np.append(firsts[1:], len(chosen)) - 1
    characters = np.add.reduceat(found.chars[chosen].astype(np.int64), firsts)
    enough = characters >= min_characters
    owner = rows[chosen[firsts]]
    base = _offsets(text)[owner]
    return Passages(
        _joined(found.hashes[chosen], firsts)[enough],
        owner[enough],
        (begins[chosen[firsts]] - base)[enough].astype(np.int32),
        (past[chosen[lasts]] - base)[enough].astype(np.int32),
    )


def _bounds(text: pa.StringArray, found: Lines) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """Return where each line begins, and where the next one does, in the batch's value buffer."""
    body, offsets = string_buffers(text)
    newlines = int(offsets[0]) + np.flatnonzero(body[int(offsets[0]) : int(offsets[-1])] == _NEWLINE)
    count = len(found.starts)
    begins, past = np.empty(count, np.int32), np.empty(count, np.int32)
    is_first, is_last = np.zeros(count, bool), np.zeros(count, bool)
    is_first[found.doc_offsets[:-1]], is_last[found.doc_offsets[1:] - 1] = True, True
    begins[is_first], begins[~is_first] = offsets[:-1], newlines + 1
    past[is_last], past[~is_last] = offsets[1:], newlines + 1
    return begins, past


def later_copies(hashes: npt.NDArray[np.uint64], ids: npt.NDArray[Any], min_documents: int) -> npt.NDArray[np.bool_]:
    """Return which passages go, bool[n]: all of those that stand in at least `min_documents`, but in the first one.

    hashes: uint64[n], ascending; ids: uint64[n, 2], ascending within equal hashes.
    """
    if not len(hashes):
        return np.zeros(0, bool)
    new_group = np.concatenate([[True], hashes[1:] != hashes[:-1]])
    new_document = new_group | np.concatenate([[True], (ids[1:] != ids[:-1]).any(axis=1)])
    group = np.cumsum(new_group) - 1
    nth = np.cumsum(new_document)
    nth = nth - nth[new_group][group]  # 0 in the first document of a group
    documents = np.bincount(group, weights=new_document).astype(np.int64)
    gone: npt.NDArray[np.bool_] = (nth > 0) & (documents[group] >= min_documents)
    return gone


def _joined(hashes: npt.NDArray[np.uint64], firsts: npt.NDArray[np.int64]) -> npt.NDArray[np.uint64]:
    """Return a hash of the sequence of line hashes of each passage."""
    place = np.arange(len(hashes)) - np.repeat(firsts, np.diff(np.append(firsts, len(hashes))))
    placed = (hashes + place.astype(np.uint64) * _K) * (hashes | np.uint64(1))
    mixed: npt.NDArray[np.uint64] = _mixed(np.add.reduceat(placed, firsts))
    return mixed


@kernel
def _mixed(values: Any) -> Any:
    out = np.empty_like(values)
    for i in range(len(values)):
        out[i] = mix64(values[i])
    return out


def _first_lines(
    chosen: npt.NDArray[np.int64], rows: npt.NDArray[np.int64], blank: npt.NDArray[np.bool_]
) -> npt.NDArray[np.int64]:
    """Return the places in `chosen` where a paragraph begins: after another text's, or after a blank line."""
    blanks = np.cumsum(blank)
    apart = (rows[chosen[1:]] != rows[chosen[:-1]]) | (blanks[chosen[1:]] != blanks[chosen[:-1]])
    return np.flatnonzero(np.concatenate([[True], apart]))


def _offsets(text: pa.StringArray) -> npt.NDArray[np.int32]:
    offsets: npt.NDArray[np.int32] = string_buffers(text)[1]
    return offsets
