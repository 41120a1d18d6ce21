"""Counts of a shard that add up over shards: languages, rules, histograms. The report reads nothing bigger."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from filters.rules import Rule
from pipelines.report import bins
from pipelines.stages.judges import is_measured

Statistics = dict[str, Any]


def shard_statistics(
    documents: pa.Table, signals: pa.Table, decided: pa.Table, verdict: np.ndarray, rules: Sequence[Rule]
) -> Statistics:
    """Return {languages, rules, histograms, characters} of the records of one shard's range."""
    kept = verdict == "kept"
    return {
        "languages": _languages(documents["language"].to_pylist(), signals["view_bytes"].to_pylist(), verdict),
        "rules": rule_counts(decided["failed"].to_numpy(), rules),
        "histograms": {rule.name: histogram(rule, signals, kept) for rule in rules if is_measured(rule)},
        "kept_bytes": int(signals["view_bytes"].to_numpy()[kept].sum()),
        "kept_words": int(signals["view_word_count"].to_numpy()[kept].sum()),
    }


def _languages(languages: list[str], sizes: list[int], verdict: np.ndarray) -> dict[str, dict[str, int]]:
    out: dict[str, Counter[str]] = {}
    for language, what, size in zip(languages, verdict.tolist(), sizes, strict=True):
        counts = out.setdefault(language, Counter())
        counts[what] += 1
        counts[f"{what}_bytes"] += size
    return {language: dict(sorted(counts.items())) for language, counts in sorted(out.items())}


def rule_counts(failed: np.ndarray, rules: Sequence[Rule]) -> dict[str, dict[str, int]]:
    """Return how often each rule objects, and how often it alone does."""
    lowest = failed & (~failed + np.uint64(1))
    alone = failed == lowest
    bits = [np.uint64(1) << np.uint64(i) for i in range(len(rules))]
    return {
        rule.name: {"objects": int((failed & bit != 0).sum()), "alone": int(((failed == bit) & alone).sum())}
        for rule, bit in zip(rules, bits, strict=True)
    }


def edges_of(rule: Rule) -> tuple[float, ...]:
    """Return the bin edges of a rule's histogram; they depend on what it measures, never on its bounds."""
    return bins.edges_of(rule.numerator, rule.per)


def histogram(
    rule: Rule, signals: pa.Table | pa.RecordBatch, kept: np.ndarray, edges: Sequence[float] | None = None
) -> dict[str, list[int]]:
    """Return counts as pipelines.report.data.Histogram has them, for kept records and for the rest."""
    values, edges = rule.values(signals), edges_of(rule) if edges is None else edges
    told = ~np.isnan(values)
    return {
        "kept": bins.bin_counts(values[kept & told], edges).tolist(),
        "gone": bins.bin_counts(values[~kept & told], edges).tolist(),
    }


def merge_statistics(parts: Iterable[Mapping[str, Any]]) -> Statistics:
    """Return the sum of statistics: numbers and lists add up, mappings by key."""
    whole: Statistics = {}
    for part in parts:
        _add(whole, part)
    return whole


def _add(whole: Statistics, part: Mapping[str, Any]) -> None:
    for name, value in part.items():
        if isinstance(value, Mapping):
            _add(whole.setdefault(name, {}), value)
        elif isinstance(value, list):
            whole[name] = [a + b for a, b in zip(whole.get(name, [0] * len(value)), value, strict=True)]
        else:
            whole[name] = whole.get(name, 0) + value
