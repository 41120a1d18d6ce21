"""Words that encode by themselves: a text is cut where no piece of the vocabulary can reach over, each word once.

A merge makes a piece, so two neighbouring characters that stand side by side in no piece are never joined, and what
is before and behind them encodes as if it stood alone. The pairs of a vocabulary therefore say where a cut is exact,
for any BPE model. Cuts are looked for where they pay: before a run of spaces, at newlines, and beside characters
outside ASCII; a cut that is not made costs a longer word and nothing else. The ids of a word are looked up by its
bytes; what was not seen yet is left to the model itself.

Kernels that read words by blocks want PADDING readable bytes behind the last one.
"""

from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from filters.native import decode_utf8, kernel, mix64
from tokenizer.gather import block_at, mixed_key

PADDING = 16
SPACE, NEWLINE = 0x20, 0x0A
ASCII = 0x80
BITS_A_PAIR = 16  # of the set of pairs: of those that are in no piece, 1 in 16 is taken for one that is
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_SHIFT, _HALF = np.uint64(29), np.uint64(32)
_ONE, _LOW = np.uint64(1), np.uint64(63)
# A row of the table of words: hash, the first 8 bytes, the 8 behind them, number + 1 << 32 | length; all 0 is free.
KEY, HEAD, NEXT, PLACE = (np.uint64(column) for column in range(4))
_ROW_BITS = np.uint64(2)
ROW = 4


