"""A threshold sample of chunks, which are what the trainer holds: a bound on these bounds its memory.

A word of Chinese or Korean is often a phrase that stands once; cut into chunks first, it shares what it has in common
with others, and less of it is lost.
"""

from typing import Any, NamedTuple

import numpy as np

from filters.native import kernel, mix64
from tokenizer.chunks import NONE, Chunks
from tokenizer.mix import threshold

_SALT = 0x6368756E6B73
_LIGHTEST = 16  # what the lightest chunk counts: rounding stays below 3 %
_MOST = float(1 << 60)  # of all counts together


class Sampling(NamedTuple):
    """What sampling did to chunks. Masses are letters x count."""

    chunks: int
    kept: int
    tau: float  # 0 where every chunk is kept
    mass: float
    kept_mass: float


@kernel
def _coins(signs: Any, points: Any, chunks: Any, salt: Any) -> Any:
    """Return a uniform number in [0, 1) for each chunk, of its code points alone."""
    coins, chunk, key = np.empty(chunks, np.float64), -1, np.uint64(0)
    for at in range(1, len(signs)):
        if signs[at] == NONE:
            coins[chunk] = np.float64(mix64(key) >> np.uint64(11)) * 2.0**-53
        else:
            if signs[at - 1] == NONE:
                chunk, key = chunk + 1, np.uint64(salt)
            key = mix64(key ^ np.uint64(points[signs[at]]))
    return coins


def sample(chunks: Chunks, points: Any, most: int, always: Any) -> tuple[Chunks, Sampling]:
    """Return about `most` chunks, those of `always` (bool[chunks]) among them, and what was done.

    `points` are code points by letter. Equal chunks, in any order, give equal samples.
    """
    weights, ends = chunks.counts.astype(np.float64), np.flatnonzero(chunks.letters == NONE)
    sizes = np.diff(ends) - 1
    mass = float(np.dot(chunks.counts, sizes))
    tau = threshold(np.sort(weights[~always]), most)
    if not tau:
        return chunks, Sampling(len(weights), len(weights), 0.0, mass, mass)
    stays = always | (weights > _coins(chunks.letters, points, len(weights), _SALT) * tau)
    raised = np.where(always, weights, np.maximum(weights, tau))[stays]
    kept_mass = float(np.sort(raised * sizes[stays]).sum())  # one order, whatever that of the chunks
    scale = min(_LIGHTEST / tau, _MOST / max(kept_mass, 1.0))
    counts = np.where(always[stays], raised, np.maximum(np.rint(raised * scale), 1)).astype(np.int64)
    letters = np.concatenate([[NONE], chunks.letters[1:][np.repeat(stays, sizes + 1)]]).astype(np.int32)
    done = Sampling(len(weights), len(counts), tau, mass, kept_mass)
    return Chunks(letters, counts, chunks.part[stays]), done
