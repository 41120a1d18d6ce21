"""What every section counts: funnels, rules, histograms; of records, unless the name says otherwise."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from manifests.reasons import Skipped

Counts = Mapping[str, int]
MEASURES = ("_score", "_s", "_db", "_lufs", "_hz", "_similarity", "sharpness")  # ends of names of what is no count


@dataclass(frozen=True)
class Funnel:
    """Every record of an input, in exactly one place.

    total = skipped + quarantined + refused + dropped + merged + kept, the equation that a commit checks; `total` are
    those that were read, with what they became where a file is cut into pieces.
    """

    read: int
    kept: int
    skipped: Counts = field(default_factory=dict)  # manifests.reasons.Skipped -> records
    quarantined: Counts = field(default_factory=dict)  # Quarantine -> records
    refused: Counts = field(default_factory=dict)  # Refused -> records
    dropped: Counts = field(default_factory=dict)  # the first rule that objects -> documents
    merged: Counts = field(default_factory=dict)  # Merged -> documents
    lost_bytes: int = 0  # input bytes between records that no reader could use
    expanded: int = 0  # records that were cut into pieces ...
    expanded_into: int = 0  # ... and the pieces, which stand in their place

    @property
    def total(self) -> int:
        """Records and pieces that the verdicts add up to."""
        return self.read - self.expanded + self.expanded_into

    @property
    def unaccounted(self) -> int:
        """Records that stand nowhere (positive) or in two places (negative); 0 in every committed run."""
        return self.total - self.kept - sum(sum(counts.values()) for _, counts in self.losses)

    @property
    def beside(self) -> int:
        """WARC records of other types, the requests and metadata of a crawl above all."""
        return self.skipped.get(Skipped.WARC_RECORD_TYPE, 0)

    @property
    def of_pages(self) -> "Funnel":
        """The same without what stands beside the pages in WARC."""
        others = {reason: count for reason, count in self.skipped.items() if reason != Skipped.WARC_RECORD_TYPE}
        return replace(self, read=self.read - self.beside, skipped=others)

    @property
    def judged(self) -> int:
        """Documents that rules looked at."""
        return self.kept + sum(self.dropped.values()) + sum(self.merged.values())

    @property
    def losses(self) -> tuple[tuple[str, Counts], ...]:
        """The ways out, in the order in which a record meets them."""
        return (
            ("skipped", self.skipped),
            ("quarantined", self.quarantined),
            ("refused", self.refused),
            ("dropped", self.dropped),
            ("merged", self.merged),
        )


@dataclass(frozen=True)
class RuleCount:
    """What one rule does, counted from the bitmask of all failing rules of every document."""

    name: str
    failed: int  # documents that fail it: what it would drop if it stood alone
    first: int  # documents of which it names the reason, as the first in order that objects
    only: int  # documents that fail no other rule: what would come back without it
    bounds: str = ""  # what is kept, "<= 0.3"


@dataclass(frozen=True)
class Threshold:
    """The bounds of a rule on a signal, inclusive: what lies outside is dropped."""

    rule: str
    min: float | None = None
    max: float | None = None


@dataclass(frozen=True)
class Histogram:
    """How a signal is spread over documents: those that stay, and those that rules drop.

    n + 1 `edges`, ascending; bin i holds edges[i] <= value < edges[i + 1], the last bin its right edge too.
    `kept` and `dropped` have n + 1 counts each, the last of them of values beyond the last edge.
    """

    signal: str  # "duplicate_line_count / line_count"
    edges: tuple[float, ...]
    kept: tuple[int, ...]
    dropped: tuple[int, ...]
    thresholds: tuple[Threshold, ...] = ()

    @property
    def is_ratio(self) -> bool:
        """Whether the values are ratios or measures, not whole counts."""
        return "/" in self.signal or self.signal.endswith(MEASURES) or self.signal.startswith("dnsmos_")

    def __post_init__(self) -> None:
        if not len(self.edges) == len(self.kept) == len(self.dropped) >= 2:
            raise ValueError(
                f"{self.signal}: {len(self.edges)} edges need as many counts, got {len(self.kept)} kept "
                f"and {len(self.dropped)} dropped"
            )
