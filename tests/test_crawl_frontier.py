"""The frontier's arithmetic against a plain reading of it, row by row, that lives here."""

import itertools
from collections import Counter, defaultdict

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.url import domain_key, location, url_id
from manifests.limits import CrawlLimits
from manifests.reasons import LinkSkipped
from pipelines.crawl.frontier import (
    KnownIds,
    Quota,
    in_fetch_order,
    last_outcomes,
    merge_frontier,
    merge_hosts,
    remaining,
    select,
)
from pipelines.crawl.records import FRONTIER, HOST, OUTCOME

LIMITS = CrawlLimits()
PLENTY = 10**6
ORIGINS = ["seed", "sitemap", "redirect", "canonical", "link"]


def row(url, **given):
    place = location(url)
    fixed = dict.fromkeys(FRONTIER.names) | {"depth": 0, "redirects": 0, "visits": 0, "attempts": 0}
    fixed |= {"key": domain_key(place.domain), "url_id": url_id(url), "url": url, "authority": place.authority}
    return {**fixed, "kind": "page", "origin": "link", "state": "pending", **given}


def outcome(url, state, **given):
    place = location(url)
    fixed = dict.fromkeys(OUTCOME.names) | {"key": domain_key(place.domain), "url_id": url_id(url), "url": url}
    fixed |= {"authority": place.authority, "kind": "page", "state": state, "started_s": 1.0, "ended_s": 2.0}
    return {**fixed, **given}


def frontier(*rows):
    ordered = sorted(rows, key=lambda each: (each["key"], each["url_id"]))
    return pa.Table.from_pylist(ordered, FRONTIER)


def outcomes(*rows):
    return pa.Table.from_pylist(list(rows), OUTCOME)


def hosts(*rows):
    empty = dict.fromkeys(HOST.names) | {"failures": 0, "pages": 0, "bytes": 0, "next_s": 0.0, "robots_until_s": 0.0}
    return pa.Table.from_pylist([empty | each for each in rows], HOST)


def one(merged, url):
    """Return the row of a URL."""
    return next(each for each in merged.frontier.to_pylist() if each["url"] == url)


def urls_of(table):
    return table["url"].to_pylist()


A, B = "http://a.example/a", "http://a.example/b"
DIGEST = b"d" * 32


@pytest.mark.parametrize(
    ("before", "came", "after"),
    [
        pytest.param(
            {},
            {"state": "kept", "status": 200, "etag": '"1"', "digest": DIGEST, "started_s": 8.0, "ended_s": 9.0},
            {"state": "kept", "visits": 1, "status": 200, "etag": '"1"', "digest": DIGEST, "fetched_s": 8.0},
            id="a page that is kept",
        ),
        pytest.param(
            {"attempts": 1},
            {"state": "failed", "reason": "client_error", "status": 404},
            {"state": "failed", "reason": "client_error", "visits": 1, "attempts": 0, "status": 404},
            id="a page that is not there",
        ),
        pytest.param(
            {},
            {"state": "retry", "reason": "timed_out"},
            {"state": "pending", "reason": "timed_out", "visits": 0, "attempts": 1, "status": None, "fetched_s": None},
            id="a host in trouble: pending still, one attempt more",
        ),
        pytest.param(
            {"attempts": 2},
            {"state": "retry", "reason": "timed_out"},
            {"state": "failed", "reason": "timed_out", "visits": 1, "attempts": 0},
            id="the last attempt",
        ),
        pytest.param(
            {"state": "kept", "visits": 1, "etag": '"1"', "digest": DIGEST, "status": 200, "fetched_s": 1.0},
            {"state": "unchanged", "status": 304, "ended_s": 9.0},
            {"state": "unchanged", "visits": 2, "etag": '"1"', "digest": DIGEST, "status": 304, "fetched_s": 1.0},
            id="a page that has not changed keeps its validators",
        ),
        pytest.param(
            {"state": "kept", "visits": 1, "etag": '"1"', "digest": DIGEST},
            {"state": "refused", "reason": "noai", "status": 200, "etag": '"2"', "digest": DIGEST},
            {"state": "refused", "reason": "noai", "visits": 2, "etag": None, "digest": None},
            id="a page that is refused now is never confirmed by a 304 later",
        ),
        pytest.param(
            {"state": "kept", "visits": 1, "etag": '"1"', "digest": DIGEST, "status": 200},
            {"state": "retry", "reason": "dns_failed"},
            {"state": "pending", "visits": 1, "attempts": 1, "etag": '"1"', "digest": DIGEST, "status": 200},
            id="a second visit that did not come off forgets nothing",
        ),
        pytest.param(
            {},
            {"state": "refused", "reason": "robots"},
            {"state": "refused", "reason": "robots", "visits": 1, "status": None, "fetched_s": None},
            id="refused without a request",
        ),
    ],
)
def test_what_becomes_of_a_url(before, came, after):
    came = dict(came)
    merged = merge_frontier(
        frontier(row(A, **before), row(B)), outcomes(outcome(A, came.pop("state"), **came)), frontier(), LIMITS, PLENTY
    )
    found = one(merged, A)
    assert {name: found[name] for name in after} == after
    assert one(merged, B) == row(B)


