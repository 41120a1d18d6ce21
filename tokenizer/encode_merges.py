"""Byte-pair encoding of short words in native code: the merges that SentencePiece makes, in its order.

SentencePiece's BPE (bpe_model.cc of 0.2.3) joins the two neighbours whose text is the piece of the highest score, the
leftmost of equals, until no two make a piece. Here the same is done on ids: a table says which piece two pieces make.
That is the same as long as every symbol is a piece, so each character of a longer piece must be one; and no piece may
be "unused", for such are taken apart again. A word in which a user-defined piece could stand, and one of more than
MAX_SYMBOLS characters, is left to SentencePiece.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from filters.native import decode_utf8, kernel, mix64
from tokenizer.encode_words import PADDING, Table, look_up
from tokenizer.model import PIECE_TYPES
from tokenizer.settings import SPACE_SYMBOL

MAX_SYMBOLS = 96
POINTS = 0x110000
_TYPES = {name: number for number, name in PIECE_TYPES.items()}
_NONE = np.int32(-1)
_HALF, _ONE = np.uint64(32), np.uint64(1)
SPACE = 0x20


@dataclass(frozen=True)
class Merges:
    """What two pieces make."""

    letters: Any  # int32[0x110000]: the piece of a character, -1 where it is none
    opens: Any  # uint8[0x110000]: 1 where a user-defined piece begins with it, 2 where one does with two spaces
    pairs: Any  # uint64[2 * 2^n]: left << 32 | right, plus one; the piece they make. 0 is free
    scores: Any  # float32[pieces]
    bytes: Any  # int32[256]: the pieces of bytes

    @classmethod
    def of(cls, message: Any, late: frozenset[int] = frozenset()) -> "Merges | None":
        """Return the merges of a BPE model with byte fallback, None where only SentencePiece can make them.

        Pieces of `late` (ids) are left out.
        """
        texts = [piece.piece.replace(SPACE_SYMBOL, " ") for piece in message.pieces]
        types = [piece.type if piece.HasField("type") else _TYPES["normal"] for piece in message.pieces]
        learnt = [i for i, kind in enumerate(types) if kind == _TYPES["normal"] and texts[i] and i not in late]
        own = [texts[i] for i, kind in enumerate(types) if kind == _TYPES["user_defined"]]
        letters, opens = np.full(POINTS, _NONE), np.zeros(POINTS, np.uint8)
        for i in learnt:
            if len(texts[i]) == 1:
                letters[ord(texts[i])] = i
        for text in own:
            opens[ord(text[0])] = 2 if text.startswith("  ") and opens[SPACE] != 1 else 1
        of_bytes = [i for i, kind in enumerate(types) if kind == _TYPES["byte"]]
        whole = all(letters[ord(letter)] >= 0 for i in learnt for letter in texts[i])
        if (
            not whole
            or len(of_bytes) != 256
            or _TYPES["unused"] in types
            or len({*map(texts.__getitem__, learnt)}) < len(learnt)
        ):
            return None
        by_byte = np.zeros(256, np.int32)
        for i in of_bytes:
            by_byte[int(texts[i][1:-1], 16)] = i
        scores = np.array([piece.score for piece in message.pieces], np.float32)
        return cls(letters, opens, table_of(*halves_of(texts, np.array(learnt, np.int32))), scores, by_byte)

    def encode(self, spans: Any, arena: Any, first: int, last: int) -> tuple[Any, Any, Any]:
        """Return ids, starts (int64[words + 1]) and which of the words first to last - 1 are left over (bool)."""
        ids, starts, left = _encode(
            (spans, arena), first, last, self.letters, self.opens, (self.pairs, self.scores), self.bytes
        )
        return ids, starts, left.astype(bool)


def halves_of(texts: list[str], learnt: Any) -> tuple[Any, Any]:
    """Return every way to cut a piece in two pieces: left and right (int32[n, 2]), what they make (int32[n])."""
    words = [texts[i].encode() for i in learnt]
    sizes = np.array([len(word) for word in words], np.int64)
    data = np.frombuffer(b"".join(words) + bytes(PADDING), np.uint8)
    ends = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int32)
    _, known, table = look_up(data, ends, 0, tuple(Table.empty()))
    halves, bounds, made = _halves(data, ends)
    numbers, _, _ = look_up(np.concatenate([halves, np.zeros(PADDING, np.uint8)]), bounds, known, table)
    numbers = numbers.reshape(-1, 2)
    there = (numbers < known).all(axis=1)  # the order of pieces is that of the table: each came once
    return learnt[numbers[there]], learnt[made[there]]


def table_of(both: Any, made: Any) -> Any:
    """Return the table (Merges.pairs) of what two pieces make; `both` int32[n, 2], each once."""
    keys = ((both[:, 0].astype(np.uint64) << _HALF) | both[:, 1].astype(np.uint64)) + _ONE
    pairs = np.zeros(2 << max(4, int(2 * len(keys)).bit_length()), np.uint64)
    _enter(pairs, keys, made.astype(np.uint64))
    return pairs


@kernel
def _halves(data: Any, ends: Any) -> tuple[Any, Any, Any]:
    """Return all cuts of words in two: their bytes, bounds (int32[2 * cuts + 1]) and the word of each cut."""
    cuts, size = 0, 0
    for word in range(len(ends) - 1):
        for i in range(ends[word] + 1, ends[word + 1]):
            if data[i] & 0xC0 != 0x80:
                cuts += 1
                size += ends[word + 1] - ends[word]
    body, bounds, made = np.empty(size, np.uint8), np.zeros(2 * cuts + 1, np.int32), np.empty(cuts, np.int32)
    at, n = 0, 0
    for word in range(len(ends) - 1):
        length = ends[word + 1] - ends[word]
        for i in range(ends[word] + 1, ends[word + 1]):
            if data[i] & 0xC0 != 0x80:
                body[at : at + length] = data[ends[word] : ends[word + 1]]
                bounds[2 * n + 1], bounds[2 * n + 2], made[n] = at + i - ends[word], at + length, word
                at, n = at + length, n + 1
    return body, bounds, made


@kernel
def _enter(pairs: Any, keys: Any, made: Any) -> None:
    mask = np.uint64(len(pairs) // 2 - 1)
    for k in range(len(keys)):
        at = mix64(keys[k]) & mask
        while pairs[at << _ONE]:
            at = (at + _ONE) & mask
        pairs[at << _ONE], pairs[(at << _ONE) + _ONE] = keys[k], made[k]


@kernel
def made_of(pairs: Any, left: Any, right: Any) -> Any:
    """Return the piece that two pieces make, -1 for none."""
    if left < 0 or right < 0:
        return np.int64(-1)
    key = ((np.uint64(left) << _HALF) | np.uint64(right)) + _ONE
    mask = np.uint64(len(pairs) // 2 - 1)
    at = mix64(key) & mask
    while pairs[at << _ONE]:
        if pairs[at << _ONE] == key:
            return np.int64(pairs[(at << _ONE) + _ONE])
        at = (at + _ONE) & mask
    return np.int64(-1)


@kernel
def _symbols(arena: Any, start: Any, end: Any, letters: Any, opens: Any, symbols: Any, places: Any) -> Any:
    """Write the pieces of a word's characters and where these begin; return how many, -1 where it is left over."""
    count, i, before = 0, start, np.int64(-1)
    while i < end:
        point, size = decode_utf8(arena, i)
        sign = opens[point]
        if count == MAX_SYMBOLS or sign == 1 or (sign == 2 and before == point):
            return -1
        symbols[count], places[count] = letters[point], i
        count, before = count + 1, np.int64(point)
        i += size
    places[count] = end
    return count


