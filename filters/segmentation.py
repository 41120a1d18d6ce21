"""The words of texts: one segmentation, made once, which every rule and MinHash share.

Words follow UAX #29 (`word_breaks`), and phrase models where a script has no spaces (`phrase_models`). A word never
crosses a newline and holds a letter, a digit or an ideograph. The words of a text depend on nothing but the text.
"""

import hashlib
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from filters.code_points import CODE_POINTS, code_points, lower_case
from filters.native import decode_utf8, kernel, mix64, string_buffers
from filters.phrase_models import cut_runs, phrase_models, script_flags
from filters.word_breaks import break_classes, word_spans

SEGMENTATION_VERSION = "1"  # a change of the rules changes it; `segmentation_digest` tells the tables as well

HOLDS_LETTER, ALL_DIGITS = 1, 2


@dataclass(frozen=True)
class Segmentation:
    """The words of a batch of texts, in order; offsets are absolute in `string_buffers(text)[0]`.

    starts, ends   int32[n]: bytes of a word
    doc_offsets    int64[len(text) + 1]: the words of text i are doc_offsets[i] to doc_offsets[i + 1]
    chars          int32[n]: code points of a word, at least 1
    hashes         uint64[n]: hash of the word's lower-cased code points, uniform
    flags          uint8[n]: HOLDS_LETTER (a character is Alphabetic), ALL_DIGITS (every one is a decimal digit)
    """

    starts: Any
    ends: Any
    doc_offsets: Any
    chars: Any
    hashes: Any
    flags: Any


def segment(text: pa.StringArray) -> Segmentation:
    """Return the words of every text; a null has none."""
    data, offsets = string_buffers(text)
    for buffer in (data, offsets):
        buffer.setflags(write=False)  # arrays differ in this, and each type would compile its own kernel
    spans = word_spans(data, offsets)
    starts, ends, doc_offsets = spans.starts, spans.ends, spans.doc_offsets
    if spans.kinds.any():
        starts, ends, doc_offsets = cut_runs(data, spans)
    measures = Measures(*(np.empty(len(starts), dtype) for dtype in (np.int32, np.uint64, np.uint8)))
    _measure(data, starts, ends, _letters_and_digits(), lower_case(), measures)
    return Segmentation(starts, ends, doc_offsets, *measures)


class Measures(NamedTuple):
    """What `Segmentation` says of each word."""

    chars: Any
    hashes: Any
    flags: Any


@cache
def segmentation_digest() -> str:
    """Return what decides words and hashes: the version, and a digest of Unicode's tables and the models' weights."""
    tables = (break_classes(), script_flags(), lower_case(), _letters_and_digits(), *phrase_models())
    digest = hashlib.sha256()
    for table in tables:
        digest.update(table)
    return f"{SEGMENTATION_VERSION}-{digest.hexdigest()[:16]}"


@cache
def _letters_and_digits() -> Any:
    """Return HOLDS_LETTER | ALL_DIGITS of every code point: uint8[CODE_POINTS]."""
    table = np.zeros(CODE_POINTS, dtype=np.uint8)
    table[code_points(r"\p{Alphabetic}")] |= HOLDS_LETTER
    table[code_points(r"\p{Nd}")] |= ALL_DIGITS
    table.setflags(write=False)
    return table


@kernel
def _measure(data: Any, starts: Any, ends: Any, kinds: Any, lower: Any, found: Measures) -> None:
    for word in range(len(starts)):
        i, stop = starts[word], ends[word]
        chars, some, every = 0, 0, ALL_DIGITS
        state = np.uint64(0x9E3779B97F4A7C15)
        while i < stop:
            point, width = decode_utf8(data, i)
            some |= kinds[point]
            every &= kinds[point]
            state = (state ^ np.uint64(lower[point])) * np.uint64(0xD6E8FEB86659FD93)
            chars += 1
            i += width
        found.chars[word] = chars
        found.hashes[word] = mix64(state)
        found.flags[word] = (some & HOLDS_LETTER) | (every & ALL_DIGITS)
