"""What a crawl's manifest says of it, for the report: counts and a few samples, however many pages there are."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from manifests.ledger import funnel

Counts = Mapping[str, int]


@dataclass(frozen=True)
class CrawlHost:
    """One host and how many of its URLs are in each state; `bytes` as sent, of what was kept."""

    authority: str  # scheme://host[:port]
    kept: int = 0
    refused: int = 0
    failed: int = 0
    redirected: int = 0
    pending: int = 0
    bytes: int = 0
    robots: str | None = None  # parsed | allow_all | disallow_all, None where it is not known

    @property
    def urls(self) -> int:
        """All URLs of the host that are known."""
        return self.kept + self.refused + self.failed + self.redirected + self.pending


@dataclass(frozen=True)
class RefusalSample:
    """A page whose owner says no; `said` is what they wrote, a line each."""

    url: str
    reason: str
    said: str = ""


@dataclass(frozen=True)
class CrawlData:
    """A crawl as its newest snapshot states it, over all rounds; counts are of URLs unless the name says otherwise."""

    rounds: int = 0
    host_count: int = 0
    hosts: tuple[CrawlHost, ...] = ()  # the largest by kept
    statuses: Counts = field(default_factory=dict)  # HTTP status -> responses
    media_types: Counts = field(default_factory=dict)  # of what was kept
    refused: Counts = field(default_factory=dict)  # Refused -> URLs
    failed: Counts = field(default_factory=dict)  # FetchFailed -> URLs
    links_skipped: Counts = field(default_factory=dict)  # LinkSkipped -> links
    urls: Counts = field(default_factory=dict)  # state -> URLs of the present frontier
    requests: int = 0
    bytes: int = 0  # as sent
    payload_bytes: int = 0  # decoded
    fetch_s: float = 0.0  # sum of the durations of all requests
    refusal_samples: tuple[RefusalSample, ...] = ()
    read: int = 0  # the ledger: URLs that rounds took
    accounted: Counts = field(default_factory=dict)  # verdict -> of these

    @property
    def kept(self) -> int:
        """URLs whose page is in the WARC files: by the ledger, which a commit checks."""
        return self.accounted.get("kept", 0)

    @property
    def unaccounted(self) -> int:
        """URLs that stand nowhere (positive) or twice (negative); 0 in every committed crawl."""
        return self.read - sum(self.accounted.values())


def crawl_data(manifest: Mapping[str, Any]) -> CrawlData:
    """Return what the report shows of a crawl's manifest: its `statistics` and `ledger`.

    Statistics of a later version may say more, those of a first round less.
    """
    stated = manifest["statistics"]
    own = {each.name for each in fields(CrawlData)} - {"hosts", "refusal_samples", "read", "accounted"}
    counted = funnel(manifest["ledger"])
    return CrawlData(
        **{name: stated[name] for name in own if name in stated},
        hosts=tuple(CrawlHost(**_known(CrawlHost, host)) for host in stated.get("hosts", ())),
        refusal_samples=tuple(
            RefusalSample(**_known(RefusalSample, each)) for each in stated.get("refusal_samples", ())
        ),
        read=counted.pop("in"),
        accounted=counted,
    )


def _known(kind: type, stated: Mapping[str, Any]) -> dict[str, Any]:
    names = kind.__dataclass_fields__  # type: ignore[attr-defined]
    return {name: value for name, value in stated.items() if name in names and value is not None}
