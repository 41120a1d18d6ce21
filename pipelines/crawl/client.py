"""What the worker needs of an HTTP client."""

from collections.abc import Mapping
from typing import Protocol

from pipelines.fetch.exchange import Exchange, FetchError
from pipelines.fetch.robots_fetch import RobotsFetch


class Fetch(Protocol):
    """pipelines.fetch.client.Fetcher, or what a test puts in its place."""

    async def fetch(self, url: str, *, max_bytes: int, headers: Mapping[str, str] = ...) -> Exchange: ...

    async def fetch_robots(self, chain: tuple[str, ...]) -> RobotsFetch: ...


def bare(error: FetchError | None) -> FetchError | None:
    """Return an error that waits in a batch without the frames that it went through, and what they hold."""
    return error.with_traceback(None) if error else None
