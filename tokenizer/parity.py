"""Parity-aware byte-pair encoding (Foroutan et al. 2025, arXiv 2508.04796): the worst served language merges next.

Each language has a text that says the same. Before each merge the language whose text takes most tokens is found, and
the pair is merged, everywhere, that is the most frequent one in this language's own rows. A language whose text has
gained nothing from its last PATIENCE merges lets as many others pass.

The count of a pair in one language only falls, so a heap a language holds upper bounds, and the first pair whose bound
is still its count is the best.
"""

from typing import Any, NamedTuple

import numpy as np

from filters.native import kernel
from tokenizer.merges import (
    CHUNK,
    DEAD,
    PAIR,
    SYMBOL,
    Pairs,
    Queue,
    Symbols,
    Text,
    is_known,
    merge_pair,
    new_symbol,
    order_of,
    precedes,
    sink,
    store_places,
)

DEV = 1 << 10  # part of a language's parallel text: this and the language
PATIENCE = 32
_NOTHING = -1
_FIRST_ROOM = 1 << 12


def first_tokens(tallies: list[Any], points: Any, byte_fallback: bool) -> Any:
    """Return what each parallel text takes before any merge, int64[1 + languages]; 0 is the rows of none.

    `tallies` are counts of code points, int64[0x110000] a language; a letter outside the alphabet takes its bytes.
    """
    sizes = np.ones(0x110000, np.int64)
    if byte_fallback:
        sizes[0x80:], sizes[0x800:], sizes[0x10000:] = 2, 3, 4
    sizes[points] = 1
    return np.array([0, *(int(np.dot(tally, sizes)) for tally in tallies)], np.int64)


@kernel
def _counts(text: Any, parts: Any, letters: Any, pairs: Any, pair: Any, found: Any) -> None:
    """Put into `found` (int64[languages]) how often a pair stands in the rows of each language now."""
    found[:] = 0
    left, right = pairs.left[pair], pairs.right[pair]
    for entry in range(pairs.first[pair], pairs.first[pair] + pairs.size[pair]):
        at = pairs.places[entry]
        stands = text.cells[at, SYMBOL] == left and text.cells[at + letters[left], SYMBOL] == right
        if stands and text.cells[at, PAIR] == pair:
            chunk = text.cells[at, CHUNK]
            found[parts[chunk] % DEV] += text.counts[chunk]


@kernel
def _bounds(text: Any, parts: Any, letters: Any, pairs: Any, first: Any, end: Any, languages: Any) -> Any:
    """Return [pair, language, count] of pairs first to end in each language that has it, int64[n, 3]."""
    held, n = np.empty((64, 3), np.int64), 0
    found = np.zeros(languages, np.int64)
    for pair in range(first, end):
        _counts(text, parts, letters, pairs, pair, found)
        for language in range(languages):
            if found[language]:
                if n == len(held):
                    grown = np.empty((2 * n, 3), np.int64)
                    grown[:n] = held
                    held = grown
                held[n, 0], held[n, 1], held[n, 2] = pair, language, found[language]
                n += 1
    return held[:n]


@kernel
def _push(signs: Any, symbols: Any, pairs: Any, queue: Any, n: Any, bounds: Any, language: Any) -> Any:
    """Put the bounds of a language into its heap of n entries; return their number."""
    for row in range(len(bounds)):
        if bounds[row, 1] != language:
            continue
        pair, count = np.int32(bounds[row, 0]), bounds[row, 2]
        text = pairs.places[pairs.first[pair]]
        letters = symbols.letters[pairs.left[pair]] + symbols.letters[pairs.right[pair]]
        order, at = order_of(signs, text, letters), n
        while at > 0:
            up = (at - 1) // 2
            if not precedes(signs, (count, order, text), (queue.count[up], queue.order[up], queue.text[up])):
                break
            queue.count[at], queue.order[at], queue.text[at] = queue.count[up], queue.order[up], queue.text[up]
            queue.pair[at] = queue.pair[up]
            at = up
        queue.count[at], queue.order[at], queue.text[at], queue.pair[at] = count, order, text, pair
        n += 1
    return n


@kernel
def _best(
    text: Any, parts: Any, letters: Any, pairs: Any, heap: tuple[Any, Any], language: Any, found: Any
) -> tuple[Any, Any]:
    """Return the most frequent pair of a language, off its heap, or -1, and the entries that are left."""
    signs, (queue, n) = text.letters, heap
    while n:
        pair = queue.pair[0]
        if pairs.state[pair] == DEAD:
            sink(signs, queue, n - 1, n - 1)
            n -= 1
            continue
        _counts(text, parts, letters, pairs, pair, found)
        if found[language] == queue.count[0]:
            sink(signs, queue, n - 1, n - 1)
            pairs.state[pair] = DEAD
            return pair, n - 1
        if found[language]:
            queue.count[0] = found[language]
            sink(signs, queue, n, 0)
        else:
            sink(signs, queue, n - 1, n - 1)
            n -= 1
    return _NOTHING, 0


