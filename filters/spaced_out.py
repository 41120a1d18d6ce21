"""Letters and short words that spaces hold apart, nine times over: "s p a c e d  o u t", tables, indented code.

MADLAD-400's list has three such expressions (`filters.questionable`): a space and one character that is none, and a
space and any three or four characters. Spaces are kept as bits, the last character lowest, so that nine of them are
one comparison.
"""

from typing import Any

import numpy as np

from filters.lines import following, word_at
from filters.native import kernel

_APART = 9
_EVERY_2 = sum(1 << 1 + 2 * k for k in range(_APART))  # " a b c d e f g h i", no space among the letters
_EVERY_4 = sum(1 << 3 + 4 * k for k in range(_APART))  # here any character but a newline may follow a space
_EVERY_5 = sum(1 << 4 + 5 * k for k in range(_APART))
_NEWLINE = 10
_SPACES = np.uint64(0x2020202020202020)
_LOW, _HIGH = np.uint64(0x7F7F7F7F7F7F7F7F), np.uint64(0x8080808080808080)
_GATHER = np.uint64(0x8040201008040201)  # times bit 0 of each byte: those bits in the highest byte, the first highest


@kernel
def is_spaced_out(body: Any, start: int, end: int) -> bool:
    """Say whether spaces stand two, four or five characters apart, nine times in a row, in one line."""
    spaces = np.uint64(0)
    for i in range(start, end):
        byte = body[i]
        if byte & 0xC0 == 0x80:
            continue
        spaces = np.uint64(0) if byte == _NEWLINE else spaces << np.uint64(1) | np.uint64(byte == ord(" "))
        by_two = spaces & np.uint64((1 << 2 * _APART) - 1) == np.uint64(_EVERY_2)
        by_four = spaces & np.uint64(_EVERY_4) == np.uint64(_EVERY_4)
        if byte != _NEWLINE and (by_two or by_four or spaces & np.uint64(_EVERY_5) == np.uint64(_EVERY_5)):
            return True
    return False


@kernel
def _rows_of_spaces(spaces: Any) -> Any:
    """Return a mask that is not 0 where nine spaces stand two, four or five characters apart in 53 of the 64."""
    found = np.uint64(0)
    for apart in (np.uint64(2), np.uint64(4), np.uint64(5)):
        row = spaces & (spaces >> apart)
        row &= row >> (apart + apart)
        row &= row >> (apart << np.uint64(2))
        found |= row & (spaces >> (apart << np.uint64(3)))
    return found


@kernel
def may_be_spaced_out(body: Any, start: int, end: int) -> bool:
    """Say whether `is_spaced_out` may hold of a part of body[start:end], eight bytes at a time, newlines aside."""
    spaces, i = np.uint64(0), start
    while i + 8 <= end:
        word = word_at(body, i)
        others = word ^ _SPACES
        # bit 7 of a byte is 0 where the byte is a space
        others = ((others & _LOW) + _LOW) | others
        held = ~others & _HIGH
        if held == np.uint64(0):
            spaces <<= np.uint64(8 - following(word))
        elif word & _HIGH:
            for k in range(i, i + 8):
                if body[k] & 0xC0 != 0x80:
                    spaces = spaces << np.uint64(1) | np.uint64(body[k] == ord(" "))
        else:
            spaces = spaces << np.uint64(8) | (held >> np.uint64(7)) * _GATHER >> np.uint64(56)
        if _rows_of_spaces(spaces):
            return True
        i += 8
    for k in range(i, end):
        if body[k] & 0xC0 != 0x80:
            spaces = spaces << np.uint64(1) | np.uint64(body[k] == ord(" "))
    return bool(_rows_of_spaces(spaces))
