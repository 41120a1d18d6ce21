"""mC4's rule (Xue et al. 2021, section 3.1; TensorFlow Datasets, c4_utils.paragraph_filter): three lines of 200.

What differs: 200 are letters as Latin ones go: a Chinese character counts as three and another East
Asian wide one (kana, Hangul) as two, about what translations of the same manuals need. The rule's other half, the
language, is `text.min_language_score`.
"""

from typing import Any

import numpy as np
import pyarrow as pa

from filters.line_characters import FLAGS, WIDE
from filters.lines import Lines
from filters.native import decode_utf8, kernel, string_buffers

VERSION = 1

LONG_LETTERS = 200
COLUMNS = ("mc4_long_line_count",)


def mc4_signals(text: pa.StringArray, lines: Lines) -> pa.RecordBatch:
    """Return COLUMNS, int32, shape (len(text),): lines of at least LONG_LETTERS, white space aside."""
    out = np.zeros(len(text), np.int32)
    _count(string_buffers(text)[0], (lines.doc_offsets, lines.starts, lines.ends, lines.chars), FLAGS, out)
    return pa.RecordBatch.from_arrays([pa.array(out)], list(COLUMNS))


@kernel
def _is_long(body: Any, start: int, end: int, flags: Any) -> bool:
    letters = 0
    while start < end and letters < LONG_LETTERS:
        point, size = decode_utf8(body, start)
        wide = point < len(flags) and flags[point] & WIDE != 0
        han = 0x3400 <= point < 0xA000 or 0xF900 <= point < 0xFB00 or point >= 0x20000
        letters += 3 if han else 2 if wide else 1
        start += size
    return letters >= LONG_LETTERS


@kernel
def _count(body: Any, lines: Any, flags: Any, out: Any) -> None:
    doc_offsets, starts, ends, chars = lines
    for doc in range(len(doc_offsets) - 1):
        for line in range(doc_offsets[doc], doc_offsets[doc + 1]):
            if chars[line] >= LONG_LETTERS:
                out[doc] += 1
            elif 3 * chars[line] >= LONG_LETTERS:
                out[doc] += _is_long(body, starts[line], ends[line], flags)
