"""The order of a mixture without a list of it: a keyed permutation that is computed at any place.

A Feistel network over the smallest power of four that holds the numbers, walked until the result is one of them
(Black & Rogaway 2002, "Ciphers with arbitrary finite domains"): one to one, with no memory, from any place.
"""

import hashlib
from typing import Any

import numpy as np

ROUNDS = 6
ORDER_VERSION = 1
_A, _B = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)


def key_of(*names: object) -> tuple[int, ...]:
    """Return the keys of the rounds, uint64 each: they follow from the names alone."""
    digest = hashlib.sha256("/".join(map(str, ("mixture", ORDER_VERSION, *names))).encode()).digest()
    more = hashlib.sha256(digest).digest()
    return tuple(int.from_bytes((digest + more)[8 * n : 8 * n + 8], "big") for n in range(ROUNDS))


def permuted(places: Any, size: int, keys: tuple[int, ...]) -> Any:
    """Return the number in [0, size) that stands at each place (int64[n], in [0, size)); each stands once."""
    half = np.uint64(max(1, ((max(size, 2) - 1).bit_length() + 1) // 2))
    found: Any = np.asarray(places, np.uint64)
    found = _enciphered(found, half, keys)
    while (outside := found >= np.uint64(size)).any():
        found[outside] = _enciphered(found[outside], half, keys)
    return found.astype(np.int64)


def _enciphered(values: Any, half: Any, keys: tuple[int, ...]) -> Any:
    mask = (np.uint64(1) << half) - np.uint64(1)
    left, right = values >> half, values & mask
    for key in keys:
        left, right = right, left ^ (_mixed(right ^ np.uint64(key)) & mask)
    return (left << half) | right


def _mixed(values: Any) -> Any:
    """Scatter the bits (SplitMix64's finaliser)."""
    values = (values ^ (values >> np.uint64(30))) * _A
    values = (values ^ (values >> np.uint64(27))) * _B
    return values ^ (values >> np.uint64(31))
