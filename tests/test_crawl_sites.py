"""What a worker holds of its sites, and the small parts beside it: files packed, lists cut, claims checked."""

import time
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.policy import MAX_STORED_BYTES, directives, judge
from filters.robots import Robots, without_comments
from manifests.store import open_store
from pipelines.crawl import claims
from pipelines.crawl.claims import Claim, ClaimLostError
from pipelines.crawl.sites import held, pack, read_held, unpack
from pipelines.crawl.update import MOST_MEDIA_TYPES, OTHER, commonest

MAGIC = [b"\0zlib\0", b"\0unread\0", b"\0zlib\0" + zlib.compress(b"x"), b"\0unread\0truncated"]
bodies = st.one_of(
    st.binary(max_size=200),
    st.tuples(st.sampled_from(MAGIC), st.binary(max_size=50)).map(b"".join),
    st.tuples(st.binary(min_size=1, max_size=40), st.integers(1, 2000)).map(lambda pair: pair[0] * pair[1]),
)


@given(bodies)
def test_what_is_packed_comes_back(body):
    assert unpack(pack(body)) == body


@given(bodies)
def test_a_file_that_was_read_never_counts_as_unread_whatever_its_bytes(body):
    assert read_held(held(body, None)) == (body, None)


@pytest.mark.parametrize("why", ["truncated", "no JSON", "more than 1000 rules"])
def test_of_a_file_that_was_not_read_only_the_reason_is_held(why):
    assert read_held(held(b"anything", why)) == (b"", why)


def test_long_files_are_held_small_and_short_ones_as_they_are():
    assert pack(b"a" * 4096) == b"a" * 4096
    assert len(pack("Disallow: /雪\n".encode() * 10_000)) < 2000


# robots.txt without its comments reads the same

robots_line = st.one_of(
    st.sampled_from(
        [
            "User-agent: *", "User-agent: corpusmill", "Disallow: /a", "Allow: /a/b # why", "Crawl-delay: 3", "# only",
            "Disallow: /雪/*.html$", "Sitemap: http://a.example/s.xml", "Content-Usage: train-ai=n", "nonsense", "",
            "Content-Signal: /a ai-train=no", "  disallow : /c  ", "Disallow:", "Disallow /d", "Request-rate: 1/5",
        ]
    ),
    st.text(alphabet="ab/*$#: \té", max_size=20),
)  # fmt: skip


@given(st.lists(robots_line, max_size=12), st.sampled_from(["\n", "\r\n", "\r"]), st.booleans())
def test_a_robots_txt_without_comments_says_the_same(lines, end, has_mark):
    body = (b"\xef\xbb\xbf" if has_mark else b"") + end.join(lines).encode()
    bare = without_comments(body)
    whole, short = Robots.parse(body, "corpusmill"), Robots.parse(bare, "corpusmill")
    assert b"# why" not in bare and b"Sitemap" not in bare
    assert len(bare) <= len(body)
    assert (whole.crawl_delay, short.sitemaps) == (short.crawl_delay, ())
    for path in ("/", "/a", "/a/b", "/a/b/c", "/c", "/d", "/雪/1.html", "/e?x"):
        url = f"http://a.example{path}"
        assert (whole.allowed(url), whole.rule(url), whole.usage(url)) == (
            short.allowed(url), short.rule(url), short.usage(url)
        )  # fmt: skip


# The owner's words as they are stored

words = st.sampled_from(["noai", "noindex", "all", "雪", "max-snippet:3", "x" * 400])
signals = st.lists(st.lists(words, min_size=1, max_size=40).map(lambda said: f"x-robots-tag: {', '.join(said)}"))


@given(signals)
def test_the_lines_that_are_stored_are_short_and_say_every_no_of_the_whole(lines):
    verdict = judge(lines)
    size = sum(len(line.encode()) for line in lines)
    assert sum(len(line.encode()) for line in verdict.lines) <= MAX_STORED_BYTES + 200
    if size <= MAX_STORED_BYTES:
        assert list(verdict.lines) == lines
    for no in ("noai", "noindex"):
        assert (no in directives(verdict.lines)) == (no in verdict.said)


def test_words_beyond_the_limit_are_counted_and_the_no_behind_them_is_kept():
    lines = ["x-robots-tag: " + "雪" * MAX_STORED_BYTES, "x-robots-tag: noai"]
    stored = judge(lines).lines
    left_out = sum(len(line.encode()) for line in lines) - len(stored[0].encode())
    assert stored[-1] == f"{left_out} bytes left out, noai"
    assert stored[0] == lines[0][: len(stored[0])] and len(stored) == 2


# Counts that are cut


@given(st.dictionaries(st.text("abc/雪", min_size=1, max_size=4), st.integers(1, 9), max_size=150), st.integers(0, 9))
def test_the_commonest_counts_and_the_sum_of_the_others(counts, others):
    counts = {**counts, **({OTHER: others} if others else {})}
    found = commonest(counts)
    named = {name: count for name, count in found.items() if name != OTHER}
    assert sum(found.values()) == sum(counts.values())
    assert named.items() <= counts.items() and len(named) <= MOST_MEDIA_TYPES
    left = [count for name, count in counts.items() if name not in named and name != OTHER]
    assert len(left) == max(0, len([name for name in counts if name != OTHER]) - MOST_MEDIA_TYPES)
    assert not left or max(left) <= min(named.values())
    assert commonest(found) == found


# A claim is looked at before each request


@pytest.fixture
def clock(monkeypatch):
    """Return a function that moves the clock of the claims."""
    now = [time.time()]
    monkeypatch.setattr(claims.time, "time", lambda: now[0])
    return lambda seconds: now.__setitem__(0, now[0] + seconds)


def test_a_claim_that_holds_is_not_renewed_by_a_look(tmp_path, clock):
    claim = Claim(open_store(tmp_path), "crawl/r")
    claim.wait_s()
    clock(claims.LEASE_S - 1)
    claim.check()
    assert claim.epoch == 1


def test_a_claim_whose_time_is_over_is_renewed_if_nobody_has_it(tmp_path, clock):
    store = open_store(tmp_path)
    claim = Claim(store, "crawl/r")
    claim.wait_s()
    clock(claims.LEASE_S)
    claim.check()
    assert claim.epoch == 2
    assert Claim(store, "crawl/r").wait_s() == pytest.approx(claims.LEASE_S, abs=1)


def test_a_claim_that_somebody_else_has_by_now_is_lost_before_the_next_request(tmp_path, clock):
    store = open_store(tmp_path)
    silent, other = Claim(store, "crawl/r"), Claim(store, "crawl/r")
    silent.wait_s()
    clock(claims.LEASE_S + 1)
    assert other.wait_s() == 0.0
    with pytest.raises(ClaimLostError):
        silent.check()
    other.check()
