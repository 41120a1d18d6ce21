"""How well scores part positive from negative examples: area under the curve, precision and recall, by language."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

THRESHOLDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
KEPT_FRACTIONS = (0.1, 0.25, 0.5)  # DCLM keeps a tenth (Li et al. 2024, section 4.4)

Scores = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]


def evaluated(scores: Scores, positive: Sequence[bool], language: Sequence[str]) -> dict[str, Any]:
    """Return the evaluation of held-back examples, JSON-able.

    auc          all, and by language where both classes have some; null elsewhere
    at           threshold, precision, recall, kept_fraction: of what scores at least as much
    thresholds   the score that keeps a tenth, a quarter, half of the examples
    """
    truth, codes = np.array(positive, bool), np.array(language, object)
    return {
        "examples": len(scores),
        "auc": auc(scores, truth),
        "at": [at(scores, truth, threshold) for threshold in THRESHOLDS],
        "thresholds": {f"{part:g}": float(np.quantile(scores, 1 - part, method="higher")) for part in KEPT_FRACTIONS},
        "languages": {
            str(code): {
                "positive": int(truth[codes == code].sum()),
                "negative": int((~truth[codes == code]).sum()),
                "auc": auc(scores[codes == code], truth[codes == code]),
            }
            for code in sorted(set(language))
        },
    }


def auc(scores: Scores, positive: Flags) -> float | None:
    """Return the probability that a positive example scores higher than a negative one, ties counting half.

    That is the Mann-Whitney statistic (Hanley & McNeil 1982). None where a class is empty.
    """
    above, below = int(positive.sum()), int((~positive).sum())
    if not above or not below:
        return None
    distinct, rank, count = np.unique(scores, return_inverse=True, return_counts=True)
    del distinct
    middle = np.cumsum(count) - (count - 1) / 2  # the mean rank of equal scores, from 1
    return float((middle[rank][positive].sum() - above * (above + 1) / 2) / (above * below))


def at(scores: Scores, positive: Flags, threshold: float) -> dict[str, float | None]:
    """Return precision and recall of keeping what scores `threshold` or more; null for 0 / 0."""
    kept = scores >= threshold
    right = int((kept & positive).sum())
    return {
        "threshold": threshold,
        "precision": right / int(kept.sum()) if kept.any() else None,
        "recall": right / int(positive.sum()) if positive.any() else None,
        "kept_fraction": float(kept.mean()) if len(kept) else None,
    }
