r"""Where words begin and end: Unicode Standard Annex #29, tailored for scripts without spaces.

A word is a segment that holds a letter, a digit or an ideograph. What differs from the annex:
  - a run of Chinese or Japanese characters, and one of Thai, is one span here, for a phrase model to cut;
  - Lao, Khmer, Burmese and the other scripts of Line_Break=SA, which have no model, give units of
    `CLUSTERS` letters, each with its marks and the letters stacked below it;
  - so Katakana joins neither `_` (WB13a, WB13b) nor, after a ZWJ, a pictograph (WB3c); U+30A0 is punctuation;
  - a ZWJ that follows no word starts none: the word of `. ZWJ (circled M)` is the letter alone.
"""

from functools import cache
from typing import Any, NamedTuple

import numpy as np

from filters.code_points import CODE_POINTS, code_points
from filters.native import decode_utf8, kernel

CLUSTERS = 3

SPACED, CJK_RUN, THAI_RUN, _UNSURE, _NONE = range(5)

OTHER, LETTER, HEBREW, NUMERIC, UNDERSCORE = range(5)
EXTEND, ZWJ, MID_LETTER, MID_NUMBER, MID_BOTH, SINGLE_QUOTE, DOUBLE_QUOTE = range(5, 12)
CJK, THAI, STACKED = range(12, 15)
CLASS = 0x1F
MAKES_WORD, PICTOGRAPH, STACKER = 0x20, 0x40, 0x80