class Pairs(NamedTuple):
    """Neighbours in pieces: of two ASCII characters exactly, of others a set that holds more than it should."""

    ascii: Any  # uint8[128, 128]
    others: Any  # uint64[2^n]: a bit a hash

    @classmethod
    def of(cls, pieces: list[str]) -> "Pairs":
        """Return the pairs of pieces in which a space is a space."""
        found = sorted({(ord(a), ord(b)) for piece in pieces for a, b in pairwise(piece)})
        ascii_pairs = np.zeros((ASCII, ASCII), np.uint8)
        for a, b in found:
            if a < ASCII and b < ASCII:
                ascii_pairs[a, b] = 1
        words = np.zeros(1 << max(10, (BITS_A_PAIR * len(found) // 64).bit_length()), np.uint64)
        _enter(words, np.array(found or [(0, 0)], np.uint64))
        return cls(ascii_pairs, words)


class Table(NamedTuple):
    """Words by their bytes: word n is arena[spans[n]:spans[n + 1]]; `rows` find it."""

    rows: Any  # uint64[ROW * 2^n]
    spans: Any  # int64[room + 1]
    arena: Any  # uint8[room]

    @classmethod
    def empty(cls) -> "Table":
        """Return a table without words."""
        return cls(np.zeros(ROW << 13, np.uint64), np.zeros(1 << 12, np.int64), np.empty(1 << 15, np.uint8))


@kernel
def _pair_hash(a: Any, b: Any) -> Any:
    key = (a * np.uint64(0xBF58476D1CE4E5B9)) ^ (b * _MULTIPLIER)
    return (key ^ (key >> np.uint64(31))) * np.uint64(0x94D049BB133111EB) >> _SHIFT


@kernel
def _enter(bits: Any, pairs: Any) -> None:
    mask = np.uint64(64 * len(bits) - 1)
    for k in range(len(pairs)):
        at = _pair_hash(pairs[k, 0], pairs[k, 1]) & mask
        bits[at >> np.uint64(6)] |= _ONE << (at & _LOW)


@kernel
def cut(data: Any, offsets: Any, ascii_pairs: Any, others: Any) -> tuple[Any, Any]:
    """Return the ends of all words (int32, ascending) and how many words there are before each text, int64[n + 1].

    A word starts where the one before it ends, the first one at offsets[0].
    """
    ends, first = np.empty(offsets[-1] - offsets[0], np.int32), np.zeros(len(offsets), np.int64)  # never more
    count, mask = 0, np.uint64(64 * len(others) - 1)
    for text in range(len(offsets) - 1):
        i: Any = np.int64(offsets[text])
        stop: Any = np.int64(offsets[text + 1])
        before, begin = np.int64(-1), i
        while i < stop:
            point: Any = np.int64(data[i])
            size: Any = np.int64(1)
            if point < ASCII and before < ASCII:
                if (point == SPACE and before != SPACE) or ((point == NEWLINE) != (before == NEWLINE)):
                    is_cut = i > begin and ascii_pairs[before, point] == 0
                else:
                    is_cut = False
            else:
                if point >= ASCII:
                    point, size = decode_utf8(data, i)
                at = _pair_hash(np.uint64(before), np.uint64(point)) & mask
                is_cut = i > begin and (others[at >> np.uint64(6)] >> (at & _LOW)) & _ONE == 0
            if is_cut:
                ends[count] = i
                count += 1
            before = point
            i += size
        if stop > begin:
            ends[count] = stop
            count += 1
        first[text + 1] = count
    return ends[:count].copy(), first


@kernel
def _grown(rows: Any) -> Any:
    """Return the same words in twice the places."""
    grown = np.zeros(2 * len(rows), np.uint64)
    mask = np.uint64(len(grown) - 1) >> _ROW_BITS
    for row in range(0, len(rows), ROW):
        if rows[row + 3]:
            at = (rows[row] & mask) << _ROW_BITS
            while grown[at + PLACE]:
                at = (((at >> _ROW_BITS) + _ONE) & mask) << _ROW_BITS
            grown[at : at + ROW] = rows[row : row + ROW]
    return grown


@kernel
def _fill(data: Any, word: Any, ends: Any, numbers: Any, known: Any, table: tuple[Any, Any, Any]) -> tuple[Any, Any]:
    """Number words from ends[word] on until the table is full; return the word that is next, and how many are known.

    No array grows here: numba would count references in the loop.
    """
    rows, spans, arena = table
    mask = np.uint64(len(rows) - 1) >> _ROW_BITS
    for n in range(word, len(ends)):
        start, end = np.int64(ends[n - 1]), np.int64(ends[n])
        size = end - start
        if 2 * ROW * known >= len(rows) or known + 1 >= len(spans) or spans[known] + size > len(arena):
            return n, known
        head, behind = block_at(data, start, size), block_at(data, start + 8, size - 8)
        key = mixed_key(mixed_key(np.uint64(size) * _MULTIPLIER, head), behind)
        for i in range(16, size, 8):
            key = mixed_key(key, block_at(data, start + i, size - i))
        key = mix64(key)
        at, found = (key & mask) << _ROW_BITS, np.int64(-1)
        while rows[at + PLACE]:
            if rows[at] == key and rows[at + HEAD] == head and rows[at + NEXT] == behind:  # noqa: SIM102
                if np.uint32(rows[at + PLACE]) == np.uint32(size):
                    found = np.int64(rows[at + PLACE] >> _HALF) - 1
                    for k in range(16, size):
                        if arena[spans[found] + k] != data[start + k]:
                            found = np.int64(-1)
                            break
                    if found >= 0:
                        break
            at = (((at >> _ROW_BITS) + _ONE) & mask) << _ROW_BITS
        if found < 0:
            found = np.int64(known)
            for k in range(size):
                arena[spans[known] + k] = data[start + k]
            spans[known + 1] = spans[known] + size
            rows[at], rows[at + HEAD], rows[at + NEXT] = key, head, behind
            rows[at + PLACE] = (np.uint64(known + 1) << _HALF) | np.uint64(size)
            known += 1
        numbers[n - 1] = found
    return len(ends), known


@kernel
def look_up(data: Any, ends: Any, known: Any, table: tuple[Any, Any, Any]) -> Any:
    """Return the number of each word (int32[len(ends) - 1]), how many words are known now, and the table.

    Word n is data[ends[n]:ends[n + 1]]. `known` words are known before; new ones get the next numbers, in the order
    in which they stand.
    """
    rows, spans, arena = table
    numbers, word = np.empty(max(0, len(ends) - 1), np.int32), 1
    while True:
        word, known = _fill(data, word, ends, numbers, known, (rows, spans, arena))
        if word >= len(ends):
            return numbers, known, (rows, spans, arena)
        if 2 * ROW * known >= len(rows):
            rows = _grown(rows)
        if known + 1 >= len(spans):
            spans = np.concatenate((spans, np.empty(len(spans), np.int64)))
        while spans[known] + ends[word] - ends[word - 1] > len(arena):
            arena = np.concatenate((arena, np.empty(len(arena), np.uint8)))


@kernel
def spread(numbers: Any, first: Any, ids: Any, starts: Any) -> tuple[Any, Any]:
    """Return the ids of all texts (int32) and where each text's begin (int64[texts + 1]).

    Text t is the words numbers[first[t]:first[t + 1]]; word w has ids[starts[w]:starts[w + 1]].
    """
    offsets, total = np.zeros(len(first), np.int64), 0
    for text in range(len(first) - 1):
        for word in numbers[first[text] : first[text + 1]]:
            total += starts[word + 1] - starts[word]
        offsets[text + 1] = total
    flat, at = np.empty(total, np.int32), 0
    for word in numbers:
        for k in range(starts[word], starts[word + 1]):
            flat[at] = ids[k]
            at += 1
    return flat, offsets
