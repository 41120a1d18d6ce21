"""What an answer means: what becomes of its URL, how long its host wants to be left alone, where it leads."""

from collections.abc import Callable
from email.utils import parsedate_to_datetime
from typing import NamedTuple

from filters.url import UrlError, canonical_url, domain_key, location, url_id
from manifests.limits import CrawlLimits
from manifests.reasons import FetchFailed, LinkSkipped
from pipelines.crawl.block import Crawl
from pipelines.crawl.fetched import State, Target
from pipelines.fetch.exchange import Exchange, FetchError

# The host itself seems to be in trouble, or wants us to slow down: it is left alone for longer and longer.
HOST_FAILURES = frozenset(
    {
        FetchFailed.DNS_FAILED,
        FetchFailed.CONNECT_FAILED,
        FetchFailed.TLS_FAILED,
        FetchFailed.DISCONNECTED,
        FetchFailed.TIMED_OUT,
        FetchFailed.TOO_SLOW,
        FetchFailed.TOO_MANY_REQUESTS,
        FetchFailed.SERVER_ERROR,
        FetchFailed.ROBOTS_UNREACHABLE,
    }
)
# No request may ever be made there.
FINAL = frozenset(
    {
        FetchFailed.BLOCKED_ADDRESS,
        FetchFailed.BLOCKED_PORT,
        FetchFailed.BLOCKED_SCHEME,
        FetchFailed.MALFORMED_URL,
        FetchFailed.URL_TOO_LONG,
    }
)
MAX_DETAIL_CHARS = 512
MEDIA = ("image", "audio", "video")
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_BAD_LOCATION = {
    LinkSkipped.MALFORMED: FetchFailed.MALFORMED_URL,
    LinkSkipped.SCHEME: FetchFailed.BLOCKED_SCHEME,
    LinkSkipped.TOO_LONG: FetchFailed.URL_TOO_LONG,
}

Admit = Callable[[str, int], LinkSkipped | None]  # (canonical URL, depth) -> why it may not be fetched


class Answer(NamedTuple):
    """What came of a request; `state` is never "retry" here: whoever keeps the queue knows if there will be another."""

    state: State
    reason: FetchFailed | None = None
    detail: str | None = None
    redirect: Target | None = None
    skipped: LinkSkipped | None = None  # why the redirect is not followed

    @property
    def host_failure(self) -> FetchFailed | None:
        """Return the reason, where it speaks of the host and not of this URL alone."""
        return self.reason if self.reason in HOST_FAILURES else None


_KEPT = Answer("kept")


class Reader:
    """Reads answers by the rules of one crawl."""

    def __init__(self, block: Crawl, limits: CrawlLimits, admit: Admit) -> None:
        self.block, self.limits, self.admit = block, limits, admit

    def answer(
        self, target: Target, exchange: Exchange | None, error: FetchError | None, digest: bytes | None = None
    ) -> Answer:
        """Return what the answer to a request for `target` means; `digest` is the sha256 of its payload."""
        if error is not None:
            return Answer("failed", error.reason, error.detail[:MAX_DETAIL_CHARS])
        assert exchange is not None
        status = exchange.status
        if 200 <= status <= 299:
            return Answer("unchanged") if _is_the_same(target, exchange, digest) else _KEPT
        if status == 304 and conditions(target):
            return Answer("unchanged")
        if status in _REDIRECTS and (place := exchange.header("location")) is not None:
            return self._redirect(target, place)
        return Answer("failed", _failure(status), f"status {status}")

    def _redirect(self, target: Target, place: str) -> Answer:
        if target.redirects >= self.limits.max_redirects:
            return Answer("failed", FetchFailed.TOO_MANY_REDIRECTS, f"{target.redirects} redirects led here")
        try:
            url = self.canonical(place, target.url)
        except UrlError as error:
            return Answer("failed", _BAD_LOCATION.get(error.reason, FetchFailed.MALFORMED_URL), "in Location")
        if url == target.url or url in target.chain:
            return Answer("failed", FetchFailed.REDIRECT_LOOP, f"after {len(target.chain) + 1} redirects")
        skipped = self.admit(url, target.depth)
        if skipped and not (skipped is LinkSkipped.OUT_OF_SCOPE and target.kind in MEDIA):  # media may lie anywhere
            return Answer("redirected", detail=url[:MAX_DETAIL_CHARS], skipped=skipped)
        place_of = location(url)
        found = target._replace(
            key=domain_key(place_of.domain),
            url_id=url_id(url),
            url=url,
            authority=place_of.authority,
            origin="redirect",
            referrer=target.url,
            redirects=target.redirects + 1,
            visits=0,
            attempts=0,
            etag=None,
            last_modified=None,
            digest=None,
            chain=(*target.chain, target.url),
        )
        return Answer("redirected", detail=url[:MAX_DETAIL_CHARS], redirect=found)  # the log says where it led

    def canonical(self, text: str, base: str) -> str:
        """Return the canonical form of a link. Raises UrlError."""
        block = self.block
        return canonical_url(
            text, base, strip=block.strip_parameters, sort_query=block.sort_query, max_chars=self.limits.max_url_chars
        )


def _is_the_same(target: Target, exchange: Exchange, digest: bytes | None) -> bool:
    """Say whether a page came back whole with the very bytes that are stored (WARC 1.1, section 6.7.2).

    Of a coded body we know the payload's digest, and a revisit record names that of what was sent: so it is stored.
    """
    coded = exchange.header("content-encoding") not in (None, "", "identity")
    known = digest is not None and digest == target.digest and target.fetched_s is not None
    return known and exchange.status == 200 and exchange.truncated is None and not coded


def _failure(status: int) -> FetchFailed:
    if status in (429, 503):
        return FetchFailed.TOO_MANY_REQUESTS
    if 500 <= status <= 599:
        return FetchFailed.SERVER_ERROR
    if 400 <= status <= 499:
        return FetchFailed.CLIENT_ERROR
    return FetchFailed.MALFORMED_RESPONSE  # 1xx, a redirect to nowhere, a 304 that nobody asked for


def retry_after_s(exchange: Exchange | None, now: float) -> float | None:
    """Return in how many seconds a 429 or 503 asks us to come back (RFC 9110, section 10.2.3), None if it doesn't."""
    if exchange is None or exchange.status not in (429, 503):
        return None
    value = (exchange.header("retry-after") or "").strip()
    if value.isascii() and value.isdigit():
        return float(value[:12])
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - now)
    except (ValueError, OverflowError):
        return None


def conditions(target: Target) -> dict[str, str]:
    """Return the header fields that ask for a page only if it has changed (RFC 9110, section 13.1)."""
    if target.digest is None:
        return {}
    asked = {"If-None-Match": target.etag, "If-Modified-Since": target.last_modified}
    return {name: value for name, value in asked.items() if value and value.isascii() and value.isprintable()}
