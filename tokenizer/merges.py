"""Byte-pair encoding on chunks, exactly as SentencePiece's trainer merges: kernels.

Of all pairs of neighbours the one with the highest count is merged, among equals that with fewer letters, then the
smaller text; a pair whose text is a piece already is never merged. Counts take in pairs that overlap ("aaa" holds
two), and pairs that have come down to nothing are still merged last.

All places of a pair come from one merge (the later of its two symbols), so a merge finds its new pairs by a stamp on
the neighbour's symbol, without a hash, and a pair's count only falls afterwards.
"""

from typing import Any, NamedTuple

import numpy as np

from filters.native import kernel
from tokenizer.scripts import INHERITED

# Columns of `cells`, one row a letter: the symbol that starts here, or minus the letters of the one that ends here;
# the pair that it opens, or -1; the chunk.
SYMBOL, PAIR, CHUNK = range(3)
WAITING, QUEUED, DEAD = range(3)
TEXT_BITS = 18  # of each of the first three letters in a pair's order
_NO_PAIR, NOTHING = -1, 0


class Text(NamedTuple):
    """What is merged."""

    cells: Any  # int32[letters, 3]
    letters: Any  # int32[letters], 0 before, between and behind chunks
    counts: Any  # int64[chunks]
    is_free: Any  # uint8[chunks]: its pieces may be of several scripts


class Symbols(NamedTuple):
    """What is known of each symbol; letters come first, then the merges. Each array has room for all."""

    letters: Any  # int32: how many
    at: Any  # int64: a place where its letters stand
    made: Any  # int64: the count of its pair when it was merged
    script: Any  # int16: INHERITED goes with any
    spaces: Any  # int32: U+2581 that it starts with
    stamp: Any  # int32[symbols, 2]: the pair with the newest symbol behind it, and before it
    width: Any  # int64: what a merge adds up, and limits[4] bounds


class Pairs(NamedTuple):
    """Every pair that ever stood side by side; arrays have room for all that there can be."""

    count: Any  # int64
    left: Any  # int32
    right: Any  # int32
    first: Any  # int64: first of its entries in `places`
    size: Any  # int32
    state: Any  # uint8
    places: Any  # int32: rows of `cells`


class Queue(NamedTuple):
    """A heap of pairs: count, order by length and first letters, pair."""

    count: Any  # int64
    order: Any  # uint64
    text: Any  # int32: a row of `cells`
    pair: Any  # int32


@kernel
def fits(left: tuple[Any, Any, Any], right: tuple[Any, Any, Any], max_letters: Any, space_runs: Any) -> Any:
    """Say whether two symbols make a piece: not too long, of one script, U+2581 only in front or alone.

    A symbol is (letters, script, U+2581 that it starts with).
    """
    if left[0] + right[0] > max_letters:
        return False
    if right[2]:
        return space_runs and right[2] == right[0] and left[2] == left[0]
    if left[2] > 1:
        return False
    return left[1] == right[1] or left[1] == INHERITED or right[1] == INHERITED


@kernel
def order_of(signs: Any, at: Any, letters: Any) -> Any:
    """Return the order of a text among those of its count: fewer letters, then the first three letters."""
    order = np.uint64(letters)
    for k in range(3):
        letter = min(signs[at + k], (1 << TEXT_BITS) - 1) if k < letters else 0
        order = (order << np.uint64(TEXT_BITS)) | np.uint64(letter)
    return order


@kernel
def precedes(signs: Any, one: tuple[Any, Any, Any], other: tuple[Any, Any, Any]) -> Any:
    """Say whether one entry of the heap (count, order, text) is merged before another."""
    if one[0] != other[0]:
        return one[0] > other[0]
    if one[1] != other[1]:
        return one[1] < other[1]
    for k in range(np.int64(one[1] >> np.uint64(3 * TEXT_BITS))):
        if signs[one[2] + k] != signs[other[2] + k]:
            return signs[one[2] + k] < signs[other[2] + k]
    return False


