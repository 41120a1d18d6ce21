"""What aiohttp and the system raise, in the words of the closed list; no text of theirs goes on (it holds URLs)."""

import asyncio
import ssl

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError

from manifests.limits import CrawlLimits
from manifests.reasons import FetchFailed
from pipelines.fetch.connector import BlockedError

FAILURES = (aiohttp.ClientError, HttpProcessingError, OSError, TimeoutError, asyncio.TimeoutError, UnicodeError)
# aiohttp's class (the first that fits), our reason, what to say
_KNOWN: tuple[tuple[type[BaseException], FetchFailed, str], ...] = (
    (aiohttp.ClientConnectorDNSError, FetchFailed.DNS_FAILED, "the name has no address"),
    (aiohttp.ClientSSLError, FetchFailed.TLS_FAILED, "no TLS connection"),
    (ssl.SSLError, FetchFailed.TLS_FAILED, "TLS broke off"),
    (aiohttp.ClientConnectorError, FetchFailed.CONNECT_FAILED, "no connection"),
    (aiohttp.ConnectionTimeoutError, FetchFailed.CONNECT_FAILED, "no connection within connect_s ({connect_s:g} s)"),
    (aiohttp.SocketTimeoutError, FetchFailed.TOO_SLOW, "no byte for slow_window_s ({slow_window_s:g} s)"),
    (TimeoutError, FetchFailed.TIMED_OUT, "not done within fetch_s ({fetch_s:g} s)"),
    (aiohttp.InvalidURL, FetchFailed.MALFORMED_URL, "no canonical URL"),
    (aiohttp.ClientResponseError, FetchFailed.MALFORMED_RESPONSE, "no HTTP response"),
    (HttpProcessingError, FetchFailed.MALFORMED_RESPONSE, "the response breaks HTTP's rules"),
    (aiohttp.ClientPayloadError, FetchFailed.DISCONNECTED, "the body ends early"),
    (aiohttp.ClientConnectionError, FetchFailed.DISCONNECTED, "the connection ended before the response did"),
    (OSError, FetchFailed.DISCONNECTED, "the connection broke"),
    (Exception, FetchFailed.MALFORMED_RESPONSE, "no HTTP response"),
)


def explain(error: BaseException, limits: CrawlLimits) -> tuple[FetchFailed, str]:
    """Return the reason and a detail that has no URL and no byte of the response."""
    if blocked := _blocked(error):
        return blocked.reason, str(blocked)
    reason, text = next((reason, text) for kind, reason, text in _KNOWN if isinstance(error, kind))
    told = text.format(connect_s=limits.connect_s, slow_window_s=limits.slow_window_s, fetch_s=limits.fetch_s)
    why = getattr(getattr(error, "certificate_error", None), "verify_message", None)
    return reason, f"{told}: {why}" if why else told


def _blocked(error: BaseException | None) -> BlockedError | None:
    """Return the guard's own error out of those that aiohttp wrapped around it."""
    while error is not None and not isinstance(error, BlockedError):
        error = getattr(error, "os_error", None) or error.__cause__
    return error