def test_the_first_finder_of_a_known_url_stays():
    old = row(A, origin="link", referrer="http://a.example/x", depth=3)
    merged = merge_frontier(frontier(old), outcomes(), frontier(row(A, origin="seed")), LIMITS, PLENTY)
    assert merged.frontier.to_pylist() == [old]
    assert merged.skipped == {LinkSkipped.KNOWN: 1}


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        pytest.param({"origin": "seed", "depth": 9}, {"origin": "sitemap"}, id="a seed before a sitemap"),
        pytest.param({"origin": "sitemap", "depth": 9}, {"origin": "redirect"}, id="a sitemap before a redirect"),
        pytest.param({"origin": "redirect", "depth": 9}, {"origin": "canonical"}, id="a redirect before a canonical"),
        pytest.param({"origin": "canonical", "depth": 9}, {"origin": "link"}, id="a canonical before a link"),
        pytest.param({"depth": 1, "referrer": "z"}, {"depth": 2, "referrer": "a"}, id="then the shallower"),
        pytest.param({"referrer": "a"}, {"referrer": "b"}, id="then the referrer that sorts first"),
    ],
)
def test_of_several_finders_the_best_counts(better, worse):
    for found in (frontier(row(A, **better), row(A, **worse)), frontier(row(A, **worse), row(A, **better))):
        merged = merge_frontier(frontier(), outcomes(), found, LIMITS, PLENTY)
        assert merged.frontier.to_pylist() == [row(A, **better)]
        assert merged.skipped == {LinkSkipped.KNOWN: 1}


def test_too_many_redirects_lead_nowhere():
    found = frontier(row(A, redirects=10), row(B, redirects=11))
    merged = merge_frontier(frontier(), outcomes(), found, LIMITS, PLENTY)
    assert urls_of(merged.frontier) == [A]
    assert merged.skipped == {LinkSkipped.REDIRECTS: 1}


def test_a_full_host_takes_no_more_and_the_others_do():
    old = frontier(*(row(f"http://a.example/{n}") for n in range(3)))
    found = [row(f"http://a.example/new{n}", depth=n) for n in range(4)] + [row("http://b.example/")]
    merged = merge_frontier(old, outcomes(), frontier(*found), LIMITS, 5)
    assert merged.skipped == {LinkSkipped.HOST_FULL: 2}
    assert set(urls_of(merged.frontier)) == {
        *urls_of(old),
        "http://a.example/new0",
        "http://a.example/new1",
        "http://b.example/",
    }


def test_what_was_fetched_already_has_room_on_a_full_host():
    old, found = frontier(row(A)), frontier(row(B, origin="redirect"), row("http://a.example/c"))
    merged = merge_frontier(old, outcomes(outcome(B, "kept", status=200)), found, LIMITS, 1)
    assert set(urls_of(merged.frontier)) == {A, B}
    assert one(merged, B)["state"] == "kept"


def test_an_outcome_of_an_unknown_url_is_a_bug():
    with pytest.raises(ValueError, match="1 outcomes are of URLs that are neither"):
        merge_frontier(frontier(row(A)), outcomes(outcome(B, "kept")), frontier(), LIMITS, PLENTY)


def test_of_two_outcomes_of_a_url_the_later_counts_once():
    came = outcomes(outcome(A, "kept", ended_s=5.0, status=200), outcome(A, "retry", ended_s=3.0))
    assert last_outcomes(came)["state"].to_pylist() == ["kept"]
    found = one(merge_frontier(frontier(row(A)), came, frontier(), LIMITS, PLENTY), A)
    assert (found["state"], found["visits"], found["attempts"]) == ("kept", 1, 0)


def test_of_a_host_the_newest_row_stays():
    first = {"key": 1, "authority": "http://a.example", "next_s": 5.0, "robots_until_s": 99.0, "failures": 4}
    second = first | {"next_s": 9.0, "robots_until_s": 0.0, "failures": 0, "robots": b"new"}
    other = {"key": 1, "authority": "http://b.example"}
    for old, new in (
        (hosts(first), hosts(second, other)),
        (hosts(other, second), hosts(first)),
        (hosts(), hosts(first, other, second)),
    ):
        assert merge_hosts(old, new).select(["authority", "robots"]).to_pylist() == [
            {"authority": "http://a.example", "robots": b"new"},
            {"authority": "http://b.example", "robots": None},
        ]


