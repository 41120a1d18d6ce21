"""Politeness, by the record of a simulated web: who was asked, from when to when. The clock jumps; nothing is sent.

The oracles below know the servers' record and the servers' robots.txt as they were made, not what the crawler thinks.
"""

import asyncio
import hashlib
import random
import selectors
from collections import defaultdict
from dataclasses import dataclass, field

import pyarrow as pa
import pytest

from filters.scope import Scope
from filters.url import domain_key, location, url_id
from manifests.keys import key_range
from manifests.limits import CrawlLimits
from manifests.reasons import FetchFailed
from pipelines.crawl.block import Crawl
from pipelines.crawl.fetched import Batch, Fetched, Target, pending_rows
from pipelines.crawl.frontier import KnownIds, merge_hosts, remaining
from pipelines.crawl.records import FRONTIER, HOST, OUTCOME
from pipelines.crawl.schedule import Pace, Schedule
from pipelines.crawl.worker import Terms, crawl, files_wanted
from pipelines.fetch.exchange import Exchange, FetchError
from pipelines.fetch.robots_fetch import RobotsFetch

EPOCH = 1_800_000_000.0
NO_HOSTS = HOST.empty_table()
TOLERANCE_S = 1e-5  # of seconds since 1970 in float64


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


@dataclass
class Host:
    """A simulated server. `disallowed` folders and `crawl_delay` are what its robots.txt says."""

    disallowed: tuple[str, ...] = ()
    crawl_delay: float = 0.0
    latency_s: float = 0.2
    robots_status: int | None = 200
    answers: dict[str, tuple[int, dict[str, str]]] = field(default_factory=dict)

    @property
    def robots(self):
        lines = ["User-agent: *", *(f"Disallow: {folder}" for folder in self.disallowed)]
        return "\n".join([*lines, f"Crawl-delay: {self.crawl_delay}"] if self.crawl_delay else lines).encode()


class Web:
    """Hosts, and the record of every request to them; it is the crawler's fetcher too."""

    def __init__(self, hosts, clock, seed=0):
        self.hosts, self.clock, self.random = hosts, clock, random.Random(seed)
        self.record: list[Request] = []

    async def _ask(self, url):
        place = location(url)
        host = self.hosts[place.host]
        request = Request(place.host, url.removeprefix(place.authority), self.clock())
        self.record.append(request)
        await asyncio.sleep(host.latency_s * self.random.uniform(0.5, 1.5))
        request.ended = self.clock()
        return host, request

    async def fetch(self, url, *, max_bytes, headers=None):
        host, request = await self._ask(url)
        status, fields = host.answers.get(request.path, (404 if "/." in url or "ai.txt" in url else 200, {}))
        if status == 0:
            raise FetchError(FetchFailed.DISCONNECTED, "simulated")
        return exchange(url, status, fields, request)

    async def fetch_robots(self, authority):
        url = f"{authority}/robots.txt"
        host, request = await self._ask(url)
        if host.robots_status is None:
            error = FetchError(FetchFailed.TIMED_OUT, "simulated")
            return RobotsFetch(None, b"", (url,), None, self.clock() + 300, error)
        answer = exchange(url, host.robots_status, {}, request)
        return RobotsFetch(host.robots_status, host.robots, (url,), answer, self.clock() + 86_400)


def exchange(url, status, fields, request):
    body = hashlib.sha256(url.encode()).digest()
    headers = tuple(fields.items())
    return Exchange(url, status, b"", b"", headers, body, body, "127.0.0.1", request.started, request.ended)


@dataclass
class Ledger:
    """A sink that commits in memory, after a while."""

    write_s: float = 0.3
    batches: list[Batch] = field(default_factory=list)
    most_pages: int = 0

    async def write(self, batch):
        await asyncio.sleep(self.write_s)
        self.batches.append(batch)

    @property
    def fetched(self) -> list[Fetched]:
        return [each for batch in self.batches for each in batch.fetched]

    def hosts(self):
        return merge_hosts(NO_HOSTS, pa.concat_tables([NO_HOSTS, *(batch.hosts for batch in self.batches)]))

    def outcomes(self):
        return pa.table({"url_id": pa.array([each.target.url_id for each in self.fetched], OUTCOME.field("url_id").type)})

    def discovered(self):
        return pa.concat_tables([FRONTIER.empty_table(), *(batch.redirects for batch in self.batches)])


def target(url, **given):
    place = location(url)
    row = dict(
        key=domain_key(place.domain), url_id=url_id(url), url=url, authority=place.authority, kind="page",
        origin="seed", referrer=None, caption=None, depth=0, redirects=0, visits=0, attempts=0, etag=None,
        last_modified=None, digest=None,
    )  # fmt: skip
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


def terms_for(table, crawl_block, limits=None):
    scope = Scope.of("any", [], (), 20)
    return Terms(crawl_block, limits or CrawlLimits(), scope.objection, KnownIds([table["url_id"]]))


# The oracles


def by_host(record):
    grouped = defaultdict(list)
    for request in sorted(record, key=lambda request: request.started):
        grouped[request.host].append(request)
    return grouped


def overlaps(record):
    """Return pairs of requests to one host of which the second began before the first had ended."""
    return [
        (one, other)
        for requests in by_host(record).values()
        for one, other in zip(requests, requests[1:])
        if one.ended is not None and other.started < one.ended
    ]


