"""Who is asked next, and when: the queues of one worker. Pure: the clock is an argument, nothing here waits.

A host has one lane, and a lane one request at a time. Between the end of a request and the start of the next lies
the longest of: delay_s, the site's Crawl-delay, delay_factor times what the last request took (Heritrix); after a
failure what Retry-After says, else a delay that doubles. A site (scheme, host and port) is asked for its robots.txt
before anything else, and again when that has gone stale (RFC 9309, sections 2.3 and 2.4). Where a robots.txt redirects
to, a *hop*, is asked for in the lane of the host that it leads to; the site that waits for it holds nothing meanwhile,
so two sites may wait for each other's hosts.
"""

import heapq
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from filters.traps import DuplicateWatch
from filters.url import domain_key, location
from manifests.reasons import FetchFailed, Refused
from pipelines.crawl.fetched import TARGET_COLUMNS, Decision, Kind, Target
from pipelines.crawl.frontier import in_fetch_order
from pipelines.crawl.pace import Pace
from pipelines.crawl.sites import PATHS, Site, Sites

ROWS_AT_ONCE = 32  # of a lane that are Python objects
BARRED_FROM = 0.5  # of the longest wait: a round does not begin with a longer one, and the host is left for the next


@dataclass(slots=True, eq=False)
class Lane:
    """A host: at most one request at a time."""

    host: str
    key: int
    due_s: float  # no request before
    hops: deque["Hop"] = field(default_factory=deque)  # robots.txt of others that redirect here; they come first
    queue: deque[Target] = field(default_factory=deque)
    slices: deque[tuple[int, int]] = field(default_factory=deque)  # rows that follow, of the schedule's table
    sites: list[Site] = field(default_factory=list)
    failures: int = 0  # in a row
    crawl_delay_s: float = 0.0
    busy_s: float = 0.0  # what its requests took in this round
    watch: DuplicateWatch = field(default_factory=DuplicateWatch)
    rest: Decision | None = None  # the host is left alone for the rest of the round, and why
    is_idle: bool = True  # neither waiting for its time nor being asked
    is_asked: bool = False  # a request is under way


class Hop(NamedTuple):
    """A robots.txt that has been redirected: the last URL of `chain` is to be asked for."""

    site: Site  # for which it speaks
    home: Lane  # of that site
    chain: tuple[str, ...]


@dataclass(slots=True, eq=False)
class Item:
    """What a lane is asked for next, or, if it is decided, what became of a URL without a request."""

    lane: Lane
    site: Site
    kind: Literal["page"] | Kind
    url: str
    target: Target | None = None
    decided: Decision | None = None
    hop: Hop | None = None  # then `site` is on the lane's host, and the answer speaks for another

    @property
    def speaks_for(self) -> Site:
        """Return the site to which an answer to this item belongs."""
        return self.hop.site if self.hop else self.site

    @property
    def chain(self) -> tuple[str, ...]:
        """Return the URLs of a robots.txt that were asked for, and this one."""
        return self.hop.chain if self.hop else (self.url,)


def host_of(authority: str) -> str:
    """Return the host of "scheme://host[:port]"."""
    host = authority.partition("://")[2]
    return host[: host.rindex("]") + 1] if host.startswith("[") else host.partition(":")[0]


