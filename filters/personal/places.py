"""What the classes of personal data share: the bytes of a batch, what stands around a place, what was found."""

import re
from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from filters.native import kernel, string_buffers

CONTEXT_BYTES = 64  # how far before a place its meaning is looked for


class Found(NamedTuple):
    """A piece of the batch, in absolute bytes, that is personal data."""

    start: int
    end: int
    detail: str


class Batch(NamedTuple):
    """The texts of a batch, end to end: what kernels read, and the same bytes for slices."""

    body: Any  # uint8[n]
    offsets: Any  # int32[len + 1], absolute
    regions: tuple[tuple[str, ...], ...]  # of each text: where its numbers without a country are from, best first

    def rows_of(self, starts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return the text that each absolute byte stands in."""
        return np.searchsorted(self.offsets, starts, side="right") - 1

    def bounds(self, row: int) -> tuple[int, int]:
        """Return the absolute bytes that a text starts and ends at."""
        return int(self.offsets[row]), int(self.offsets[row + 1])

    def cut(self, start: int, end: int) -> str:
        """Return the text between two character boundaries."""
        return bytes(self.body[start:end]).decode()

    def before(self, row: int, start: int, size: int = CONTEXT_BYTES) -> str:
        """Return what stands before a place, in its own line, at most `size` bytes of it.

        It starts after an angle bracket too, so that no replacement such as <EMAIL> brings a word nearer.
        """
        low = max(int(self.offsets[row]), start - size)
        said = bytes(self.body[low:start]).decode(errors="ignore")
        return said[max(map(said.rfind, "\n\r<>")) + 1 :]

    def after(self, row: int, end: int, size: int = 16) -> str:
        """Return what stands after a place, at most `size` bytes of it."""
        high = min(int(self.offsets[row + 1]), end + size)
        return bytes(self.body[end:high]).decode(errors="ignore")

    def apart(self, row: int, start: int, end: int) -> bool:
        """Return whether no letter or digit of a spaced script touches the place."""
        return not (_is_word(self.before(row, start, 4)[-1:]) or _is_word(self.after(row, end, 4)[:1]))


def _is_word(character: str) -> bool:
    """Return whether a character would go on with a word or number; kana, Han and Hangul stand apart from numbers."""
    return bool(character) and (character == "_" or (character.isalnum() and not is_east_asian(character)))


def is_east_asian(character: str) -> bool:
    """Return whether a letter is of a script that numbers and addresses are written next to without a space."""
    point = ord(character)
    return 0x0E00 <= point <= 0x0EFF or 0x1100 <= point <= 0x11FF or 0x2E80 <= point <= 0xD7FF or point >= 0x20000


def batch_of(text: pa.StringArray, regions: Iterable[tuple[str, ...]]) -> Batch:
    """Return the batch that classes read."""
    body, offsets = string_buffers(text)
    return Batch(body, offsets, tuple(regions))


@kernel
def lut_places(body: Any, first: int, last: int, wanted: Any, out: Any) -> int:
    """Write the positions of bytes with a flag in `wanted`, uint8[256], to `out`; return how many there are.

    Positions past the room of `out` are counted and not written.
    """
    filled = 0
    for i in range(first, last):
        if wanted[body[i]]:
            if filled < len(out):
                out[filled] = i
            filled += 1
    return filled


def places_of(batch: Batch, values: Iterable[int]) -> npt.NDArray[np.int64]:
    """Return the positions of bytes of the given values, ascending."""
    wanted = np.zeros(256, np.uint8)
    wanted[list(values)] = 1
    first, last = int(batch.offsets[0]), int(batch.offsets[-1])
    out = np.empty((last - first) // 64 + 64, np.int64)
    count = lut_places(batch.body, first, last, wanted, out)
    if count > len(out):
        out = np.empty(count, np.int64)
        lut_places(batch.body, first, last, wanted, out)
    return out[:count]


def word_pattern(words: Iterable[str]) -> re.Pattern[str]:
    """Return a pattern of words, case aside; Latin ones are whole words."""
    return re.compile("|".join(_whole(word) for word in words), re.IGNORECASE)


def _whole(word: str) -> str:
    return rf"(?<![^\W_]){word}(?![^\W_])" if word[0].isascii() else word
