"""The pairs of neighbouring letters that byte-pair encoding begins with: kernels."""

from typing import Any

import numpy as np

from filters.native import kernel
from tokenizer.chunks import NONE
from tokenizer.merges import CHUNK, PAIR, SYMBOL, WAITING, fits
from tokenizer.scripts import INHERITED

_NO_PAIR = -1


@kernel
def _place(table: Any, pairs: Any, left: Any, right: Any) -> Any:
    key = (np.uint64(left) << np.uint64(32)) ^ np.uint64(right)
    key = (key ^ (key >> np.uint64(29))) * np.uint64(0x9E3779B97F4A7C15)
    mask = np.uint64(len(table) - 1)
    at = (key ^ (key >> np.uint64(32))) & mask
    while table[at] and (pairs.left[table[at] - 1] != left or pairs.right[table[at] - 1] != right):
        at = (at + np.uint64(1)) & mask
    return at


@kernel
def _grown(table: Any, pairs: Any, n: Any) -> Any:
    grown = np.zeros(2 * len(table), np.int32)
    for pair in range(n):
        grown[_place(grown, pairs, pairs.left[pair], pairs.right[pair])] = pair + 1
    return grown


@kernel
def _pair_up(text: Any, symbols: Any, pairs: Any, limits: Any) -> Any:
    """Give each cell its pair, count the pairs; return how many there are."""
    cells, signs, counts = text.cells, text.letters, text.counts
    table, n, scripts, spaces = np.zeros(1 << 16, np.int32), 0, symbols.script, symbols.spaces
    for at in range(1, len(cells) - 1):
        left, right = signs[at], signs[at + 1]
        cells[at, PAIR] = _NO_PAIR
        if left == NONE or right == NONE:  # noqa: PLR1714  (a kernel)
            continue
        script = INHERITED if text.is_free[cells[at, CHUNK]] else scripts[left]
        one, other = (1, script, spaces[left]), (1, scripts[right], spaces[right])
        if not fits(one, other, limits[0], limits[1]):
            continue
        place = _place(table, pairs, left, right)
        if not table[place]:
            pairs.left[n], pairs.right[n], pairs.count[n], pairs.size[n] = left, right, 0, 0
            pairs.state[n] = WAITING
            n += 1
            table[place] = n
        pair = table[place] - 1
        pairs.count[pair] += counts[cells[at, CHUNK]]
        pairs.size[pair] += 1
        cells[at, PAIR] = pair
        if 2 * n > len(table):
            table = _grown(table, pairs, n)
    return n


@kernel
def first_pairs(text: Any, symbols: Any, pairs: Any, limits: Any) -> tuple[Any, Any]:
    """Find the pairs of letters and their places in order; return how many pairs and places there are."""
    n, places = _pair_up(text, symbols, pairs, limits), 0
    cells = text.cells
    for pair in range(n):
        pairs.first[pair] = places
        places += pairs.size[pair]
        pairs.size[pair] = 0
    for at in range(1, len(cells) - 1):
        pair = cells[at, PAIR]
        if pair != _NO_PAIR:
            pairs.places[pairs.first[pair] + pairs.size[pair]] = at
            pairs.size[pair] += 1
    return n, places


@kernel
def fill_cells(letters: Any, cells: Any) -> None:
    """Lay out the letters of chunks (0 before, between and behind them), each its own symbol."""
    chunk = -1
    for at in range(len(letters)):
        if letters[at] != NONE and letters[at - 1] == NONE:
            chunk += 1
        cells[at, SYMBOL] = letters[at]
        cells[at, CHUNK], cells[at, PAIR] = chunk, _NO_PAIR
