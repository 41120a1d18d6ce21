"""Where numbers stand: groups of decimal digits of any script, and the runs of groups that may be one number.

A cluster is groups joined by one separator each: a space, a hyphen, a dot, a slash, or a bracket with what goes with
it. A window is one to eight neighbouring groups of a cluster; it starts and ends where a number may: not beside a
hyphen or dot that goes on. Only windows that some class could want leave the kernel. A cluster of more than
MAX_CLUSTER groups is a table and holds none.
"""

from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from filters.native import kernel
from filters.personal.places import Batch

SPACE, HYPHEN, DOT, SLASH, BRACKET = 1, 2, 3, 4, 5  # what joins two groups
PLUS, OPEN = 1, 2  # flags: what stands before the first digit
LUHN, QUAD, PHONE, SHAPED = 4, 8, 16, 32  # flags: which classes could want it
MAX_GROUPS, MAX_DIGITS, MAX_CLUSTER = 8, 19, 64
_ENDS = 0  # nothing joins


class Windows(NamedTuple):
    """Runs of digit groups, shape (n,); start and end are absolute bytes, the plus sign or bracket included."""

    start: npt.NDArray[np.int64]
    end: npt.NDArray[np.int64]
    value: npt.NDArray[np.uint64]  # all digits as one number
    shape: npt.NDArray[np.uint64]  # group sizes as hexadecimal digits: 0x344 for 03-1234-5678 written with three
    joints: npt.NDArray[np.uint64]  # what joins them, as hexadecimal digits
    digits: npt.NDArray[np.int64]
    flags: npt.NDArray[np.int64]

    def having(self, flag: int) -> "Windows":
        """Return the windows with a flag."""
        chosen = self.flags & flag > 0
        columns: Any = (column[chosen] for column in self)
        return Windows(*columns)


@kernel
def _digit(body: Any, i: int, last: int) -> tuple[int, int]:
    """Return (value, bytes) of the decimal digit at body[i], or (-1, 1).

    ASCII, full width, Arabic-Indic (both), Devanagari, Thai.
    """
    first = body[i]
    if first < 0x80:
        return (int(first) - 48, 1) if 48 <= first <= 57 else (-1, 1)
    if first in (0xD9, 0xDB) and i + 1 < last:
        value = int(body[i + 1]) - (0xA0 if first == 0xD9 else 0xB0)
        return (value, 2) if 0 <= value <= 9 else (-1, 1)
    if first in (0xEF, 0xE0) and i + 2 < last:
        second, value = body[i + 1], int(body[i + 2])
        if first == 0xEF:
            value = value - 0x90 if second == 0xBC else -1
        else:
            value = value - 0xA6 if second == 0xA5 else value - 0x90 if second == 0xB9 else -1
        return (value, 3) if 0 <= value <= 9 else (-1, 1)
    return -1, 1


@kernel
def _punctuation(body: Any, i: int, last: int) -> tuple[int, int]:
    """Return (kind, bytes) of the separator character at body[i], kind 0 for none."""
    first = body[i]
    if first < 0x80:
        kind = 0
        if first == 0x20:
            kind = SPACE
        elif first == 0x2D:
            kind = HYPHEN
        elif first == 0x2E:
            kind = DOT
        elif first == 0x2F:
            kind = SLASH
        elif first in (0x28, 0x29):
            kind = BRACKET
        return kind, 1
    if first == 0xC2 and i + 1 < last and body[i + 1] == 0xA0:
        return SPACE, 2
    if i + 2 >= last:
        return 0, 1
    both = body[i + 1] << 8 | body[i + 2]
    if first == 0xE2 and (0x8090 <= both <= 0x8095 or both == 0x8892):  # dashes, minus
        return HYPHEN, 3
    if first == 0xE2 and both == 0x80AF:
        return SPACE, 3
    if first == 0xE3 and both in (0x8080, 0x83BC):  # ideographic space, the long-vowel mark used as a dash
        return (SPACE if both == 0x8080 else HYPHEN), 3
    if first == 0xEF and both in (0xBC8D, 0xBC88, 0xBC89, 0xBC8E, 0xBC8F):  # full-width - ( ) . /
        return (HYPHEN if both == 0xBC8D else DOT if both == 0xBC8E else SLASH if both == 0xBC8F else BRACKET), 3
    return 0, 1


