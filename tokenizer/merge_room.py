"""The memory that merging works in: what is merged, its symbols, their pairs, the heap, what is known already."""

from typing import Any, NamedTuple

import numpy as np

from tokenizer.first_pairs import fill_cells, first_pairs
from tokenizer.merges import Pairs, Queue, Symbols, Text
from tokenizer.scripts import INHERITED

ANY_WIDTH = 1 << 62


class Room(NamedTuple):
    """What kernels of tokenizer.merges take beside text, symbols and limits; what is not written to takes no memory."""

    pairs: Pairs
    queue: Queue
    texts: Any  # int32[2^n]: symbols by the hash of their text
    state: Any  # int64[4]: entries of the heap, floor, pairs, places


def text_of(letters: Any, counts: Any, is_free: Any, what: str) -> Text:
    """Lay out letters, int32[n], 0 before, between and behind chunks; `what` they are called in errors.

    Raises ValueError where they are more than places can be numbered.
    """
    if 3 * len(letters) >= 1 << 31:
        raise ValueError(f"{len(letters)} {what} are more than 2^31 / 3: sample fewer rows")
    text = Text(np.empty((len(letters), 3), np.int32), letters, counts, is_free)
    fill_cells(text.letters, text.cells)
    return text


def symbols_for(size: int) -> Symbols:
    """Return room for `size` symbols, each a letter of no script and no width."""
    return Symbols(
        np.ones(size, np.int32),
        np.zeros(size, np.int64),
        np.zeros(size, np.int64),
        np.full(size, INHERITED, np.int16),
        np.zeros(size, np.int32),
        np.full((size, 2), -1, np.int32),
        np.zeros(size, np.int64),
    )


def begin(text: Text, symbols: Symbols, limits: Any) -> Room:
    """Find the pairs of letters that merging begins with."""
    most = 3 * len(text.letters)  # pairs: at first, and two for each merge of two neighbours
    kinds = (np.int64, np.int32, np.int32, np.int64, np.int32, np.uint8, np.int32)
    pairs = Pairs(*(np.empty(most, kind) for kind in kinds))
    queue = Queue(*(np.empty(most + 1, kind) for kind in (np.int64, np.uint64, np.int32, np.int32)))
    found, held = first_pairs(text, symbols, pairs, limits)
    highest = int(pairs.count[:found].max(initial=0))
    texts = np.zeros(1 << (2 * len(symbols.letters) + 16).bit_length(), np.int32)
    return Room(pairs, queue, texts, np.array([0, 2 * highest + 2, found, held], np.int64))
