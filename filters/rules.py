"""Rules: thresholds as data. A rule reads signals, never text, and says which rows it drops and why."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Bounds = tuple[float | None, float | None]
KEPT = -1
MAX_RULES = 64  # bits of a mask


@dataclass(frozen=True)
class Rule:
    """Keep rows whose number, or ratio of two numbers, lies between bounds.

    name         "rule_set/what_is_bounded"
    numerator    a column of the signals
    per          the column that it is divided by, in float64, 0/0 being 0; None: the number itself
    min, max     inclusive bounds of what is kept; None: no bound
    languages    the rule is for these only; None: for all
    overrides    language -> (min, max) that replace both bounds there
    """

    name: str
    numerator: str
    per: str | None = None
    min: float | None = None
    max: float | None = None
    languages: frozenset[str] | None = None
    overrides: Mapping[str, Bounds] = field(default_factory=dict)

    def bounds(self, language: str) -> Bounds:
        """Return (min, max) that hold for texts in `language`."""
        if self.languages is not None and language not in self.languages:
            return None, None
        return self.overrides.get(language, (self.min, self.max))

    def values(self, signals: pa.RecordBatch) -> npt.NDArray[np.float64]:
        """Return what is bounded, float64, shape (signals.num_rows,); null is NaN."""
        above = _column(signals, self.numerator, self.name)
        if self.per is None:
            return above
        below = _column(signals, self.per, self.name)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where((above == 0) & (below == 0), 0.0, above / below)

    def fails(self, signals: pa.RecordBatch, language: pa.StringArray) -> npt.NDArray[np.bool_]:
        """Return which rows this rule drops, shape (signals.num_rows,); NaN drops where the rule has a bound."""
        drops: npt.NDArray[np.bool_] = self._sides(signals, language) != _INSIDE
        return drops

    def reasons(self, signals: pa.RecordBatch, language: pa.StringArray) -> pa.StringArray:
        """Return "name<min" or "name>max" for rows that this rule drops, null for others; "name is NaN" for NaN."""
        codes, index = _coded(language)
        kinds, rows = np.unique(index * _SIDES + self._sides(signals, language), return_inverse=True)
        said = [self._say(kind % _SIDES, codes[kind // _SIDES]) for kind in kinds.tolist()]
        return pa.array(said, pa.string()).take(pa.array(rows))

    def _sides(self, signals: pa.RecordBatch, language: pa.StringArray) -> npt.NDArray[np.int8]:
        values = self.values(signals)
        low, high = _bounds_by_row(self, language)
        sides = np.full(len(values), _INSIDE, np.int8)
        sides[values < low] = _BELOW
        sides[values > high] = _ABOVE
        sides[np.isnan(values) & ((low > -np.inf) | (high < np.inf))] = _NOT_A_NUMBER
        return sides

    def _say(self, side: int, language: str) -> str | None:
        low, high = self.bounds(language)
        if side == _INSIDE:
            return None
        if side == _NOT_A_NUMBER:
            return f"{self.name} is NaN"
        return f"{self.name}<{low:.15g}" if side == _BELOW else f"{self.name}>{high:.15g}"

    def as_json(self) -> dict[str, Any]:
        """Return the rule as what JSON can hold, always the same for equal rules."""
        own = asdict(self)
        own["languages"] = None if self.languages is None else sorted(self.languages)
        own["overrides"] = {code: list(bounds) for code, bounds in sorted(self.overrides.items())}
        return own


_INSIDE, _BELOW, _ABOVE, _NOT_A_NUMBER = range(4)
_SIDES = 4


@dataclass(frozen=True)
class Verdicts:
    """first: int16[n], the first rule that drops a row, KEPT for none; failed: uint64[n], bit k for each rule k."""

    first: npt.NDArray[np.int16]
    failed: npt.NDArray[np.uint64]


def judge(rules: Sequence[Rule], signals: pa.RecordBatch, language: pa.StringArray) -> Verdicts:
    """Return which rules drop each row; rule order is part of the result. A missing signal raises KeyError."""
    if len(rules) > MAX_RULES:
        raise ValueError(f"at most {MAX_RULES} rules fit a mask, got {len(rules)}")
    first = np.full(signals.num_rows, KEPT, np.int16)
    failed = np.zeros(signals.num_rows, np.uint64)
    for k, rule in enumerate(rules):
        drops = rule.fails(signals, language)
        first[drops & (first == KEPT)] = k
        failed |= drops.astype(np.uint64) << np.uint64(k)
    return Verdicts(first, failed)


def reasons(
    rules: Sequence[Rule], verdicts: Verdicts, signals: pa.RecordBatch, language: pa.StringArray
) -> pa.StringArray:
    """Return the reason of the first rule that drops each row, null for kept rows.

    For example "gopher_v1/top_2_gram_char_fraction>0.2"; the bound is the one that holds for the row's language.
    """
    said = pa.nulls(signals.num_rows, pa.string())
    for k in np.unique(verdicts.first[verdicts.first != KEPT]).tolist():
        said = pc.if_else(pa.array(verdicts.first == k), rules[k].reasons(signals, language), said)
    return said


def with_thresholds(rules: Sequence[Rule], thresholds: Mapping[str, Mapping[str, float | None]]) -> tuple[Rule, ...]:
    """Return the rules with other bounds: {"gopher_v1/duplicate_line_fraction": {"max": 0.25}}.

    A bound that is given holds for every language: overrides keep only the side that is not given. None takes a
    bound away. Raises ValueError for a name that no rule has, and for a bound that is neither `min` nor `max`.
    """
    unknown = [name for name in thresholds if name not in {rule.name for rule in rules}]
    if unknown:
        raise ValueError(f"no rule is called {unknown[0]!r}{_nearest(unknown[0], [rule.name for rule in rules])}")
    return tuple(_rebound(rule, thresholds[rule.name]) if rule.name in thresholds else rule for rule in rules)


def _rebound(rule: Rule, given: Mapping[str, float | None]) -> Rule:
    strange = sorted(set(given) - {"min", "max"})
    if strange:
        raise ValueError(f"{rule.name}: a bound is min or max, not {strange[0]!r}")
    overrides = {code: (given.get("min", low), given.get("max", high)) for code, (low, high) in rule.overrides.items()}
    return replace(rule, min=given.get("min", rule.min), max=given.get("max", rule.max), overrides=overrides)


def _nearest(name: str, known: Sequence[str]) -> str:
    found = difflib.get_close_matches(name, known, n=1, cutoff=0.0)
    return f"; the nearest is {found[0]!r}" if found else ""


def _column(signals: pa.RecordBatch, name: str, rule: str) -> npt.NDArray[np.float64]:
    if name not in signals.schema.names:
        raise KeyError(f"{rule} needs the signal {name!r}{_nearest(name, signals.schema.names)}")
    values: npt.NDArray[np.float64] = (
        signals.column(name).cast(pa.float64()).to_numpy(zero_copy_only=False).astype(np.float64)
    )
    return values


def _bounds_by_row(rule: Rule, language: pa.StringArray) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Return min and max of each row, infinite where there is none; one look-up for each language of the batch."""
    codes, index = _coded(language)
    bounds = [rule.bounds(code) for code in codes]
    low = np.array([-np.inf if low is None else low for low, _ in bounds])
    high = np.array([np.inf if high is None else high for _, high in bounds])
    return low[index], high[index]


def _coded(language: pa.StringArray) -> tuple[list[str], npt.NDArray[np.int32]]:
    """Return the distinct languages, "" for null at the end, and the index of each row's."""
    coded = language.dictionary_encode()
    codes = [*coded.dictionary.to_pylist(), ""]
    return codes, coded.indices.fill_null(len(codes) - 1).to_numpy(zero_copy_only=False)
