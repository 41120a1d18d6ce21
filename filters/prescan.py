"""One walk over a page's bytes before any parser sees them: limits, and the places of images, tables and code.

Deep nesting and tags with very many attributes hang every HTML parser there is, so they are found here, in linear
time, by a tokeniser of tags after the HTML standard (WHATWG, section 13.2.5: tags, comments, raw text; 13.1.2: void
elements and omitted end tags). What it can't know, since it builds no tree, only costs a place, never a page.
"""

from typing import Any, NamedTuple

import numpy as np

from filters.native import kernel

# What a tag name means here. Numbers above PLAIN are kinds that the walk treats specially.
PLAIN, VOID, OPTIONAL_END, RAW_TEXT, PLAINTEXT, FOREIGN, IMAGE, TABLE, CODE = range(9)

# Kinds of places: what begins or ends there.
IMAGE_HERE, TABLE_BEGINS, TABLE_ENDS, CODE_BEGINS, CODE_ENDS, CLOSE_TAG_MISSING = range(6)

OK, TOO_DEEP, TOO_MANY_ATTRIBUTES = range(3)

MAX_PLACES = 0x1FFF0  # as many as there are sentinels: planes 15 and 16 of Unicode
FIRST_SENTINEL = 0xF0000  # private use; place i is marked by code point FIRST_SENTINEL + i
SENTINEL_BYTES = 4

_NAMES = {
    VOID: "area base basefont bgsound br col embed frame hr input keygen link meta param source track wbr",
    OPTIONAL_END: "html head body p li dt dd rt rp rb rtc option optgroup thead tbody tfoot tr td th colgroup caption",
    RAW_TEXT: "script style textarea title xmp iframe noembed noframes",
    PLAINTEXT: "plaintext",
    FOREIGN: "svg math",
    IMAGE: "img image",
    TABLE: "table",
    CODE: "pre listing",
}
_TABLE_SIZE = 1024
_FNV_OFFSET, _FNV_PRIME = np.uint64(0xCBF29CE484222325), np.uint64(0x100000001B3)


class Places(NamedTuple):
    """What stands where in a page; one row a place, ascending by `at`."""

    kind: np.ndarray  # uint8: IMAGE_HERE ...
    at: np.ndarray  # int32: byte offset where a sentinel goes
    tag_end: np.ndarray  # int32: images: offset after the tag's ">"; else -1


class Scan(NamedTuple):
    """The verdict on a page, and its places."""

    verdict: int  # OK | TOO_DEEP | TOO_MANY_ATTRIBUTES
    observed: int  # the first depth or attribute count beyond the limit; else the greatest depth
    has_sentinels: bool  # the page itself holds, or may make, characters of planes 15 and 16
    places: Places