@kernel
def merge_symbols(count: Any, symbols: Any, places: Any, made: Any, pairs: Any, scores: Any) -> Any:
    """Merge neighbours, the best first, the leftmost of equals; return how many symbols are left."""
    for k in range(count - 1):
        made[k] = made_of(pairs, symbols[k], symbols[k + 1])
    while True:
        best, score = -1, np.float32(0)
        for k in range(count - 1):
            if made[k] >= 0 and (best < 0 or scores[made[k]] > score):
                best, score = k, scores[made[k]]
        if best < 0:
            return count
        symbols[best] = made[best]
        for k in range(best + 1, count - 1):
            symbols[k], made[k], places[k] = symbols[k + 1], made[k + 1], places[k + 1]
        places[count - 1] = places[count]
        count -= 1
        if best > 0:
            made[best - 1] = made_of(pairs, symbols[best - 1], symbols[best])
        if best < count - 1:
            made[best] = made_of(pairs, symbols[best], symbols[best + 1])


@kernel
def _encode(
    words: tuple[Any, Any],
    first: Any,
    last: Any,
    letters: Any,
    opens: Any,
    table: tuple[Any, Any],
    of_bytes: Any,
) -> tuple[Any, Any, Any]:
    """Return ids, starts and what is left over; a word has at most as many ids as bytes."""
    spans, arena = words
    pairs, scores = table
    ids, starts = np.empty(spans[last] - spans[first], np.int32), np.zeros(last - first + 1, np.int64)
    left, at = np.zeros(last - first, np.uint8), 0
    symbols, places = np.empty(MAX_SYMBOLS, np.int64), np.empty(MAX_SYMBOLS + 1, np.int64)
    made = np.empty(MAX_SYMBOLS, np.int64)
    for word in range(first, last):
        count = _symbols(arena, spans[word], spans[word + 1], letters, opens, symbols, places)
        if count < 0:
            left[word - first] = 1
        else:
            count = merge_symbols(count, symbols, places, made, pairs, scores)
        for k in range(count):
            if symbols[k] >= 0:
                ids[at] = symbols[k]
                at += 1
                continue
            for i in range(places[k], places[k + 1]):
                ids[at] = of_bytes[arena[i]]
                at += 1
        starts[word - first + 1] = at
    return ids[:at].copy(), starts, left
