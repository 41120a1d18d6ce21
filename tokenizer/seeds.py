"""Seeds of a unigram vocabulary: every substring of a chunk that could be a piece, with its exact count.

A seed has 2 to 16 letters and is right-maximal: two different letters follow it somewhere, or chunks that count twice
or more end with it. SentencePiece's own search ignores the counts of rows (it repeats rows instead) and loses what ends
within a character's bytes; this one does neither.
"""

from typing import Any

import numpy as np

from filters.native import kernel
from tokenizer.chunks import NONE, SPACE, Chunks, Letters
from tokenizer.scripts import INHERITED

MAX_LETTERS = 16


def seeds(chunks: Chunks, letters: Letters, most: int, space_runs: bool) -> list[tuple[str, int]]:
    """Return at most `most` seeds with count x letters, best first, then by text."""
    order = _sorted_suffixes(chunks.letters)
    weights = _weights(chunks.letters, chunks.counts)
    found = _intervals(chunks.letters, order, weights, letters.script[0], space_runs)
    at, sizes, counts = (found[:, column] for column in range(3))
    scores = counts * sizes
    best = np.argsort(-scores, kind="stable")[: 2 * most]
    points = letters.points
    spelt = [
        (-int(scores[i]), "".join(map(chr, points[chunks.letters[at[i] : at[i] + sizes[i]]].tolist())))
        for i in best.tolist()
    ]
    return [(text, -score) for score, text in sorted(spelt)[:most]]


def _sorted_suffixes(signs: Any) -> Any:
    """Return the places of all letters, int64[n], in the order of the MAX_LETTERS letters that begin there."""
    places: Any = np.flatnonzero(signs != NONE)
    rank, width = signs.astype(np.int64), 1
    while width < MAX_LETTERS:
        behind = np.zeros_like(rank)
        behind[:-width] = rank[width:]
        _, rank = np.unique(rank << 32 | behind, return_inverse=True)
        width *= 2
    return places[np.argsort(rank[places], kind="stable")]


@kernel
def _weights(signs: Any, counts: Any) -> Any:
    """Return the count of the chunk that each letter stands in, int64[n]."""
    weights, chunk = np.zeros(len(signs), np.int64), -1
    for at in range(1, len(signs)):
        if signs[at] != NONE:
            chunk += signs[at - 1] == NONE
            weights[at] = counts[chunk]
    return weights


@kernel
def _common(signs: Any, a: Any, b: Any) -> Any:
    """Return how many letters, at most MAX_LETTERS, two places have in common before a chunk ends."""
    k = 0
    while k < MAX_LETTERS and signs[a + k] != NONE and signs[a + k] == signs[b + k]:
        k += 1
    return k


@kernel
def _is_piece(signs: Any, at: Any, size: Any, script: Any, space_runs: Any) -> Any:
    """Say whether the letters make a piece: one script, U+2581 in front only, or nothing else."""
    current, spaces = INHERITED, 0
    for k in range(size):
        own = script[signs[at + k]]
        if own == SPACE:
            if spaces < k:
                return False
            spaces += 1
        elif own != INHERITED:
            if current != INHERITED and current != own:  # noqa: PLR1714  (a kernel)
                return False
            current = own
    return spaces < 2 or (spaces == size and space_runs)


@kernel
def _intervals(signs: Any, order: Any, weights: Any, script: Any, space_runs: Any) -> Any:
    """Return place, letters and count of every seed, int64[n, 3]: the nodes of the tree of all suffixes."""
    found, n = np.empty((2 * len(order) + 1, 3), np.int64), 0
    depths, sums = np.zeros(MAX_LETTERS + 2, np.int64), np.zeros(MAX_LETTERS + 2, np.int64)
    top = 0  # of the stack of open nodes; the root has no letter
    before = 0
    for i in range(len(order)):
        at, weight = order[i], weights[order[i]]
        behind = _common(signs, at, order[i + 1]) if i + 1 < len(order) else 0
        rest = 0
        while rest < MAX_LETTERS + 1 and signs[at + rest] != NONE:
            rest += 1
        is_alone = max(before, behind) < rest <= MAX_LETTERS and rest >= 2 and weight >= 2
        if is_alone and _is_piece(signs, at, rest, script, space_runs):
            found[n, 0], found[n, 1], found[n, 2] = at, rest, weight
            n += 1
        if behind > depths[top]:
            top += 1
            depths[top], sums[top] = behind, 0
        sums[top] += weight
        while depths[top] > behind:
            size, total = depths[top], sums[top]
            if size >= 2 and total >= 2 and _is_piece(signs, at, size, script, space_runs):
                found[n, 0], found[n, 1], found[n, 2] = at, size, total
                n += 1
            top -= 1
            if depths[top] < behind:
                top += 1
                depths[top], sums[top] = behind, 0
            sums[top] += total
        before = behind
    return found[:n]