def hurried(record, hosts, crawl_block):
    """Return pairs of requests to one host that are closer, from end to start, than its delay.

    A request that a kill cut off has no end; then its start counts, and nothing is known of how long it took.
    """
    found = []
    for name, requests in by_host(record).items():
        for one, other in zip(requests, requests[1:]):
            least = max(crawl_block.delay_s, hosts[name].crawl_delay)
            end = one.started if one.ended is None else one.ended
            if one.ended is not None:
                took = crawl_block.delay_factor * (one.ended - one.started)
                least = max(least, min(took, crawl_block.max_delay_s))
            # before its robots.txt is read, nobody can know its Crawl-delay; the request after it must heed it
            if other.started - end < least - TOLERANCE_S:
                found.append((one, other, least))
    return found


def trespasses(record, hosts):
    """Return requests under a disallowed folder, and any before its host's robots.txt."""
    found = []
    for name, requests in by_host(record).items():
        found += [each for each in requests if each.path.startswith(hosts[name].disallowed or ("\0",))]
        found += [requests[0]] if requests[0].path != "/robots.txt" else []
    return found


def thousand_hosts(hosts=1000, urls=100, seed=1):
    """Return hosts of about two a domain, and the URLs of each: a tenth of them disallowed."""
    chance = random.Random(seed)
    web, listed = {}, []
    for number in range(hosts):
        name = f"h{number % 2}.site{number // 2}.example"
        web[name] = Host(
            disallowed=("/private/",) if number % 3 else (),
            crawl_delay=chance.choice([0.0, 0.0, 0.0, 2.0, 5.0]),
            latency_s=chance.choice([0.05, 0.2, 1.0]),
        )
        listed += [f"http://{name}/{'private' if page % 10 == 0 else 'open'}/{page}" for page in range(urls)]
    return web, listed


def in_ranges(table, ranges):
    for number in range(ranges):
        low, high = key_range(number, ranges)
        keys = table["key"].to_numpy()
        yield table.filter(pa.array((keys >= low) & (keys <= high - 1)))


def test_a_thousand_hosts_are_asked_one_request_at_a_time_and_slowly_enough():
    hosts, urls = thousand_hosts()
    crawl_block, sink = block(connections=200), Ledger()
    loop = JumpingLoop()
    web = Web(hosts, lambda: EPOCH + loop.time())
    table = rows(urls)
    for part in in_ranges(table, 8):
        assert run_crawl(loop, web, part, terms_for(part, crawl_block), sink)
    loop.close()
    assert overlaps(web.record) == []
    assert hurried(web.record, hosts, crawl_block) == []
    assert trespasses(web.record, hosts) == []
    allowed = sorted(url for url in urls if not (url.split("/")[3] == "private" and hosts[url.split("/")[2]].disallowed))
    assert sorted(each.target.url for each in sink.fetched if each.state == "kept") == allowed
    assert sorted(each.target.url for each in sink.fetched) == sorted(urls)


def with_redirects(hosts):
    """Make some pages of every host move: within the host, to its sister host, to another domain, in circles."""
    for name, host in hosts.items():
        sister = f"h1.{name.partition('.')[2]}"
        host.answers |= {
            "/open/1": (301, {"location": "/moved/1"}),
            "/open/2": (302, {"location": f"http://{sister}/from/{name}"}),
            "/open/3": (308, {"location": "http://elsewhere.example/"}),
            "/open/4": (301, {"location": "/circle"}),
            "/circle": (301, {"location": "/open/4"}),
            "/open/5": (301, {"location": "/private/found"}),
            "/open/6": (301, {"location": "/open/7"}),
        }
    return [
        url for name in hosts for url in (
            f"http://{name}/moved/1", f"http://h1.{name.partition('.')[2]}/from/{name}", f"http://{name}/circle",
            f"http://{name}/private/found",
        )
    ]  # fmt: skip


def test_a_crawl_that_is_killed_fifty_times_loses_no_url_and_stays_as_gentle():
    hosts, urls = thousand_hosts(hosts=100, urls=60, seed=2)
    found_later = with_redirects(hosts)
    limits = CrawlLimits(checkpoint_pages=64, checkpoint_s=2.0)
    crawl_block, chance = block(connections=32), random.Random(3)
    table, record, sink, loop = rows(urls), [], Ledger(), JumpingLoop()
    kills = 0
    while True:
        known = KnownIds([table["url_id"]])
        left = remaining(table, sink.outcomes(), sink.discovered(), known)
        terms = Terms(crawl_block, limits, Scope.of("any", [], (), 20).objection, known)
        web, committed = Web(hosts, lambda: EPOCH + loop.time(), seed=kills), len(sink.fetched)
        kill_after_s = chance.uniform(0.0, 8.0) + crawl_block.max_delay_s * bool(kills) if kills < 50 else None
        is_done = run_crawl(
            loop, web, left, terms, sink, hosts=sink.hosts(), resumed=kills > 0, kill_after_s=kill_after_s
        )
        record += web.record
        pages = [each for each in web.record if each.path.startswith(("/open", "/private", "/moved", "/from", "/circle"))]
        assert len(pages) - (len(sink.fetched) - committed) <= limits.checkpoint_pages + crawl_block.connections
        if is_done:
            break
        kills += 1
    loop.close()
    assert kills == 50
    assert overlaps(record) == []
    assert hurried(record, hosts, crawl_block) == []
    assert trespasses(record, hosts) == []
    assert sorted(each.target.url for each in sink.fetched) == sorted([*urls, *found_later])

