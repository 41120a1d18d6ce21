"""Train byte-pair encoding from rows of words and counts: the pieces that SentencePiece itself would find."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np

from filters.native import string_buffers
from tokenizer.alphabet import alphabet
from tokenizer.chunks import SPACE, Chunks, Gathering, Letters, letters_of
from tokenizer.first_pairs import fill_cells, first_pairs
from tokenizer.gather import tally_code_points
from tokenizer.merges import Pairs, Queue, Symbols, merge_all
from tokenizer.scripts import INHERITED
from tokenizer.settings import TrainSettings

Rows = tuple[Any, Any]  # words: string array, U+2581 for a space; counts: int64


class Learnt(NamedTuple):
    """What was learnt, in the order of the scores: merges, best first, then letters, most frequent first."""

    merges: list[str]
    letters: list[str]


def learn(rows: Iterable[Rows], settings: TrainSettings, points: Any = None) -> Learnt:
    """Return the pieces learnt from rows; a word may stand in several, in any order.

    `points` are code points to be the alphabet, int64[n], in the order of their ids, where the settings' coverage of
    all the text is not what is wanted.

    There are fewer than the settings ask for where the counts end, and no merge where the alphabet alone is too large.
    """
    held = list(rows)
    tally = np.zeros(0x110000, np.int64)
    for words, counts in held:
        tally_code_points(*string_buffers(words), counts, tally)
    points = alphabet(tally, settings.character_coverage) if points is None else points
    letters = letters_of(points, settings)
    wanted = settings.vocab_size - len(settings.fixed_pieces) - len(points)
    merges = _merges(_chunks(held, letters), letters, settings, wanted) if wanted > 0 else []
    return Learnt(merges, [chr(point) for point in points])


def _chunks(held: list[Rows], letters: Letters) -> Chunks:
    """Return the chunks of all rows, which are let go one after another."""
    gathering = Gathering(letters)
    held.reverse()
    while held:
        words, counts = held.pop()
        gathering.add(*string_buffers(words), counts)
    return gathering.chunks()


def _symbols(letters: Letters, size: int) -> Symbols:
    """Return room for `size` symbols, the letters among them."""
    known = len(letters.points)
    symbols = Symbols(
        np.ones(size, np.int32),
        np.zeros(size, np.int64),
        np.full(size, INHERITED, np.int16),
        np.zeros(size, np.int32),
        np.full((size, 2), -1, np.int32),
    )
    is_space = letters.script == SPACE
    symbols.script[:known] = np.where(is_space, INHERITED, letters.script)
    symbols.spaces[:known] = is_space
    return symbols


def _pairs(places: int) -> Pairs:
    """Return room for the pairs that as many places can ever hold; what is not written to takes no memory."""
    most = 3 * places  # at first, and two for each merge of two neighbours
    kinds = (np.int64, np.int32, np.int32, np.int64, np.int32, np.uint8, np.int32)
    return Pairs(*(np.empty(most, kind) for kind in kinds))


def _merges(chunks: Chunks, letters: Letters, settings: TrainSettings, wanted: int) -> list[str]:
    """Return the texts of `wanted` merges, or of all that there are."""
    known, places = len(letters.points), len(chunks.letters)
    if 3 * places >= 1 << 31:
        raise ValueError(f"{places} letters of unique chunks are more than 2^31 / 3: sample fewer rows")
    cells = np.empty((places, 4), np.int32)
    fill_cells(chunks.letters, cells)
    symbols, pairs = _symbols(letters, known + wanted + 1), _pairs(places)
    limits = (settings.max_piece_characters, settings.allow_whitespace_only_pieces, known, known + wanted)
    found, held = first_pairs(cells, chunks.counts, symbols, pairs, limits)
    highest = int(pairs.count[:found].max(initial=0))
    state = np.array([0, 2 * highest + 2, found, held], np.int64)
    queue = Queue(*(np.empty(3 * places + 1, kind) for kind in (np.int64, np.uint64, np.int32, np.int32)))
    texts = np.zeros(1 << (2 * wanted + 16).bit_length(), np.int32)
    end = merge_all(cells, chunks.counts, symbols, pairs, queue, texts, state, limits)
    return _texts(chunks.letters, letters, symbols, known, end)


def _texts(cells: Any, letters: Letters, symbols: Symbols, known: int, end: int) -> list[str]:
    """Return the texts of the merged symbols."""
    of_symbols = zip(symbols.at[known:end].tolist(), symbols.letters[known:end].tolist(), strict=True)
    points = letters.points
    return ["".join(map(chr, points[cells[at : at + size]].tolist())) for at, size in of_symbols]
