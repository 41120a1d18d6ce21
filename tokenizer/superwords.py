"""Superwords: pieces over several words, learnt from counts of phrases after all pieces within words.

SuperBPE (Liu et al. 2025, arXiv 2503.13423) lets merges go over spaces once a vocabulary of words is there;
BoundlessBPE (Schmidt et al. 2025, arXiv 2504.00178) joins words that are one token each, which is what is done here.
The merges are those of tokenizer.merges with words as letters: the pair of the highest count, among equals that with
fewer words, then the one whose words come first in the order of their UTF-8 bytes, compared word by word.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from filters.native import kernel
from tokenizer.first_pairs import fill_cells, first_pairs
from tokenizer.merges import (
    Pairs,
    Queue,
    Symbols,
    Text,
    is_known,
    merge_pair,
    new_symbol,
    next_pair,
    push,
    store_places,
)
from tokenizer.model import PIECE_TYPES, parse_model, serialize_model
from tokenizer.phrases import UnitReader, Units
from tokenizer.scripts import INHERITED
from tokenizer.settings import TrainSettings

SUPERWORDS_VERSION = 1  # raise when the same counts of phrases would give other superwords
_NORMAL, _UNUSED = (next(n for n, name in PIECE_TYPES.items() if name == kind) for kind in ("normal", "unused"))


class Superwords(NamedTuple):
    """Pieces in the order of their merges, and how often each pair stood when it was merged."""

    pieces: list[str]
    counts: Any  # int64[pieces]


@kernel
def _merge_words(
    text: Any, symbols: Any, pairs: Any, queue: Any, texts: Any, state: Any, rules: tuple[Any, Any, Any]
) -> Any:
    """Merge as merges.merge_all does, but nothing that stands nowhere, and nothing of more than `most` characters.

    `rules` are the limits, the characters of each symbol (int64[symbols]), `most`.
    """
    limits, characters, most = rules
    new, signs = limits[2], text.letters
    while new < limits[3]:
        best = next_pair(signs, symbols, pairs, queue, state)
        if best < 0 or pairs.count[best] < 1:
            break
        size = characters[pairs.left[best]] + characters[pairs.right[best]]
        if size > most:
            continue
        new_symbol(symbols, pairs, best, new)
        if is_known(signs, symbols, texts, symbols.at[new], symbols.letters[new], new):
            continue
        characters[new] = size
        first_pair = state[2]
        store_places(pairs, state, first_pair, merge_pair(text, symbols, pairs, state, best, new, limits))
        for pair in range(first_pair, state[2]):
            if pairs.count[pair] >= state[1]:
                state[0] = push(signs, symbols, pairs, queue, state[0], pair)
        new += 1
    return new


class _Lettered(NamedTuple):
    """Phrases with words as letters; behind them, with a count of 0, names of pieces that no superword may be."""

    letters: Any  # int32: 1, 2 ... by the words' bytes; 0 before, between and behind phrases
    counts: Any  # int64[phrases]
    words: list[str]  # by letter; the first is none
    taken: Any  # int64[names, 2]: where each name starts, its words


def _lettered(rows: Iterable[tuple[Any, Any]], model: bytes) -> _Lettered:
    pieces, reader = parse_model(model).pieces, UnitReader(model)
    parts = [(reader.read(words), counts) for words, counts in rows if len(words)]
    parts = parts or [(Units(np.zeros(0, np.int32), np.zeros(1, np.int64)), np.zeros(0, np.int64))]
    used = np.unique(np.concatenate([units.ids for units, _ in parts]))
    ordered = sorted(used.tolist(), key=lambda i: pieces[i].piece.encode())
    letter_of = np.zeros(len(pieces), np.int32)
    letter_of[ordered] = np.arange(1, len(ordered) + 1)
    letters = [np.insert(letter_of[units.ids], units.offsets[1:], 0) for units, _ in parts]
    joined = np.concatenate([np.zeros(1, np.int32), *letters])
    taken = _taken(pieces, reader, letter_of)
    starts = len(joined) + np.cumsum([0, *(len(name) + 1 for name in taken)])[:-1]
    return _Lettered(
        np.concatenate([joined, *(np.append(name, 0) for name in taken)]).astype(np.int32),
        np.concatenate([*(counts for _, counts in parts), np.zeros(len(taken), np.int64)]),
        ["", *(pieces[i].piece for i in ordered)],
        np.array([[at, len(name)] for at, name in zip(starts, taken, strict=True)], np.int64).reshape(-1, 2),
    )


def _taken(pieces: Any, reader: UnitReader, letter_of: Any) -> list[Any]:
    """Return the letters of names that are pieces and yet stand in texts as words: of control pieces, as `<s>`."""
    names = [piece.piece for piece in pieces if piece.type not in (0, _NORMAL)]
    units = reader.read(pa.array(names, pa.string()))
    spelt = np.split(letter_of[units.ids], units.offsets[1:-1])
    return [name for name in spelt if len(name) > 1 and name.all()]


def _room(words: list[str], size: int) -> tuple[Symbols, Any]:
    """Return room for `size` symbols, the words among them, and for their characters."""
    characters = np.zeros(size, np.int64)
    characters[: len(words)] = [len(word) for word in words]
    symbols = Symbols(
        np.ones(size, np.int32),
        np.zeros(size, np.int64),
        np.zeros(size, np.int64),
        np.full(size, INHERITED, np.int16),
        np.zeros(size, np.int32),
        np.full((size, 2), -1, np.int32),
    )
    return symbols, characters


def learn_superwords(rows: Iterable[tuple[Any, Any]], model: bytes, settings: TrainSettings) -> Superwords:
    """Return the superwords of `settings` that phrases (string array, int64) make, or all that there are.

    `model` is that of `settings.first_stage`, and the phrases were counted with it. Rows may come in any order.
    """
    found = _lettered(rows, model)
    known, wanted, places = len(found.words) + len(found.taken), settings.superwords, len(found.letters)
    if 3 * places >= 1 << 31:
        raise ValueError(f"{places} words of unique phrases are more than 2^31 / 3: sample fewer rows")
    text = Text(np.empty((places, 3), np.int32), found.letters, found.counts, np.zeros(len(found.counts), np.uint8))
    fill_cells(text.letters, text.cells)
    symbols, characters = _room(found.words, known + wanted + 1)
    kinds = (np.int64, np.int32, np.int32, np.int64, np.int32, np.uint8, np.int32)
    pairs = Pairs(*(np.empty(3 * places, kind) for kind in kinds))
    queue = Queue(*(np.empty(3 * places + 1, kind) for kind in (np.int64, np.uint64, np.int32, np.int32)))
    limits = (settings.superword_words, 0, known, known + wanted)
    pair_count, held = first_pairs(text, symbols, pairs, limits)
    highest = int(pairs.count[:pair_count].max(initial=0))
    state = np.array([0, 2 * highest + 2, pair_count, held], np.int64)
    texts = np.zeros(1 << (2 * (known + wanted) + 16).bit_length(), np.int32)
    for symbol, (at, size) in enumerate(found.taken.tolist(), len(found.words)):
        symbols.at[symbol], symbols.letters[symbol] = at, size
        is_known(text.letters, symbols, texts, at, size, symbol)
    end = _merge_words(text, symbols, pairs, queue, texts, state, (limits, characters, settings.superword_characters))
    spans = zip(symbols.at[known:end].tolist(), symbols.letters[known:end].tolist(), strict=True)
    pieces = ["".join(found.words[k] for k in found.letters[at : at + size].tolist()) for at, size in spans]
    return Superwords(pieces, symbols.made[known:end].copy())


def with_superwords(model: bytes, superwords: list[str]) -> bytes:
    """Return the model with these pieces behind all others: their ids go on, their merges come last.

    A picky model's helpers, which are never given out, stay behind them.
    """
    message = parse_model(model)
    added = type(message)()
    added.CopyFrom(message)
    del added.pieces[:]
    lowest = min(piece.score for piece in message.pieces)
    added.pieces.extend(piece for piece in message.pieces if piece.type != _UNUSED)
    for rank, piece in enumerate(superwords, 1):
        added.pieces.add(piece=piece, score=lowest - rank)
    added.trainer_spec.vocab_size = len(added.pieces)
    added.trainer_spec.split_by_whitespace = False
    added.pieces.extend(piece for piece in message.pieces if piece.type == _UNUSED)
    return serialize_model(added)


def phrase_rows(batch: pa.RecordBatch) -> tuple[Any, Any]:
    """Return phrases and their counts of a table's batch (schema COUNTS)."""
    return batch["word"], batch["count"].to_numpy()