@kernel
def _gained(text: Any, parts: Any, weights: Any, pairs: Any, pair: Any, new: Any, tokens: Any) -> None:
    """Take from `tokens` what merging a pair into `new` has saved in each parallel text."""
    for entry in range(pairs.first[pair], pairs.first[pair] + pairs.size[pair]):
        at = pairs.places[entry]
        chunk = text.cells[at, CHUNK]
        if text.cells[at, SYMBOL] == new and parts[chunk] >= DEV:
            tokens[parts[chunk] - DEV] -= weights[chunk]


class Languages(NamedTuple):
    """What languages the chunks are of, and what their parallel texts take."""

    part: Any  # int16[chunks]: the language, DEV more in its parallel text
    weights: Any  # int64[chunks]: counts, those of parallel texts too
    tokens: Any  # int64[1 + languages], of `first_tokens`


class _Heaps:
    """A heap of pairs for each language."""

    def __init__(self, languages: int) -> None:
        self.sizes = [0] * languages
        self.queues = [_room(_FIRST_ROOM) for _ in range(languages)]

    def push(self, signs: Any, symbols: Symbols, pairs: Pairs, bounds: Any) -> None:
        more = np.bincount(bounds[:, 1], minlength=len(self.sizes)).tolist()
        for language, count in enumerate(more):
            if not count:
                continue
            queue, n = self.queues[language], self.sizes[language]
            if n + count > len(queue.count):
                grown = _room(2 * (n + count))
                for old, new in zip(queue, grown, strict=True):
                    new[:n] = old[:n]
                self.queues[language] = queue = grown
            self.sizes[language] = _push(signs, symbols, pairs, queue, n, bounds, language)


def _room(size: int) -> Queue:
    return Queue(*(np.empty(size, kind) for kind in (np.int64, np.uint64, np.int32, np.int32)))


class _Turns:
    """Whose turn it is: the language of the most tokens that still gains by merging."""

    def __init__(self, tokens: Any) -> None:
        self.tokens = tokens  # int64[languages]; 0 is the rows of no parallel text, which come last
        self.idle, self.until = np.zeros(len(tokens), np.int64), np.zeros(len(tokens), np.int64)
        self.is_out, self.merges = np.zeros(len(tokens), np.bool_), 0
        self.is_out[1:] = tokens[1:] == 0

    def next(self) -> int:
        """Return a language, 0 where none has a pair left."""
        if self.is_out[1:].all():
            return 0
        waits = self.is_out | (self.until > self.merges)
        if waits[1:].all():
            waits = self.is_out
        return 1 + int(np.argmax(np.where(waits[1:], -1, self.tokens[1:])))

    def merged(self, language: int, before: int) -> None:
        """Note that a language has merged; `before` is what its text took until then."""
        self.merges += 1
        self.idle[language] = 0 if self.tokens[language] < before else self.idle[language] + 1
        if self.idle[language] >= PATIENCE:
            self.idle[language], self.until[language] = 0, self.merges + PATIENCE


def merge_in_turn(
    text: Text, languages: Languages, symbols: Symbols, pairs: Pairs, texts: Any, state: Any, limits: tuple[int, ...]
) -> int:
    """Merge until limits[3] symbols are there or nothing is left; return the number of symbols.

    `state` and `limits` are those of tokenizer.merges.
    """
    parts, weights, tokens = languages
    known, new, signs = len(tokens), limits[2], text.letters
    heaps, found = _Heaps(known), np.zeros(known, np.int64)
    turns = _Turns(tokens.copy())
    heaps.push(signs, symbols, pairs, _bounds(text, parts, symbols.letters, pairs, 0, state[2], known))
    while new < limits[3]:
        language = turns.next()
        heap = (heaps.queues[language], heaps.sizes[language])
        best, heaps.sizes[language] = _best(text, parts, symbols.letters, pairs, heap, language, found)
        if best == _NOTHING:
            if language == 0:
                break
            turns.is_out[language] = True
            continue
        new_symbol(symbols, pairs, best, new)
        if is_known(signs, symbols, texts, symbols.at[new], symbols.letters[new], new):
            continue
        first, before = int(state[2]), turns.tokens[language]
        store_places(pairs, state, first, merge_pair(text, symbols, pairs, state, best, new, limits))
        _gained(text, parts, weights, pairs, best, new, turns.tokens)
        turns.merged(language, before)
        heaps.push(signs, symbols, pairs, _bounds(text, parts, symbols.letters, pairs, first, state[2], known))
        new += 1
    return new
