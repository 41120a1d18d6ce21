"""The gates: what a set must reach, what it reached, and how sure that is."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

from filters.instruct_audit.wilson import Interval, wilson

Verdict = Literal["pass", "fail", "not measured", "reported"]


@dataclass(frozen=True)
class Gate:
    """One line of the table. `bound` is None where a figure is reported and no gate.

    low, high: 95 % interval. of: how many were looked at; "not measured" where there was nothing to look at, which is
    no pass, and no failure of the set either.
    """

    name: str
    value: float | None
    low: float | None
    high: float | None
    of: int
    relation: Literal[">=", "<=", ""] = ""
    bound: float | None = None
    note: str = ""

    @property
    def verdict(self) -> Verdict:
        if self.value is None:
            return "not measured"
        if self.bound is None:
            return "reported"
        is_right = self.value >= self.bound if self.relation == ">=" else self.value <= self.bound
        return "pass" if is_right else "fail"

    def as_json(self) -> dict[str, Any]:
        """Return the gate as the table's JSON has it, fractions rounded to 6 digits."""
        rounded = {name: _rounded(getattr(self, name)) for name in ("value", "low", "high", "bound")}
        plain = {"name": self.name, "of": self.of, "relation": self.relation, "note": self.note}
        return {**plain, **rounded, "verdict": self.verdict}


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)


def share(name: str, right: int, of: int, least: float | None = None, note: str = "") -> Gate:
    """Return the gate of a share that should be high."""
    return _gate(name, wilson(right, of) if of else None, of, ">=", least, note)


def at_most(name: str, wrong: int, of: int, most: float | None = None, note: str = "") -> Gate:
    """Return the gate of a share that should be low."""
    return _gate(name, wilson(wrong, of) if of else None, of, "<=", most, note)


def area(name: str, found: Interval | None, of: int, most: float | None, note: str = "") -> Gate:
    """Return the gate of an AUC."""
    return _gate(name, found, of, "<=", most, note)


def _gate(
    name: str, found: Interval | None, of: int, relation: Literal[">=", "<="], bound: float | None, note: str
) -> Gate:
    value, low, high = found or (None, None, None)
    return Gate(name, value, low, high, of, relation if bound is not None else "", bound, note)


def between(name: str, found: int, of: int, least: float, most: float, note: str = "") -> list[Gate]:
    """Return two gates: a share must be neither smaller nor larger."""
    return [share(f"{name}, at least", found, of, least, note), at_most(f"{name}, at most", found, of, most, note)]


def failed(gates: Iterable[Gate]) -> list[Gate]:
    """Return the gates that were measured and not reached."""
    return [gate for gate in gates if gate.verdict == "fail"]


def as_text(gates: Iterable[Gate]) -> str:
    """Return the table for a terminal."""
    rows = [("gate", "value", "95 % interval", "of", "bound", "verdict")]
    for gate in gates:
        interval = "" if gate.low is None or gate.high is None else f"{gate.low:.4f} to {gate.high:.4f}"
        value = "" if gate.value is None else f"{gate.value:.4f}"
        bound = "" if gate.bound is None else f"{gate.relation} {gate.bound:g}"
        rows.append((gate.name, value, interval, f"{gate.of:,}", bound, gate.verdict))
    widths = [max(len(row[column]) for row in rows) for column in range(6)]
    lines = []
    for row in rows:
        cells = [cell.ljust(width) if column in (0, 5) else cell.rjust(width)
                 for column, (cell, width) in enumerate(zip(row, widths, strict=True))]  # fmt: skip
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)