@kernel
def push(signs: Any, symbols: Any, pairs: Any, queue: Any, n: Any, pair: Any) -> Any:
    """Put a pair into the heap of n entries; return their number."""
    counts, orders, texts, entries = queue.count, queue.order, queue.text, queue.pair
    count, text = pairs.count[pair], pairs.places[pairs.first[pair]]
    letters = symbols.letters[pairs.left[pair]] + symbols.letters[pairs.right[pair]]
    order, at = order_of(signs, text, letters), n
    pairs.state[pair] = QUEUED
    while at > 0:
        up = (at - 1) // 2
        if not precedes(signs, (count, order, text), (counts[up], orders[up], texts[up])):
            break
        counts[at], orders[at], texts[at], entries[at] = counts[up], orders[up], texts[up], entries[up]
        at = up
    counts[at], orders[at], texts[at], entries[at] = count, order, text, pair
    return n + 1


@kernel
def sink(signs: Any, queue: Any, n: Any, taken: Any) -> None:
    """Put entry `taken` in the place of the first one of n, and down to where it belongs."""
    counts, orders, texts, entries = queue.count, queue.order, queue.text, queue.pair
    count, order, text, entry = counts[taken], orders[taken], texts[taken], entries[taken]
    at = 0
    while 2 * at + 1 < n:
        down = 2 * at + 1
        first = (counts[down], orders[down], texts[down])
        if down + 1 < n:
            second = (counts[down + 1], orders[down + 1], texts[down + 1])
            if precedes(signs, second, first):
                down, first = down + 1, second
        if not precedes(signs, first, (count, order, text)):
            break
        counts[at], orders[at], texts[at], entries[at] = counts[down], orders[down], texts[down], entries[down]
        at = down
    counts[at], orders[at], texts[at], entries[at] = count, order, text, entry


@kernel
def _next_pair(signs: Any, symbols: Any, pairs: Any, queue: Any, state: Any) -> Any:
    """Return the next pair to merge, off the heap, or -1. `state` is [entries, floor, pairs].

    The heap holds pairs with a count of at least `floor`; when it's empty, the floor comes down by half.
    """
    n = state[0]
    while True:
        while n:
            pair = queue.pair[0]
            if queue.count[0] == pairs.count[pair]:
                sink(signs, queue, n - 1, n - 1)
                state[0] = n - 1
                pairs.state[pair] = DEAD
                return pair
            if pairs.count[pair] >= state[1]:  # it fell: down to where it belongs
                queue.count[0] = pairs.count[pair]
                sink(signs, queue, n, 0)
            else:
                pairs.state[pair] = WAITING
                sink(signs, queue, n - 1, n - 1)
                n -= 1
        if state[1] == 0:
            state[0] = 0
            return _NO_PAIR
        state[1] //= 2
        for pair in range(state[2]):
            if pairs.state[pair] == WAITING and pairs.count[pair] >= state[1]:
                n = push(signs, symbols, pairs, queue, n, pair)


@kernel
def merge_pair(text: Any, symbols: Any, pairs: Any, state: Any, best: Any, new: Any, limits: Any) -> Any:
    """Replace a pair wherever it stands by the symbol `new`; return the places of its new pairs: int32[n, 2]."""
    cells, counts, is_free = text.cells, text.counts, text.is_free
    count, stamp, places, first_pair, known = pairs.count, symbols.stamp, pairs.places, state[2], state[2]
    lefts, rights, ahead = pairs.left, pairs.right, symbols.letters[pairs.left[best]]
    left, right, letters, scripts = lefts[best], rights[best], symbols.letters, symbols.script
    spaces, size, max_letters, space_runs = symbols.spaces, symbols.letters[new], limits[0], limits[1]
    script = scripts[new]
    found, n = np.empty((2 * pairs.size[best], 2), np.int32), 0
    for entry in range(pairs.first[best], pairs.first[best] + pairs.size[best]):
        at = np.int64(places[entry])
        second, end = at + ahead, at + size
        if cells[at, SYMBOL] != left or cells[second, SYMBOL] != right:
            continue
        chunk = cells[at, CHUNK]
        free, weight, before, behind = is_free[chunk], counts[chunk], cells[at - 1, SYMBOL], cells[end, SYMBOL]
        previous = at - 1 if before > 0 else at + before
        cells[at, SYMBOL] = new
        cells[second, SYMBOL] = cells[end - 1, SYMBOL] = -size
        for side in range(2):
            place, old = (at, cells[second, PAIR]) if side else (previous, cells[previous, PAIR])
            other = behind if side else np.int32(cells[previous, SYMBOL] if before else 0)
            if other == NOTHING:
                cells[at, PAIR] = _NO_PAIR
                continue
            if old != _NO_PAIR and old != best:  # noqa: PLR1714
                count[old] -= weight
            known_one = (letters[other], INHERITED if free else scripts[other], spaces[other])
            newest = (size, script, spaces[new])
            if not fits(newest if side else known_one, known_one if side else newest, max_letters, space_runs):
                cells[place, PAIR] = _NO_PAIR
                continue
            pair = stamp[other, side]
            if pair < first_pair:  # of an earlier merge
                pair = stamp[other, side] = known
                lefts[pair], rights[pair] = (new, other) if side else (other, new)
                count[pair], known = 0, known + 1
            cells[place, PAIR] = pair
            count[pair] += weight
            found[n, 0], found[n, 1] = pair, place
            n += 1
    pairs.size[first_pair:known], pairs.state[first_pair:known], state[2] = 0, WAITING, known
    return found[:n]


