"""The account of every record: in = kept + dropped + merged + refused + quarantined + skipped, for each unit.

Where one record becomes several (a film its clips, a sound its segments), `expanded` says how many became how many:
in - expanded records + what they came to = kept + dropped + ...
What goes in is counted by the source while it reads. What comes out is counted from the rows that stand in files:
runs, shards, dropped, refused and quarantine files. Nothing is committed unless the two agree.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

VERDICTS = ("kept", "dropped", "merged", "refused", "quarantined", "skipped")


class LedgerError(ValueError):
    """A stage lost records or made some up; nothing was committed."""


@dataclass
class Account:
    """One unit's account. `reasons` counts records under "verdict/reason"; `lost_bytes` belong to no record.

    `expanded` records of those read became `expanded_into` others, which stand under their own verdicts.
    """

    unit: str
    key: str = ""  # Unit.key in decimal, as rows name the unit
    read: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    lost_bytes: int = 0
    expanded: int = 0
    expanded_into: int = 0

    def add(self, verdict: str, reason: str, count: int) -> None:
        if verdict not in VERDICTS:
            raise ValueError(f"{verdict!r} is not a verdict of the ledger: {', '.join(VERDICTS)}")
        if count:
            self.reasons[f"{verdict}/{reason}" if reason else verdict] += count

    def total(self, verdict: str) -> int:
        return sum(n for name, n in self.reasons.items() if name.split("/", 1)[0] == verdict)

    def check(self) -> None:
        """Raise LedgerError unless everything that was read is somewhere."""
        out = sum(self.reasons.values())
        if self.read - self.expanded + self.expanded_into != out:
            parts = ", ".join(f"{verdict} {self.total(verdict)}" for verdict in VERDICTS)
            made = f", {self.expanded} of them became {self.expanded_into}" if self.expanded else ""
            raise LedgerError(f"unit {self.unit}: {self.read} records read{made}, {out} accounted for ({parts})")

    def as_json(self) -> dict[str, Any]:
        return {
            "unit": self.unit,
            "unit_key": self.key,
            "in": self.read,
            "out": dict(sorted(self.reasons.items())),
            "lost_bytes": self.lost_bytes,
            **({"expanded": {"in": self.expanded, "out": self.expanded_into}} if self.expanded else {}),
        }


def total(accounts: Iterable[Account], name: str = "total") -> Account:
    """Return the sum of accounts."""
    whole = Account(name)
    for account in accounts:
        whole.read += account.read
        whole.reasons.update(account.reasons)
        whole.lost_bytes += account.lost_bytes
        whole.expanded += account.expanded
        whole.expanded_into += account.expanded_into
    return whole


def balance(accounts: Iterable[Account]) -> list[dict[str, Any]]:
    """Check every account and return them as JSON, ordered by unit."""
    checked = sorted(accounts, key=lambda account: account.unit)
    for account in checked:
        account.check()
    return [account.as_json() for account in checked]


def funnel(ledger: Mapping[str, Any]) -> dict[str, int]:
    """Return in and the total of each verdict from a ledger's JSON."""
    out = Counter[str]()
    for name, count in ledger["out"].items():
        out[name.split("/", 1)[0]] += count
    return {"in": ledger["in"], **{verdict: out[verdict] for verdict in VERDICTS}}


def accountable(ledger: Mapping[str, Any]) -> int:
    """Return how many records the verdicts of a ledger's JSON must add up to: what was read, with what it became."""
    expanded = ledger.get("expanded", {"in": 0, "out": 0})
    return int(ledger["in"]) - int(expanded["in"]) + int(expanded["out"])
