"""Which lines hold which phrases: a search of the bytes for a few ASCII phrases at once, letter case aside."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from filters.lines import Lines
from filters.native import kernel, string_buffers

Phrase = tuple[str, str, int]  # the phrase in lower case, one or two rare letters of it to look for, the flag it sets


def find_phrases(text: pa.StringArray, lines: Lines, phrases: Sequence[Phrase]) -> npt.NDArray[np.uint8]:
    """Return the flags, or-ed, of the phrases that each line holds, shape (n_lines,). At most 16 phrases."""
    width = max(len(phrase) for phrase, _, _ in phrases)
    letters = np.zeros((len(phrases), width), np.uint8)
    told = np.zeros((len(phrases), 3), np.int64)  # length, place of the rare letters, flag
    wanted = np.zeros((2, 256), np.uint16)  # by byte: which phrases have it as first, second rare letter
    for k, (phrase, rare, flag) in enumerate(phrases):
        letters[k, : len(phrase)] = np.frombuffer(phrase.encode("ascii"), np.uint8)
        told[k] = len(phrase), phrase.index(rare), flag
        wanted[0, [ord(rare[0]), ord(rare[0].upper())]] |= np.uint16(1 << k)
        second = [ord(rare[1]), ord(rare[1].upper())] if len(rare) > 1 else slice(None)
        wanted[1, second] |= np.uint16(1 << k)
    out = np.zeros(len(lines.starts), np.uint8)
    body, offsets = string_buffers(text)
    batch = (int(offsets[0]), int(offsets[-1]))
    _search(body, batch, lines.starts, (letters, told, wanted), out)
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
def _found_at(body: Any, batch: Any, i: int, candidates: int, phrases: Any) -> int:
    """Return the flags of those candidates that stand around body[i]."""
    first, last = batch
    letters, told, _ = phrases
    found = 0
    for k in range(len(told)):
        at = i - told[k, 1]
        fits = candidates >> k & 1 and at >= first and at + told[k, 0] <= last
        if fits and _matches(body, at, letters[k], told[k, 0]):
            found |= told[k, 2]
    return found


@kernel
def _search(body: Any, batch: Any, starts: Any, phrases: Any, out: Any) -> None:
    """Search the whole batch at once: no phrase holds a newline, so what is found lies in one line."""
    first, second = phrases[2][0], phrases[2][1]
    i = batch[0]
    for byte in body[batch[0] : batch[1]]:
        candidates = first[byte]
        if candidates:
            if i + 1 < batch[1]:
                candidates &= second[body[i + 1]]
            if candidates:
                found = _found_at(body, batch, i, candidates, phrases)
                if found:
                    out[np.searchsorted(starts, i, side="right") - 1] |= found
        i += 1
