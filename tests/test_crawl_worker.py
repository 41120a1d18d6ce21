"""The worker's loop on a simulated web: what reaches the sink, and what never leaves the machine."""

import asyncio
import json

import pyarrow as pa
import pytest
from simulated_web import EPOCH, NO_HOSTS, Host, JumpingLoop, Ledger, Web, block, rows, run_crawl, target, terms_for

from filters.url import url_id
from manifests.limits import CrawlLimits
from manifests.reasons import FetchFailed, LinkSkipped
from pipelines.crawl.fetched import pending_rows
from pipelines.crawl.records import FRONTIER
from pipelines.crawl.site_files import files_wanted

PAGE = "http://a.example/page"


def crawled(hosts, urls, *, sink=None, limits=None, known=NO_HOSTS, table=None, max_bytes=None, **settings):
    """Crawl to the end; return (sink, the web's record)."""
    loop, sink = JumpingLoop(), sink or Ledger()
    table = rows(urls) if table is None else table
    web = Web(hosts, lambda: EPOCH + loop.time())
    terms = terms_for(table, block(**settings), limits, max_bytes)
    try:
        assert run_crawl(loop, web, table, terms, sink, hosts=known)
    finally:
        loop.close()
    return sink, web.record


def only(sink):
    (fetched,) = sink.fetched
    return fetched


def paths(record):
    return [request.path for request in record]


def site(**given):
    return {"a.example": Host(**given)}


@pytest.mark.parametrize(
    ("answer", "state", "reason", "requests"),
    [
        pytest.param((200, {}), "kept", None, 1, id="a page"),
        pytest.param((404, {}), "failed", FetchFailed.CLIENT_ERROR, 1, id="not found is not tried again"),
        pytest.param((304, {}), "failed", FetchFailed.MALFORMED_RESPONSE, 1, id="a 304 that nobody asked for"),
        pytest.param((302, {}), "failed", FetchFailed.MALFORMED_RESPONSE, 1, id="a redirect to nowhere"),
        pytest.param((500, {}), "failed", FetchFailed.SERVER_ERROR, 3, id="an error of the server, three times"),
        pytest.param((429, {}), "failed", FetchFailed.TOO_MANY_REQUESTS, 3, id="too many requests, three times"),
        pytest.param((0, {}), "failed", FetchFailed.DISCONNECTED, 3, id="no answer, three times"),
        pytest.param([(503, {}), (200, {})], "kept", None, 2, id="an error that passes"),
        pytest.param(
            (302, {"location": "ftp://a.example/"}), "failed", FetchFailed.BLOCKED_SCHEME, 1, id="out of the web"
        ),
        pytest.param((302, {"location": "http://[x/"}), "failed", FetchFailed.MALFORMED_URL, 1, id="to no URL at all"),
        pytest.param((302, {"location": "/" + "x" * 5000}), "failed", FetchFailed.URL_TOO_LONG, 1, id="too far"),
        pytest.param((301, {"location": "/page#top"}), "failed", FetchFailed.REDIRECT_LOOP, 1, id="to itself"),
    ],
)
def test_what_an_answer_comes_to(answer, state, reason, requests):
    sink, record = crawled(site(answers={"/page": answer}), [PAGE])
    assert (only(sink).state, only(sink).reason) == (state, reason)
    assert paths(record) == ["/robots.txt"] + ["/page"] * requests


@pytest.mark.parametrize(
    ("value", "wait_s"),
    [
        pytest.param("90", 90.0, id="seconds"),
        pytest.param("Fri, 15 Jan 2027 08:01:30 GMT", 90.0, id="a date"),
        pytest.param("soon", 2.0, id="nonsense: the delay doubles"),
        pytest.param("-5", 2.0, id="the past"),
    ],
)
def test_retry_after_is_obeyed(value, wait_s):
    _, record = crawled(
        site(latency_s=0.0, answers={"/page": [(503, {"retry-after": value}), (200, {})]}), [PAGE], delay_factor=0
    )
    first, second = record[1:]
    assert second.started - first.ended == pytest.approx(wait_s, abs=1.5 if "GMT" in value else 1e-3)


