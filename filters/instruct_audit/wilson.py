"""What a count says of a share: Wilson's interval (Wilson 1927; Brown, Cai and DasGupta 2001), and of an AUC."""

from collections.abc import Sequence
from math import sqrt
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Z = 1.959964  # 95 %


class Interval(NamedTuple):
    """A value with its 95 % interval; all in [0, 1]."""

    value: float
    low: float
    high: float


def wilson(successes: int, trials: int) -> Interval:
    """Return the share of successes with Wilson's 95 % interval; (0, 0, 1) of nothing."""
    if not trials:
        return Interval(0.0, 0.0, 1.0)
    share, square = successes / trials, Z * Z
    centre = (share + square / (2 * trials)) / (1 + square / trials)
    half = Z * sqrt(share * (1 - share) / trials + square / (4 * trials * trials)) / (1 + square / trials)
    return Interval(share, max(0.0, min(share, centre - half)), min(1.0, max(share, centre + half)))


def auc(scores: Sequence[float], labels: Sequence[bool]) -> Interval | None:
    """Return the chance that a true one scores above a false one (ties count half), None where one kind is absent.

    The interval is that of Hanley and McNeil (1982).
    """
    truth = np.asarray(labels, np.bool_)
    positives, negatives = int(truth.sum()), int((~truth).sum())
    if not positives or not negatives:
        return None
    ranks = _ranks(np.asarray(scores, np.float64))
    area = (float(ranks[truth].sum()) - positives * (positives + 1) / 2) / (positives * negatives)
    q1, q2 = area / (2 - area), 2 * area * area / (1 + area)
    spread = area * (1 - area) + (positives - 1) * (q1 - area**2) + (negatives - 1) * (q2 - area**2)
    half = Z * sqrt(max(spread, 0.0) / (positives * negatives))
    return Interval(area, max(0.0, area - half), min(1.0, area + half))


def _ranks(scores: npt.NDArray[np.float64]) -> Any:
    """Return ranks from 1, the mean rank for equal scores."""
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    return (last - (counts - 1) / 2)[inverse]
