"""Can a question be told to be unanswerable without its context? A naive Bayes over character n-grams tries.

Multinomial naive Bayes (Laplace smoothing) over hashed n-grams of 1 to 4 code points, in NFKC and small letters, with
the ends of the text marked. Questions are cut in two halves by group; each half is scored by the model of the other.
"""

import hashlib
import unicodedata
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from filters.instruct_audit.wilson import Interval, auc

LONGEST = 4  # code points of an n-gram
BUCKETS = 1 << 18
MIN_OF_KIND = 10  # questions of either kind in either half; fewer say nothing
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)

Features = npt.NDArray[np.int64]


def features(text: str) -> Features:
    """Return the bucket of every n-gram of a text, int64[n], in [0, BUCKETS)."""
    marked = f"\x02{unicodedata.normalize('NFKC', text).lower()}\x03"
    points = np.frombuffer(marked.encode("utf-32-le", "surrogatepass"), "<u4").astype(np.uint64)
    rolled = np.zeros(len(points), np.uint64)
    found = []
    for length in range(1, LONGEST + 1):
        if len(points) < length:
            break
        rolled = (rolled[: len(points) - length + 1] + points[length - 1 :] + np.uint64(1)) * _MULTIPLIER
        rolled ^= rolled >> np.uint64(29)
        found.append((rolled >> np.uint64(20)) % np.uint64(BUCKETS))
    return np.concatenate(found).astype(np.int64)


def held_out_auc(texts: Sequence[str], labels: Sequence[bool], groups: Sequence[str]) -> Interval | None:
    """Return how well the labels are told from the texts alone, each half judged by the other's model.

    None where a half has fewer than MIN_OF_KIND of a kind. Scores of the halves are not compared with each other:
    the value is the mean of two areas, the interval the wider one of the two around it.
    """
    halves = np.array([hashlib.blake2b(group.encode(), digest_size=1).digest()[0] & 1 for group in groups], np.int8)
    truth = np.array(labels, np.bool_)
    found = [features(text) for text in texts]
    areas = []
    for half in (0, 1):
        trained, tested = np.flatnonzero(halves != half), np.flatnonzero(halves == half)
        if any(int((truth[each] == kind).sum()) < MIN_OF_KIND for each in (trained, tested) for kind in (True, False)):
            return None
        odds = _log_odds([found[i] for i in trained], truth[trained])
        area = auc([float(odds[found[i]].mean()) for i in tested], truth[tested].tolist())
        areas.append(area if area is not None else Interval(0.5, 0.0, 1.0))
    value = sum(each.value for each in areas) / 2
    spread = max(max(each.value - each.low, each.high - each.value) for each in areas) / np.sqrt(2)
    return Interval(value, max(0.0, value - float(spread)), min(1.0, value + float(spread)))


def _log_odds(found: Sequence[Features], truth: Any) -> Any:
    """Return the log odds of each bucket, float64[BUCKETS]."""
    logs = []
    for kind in (True, False):
        chosen = [each for each, label in zip(found, truth, strict=True) if label == kind]
        counts = np.bincount(np.concatenate(chosen), minlength=BUCKETS).astype(np.float64) + 1.0
        logs.append(np.log(counts / counts.sum()))
    return logs[0] - logs[1]
