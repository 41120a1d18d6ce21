"""Near-duplicate clips: the same pictures in the same order, whatever the container, codec, size or cut.

Every kept frame of a clip stands in the band tables of `filters.images.near`; clips that share a key are
candidates, and `match` compares their frames one by one along the best shift.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from filters.images.near import band_keys

NEAR_VERSION = 1  # part of the stage key
DISTANCE = 6  # bits in which the hashes of one picture, encoded twice, may differ
MIN_MATCHED = 2  # frames: one shared picture (a title, a logo) makes no duplicate
FLAT_LEVELS = 4.0  # standard deviation of the grey levels below which a picture has no hash that tells it apart

Hashes = Sequence[int | None]  # of a clip's frames by time; None for a flat one


class Match(NamedTuple):
    """How two clips fit best: `matched` of `compared` frames are alike when b starts `shift` frames after a."""

    matched: int
    compared: int  # frames of the shorter clip that have a hash
    shift: int

    def is_duplicate(self, min_fraction: float = 0.8) -> bool:
        """Say whether so many frames of the shorter clip are in the other, at least MIN_MATCHED."""
        return self.matched >= MIN_MATCHED and self.matched >= min_fraction * self.compared


def is_flat(grey: npt.NDArray[np.uint8]) -> bool:
    """Return whether a picture, uint8[H, W], has hardly any contrast: its hash is that of all such pictures."""
    levels = np.bincount(grey.ravel(), minlength=256).astype(np.int64)
    values = np.arange(256, dtype=np.int64)
    count, total, squares = int(levels.sum()), int((levels * values).sum()), int((levels * values**2).sum())
    return count * squares - total * total < FLAT_LEVELS**2 * count * count


def clip_keys(clips: Sequence[Hashes], distance: int = DISTANCE) -> tuple[Any, Any]:
    """Return (clip: int64[n], key: uint64[n]), distinct pairs: clips with two frames within `distance` share a key."""
    owners = np.array([n for n, clip in enumerate(clips) for one in clip if one is not None], np.int64)
    hashes = np.array([one for clip in clips for one in clip if one is not None], np.uint64)
    keys = band_keys(hashes, distance)
    pairs = np.empty(keys.size, [("clip", np.int64), ("key", np.uint64)])
    pairs["clip"], pairs["key"] = np.repeat(owners, keys.shape[1]), keys.ravel()
    pairs = np.unique(pairs)
    return pairs["clip"], pairs["key"]


def match(a: Hashes, b: Hashes, distance: int = DISTANCE) -> Match:
    """Return the best fit of two clips whose frames were taken at the same rate; of equal fits the smallest shift."""
    alike = _alike(a, b, distance)
    compared = min(sum(one is not None for one in clip) for clip in (a, b))
    shifts = sorted(range(-len(b) + 1, len(a)), key=lambda shift: (abs(shift), shift))
    if not compared:
        return Match(0, 0, 0)
    found = [Match(int(np.trace(alike, -shift)), compared, shift) for shift in shifts]
    return max(found, key=lambda one: one.matched)


def _alike(a: Hashes, b: Hashes, distance: int) -> npt.NDArray[np.bool_]:
    """Return bool[len(a), len(b)]: which frames are within `distance` bits of each other."""
    left, right = (np.array([one or 0 for one in clip], np.uint64) for clip in (a, b))
    known_left, known_right = (np.array([one is not None for one in clip], np.bool_) for clip in (a, b))
    near = np.bitwise_count(left[:, None] ^ right[None, :]) <= distance
    return np.asarray(near & known_left[:, None] & known_right[None, :])
