"""How long a round may last: a site that drips holds nobody up, and what it did not give in time is left for later.

Against a real site on loopback that really drips, and on the simulated web where hours pass at once.
"""

import json

import jobs
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from pydantic import ValidationError
from recording_server import ABSENT, recording, response
from simulated_web import EPOCH, NO_HOSTS, Host, JumpingLoop, Ledger, Web, block, rows, run_crawl, terms_for

from manifests.reasons import FetchFailed
from manifests.runs import Run, read_run
from manifests.store import open_store
from pipelines.crawl.worker import Terms

DRIPS = [f"http://drip.example/{n}" for n in range(12)]
QUICK = [f"http://quick.example/{n}" for n in range(20)]
PIECES = 10


def answer(host, path):
    """Give a page at once, or ten bytes at a time over a second."""
    if path in ("/robots.txt", "/ai.txt", "/.well-known/tdmrep.json"):
        return ABSENT
    page = response(f"<p>{host}{path}</p>".ljust(PIECES * 10, ".").encode())
    head, body = page[: -PIECES * 10], page[-PIECES * 10 :]
    if host != "drip.example":
        return page
    return [(0.0, head), *((0.1, body[n : n + 10]) for n in range(0, len(body), 10))]


def crawl(out, port, **fields):
    given = {"test_only_loopback": port, "delay_s": 0, "delay_factor": 0, "max_delay_s": 0.2, "rounds": 1, **fields}
    settings = [f"--set=crawl.{name}={json.dumps(value)}" for name, value in given.items()]
    command = ["crawl", *DRIPS, *QUICK, "--contact", "tests@example.org", "--out", out, "--quiet", "--workers=1"]
    jobs.run(*command, *settings, timeout_s=90)


def asked_over_s(site):
    """Return the seconds between the first and the last request to the host that drips, as the site counts them."""
    starts = [each.start for each in site.asked if each.host == "drip.example"]
    return max(starts) - min(starts)


def states(out):
    """Return host -> {state: URLs} of the frontier."""
    store, found = open_store(out), {"http://drip.example": {}, "http://quick.example": {}}
    for run in jobs.manifest(out, "crawl")["frontier"]:
        for batch in read_run(store, Run(**run)):
            for row in batch.select(["authority", "state"]).to_pylist():
                found[row["authority"]][row["state"]] = found[row["authority"]].get(row["state"], 0) + 1
    return found


def log(out):
    names = [shard["name"] for shard in jobs.manifest(out, "crawl")["shards"] if shard["kind"] == "requests"]
    return pa.concat_tables([pq.read_table(out / name) for name in names]).to_pylist()


def test_a_dripping_site_cannot_make_a_round_longer_than_it_may_be(tmp_path):
    with recording(answer) as site:
        crawl(tmp_path, site.port, max_round_s=4)
        came = states(tmp_path)
        assert asked_over_s(site) < 4  # all twelve would take twelve
        assert came["http://quick.example"] == {"kept": len(QUICK)}
        kept = came["http://drip.example"]["kept"]
        assert came["http://drip.example"] == {"kept": kept, "pending": len(DRIPS) - kept} and 1 <= kept <= 5
        left = [row for row in log(tmp_path) if row["verdict"] == "later"]
        assert {(row["reason"], row["status"]) for row in left} == {("out_of_time", None)}
        assert len(left) == len(DRIPS) - kept
        assert jobs.manifest(tmp_path, "crawl")["ledger"]["out"]["skipped/to_be_tried_again"] == len(left)
        crawl(tmp_path, site.port, rounds=2, max_round_s=60)  # neither is a setting that starts a new count
    assert states(tmp_path)["http://drip.example"] == {"kept": len(DRIPS)}


def test_a_dripping_host_rests_alone_when_its_own_time_is_over(tmp_path):
    with recording(answer) as site:
        crawl(tmp_path, site.port, max_host_s=3)
        assert asked_over_s(site) < 3 + 1  # the request under way may end
    came = states(tmp_path)
    assert came["http://quick.example"] == {"kept": len(QUICK)}
    assert came["http://drip.example"]["kept"] in (3, 4) and came["http://drip.example"]["pending"] in (8, 9)
    (told,) = {row["detail"] for row in log(tmp_path) if row["verdict"] == "later"}
    assert told.startswith("its requests took ") and told.endswith(" s of this round")


# Hours at once


def crawled(hosts, urls, end_s, **settings):
    loop, sink = JumpingLoop(), Ledger()
    table = rows(urls)
    web = Web(hosts, lambda: EPOCH + loop.time())
    given = terms_for(table, block(**settings))
    terms = Terms(given.block, given.limits, given.admit, given.known, end_s=EPOCH + end_s)
    try:
        assert run_crawl(loop, web, table, terms, sink, hosts=NO_HOSTS)
    finally:
        loop.close()
    return sink, web.record


@pytest.mark.parametrize("end_s", [0.5, 30.0, 3600.0])
def test_after_the_end_nobody_is_asked_and_every_url_has_its_word(end_s):
    hosts = {f"h{n}.example": Host(latency_s=20.0 * n) for n in range(4)}
    urls = [f"http://h{n}.example/{page}" for n in range(4) for page in range(100)]
    sink, record = crawled(hosts, urls, end_s)
    assert max(each.started for each in record) < EPOCH + end_s
    states = {}
    for each in sink.fetched:
        states.setdefault((each.state, each.reason), []).append(each.target.url)
    assert set(states) <= {("kept", None), ("later", FetchFailed.OUT_OF_TIME)}
    assert sorted(url for some in states.values() for url in some) == sorted(urls)
    assert states["later", FetchFailed.OUT_OF_TIME]


def test_a_host_that_waits_to_be_asked_again_does_not_hold_the_round():
    hosts = {"a.example": Host(answers={"/1": (503, {"retry-after": "3000"})}), "b.example": Host()}
    sink, record = crawled(hosts, ["http://a.example/1", "http://a.example/2", "http://b.example/1"], 60.0)
    assert {each.target.url: each.state for each in sink.fetched} == {
        "http://a.example/1": "later", "http://a.example/2": "later", "http://b.example/1": "kept"
    }  # fmt: skip
    assert max(each.ended for each in record) < EPOCH + 60


def test_redirects_that_are_found_at_the_end_are_left_too():
    hosts = {"a.example": Host(latency_s=40.0, answers={"/1": (301, {"location": "http://www.a.example/2"})})}
    hosts["www.a.example"] = Host()
    sink, record = crawled(hosts, ["http://a.example/1"], 80.0, delay_factor=0)
    assert [each.path for each in record] == ["/robots.txt", "/1"]
    assert [(each.target.url, each.state) for each in sink.fetched] == [
        ("http://a.example/1", "redirected"), ("http://www.a.example/2", "later")
    ]  # fmt: skip


@pytest.mark.parametrize("setting", ["max_round_s", "max_host_s"])
@pytest.mark.parametrize("value", [0, -1])
def test_there_is_always_some_time(setting, value):
    with pytest.raises(ValidationError):
        block(**{setting: value})
