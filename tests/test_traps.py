"""Traps: what looks endless, what only looks like it, and hosts that repeat themselves."""

import re
import time
from collections import Counter
from html import unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.scope import DuplicateWatch, trap
from filters.traps import MAX_PERIOD, WINDOW_PAGES
from filters.url import UrlError, canonical_url
from manifests.limits import CrawlLimits
from manifests.reasons import LinkSkipped

LIMITS = CrawlLimits()
PATH, QUERY = LinkSkipped.TRAP_PATH, LinkSkipped.TRAP_QUERY
CALENDAR, SESSION = LinkSkipped.TRAP_CALENDAR, LinkSkipped.TRAP_SESSION
DRAWN = "0123456789abcdef0123456789abcdef"


def trapped(path):
    return trap(canonical_url(f"https://a.example/{path}"), LIMITS)


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        pytest.param("/".join(map(str, range(20))), None, id="20 segments"),
        pytest.param("/".join(map(str, range(20))) + "/", None, id="20 segments, the last one a folder"),
        pytest.param("/".join(map(str, range(21))), PATH, id="21 segments"),
        pytest.param("a/a/", None, id="a folder twice in a row"),
        pytest.param("a/a/a/", PATH, id="a folder three times in a row"),
        pytest.param("x/a/a/a/y.html", PATH, id="... in the middle"),
        pytest.param("a/a/a", None, id="a page named as its two folders"),
        pytest.param("a/b/a/b/", None, id="a pattern twice in a row"),
        pytest.param("a/b/a/b/a/b/", PATH, id="a pattern three times in a row"),
        pytest.param("a/b/c/a/b/c/a/b/c/d", PATH, id="a pattern of three"),
        pytest.param("a/b/a/c/a/d", None, id="a folder three times, apart"),
        pytest.param("a/b/a/c/a/d/a/e", PATH, id="a folder four times, apart"),
        pytest.param("x////y", PATH, id="slashes that pile up"),
        pytest.param("a//b", None, id="a double slash"),
        pytest.param("2026/11/11/11.html", None, id="a date that repeats itself"),
        pytest.param("en/docs/en/api/v1/en.html", None, id="a language in two places"),
        pytest.param("pool/main/l/linux/linux/linux_6.1.deb", None, id="a package's folder"),
        pytest.param("?q=" + "x" * 510, None, id="a query of 512 characters"),
        pytest.param("?q=" + "x" * 511, QUERY, id="a query of 513 characters"),
    ],
)
def test_paths_and_queries(path, reason):
    assert trapped(path) == reason


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        pytest.param("a;jsessionid=1A2B", SESSION, id="Java, in the path"),
        pytest.param("a;JSESSIONID=1A2B/b?c", SESSION, id="... of a folder"),
        pytest.param("a.php?PHPSESSID=x1", SESSION, id="PHP"),
        pytest.param("a?b=1&ASPSESSIONIDQQRTSSD=AB", SESSION, id="ASP"),
        pytest.param("(S(lit3py55t21z5v55vlm25s55))/a.aspx", SESSION, id="ASP.NET, in the path"),
        pytest.param("(X(1)A(abc)S(lit3py55))/a.aspx", SESSION, id="... with more than one ticket"),
        pytest.param(f"viewtopic.php?f=1&sid={DRAWN}", SESSION, id="a forum's sid"),
        pytest.param("a?session_id=77", SESSION, id="session_id"),
        pytest.param("a?PHPSESSID=", None, id="no value"),
        pytest.param("a?sid=42", None, id="a sid that counts something"),
        pytest.param("a?session=afternoonkeynotes", None, id="a session of a conference"),
        pytest.param(f"a?id={DRAWN}", None, id="an identifier of the page"),
        pytest.param(f"a.jpg?width=640&s={DRAWN}", None, id="a signature of an image"),
        pytest.param(f"commit/{DRAWN}", None, id="a commit"),
        pytest.param("wiki/Session_(disambiguation)", None, id="a name in brackets"),
        pytest.param("a;b=1/c", None, id="another path parameter"),
    ],
)
def test_sessions(path, reason):
    assert trapped(path) == reason


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        pytest.param("calendar/2026/11/22/", CALENDAR, id="a day, in folders"),
        pytest.param("calendar/2026/11", CALENDAR, id="a month"),
        pytest.param("events/calendar-2026-11.html", CALENDAR, id="a month in a file's name"),
        pytest.param("kalender/20261122", CALENDAR, id="a day without separators"),
        pytest.param("cal/2026-W07", CALENDAR, id="a week"),
        pytest.param("カレンダー/2026-11", CALENDAR, id="in Japanese"),
        pytest.param("calendar?month=202611", CALENDAR, id="a month as a parameter"),
        pytest.param("calendar.php?year=2026&month=2", CALENDAR, id="year and month as parameters"),
        pytest.param("index.php?view=x&cal_date=2026-11-22", CALENDAR, id="a parameter named after a calendar"),
        pytest.param("events/?tribe-bar-date=2031-04", CALENDAR, id="a plugin"),
        pytest.param("agenda?d=2026%2F11%2F22", CALENDAR, id="slashes in escapes"),
        pytest.param("timetable?date=2051-01-01", CALENDAR, id="far away, whatever its name"),
        pytest.param("list?year=1969&month=12", CALENDAR, id="long ago, whatever its name"),
        pytest.param("calendar/", None, id="the calendar itself"),
        pytest.param("calendar/2026/", None, id="a year"),
        pytest.param("events/2026/11/22/jazz-night", None, id="an event has a name"),
        pytest.param("events/123456", None, id="an event has a number"),
        pytest.param("2026/11/22/news.html", None, id="a post has a date and a name"),
        pytest.param("blog/2019/05/", None, id="an archive's month"),
        pytest.param("archive?y=2019&m=5", None, id="... as parameters"),
        pytest.param("timetable?date=2026-11-22", None, id="a date nearby"),
        pytest.param("shop?id=20991122", None, id="an article's number"),
        pytest.param("shop?price=1950-10", None, id="a price"),
        pytest.param("list?start=205012", None, id="the 205,012th of a list"),
        pytest.param("download?v=2101.5.3", None, id="a version"),
        pytest.param("agenda?d=20261122", CALENDAR, id="a day as a parameter, without separators"),
        pytest.param("events?week=2026-W07", CALENDAR, id="a week as a parameter"),
        pytest.param("eventually/2026/11/", None, id="a word that starts alike"),
        pytest.param("list?page=1800&month=5", None, id="a page's number is no year"),
        pytest.param("list?year=1969", None, id="a year without a month is a filter"),
    ],
)
def test_calendars(path, reason):
    assert trapped(path) == reason


