"""The schedule alone: each call says what time it is, so every wait can be read off."""

import itertools
from collections import Counter

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.url import domain_key, location, url_id
from manifests.reasons import FetchFailed
from pipelines.crawl.fetched import Target, pending_rows
from pipelines.crawl.pace import Pace
from pipelines.crawl.records import HOST
from pipelines.crawl.schedule import Schedule, host_of

NOW = 1_800_000_000.0
PACE = Pace(
    delay_s=1.0,
    delay_factor=5.0,
    max_delay_s=30.0,
    max_retry_after_s=3600.0,
    max_attempts=3,
    max_host_failures=5,
    connections_per_domain=2,
)
NOBODY = HOST.empty_table()


def target(url, **given):
    place = location(url)
    row = {
        "key": domain_key(place.domain), "url_id": url_id(url), "url": url, "authority": place.authority,
        "kind": "page", "origin": "link", "referrer": None, "caption": None, "depth": 0, "redirects": 0, "visits": 0,
        "attempts": 0, "etag": None, "last_modified": None, "digest": None,
    }  # fmt: skip
    return Target(**{**row, **given})


def schedule(*urls, pace=PACE, hosts=NOBODY, **given):
    table = pending_rows([url if isinstance(url, Target) else target(url) for url in urls])
    return Schedule(table, hosts, pace, "corpusmill", NOW, **given)


def host_row(authority, **given):
    row = dict.fromkeys(HOST.names) | {"next_s": NOW, "failures": 0, "pages": 0, "bytes": 0, "robots_until_s": 0.0}
    row |= {"key": domain_key(location(f"{authority}/").domain), "authority": authority, **given}
    return pa.Table.from_pylist([row], HOST)


def allow(plan, now=NOW, body=b"", took_s=0.0):
    """Answer the robots.txt request that must come next; return when it ended."""
    item = plan.take(now)
    assert (item.kind, item.decided) == ("robots", None)
    plan.robots_known(item, "parsed" if body else "allow_all", body, now + 86_400)
    plan.finished(item, now, took_s)
    return now


def drain(plan, now=NOW, took_s=0.0):
    """Take all that is left, each request answered at once and well; return (time, item) of each."""
    found = []
    while (due := plan.next_time()) is not None:
        now = max(now, due)
        item = plan.take(now)
        if item is None:
            continue
        found.append((now, item))
        if item.kind == "robots":
            plan.robots_known(item, "allow_all", b"", now + 1e9)
        if not item.decided:
            plan.finished(item, now, took_s)
    return found


@pytest.mark.parametrize(
    ("robots", "took_s", "wait_s"),
    [
        pytest.param(b"", 0.0, 1.0, id="delay_s, where nothing asks for more"),
        pytest.param(b"User-agent: *\nCrawl-delay: 7", 0.0, 7.0, id="the site's Crawl-delay"),
        pytest.param(b"User-agent: *\nCrawl-delay: 0.2", 0.0, 1.0, id="a Crawl-delay below ours changes nothing"),
        pytest.param(b"", 2.0, 10.0, id="five times what the last request took"),
        pytest.param(b"", 20.0, 30.0, id="but not beyond max_delay_s"),
        pytest.param(b"User-agent: *\nCrawl-delay: 30", 1.0, 30.0, id="a Crawl-delay at the limit is honoured"),
        pytest.param(b"User-agent: other\nCrawl-delay: 9", 0.0, 1.0, id="what others are told is not for us"),
    ],
)
def test_between_the_end_of_a_request_and_the_next_lies_the_longest_delay(robots, took_s, wait_s):
    plan = schedule("http://a.example/1", "http://a.example/2")
    allow(plan, body=robots)
    now = plan.next_time()
    assert now == NOW + max(1.0, wait_s if took_s == 0 else now - NOW)
    first = plan.take(now)
    plan.finished(first, now + took_s, took_s)
    assert plan.next_time() == pytest.approx(now + took_s + wait_s)
    assert plan.take(now + took_s + wait_s - 0.01) is None
    assert plan.take(now + took_s + wait_s).kind == "page"


def test_a_host_is_asked_one_thing_at_a_time():
    plan = schedule("http://a.example/1", "http://a.example/2", "https://a.example/3")
    assert plan.take(NOW).kind == "robots"
    assert plan.take(NOW + 1e6) is None
    assert plan.next_time() is None


def test_every_site_of_a_host_is_asked_for_its_own_robots_first():
    plan = schedule("http://a.example/1", "https://a.example/2", "http://a.example:8080/3")
    asked = [(item.kind, item.site.authority) for _, item in drain(plan)]
    for authority in ("http://a.example", "https://a.example", "http://a.example:8080"):
        mine = [kind for kind, site in asked if site == authority]
        assert mine == ["robots", "page"]


