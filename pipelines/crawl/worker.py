"""The fetching of one key range: one asyncio loop between the schedule, the network and the sink.

Fetched pages wait in an open batch; when it is due (limits.checkpoint_*), the sink gets it and the loop goes on. What
the sink has, what is open and what is under way never exceed two batches and the requests under way; a worker that is
killed loses no more than that.
"""

import asyncio
import hashlib
import time
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from typing import Any

from manifests.limits import CrawlLimits
from manifests.reasons import FetchFailed
from pipelines.crawl.answers import Admit, Reader, conditions, retry_after_s
from pipelines.crawl.block import Crawl
from pipelines.crawl.client import Fetch, bare
from pipelines.crawl.fetched import Batch, Decision, Fetched, Sink, SiteFile, Target, held_bytes
from pipelines.crawl.frontier import KnownIds
from pipelines.crawl.schedule import Item, Schedule
from pipelines.crawl.site_files import SiteFiles
from pipelines.crawl.sites import Site
from pipelines.fetch.exchange import Exchange, FetchError

BATCHES_IN_MEMORY = 2
MEAN_WEIGHT = 0.05  # of the newest answer in the running mean of its kind
_LIMITS = {
    "page": "max_page_bytes",
    "sitemap": "max_sitemap_bytes",
    "image": "max_image_bytes",
    "audio": "max_media_bytes",
    "video": "max_media_bytes",
}

Clock = Callable[[], float]


def steady_clock() -> Clock:
    """Return a clock of seconds since 1970 that never goes back, whatever is done to the system's."""
    offset = time.time() - time.monotonic()
    return lambda: time.monotonic() + offset


@dataclass
class Totals:
    """What a worker did."""

    requests: int = 0  # all of them
    pages: int = 0  # kept, before the sink's judgement
    bytes: int = 0  # of these, as sent
    batches: int = 0


@dataclass
class _Open:
    """The batch that fills."""

    fetched: list[Fetched] = field(default_factory=list)
    files: list[SiteFile] = field(default_factory=list)
    body_bytes: int = 0
    since: float = 0.0

    def __bool__(self) -> bool:
        return bool(self.fetched or self.files)


@dataclass(frozen=True)
class Terms:
    """What holds for a whole key range in one round."""

    block: Crawl
    limits: CrawlLimits
    admit: Admit  # says of a redirect's target why it may not be fetched
    known: KnownIds  # of the range's frontier
    max_bytes: int | None = None  # as sent, of what is kept; then no request is started
    check: Callable[[], None] = lambda: None  # before each request; raises where the range is not ours any more
    files: tuple[SiteFile, ...] = ()  # asked for before: they go into the first batch
    end_s: float = float("inf")  # seconds since 1970; then no request is started


async def crawl(schedule: Schedule, fetcher: Fetch, sink: Sink, clock: Clock, terms: Terms) -> Totals:
    """Fetch all that is in the schedule, or until terms.max_bytes are kept; everything goes to the sink, in batches.

    At terms.end_s no request is started any more, and what is left in the schedule is told that it is for later.

    What the sink or the fetcher raise (other than FetchError) ends the crawl. Cancel it to stop at once: what the
    sink has not committed is lost, and fetched again by whoever goes on.
    """
    worker = _Worker(schedule, fetcher, sink, clock, terms)
    try:
        await worker.run()
    finally:
        await worker.stop()
    return worker.totals


