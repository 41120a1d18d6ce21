"""Fetch: one worker owns a range of domains for a round and writes what it gets in parts."""

import asyncio
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from filters.guard import GuardedPool
from filters.scope import Scope
from manifests.keys import KEY_SPACE, key_range
from manifests.limits import CrawlLimits, Limits
from manifests.runs import Run, gather, load_runs, read_run
from manifests.store import Store
from pipelines.crawl.abroad import Brought, Ways, ask_abroad
from pipelines.crawl.block import Crawl
from pipelines.crawl.claims import RENEW_S, Claim
from pipelines.crawl.discover import READ_KINDS, Discover, asked_for
from pipelines.crawl.fetched import Sink, Target
from pipelines.crawl.frontier import KnownIds, Quota, merge_hosts, remaining, select
from pipelines.crawl.judge import Judge
from pipelines.crawl.pace import Pace
from pipelines.crawl.part import PartWriter, finished_parts
from pipelines.crawl.records import FRONTIER, HOST, OUTCOME
from pipelines.crawl.schedule import Schedule
from pipelines.crawl.site_files import files_wanted
from pipelines.crawl.state import JOB, MEND
from pipelines.crawl.worker import Clock, Terms, crawl, steady_clock
from pipelines.fetch.client import Fetcher
from pipelines.fetch.descriptors import raise_open_file_limit

HOST_ORDER = ("key", "authority")


