r"""Where words begin and end: Unicode Standard Annex #29, word boundaries, tailored for scripts without spaces.

A word is a segment that holds a letter, a digit or an ideograph. What differs from the annex:
  - a run of Chinese or Japanese characters, and one of Thai, is one span here, for a phrase model to cut;
  - Lao, Khmer, Burmese and the other scripts of Line_Break=SA, which have no model, give units of
    `CLUSTERS` letters, each with its marks and the letters stacked below it;
  - so Katakana joins neither `_` (WB13a, WB13b) nor, inside a run, a pictograph after ZWJ (WB3c);
  - a ZWJ that follows no word starts none: the word of `. ZWJ (circled M)` is the letter alone.
"""

from functools import cache
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from filters.code_points import CODE_POINTS, code_points
from filters.native import decode_utf8, kernel, string_buffers

CLUSTERS = 3

OTHER, LETTER, HEBREW, NUMERIC, UNDERSCORE = range(5)
EXTEND, ZWJ, MID_LETTER, MID_NUMBER, MID_BOTH, SINGLE_QUOTE, DOUBLE_QUOTE = range(5, 12)
CJK, THAI, STACKED = range(12, 15)
CLASS = 0x1F
MAKES_WORD, PICTOGRAPH, STACKER = 0x20, 0x40, 0x80

SPACED, CJK_RUN, THAI_RUN = 0, 1, 2

_CLASSES = (
    (LETTER, r"\p{WB=ALetter}"),
    (HEBREW, r"\p{WB=Hebrew_Letter}"),
    (NUMERIC, r"\p{WB=Numeric}"),
    (UNDERSCORE, r"\p{WB=ExtendNumLet}"),
    (EXTEND, r"[\p{WB=Extend}\p{WB=Format}]"),
    (ZWJ, r"\p{WB=ZWJ}"),
    (MID_LETTER, r"\p{WB=MidLetter}"),
    (MID_NUMBER, r"\p{WB=MidNum}"),
    (MID_BOTH, r"\p{WB=MidNumLet}"),
    (SINGLE_QUOTE, r"\p{WB=Single_Quote}"),
    (DOUBLE_QUOTE, r"\p{WB=Double_Quote}"),
    (CJK, r"[[\p{Script=Han}&&[\p{L}\p{Nl}]][\p{Script=Hiragana}&&\p{L}]\p{WB=Katakana}\u3006--\u30A0--\p{WB=Extend}]"),
    (THAI, r"[\p{Script=Thai}&&\p{L}]"),
    (STACKED, r"[\p{Line_Break=SA}&&\p{L}--\p{Script=Thai}]"),
)
_FLAGS = (
    (MAKES_WORD, r"[[\p{L}\p{Nd}\p{Nl}\p{Alphabetic}\p{WB=ALetter}\p{WB=Katakana}]--\u30A0--[\p{WB=Extend}\p{WB=Format}]]"),
    (PICTOGRAPH, r"\p{Extended_Pictographic}"),
    (STACKER, r"[\u1039\u17D2\u1A60]"),  # virama of Burmese, coeng of Khmer, sakot of Tai Tham
)

# what a character does after the last one of a word: break, join, or join if the next is of a class
_BREAK, _JOIN, _IF_LETTER, _IF_NUMERIC, _IF_HEBREW, _IF_LETTER_OR_LAST = range(6)


def _joins() -> Any:
    joins = np.zeros((32, 32), dtype=np.uint8)
    core = [LETTER, HEBREW, NUMERIC, UNDERSCORE]
    joins[np.ix_(core, core)] = _JOIN  # WB5, WB8-WB10, WB13a, WB13b
    joins[np.ix_([LETTER, HEBREW], [MID_LETTER, MID_BOTH, SINGLE_QUOTE])] = _IF_LETTER  # WB6, WB7
    joins[NUMERIC, [MID_NUMBER, MID_BOTH, SINGLE_QUOTE]] = _IF_NUMERIC  # WB11, WB12
    joins[HEBREW, SINGLE_QUOTE] = _IF_LETTER_OR_LAST  # WB7a
    joins[HEBREW, DOUBLE_QUOTE] = _IF_HEBREW  # WB7b, WB7c
    return joins


_JOINS = _joins()
_ASCII_CORE = np.array([chr(b).isalnum() or b == 0x5F if b < 0x80 else False for b in range(256)])


class Spans(NamedTuple):
    """Words and runs in order of their documents; offsets are absolute in the byte array."""

    starts: Any  # int32[n]
    ends: Any  # int32[n]
    kinds: Any  # uint8[n]: SPACED is a word, CJK_RUN and THAI_RUN are still to be cut
    doc_offsets: Any  # int64[len(text) + 1]
    run_bytes: int  # bytes in runs that are still to be cut


