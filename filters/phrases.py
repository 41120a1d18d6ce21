"""Which lines hold which phrases: a search of the bytes for a few ASCII phrases at once, letter case aside."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from filters.lines import Lines
from filters.literals import Literals, compile_literals, next_candidate, stands_at
from filters.native import kernel, string_buffers

Phrase = tuple[str, int]  # the phrase in lower case, the flag it sets


def find_phrases(text: pa.StringArray, lines: Lines, phrases: Sequence[Phrase]) -> npt.NDArray[np.uint8]:
    """Return the flags, or-ed, of the phrases that each line holds, shape (n_lines,). At most 64 phrases."""
    given, flags = _compiled(tuple(phrases))
    out = np.zeros(len(lines.starts), np.uint8)
    body, offsets = string_buffers(text)
    _search(body, (int(offsets[0]), int(offsets[-1])), lines.starts, given, flags, out)
    return out


@cache
def _compiled(phrases: tuple[Phrase, ...]) -> tuple[Literals, npt.NDArray[np.uint8]]:
    literals = compile_literals([phrase for phrase, _ in phrases], fold=True)
    return literals, np.array([flag for _, flag in phrases], np.uint8)


@kernel
def _search(body: Any, batch: Any, starts: Any, given: Literals, flags: Any, out: Any) -> None:
    """Search the whole batch at once: no phrase holds a newline, so what is found lies in one line."""
    every = ~np.uint64(0)
    i, found = next_candidate(body, batch[0], batch[1], every, given)
    while found:
        k = 0
        while found:
            if found & np.uint64(1) and stands_at(body, batch, i, k, given):
                out[np.searchsorted(starts, i, side="right") - 1] |= flags[k]
            found, k = found >> np.uint64(1), k + 1
        i, found = next_candidate(body, i + 1, batch[1], every, given)
