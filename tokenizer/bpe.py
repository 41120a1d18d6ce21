"""Train byte-pair encoding from rows of words and counts: the pieces that SentencePiece itself would find."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from filters.native import string_buffers
from tokenizer.alphabet import alphabet
from tokenizer.chunks import SPACE, Chunks, Gathering, Letters, letters_of
from tokenizer.gather import tally_code_points
from tokenizer.merge_room import ANY_WIDTH, begin, symbols_for, text_of
from tokenizer.merges import Symbols, Text, merge_all, uses
from tokenizer.parity import DEV, Languages, first_tokens, merge_in_turn
from tokenizer.sample import Sampling, sample
from tokenizer.scripts import INHERITED
from tokenizer.settings import TrainSettings

# words: string array, U+2581 for a space; counts: int64; part of the mixture that they belong to, 0 where left out
Rows = tuple[Any, Any] | tuple[Any, Any, int]
_MOST_ROUNDS = 30  # of choosing pieces anew


class Learnt(NamedTuple):
    """What was learnt, in the order of the scores: merges, best first, then letters, most frequent first."""

    merges: list[str]
    letters: list[str]
    helpers: frozenset[str] = frozenset()  # merges that only lead to others: they are no piece of the vocabulary
    sampling: Sampling | None = None  # of chunks


def learn(
    rows: Iterable[Rows],
    settings: TrainSettings,
    points: Any = None,
    dev: Sequence[Rows] = (),
    max_chunks: int | None = None,
) -> Learnt:
    """Return the pieces learnt from rows; a word may stand in several, in any order.

    `points` are code points to be the alphabet, int64[n], in the order of their ids, where the settings' coverage of
    all the text is not what is wanted.

    `dev` are words of parallel texts, the language as their part (1, 2 ...): where there are any, each merge is the
    best one of the language that needs most tokens for its text (tokenizer.parity); rows are of these parts, or of 0.

    Of more than `max_chunks` unique chunks a threshold sample is trained on.

    There are fewer than the settings ask for where the counts end, and no merge where the alphabet alone is too large.
    """
    held = list(rows)
    tally = np.zeros(0x110000, np.int64)
    for row in held:
        tally_code_points(*string_buffers(row[0]), row[1], tally)
    points = alphabet(tally, settings.character_coverage) if points is None else points
    letters = letters_of(points, settings)
    wanted = settings.vocab_size - len(settings.fixed_pieces) - len(points)
    if wanted <= 0:
        return Learnt([], [chr(point) for point in points])
    held += [(words, counts, part + DEV) for words, counts, part in dev]  # type: ignore[misc]
    chunks = _chunks(held, letters, settings.script_free == "code")
    sampling = None
    if max_chunks is not None:
        chunks, sampling = sample(chunks, letters.points, max_chunks, chunks.part >= DEV)
    tokens = first_tokens(_tallies(dev), points, settings.byte_fallback) if dev else None
    merges, helpers = _merges(chunks, letters, settings, wanted, tokens)
    return Learnt(merges, [chr(point) for point in points], helpers, sampling)


def _tallies(dev: Sequence[Rows]) -> list[Any]:
    """Return the counts of code points of each parallel text, int64[0x110000] each, in the order of their parts."""
    tallies = []
    for words, counts, *_ in dev:
        tally = np.zeros(0x110000, np.int64)
        tally_code_points(*string_buffers(words), counts, tally)
        tallies.append(tally)
    return tallies


def _chunks(held: list[Rows], letters: Letters, is_free: bool) -> Chunks:
    """Return the chunks of all rows, which are let go; with `is_free`, scripts part nothing in rows of part 1."""
    gathering = Gathering(letters)
    held.reverse()
    while held:
        words, counts, *part = held.pop()
        gathering.add(*string_buffers(words), counts, sum(part), is_free and bool(sum(part)))
    return gathering.chunks()


def _symbols(letters: Letters, size: int) -> Symbols:
    """Return room for `size` symbols, the letters among them."""
    symbols, known, is_space = symbols_for(size), len(letters.points), letters.script[0] == SPACE
    symbols.script[:known] = np.where(is_space, INHERITED, letters.script[0])
    symbols.spaces[:known] = is_space
    return symbols


def _merges(
    chunks: Chunks, letters: Letters, settings: TrainSettings, wanted: int, tokens: Any
) -> tuple[list[str], frozenset[str]]:
    """Return the texts of `wanted` merges, or of all that there are, and those that only lead to others."""
    known = len(letters.points)
    room = known + (2 if settings.picky else 1) * wanted + 1
    counts = chunks.counts if tokens is None else np.where(chunks.part < DEV, chunks.counts, 0)
    is_free = chunks.part.astype(np.uint8) if tokens is None else np.zeros(len(counts), np.uint8)
    text, symbols = text_of(chunks.letters, counts, is_free, "letters of unique chunks"), _symbols(letters, room)
    limits = (
        settings.max_piece_characters,
        settings.allow_whitespace_only_pieces,
        known,
        known + wanted,
        ANY_WIDTH,
        0,
    )
    pairs, queue, texts, state = begin(text, symbols, limits)
    if tokens is None:
        end = merge_all(text, symbols, pairs, queue, texts, state, limits)
    else:
        end = merge_in_turn(text, Languages(chunks.part, chunks.counts, tokens), symbols, pairs, texts, state, limits)
    dropped = np.zeros(end - known, np.bool_)
    for _ in range(_MOST_ROUNDS if settings.picky else 0):
        dropped = _is_swallowed(text, symbols, known, end, settings.picky)
        target = min(known + wanted + int(dropped.sum()), room - 1)
        if end == target or end < limits[3]:
            break
        limits = (*limits[:2], end, target, *limits[4:])
        end = merge_all(text, symbols, pairs, queue, texts, state, limits)
    listed = _texts(chunks.letters, letters, symbols, known, end)
    helpers = [listed[i] for i in np.flatnonzero(dropped).tolist()]
    return listed, frozenset(helpers)


def _is_swallowed(text: Text, symbols: Symbols, known: int, end: int, share: float) -> Any:
    """Say of which merges later ones took at least that share of all uses, bool[end - known]."""
    made, left = symbols.made[known:end], uses(text, end)[known:]
    return left <= (1.0 - share) * made


def _texts(cells: Any, letters: Letters, symbols: Symbols, known: int, end: int) -> list[str]:
    """Return the texts of the merged symbols."""
    of_symbols = zip(symbols.at[known:end].tolist(), symbols.letters[known:end].tolist(), strict=True)
    points = letters.points
    return ["".join(map(chr, points[cells[at : at + size]].tolist())) for at, size in of_symbols]
