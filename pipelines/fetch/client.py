"""One request at a time to whoever may be asked: guarded, capped, timed, and kept as it stood on the wire.

Nothing is followed, stored between requests or tried again here: each call makes at most one request, so that
politeness can be counted from outside.
"""

import asyncio
import re
import time
from collections.abc import Mapping
from functools import partial
from types import MappingProxyType
from typing import Any

import aiohttp
from yarl import URL

from manifests.limits import KIB, CrawlLimits
from manifests.reasons import FetchFailed
from pipelines.fetch.addresses import PORTS
from pipelines.fetch.body import Body, read_body
from pipelines.fetch.connector import Gates, GuardedConnector, Lookup, Names, system_lookup
from pipelines.fetch.decode import DecodeError, decode
from pipelines.fetch.exchange import Exchange, FetchError, Truncated
from pipelines.fetch.failures import FAILURES, explain
from pipelines.fetch.heads import field_text, request_head, response_head
from pipelines.fetch.robots_fetch import RobotsFetch, fetch_robots

MAX_FIELD_BYTES = 32 * KIB  # one header field; all of them: limits.max_header_bytes
MAX_FIELDS = 512
READ_BYTES = 256 * KIB
INLINE_BYTES = 256 * KIB  # a longer coded body is decoded in a thread of its own
_VISIBLE = re.compile(r"[!-~]+")
_Payload = tuple[bytes, Truncated | None, tuple[FetchFailed, str] | None]
_NO_HEADERS: Mapping[str, str] = MappingProxyType({})


class _Response(aiohttp.ClientResponse):
    """A response that remembers whom it came from."""

    peer = ""

    async def start(self, connection: Any) -> aiohttp.ClientResponse:
        self.peer = connection.transport.get_extra_info("peername")[0]
        try:
            return await super().start(connection)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError) as error:
            # of another class, because aiohttp sends a request again when it sees these
            raise aiohttp.ClientConnectionError("disconnected") from error


