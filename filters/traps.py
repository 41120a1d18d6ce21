"""Traps: URLs without end, made by mistake or on purpose, and hosts that say the same thing again and again.

Judged by the URL alone, in time linear in its length; what slips through meets the limits per host and per depth.
Sources: Heritrix's PathologicalPathDecideRule and TooManyPathSegmentsDecideRule, and the session names that its
canonicalisation strips.
"""

import re
from collections import Counter, deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from urllib.parse import quote

from manifests.limits import CrawlLimits
from manifests.reasons import LinkSkipped

WINDOW_PAGES = 100
MAX_DUPLICATE_FRACTION = 0.9
ARCHIVE_YEARS = range(1970, 2050)  # a date parameter of another year is a calendar's
MAX_PERIOD = 8  # folders in a pattern that repeats

# Anywhere in the path or in a parameter's name ...
_CALENDAR_STEMS = ("calendar", "kalend", "calendrier", "カレンダー", "スケジュール", "日历", "日曆", "календар")
# ... or as a whole word there.
_CALENDAR_WORDS = ("agenda", "cal", "event", "events", "eventi", "eventos", "schedule", "termine", "veranstaltungen")
_CALENDAR = re.compile(
    "|".join(quote(stem).lower() for stem in _CALENDAR_STEMS)
    + rf"|(?<![0-9a-z%])(?:{'|'.join(_CALENDAR_WORDS)})(?![0-9a-z%])"
)
_YEAR, _MONTH, _DAY = "((?:1[89]|2[01])[0-9]{2})", "(?:0?[1-9]|1[0-2])", "(?:0?[1-9]|[12][0-9]|3[01])"
_COMPACT = "(?:0[1-9]|1[0-2])(?:0[1-9]|[12][0-9]|3[01])"
_LAST_IN_PATH = re.compile(
    rf"[/_.-]{_YEAR}(?:[/_.-](?:{_MONTH}(?:[/_.-]{_DAY})?|w[0-5]?[0-9])|{_COMPACT})(?:/|\.[a-z]{{1,5}})?$"
)
_DAY_VALUE = re.compile(rf"{_YEAR}(?:[/_-]|%2f){_MONTH}(?:[/_-]|%2f){_DAY}(?:$|[^0-9])")
# ... and what may mean something else, unless the parameter's name says that it is a date.
_DATE_VALUE = re.compile(rf"{_YEAR}(?:(?:[/_-]|%2f)(?:{_MONTH}|w[0-5]?[0-9])|{_COMPACT}|0[1-9]|1[0-2])$")
_DATE_NAME = re.compile(r"cal|date|datum|fecha|month|monat|mois|day|jour|week|ym|^dt?$")
_YEAR_NAMES = frozenset({"y", "yr", "yyyy", "year", "jahr", "annee", "ano", "anno"})
_MONTH_NAMES = frozenset({"m", "mm", "mo", "mon", "month", "monat", "mois", "mes", "mese"})

# Any value of these is a visitor's; a value of the general ones only if it looks drawn by lot.
_SESSION_NAME = re.compile(
    r"(?:j?sessionid|phpsessid|phpsession|aspsessionid[a-z]*|asp\.net_sessionid|session[_-]id|sess_?id|oscsid|zenid"
    r"|xtcsid|cfid|cftoken)"
)
_GENERAL_NAMES = frozenset({"sid", "ses", "sess", "session", "tsid", "psid", "osid"})
_DRAWN = re.compile(r"(?=[a-z]{0,64}[0-9])(?=[0-9]{0,64}[a-z])[0-9a-z]{16,64}")
_COOKIELESS = re.compile(r"/\((?:[a-z]\([0-9a-z_-]{1,64}\)){1,8}\)(?=/)")  # ASP.NET: /(S(lit3py55t21z5v55vlm25s55))/


def trap(url: str, limits: CrawlLimits) -> LinkSkipped | None:
    """Return which trap a canonical URL looks like, or None.

    TRAP_PATH      more than `max_path_segments` segments; a folder, or a pattern of up to 8, that stands more than
                   `max_segment_repeats` times in a row; a folder that stands so often and twice more, in a row or not
    TRAP_QUERY     more than `max_query_chars` characters
    TRAP_SESSION   an identifier of a visitor in path or query
    TRAP_CALENDAR  a path or parameter named after a calendar or events, with a date that ends the path (so
                   /events/2026/11/name is none) or is a parameter; a date parameter outside 1970-2049
    """
    path, _, query = url[url.index("/", url.index("//") + 2) :].partition("?")
    if len(query) > limits.max_query_chars:
        return LinkSkipped.TRAP_QUERY
    if _endless_path(path, limits):
        return LinkSkipped.TRAP_PATH
    path = path.lower()
    pieces = [(name, value) for name, _, value in (piece.partition("=") for piece in query.lower().split("&"))]
    if _has_session(path, pieces):
        return LinkSkipped.TRAP_SESSION
    return LinkSkipped.TRAP_CALENDAR if _is_calendar(path, pieces) else None