class FetchRange:
    """Worker of the fetch phase.

    config: {block, limits, source_limits, hosts and seeds: lists of runs, frontier, quota, file_info}.
    """

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        self.store, self.file_info = store, config["file_info"]
        self.block = Crawl.model_validate_json(config["block"])
        self.limits = CrawlLimits(**config["limits"])
        self.quota = config["quota"]
        self.hosts, self.frontier = load_runs(store, config["hosts"]), load_runs(store, config["frontier"])
        self.scope = seeds_scope(store, load_runs(store, config["seeds"], MEND), self.block)
        self.pool = link_readers(self.block, config["limits"], config["source_limits"])

    def close(self) -> None:
        self.pool.close()

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """arguments: {range, ranges, taken: list of runs, pages, bytes, prefix: where the range's objects go}."""
        raise_open_file_limit()
        claim = self._claim(arguments["range"], arguments["ranges"])
        _take(claim)
        is_done = False
        try:
            marker = self._run(arguments, claim)
            is_done = True
        finally:
            claim.release(is_done=is_done)
        return marker

    def _claim(self, number: int, ranges: int) -> Claim:
        return Claim(self.store, f"{JOB}/claims/{number:05d}-of-{ranges:05d}")

    def _run(self, arguments: dict[str, Any], claim: Claim) -> dict[str, Any]:
        clock = steady_clock()
        end_s = clock() + self.block.max_round_s
        low, high = key_range(arguments["range"], arguments["ranges"])
        parts = list(finished_parts(self.store, arguments["prefix"]))
        sitemaps: set[tuple[str, bytes]] = set()
        known = KnownIds(
            _noting_sitemaps(batch, sitemaps) for run in self.frontier for batch in read_run(self.store, run, low, high)
        )
        taken = self._taken(arguments, low, high)
        found = self._of(parts, "discovered", low, high)
        _noting_sitemaps(found, sitemaps)
        rows = remaining(taken, self._of(parts, "outcomes"), found, known)
        hosts = self._known_hosts(parts, low, high)
        schedule = Schedule(
            rows,
            hosts,
            Pace.of(self.block, self.limits),
            self.block.agent,
            clock(),
            files=files_wanted(self.block),
            resumed=claim.is_resumed,
        )
        schedule.owns = lambda key: low <= key < high
        judge, discover = Judge(self.block), Discover(self.pool, self.block, self.limits, self.scope, sitemaps)

        def follow(target: Target) -> None:
            if low <= target.key < high and known.add(target.url_id):
                schedule.add(target, clock())

        writer = PartWriter(self.store, arguments["prefix"], len(parts), judge, discover, self.file_info, follow)
        bytes_left = arguments["bytes"] - sum(part["kept_bytes"] for part in parts)
        if rows.num_rows and bytes_left > 0:
            terms = Terms(self.block, self.limits, discover.objection, known, bytes_left, claim.check, end_s=end_s)
            with closing(writer):
                asyncio.run(self._crawl(schedule, writer, clock, claim, terms))
                while schedule.abroad:
                    brought = self._abroad(schedule, arguments, claim, clock, terms)
                    left = bytes_left - sum(part["kept_bytes"] for part in writer.written)
                    terms = replace(terms, max_bytes=left, files=tuple(brought.files))
                    asyncio.run(self._crawl(schedule, writer, clock, claim, terms))
        return summarise([*parts, *writer.written], taken.num_rows)

    def _abroad(
        self, schedule: Schedule, arguments: Mapping[str, Any], claim: Claim, clock: Clock, terms: Terms
    ) -> Brought:
        """Ask for the robots.txt that redirect to hosts of other ranges, while nobody asks ours."""
        ranges, folder = arguments["ranges"], arguments["prefix"].rpartition("/")[0]

        def hosts(number: int) -> pa.Table:
            return self._known_hosts(
                list(finished_parts(self.store, f"{folder}/{number:05d}")), *key_range(number, ranges)
            )

        def ask(there: Schedule, sink: Brought, its: Claim) -> None:
            asyncio.run(self._crawl(there, sink, clock, its, replace(terms, check=its.check, files=())))

        claim.release(is_done=True)
        try:
            ways = Ways(ranges, lambda number: self._claim(number, ranges), hosts, ask, clock, terms.end_s)
            brought = ask_abroad(schedule, ways)
        finally:
            _take(claim)
        schedule.sites.carry(brought.hosts)
        schedule.returned(clock(), resumed=claim.is_resumed)
        return brought

    def _taken(self, arguments: Mapping[str, Any], low: int, high: int) -> pa.Table:
        """Return what this range may fetch in this round, by its share of the pages."""
        ready = gather(self.store, load_runs(self.store, arguments["taken"]), FRONTIER, low, high, ("key", "url_id"))
        return select(ready, Quota(**{**self.quota, "pages": arguments["pages"]}))

    def _of(self, parts: list[dict[str, Any]], kind: str, low: int = 0, high: int = KEY_SPACE) -> pa.Table:
        """Return all rows of a kind that the committed parts hold."""
        schema = OUTCOME if kind == "outcomes" else FRONTIER
        return gather(self.store, _runs(parts, kind), schema, low, high, ())

    def _known_hosts(self, parts: list[dict[str, Any]], low: int, high: int) -> pa.Table:
        before = gather(self.store, self.hosts, HOST, low, high, HOST_ORDER)
        return merge_hosts(before, gather(self.store, _runs(parts, "hosts"), HOST, low, high, HOST_ORDER))

    async def _crawl(self, schedule: Schedule, writer: Sink, clock: Clock, claim: Claim, terms: Terms) -> None:
        fetcher = Fetcher(
            self.block.user_agent,
            self.limits,
            loopback_port=self.block.test_only_loopback,
            connections_per_address=self.block.connections_per_address,
        )
        renewing = asyncio.create_task(_renew(claim))
        crawling = asyncio.create_task(crawl(schedule, fetcher, writer, clock, terms))
        try:
            done, _ = await asyncio.wait({renewing, crawling}, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        finally:
            for task in (renewing, crawling):
                task.cancel()
            await asyncio.gather(renewing, crawling, return_exceptions=True)
            await fetcher.close()


def _take(claim: Claim) -> None:
    while wait_s := claim.wait_s():
        time.sleep(min(wait_s, 1.0))


async def _renew(claim: Claim) -> None:
    while True:
        await asyncio.sleep(RENEW_S)
        await asyncio.to_thread(claim.renew)


def _noting_sitemaps(rows: pa.RecordBatch | pa.Table, noted: set[tuple[str, bytes]]) -> pa.Array | pa.ChunkedArray:
    """Return the ids of rows (FRONTIER); `noted` gets the authority and id of those that are sitemaps."""
    sitemaps = rows.filter(pc.equal(rows["kind"], "sitemap"))
    noted.update(zip(sitemaps["authority"].to_pylist(), sitemaps["url_id"].to_pylist(), strict=True))
    return rows["url_id"]


def link_readers(block: Crawl, limits: Mapping[str, Any], source_limits: Mapping[str, Any]) -> GuardedPool:
    """Return the guarded children that read what a crawl fetches, shared by all of this process that hold them."""
    asked = asked_for(block)
    config = {
        "agent": block.agent,
        "limits": dict(source_limits),
        "crawl_limits": dict(limits),
        "kinds": sorted(asked),
        "told": sorted(asked.difference(READ_KINDS)),
    }
    return GuardedPool.shared("filters.links:factory", config, Limits(**source_limits))


def _runs(parts: list[dict[str, Any]], kind: str) -> list[Run]:
    return [Run(**run) for part in parts for run in part[kind]]


def seeds_scope(store: Store, seeds: list[Run], block: Crawl) -> Scope:
    """Return how far the crawl goes from its seeds."""
    urls = (
        [] if block.scope == "any" else [u for run in seeds for b in read_run(store, run) for u in b["url"].to_pylist()]
    )
    return Scope.of(block.scope, urls, block.exclude, block.max_depth)


def summarise(parts: list[dict[str, Any]], taken: int) -> dict[str, Any]:
    """Return the range's done-marker."""
    skipped = sum((Counter(part["links_skipped"]) for part in parts), Counter[str]())
    return {
        **{kind: [ref for part in parts for ref in part[kind]] for kind in ("warc", "diagnostics")},
        **{kind: [run for part in parts for run in part[kind]] for kind in ("outcomes", "discovered", "hosts")},
        "taken": taken,
        "links_skipped": dict(sorted(skipped.items())),
        "counts": {"kept": sum(ref["records"] for part in parts for ref in part["warc"])},
    }