def test_a_redirect_within_the_domain_is_followed_in_the_same_round_and_known_by_its_hop():
    hosts = {"a.example": Host(answers={"/page": (301, {"location": "http://www.a.example/new?utm_source=x"})})}
    hosts["www.a.example"] = Host()
    sink, record = crawled(hosts, [PAGE])
    moved, kept = sink.fetched
    new = moved.redirect
    assert (moved.state, new.url, new.origin, new.referrer) == (
        "redirected",
        "http://www.a.example/new",
        "redirect",
        PAGE,
    )
    assert (new.redirects, new.depth, new.authority) == (1, 0, "http://www.a.example")
    assert (kept.state, kept.target) == ("kept", new)
    found = [row for batch in sink.batches for row in batch.redirects.to_pylist()]
    assert [(row["url"], row["state"], row["url_id"]) for row in found] == [(new.url, "pending", url_id(new.url))]
    assert len(record) == 4


def test_a_redirect_to_another_domain_waits_for_the_next_round():
    sink, record = crawled(site(answers={"/page": (301, {"location": "http://b.example/"})}), [PAGE])
    assert only(sink).redirect.url == "http://b.example/"
    assert paths(record) == ["/robots.txt", "/page"]


def test_a_redirect_to_a_page_that_is_known_is_not_followed_twice():
    answers = {"/1": (301, {"location": "/page"}), "/2": (301, {"location": "/page"})}
    _, record = crawled(site(answers=answers), [PAGE, "http://a.example/1", "http://a.example/2"])
    assert sorted(paths(record)) == ["/1", "/2", "/page", "/robots.txt"]


def test_a_redirect_into_a_disallowed_folder_is_refused_there():
    hosts = site(disallowed=("/no/",), answers={"/page": (301, {"location": "/no/1"})})
    sink, record = crawled(hosts, [PAGE])
    assert [each.state for each in sink.fetched] == ["redirected", "refused"]
    assert paths(record) == ["/robots.txt", "/page"]


def test_redirects_end_after_ten_hops():
    answers = {f"/{n}": (302, {"location": f"/{n + 1}"}) for n in range(20)}
    sink, record = crawled(site(answers=answers), ["http://a.example/0"])
    assert [each.state for each in sink.fetched] == ["redirected"] * 10 + ["failed"]
    assert sink.fetched[-1].reason == FetchFailed.TOO_MANY_REDIRECTS
    assert len(record) == 12


def test_a_circle_of_redirects_is_called_one():
    answers = {"/page": (302, {"location": "/b"}), "/b": (302, {"location": "/page"})}
    sink, _ = crawled(site(answers=answers), [PAGE])
    assert [(each.state, each.reason) for each in sink.fetched] == [
        ("redirected", None),
        ("failed", FetchFailed.REDIRECT_LOOP),
    ]


def test_a_redirect_out_of_scope_says_why_it_is_not_followed():
    hosts = site(answers={"/page": (301, {"location": "/far"})})
    table = pending_rows([target(PAGE, depth=21)])
    sink, record = crawled(hosts, [], table=table)
    assert (only(sink).redirect, only(sink).skipped) == (None, LinkSkipped.TOO_DEEP)
    assert len(record) == 2


def known_page(**given):
    row = pending_rows([target(PAGE)]).to_pylist()[0] | {"state": "kept", "visits": 1, "digest": b"d" * 32, **given}
    return pa.Table.from_pylist([row], FRONTIER)


def test_a_page_that_is_here_is_asked_for_only_if_it_has_changed():
    hosts = site(answers={"/page": (304, {})})
    sink, record = crawled(hosts, [], table=known_page(etag='W/"雪"', last_modified="Fri, 15 Jan 2027 08:00:00 GMT"))
    assert record[-1].headers == {"If-Modified-Since": "Fri, 15 Jan 2027 08:00:00 GMT"}  # no header holds that tag
    assert only(sink).state == "unchanged"
    _, record = crawled(site(), [], table=known_page(etag='"1"'))
    assert record[-1].headers == {"If-None-Match": '"1"'}


