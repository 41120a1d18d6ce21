"""Tables of all code points, made from Unicode properties."""

from functools import cache
from typing import Any

import numpy as np
import regex

CODE_POINTS = 0x110000


@cache
def _all_characters() -> str:
    return "".join(map(chr, (*range(0xD800), *range(0xE000, CODE_POINTS))))


def code_points(members: str) -> Any:
    """Return the code points that a set of the `regex` package names, rising: int64[n]."""
    found = regex.findall(members, _all_characters(), flags=regex.V1)
    return np.array([ord(c) for c in found], np.int64)


@cache
def lower_case() -> Any:
    """Return the simple lower-case mapping of every code point: uint32[CODE_POINTS]."""
    table = np.arange(CODE_POINTS, dtype=np.uint32)
    for point in code_points(r"[\p{Lu}\p{Lt}\p{Changes_When_Lowercased}]").tolist():
        table[point] = ord(chr(point).lower()[0])
    table.setflags(write=False)
    return table
