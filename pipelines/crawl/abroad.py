"""Hops of a robots.txt that lead to a host of another range: they are asked for under that range's claim.

A worker that has nothing else to do gives its own claim back, takes those of the other ranges one at a time, each as
soon as it is free, and then goes on with its own. So no host is ever asked by two workers at once; and since nobody
holds a claim while he waits for another, two ranges may lead to each other. Whoever has a claim next is told that its
hosts were asked by somebody else, and leaves them alone for the longest delay there is.
"""

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from filters.url import domain_key, location
from manifests.keys import key_range
from pipelines.crawl.claims import Claim
from pipelines.crawl.fetched import Batch, SiteFile
from pipelines.crawl.records import FRONTIER
from pipelines.crawl.schedule import Hop, Lane, Schedule

PAUSE_S = 0.2  # between two looks at a claim that somebody else has


@dataclass
class Brought:
    """What the hops brought: a sink, until the worker's own one takes it."""

    files: list[SiteFile] = field(default_factory=list)
    hosts: list[pa.Table] = field(default_factory=list)  # HOST rows of other ranges

    async def write(self, batch: Batch) -> None:
        """Keep what a part of our own range will commit."""
        self.files += batch.files
        self.hosts.append(batch.hosts)


@dataclass(frozen=True)
class Ways:
    """What a worker needs to ask elsewhere."""

    ranges: int
    claim: Callable[[int], Claim]  # of a range
    hosts: Callable[[int], pa.Table]  # HOST rows of a range, as its parts have them by now
    crawl: Callable[[Schedule, Brought, Claim], None]  # asks for all that is in a schedule
    clock: Callable[[], float]
    end_s: float  # then nobody is waited for any more


def ask_abroad(schedule: Schedule, ways: Ways) -> Brought:
    """Follow the hops that `schedule` has abroad to their end; our own range must be free meanwhile.

    What is known then stands in the hops' sites.
    """
    brought, hops = Brought(), list(schedule.abroad)
    while hops:
        number = range_of(hops[0], ways.ranges)
        there = [hop for hop in hops if range_of(hop, ways.ranges) == number]
        hops = [hop for hop in hops if range_of(hop, ways.ranges) != number]
        claim = ways.claim(number)
        if not _taken(claim, ways):
            break
        try:
            hops += _ask(schedule, there, number, claim, ways, brought)
        finally:
            claim.release(is_done=False)
    return brought


def range_of(hop: Hop, ranges: int) -> int:
    """Return the range to whose hosts a hop leads."""
    return domain_key(location(hop.chain[-1]).domain) * ranges >> 64


def _ask(
    schedule: Schedule, hops: Iterable[Hop], number: int, claim: Claim, ways: Ways, brought: Brought
) -> Sequence[Hop]:
    """Ask for the hops that lead to a range; return those that lead on to others."""
    low, high = key_range(number, ways.ranges)
    now = ways.clock()
    there = Schedule(
        FRONTIER.empty_table(), ways.hosts(number), schedule.pace, schedule.agent, now, resumed=claim.is_resumed
    )
    there.owns = lambda key: low <= key < high
    # the lane in which its site waits is none of this schedule's
    there.visit([hop._replace(home=Lane(hop.home.host, hop.home.key, now)) for hop in hops], now)
    ways.crawl(there, brought, claim)
    return there.abroad


def _taken(claim: Claim, ways: Ways) -> bool:
    """Wait until a claim is ours; return whether it is, before the round's time is over."""
    while claim.wait_s():
        if ways.clock() >= ways.end_s:
            return False
        time.sleep(PAUSE_S)
    return True