def test_a_page_whose_bytes_are_not_here_is_asked_for_as_a_whole():
    _, record = crawled(site(), [], table=known_page(etag='"1"', digest=None))
    assert record[-1].headers == {}


# robots.txt and the other files


@pytest.mark.parametrize(
    ("status", "settings", "state", "reason"),
    [
        pytest.param(404, {}, "kept", None, id="none: all is allowed"),
        pytest.param(403, {}, "kept", None, id="forbidden, read as none"),
        pytest.param(403, {"robots_forbidden": "disallow"}, "refused", "robots", id="forbidden, read as a no"),
        pytest.param(500, {}, "retry", FetchFailed.ROBOTS_UNREACHABLE, id="an error of the server: nothing is fetched"),
        pytest.param(429, {}, "retry", FetchFailed.ROBOTS_UNREACHABLE, id="too many requests: nothing is fetched"),
        pytest.param(None, {}, "retry", FetchFailed.ROBOTS_UNREACHABLE, id="no answer: nothing is fetched"),
    ],
)
def test_what_the_answer_to_robots_means_for_the_pages(status, settings, state, reason):
    sink, record = crawled(site(robots_status=status), [PAGE], **settings)
    assert (only(sink).state, only(sink).reason) == (state, reason)
    assert ("/page" in paths(record)) == (state == "kept")
    assert all(file.kind == "robots" for batch in sink.batches for file in batch.files)


def test_where_robots_may_not_be_asked_for_no_page_may_either_and_the_reason_is_told():
    hosts = site(robots_status=None, robots_error=FetchFailed.BLOCKED_ADDRESS)
    sink, record = crawled(hosts, [PAGE, "http://a.example/2"])
    assert {(each.state, each.reason) for each in sink.fetched} == {("failed", FetchFailed.BLOCKED_ADDRESS)}
    assert paths(record) == ["/robots.txt"]


def test_a_refusal_carries_the_line_and_the_digest_that_decided():
    sink, _ = crawled(site(disallowed=("/page",)), [PAGE])
    refused = only(sink)
    assert (refused.state, refused.reason, refused.detail) == ("refused", "robots", "Disallow: /page")
    assert refused.exchange is None
    assert refused.robots_digest == sink.hosts()["robots_digest"][0].as_py()


@pytest.mark.parametrize(
    ("refuse", "asked"),
    [
        pytest.param(("noai", "noindex"), [], id="neither"),
        pytest.param(("tdm_reservation",), ["/.well-known/tdmrep.json"], id="TDMRep only"),
        pytest.param(("ai_txt",), ["/ai.txt"], id="ai.txt only"),
        pytest.param(("ai_txt", "tdm_reservation"), ["/.well-known/tdmrep.json", "/ai.txt"], id="both"),
    ],
)
def test_other_files_are_asked_for_only_where_the_recipe_heeds_them(refuse, asked):
    sink, record = crawled(site(), [PAGE], refuse=refuse)
    assert paths(record) == ["/robots.txt", *asked, "/page"]
    assert [file.kind for batch in sink.batches for file in batch.files] == [
        "robots",
        *files_wanted(block(refuse=refuse)),
    ]


def test_other_files_are_asked_for_again_with_robots():
    hosts = site(robots_ttl_s=700.0)
    urls = [f"http://a.example/{n}" for n in range(30)]
    _, record = crawled(hosts, urls, refuse=("ai_txt",), delay_s=30.0)
    files = [path for path in paths(record) if path in ("/robots.txt", "/ai.txt")]
    assert files == ["/robots.txt", "/ai.txt"] * 2


def test_every_signal_of_the_owner_reaches_the_sink_raw():
    reservation = json.dumps([{"location": "/*", "tdm-reservation": 1}]).encode()
    answers = {
        "/page": (
            200,
            {"x-robots-tag": "noai, max-image-preview:large", "server": "x", "tdm-policy": "http://a.example/"},
        ),
        "/.well-known/tdmrep.json": (200, {}, reservation),
        "/ai.txt": (200, {}, b"User-Agent: *\nDisallow: /"),
    }
    hosts = site(more=("Content-Signal: ai-train=no",), answers=answers)
    sink, _ = crawled(hosts, [PAGE], refuse=("noai", "tdm_reservation", "ai_txt"))
    lines = only(sink).policy
    assert lines[:2] == ("x-robots-tag: noai, max-image-preview:large", "tdm-policy: http://a.example/")
    assert any("Content-Signal: ai-train=no" in line for line in lines)
    assert any("tdm-reservation" in line for line in lines[2:])
    assert any(line.startswith("ai.txt") for line in lines)