def test_an_endless_calendar_is_left_after_its_first_page():
    """The site of the demo: every day links to the days around it."""
    days = [f"calendar/{year}/{month}/{day}/" for year in range(1900, 2150) for month in (1, 12) for day in (1, 31)]
    assert {trapped(day) for day in days} == {CALENDAR}


def test_no_link_of_a_real_manual_is_a_trap(pages):
    found = set()
    for path, payload in pages("apache2-doc") + pages("debian-handbook")[::5]:
        for reference in re.findall(rb'href="([^"]+)"', payload):
            try:
                found.add(canonical_url(unescape(reference.decode("latin-1")), f"https://manual.example/{path}"))
            except UrlError as error:
                assert error.reason == LinkSkipped.SCHEME  # mail addresses
    assert len(found) > 2000
    assert {url: reason for url in found if (reason := trap(url, LIMITS))} == {}


FOLDERS = st.lists(st.sampled_from("abcd"), max_size=14)


def stands_too_often(folders, most):
    """Return by comparing all slices whether a pattern stands more than `most` times in a row."""
    return any(
        folders[start : start + period * (most + 1)] == folders[start : start + period] * (most + 1)
        for period in range(1, MAX_PERIOD + 1)
        for start in range(len(folders) - period * (most + 1) + 1)
    )


@given(FOLDERS, st.integers(1, 3))
def test_repeats_agree_with_comparing_all_slices(folders, most):
    limits = CrawlLimits(max_segment_repeats=most)
    expected = stands_too_often(folders, most) or max(Counter(folders).values(), default=0) > most + 1
    assert (trap("https://a.example/" + "".join(f"{name}/" for name in folders), limits) == PATH) == expected


@pytest.mark.parametrize(
    "piece",
    [
        "(a(",
        "/(s(a)",
        "1900-",
        "2026/11/",
        "calendar",
        "a0",
        ";sid=",
        "cal.",
        "%2f",
        "0",
        "sess",
        "&year=2026&m=",
        "/a",
    ],
)
def test_time_is_linear(piece):
    """80,000 characters take milliseconds; were the time their square, it would be minutes."""
    limits = CrawlLimits(max_query_chars=1 << 20, max_path_segments=1 << 20, max_segment_repeats=1 << 20)
    started = time.process_time()
    for mark in ("/", "/?a=", "/calendar/?sid="):
        trap("https://a.example" + mark + piece * (80_000 // len(piece)), limits)
    assert time.process_time() - started < 1.0


@given(st.text(st.sampled_from("/?&=;().-_%0129aZ~cals"), max_size=60))
def test_any_canonical_url_gets_an_answer(tail):
    assert trap(canonical_url(f"https://a.example/{tail}"), LIMITS) in (None, PATH, QUERY, CALENDAR, SESSION)


def watch_of(pages):
    watch = DuplicateWatch()
    for page in pages:
        watch.add(digest(page))
    return watch


def digest(page):
    return page.to_bytes(32, "little")


@pytest.mark.parametrize(
    ("pages", "paused"),
    [
        pytest.param([7] * 99, False, id="99 pages are too few"),
        pytest.param([7] * 100, True, id="100 times the same page"),
        pytest.param([*range(9), *[0] * 91], True, id="91 of 100"),
        pytest.param([*range(10), *[0] * 90], False, id="90 of 100 is not more than 90 %"),
        pytest.param([*range(1000), *[5] * 90], False, id="a good host that starts to repeat"),
        pytest.param([*range(1000), *[5] * 91], True, id="... and goes on"),
        pytest.param([*[7] * 100, *range(8, 18)], False, id="a host that got over it"),
        pytest.param(list(range(1000)), False, id="no page twice"),
    ],
)
def test_a_host_pauses_when_more_than_90_of_100_pages_repeat(pages, paused):
    assert watch_of(pages).paused == paused


PAGES = st.lists(st.integers(0, 30), max_size=150)


@given(PAGES)
def test_the_share_is_that_of_a_plain_reading(pages):
    repeated = [page in pages[:index] for index, page in enumerate(pages)][-WINDOW_PAGES:]
    assert watch_of(pages).duplicate_fraction == sum(repeated) / max(1, len(repeated))


@given(PAGES, PAGES, PAGES)
def test_parts_merge_to_what_one_watch_saw(first, second, third):
    whole, parts = watch_of(first + second + third), [watch_of(pages) for pages in (first, second, third)]
    assert parts[0].merge(parts[1]).merge(parts[2]) == whole
    assert parts[0].merge(parts[1].merge(parts[2])) == whole
    assert parts == [watch_of(pages) for pages in (first, second, third)]