def test_all_sites_of_a_host_share_its_delay():
    plan = schedule("http://a.example/1", "https://a.example/2", "http://a.example:8080/3")
    times = [now for now, _ in drain(plan)]
    assert all(later - sooner >= 1.0 for sooner, later in itertools.pairwise(times))
    assert len(times) == 6


def test_seeds_and_sitemaps_come_first_then_the_shallow_ones():
    deep, shallow = target("http://a.example/1", depth=2), target("http://a.example/2", depth=1)
    seed = target("http://a.example/3", origin="seed", depth=9)
    sitemap = target("http://a.example/s.xml", kind="sitemap", origin="sitemap", depth=3)
    plan = schedule(deep, shallow, sitemap, seed)
    urls = [item.url for _, item in drain(plan)][1:]
    assert urls == ["http://a.example/s.xml", "http://a.example/3", "http://a.example/2", "http://a.example/1"]


def test_a_domain_has_no_more_requests_under_way_than_it_may():
    plan = schedule(*(f"http://h{n}.a.example.org/" for n in range(5)), "http://b.example/")
    items = []
    while (item := plan.take(NOW)) is not None:
        items.append(item)
    under_way = Counter(item.lane.key for item in items)
    assert sorted(under_way.values()) == [1, 2]
    plan.robots_known(items[0], "allow_all", b"", NOW + 100)
    plan.finished(items[0], NOW, 0.0)
    assert plan.take(NOW).kind == "robots"  # a third host of the domain
    assert plan.take(NOW) is None


def test_hosts_that_wait_for_their_domain_all_have_their_turn():
    urls = [f"http://h{n}.a.example.org/{page}" for n in range(7) for page in range(3)]
    asked = drain(schedule(*urls))
    assert sorted(item.url for _, item in asked if item.kind == "page") == sorted(urls)


def test_what_robots_disallows_is_refused_without_a_request_and_names_the_line():
    plan = schedule("http://a.example/private/1", "http://a.example/open")
    allow(plan, body=b"User-agent: *\nDisallow: /private/ # no")
    found = [item for _, item in drain(plan, NOW + 1)]
    refused = [item.decided for item in found if item.decided]
    assert [(each.state, each.reason, each.detail) for each in refused] == [
        ("refused", "robots", "Disallow: /private/")
    ]
    assert [item.url for item in found if not item.decided] == ["http://a.example/open"]


def test_a_refusal_needs_no_waiting():
    plan = schedule(*(f"http://a.example/{n}" for n in range(50)))
    allow(plan, body=b"User-agent: *\nDisallow: /")
    times = [now for now, item in drain(plan)]
    assert len(times) == 50
    assert times[0] == times[-1]


def test_a_crawl_delay_beyond_the_limit_keeps_us_away():
    plan = schedule("http://a.example/1", "http://a.example/2")
    allow(plan, body=b"User-agent: *\nCrawl-delay: 31")
    found = [item for _, item in drain(plan)]
    assert [(item.decided.state, item.decided.reason) for item in found] == [("failed", FetchFailed.DELAY_TOO_LONG)] * 2


def test_stale_robots_are_fetched_again_before_the_next_page():
    plan = schedule(*(f"http://a.example/{n}" for n in range(3)))
    item = plan.take(NOW)
    plan.robots_known(item, "allow_all", b"", NOW + 1.5)
    plan.finished(item, NOW, 0.0)
    page = plan.take(NOW + 1)
    plan.finished(page, NOW + 1, 0.0)
    assert [page.kind, plan.take(NOW + 2).kind] == ["page", "robots"]


def test_robots_that_are_fresh_in_the_host_table_are_not_asked_for_again():
    known = host_row(
        "http://a.example", robots_state="parsed", robots=b"User-agent: *\nDisallow: /no\nCrawl-delay: 4",
        robots_until_s=NOW + 1000,
    )  # fmt: skip
    plan = schedule("http://a.example/no", "http://a.example/1", "http://a.example/2", hosts=known)
    found = drain(plan)
    assert sorted((item.kind, bool(item.decided)) for _, item in found) == [("page", False)] * 2 + [("page", True)]
    times = [now for now, item in found if not item.decided]
    assert times[1] - times[0] == 4.0


def test_a_host_is_left_alone_until_the_time_that_the_last_worker_noted():
    plan = schedule("http://a.example/1", hosts=host_row("http://a.example", next_s=NOW + 20))
    assert plan.take(NOW + 19.9) is None
    assert plan.take(NOW + 20).kind == "robots"


def test_after_a_kill_nobody_is_asked_before_the_longest_delay():
    plan = schedule("http://a.example/1", "http://b.example/1", resumed=True)
    assert plan.take(NOW + 29.9) is None
    assert plan.next_time() == NOW + 30