@kernel
def _joint(body: Any, i: int, last: int) -> tuple[int, int]:
    """Return (what joins, where the next group starts) after a group that ends at i; _ENDS where none follows."""
    kinds, at = 0, i
    for count in range(4):
        if at >= last:
            return _ENDS, i
        if count and _digit(body, at, last)[0] >= 0:
            break
        kind, size = _punctuation(body, at, last)
        if kind == 0 or (kind != BRACKET and kinds >> kind & 1):
            return _ENDS, i
        kinds |= 1 << kind
        at += size
    if at >= last or _digit(body, at, last)[0] < 0:
        return _ENDS, i
    if kinds >> BRACKET & 1:
        return (BRACKET if not kinds >> DOT & 1 and not kinds >> SLASH & 1 else _ENDS), at
    for kind in (SPACE, HYPHEN, DOT, SLASH):
        if kinds == 1 << kind:
            return kind, at
    return (BRACKET if kinds == 1 << SPACE | 1 << HYPHEN else _ENDS), at


@kernel
def _group(body: Any, i: int, last: int) -> tuple[int, int, Any]:
    """Return (end, digits, value modulo 2^64) of the group that starts at i."""
    digits, value = 0, np.uint64(0)
    while i < last:
        digit, size = _digit(body, i, last)
        if digit < 0:
            break
        value = value * np.uint64(10) + np.uint64(digit)
        digits += 1
        i += size
    return i, digits, value


@kernel
def _prefix(body: Any, i: int, first: int) -> tuple[int, int]:
    """Return (start, flags) of a group that starts at i with the plus sign and bracket before it."""
    at, flags = i, 0
    for _ in range(2):
        wide = at - 3 >= first and body[at - 3] == 0xEF and body[at - 2] == 0xBC
        if flags & PLUS == 0 and at > first and (body[at - 1] == 0x2B or (wide and body[at - 1] == 0x8B)):
            flags |= PLUS
            at -= 1 if body[at - 1] == 0x2B else 3
        elif flags & OPEN == 0 and at > first and (body[at - 1] == 0x28 or (wide and body[at - 1] == 0x88)):
            flags |= OPEN
            at -= 1 if body[at - 1] == 0x28 else 3
    return at, flags


@kernel
def _luhn(value: Any) -> bool:
    total, odd = 0, True
    while value > np.uint64(0):
        digit = int(value % np.uint64(10))
        value //= np.uint64(10)
        total += digit if odd else digit * 2 - 9 * (digit > 4)
        odd = not odd
    return total % 10 == 0 and total > 0


@kernel
def _is_one_of(value: Any, table: Any) -> bool:
    for each in table:  # noqa: SIM110  (no generators in kernels)
        if each == value:
            return True
    return False


@kernel
def _may_be_phone(shape: Any, joints: Any, digits: int, flags: int, leading: int) -> bool:
    """Return whether the sizes and signs allow a telephone number: see filters.personal.phone."""
    if flags & PLUS:
        return 7 <= digits <= 15
    if not 7 <= digits <= 13:
        return False
    if shape < np.uint64(16):  # one group: only with a word before it
        return digits <= 12
    if leading == 0 or flags & OPEN:
        return True
    rest = shape
    while rest > np.uint64(0):
        if int(rest & np.uint64(15)) > 7:
            return False
        rest >>= np.uint64(4)
    return int(shape & np.uint64(15)) >= 2


@kernel
def _flags(window: Any, shapes: Any, carries: bool) -> int:
    """Return the classes that could want a window, as flags."""
    value, shape, joints, digits, flags, leading = window
    out = 0
    if 12 <= digits <= 19 and joints in _UNIFORM and _luhn(value):
        out |= LUHN
    if joints == np.uint64(0x333) and not carries and flags & PLUS == 0 and shape & np.uint64(0xCCCC) == np.uint64(0):
        out |= QUAD
    if _may_be_phone(shape, joints, digits, flags, leading):
        out |= PHONE
    if _is_one_of(shape, shapes):
        out |= SHAPED
    return out


# joints of the windows that a card number may be written with: one group, or all spaces, or all hyphens
_UNIFORM = tuple(np.uint64(int(str(kind) * count or "0", 16)) for kind in (SPACE, HYPHEN) for count in range(5))