_LETTERS = r"[\p{L}\p{Nl}]"
_CLASSES = (
    (LETTER, r"\p{WB=ALetter}"),
    (HEBREW, r"\p{WB=Hebrew_Letter}"),
    (NUMERIC, r"\p{WB=Numeric}"),
    (UNDERSCORE, r"\p{WB=ExtendNumLet}"),
    (MID_LETTER, r"\p{WB=MidLetter}"),
    (MID_NUMBER, r"\p{WB=MidNum}"),
    (MID_BOTH, r"\p{WB=MidNumLet}"),
    (SINGLE_QUOTE, r"\p{WB=Single_Quote}"),
    (DOUBLE_QUOTE, r"\p{WB=Double_Quote}"),
    (CJK, rf"[[[\p{{Han}}\p{{Hiragana}}]&&{_LETTERS}]\p{{WB=Katakana}}\u3006--\u30A0]"),
    (THAI, rf"[\p{{Thai}}&&{_LETTERS}]"),
    (STACKED, rf"[\p{{Line_Break=SA}}&&{_LETTERS}--\p{{Thai}}]"),
    (EXTEND, r"[\p{WB=Extend}\p{WB=Format}]"),
    (ZWJ, r"\p{WB=ZWJ}"),
)
_FLAGS = (
    (MAKES_WORD, r"[\p{L}\p{Nd}\p{Nl}\p{Alphabetic}\p{WB=Katakana}--\u30A0--\p{WB=Extend}--\p{WB=Format}]"),
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

# a byte is a gap between words, ASCII that makes words, or part of a longer character
_GAP, _ASCII, _LONG = range(3)
_BYTES = np.full(256, _LONG, dtype=np.uint8)
_BYTES[:0x80] = [_ASCII if chr(b).isalnum() or b == 0x5F else _GAP for b in range(0x80)]
_MAY_JOIN = np.array([b > 0x7F or chr(b) in ":.,;'" for b in range(256)])  # after an ASCII letter or digit


class Spans(NamedTuple):
    """Words and runs, in order; offsets are absolute in the byte array."""

    starts: Any  # int32[n]
    ends: Any  # int32[n]
    kinds: Any  # uint8[n]: SPACED is a word; CJK_RUN and THAI_RUN are for a phrase model to cut
    doc_offsets: Any  # int64[len(text) + 1]: text i has the spans doc_offsets[i] to doc_offsets[i + 1]


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


def word_spans(data: Any, offsets: Any) -> Spans:
    """Return the words of every text, and the runs of scripts that a model has to cut.

    `data` is uint8[bytes], valid UTF-8; text i is data[offsets[i] : offsets[i + 1]], offsets int32[len + 1].
    """
    texts, longest = len(offsets) - 1, int(np.diff(offsets).max(initial=0))
    # two words have three bytes between them: two of ASCII never touch, any other character has two or more
    capacity = (int(offsets[-1]) - int(offsets[0])) * 2 // 3 + texts + 1
    starts, ends, kinds = (np.empty(capacity, dtype) for dtype in (np.int32, np.int32, np.uint8))
    spans = Spans(starts, ends, kinds, np.zeros(texts + 1, np.int64))
    n = _scan(data, offsets, break_classes(), np.empty(longest + 1, np.int32), spans)
    return Spans(starts[:n], ends[:n], kinds[:n], spans.doc_offsets)


@kernel
def _scan(data: Any, offsets: Any, classes: Any, stretches: Any, spans: Spans) -> int:
    n = 0
    for document in range(len(offsets) - 1):
        i, stop = offsets[document], offsets[document + 1]
        for stretch in range(_stretches(data, i, stop, stretches)):
            end = stretches[stretch + 1]
            i = max(i, stretches[stretch])
            while i < end and _BYTES[data[i]] != _GAP:
                spans.starts[n] = i
                if data[i] < 0x80:
                    kind, i = SPACED if data[i] != 0x5F else _UNSURE, end
                    if end < stop and _MAY_JOIN[data[end]]:
                        i = _chain_end(data, end, stop, classes, classes[data[end - 1]] & CLASS)
                else:
                    kind, i = _long_segment(data, i, stop, classes)
                if kind == _UNSURE:
                    kind = SPACED if _makes_word(data, spans.starts[n], i, classes) else _NONE
                spans.ends[n], spans.kinds[n] = i, kind
                n += kind != _NONE
        spans.doc_offsets[document + 1] = n
    return n


@kernel
def _stretches(data: Any, start: int, stop: int, found: Any) -> int:
    """Write where each stretch of bytes of one kind starts, then `stop`; return how many there are.

    There is nothing to mispredict here, which makes it several times as fast as looking for the end of each word.
    """
    n, before = 0, np.uint8(_GAP)
    for i in range(start, stop):
        kind = _BYTES[data[i]]
        found[n] = i
        n += kind != before
        before = kind
    found[n] = stop
    return n


@kernel
def _long_segment(data: Any, i: int, stop: int, classes: Any) -> tuple[int, int]:
    """Return (kind, end) of the segment that starts at i with a character beyond ASCII; _NONE is no word."""
    point, width = decode_utf8(data, i)
    entry = classes[point]
    kind = entry & CLASS
    i += width
    if kind == CJK:
        return CJK_RUN, _run_end(data, i, stop, classes, kind)
    if kind == THAI:
        return THAI_RUN, _run_end(data, i, stop, classes, kind)
    if kind == STACKED:
        return SPACED, _clusters_end(data, i, stop, classes)
    if entry & MAKES_WORD:
        return SPACED, _chain_end(data, i, stop, classes, kind)
    if LETTER <= kind <= UNDERSCORE:
        return _UNSURE, _chain_end(data, i, stop, classes, kind)
    return _NONE, i


@kernel
def _chain_end(data: Any, i: int, stop: int, classes: Any, last: int) -> int:
    """Return the end of the segment whose last character, of class `last`, ends at i."""
    joiner = False
    while i < stop:
        point, width = decode_utf8(data, i)
        entry = classes[point]
        kind = entry & CLASS
        if kind in (EXTEND, ZWJ):  # WB4
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
        if kind not in (EXTEND, ZWJ):
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
        if kind not in (run, EXTEND, ZWJ):
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
        elif kind in (EXTEND, ZWJ):
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
