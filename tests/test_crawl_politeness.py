"""Politeness, by the record of a simulated web: who was asked, from when to when. The clock jumps; nothing is sent.

The oracles below know the servers' record and the servers' robots.txt as they were made, not what the crawler thinks.
"""

import itertools
import random
from collections import defaultdict

import pyarrow as pa
from simulated_web import EPOCH, Host, JumpingLoop, Ledger, Web, block, rows, run_crawl, terms_for

from filters.scope import Scope
from manifests.keys import key_range
from manifests.limits import CrawlLimits
from pipelines.crawl.frontier import KnownIds, remaining
from pipelines.crawl.worker import Terms

TOLERANCE_S = 1e-5  # of seconds since 1970 in float64


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
        for one, other in itertools.pairwise(requests)
        if one.ended is not None and other.started < one.ended
    ]


def hurried(record, hosts, crawl_block):
    """Return pairs of requests to one host that are closer, from end to start, than its delay.

    A request that a kill cut off has no end; then its start counts, and nothing is known of how long it took.
    """
    found = []
    for name, requests in by_host(record).items():
        for one, other in itertools.pairwise(requests):
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
    allowed = sorted(
        url for url in urls if not (url.split("/")[3] == "private" and hosts[url.split("/")[2]].disallowed)
    )
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
        pages = [
            each for each in web.record if each.path.startswith(("/open", "/private", "/moved", "/from", "/circle"))
        ]
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