@kernel
def store_places(pairs: Any, state: Any, first_pair: Any, found: Any) -> None:
    """Put the places of new pairs side by side; state[3] is how many places there are."""
    for k in range(len(found)):
        pairs.size[found[k, 0]] += 1
    for pair in range(first_pair, state[2]):
        pairs.first[pair] = state[3]
        state[3] += pairs.size[pair]
        pairs.size[pair] = 0
    for k in range(len(found)):
        pair = found[k, 0]
        pairs.places[pairs.first[pair] + pairs.size[pair]] = found[k, 1]
        pairs.size[pair] += 1


@kernel
def is_known(signs: Any, symbols: Any, texts: Any, at: Any, letters: Any, new: Any) -> Any:
    """Say whether a text is a merged piece already; if not, note it as that of symbol `new`."""
    key = np.uint64(letters)
    for k in range(letters):
        key = (key ^ np.uint64(signs[at + k])) * np.uint64(0x9E3779B97F4A7C15)
        key ^= key >> np.uint64(29)
    mask = np.uint64(len(texts) - 1)
    place = key & mask
    while texts[place]:
        other, k = texts[place], 0
        if symbols.letters[other] == letters:
            while k < letters and signs[symbols.at[other] + k] == signs[at + k]:
                k += 1
            if k == letters:
                return True
        place = (place + np.uint64(1)) & mask
    texts[place] = new
    return False


@kernel
def new_symbol(symbols: Any, pairs: Any, best: Any, new: Any) -> None:
    left, right = pairs.left[best], pairs.right[best]
    symbols.letters[new] = symbols.letters[left] + symbols.letters[right]
    symbols.made[new] = pairs.count[best]
    symbols.at[new] = pairs.places[pairs.first[best]]
    symbols.script[new] = symbols.script[left] if symbols.script[left] != INHERITED else symbols.script[right]
    symbols.spaces[new] = symbols.spaces[left] + symbols.spaces[right]
    symbols.stamp[new, 0] = symbols.stamp[new, 1] = _NO_PAIR
    symbols.width[new] = symbols.width[left] + symbols.width[right]


@kernel
def merge_all(text: Any, symbols: Any, pairs: Any, queue: Any, texts: Any, state: Any, limits: Any) -> Any:
    """Merge until limits[3] symbols are there or nothing is left; return the number of symbols.

    `limits` are [letters of a piece, whether runs of spaces are pieces, symbols, symbols wanted, width of a piece,
    least count of a merge].
    """
    new, signs = limits[2], text.letters
    while new < limits[3]:
        best = _next_pair(signs, symbols, pairs, queue, state)
        if best == _NO_PAIR or pairs.count[best] < limits[5]:
            break
        new_symbol(symbols, pairs, best, new)
        if symbols.width[new] > limits[4] or is_known(
            signs, symbols, texts, symbols.at[new], symbols.letters[new], new
        ):
            continue
        first_pair = state[2]
        store_places(pairs, state, first_pair, merge_pair(text, symbols, pairs, state, best, new, limits))
        for pair in range(first_pair, state[2]):
            if pairs.count[pair] >= state[1]:
                state[0] = push(signs, symbols, pairs, queue, state[0], pair)
        new += 1
    return new


@kernel
def uses(text: Any, known: Any) -> Any:
    """Return how often each of the first `known` symbols stands in the text as it is merged now, int64[known]."""
    found = np.zeros(known, np.int64)
    cells, counts = text.cells, text.counts
    for at in range(len(cells)):
        if cells[at, SYMBOL] > 0:
            found[cells[at, SYMBOL]] += counts[cells[at, CHUNK]]
    return found