# Against a plain reading

PAGES = st.builds(
    lambda host, page: f"http://h{host}.d{host // 2}.example/{page}", st.integers(0, 3), st.integers(0, 6)
)
FOUND = st.builds(
    lambda url, origin, depth, redirects, referrer: row(
        url, origin=origin, depth=depth, redirects=redirects, referrer=referrer
    ),
    PAGES,
    st.sampled_from(ORIGINS),
    st.integers(0, 2),
    st.integers(0, 12),
    st.none() | st.sampled_from(["http://x.example/", "http://ゆ.example/雪"]),
)
STATES = st.sampled_from(["kept", "redirected", "unchanged", "refused", "failed", "retry"])


def plainly_merged(old, came, found, max_pages_per_host):
    """Read merge_frontier's docstring row by row; return {url: (row, last state)} and what is skipped."""

    def rank(each):
        return (
            ORIGINS.index(each["origin"]), each["depth"], each["redirects"],
            each["referrer"] is None, (each["referrer"] or "").encode(),
        )  # fmt: skip

    skipped, known = Counter(), {each["url"]: each for each in old}
    last = {}
    for each in sorted(came, key=lambda each: each["ended_s"]):
        last[each["url"]] = each["state"]
    best = {}
    for each in found:
        if each["redirects"] > LIMITS.max_redirects:
            skipped[LinkSkipped.REDIRECTS] += 1
        elif each["url"] in known:
            skipped[LinkSkipped.KNOWN] += 1
        elif each["url"] in best:
            skipped[LinkSkipped.KNOWN] += 1
            best[each["url"]] = min(best[each["url"]], each, key=rank)
        else:
            best[each["url"]] = each
    per_host = Counter(each["authority"] for each in old)

    def order(each):
        return (each["url"] not in last, each["origin"] != "seed", each["depth"], each["url_id"])

    for each in sorted(best.values(), key=order):
        if per_host[each["authority"]] >= max_pages_per_host and each["url"] not in last:
            skipped[LinkSkipped.HOST_FULL] += 1
        else:
            known[each["url"]] = each
            per_host[each["authority"]] += 1
    return known, last, skipped


@given(st.lists(FOUND, max_size=12), st.lists(FOUND, max_size=40), st.integers(1, 8), st.data())
def test_a_merge_is_what_its_description_says_whatever_the_order(old, found, max_pages_per_host, data):
    old = list({each["url"]: each for each in old}.values())
    some = sorted({each["url"] for each in [*old, *(each for each in found if each["redirects"] <= 10)]})
    chosen = data.draw(st.lists(st.sampled_from(some), unique=True)) if some else []
    came = [outcome(url, data.draw(STATES), ended_s=float(n)) for n, url in enumerate(chosen)]
    known, last, skipped = plainly_merged(old, came, found, max_pages_per_host)
    merged = merge_frontier(frontier(*old), outcomes(*came), frontier(*found), LIMITS, max_pages_per_host)
    again = merge_frontier(
        frontier(*old), outcomes(*reversed(came)), pa.Table.from_pylist(data.draw(st.permutations(found)), FRONTIER),
        LIMITS, max_pages_per_host,
    )  # fmt: skip
    assert merged.frontier.equals(again.frontier)
    assert merged.skipped == again.skipped == +skipped
    assert set(urls_of(merged.frontier)) == known.keys()
    keys = list(zip(merged.frontier["key"].to_pylist(), merged.frontier["url_id"].to_pylist(), strict=True))
    assert keys == sorted(set(keys))
    for each in merged.frontier.to_pylist():
        expected = {None: "pending", "retry": "pending"}.get(state := last.get(each["url"]), state)
        assert each["state"] == expected
        for name in ("origin", "depth", "redirects", "referrer"):
            assert each[name] == known[each["url"]][name]


