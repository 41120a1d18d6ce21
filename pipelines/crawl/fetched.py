"""What a worker hands to its sink: a record for each URL that came to an end, and for each file that speaks for a site.

A `Batch` is what one checkpoint commits. The worker keeps the fetched bodies only until the sink has written them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from operator import itemgetter
from typing import Literal, NamedTuple, Protocol

import pyarrow as pa

from manifests.reasons import FetchFailed, LinkSkipped, Refused
from pipelines.crawl.records import FRONTIER
from pipelines.fetch.exchange import Exchange, FetchError

State = Literal["kept", "redirected", "unchanged", "refused", "failed", "retry", "later"]
Kind = Literal["robots", "tdmrep", "ai_txt"]


class Target(NamedTuple):
    """A row of the frontier that is to be fetched, and the redirects of this round that led to it."""

    key: int
    url_id: bytes
    url: str
    authority: str
    kind: str
    origin: str
    referrer: str | None
    caption: str | None
    depth: int
    redirects: int
    visits: int
    attempts: int
    etag: str | None
    last_modified: str | None
    digest: bytes | None
    fetched_s: float | None = None  # when the response that `digest` is of was asked for
    chain: tuple[str, ...] = ()  # URLs; the first is the frontier's


TARGET_COLUMNS = Target._fields[:-1]


class Decision(NamedTuple):
    """What becomes of a URL without a request."""

    state: State
    reason: FetchFailed | Refused
    detail: str | None


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came of one URL. `state` and `reason` are OUTCOME's; "kept" stands only if the sink's own judgement agrees.

    There is no exchange where robots.txt, a Crawl-delay or a resting host decided: then nothing was requested.
    """

    target: Target
    state: State
    reason: str | None  # Refused or FetchFailed
    detail: str | None  # the deciding line of robots.txt, what failed, where a redirect led; at most 512 characters
    started_s: float  # seconds since 1970; without a request, when it was decided
    ended_s: float
    exchange: Exchange | None = None
    error: FetchError | None = None
    robots_digest: bytes | None = None  # sha256 of the robots.txt that decided, None where there was none
    policy: tuple[str, ...] = ()  # the owner's signals for this URL, raw: header, robots.txt, tdmrep.json, ai.txt
    redirect: Target | None = None  # where a redirect leads, if that may be fetched: a discovered row
    skipped: LinkSkipped | None = None  # why it may not
    digest: bytes | None = None  # sha256 of the payload

    @property
    def memory_bytes(self) -> int:
        """Return about how much it holds: the body as sent and decoded, and the owner's words."""
        return sum(map(len, self.policy)) + (held_bytes(self.exchange) if self.exchange else 0)


@dataclass(frozen=True, slots=True)
class SiteFile:
    """An answer to robots.txt, tdmrep.json or ai.txt: written to the WARC, no row of the frontier."""

    key: int
    authority: str
    kind: Kind
    exchange: Exchange | None
    error: FetchError | None = None
    chain: tuple[str, ...] = ()  # of robots.txt: the URLs that were asked one after another


@dataclass(frozen=True, slots=True)
class Batch:
    """What one checkpoint commits. `hosts` (HOST, sorted) are those whose row changed since the last batch."""

    fetched: list[Fetched]
    files: list[SiteFile]
    hosts: pa.Table
    body_bytes: int

    @property
    def redirects(self) -> pa.Table:
        """Return the discovered targets of redirects, FRONTIER rows sorted by (key, url_id); repeats are left in."""
        return pending_rows([each.redirect for each in self.fetched if each.redirect is not None])


class Sink(Protocol):
    """Where batches go, one at a time; while it waits (a thread parses and writes), the worker goes on fetching."""

    async def write(self, batch: Batch) -> None:
        """Commit the batch. What is not committed is fetched again by whoever goes on."""


def held_bytes(exchange: Exchange) -> int:
    """Return the bytes of an answer in memory: as sent, and decoded where that is another object."""
    return len(exchange.body) + (0 if exchange.payload is exchange.body else len(exchange.payload))


def pending_rows(targets: list[Target]) -> pa.Table:
    """Return FRONTIER rows, pending and never fetched, sorted by (key, url_id)."""
    ordered = sorted(targets, key=itemgetter(0, 1))
    columns = zip(*ordered, strict=True) if ordered else [()] * len(Target._fields)
    named: dict[str, Sequence[object]] = dict(zip(TARGET_COLUMNS[:10], columns, strict=False))
    named["state"] = ["pending"] * len(ordered)
    named["visits"] = named["attempts"] = [0] * len(ordered)
    empty: list[object] = [None] * len(ordered)
    return pa.table([pa.array(named.get(field.name, empty), field.type) for field in FRONTIER], schema=FRONTIER)
