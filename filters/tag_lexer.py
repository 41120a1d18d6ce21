"""The letters of HTML: kernels that read names and attributes of tags and step over what is no tag.

After the HTML standard (WHATWG, section 13.2.5), in linear time, with no tree: `filters.prescan` walks with them.
"""

from typing import Any, cast

import numpy as np

from filters.native import F, kernel

_FNV_OFFSET, _FNV_PRIME = 0x1CBF29CE48422232, 0x100000001B3  # Fowler-Noll-Vo, in wrapping int64
_SPACE, _CLOSE, _SLASH, _EQUALS = 1, 2, 4, 8


def _character_classes() -> np.ndarray:
    classes = np.zeros(256, np.uint8)
    classes[list(b"\t\n\f\r ")] = _SPACE
    classes[ord(">")], classes[ord("/")], classes[ord("=")] = _CLOSE, _SLASH, _EQUALS
    return classes


_CLASS = _character_classes()


def inlined(function: F) -> F:
    """Compile `function` into each kernel that calls it: a call for each of a page's tags is a quarter of the time."""
    import numba  # after filters.native, which says where compiled kernels are kept

    return cast(F, numba.njit(inline="always", nogil=True, error_model="numpy")(function))


def hash_name(name: str) -> int:
    key = _FNV_OFFSET
    for byte in name.encode():
        key = ((key ^ byte) * _FNV_PRIME + (1 << 63)) % (1 << 64) - (1 << 63)
    return key


@inlined
def _is_space(c: int) -> bool:
    return bool(_CLASS[c] & _SPACE)


@inlined
def is_letter(c: int) -> bool:
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
def _skip_comment(data: Any, i: int) -> int:
    """Return the offset after the comment whose "<!--" ends at i."""
    n = len(data)
    if i < n and data[i] == 62:
        return i + 1
    if i + 1 < n and data[i] == 45 and data[i + 1] == 62:
        return i + 2
    while i + 2 < n:
        if data[i] == 45 and data[i + 1] == 45:
            if data[i + 2] == 62:
                return i + 3
            if data[i + 2] == 33 and i + 3 < n and data[i + 3] == 62:
                return i + 4
        i += 1
    return n


@kernel
def skip_no_tag(data: Any, i: int, sections: bool) -> int:
    """Return the offset after what begins with the "<" at i and is no tag: comment, doctype, a mere "<".

    `sections`: whether CDATA sections count (in XML and inside svg and math) or are comments up to the next ">".
    """
    n = len(data)
    if data[i + 1] == 33:
        if i + 3 < n and data[i + 2] == 45 and data[i + 3] == 45:
            return _skip_comment(data, i + 4)
        if sections and i + 8 < n and data[i + 2] == 91 and data[i + 3] == 67 and data[i + 8] == 91:
            return _skip_past(data, i + 9, 93, 93)
        return _skip_to_close(data, i + 2)
    if data[i + 1] == 47 or data[i + 1] == 63:
        return _skip_to_close(data, i + 2)
    return i + 1


@kernel
def skip_raw_text(data: Any, i: int, start: int) -> int:
    """Return the offset of the end tag that closes raw text from i on; its name stands at `start`."""
    n, length = len(data), _name_length(data, start)
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


@inlined
def read_name(data: Any, i: int) -> tuple[int, int]:
    """Return (hash of the lower-cased tag name at i, offset after it)."""
    n = len(data)
    key = _FNV_OFFSET
    while i < n:
        c = data[i]
        if _CLASS[c] & (_SPACE | _CLOSE | _SLASH):
            break
        if 65 <= c <= 90:
            c |= 32
        key = (key ^ c) * _FNV_PRIME
        i += 1
    return key, i


@inlined
def read_attributes(data: Any, i: int, limit: int) -> tuple[int, int, bool]:
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
        while i < n and not _CLASS[data[i]]:
            i += 1
        while i < n and _is_space(data[i]):
            i += 1
        if i >= n or data[i] != 61:
            continue
        i = _skip_value(data, i + 1)
    return n, count, False


@inlined
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
    while i < n and not _CLASS[data[i]] & (_SPACE | _CLOSE):
        i += 1
    return i


@kernel
def _name_length(data: Any, start: int) -> int:
    i = start
    while i < len(data) and not _CLASS[data[i]] & (_SPACE | _CLOSE | _SLASH):
        i += 1
    return i - start