class _Worker:
    def __init__(self, schedule: Schedule, fetcher: Fetch, sink: Sink, clock: Clock, terms: Terms) -> None:
        self.schedule, self.fetcher, self.sink, self.clock = schedule, fetcher, sink, clock
        self.block, self.limits, self.known, self.max_bytes = terms.block, terms.limits, terms.known, terms.max_bytes
        self.check, self.end_s, self.has_ended = terms.check, terms.end_s, False
        self.site_files = SiteFiles(fetcher, schedule, clock, terms.block, terms.limits)
        self.reader = Reader(terms.block, terms.limits, terms.admit)
        self.totals = Totals()
        self.open = _Open(files=list(terms.files), since=clock())
        self.written: Batch | None = None  # the sink has it
        self.reserved = 0.0  # bytes expected of the requests under way
        self.mean_bytes: dict[str, float] = {}
        self.tasks: set[asyncio.Task[None]] = set()
        self.requests = 0  # under way
        self.bug: BaseException | None = None
        self.waker: asyncio.Future[None] | None = None

    async def run(self) -> None:
        while True:
            if self.clock() >= self.end_s and not self.has_ended:
                self._end()
            self._start()
            self._flush_if_due()
            if self.bug:
                raise self.bug
            if not self.requests and not self.written and not self.open and self._is_over():
                return
            await self._wait()

    def _end(self) -> None:
        """The round's time is over."""
        self.has_ended = True
        told = "the time of this round is over (crawl.max_round_s)"
        self.schedule.end(self.clock(), Decision("later", FetchFailed.OUT_OF_TIME, told))

    async def stop(self) -> None:
        """End what is under way."""
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    # What is started

    def _start(self) -> None:
        """Start every request whose time has come, as far as there is room for what it brings."""
        while self._has_room() and not self._is_full():
            now = self.clock()
            item = self.schedule.take(now)
            if item is None:
                return
            if item.decided:
                self._decided(item, now)
            else:
                self.check()
                self.requests += 1
                self.totals.requests += 1
                self._spawn(self._page(item, self._reserve(item)) if item.target else self._file(item))

    def _has_room(self) -> bool:
        limits, written = self.limits, self.written
        rows = len(self.open.fetched) + (len(written.fetched) if written else 0)
        held = self.open.body_bytes + (written.body_bytes if written else 0) + self.reserved
        return (
            self.requests < self.block.connections
            and rows + self.requests < limits.checkpoint_pages + self.block.connections
            and held < BATCHES_IN_MEMORY * limits.checkpoint_bytes
        )

    def _is_full(self) -> bool:
        return self.max_bytes is not None and self.totals.bytes >= self.max_bytes

    def _is_over(self) -> bool:
        return self._is_full() or self.schedule.next_time() is None

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: "asyncio.Task[None]") -> None:
        self.tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self.bug = self.bug or error
        self._wake()

    # Waiting

    async def _wait(self) -> None:
        """Wait until something ends, a host's time comes, or the open batch is due."""
        loop = asyncio.get_running_loop()
        self.waker = loop.create_future()
        times = [self.open.since + self.limits.checkpoint_s] if self.open and not self.written else []
        times += [] if self.has_ended or self.end_s == float("inf") else [self.end_s]
        if self._has_room() and not self._is_full() and (due_s := self.schedule.next_time()) is not None:
            times.append(due_s)
        timer = loop.call_later(max(0.0, min(times) - self.clock()), self._wake) if times else None
        try:
            await self.waker
        finally:
            self.waker = None
            if timer:
                timer.cancel()

    def _wake(self) -> None:
        if self.waker and not self.waker.done():
            self.waker.set_result(None)

    # Checkpoints

    def _flush_if_due(self) -> None:
        limits, opened = self.limits, self.open
        if self.written or not opened:
            return
        if (
            len(opened.fetched) * BATCHES_IN_MEMORY >= limits.checkpoint_pages
            or opened.body_bytes >= limits.checkpoint_bytes
            or self.clock() - opened.since >= limits.checkpoint_s
            or (not self.requests and self._is_over())
        ):
            self.written = Batch(opened.fetched, opened.files, self.schedule.sites.changed(), opened.body_bytes)
            self.open = _Open()
            self._spawn(self._write(self.written))

    async def _write(self, batch: Batch) -> None:
        await self.sink.write(batch)
        self.totals.batches += 1
        self.written = None

    def _add(self, fetched: Fetched) -> None:
        self.open.since = self.open.since if self.open else fetched.ended_s
        self.open.fetched.append(fetched)
        self.open.body_bytes += fetched.memory_bytes

    # Requests

    async def _page(self, item: Item, reserved: float) -> None:
        target = item.target
        assert target is not None
        started_s = self.clock()
        exchange, error = None, None
        try:
            exchange = await self.fetcher.fetch(
                target.url, max_bytes=self._max_bytes(target.kind), headers=conditions(target)
            )
        except FetchError as failed:
            exchange, error = failed.exchange, bare(failed)
        finally:
            self.reserved -= reserved
            self.requests -= 1
        self._answered(item, target, exchange, error, started_s)

    def _answered(
        self, item: Item, target: Target, exchange: Exchange | None, error: FetchError | None, started_s: float
    ) -> None:
        """Tell the schedule how it went, and the sink unless the URL is asked for again."""
        now = self.clock()
        digest = hashlib.sha256(exchange.payload).digest() if exchange else None
        answer = self.reader.answer(target, exchange, error, digest)
        took_s = exchange.ended_s - exchange.started_s if exchange else now - started_s
        wanted_s = retry_after_s(exchange, now)
        if self.schedule.finished(item, now, took_s, answer.host_failure, wanted_s):
            return
        fetched = Fetched(
            target,
            answer.state,
            answer.reason,
            answer.detail,
            started_s,
            now,
            exchange,
            error,
            item.site.robots_digest,
            self.site_files.policy(item.site, target.url, exchange),
            answer.redirect,
            answer.skipped,
            digest,
        )
        self._add(fetched)
        if exchange and answer.state == "kept":
            self._count(item.site, target.kind, exchange)
            self.schedule.seen(item, fetched.digest or b"")
        if answer.redirect:
            self._follow(target, answer.redirect, now)

    def _count(self, site: Site, kind: str, exchange: Exchange) -> None:
        size = len(exchange.body)
        self.totals.pages += 1
        self.totals.bytes += size
        site.pages += 1
        site.bytes += size
        held = held_bytes(exchange)
        mean = self.mean_bytes.get(kind, float(held))
        self.mean_bytes[kind] = mean + (held - mean) * MEAN_WEIGHT

    def _follow(self, target: Target, found: Target, now: float) -> None:
        """Queue a redirect within the domain; what leads elsewhere, or is known, waits for the update."""
        if found.key == target.key and self.known.add(found.url_id):
            self.schedule.add(found, now)

    def _decided(self, item: Item, now: float) -> None:
        target, decided = item.target, item.decided
        assert target is not None and decided is not None
        robots_digest, policy = item.site.robots_digest, self.site_files.policy(item.site, target.url, None)
        self._add(
            Fetched(
                target,
                decided.state,
                decided.reason,
                decided.detail,
                now,
                now,
                robots_digest=robots_digest,
                policy=policy,
            )
        )

    async def _file(self, item: Item) -> None:
        started_s = self.clock()
        try:
            file, failure = await self.site_files.ask(item)
        finally:
            self.requests -= 1
        now = self.clock()
        self.schedule.finished(item, now, now - started_s, failure, retry_after_s(file.exchange, now))
        self.open.since = self.open.since if self.open else now
        self.open.files.append(file)
        self.open.body_bytes += held_bytes(file.exchange) if file.exchange else 0

    def _max_bytes(self, kind: str) -> int:
        return getattr(self.limits, _LIMITS[kind])  # type: ignore[no-any-return]

    def _reserve(self, item: Item) -> float:
        """Reserve memory for an answer, as sent and decoded; return the bytes.

        Twice the mean of its kind, before the first one the limit. For a sitemap always the limit: there is no usual
        size, and one host's says nothing of another's.
        """
        kind = item.target.kind if item.target else "page"
        limit = float(self._max_bytes(kind))
        reserved = limit if kind == "sitemap" else min(limit, 2 * self.mean_bytes.get(kind, limit))
        self.reserved += reserved
        return reserved
