"""Bins of the report's histograms: fixed before the first value is seen, so that counts add up."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

FRACTIONS: tuple[float, ...] = tuple(i / 100 for i in range(101))
_STEPS = (1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8)  # of a decade, so that bounds are edges: 5, 50, 100,000
COUNTS: tuple[float, ...] = (
    *(float(i) for i in range(10)),
    *(float(round(step * 10.0**decade)) for decade in range(1, 8) for step in _STEPS),
    1e8,
)
LENGTHS: tuple[float, ...] = tuple(i / 4 for i in range(81))  # mean word lengths, to 20


def edges_of(numerator: str, per: str | None) -> tuple[float, ...]:
    """Return the edges for a rule's signal: fractions, mean lengths or plain counts."""
    if per is None:
        return FRACTIONS if numerator.endswith("_score") else COUNTS
    if numerator == "line_char_count":  # characters of a mean line of code: 100 is a bound
        return COUNTS
    return LENGTHS if "word_char" in numerator or per == "code_token_count" else FRACTIONS


def bin_counts(values: npt.NDArray[np.float64], edges: Sequence[float]) -> npt.NDArray[np.int64]:
    """Count values (>= edges[0], no NaN) into bins as data.Histogram has them, int64[len(edges)]."""
    n = len(edges) - 1
    index = np.searchsorted(np.asarray(edges), values, side="right") - 1
    index[values == edges[-1]] = n - 1
    counts: npt.NDArray[np.int64] = np.bincount(np.clip(index, 0, n), minlength=n + 1).astype(np.int64)
    return counts
