"""Counts of characters, lines, tokens and encoded data of source files: one pass over the bytes, in machine code.

Characters and lines are those of Python's `str`: `isalpha`, `isalnum` (letters and numbers) and `splitlines`, as the
rules of StarCoder and RedPajama were written. Tokens are runs of word characters and runs of other characters that are
not white space.
"""

from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa

from filters.code_points import CODE_POINTS, code_points
from filters.native import decode_utf8, kernel, string_buffers

CHARACTERS_VERSION = 1
LETTER, NUMBER, WORD, SPACE, LINE_END = 1, 2, 4, 8, 16
MIN_BASE64, MIN_PAIRS, MIN_ESCAPES = 64, 8, 8  # how long a run of encoded data is at least (StarCoder2, section 3.1)
# a run of base64 is kept from being a long path or name by a digit and both cases; hex pairs stand alone or as \x..

COLUMNS = (
    "char_count",
    "letter_count",  # str.isalpha
    "alnum_count",  # str.isalnum
    "code_token_count",
    "line_count",  # str.splitlines
    "max_line_chars",
    "line_char_count",  # of all lines, without their ends
    "encoded_char_count",  # in runs of base64, hex pairs or \\u escapes
    "max_encoded_run",  # characters of the longest
)


@cache
def _classes() -> Any:
    table = np.zeros(CODE_POINTS, np.uint8)
    for pattern, flag in ((r"\p{L}", LETTER), (r"\p{N}", NUMBER), (r"\w", WORD), (r"\s", SPACE)):
        table[code_points(pattern)] |= flag
    table[[10, 11, 12, 13, 0x1C, 0x1D, 0x1E, 0x85, 0x2028, 0x2029]] |= LINE_END
    table.setflags(write=False)
    return table


@cache
def _ascii() -> Any:
    """Return of each byte: 1 base64, 2 hex digit, 4 capital, 8 small, 16 digit."""
    table = np.zeros(256, np.uint8)
    for byte in range(128):
        sign = chr(byte)
        table[byte] = (
            (sign.isalnum() or sign in "+/=")
            | (sign in "0123456789abcdefABCDEF") << 1
            | sign.isupper() << 2
            | sign.islower() << 3
            | sign.isdigit() << 4
        )
    table.setflags(write=False)
    return table


def count_characters(text: pa.StringArray) -> pa.RecordBatch:
    """Return COLUMNS, int64, shape (len(text),); all zero for an empty text."""
    data, offsets = string_buffers(text)
    out = np.zeros((len(COLUMNS), len(text)), np.int64)
    _count(data, offsets, _classes(), out)
    _encoded(data, offsets, _ascii(), out)
    return pa.RecordBatch.from_arrays([pa.array(row) for row in out], names=list(COLUMNS))


@kernel
def _count(data: Any, offsets: Any, classes: Any, out: Any) -> None:
    for row in range(len(offsets) - 1):
        at, end = offsets[row], offsets[row + 1]
        chars = letters = alnums = tokens = lines = longest = inside = length = 0
        kind = 0  # of the token under way: 1 word, 2 other signs
        while at < end:
            if data[at] < 0x80:
                point, size = int(data[at]), 1
            else:
                point, size = decode_utf8(data, at)
            flags = classes[point]
            chars += 1
            letters += (flags & LETTER) != 0
            alnums += (flags & (LETTER | NUMBER)) != 0
            now = 1 if flags & WORD else (0 if flags & SPACE else 2)
            tokens += now not in (0, kind)
            kind = now
            at += size
            if flags & LINE_END:
                if point == 13 and at < end and data[at] == 10:
                    chars += 1
                    at += 1
                lines += 1
                longest = max(longest, length)
                inside += length
                length = 0
            else:
                length += 1
        if length:
            lines += 1
            longest = max(longest, length)
            inside += length
        out[0, row], out[1, row], out[2, row], out[3, row] = chars, letters, alnums, tokens
        out[4, row], out[5, row], out[6, row] = lines, longest, inside


@kernel
def _base64_end(data: Any, at: int, end: int, table: Any) -> int:
    """Return where the run of base64 that starts at `at` ends, `at` where there is none."""
    i, seen = at, 0
    while i < end and table[data[i]] & 1:
        seen |= table[data[i]]
        i += 1
    return i if i - at >= MIN_BASE64 and (seen & 0x1C) == 0x1C else at


@kernel
def _pairs_end(data: Any, at: int, end: int, table: Any) -> int:
    r"""Return where a run of `\xAB` or `0xAB, ` pairs that starts at `at` ends, `at` where there is none."""
    i, pairs = at, 0
    while i + 3 < end and (data[i] == 92 or data[i] == 48) and data[i + 1] == 120:
        if not (table[data[i + 2]] & 2 and table[data[i + 3]] & 2):
            break
        i += 4
        pairs += 1
        while i < end and (data[i] == 44 or data[i] == 32 or data[i] == 10):
            i += 1
    return i if pairs >= MIN_PAIRS else at


@kernel
def _escapes_end(data: Any, at: int, end: int, table: Any) -> int:
    r"""Return where a run of `\uABCD` that starts at `at` ends, `at` where there is none."""
    i, escapes = at, 0
    while i + 5 < end and data[i] == 92 and data[i + 1] == 117:
        if not (
            table[data[i + 2]] & 2 and table[data[i + 3]] & 2 and table[data[i + 4]] & 2 and table[data[i + 5]] & 2
        ):
            break
        i += 6
        escapes += 1
    return i if escapes >= MIN_ESCAPES else at


@kernel
def _encoded(data: Any, offsets: Any, table: Any, out: Any) -> None:
    for row in range(len(offsets) - 1):
        at, end, total, longest = offsets[row], offsets[row + 1], 0, 0
        while at < end:
            sign = data[at]
            stop = at
            if sign == 92 or (sign == 48 and at + 1 < end and data[at + 1] == 120):
                stop = max(_pairs_end(data, at, end, table), _escapes_end(data, at, end, table))
            if stop == at and table[sign] & 1:
                stop = _base64_end(data, at, end, table)
                if stop == at:  # too short a run: none starts inside it either
                    while at < end and table[data[at]] & 1:
                        at += 1
                        if at + 1 < end and data[at] == 48 and data[at + 1] == 120:
                            break
                    continue
            if stop > at:
                total += stop - at
                longest = max(longest, stop - at)
                at = stop
            else:
                at += 1
        out[7, row], out[8, row] = total, longest
