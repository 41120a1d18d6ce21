"""Which lines hold which phrases: a search of the bytes for a few ASCII phrases at once, letter case aside."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from filters.lines import Lines
from filters.native import kernel, string_buffers

Phrase = tuple[str, str, int]  # the phrase in lower case, a rare letter of it to look for, the flag it sets


def find_phrases(text: pa.StringArray, lines: Lines, phrases: Sequence[Phrase]) -> npt.NDArray[np.uint8]:
    """Return the flags, or-ed, of the phrases that each line holds, shape (n_lines,). At most 16 phrases."""
    width = max(len(phrase) for phrase, _, _ in phrases)
    letters = np.zeros((len(phrases), width), np.uint8)
    told = np.zeros((len(phrases), 3), np.int64)  # length, place of the rare letter, flag
    wanted = np.zeros(256, np.uint16)  # by byte: which phrases have it as their rare letter
    for k, (phrase, rare, flag) in enumerate(phrases):
        letters[k, : len(phrase)] = np.frombuffer(phrase.encode("ascii"), np.uint8)
        told[k] = len(phrase), phrase.index(rare), flag
        for byte in {ord(rare), ord(rare.upper())}:
            wanted[byte] |= 1 << k
    out = np.zeros(len(lines.starts), np.uint8)
    _search(string_buffers(text)[0], (lines.starts, lines.ends), (letters, told, wanted), out)
    return out


@kernel
def _matches(body: Any, at: int, letters: Any, length: int) -> bool:
    for i in range(length):
        byte = body[at + i]
        if ord("A") <= byte <= ord("Z"):
            byte |= 0x20
        if byte != letters[i]:
            return False
    return True


@kernel
def _search(body: Any, lines: Any, phrases: Any, out: Any) -> None:
    starts, ends = lines
    letters, told, wanted = phrases
    for line in range(len(starts)):
        start, end = starts[line], ends[line]
        found = 0
        for i in range(start, end):
            candidates = wanted[body[i]]
            if candidates:
                for k in range(len(told)):
                    at = i - told[k, 1]
                    if candidates >> k & 1 and at >= start and at + told[k, 0] <= end:
                        found |= told[k, 2] * _matches(body, at, letters[k], told[k, 0])
        out[line] = found