@kernel
def _emit(ring: Any, window: Any, shapes: Any, out: Any, filled: int) -> int:
    """Write the windows that end with group `last`; return how many there are in all."""
    first, last, follows = window
    ends, sizes, values, before, leads = ring
    value, shape, joints, digits, place = np.uint64(0), np.uint64(0), np.uint64(0), 0, np.uint64(1)
    for back in range(min(MAX_GROUPS, last - first + 1)):
        at = (last - back) % MAX_GROUPS
        digits += sizes[at]
        if digits > MAX_DIGITS:
            break
        value += place * values[at]
        for _ in range(sizes[at]):
            place *= np.uint64(10)
        shape |= np.uint64(min(sizes[at], 15)) << np.uint64(4 * back)
        joint = before[at]
        if joint in (_ENDS, SPACE, SLASH, BRACKET):
            leading = int(values[at] // _tens(sizes[at] - 1))
            told = (value, shape, joints, digits, leads[1, at], leading)
            flags = _flags(told, shapes, joint == DOT or follows == DOT)  # noqa: PLR1714
            if flags:
                if filled < len(out[0]):
                    out[0][filled], out[1][filled] = leads[0, at], ends[last % MAX_GROUPS]
                    out[2][filled], out[3][filled], out[4][filled] = value, shape, joints
                    out[5][filled], out[6][filled] = digits, flags | leads[1, at]
                filled += 1
        joints |= np.uint64(joint) << np.uint64(4 * back)
    return filled


@kernel
def _tens(power: int) -> Any:
    value = np.uint64(1)
    for _ in range(power):
        value *= np.uint64(10)
    return value


@kernel
def _row(body: Any, row: Any, shapes: Any, lead_bytes: Any, out: Any, filled: int) -> int:
    begin, last = row
    ends = np.zeros(MAX_GROUPS, np.int64)
    sizes, values = np.zeros(MAX_GROUPS, np.int64), np.zeros(MAX_GROUPS, np.uint64)
    before, leads = np.zeros(MAX_GROUPS, np.int64), np.zeros((2, MAX_GROUPS), np.int64)
    i, group, first, joint, settled = begin, 0, 0, _ENDS, filled
    while i < last:
        if not lead_bytes[body[i]] or _digit(body, i, last)[0] < 0:
            i += 1
            continue
        at = group % MAX_GROUPS
        if joint == _ENDS:
            first, settled = group, filled
        before[at] = joint
        leads[0, at], leads[1, at] = _prefix(body, i, begin)
        i, sizes[at], values[at] = _group(body, i, last)
        ends[at] = i
        joint, i = _joint(body, i, last)
        if group - first >= MAX_CLUSTER:
            filled = settled
        elif sizes[at] > MAX_DIGITS:
            joint = _ENDS
        elif joint in (_ENDS, SPACE, SLASH, BRACKET):
            ring = (ends, sizes, values, before, leads)
            filled = _emit(ring, (first, group, joint), shapes, out, filled)
        group += 1
    return filled


@kernel
def _scan(body: Any, offsets: Any, shapes: Any, lead_bytes: Any, out: Any) -> int:
    filled = 0
    for row in range(len(offsets) - 1):
        filled = _row(body, (offsets[row], offsets[row + 1]), shapes, lead_bytes, out, filled)
    return filled


def _lead_bytes() -> npt.NDArray[np.uint8]:
    table = np.zeros(256, np.uint8)
    table[[*range(0x30, 0x3A), 0xD9, 0xDB, 0xE0, 0xEF]] = 1
    table.flags.writeable = False
    return table


_LEAD_BYTES = _lead_bytes()


def digit_windows(batch: Batch, shapes: npt.NDArray[np.uint64]) -> Windows:
    """Return the windows that cards, IPv4 addresses, telephone numbers or a number of one of `shapes` may be."""
    room = int(batch.offsets[-1] - batch.offsets[0]) // 64 + 64
    while True:
        types = (np.int64, np.int64, np.uint64, np.uint64, np.uint64, np.int64, np.int64)
        out = tuple(np.empty(room, kind) for kind in types)
        count = _scan(batch.body, batch.offsets, shapes, _LEAD_BYTES, out)
        if count <= room:
            columns: Any = (column[:count] for column in out)
            return Windows(*columns)
        room = count
