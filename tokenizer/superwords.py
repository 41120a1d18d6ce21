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

from tokenizer.merge_room import begin, symbols_for, text_of
from tokenizer.merges import is_known, merge_all
from tokenizer.model import PIECE_TYPES, parse_model, serialize_model
from tokenizer.phrases import UnitReader, Units
from tokenizer.settings import TrainSettings

SUPERWORDS_VERSION = 1  # raise when the same counts of phrases would give other superwords
_NORMAL, _UNUSED = (next(n for n, name in PIECE_TYPES.items() if name == kind) for kind in ("normal", "unused"))


class Superwords(NamedTuple):
    """Pieces in the order of their merges, and how often each pair stood when it was merged."""

    pieces: list[str]
    counts: Any  # int64[pieces]


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


def learn_superwords(rows: Iterable[tuple[Any, Any]], model: bytes, settings: TrainSettings) -> Superwords:
    """Return the superwords of `settings` that phrases (string array, int64) make, or all that there are.

    `model` is that of `settings.first_stage`, and the phrases were counted with it. Rows may come in any order.
    """
    found = _lettered(rows, model)
    known, wanted = len(found.words) + len(found.taken), settings.superwords
    text = text_of(found.letters, found.counts, np.zeros(len(found.counts), np.uint8), "words of unique phrases")
    symbols = symbols_for(known + wanted + 1)
    symbols.width[: len(found.words)] = [len(word) for word in found.words]
    limits = (settings.superword_words, False, known, known + wanted, settings.superword_characters, 1)
    pairs, queue, texts, state = begin(text, symbols, limits)
    for symbol, (at, size) in enumerate(found.taken.tolist(), len(found.words)):
        symbols.at[symbol], symbols.letters[symbol] = at, size
        is_known(text.letters, symbols, texts, at, size, symbol)
    end = merge_all(text, symbols, pairs, queue, texts, state, limits)
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
