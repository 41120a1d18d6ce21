"""Texts as a fastText classifier sees them: the words of the shared segmentation, in lower case, a space between them.

So a Japanese or Thai text has words, not one long one, and punctuation, mark-up and layout are no signs of quality.
Training and scoring use the same function.
"""

from typing import Any

import numpy as np
import pyarrow as pa

from filters.code_points import lower_case
from filters.native import decode_utf8, kernel, string_buffers
from filters.segmentation import Segmentation

VERSION = 1
MAX_WORDS = 2048  # of a text that are seen, from its beginning


def word_lines(text: pa.StringArray, words: Segmentation) -> pa.StringArray:
    """Return a line for each text, "" for one without a word; no line holds a newline or a label."""
    data, _ = string_buffers(text)
    taken = np.minimum(np.diff(words.doc_offsets), MAX_WORDS)
    first = words.doc_offsets[:-1]
    # a letter of two bytes may have a lower case of three (U+023A), one of one byte never
    capacity = int(_taken_bytes(words.starts, words.ends, first, taken)) * 2
    out, offsets = np.empty(capacity, np.uint8), np.zeros(len(text) + 1, np.int32)
    used = _write(data, (words.starts, words.ends, first, taken), lower_case(), out, offsets)
    return pa.StringArray.from_buffers(len(text), pa.py_buffer(offsets), pa.py_buffer(out[:used]))


@kernel
def _taken_bytes(starts: Any, ends: Any, first: Any, taken: Any) -> int:
    total = 0
    for doc in range(len(taken)):
        for word in range(first[doc], first[doc] + taken[doc]):
            total += ends[word] - starts[word] + 1
    return total


@kernel
def _encode(point: int, out: Any, at: int) -> int:
    """Write a code point as UTF-8; return where the next goes."""
    if point < 0x80:
        out[at] = point
        return at + 1
    if point < 0x800:
        out[at] = 0xC0 | point >> 6
    else:
        if point < 0x10000:
            out[at] = 0xE0 | point >> 12
        else:
            out[at] = 0xF0 | point >> 18
            at += 1
            out[at] = 0x80 | (point >> 12 & 0x3F)
        at += 1
        out[at] = 0x80 | (point >> 6 & 0x3F)
    out[at + 1] = 0x80 | (point & 0x3F)
    return at + 2


@kernel
def _write(data: Any, words: Any, lowers: Any, out: Any, offsets: Any) -> int:
    starts, ends, first, taken = words
    at = 0
    for doc in range(len(taken)):
        for word in range(first[doc], first[doc] + taken[doc]):
            if word > first[doc]:
                out[at] = 32
                at += 1
            i = starts[word]
            while i < ends[word]:
                point, width = decode_utf8(data, i)
                at = _encode(int(lowers[point]), out, at)
                i += width
        offsets[doc + 1] = at
    return at