class Schedule:
    """The queues of one worker.

    `rows` are FRONTIER rows to be fetched in this round, in any order; `hosts` (HOST) is what is known of their
    sites. `files` names what a site is asked for beside robots.txt. `resumed`: another worker was killed on these
    rows, and its last requests are not known; so nobody is asked before the longest delay there is, from `now`.
    """

    def __init__(
        self,
        rows: pa.Table,
        hosts: pa.Table,
        pace: Pace,
        agent: str,
        now: float,
        *,
        files: Collection[Kind] = (),
        resumed: bool = False,
    ) -> None:
        self.pace, self.agent, self.files = pace, agent, tuple(files)
        self.owns: Callable[[int], bool] = lambda key: True
        """Says of a domain's key whether its hosts are ours to ask."""
        self.abroad: list[Hop] = []  # that lead to hosts which are not ours
        self._ended: Decision | None = None  # the round is over for everybody
        self.sites = Sites(hosts)
        self._earliest_s = now + pace.max_delay_s if resumed else now
        self._lanes: dict[str, Lane] = {}
        self._heap: list[tuple[float, int, Lane]] = []  # lanes that wait for their time
        self._pushed = 0
        self._active: Counter[int] = Counter()  # requests under way, by registrable domain
        self._parked: defaultdict[int, deque[Lane]] = defaultdict(deque)  # their time has come, their domain is busy
        ordered = in_fetch_order(rows)
        self._columns = ordered.select(TARGET_COLUMNS)
        self._load(ordered, now)

    def take(self, now: float) -> Item | None:
        """Return what is to be done now, or None. An item that is decided asks for no request and no `finished`."""
        while self._heap and self._heap[0][0] <= now:
            lane = heapq.heappop(self._heap)[2]
            if self._active[lane.key] >= self.pace.connections_per_domain and not lane.rest:
                self._parked[lane.key].append(lane)
            elif (item := self._next(lane, now)) is None:
                _leave(lane)
            elif item.decided:
                self._push(lane, now)
                return item
            else:
                self._active[lane.key] += 1
                lane.is_asked = True
                return item
        return None

    def next_time(self) -> float | None:
        """Return when `take` is worth another call (seconds since 1970), None if only `finished` or `add` can help."""
        return self._heap[0][0] if self._heap else None

    def robots_known(self, item: Item, state: str, body: bytes, until_s: float) -> None:
        """Note a site's robots.txt: `state` parsed | allow_all | disallow_all. To be called before `finished`.

        Of a site whose robots.txt was unreachable nothing is known: then `finished` is called with that failure only.
        """
        site, home = item.speaks_for, item.hop.home if item.hop else item.lane
        site.robots_known(state, body, until_s)
        self._heed(home, site)
        self._go_on(site, home, home.due_s)

    def redirected(self, item: Item, url: str, now: float) -> None:
        """Note that a robots.txt redirects: its site waits for the next hop. To be called before `finished`."""
        site = item.speaks_for
        site.is_awaited = True
        self.visit([Hop(site, item.hop.home if item.hop else item.lane, (*item.chain, url))], now)

    def visit(self, hops: Iterable[Hop], now: float) -> None:
        """Queue hops at the hosts to which they lead, before anything else that waits there."""
        for hop in hops:
            place = location(hop.chain[-1])
            key = domain_key(place.domain)
            if not self.owns(key):
                self.abroad.append(hop)
                continue
            lane = self._lane(place.authority, key, now)
            lane.hops.append(hop)
            self._wake(lane, now)

    def returned(self, now: float, *, resumed: bool) -> None:
        """Go on with the sites that waited for hops abroad; `resumed`: our hosts were asked by others meanwhile."""
        hops, self.abroad = self.abroad, []
        for lane in self._lanes.values() if resumed else ():
            lane.due_s = max(lane.due_s, now + self.pace.max_delay_s)
        for hop in hops:
            if now >= hop.site.robots_until_s:
                told = "its robots.txt redirects to a host that does not answer"
                hop.home.rest = hop.home.rest or Decision("retry", FetchFailed.ROBOTS_UNREACHABLE, told)
            self._go_on(hop.site, hop.home, now)

    def end(self, now: float, why: Decision) -> None:
        """Ask nobody any more: all that waits gets the word `why`."""
        self._ended = why
        self.abroad.clear()
        for parked in self._parked.values():
            parked.clear()
        self._heap.clear()
        for lane in self._lanes.values():
            lane.rest = lane.rest or why
            if not lane.is_asked:
                self._push(lane, now)

    def finished(
        self,
        item: Item,
        now: float,
        took_s: float,
        failure: FetchFailed | None = None,
        retry_after_s: float | None = None,
    ) -> bool:
        """Note the end of a request; return whether its URL stays in the queue.

        `failure` is given where the host itself was in trouble (answers.HOST_FAILURES).
        """
        lane = item.lane
        self._active[lane.key] -= 1
        lane.is_asked = False
        if parked := self._parked[lane.key]:
            self._push(parked.popleft(), now)
        wait_s = self.pace.after(took_s, lane.crawl_delay_s)
        if failure or not item.speaks_for.is_awaited:  # a redirect alone is no success yet
            lane.failures = lane.failures + 1 if failure else 0
        if failure:
            wait_s = self.pace.after_failure(wait_s, lane.failures, retry_after_s)
            if lane.failures >= self.pace.max_host_failures or wait_s > self._patience_s:
                lane.rest = Decision("retry", failure, "the host rests for this round")
        lane.busy_s += took_s
        if lane.busy_s > self.pace.max_host_s and not lane.rest:
            told = f"its requests took {lane.busy_s:.0f} s of this round"
            lane.rest = Decision("later", FetchFailed.OUT_OF_TIME, told)
        lane.due_s = now + min(wait_s, self._patience_s)  # whatever was asked for: nobody is shut out for years
        self.sites.note(item.site, lane.due_s, lane.failures)
        stays = failure is not None and self._requeue(item)
        if failure and item.hop:
            self._lost(item.hop, lane, failure, now)
        self._push(lane, now if lane.rest else lane.due_s)
        return stays

    def seen(self, item: Item, digest: bytes) -> None:
        """Note what a page held: a host that only repeats itself rests for this round (a trap without end)."""
        lane = item.lane
        lane.watch.add(digest)
        if lane.watch.paused and not lane.rest:
            lane.rest = Decision(
                "retry", FetchFailed.REPEATS_ITSELF, "nearly all of the last 100 pages were seen before"
            )

    def add(self, target: Target, now: float) -> None:
        """Queue a URL that was found in this round: where a redirect leads to."""
        lane = self._lane(target.authority, target.key, now)
        lane.queue.appendleft(target)
        self._wake(lane, now)

    @property
    def _patience_s(self) -> float:
        return max(self.pace.max_retry_after_s, self.pace.max_delay_s)

    def _load(self, ordered: pa.Table, now: float) -> None:
        if not ordered.num_rows:
            return
        begin = 0
        for end in pc.run_end_encode(ordered["authority"].combine_chunks()).run_ends.to_pylist():
            lane = self._lane(ordered["authority"][begin].as_py(), ordered["key"][begin].as_py(), now)
            lane.slices.append((begin, end))
            begin = end
        for lane in self._lanes.values():
            self._wake(lane, now)

    def _next(self, lane: Lane, now: float) -> Item | None:
        """Return a lane's next item, None where the lane is empty or waits for a hop elsewhere."""
        while lane.hops:
            hop = lane.hops.popleft()
            if not lane.rest:
                return Item(lane, self._site_at(hop.chain[-1]), "robots", hop.chain[-1], hop=hop)
            self._lost(hop, lane, FetchFailed.ROBOTS_UNREACHABLE, now)
        if not lane.queue:
            self._refill(lane)
        if not lane.queue:
            return None
        target = lane.queue[0]
        site = self.sites.get(target.authority, target.key)
        if decided := lane.rest or site.barred or self._ruling(site, target, now):
            lane.queue.popleft()
            return Item(lane, site, "page", target.url, target, self._last_word(decided, target))
        if site.is_awaited:
            return None
        if wanted := self._missing(site, now):
            return Item(lane, site, wanted, site.authority + PATHS[wanted])
        self._heed(lane, site)
        lane.queue.popleft()
        return Item(lane, site, "page", target.url, target)

    def _ruling(self, site: Site, target: Target, now: float) -> Decision | None:
        """Return why robots.txt, where it is known, keeps us from asking for a URL."""
        if now >= site.robots_until_s:
            return None
        rules = site.understand(self.agent)
        if (rules.crawl_delay or 0.0) > self.pace.max_delay_s:
            return Decision("failed", FetchFailed.DELAY_TOO_LONG, f"Crawl-delay: {rules.crawl_delay}")
        if not rules.allowed(target.url):
            return Decision("refused", Refused.ROBOTS, rules.rule(target.url))
        return None

    def _missing(self, site: Site, now: float) -> Kind | None:
        """Return the file that must be asked for before any page is; what robots.txt forbids counts as absent."""
        if now >= site.robots_until_s:
            return "robots"
        for kind in self.files:
            if getattr(site, kind) is None:
                if site.understand(self.agent).allowed(site.authority + PATHS[kind]):
                    return kind
                setattr(site, kind, b"")
        return None

    def _last_word(self, decided: Decision, target: Target) -> Decision:
        """A host that rests is tried again in the next round, unless the attempts are used up."""
        used_up = decided.state == "retry" and target.attempts + 1 >= self.pace.max_attempts
        return decided._replace(state="failed") if used_up else decided

    def _requeue(self, item: Item) -> bool:
        """Queue what failed once more, at the end; where its host rests now, it gets the word of all that waits."""
        target = item.target
        if target is None or target.attempts + 1 >= self.pace.max_attempts:
            return False
        item.lane.queue.append(target if item.lane.rest else target._replace(attempts=target.attempts + 1))
        return True

    def _site_at(self, url: str) -> Site:
        place = location(url)
        return self.sites.get(place.authority, domain_key(place.domain))

    def _go_on(self, site: Site, home: Lane, now: float) -> None:
        """Let a lane that waited for a hop have its turn again."""
        site.is_awaited = False
        self._wake(home, now)

    def _lost(self, hop: Hop, at: Lane, failure: FetchFailed, now: float) -> None:
        """A hop failed at another host: that is a failure of its site's host too, which is tried when that one may."""
        home = hop.home
        if home is not at:
            home.failures += 1
            home.due_s = max(home.due_s, at.due_s)
            if at.rest or home.failures >= self.pace.max_host_failures:
                told = f"its robots.txt redirects to {at.host}, which does not answer ({failure})"
                home.rest = home.rest or Decision("retry", FetchFailed.ROBOTS_UNREACHABLE, told)
        self._go_on(hop.site, home, now)

    def _heed(self, lane: Lane, site: Site) -> None:
        """Keep the longest Crawl-delay of a host's sites; one beyond the limit keeps us away altogether."""
        crawl_delay_s = site.understand(self.agent).crawl_delay or 0.0
        if crawl_delay_s <= self.pace.max_delay_s:
            lane.crawl_delay_s = max(lane.crawl_delay_s, crawl_delay_s)

    def _lane(self, authority: str, key: int, now: float) -> Lane:
        """Return the lane of an authority's host, with what is known of the site."""
        host = host_of(authority)
        lane = self._lanes.get(host)
        if lane is None:
            lane = self._lanes[host] = Lane(host, key, self._earliest_s)
        if authority not in self.sites:
            site = self.sites.get(authority, key)
            lane.sites.append(site)
            lane.due_s = max(lane.due_s, min(site.next_s, now + self._patience_s))
            lane.failures = max(lane.failures, min(site.failures, self.pace.max_host_failures - 1))
        lane.rest = lane.rest or self._ended
        if lane.rest is None and lane.due_s - now > self._patience_s * BARRED_FROM:
            lane.rest = Decision("later", FetchFailed.TOO_MANY_REQUESTS, "the host asked us to come back later")
        return lane

    def _refill(self, lane: Lane) -> None:
        if lane.slices:
            begin, end = lane.slices.popleft()
            stop = min(end, begin + ROWS_AT_ONCE)
            if stop < end:
                lane.slices.appendleft((stop, end))
            columns = [column.to_pylist() for column in self._columns.slice(begin, stop - begin).columns]
            lane.queue.extend(map(Target._make, zip(*columns, [()] * (stop - begin), strict=True)))

    def _wake(self, lane: Lane, now: float) -> None:
        if lane.is_idle:
            self._push(lane, now if lane.rest else lane.due_s)

    def _push(self, lane: Lane, due_s: float) -> None:
        lane.is_idle = False
        self._pushed += 1
        heapq.heappush(self._heap, (due_s, self._pushed, lane))


def _leave(lane: Lane) -> None:
    """Forget what need not be known of an empty lane's sites; a redirect may wake it."""
    lane.is_idle = True
    for site in lane.sites:
        site.forget()
