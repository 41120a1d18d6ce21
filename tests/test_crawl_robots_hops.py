"""A robots.txt that redirects: each hop is asked for in its turn, on whatever host of whatever range (RFC 9309).

The real command against a real site on loopback, whose record of who was asked from when to when is the witness.
"""

import json

import jobs
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from recording_server import ABSENT, moved, recording, response
from warcio.archiveiterator import ArchiveIterator

from filters.url import domain_key

DELAY_S = 0.3
PAGE = b"<html><body><p>A page of its own</p></body></html>"
RULES = response(b"User-agent: *\nDisallow: /private/\n", media_type="text/plain")
SLOWLY = [(0.1, RULES)]


def crawl(out, site, *seeds, workers=1, **fields):
    given = {
        "test_only_loopback": site.port, "delay_s": DELAY_S, "delay_factor": 0, "max_delay_s": 0.6, "rounds": 1,
        "scope": "any", "refuse": ["noai"], **fields,
    }  # fmt: skip
    settings = [f"--set=crawl.{name}={json.dumps(value)}" for name, value in given.items()]
    command = ["crawl", *seeds, "--contact", "tests@example.org", "--out", out, "--quiet", f"--workers={workers}"]
    return jobs.run(*command, *settings, timeout_s=60)


def fates(out):
    names = [shard["name"] for shard in jobs.manifest(out, "crawl")["shards"] if shard["kind"] == "requests"]
    rows = pa.concat_tables([pq.read_table(out / name) for name in names]).to_pylist()
    return {row["uri"]: (row["verdict"], row["reason"]) for row in rows}


def in_range(number, ranges, count):
    """Return names of domains that lie in one of several ranges."""
    names = (f"site{n}.example" for n in range(1000))
    return [name for name in names if domain_key(name) * ranges >> 64 == number][:count]


def answers(robots):
    """Return what a site answers: `robots` by (host, path) is a place to go to, or a response."""

    def answer(host, path):
        if (host, path) in robots:
            given = robots[host, path]
            return moved(given) if isinstance(given, str) else given
        return ABSENT if "robots" in path else response(PAGE + host.encode() + path.encode())

    return answer


@pytest.mark.parametrize("workers", [pytest.param(1, id="hosts of one worker"), pytest.param(2, id="of two workers")])
def test_two_sites_whose_robots_txt_lead_to_each_other_are_both_read_and_nobody_is_hurried(tmp_path, workers):
    a, b = in_range(0, 2, 1)[0], in_range(1, 2, 1)[0]
    robots = {
        (a, "/robots.txt"): f"http://{b}/robots-a", (b, "/robots-a"): SLOWLY,
        (b, "/robots.txt"): f"http://{a}/robots-b", (a, "/robots-b"): SLOWLY,
    }  # fmt: skip
    seeds = [f"http://{name}/{page}" for name in (a, b) for page in ("1", "2", "private/3")]
    with recording(answers(robots)) as site:
        crawl(tmp_path, site, *seeds, workers=workers)
    assert site.hurried(DELAY_S - 0.01) == []
    came = fates(tmp_path)
    assert {url: came[url] for url in seeds} == {
        url: ("refused", "robots") if "private" in url else ("kept", None) for url in seeds
    }
    for name in (a, b):
        assert site.paths(name)[0] == "/robots.txt"
        assert sorted(site.paths(name))[:2] == ["/1", "/2"]
        assert not [path for path in site.paths(name) if "private" in path]


