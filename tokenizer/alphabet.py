"""Which characters become pieces: the most frequent ones, until they cover the share that is asked for."""

from typing import Any

import numpy as np

from tokenizer.settings import BOUNDARY, UNKNOWN_SYMBOL, TrainSettings

_NUL = 0
_NEVER = ("\0", "\t", "\n", BOUNDARY, UNKNOWN_SYMBOL)  # rows carry none of them


def alphabet(tally: Any, coverage: float) -> Any:
    """Return the code points of the alphabet, int64[n], most frequent first, then by code point.

    `tally` is the count of each code point, int64[0x110000]. The share is compared in float32 as SentencePiece does;
    boundaries count in the total but are no piece, NUL doesn't count at all.
    """
    points: Any = np.flatnonzero(tally)
    points = points[points != _NUL]
    points = points[np.argsort(-tally[points], kind="stable")]
    covered = np.concatenate([[0], np.cumsum(tally[points])])
    if not covered[-1]:
        return points[:0]
    enough: Any = np.flatnonzero((covered / covered[-1]).astype(np.float32) >= np.float32(coverage))
    kept = points[: enough[0]] if len(enough) else points
    return kept[kept != ord(BOUNDARY)]


def usable(points: Any, settings: TrainSettings) -> Any:
    """Return an alphabet that somebody chose without what is a piece already or never stands in a row."""
    pieces = {*_NEVER, *(piece for piece in settings.fixed_pieces if len(piece) == 1)}
    return points[~np.isin(points, [ord(piece) for piece in sorted(pieces)])]
