"""A simulated web: an event loop whose clock jumps, servers that only keep a record, a sink in memory."""

import asyncio
import hashlib
import random
import selectors
from dataclasses import dataclass, field

import pyarrow as pa

from filters.scope import Scope
from filters.url import domain_key, location, url_id
from manifests.limits import CrawlLimits
from manifests.reasons import FetchFailed
from pipelines.crawl.block import Crawl
from pipelines.crawl.fetched import TARGET_COLUMNS, Batch, Fetched, Target, pending_rows
from pipelines.crawl.frontier import KnownIds, merge_hosts
from pipelines.crawl.pace import Pace
from pipelines.crawl.records import FRONTIER, HOST, OUTCOME
from pipelines.crawl.schedule import Schedule
from pipelines.crawl.site_files import files_wanted
from pipelines.crawl.worker import Terms, crawl
from pipelines.fetch.exchange import Exchange, FetchError
from pipelines.fetch.robots_fetch import RobotsFetch

EPOCH = 1_800_000_000.0
NO_HOSTS = HOST.empty_table()
FILES = ("/.well-known/tdmrep.json", "/ai.txt")


class JumpingSelector(selectors.SelectSelector):
    """Never waits: it moves the clock on by as long as the loop would have waited."""

    def __init__(self):
        super().__init__()
        self.now = 0.0

    def select(self, timeout=None):
        assert timeout is not None, "the loop would wait for ever"
        self.now += max(timeout, 0.0)
        return super().select(0)


class JumpingLoop(asyncio.SelectorEventLoop):
    """An event loop in which time passes only while nothing is to be done."""

    def __init__(self, start=0.0):
        super().__init__(JumpingSelector())
        self._selector.now = start

    def time(self):
        return self._selector.now


@dataclass
class Request:
    """One line of the web's record. `ended` stays None where the crawler was killed first."""

    host: str
    path: str
    started: float
    ended: float | None = None
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Host:
    """A simulated server. `disallowed` folders, `crawl_delay` and the `more` lines are what its robots.txt says.

    `answers` are (status, header fields, body) by path; of a list the first that is left, the last for ever. Status 0
    is no answer. Everything else is 200 with a body of its own, and the files that speak for a site are 404.
    """

    disallowed: tuple[str, ...] = ()
    crawl_delay: float = 0.0
    latency_s: float = 0.2
    robots_status: int | None = 200
    robots_ttl_s: float = 86_400.0
    robots_error: FetchFailed = FetchFailed.TIMED_OUT  # where there is no status
    robots_at: str | None = None  # the URL to which it redirects, with a `robots_status` of 302
    more: tuple[str, ...] = ()
    answers: dict = field(default_factory=dict)

    @property
    def robots(self):
        lines = ["User-agent: *", *(f"Disallow: {folder}" for folder in self.disallowed), *self.more]
        return "\n".join([*lines, f"Crawl-delay: {self.crawl_delay}"] if self.crawl_delay else lines).encode()

    def answer(self, path):
        given = self.answers.get(path, (404 if path in FILES else 200, {}))
        if isinstance(given, list):
            given = given.pop(0) if len(given) > 1 else given[0]
        status, fields, *body = given
        return status, fields, body[0] if body else hashlib.sha256(path.encode()).digest()


class Web:
    """Hosts, and the record of every request to them; it is the crawler's fetcher too."""

    def __init__(self, hosts, clock, seed=0):
        self.hosts, self.clock, self.random = hosts, clock, random.Random(seed)
        self.record: list[Request] = []

    async def _ask(self, url, headers=()):
        place = location(url)
        host = self.hosts[place.host]
        request = Request(place.host, url.removeprefix(place.authority), self.clock(), headers=dict(headers))
        self.record.append(request)
        await asyncio.sleep(host.latency_s * self.random.uniform(0.5, 1.5))
        request.ended = self.clock()
        return host, request

    async def fetch(self, url, *, max_bytes, headers=None):
        host, request = await self._ask(url, headers or {})
        status, fields, body = host.answer(request.path)
        if status == 0:
            raise FetchError(FetchFailed.DISCONNECTED, "simulated")
        return exchange(url, status, fields, body, request)

    async def fetch_robots(self, chain):
        url = chain[-1]
        host, request = await self._ask(url)
        if host.robots_status is None:
            error = FetchError(host.robots_error, "simulated")
            return RobotsFetch(None, b"", chain, None, self.clock() + 300, error)
        answer = exchange(url, host.robots_status, host.answers.get("/robots.txt", {}), host.robots, request)
        following = host.robots_at if host.robots_at not in chain and len(chain) <= 5 else None
        until_s = self.clock() + host.robots_ttl_s
        return RobotsFetch(host.robots_status, host.robots, chain, answer, until_s, following=following)


def exchange(url, status, fields, body, request):
    return Exchange(
        url, status, b"", b"", tuple(fields.items()), body, body, "127.0.0.1", request.started, request.ended
    )


@dataclass
class Ledger:
    """A sink that commits in memory, after a while."""

    write_s: float = 0.3
    batches: list[Batch] = field(default_factory=list)

    async def write(self, batch):
        await asyncio.sleep(self.write_s)
        self.batches.append(batch)

    @property
    def fetched(self) -> list[Fetched]:
        return [each for batch in self.batches for each in batch.fetched]

    def hosts(self):
        return merge_hosts(NO_HOSTS, pa.concat_tables([NO_HOSTS, *(batch.hosts for batch in self.batches)]))

    def outcomes(self):
        return pa.table(
            {"url_id": pa.array([each.target.url_id for each in self.fetched], OUTCOME.field("url_id").type)}
        )

    def discovered(self):
        return pa.concat_tables([FRONTIER.empty_table(), *(batch.redirects for batch in self.batches)])


def target(url, **given):
    place = location(url)
    row = dict.fromkeys(TARGET_COLUMNS) | {"depth": 0, "redirects": 0, "visits": 0, "attempts": 0}
    row |= {"key": domain_key(place.domain), "url_id": url_id(url), "url": url, "authority": place.authority}
    row |= {"kind": "page", "origin": "seed"}
    return Target(**{**row, **given})


def rows(urls):
    return pending_rows([target(url) for url in urls])


def block(**given):
    settings = {"seeds": ("http://a.example/",), "contact": "me@example.org", "refuse": ("noai",), "scope": "any"}
    return Crawl(**{**settings, **given})


def run_crawl(loop, web, table, terms, sink, *, hosts=NO_HOSTS, resumed=False, kill_after_s=None):
    """Crawl until the end, or until it is killed; return whether it came to an end."""

    async def go():
        schedule = Schedule(
            table, hosts, Pace.of(terms.block, terms.limits), terms.block.agent, clock(),
            files=files_wanted(terms.block), resumed=resumed,
        )  # fmt: skip
        work = asyncio.create_task(crawl(schedule, web, sink, clock, terms))
        await asyncio.wait({work}, timeout=kill_after_s)
        if not work.done():
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
            return False
        work.result()
        return True

    def clock():
        return EPOCH + loop.time()

    return loop.run_until_complete(go())


def terms_for(table, crawl_block, limits=None, max_bytes=None):
    scope = Scope.of("any", [], (), 20)
    return Terms(crawl_block, limits or CrawlLimits(), scope.objection, KnownIds([table["url_id"]]), max_bytes)