@cache
def break_classes() -> Any:
    """Return the class and the flags of every code point: uint8[CODE_POINTS]."""
    table = np.zeros(CODE_POINTS, dtype=np.uint8)
    for value, members in _CLASSES:
        table[code_points(members)] = value
    for flag, members in _FLAGS:
        table[code_points(members)] |= np.uint8(flag)
    table.setflags(write=False)
    return table


def word_spans(text: pa.StringArray) -> Spans:
    """Return the words of every text, and the runs of scripts that a model has to cut."""
    data, offsets = string_buffers(text)
    # two neighbours take three bytes: two ASCII words never touch, any other character has two bytes or more
    capacity = (int(offsets[-1]) - int(offsets[0])) * 2 // 3 + len(text) + 1
    starts, ends = np.empty(capacity, np.int32), np.empty(capacity, np.int32)
    kinds, doc_offsets = np.empty(capacity, np.uint8), np.zeros(len(text) + 1, np.int64)
    n, run_bytes = _scan(data, offsets, break_classes(), starts, ends, kinds, doc_offsets)
    return Spans(starts[:n], ends[:n], kinds[:n], doc_offsets, run_bytes)


@kernel
def _scan(data: Any, offsets: Any, classes: Any, starts: Any, ends: Any, kinds: Any, doc_offsets: Any) -> Any:
    n, run_bytes = 0, 0
    for document in range(len(offsets) - 1):
        i, stop = offsets[document], offsets[document + 1]
        while i < stop:
            if data[i] < 0x80 and not _ASCII_CORE[data[i]]:
                i += 1
                continue
            point, width = decode_utf8(data, i)
            entry = classes[point]
            kind = entry & CLASS
            end, run = i + width, SPACED
            if kind == CJK or kind == THAI:
                run = CJK_RUN if kind == CJK else THAI_RUN
                end = _run_end(data, end, stop, classes, kind)
                run_bytes += end - i
            elif kind == STACKED:
                end = _clusters_end(data, end, stop, classes)
            elif kind == UNDERSCORE or entry & MAKES_WORD:
                end = _chain_end(data, end, stop, classes, kind)
            if entry & MAKES_WORD or (kind == UNDERSCORE and _makes_word(data, i, end, classes)):
                starts[n], ends[n], kinds[n] = i, end, run
                n += 1
            i = end
        doc_offsets[document + 1] = n
    return n, run_bytes


@kernel
def _chain_end(data: Any, i: int, stop: int, classes: Any, last: int) -> int:
    """Return the end of the segment whose last character, of class `last`, ends at i."""
    joiner = False
    while i < stop:
        point, width = decode_utf8(data, i)
        entry = classes[point]
        kind = entry & CLASS
        if kind == EXTEND or kind == ZWJ:  # WB4
            joiner = kind == ZWJ
        elif joiner and entry & PICTOGRAPH:  # WB3c
            last, joiner = kind, False
        else:
            joiner = False
            join = _JOINS[last, kind]
            if join == _BREAK:
                return i
            if join == _JOIN:
                last = kind
            elif not _followed(data, i + width, stop, classes, join):
                if join != _IF_LETTER_OR_LAST:
                    return i
                last = kind
        i += width
    return i


@kernel
def _followed(data: Any, i: int, stop: int, classes: Any, join: int) -> bool:
    """Say whether the next character, marks aside, is of the class that `join` asks for."""
    while i < stop:
        point, width = decode_utf8(data, i)
        kind = classes[point] & CLASS
        if kind != EXTEND and kind != ZWJ:
            if join == _IF_NUMERIC:
                return bool(kind == NUMERIC)
            return bool(kind == HEBREW or (kind == LETTER and join != _IF_HEBREW))
        i += width
    return False


@kernel
def _run_end(data: Any, i: int, stop: int, classes: Any, run: int) -> int:
    while i < stop:
        point, width = decode_utf8(data, i)
        kind = classes[point] & CLASS
        if kind != run and kind != EXTEND and kind != ZWJ:
            return i
        i += width
    return i


@kernel
def _clusters_end(data: Any, i: int, stop: int, classes: Any) -> int:
    """Return the end of a unit whose first letter ends at i."""
    letters, stacks = 1, False
    while i < stop:
        point, width = decode_utf8(data, i)
        entry = classes[point]
        kind = entry & CLASS
        if kind == STACKED:
            if not stacks and letters == CLUSTERS:
                return i
            letters += not stacks
            stacks = False
        elif kind == EXTEND or kind == ZWJ:
            stacks = bool(entry & STACKER)
        else:
            return i
        i += width
    return i


@kernel
def _makes_word(data: Any, i: int, stop: int, classes: Any) -> bool:
    while i < stop:
        point, width = decode_utf8(data, i)
        if classes[point] & MAKES_WORD:
            return True
        i += width
    return False