@given(st.lists(PAGES, unique=True, max_size=60), st.integers(1, 20), st.integers(1, 8), st.integers(1, 6), st.data())
def test_a_round_takes_its_share_of_every_host_in_order(urls, pages, per_round, per_host, data):
    visits = st.sampled_from([0, 0, 0, 1, 2])
    rows = [row(url, depth=data.draw(st.integers(0, 2)), visits=data.draw(visits)) for url in urls]
    rows = [{**each, "state": "kept" if each["visits"] else "pending"} for each in rows]
    chosen = select(frontier(*rows), Quota(pages, per_round, per_host, visits=2)).to_pylist()

    ready, seen = defaultdict(list), Counter(each["authority"] for each in rows if each["visits"])
    for each in sorted(rows, key=lambda each: (each["depth"], each["url_id"])):
        if each["visits"] < 2 and (each["visits"] or seen[each["authority"]] < per_host):
            ready[each["authority"]].append(each)
            seen[each["authority"]] += not each["visits"]
    taken = defaultdict(list)
    for each in chosen:
        taken[each["authority"]].append(each)
    assert len(chosen) == min(pages, sum(min(per_round, len(some)) for some in ready.values()))
    for authority, some in taken.items():
        assert [each["url"] for each in some] == [each["url"] for each in ready[authority]][: len(some)]
    shares = [len(taken[authority]) for authority in ready]
    wanting = [len(taken[name]) for name, some in ready.items() if len(taken[name]) < min(per_round, len(some))]
    assert not wanting or max(shares) - min(wanting) <= 1


def test_a_selection_of_a_selection_is_the_same():
    rows = frontier(*(row(f"http://h{n % 7}.example/{n}") for n in range(100)))
    quota = Quota(30, 5, 100)
    assert select(select(rows, quota), quota).equals(select(rows, quota))


def test_nothing_is_ready_where_all_is_done():
    assert select(frontier(row(A, state="failed", visits=1)), Quota(9, 9, 9)).num_rows == 0
    assert select(frontier(), Quota(9, 9, 9)).schema.equals(FRONTIER)


def test_hosts_stand_together_in_the_order_of_fetching():
    ordered = in_fetch_order(frontier(*(row(f"http://h{n % 3}.a.example/{n}") for n in range(30))))
    names = ordered["authority"].to_pylist()
    assert sum(one != other for one, other in itertools.pairwise(names)) == 2


def test_ids_are_known_whatever_bytes_they_end_in():
    ids = [b"\0" * 16, b"a" * 15 + b"\0", b"\xff" * 16]
    known = KnownIds([pa.array(ids, pa.binary(16)), pa.chunked_array([], pa.binary(16))])
    assert all(each in known for each in ids)
    assert b"a" * 16 not in known
    assert [known.add(b"b" * 16), known.add(b"b" * 16), known.add(ids[1])] == [True, False, False]


def test_a_slice_of_ids_is_that_slice():
    ids = pa.array([bytes([n]) * 16 for n in range(1, 20)], pa.binary(16))
    known = KnownIds([ids.slice(5, 3)])
    assert [n for n in range(1, 20) if bytes([n]) * 16 in known] == [6, 7, 8]


def test_after_a_kill_what_has_no_outcome_is_left_and_redirects_and_sitemaps_with_it():
    moved, away, done = "http://www.a.example/moved", "http://b.example/", "http://a.example/done"
    sitemap = "http://b.example/sitemap.xml"
    taken = frontier(row(A), row(B))
    found = frontier(
        row(moved, origin="redirect", referrer=A),
        row(away, origin="redirect", referrer=A),
        row(sitemap, origin="sitemap", kind="sitemap", referrer="http://b.example/robots.txt"),
        row("http://a.example/link", referrer=A),
        row("http://a.example/known", origin="redirect", referrer=A),
        row(done, origin="redirect", referrer=A),
    )
    known = KnownIds([frontier(row(A), row(B), row("http://a.example/known"))["url_id"]])
    came = outcomes(outcome(A, "redirected"), outcome(done, "kept"))
    left = remaining(taken, came, pa.concat_tables([found, found]), known)
    assert sorted(urls_of(left)) == sorted([B, moved, sitemap])
    assert [url_id(each) in known for each in (moved, done, sitemap, away)] == [True, True, True, False]


def test_a_thousand_hosts_of_a_hundred_pages_are_each_cut_to_fifty():
    count = 100_000
    ids = np.random.default_rng(0).bytes(16 * count)
    table = {name: pa.nulls(count, FRONTIER.field(name).type) for name in FRONTIER.names}
    table |= {
        name: pa.array(np.zeros(count), FRONTIER.field(name).type)
        for name in ("depth", "redirects", "visits", "attempts")
    }
    table["url_id"] = pa.array([ids[n * 16 : n * 16 + 16] for n in range(count)], pa.binary(16))
    table["key"] = pa.array(np.arange(count) // 100, pa.uint64())
    table["url"] = table["authority"] = pa.array([f"http://h{n // 100}.example" for n in range(count)])
    table["state"], table["origin"] = pa.array(["pending"] * count), pa.array(["link"] * count)
    found = pa.table(table, schema=FRONTIER)
    merged = merge_frontier(found.slice(0, 0), outcomes(), found, LIMITS, 50)
    assert merged.frontier.num_rows == merged.skipped[LinkSkipped.HOST_FULL] == count // 2