# Failures


def ready_page(*urls, **given):
    """Return a schedule after robots.txt, and the time of its first page."""
    plan = schedule(*(urls or ("http://a.example/1",)), **given)
    allow(plan)
    return plan, plan.next_time()


@pytest.mark.parametrize(
    ("retry_after_s", "wait_s"),
    [
        pytest.param(120.0, 120.0, id="Retry-After is obeyed"),
        pytest.param(0.0, 1.0, id="one of 0 shortens no delay"),
        pytest.param(3600.0, 3600.0, id="up to the limit"),
        pytest.param(None, 2.0, id="without it the delay doubles"),
    ],
)
def test_a_host_in_trouble_is_left_alone_for_longer(retry_after_s, wait_s):
    plan, now = ready_page()
    assert plan.finished(plan.take(now), now, 0.0, FetchFailed.TOO_MANY_REQUESTS, retry_after_s)
    assert plan.next_time() == now + wait_s
    assert plan.take(now + wait_s).target.attempts == 1


def test_the_delay_doubles_with_each_failure_and_starts_anew_after_a_success():
    plan, now = ready_page(*(f"http://a.example/{n}" for n in range(9)))
    waits = []
    for failure in (
        FetchFailed.TIMED_OUT,
        FetchFailed.SERVER_ERROR,
        FetchFailed.DISCONNECTED,
        None,
        FetchFailed.TIMED_OUT,
    ):
        plan.finished(plan.take(now), now, 0.0, failure)
        waits.append(plan.next_time() - now)
        now = plan.next_time()
    assert waits == [2.0, 4.0, 8.0, 1.0, 2.0]


def test_a_url_is_tried_as_often_as_it_may_be_and_then_no_more():
    plan, now = ready_page(pace=Pace(1.0, 0.0, 30.0, 3600.0, 3, 99, 2))
    stays = []
    while plan.next_time() is not None and (item := plan.take(plan.next_time())) is not None:
        stays.append(plan.finished(item, plan.next_time() or now, 0.0, FetchFailed.SERVER_ERROR))
    assert stays == [True, True, False]


def test_a_host_that_fails_too_often_rests_and_every_url_gets_a_word():
    urls = [f"http://a.example/{n}" for n in range(20)]
    plan, now = ready_page(*urls)
    requests, words = [], []
    while (due := plan.next_time()) is not None:
        now = max(now, due)
        item = plan.take(now)
        if item is None:
            continue
        if item.decided:
            words.append((item.url, item.decided.state, item.decided.reason))
        else:
            requests.append(item.url)
            if not plan.finished(item, now, 0.0, FetchFailed.CONNECT_FAILED):
                words.append((item.url, "failed", FetchFailed.CONNECT_FAILED))
    assert len(requests) == PACE.max_host_failures
    assert sorted(url for url, _, _ in words) == sorted(urls)
    assert {(state, reason) for _, state, reason in words} == {("retry", FetchFailed.CONNECT_FAILED)}


def test_a_url_whose_attempts_are_used_up_fails_when_its_host_rests():
    used_up = target("http://a.example/old")
    table = pending_rows([used_up]).set_column(13, "attempts", pa.array([2], pa.int16()))
    plan = Schedule(table, NOBODY, Pace(1.0, 0.0, 30.0, 3600.0, 3, 1, 2), "corpusmill", NOW)
    plan.finished(plan.take(NOW), NOW, 0.0, FetchFailed.ROBOTS_UNREACHABLE)
    assert [item.decided.state for _, item in drain(plan)] == ["failed"]


def test_unreachable_robots_are_asked_for_again_and_nothing_else_is():
    plan = schedule("http://a.example/1")
    kinds, now = [], NOW
    while (due := plan.next_time()) is not None:
        now = max(now, due)
        item = plan.take(now)
        if item and not item.decided:
            kinds.append(item.kind)
            plan.finished(item, now, 0.0, FetchFailed.ROBOTS_UNREACHABLE)
        elif item:
            kinds.append(item.decided.reason)
    assert kinds == ["robots"] * 5 + [FetchFailed.ROBOTS_UNREACHABLE]


def test_a_host_that_wants_us_back_much_later_rests_at_once():
    plan, now = ready_page("http://a.example/1", "http://a.example/2")
    plan.finished(plan.take(now), now, 0.0, FetchFailed.TOO_MANY_REQUESTS, 3601.0)
    assert [item.decided.state for _, item in drain(plan, now)] == ["retry", "retry"]
    noted = plan.sites.changed()
    assert noted["next_s"].to_pylist() == [now + PACE.max_retry_after_s]
    again = schedule("http://a.example/1", hosts=noted)
    words = [(item.decided.state, item.decided.reason) for _, item in drain(again)]
    assert words == [("later", FetchFailed.TOO_MANY_REQUESTS)]  # no attempt is lost