def test_an_unreachable_ai_txt_leaves_the_pages_alone():
    sink, record = crawled(site(answers={"/ai.txt": (0, {})}), [PAGE], refuse=("ai_txt",))
    assert only(sink).state == "retry"
    assert "/page" not in paths(record)


# Checkpoints


@pytest.mark.parametrize("write_s", [0.0, 60.0])
def test_no_more_than_a_checkpoint_and_what_is_under_way_waits_in_memory(write_s):
    limits = CrawlLimits(checkpoint_pages=20, checkpoint_s=1e6)
    hosts = {f"h{n}.example": Host() for n in range(30)}
    done = []

    class Watching(Ledger):
        async def write(self, batch):
            assert len(batch.fetched) <= 20 + 8
            await super().write(batch)
            done.append(len(record_of[0].record) - 30 - sum(len(each.fetched) for each in self.batches))

    record_of = []
    loop, sink = JumpingLoop(), Watching(write_s)
    table = rows([f"http://{host}/{n}" for host in hosts for n in range(10)])
    web = Web(hosts, lambda: EPOCH + loop.time())
    record_of.append(web)
    assert run_crawl(loop, web, table, terms_for(table, block(connections=8), limits), sink)
    loop.close()
    assert len(sink.fetched) == 300
    assert max(done) <= 20 + 8


def test_large_bodies_are_written_before_more_are_fetched():
    limits = CrawlLimits(checkpoint_bytes=1000, checkpoint_s=1e6, checkpoint_pages=10_000)
    hosts = {f"h{n}.example": Host(answers={"/big": (200, {}, b"x" * 600)}) for n in range(50)}
    sink, _ = crawled(hosts, [f"http://{host}/big" for host in hosts], limits=limits)
    assert len(sink.fetched) == 50
    assert max(batch.body_bytes for batch in sink.batches) <= 3000


def test_a_slow_crawl_commits_every_few_seconds():
    limits = CrawlLimits(checkpoint_s=5.0)
    sink, _ = crawled(site(), [f"http://a.example/{n}" for n in range(30)], limits=limits, delay_factor=0)
    assert len(sink.batches) >= 5
    assert sum(len(batch.fetched) for batch in sink.batches) == 30


def test_a_budget_of_bytes_ends_the_round_and_leaves_the_rest_pending():
    sink, record = crawled(site(), [f"http://a.example/{n}" for n in range(30)], max_bytes=32 * 5)
    assert [each.state for each in sink.fetched] == ["kept"] * 5
    assert len(record) == 6


def test_what_the_sink_raises_ends_the_crawl():
    class Broken(Ledger):
        async def write(self, batch):
            raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        crawled(
            site(), [f"http://a.example/{n}" for n in range(100)], sink=Broken(), limits=CrawlLimits(checkpoint_pages=4)
        )


def test_a_bug_in_the_client_ends_the_crawl_and_cancels_what_is_under_way():
    class Buggy(Web):
        async def fetch(self, url, *, max_bytes, headers=None):
            if url.startswith("http://a."):
                raise TypeError("a bug")
            try:
                await asyncio.sleep(1e6)
            finally:
                ended.append(url)

    ended = []
    loop, table = JumpingLoop(), rows([PAGE, "http://b.example/1"])
    web = Buggy(site() | {"b.example": Host(latency_s=0.01)}, lambda: EPOCH + loop.time())
    with pytest.raises(TypeError, match="a bug"):
        run_crawl(loop, web, table, terms_for(table, block(delay_factor=0)), Ledger())
    assert loop.time() < 60
    loop.close()
    assert ended == ["http://b.example/1"]


def test_nothing_to_do_is_done_at_once():
    sink, record = crawled(site(), [])
    assert (sink.batches, record) == ([], [])
