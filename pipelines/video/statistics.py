"""Counts of a shard of clips that add up over shards; the report reads nothing bigger."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from filters.rules import Rule
from pipelines.audio.statistics import SECONDS
from pipelines.report.bins import COUNTS, FRACTIONS
from pipelines.stages.published import Decided
from pipelines.stages.statistics import histogram, rule_counts

# What the report shows of every clip, whether or not a rule reads it.
MEASURED = (
    Rule("signals/duration_s", "duration_s"),
    Rule("signals/black_frame_fraction", "black_frame_count", "frame_count"),
    Rule("signals/still_frame_fraction", "still_frame_count", "frame_count"),
    Rule("signals/longest_still_s", "longest_still_s"),
    Rule("signals/luma", "luma_sum_levels", "sample_count"),
    Rule("signals/motion", "flow_sum_milli", "flow_block_count"),
    Rule("signals/speech_fraction", "speech_s", "duration_s"),
    Rule("signals/max_nsfw_score", "max_nsfw_score"),
)
LEVELS = tuple(float(i) for i in range(0, 256, 5))  # mean brightness, 0 to 255
MOTION = (*(i / 2 for i in range(41)), *range(25, 105, 5), *range(125, 1025, 25))  # thousandths of the longer side
_OF_RATIOS = {"luma_sum_levels": LEVELS, "flow_sum_milli": tuple(float(edge) for edge in MOTION)}


def edges_of(rule: Rule) -> tuple[float, ...]:
    """Return the bin edges of what a rule reads."""
    if rule.per is not None:
        return _OF_RATIOS.get(rule.numerator, FRACTIONS)
    if rule.numerator.endswith("_s"):
        return SECONDS
    return FRACTIONS if rule.numerator.endswith("_score") else COUNTS


def measured(rules: Sequence[Rule]) -> dict[str, Rule]:
    """Return {signal: rule that reads it}: what the report shows a histogram of."""
    found: dict[str, Rule] = {}
    for rule in (*MEASURED, *rules):
        found.setdefault(rule.numerator if rule.per is None else f"{rule.numerator} / {rule.per}", rule)
    return found


def shard_statistics(decided: Decided, told: pa.Table) -> dict[str, Any]:
    """Return {rules, histograms, ...} of the clips of one shard's range; `told` are all their rows."""
    judged, kept = decided.judged, decided.is_kept
    return {
        **_of_kept(told.filter(pa.array(kept))),
        "rules": rule_counts(judged.verdicts.failed, judged.rules),
        "histograms": {
            name: histogram(rule, judged.signals, kept, edges_of(rule))
            for name, rule in sorted(measured(judged.rules).items())
            if {rule.numerator, rule.per} - {None} <= set(judged.signals.schema.names)
        },
    }


def _of_kept(kept: pa.Table) -> dict[str, Any]:
    """Return what is counted of clips that stay: milliseconds, codecs, languages, parts."""
    kinds = Counter(kind for kinds in kept["parts"].to_pylist() for kind in (part["kind"] for part in kinds))
    return {
        "kept_ms": _milliseconds(kept["duration_s"]),
        "speech_ms": _milliseconds(kept["speech_s"]),
        "captioned": len(kept) - kept["caption"].null_count,
        "transcribed": len(kept) - kept["transcript"].null_count,
        "codecs": dict(sorted(Counter(kept["codec"].to_pylist()).items())),
        "languages": dict(sorted(Counter(kept["transcript_language"].to_pylist()).items())),
        "parts": dict(sorted(kinds.items())),
    }


def _milliseconds(seconds: pa.ChunkedArray) -> int:
    return int(pc.sum(pc.cast(pc.round(pc.multiply(seconds, 1000.0)), pa.int64())).as_py() or 0)
