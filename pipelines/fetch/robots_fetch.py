"""robots.txt of an authority: the one request whose redirects are followed (RFC 9309, section 2.3).

One hop a call: whoever keeps the queues asks for the next one when the host that it leads to has its turn.
"""

import re
import time
from dataclasses import dataclass
from typing import Protocol

from filters.url import UrlError, canonical_url
from manifests.limits import CrawlLimits
from pipelines.fetch.exchange import Exchange, FetchError

MIN_TTL_S = 600.0  # of a copy that may not be kept: to ask before each page would be no kindness
UNREACHABLE_TTL_S = 300.0  # until an unreachable one is asked for again (Nutch's deferral)
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_DIRECTIVE = re.compile(r'([a-z-]+)(?:\s*=\s*"?([^",;\s]*)"?)?')


class Fetch(Protocol):
    """A Fetcher's `fetch`."""

    async def __call__(self, url: str, *, max_bytes: int) -> Exchange: ...


@dataclass(frozen=True)
class RobotsFetch:
    """What came of asking for robots.txt.

    `status` is the last response's: None for no response (then nothing may be fetched, section 2.3.1.4), 3xx where
    the redirects led to none, which counts as 4xx does (2.3.1.2). `body` is decoded and never ends in a cut line.
    """

    status: int | None
    body: bytes
    chain: tuple[str, ...]  # the URLs that were asked for, in order
    exchange: Exchange | None  # the last one
    until_s: float  # seconds since 1970; after that it must be asked for again
    error: FetchError | None = None  # why there was no response
    following: str | None = None  # where the redirect leads, to be asked for next; then nothing is decided yet


async def fetch_robots(fetch: Fetch, chain: tuple[str, ...], limits: CrawlLimits) -> RobotsFetch:
    """Ask for the last URL of `chain`: a site's /robots.txt, and where its redirects led so far.

    At most limits.max_robots_redirects hops have a `following`, and none that closes a circle.
    """
    try:
        exchange = await fetch(chain[-1], max_bytes=limits.max_robots_bytes)
    except FetchError as error:
        return RobotsFetch(None, b"", chain, error.exchange, time.time() + UNREACHABLE_TTL_S, error)
    following = _redirect(exchange, limits)
    if following is None or following in chain or len(chain) > limits.max_robots_redirects:
        return _final(exchange, chain, limits)
    return RobotsFetch(exchange.status, b"", chain, exchange, exchange.ended_s, following=following)


def _redirect(exchange: Exchange, limits: CrawlLimits) -> str | None:
    """Return where a redirect leads; one that is no http(s) URL leads nowhere."""
    location = exchange.header("location")
    if exchange.status not in _REDIRECTS or not location:
        return None
    try:
        return canonical_url(location, exchange.url, max_chars=limits.max_url_chars)
    except UrlError:
        return None


def _final(exchange: Exchange, chain: tuple[str, ...], limits: CrawlLimits) -> RobotsFetch:
    body = exchange.payload if 200 <= exchange.status < 300 else b""
    if exchange.truncated is not None:
        body = whole_lines(body)
    return RobotsFetch(exchange.status, body, chain, exchange, exchange.ended_s + _ttl_s(exchange, limits))


def whole_lines(body: bytes) -> bytes:
    """Return a cut body without the line that the cut went through."""
    return body[: max(body.rfind(b"\n"), body.rfind(b"\r")) + 1]


def _ttl_s(exchange: Exchange, limits: CrawlLimits) -> float:
    """Return for how long this answer holds: a day, or less by Cache-Control and Age (RFC 9111, section 5.2)."""
    if exchange.status >= 500 or exchange.status == 429:
        return UNREACHABLE_TTL_S
    directives = dict(_DIRECTIVE.findall(", ".join(exchange.header_lines("cache-control")).lower()))
    ttl_s = limits.robots_ttl_s
    if "no-cache" in directives or "no-store" in directives:
        ttl_s = 0.0
    elif (max_age := directives.get("max-age", "")).isdecimal() and max_age.isascii():
        age = exchange.header("age") or ""
        ttl_s = float(max_age[:12]) - (float(age[:12]) if age.isascii() and age.isdecimal() else 0.0)
    return min(max(ttl_s, MIN_TTL_S), limits.robots_ttl_s)
