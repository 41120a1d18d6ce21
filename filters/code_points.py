"""Sets of code points, read from the `regex` package, whose Unicode tables are the same on every Python."""

from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np

CODE_POINTS = 0x110000
# the planes that hold assigned characters; surrogates are no characters, private planes have no properties
_PLANES = (range(0xD800), range(0xE000, 0x40000), range(0xE0000, 0xE1000))


@cache
def _every_character() -> str:
    return "".join(map(chr, (point for plane in _PLANES for point in plane)))


def code_points(members: str) -> Any:
    r"""Return the code points of a regex set such as `[\p{Script=Thai}&&\p{L}]`: int64[n], ascending."""
    import regex

    runs = regex.compile(f"(?V1){members}+").finditer(_every_character())
    text = "".join(run.group() for run in runs)
    return np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32).astype(np.int64)


@cache
def lower_case() -> Any:
    """Return the simple lower-case mapping: uint32[CODE_POINTS].

    A character whose lower case is longer (only U+0130) maps to itself.
    """
    table = np.arange(CODE_POINTS, dtype=np.uint32)
    for point, lower in _simple_pairs():
        table[point] = lower
    table.setflags(write=False)
    return table


def _simple_pairs() -> Iterator[tuple[int, int]]:
    for character in _every_character():
        lower = character.lower()
        if lower != character and len(lower) == 1:
            yield ord(character), ord(lower)
