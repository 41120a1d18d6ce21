"""The rules of a recipe, in the order in which they object: language first, then the rule sets as they are named."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from filters.rule_sets import RULE_SETS
from filters.rules import Rule, Verdicts, reasons, with_thresholds

LANGUAGE = "language_v1/"


def chosen(
    names: Sequence[str],
    thresholds: Mapping[str, Mapping[str, float | None]],
    languages: str | Sequence[str],
    min_language_score: float,
) -> tuple[Rule, ...]:
    """Return the rules of these sets with their thresholds, after those that the languages ask for."""
    first = []
    if languages != "all":
        wanted = dict.fromkeys(languages, (None, None))
        first.append(Rule(f"{LANGUAGE}unwanted", "language_score", max=-1.0, overrides=wanted))
    if min_language_score > 0:
        first.append(Rule(f"{LANGUAGE}score", "language_score", min=min_language_score))
    sets = [rule for name in names for rule in RULE_SETS[name]]
    return (*first, *with_thresholds(sets, thresholds))


def to_json(rules: Sequence[Rule]) -> list[dict[str, Any]]:
    return [rule.as_json() for rule in rules]


def from_json(body: Sequence[Mapping[str, Any]]) -> tuple[Rule, ...]:
    return tuple(
        Rule(
            **{
                **rule,
                "languages": None if rule["languages"] is None else frozenset(rule["languages"]),
                "overrides": {code: (low, high) for code, (low, high) in rule["overrides"].items()},
            }
        )
        for rule in body
    )


def first_reasons(rules: Sequence[Rule], verdicts: Verdicts, signals: pa.RecordBatch) -> np.ndarray:
    """Return the reason of the first rule that objects to each row, object[n], None where none does."""
    said: np.ndarray = reasons(rules, verdicts, signals, signals.column("language")).to_numpy(zero_copy_only=False)
    for index, rule in enumerate(rules):
        if rule.name == f"{LANGUAGE}unwanted":  # its bound is no measure of anything
            said[verdicts.first == index] = rule.name
    return said


def is_measured(rule: Rule) -> bool:
    """Return whether a histogram of the rule's values says something; a yes or no has none."""
    return rule.name != f"{LANGUAGE}unwanted" and not rule.name.startswith("license/")


def one_batch(table: pa.Table) -> pa.RecordBatch:
    """Return a table as one batch."""
    return table.combine_chunks().to_batches()[0] if table.num_rows else pa.RecordBatch.from_pylist([], table.schema)


def repeated(ids: np.ndarray, alive: np.ndarray) -> np.ndarray:
    """Return which rows that are alive follow an alive row of the same id, bool[n]; ids uint64[n, 2], ascending."""
    if not len(ids):
        return np.zeros(0, bool)
    starts = np.concatenate([[True], (ids[1:] != ids[:-1]).any(axis=1)])
    seen = np.cumsum(alive) - alive  # alive rows before this one
    before_group = seen[np.maximum.accumulate(np.where(starts, np.arange(len(ids)), 0))]
    return np.asarray(alive & (seen > before_group))