@pytest.mark.parametrize("workers", [1, 2])
def test_many_sites_whose_robots_txt_lead_to_one_host_wait_for_their_turn(tmp_path, workers):
    shared, others = in_range(1, 2, 1)[0], [*in_range(0, 2, 4), *in_range(1, 2, 4)[1:]]
    robots = {(name, "/robots.txt"): f"http://{shared}/robots/{name}" for name in others}
    robots |= {(shared, f"/robots/{name}"): SLOWLY for name in others}
    seeds = [f"http://{name}/{page}" for name in (*others, shared) for page in (1, 2)]
    with recording(answers(robots)) as site:
        crawl(tmp_path, site, *seeds, workers=workers)
    assert site.hurried(DELAY_S - 0.01) == []
    assert fates(tmp_path) == dict.fromkeys(seeds, ("kept", None))
    assert sorted(site.paths(shared)) == sorted(["/1", "/2", "/robots.txt", *(f"/robots/{name}" for name in others)])


def test_five_hops_are_followed_over_hosts_of_both_ranges_and_a_sixth_is_none(tmp_path):
    hosts = [name for pair in zip(in_range(0, 2, 4), in_range(1, 2, 4), strict=True) for name in pair][:7]
    robots = {(hosts[0], "/robots.txt"): f"http://{hosts[1]}/robots/1"}
    robots |= {(hosts[n], f"/robots/{n}"): f"http://{hosts[n + 1]}/robots/{n + 1}" for n in range(1, 5)}
    robots[hosts[5], "/robots/5"] = response(b"User-agent: *\nDisallow: /5\n")
    far = hosts[6]  # one hop more: it is not followed, and that is as if there were no robots.txt
    robots[far, "/robots.txt"] = f"http://{far}/robots/0"
    robots |= {(far, f"/robots/{n}"): f"http://{far}/robots/{n + 1}" for n in range(5)}
    robots[far, "/robots/5"] = response(b"User-agent: *\nDisallow: /\n")
    seeds = [f"http://{hosts[0]}/5", f"http://{hosts[0]}/6", f"http://{far}/7"]
    with recording(answers(robots)) as site:
        crawl(tmp_path, site, *seeds, workers=2, max_delay_s=0.4)
    assert site.hurried(DELAY_S - 0.01) == []
    assert fates(tmp_path) == {
        seeds[0]: ("refused", "robots"), seeds[1]: ("kept", None), seeds[2]: ("kept", None)
    }  # fmt: skip
    assert len([path for path in site.paths(far) if "robots" in path]) == 6


def test_a_hop_to_a_host_that_is_in_trouble_leaves_its_site_alone_for_this_round(tmp_path):
    (a, b), (c,) = in_range(0, 2, 2), in_range(1, 2, 1)
    broken = response(b"", status="503 Busy")
    robots = {
        (a, "/robots.txt"): f"http://{b}/robots-a", (b, "/robots-a"): broken,
        (c, "/robots.txt"): f"http://{b}/robots-c", (b, "/robots-c"): broken,
    }  # fmt: skip
    seeds = [f"http://{name}/1" for name in (a, b, c)]
    with recording(answers(robots)) as site:
        crawl(tmp_path, site, *seeds, workers=2, max_delay_s=0.4)
    assert site.hurried(DELAY_S - 0.01) == []
    came = fates(tmp_path)
    assert {came[seeds[0]], came[seeds[2]]} == {("retry", "robots_unreachable")}
    assert site.paths(b).count("/robots-a") + site.paths(b).count("/robots-c") <= 6
    assert "/1" not in site.paths(a) + site.paths(c)


def test_every_hop_is_in_the_diagnostics(tmp_path):
    robots = {("a.example", "/robots.txt"): "http://b.example/robots-a", ("b.example", "/robots-a"): RULES}
    with recording(answers(robots)) as site:
        crawl(tmp_path, site, "http://a.example/1")
    found = []
    for shard in jobs.manifest(tmp_path, "crawl")["shards"]:
        if shard["kind"] == "diagnostics":
            with (tmp_path / shard["name"]).open("rb") as file:
                found += [
                    (record.rec_headers.get_header("WARC-Target-URI"), record.http_headers.get_statuscode())
                    for record in ArchiveIterator(file)
                    if record.rec_type == "response"
                ]
    assert found == [("http://a.example/robots.txt", "302"), ("http://b.example/robots-a", "200")]
