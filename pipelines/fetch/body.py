"""A response's body off the wire: never more than was asked for, never slower than the limit."""

import io
import time
from typing import NamedTuple

import aiohttp

from manifests.limits import CrawlLimits
from manifests.reasons import FetchFailed
from pipelines.fetch.exchange import Truncated
from pipelines.fetch.failures import FAILURES, explain

_BY_TIME = frozenset({FetchFailed.TIMED_OUT, FetchFailed.TOO_SLOW})


class Body(NamedTuple):
    """What arrived; `failure` is set where the rest did not, and should have."""

    data: bytes
    truncated: Truncated | None = None
    failure: tuple[FetchFailed, str] | None = None


async def read_body(content: aiohttp.StreamReader, max_bytes: int, limits: CrawlLimits) -> Body:
    """Return the body as sent, transfer coding undone, at most `max_bytes` of it."""
    received = io.BytesIO()  # grows in place, and gives its bytes without a copy
    since, mark = time.monotonic(), 0
    try:
        chunk = await content.readany()
        if len(chunk) <= max_bytes and content.at_eof():
            return Body(chunk)  # the common case: a page that came at once
        while chunk:
            received.write(chunk)
            if received.tell() > max_bytes:
                received.truncate(max_bytes)
                return Body(received.getvalue(), "length")
            if (elapsed_s := time.monotonic() - since) >= limits.slow_window_s:
                if received.tell() - mark < limits.min_bytes_per_s * elapsed_s:
                    return Body(received.getvalue(), "time", _too_slow(limits))
                since, mark = time.monotonic(), received.tell()
            chunk = await content.readany()
    except FAILURES as error:
        failure = explain(error, limits)
        return Body(received.getvalue(), "time" if failure[0] in _BY_TIME else "disconnect", failure)
    return Body(received.getvalue())


def _too_slow(limits: CrawlLimits) -> tuple[FetchFailed, str]:
    detail = f"less than min_bytes_per_s ({limits.min_bytes_per_s}) over slow_window_s ({limits.slow_window_s:g} s)"
    return FetchFailed.TOO_SLOW, detail