def scan(page: bytes, max_depth: int, max_attributes: int, *, xml: bool = False) -> Scan:
    """Walk over a page in UTF-8 (or another superset of ASCII).

    Depth counts open elements whose end tag may not be left out; so an unclosed `<p>` counts nothing. With `xml`,
    `<a/>` is an element without content whatever its name.
    """
    data = np.frombuffer(page, np.uint8)
    size = min(len(page) // 4 + 2, MAX_PLACES)
    kind, at, tag_end = np.empty(size, np.uint8), np.empty(size, np.int32), np.empty(size, np.int32)
    verdict, observed, sentinels, count = _walk(data, max_depth, max_attributes, xml, kind, at, tag_end)
    return Scan(verdict, observed, bool(sentinels), Places(kind[:count], at[:count], tag_end[:count]))


def mark(page: bytes, places: Places) -> bytes:
    """Return the page (UTF-8) with the sentinel of each place inserted, or "></name>" endings for XML."""
    if not len(places.at):
        return page
    return bytes(_insert(np.frombuffer(page, np.uint8), places.kind, places.at, places.tag_end))


def sentinel(index: int) -> bytes:
    """Return the UTF-8 bytes that mark place `index`."""
    return chr(FIRST_SENTINEL + index).encode()


def place_index(mark_bytes: bytes) -> int:
    """Return the place that a sentinel stands for."""
    return ord(mark_bytes.decode()) - FIRST_SENTINEL


def _hash_name(name: str) -> np.uint64:
    value = int(_FNV_OFFSET)
    for byte in name.encode():
        value = ((value ^ byte) * int(_FNV_PRIME)) & 0xFFFFFFFFFFFFFFFF
    return np.uint64(value)


def _name_table() -> tuple[np.ndarray, np.ndarray]:
    keys, kinds = np.zeros(_TABLE_SIZE, np.uint64), np.zeros(_TABLE_SIZE, np.uint8)
    for kind, names in _NAMES.items():
        for name in names.split():
            key = _hash_name(name)
            slot = int(key) % _TABLE_SIZE
            while keys[slot]:
                slot = (slot + 1) % _TABLE_SIZE
            keys[slot], kinds[slot] = key, kind
    return keys, kinds


_KEYS, _KINDS = _name_table()


@kernel
def _kind_of(key: int) -> int:
    slot = key % np.uint64(_TABLE_SIZE)
    while _KEYS[slot] != np.uint64(0):
        if _KEYS[slot] == key:
            return int(_KINDS[slot])
        slot = (slot + np.uint64(1)) % np.uint64(_TABLE_SIZE)
    return PLAIN


@kernel
def _is_space(c: int) -> bool:
    return c == 32 or (9 <= c <= 13 and c != 11)


@kernel
def _is_letter(c: int) -> bool:
    return 97 <= (c | 32) <= 122


@kernel
def _skip_past(data: Any, i: int, first: int, second: int) -> int:
    """Return the offset after the next (first, second, ">") from i on; the end where there is none."""
    n = len(data)
    while i + 2 < n:
        if data[i + 2] == 62 and data[i + 1] == second and data[i] == first:
            return i + 3
        i += 1
    return n


@kernel
def _skip_to_close(data: Any, i: int) -> int:
    """Return the offset after the next ">"."""
    n = len(data)
    while i < n and data[i] != 62:
        i += 1
    return min(i + 1, n)


@kernel
def _skip_markup_declaration(data: Any, i: int, sections: bool) -> int:
    """Return the offset after what begins with "<!" at i: comment, CDATA section (if they count), doctype."""
    n = len(data)
    if i + 3 < n and data[i + 2] == 45 and data[i + 3] == 45:
        if i + 4 < n and data[i + 4] == 62:
            return i + 5
        if i + 5 < n and data[i + 4] == 45 and data[i + 5] == 62:
            return i + 6
        j = i + 4
        while j + 2 < n:
            if data[j] == 45 and data[j + 1] == 45:
                if data[j + 2] == 62:
                    return j + 3
                if data[j + 2] == 33 and j + 3 < n and data[j + 3] == 62:
                    return j + 4
            j += 1
        return n
    if sections and i + 8 < n and data[i + 2] == 91 and data[i + 3] == 67 and data[i + 8] == 91:
        return _skip_past(data, i + 9, 93, 93)
    return _skip_to_close(data, i + 2)


@kernel
def _skip_raw_text(data: Any, i: int, start: int, length: int) -> int:
    """Return the offset of the end tag that closes raw text from i on; its name stands at [start, start + length)."""
    n = len(data)
    while i + 1 + length < n:
        if data[i] == 60 and data[i + 1] == 47:
            same = True
            for k in range(length):
                if (data[i + 2 + k] | 32) != (data[start + k] | 32):
                    same = False
                    break
            if same:
                j = i + 2 + length
                if j >= n or data[j] == 62 or data[j] == 47 or _is_space(data[j]):
                    return i
        i += 1
    return n


@kernel
def _read_name(data: Any, i: int) -> tuple[int, int]:
    """Return (hash of the lower-cased tag name at i, offset after it)."""
    n = len(data)
    key = _FNV_OFFSET
    while i < n:
        c = data[i]
        if c == 62 or c == 47 or _is_space(c):
            break
        if 65 <= c <= 90:
            c |= 32
        key = (key ^ np.uint64(c)) * _FNV_PRIME
        i += 1
    return key, i


@kernel
def _read_attributes(data: Any, i: int, limit: int) -> tuple[int, int, bool]:
    """Return (offset after ">", attributes seen, at most limit + 1, ends in "/>")."""
    n, count = len(data), 0
    while i < n:
        c = data[i]
        if c == 62:
            return i + 1, count, data[i - 1] == 47
        if c == 47 or _is_space(c):
            i += 1
            continue
        count += 1
        if count > limit:
            return n, count, False
        i += 1  # a name may begin with "="
        while i < n and data[i] != 61 and data[i] != 62 and data[i] != 47 and not _is_space(data[i]):
            i += 1
        while i < n and _is_space(data[i]):
            i += 1
        if i >= n or data[i] != 61:
            continue
        i = _skip_value(data, i + 1)
    return n, count, False


@kernel
def _skip_value(data: Any, i: int) -> int:
    """Return the offset after the attribute value that follows "=" """
    n = len(data)
    while i < n and _is_space(data[i]):
        i += 1
    if i < n and (data[i] == 34 or data[i] == 39):
        quote = data[i]
        i += 1
        while i < n and data[i] != quote:
            i += 1
        return min(i + 1, n)
    while i < n and data[i] != 62 and not _is_space(data[i]):
        i += 1
    return i


@kernel
def _is_big_reference(data: Any, i: int) -> bool:
    """Say whether the "&#" at i is a reference to a code point of plane 15 or beyond."""
    n, i = len(data), i + 2
    base = 10
    if i < n and (data[i] | 32) == 120:
        base = 16
        i += 1
    value = 0
    while i < n and value < FIRST_SENTINEL:
        c = data[i]
        digit = c - 48 if 48 <= c <= 57 else ((c | 32) - 87 if 97 <= (c | 32) <= 102 else 99)
        if digit >= base:
            return False
        value = value * base + digit
        i += 1
    return value >= FIRST_SENTINEL


@kernel
def _next_tag(data: Any, i: int, sentinels: bool) -> tuple[int, bool]:
    """Return (offset of the next "<" or the end, whether characters like our sentinels stand before it)."""
    n = len(data)
    while i < n:
        c = data[i]
        if c == 60:
            break
        if c >= 0xF3 or (c == 38 and i + 2 < n and data[i + 1] == 35 and _is_big_reference(data, i)):
            sentinels = True
        i += 1
    return i, sentinels


@kernel
def _walk(
    data: Any, max_depth: int, max_attributes: int, xml: bool, kind: Any, at: Any, tag_end: Any
) -> tuple[int, int, bool, int]:
    """Fill the places; return (verdict, observed, sentinels, number of places)."""
    n, i, count, depth, deepest, foreign = len(data), 0, 0, 0, 0, 0
    sentinels = False
    stack, kinds = np.empty(max_depth + 1, np.uint64), np.empty(max_depth + 1, np.uint8)
    room = len(at) - max_depth - 2
    while i < n:
        i, sentinels = _next_tag(data, i, sentinels)
        if i + 1 >= n:
            break
        begin, c = i, data[i + 1]
        closing = c == 47
        if closing and i + 2 < n:
            c = data[i + 2]
        if not _is_letter(c):
            if c == 33 and not closing:
                i = _skip_markup_declaration(data, i, xml or foreign > 0)
            elif closing or c == 63:
                i = _skip_to_close(data, i + 1)
            else:
                i += 1
            continue
        name = i + 2 if closing else i + 1
        key, i = _read_name(data, name)
        name_end = i
        i, attributes, selfclosing = _read_attributes(data, i, max_attributes)
        if attributes > max_attributes:
            return TOO_MANY_ATTRIBUTES, attributes, sentinels, count
        what = _kind_of(key)
        if closing:
            top = depth - 1
            while top >= 0 and stack[top] != key:
                top -= 1
            if top < 0:
                continue
            for level in range(depth - 1, top - 1, -1):  # what lies above ends with it
                if kinds[level] >= TABLE and count < len(at):
                    kind[count] = TABLE_ENDS if kinds[level] == TABLE else CODE_ENDS
                    at[count], tag_end[count] = (i if level == top else begin), -1
                    count += 1
            depth = top
            if depth < foreign:
                foreign = 0
            continue
        if what == IMAGE and not foreign and count < room:
            kind[count], at[count], tag_end[count] = IMAGE_HERE, begin, i
            count += 1
        if what == VOID or what == IMAGE or what == OPTIONAL_END and not xml:
            continue
        if selfclosing and (xml or foreign > 0):
            if xml and not foreign and what != OPTIONAL_END and count < room:
                kind[count], at[count], tag_end[count] = CLOSE_TAG_MISSING, i, name
                count += 1
            continue
        if what == OPTIONAL_END:
            continue
        if what == PLAINTEXT and not foreign:
            break
        if what == RAW_TEXT and not foreign:
            i = _skip_raw_text(data, i, name, name_end - name)
            continue
        if depth >= max_depth:
            return TOO_DEEP, depth + 1, sentinels, count
        if what >= TABLE and count < room:
            kind[count] = TABLE_BEGINS if what == TABLE else CODE_BEGINS
            at[count], tag_end[count] = begin, -1
            count += 1
        stack[depth], kinds[depth] = key, what
        depth += 1
        deepest = max(deepest, depth)
        if what == FOREIGN and not foreign:
            foreign = depth
    return OK, deepest, sentinels, count
