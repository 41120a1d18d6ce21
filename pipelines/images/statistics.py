"""Counts of a shard of images that add up over shards; the report reads nothing bigger."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from filters.rules import Rule
from pipelines.images.rules import Judged
from pipelines.report.bins import COUNTS, FRACTIONS
from pipelines.stages.statistics import histogram, rule_counts

# What the report shows of every image, whether or not a rule reads it.
MEASURED = (
    Rule("signals/short_side_px", "short_side_px"),
    Rule("signals/aspect_ratio", "long_side_px", "short_side_px"),
    Rule("signals/payload_bytes", "payload_bytes"),
    Rule("signals/sharpness", "sharpness"),
    Rule("signals/occurrence_count", "occurrence_count"),
    Rule("signals/caption_word_count", "caption_word_count"),
)
OF_MODELS = ("nsfw_score", "face_count")
RATIOS = tuple(1 + i / 10 for i in range(91))  # of sides, 1 to 10
SCORES = tuple(i / 10 for i in range(101))  # of models whose scale nobody knows


def edges_of(rule: Rule) -> tuple[float, ...]:
    """Return the bin edges of what a rule reads."""
    if rule.per is not None:
        return RATIOS
    if rule.numerator == "nsfw_score" or rule.numerator.endswith("_similarity"):
        return FRACTIONS
    return SCORES if rule.numerator.endswith("_score") else COUNTS


def measured(rules: Sequence[Rule], columns: Sequence[str]) -> dict[str, Rule]:
    """Return {signal: rule that reads it}: what the report shows a histogram of."""
    shown = [*MEASURED, *(Rule(f"signals/{name}", name) for name in OF_MODELS if name in columns)]
    numbers = [rule for rule in rules if not rule.numerator.startswith("is_known_")]
    found: dict[str, Rule] = {}
    for rule in (*shown, *numbers):
        found.setdefault(rule.numerator if rule.per is None else f"{rule.numerator} / {rule.per}", rule)
    return found


def shard_statistics(judged: Judged, verdict: np.ndarray, captions: pa.ListArray) -> dict[str, Any]:
    """Return {formats, rules, histograms, ...} of the images of one shard's range."""
    kept = verdict == "kept"
    images, mask = judged.rows, pa.array(kept)
    stays, texts = images.filter(mask), captions.filter(mask)
    shown = measured(judged.rules, judged.signals.schema.names)
    return {
        "formats": dict(sorted(Counter(stays["format"].to_pylist()).items())),
        "kept_pixels": int(pc.sum(stays["pixel_count"]).as_py() or 0),
        "kept_bytes": int(pc.sum(stays["stored_bytes"]).as_py() or 0),
        "captioned": int(pc.sum(pc.greater(pc.list_value_length(texts), 0)).as_py() or 0),
        "captions": int(pc.sum(pc.list_value_length(texts)).as_py() or 0),
        "rules": rule_counts(judged.verdicts.failed, judged.rules),
        "histograms": {
            name: histogram(rule, judged.signals, kept, edges_of(rule)) for name, rule in sorted(shown.items())
        },
    }