class Fetcher:
    """A guarded HTTP/1.1 client for one event loop; `close` it in that loop.

    `lookup` resolves names (the system does by default); with `loopback_port`, the test-only switch, every name is
    127.0.0.1 at that port and nothing else may be connected to.
    """

    def __init__(
        self,
        user_agent: str,
        limits: CrawlLimits,
        *,
        loopback_port: int | None = None,
        connections_per_address: int = 2,
        lookup: Lookup = system_lookup,
    ) -> None:
        self.limits = limits
        self._loopback_port = loopback_port
        self._names = Names(lookup, loopback_port=loopback_port)
        self._ports = PORTS if loopback_port is None else PORTS | {loopback_port}
        # behind the test-only switch all hosts share one address
        self._gates = Gates(connections_per_address) if loopback_port is None else None
        self._fields = {"User-Agent": user_agent, "Accept": "*/*", "Accept-Encoding": "gzip, br, zstd"}
        self._session: aiohttp.ClientSession | None = None

    async def fetch(self, url: str, *, max_bytes: int, headers: Mapping[str, str] = _NO_HEADERS) -> Exchange:
        """Return what a GET of a canonical URL brings: any status, at most `max_bytes` of the body, coded or not.

        Raises FetchError where nothing usable came; what did come is in its `exchange`.
        """
        target = self._target(url)
        address = await self._address(target)
        if self._gates is None:
            return await self._request(url, target, headers, max_bytes)
        async with self._gates.of(address):
            return await self._request(url, target, headers, max_bytes)

    async def fetch_robots(self, chain: tuple[str, ...]) -> RobotsFetch:
        """Ask for the last URL of `chain`: "https://host/robots.txt", or where its redirects led."""
        return await fetch_robots(self.fetch, chain, self.limits)

    async def close(self) -> None:
        """Close all connections."""
        await self._names.close()
        if self._session is not None:
            await self._session.close()

    def _target(self, url: str) -> URL:
        """Return the parsed URL. The error never repeats it: it may hold credentials."""
        if len(url) > self.limits.max_url_chars:
            raise FetchError(FetchFailed.URL_TOO_LONG, f"{len(url)} characters")
        if not url.startswith(("http://", "https://")):
            raise FetchError(FetchFailed.BLOCKED_SCHEME, "neither http nor https")
        try:
            target = URL(url, encoded=True)
            port = target.port
        except ValueError:
            raise FetchError(FetchFailed.MALFORMED_URL, "no canonical URL") from None
        if not (_VISIBLE.fullmatch(url) and target.raw_host) or target.raw_user or target.raw_password:
            raise FetchError(FetchFailed.MALFORMED_URL, "no canonical URL")
        if port not in self._ports:
            raise FetchError(FetchFailed.BLOCKED_PORT, f"port {port}")
        return target

    async def _address(self, target: URL) -> str:
        """Return the address that stands for all of the host's: the smallest, so that their order plays no part."""
        host, port = target.raw_host or "", target.port or 0
        try:
            return min(self._names.known(host, port) or await self._asked(host, port))
        except TimeoutError:
            reason, detail = FetchFailed.DNS_FAILED, f"no answer within connect_s ({self.limits.connect_s:g} s)"
        except (OSError, UnicodeError) as error:
            reason, detail = explain(error, self.limits)
            if reason not in (FetchFailed.BLOCKED_ADDRESS, FetchFailed.BLOCKED_PORT):
                reason, detail = FetchFailed.DNS_FAILED, "the name has no address"
        raise FetchError(reason, detail)

    async def _asked(self, host: str, port: int) -> tuple[str, ...]:
        async with asyncio.timeout(self.limits.connect_s):
            return await self._names.addresses(host, port)

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            limits = self.limits
            self._session = aiohttp.ClientSession(
                connector=GuardedConnector(self._names, loopback_port=self._loopback_port),
                cookie_jar=aiohttp.DummyCookieJar(),
                response_class=_Response,
                auto_decompress=False,
                timeout=aiohttp.ClientTimeout(
                    total=limits.fetch_s,
                    connect=limits.connect_s,
                    sock_connect=limits.connect_s,
                    sock_read=limits.slow_window_s,
                ),
                read_bufsize=READ_BYTES,
                max_line_size=MAX_FIELD_BYTES,
                max_field_size=MAX_FIELD_BYTES,
                max_headers=MAX_FIELDS,
            )
        return self._session

    async def _request(self, url: str, target: URL, headers: Mapping[str, str], max_bytes: int) -> Exchange:
        fields = {**self._fields, **headers} if headers else self._fields
        started_s = time.time()
        try:
            response = await self._open().get(target, headers=fields, allow_redirects=False)
        except FAILURES as error:
            raise FetchError(*explain(error, self.limits)) from None
        assert isinstance(response, _Response)
        body = Body(b"")
        try:
            self._check_head(response)
            body = await read_body(response.content, max_bytes, self.limits)
        finally:
            if not response.content.at_eof():
                response.close()  # and its connection
        kept, truncated, failure = await self._decoded(response, body, max_bytes)
        exchange = Exchange(
            url=url,
            status=response.status,
            request_head=request_head(target.raw_path_qs, target.host_port_subcomponent or "", fields),
            response_head=_head_of(response),
            headers=field_text(response.raw_headers),
            body=body.data,
            payload=kept,
            ip=response.peer,
            started_s=started_s,
            ended_s=time.time(),
            truncated=truncated,
        )
        if failure is not None:
            raise FetchError(*failure, response.peer, exchange)
        return exchange

    def _check_head(self, response: _Response) -> None:
        raw, limits = response.raw_headers, self.limits
        detail = ""
        if response.status < 200:
            detail = f"status {response.status}: the server speaks another protocol"
        elif sum([len(name) + len(value) + 4 for name, value in raw]) > limits.max_header_bytes:
            detail = f"headers beyond max_header_bytes ({limits.max_header_bytes})"
        if detail:
            raise FetchError(FetchFailed.MALFORMED_RESPONSE, detail, response.peer)

    async def _decoded(self, response: _Response, body: Body, max_bytes: int) -> _Payload:
        """Return the payload, how it was cut, and why the response is not usable, if it isn't."""
        coding = ", ".join(response.headers.getall("Content-Encoding", ()))
        if not coding:
            return body.data, body.truncated, body.failure
        work = partial(
            decode, body.data, coding, max_bytes=max_bytes, limits=self.limits, partial=body.truncated is not None
        )
        try:
            decoded = work() if len(body.data) <= INLINE_BYTES else await asyncio.to_thread(work)
        except DecodeError as error:
            return b"", body.truncated, body.failure or (error.reason, error.detail)
        return decoded.payload, body.truncated or ("length" if decoded.cut else None), body.failure


def _head_of(response: _Response) -> bytes:
    version = response.version or (1, 1)
    return response_head((version[0], version[1]), response.status, response.reason, response.raw_headers)