def _endless_path(path: str, limits: CrawlLimits) -> bool:
    segments = path.removesuffix("/").split("/")[1:]
    if len(segments) > limits.max_path_segments:
        return True
    folders = path.split("/")[1:-1]
    if len(set(folders)) == len(folders):
        return False
    most = limits.max_segment_repeats
    periods = range(1, min(MAX_PERIOD, len(folders) // (most + 1)) + 1)
    return max(Counter(folders).values()) > most + 1 or any(_in_a_row(folders, each) > most for each in periods)


def _in_a_row(folders: Sequence[str], period: int) -> int:
    """Return how often a pattern of `period` folders stands in a row, at most; 1 where none repeats."""
    longest = equal = 0
    for folder, later in zip(folders, folders[period:], strict=False):
        equal = equal + 1 if folder == later else 0
        longest = max(longest, equal)
    return longest // period + 1


def _has_session(path: str, pieces: Iterable[tuple[str, str]]) -> bool:
    """Return whether a visitor's identifier stands in the query, in a path parameter (";name=") or in "/(S(...))/"."""
    if ";" in path:
        pieces = [*pieces, *((name, value) for name, _, value in (p.partition("=") for p in re.split("[;/]", path)))]
    if any(value and _names_session(name, value) for name, value in pieces):
        return True
    return "/(" in path and _COOKIELESS.search(path) is not None


def _names_session(name: str, value: str) -> bool:
    if name in _GENERAL_NAMES:
        return _DRAWN.fullmatch(value) is not None
    return _SESSION_NAME.fullmatch(name) is not None


def _is_calendar(path: str, pieces: Sequence[tuple[str, str]]) -> bool:
    years = list(_years(pieces))
    if any(int(year) not in ARCHIVE_YEARS for year in years):
        return True
    if not years and not _LAST_IN_PATH.search(path[-32:]):
        return False
    return _CALENDAR.search(path) is not None or any(_CALENDAR.search(name) for name, _ in pieces)


def _years(pieces: Sequence[tuple[str, str]]) -> Iterable[str]:
    """Yield the year of each date in a query: a value that is one, or year and month as two parameters."""
    for name, value in pieces:
        if dated := _DAY_VALUE.match(value) or (_DATE_NAME.search(name) and _DATE_VALUE.match(value)):
            yield dated[1]
    given = {name: value for name, value in pieces if value.isascii() and value.isdigit()}
    if not _MONTH_NAMES.isdisjoint(given):
        yield from (given[name] for name in _YEAR_NAMES & given.keys() if len(given[name]) == 4)


@dataclass
class DuplicateWatch:
    """Watches one host for pages that only repeat each other: the last 100, against all that came before.

    Mergeable: a watch of the first pages, merged with a watch of the later ones, knows what one watch of all would.
    It holds 8 bytes of each different digest, so its size follows the pages of the host (max_pages_per_host).
    """

    seen: set[bytes] = field(default_factory=set)
    window: deque[tuple[bytes, bool]] = field(default_factory=lambda: deque(maxlen=WINDOW_PAGES))  # (digest, repeated)

    def add(self, digest: bytes) -> None:
        """Take note of a page by the sha256 of its payload."""
        short = digest[:8]
        self.window.append((short, short in self.seen))
        self.seen.add(short)

    @property
    def duplicate_fraction(self) -> float:
        """Return the share of the last 100 pages (or of fewer, if fewer came) that had been seen before, in [0, 1]."""
        return sum(repeated for _, repeated in self.window) / max(1, len(self.window))

    @property
    def paused(self) -> bool:
        """Return whether the host should rest: at least 100 pages, and more than 90 % of the last 100 repeat."""
        return len(self.window) == WINDOW_PAGES and self.duplicate_fraction > MAX_DUPLICATE_FRACTION

    def merge(self, later: "DuplicateWatch") -> "DuplicateWatch":
        """Return the watch of these pages and then `later`'s; neither is changed."""
        merged = DuplicateWatch(self.seen | later.seen, self.window.copy())
        merged.window.extend((digest, repeated or digest in self.seen) for digest, repeated in later.window)
        return merged
