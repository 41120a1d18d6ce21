"""FineWeb's own measures (Penedo et al. 2024, arXiv 2406.17557, section 3.6), on the lines that C4's edit leaves.

What differs from its code:
  - a line is short at 30 columns and not 30 characters: East Asian wide characters take two, as on a screen, for 30
    of them say about twice what 30 Latin letters do;
  - a line ends in terminal punctuation also where a quote, a bracket or a citation closes after it.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from filters.line_characters import FLAGS, WIDE
from filters.lines import Lines
from filters.native import decode_utf8, kernel, string_buffers
from filters.repetition import duplicate_lines
from filters.segmentation import Segmentation

VERSION = 1

SHORT_COLUMNS = 30

COLUMNS = (
    "fineweb_line_count",  # kept lines that are not blank
    "fineweb_char_count",  # their characters, newlines left out
    "fineweb_terminal_line_count",  # those that end in terminal punctuation of any script
    "fineweb_short_line_count",  # those of at most SHORT_COLUMNS columns
    "fineweb_duplicate_line_char_count",  # characters of those equal to an earlier one
    "fineweb_newline_count",  # newlines between them: one less than lines, and 0 for none
    "fineweb_word_count",  # words in them
)
_LINES, _CHARS, _TERMINAL, _SHORT, _TWIN_CHARS, _NEWLINES, _WORDS = range(7)


def fineweb_signals(
    text: pa.StringArray, words: Segmentation, lines: Lines, kept: npt.NDArray[np.uint8]
) -> pa.RecordBatch:
    """Return COLUMNS, int32, shape (len(text),), of the view that keeps lines where `kept`, uint8[n_lines], is 1."""
    out = np.zeros((len(COLUMNS), len(text)), np.int32)
    places = (lines.doc_offsets, lines.starts, lines.ends)
    _measure(string_buffers(text)[0], places, (lines.chars, lines.terminal, kept), FLAGS, out)
    _count_words(places, (words.doc_offsets, words.starts), kept, out)
    out[_TWIN_CHARS] = duplicate_lines(lines, kept)[2]
    out[_NEWLINES] = np.maximum(out[_LINES] - 1, 0)
    return pa.RecordBatch.from_arrays([pa.array(column) for column in out], list(COLUMNS))


@kernel
def _is_short(body: Any, start: int, end: int, flags: Any) -> bool:
    columns = 0
    while start < end:
        point, size = decode_utf8(body, start)
        columns += 2 if point < len(flags) and flags[point] & WIDE else 1
        start += size
    return columns <= SHORT_COLUMNS


@kernel
def _measure(body: Any, lines: Any, measured: Any, flags: Any, out: Any) -> None:
    doc_offsets, starts, ends = lines
    chars, terminal, kept = measured
    for doc in range(len(doc_offsets) - 1):
        for line in range(doc_offsets[doc], doc_offsets[doc + 1]):
            if kept[line] and starts[line] < ends[line]:
                out[_LINES, doc] += 1
                out[_CHARS, doc] += chars[line]
                out[_TERMINAL, doc] += terminal[line]
                if chars[line] <= SHORT_COLUMNS:
                    out[_SHORT, doc] += _is_short(body, starts[line], ends[line], flags)


@kernel
def _count_words(lines: Any, words: Any, kept: Any, out: Any) -> None:
    line_offsets, _, ends = lines
    word_offsets, word_starts = words
    for doc in range(len(line_offsets) - 1):
        word, last = word_offsets[doc], word_offsets[doc + 1]
        for line in range(line_offsets[doc], line_offsets[doc + 1]):
            first = word
            while word < last and word_starts[word] < ends[line]:
                word += 1
            out[_WORDS, doc] += (word - first) * kept[line]
