"""Searching bytes for many literals at once: some lookups a byte say where one may stand, then its bytes are compared.

Each literal has an anchor, two bytes in a row that are rare in text. Two tables say for each byte which literals have
it as their first or second anchor byte; where both agree on a literal, and only there, it is compared. This is the
bucket filter of Teddy (Hyperscan; Wang et al. 2019, section 4.2) with one literal a bit. An automaton (Aho and Corasick
1975) needs a load for each byte that waits for the one before; these loads wait for none.
"""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from filters.native import kernel

MAX_LITERALS = 64  # bits of a mask
_COMMON = b" etaoinshrdlcumwfgypb"  # the commonest bytes of Latin text first; lead bytes are common in all others


class Literals(NamedTuple):
    """letters: uint8[n, width]; lengths, anchors: int64[n]; first, second: uint64[256], bit k for literal k.

    fold: ASCII letters of the text are taken for small ones.
    """

    letters: Any
    lengths: Any
    anchors: Any
    first: Any
    second: Any
    fold: bool


def compile_literals(literals: Sequence[str], *, fold: bool = False) -> Literals:
    """Return the tables of some literals, at most MAX_LITERALS; with `fold` they are given in small ASCII letters.

    Raises ValueError for more, and for an empty one.
    """
    if len(literals) > MAX_LITERALS or not all(literals):
        raise ValueError(f"1 to {MAX_LITERALS} literals, none of them empty, fit a mask; got {len(literals)}")
    encoded = [literal.encode() for literal in literals]
    letters = np.zeros((len(encoded), max(map(len, encoded), default=0)), np.uint8)
    lengths, anchors = (np.zeros(len(encoded), np.int64) for _ in range(2))
    first, second = (np.zeros(256, np.uint64) for _ in range(2))
    for k, literal in enumerate(encoded):
        letters[k, : len(literal)] = np.frombuffer(literal, np.uint8)
        lengths[k], anchors[k] = len(literal), _anchor(literal)
        pair = literal[anchors[k] : anchors[k] + 2]
        first[_cases(pair[:1], fold)] |= np.uint64(1 << k)
        second[_cases(pair[1:], fold) if pair[1:] else slice(None)] |= np.uint64(1 << k)
    return Literals(letters, lengths, anchors, first, second, fold)


def _cases(byte: bytes, fold: bool) -> list[int]:
    return sorted({*byte, *(byte.upper() if fold else byte)})


def _rarity(byte: int) -> int:
    """Return about how rare a byte is in texts, 0 the commonest."""
    if byte >= 0xC0:
        return 0
    return 9 if byte >= 0x80 else _COMMON.index(byte) if byte in _COMMON else len(_COMMON)


def _anchor(literal: bytes) -> int:
    """Return where the rarest two bytes of a literal stand, the first of equals; 0 for one byte alone."""
    rare = [_rarity(a) + _rarity(b) for a, b in pairwise(literal)]
    return rare.index(max(rare)) if rare else 0


@kernel
def stands_at(body: Any, batch: Any, anchor: int, literal: Any, given: Literals) -> bool:
    """Say whether a literal stands in body[batch[0]:batch[1]] with its anchor at `anchor`."""
    at = anchor - given.anchors[literal]
    if at < batch[0] or at + given.lengths[literal] > batch[1]:
        return False
    for i in range(given.lengths[literal]):
        byte = body[at + i]
        if given.fold and ord("A") <= byte <= ord("Z"):
            byte |= 0x20
        if byte != given.letters[literal, i]:
            return False
    return True


@kernel
def next_candidate(body: Any, at: int, end: int, wanted: Any, given: Literals) -> tuple[Any, Any]:
    """Return (where, which): the next place in body[at:end] where literals of the mask `wanted` may have their anchor.

    (end, 0) where there is none. The second byte is not asked of the last byte of the stretch.
    """
    i, last = np.uint64(at), np.uint64(end - 1)  # an index that can't be negative is a third faster here
    if at >= end:
        return end, np.uint64(0)
    while i < last:
        found = given.first[body[i]] & given.second[body[i + np.uint64(1)]] & wanted
        if found:
            return np.int64(i), found
        i += np.uint64(1)
    found = given.first[body[i]] & wanted
    return (np.int64(i), found) if found else (end, np.uint64(0))