def test_a_host_that_failed_in_the_last_round_gets_one_request_to_show_that_it_is_back():
    plan = schedule("http://a.example/1", hosts=host_row("http://a.example", failures=5))
    plan.finished(plan.take(NOW), NOW, 0.0, FetchFailed.ROBOTS_UNREACHABLE)
    assert [bool(item.decided) for _, item in drain(plan)] == [True]


# Other files, redirects, what is noted


def test_other_files_are_asked_for_once_after_robots_and_before_any_page():
    plan = schedule("http://a.example/1", "http://a.example/2", files=("tdmrep", "ai_txt"))
    kinds = []
    now = allow(plan)
    while (due := plan.next_time()) is not None:
        now = max(now, due)
        item = plan.take(now)
        if item:
            kinds.append(item.kind)
            if item.kind != "page":
                setattr(item.site, item.kind, b"")
            plan.finished(item, now, 0.0)
    assert kinds == ["tdmrep", "ai_txt", "page", "page"]


def test_a_file_that_robots_forbids_counts_as_absent():
    plan = schedule("http://a.example/1", files=("tdmrep", "ai_txt"))
    allow(plan, body=b"User-agent: *\nDisallow: /.well-known/\nDisallow: /ai.txt")
    assert [item.kind for _, item in drain(plan)] == ["page"]


def test_a_redirect_within_the_host_waits_for_the_delay_too():
    plan, now = ready_page()
    item = plan.take(now)
    plan.finished(item, now, 0.0)
    plan.add(target("http://a.example/moved", origin="redirect"), now)
    assert plan.next_time() == now + 1.0
    assert plan.take(now + 1.0).url == "http://a.example/moved"


def test_a_redirect_wakes_a_host_that_had_nothing_left():
    plan, now = ready_page()
    plan.finished(plan.take(now), now, 0.0)
    assert plan.take(now + 50) is None
    assert plan.next_time() is None
    plan.add(target("http://a.example/moved"), now + 50)
    assert plan.take(now + 50).url == "http://a.example/moved"


def test_a_redirect_to_a_host_that_is_not_known_begins_with_its_robots():
    plan = schedule()
    assert plan.next_time() is None
    plan.add(target("http://www.a.example/"), NOW)
    assert [item.kind for _, item in drain(plan)] == ["robots", "page"]


def test_hosts_are_noted_once_after_each_request_and_know_when_they_may_be_asked_again():
    plan, now = ready_page()
    first = plan.sites.changed()
    assert first.select(["authority", "robots_state", "next_s", "failures"]).to_pylist() == [
        {"authority": "http://a.example", "robots_state": "allow_all", "next_s": now, "failures": 0}
    ]
    assert plan.sites.changed().num_rows == 0
    plan.finished(plan.take(now), now, 0.0)
    assert plan.sites.changed()["next_s"].to_pylist() == [now + 1.0]


@pytest.mark.parametrize(
    ("authority", "host"),
    [
        ("http://a.example", "a.example"),
        ("https://a.example:8080", "a.example"),
        ("http://[2001:db8::1]", "[2001:db8::1]"),
        ("http://[2001:db8::1]:8080", "[2001:db8::1]"),
    ],
)
def test_the_host_of_an_authority_has_no_scheme_and_no_port(authority, host):
    assert host_of(authority) == host


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 30)), min_size=1, max_size=60, unique=True),
    st.randoms(use_true_random=False),
)
def test_whatever_happens_no_url_is_lost_and_no_host_is_hurried(places, chance):
    urls = [f"http://h{host}.example/{page}" for host, page in places]
    plan, now = schedule(*urls), NOW
    under_way, ended, words = [], {}, []
    while under_way or plan.next_time() is not None:
        item = plan.take(now)
        if item is None and under_way:
            item = under_way.pop(chance.randrange(len(under_way)))
            failure = chance.choice([None, None, None, FetchFailed.TIMED_OUT, FetchFailed.SERVER_ERROR])
            ended[item.lane.host] = now
            if item.kind == "robots" and failure is None:
                plan.robots_known(item, "allow_all", b"", now + 50)
            if not plan.finished(item, now, 0.1, failure) and item.kind == "page":
                words.append(item.url)
        elif item is None:
            now = max(now, plan.next_time() or now)
        elif item.decided:
            words.append(item.url)
        else:
            assert item.lane.host not in [each.lane.host for each in under_way]
            assert now - ended.get(item.lane.host, 0.0) >= PACE.delay_s
            under_way.append(item)
            now += 0.01
    assert sorted(words) == sorted(urls)
