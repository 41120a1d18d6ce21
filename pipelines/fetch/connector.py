"""Names to addresses, and the sockets to them: the guard stands at the socket, where nothing can walk around it.

A guard at the resolver alone lets IP literals through, and a name may answer otherwise the second time. Here each
socket is asked for with the very address that it will connect to, on each hop, and is refused before it exists.
"""

import asyncio
import socket
import ssl
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from functools import lru_cache
from ipaddress import ip_address
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from manifests.reasons import FetchFailed
from pipelines.fetch.addresses import LOOPBACK, forbidden
from pipelines.fetch.descriptors import NoDescriptorsError, is_shortage, open_file_limit

NAME_TTL_S = 300.0  # an answer is used so long; the system's own cache may be shorter or longer
MAX_NAMES = 20_000
MAX_ADDRESSES = 8  # of one name
MAX_LOOKUPS = 32  # at once
KEEP_ALIVE_S = 5.0
MAX_IDLE = 512  # hosts whose connection is kept for a next request: 20 KiB each, more with TLS
IDLE_SHARE = 8  # at most one in so many of the files that may be open is a connection that waits
SHORT_TRIES = 20  # for a socket while too many files are open
SHORT_PAUSE_S = 0.2

Lookup = Callable[[str], Awaitable[Sequence[str]]]


class BlockedError(OSError):
    """An address or port that may not be connected to."""

    def __init__(self, reason: FetchFailed, address: str, port: int) -> None:
        super().__init__(f"{address} port {port}")
        self.reason, self.address = reason, address


async def system_lookup(host: str) -> list[str]:
    """Return the numeric addresses of a name, as the system orders them.

    Raises OSError; UnicodeError for a name that DNS can't hold.
    """

    def ask() -> list[str]:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
        return list(dict.fromkeys(str(entry[4][0]) for entry in found))

    return await asyncio.get_running_loop().run_in_executor(_askers(), ask)


@lru_cache(maxsize=1)
def _askers() -> ThreadPoolExecutor:
    """Return threads enough that names nobody answers for don't keep the others waiting."""
    return ThreadPoolExecutor(MAX_LOOKUPS, "names")


class Names(AbstractResolver):
    """Addresses of host names, kept for a while; names with none but forbidden addresses raise BlockedError.

    With `loopback_port` every name is 127.0.0.1 at that port, and nobody is asked.
    """

    def __init__(self, lookup: Lookup = system_lookup, *, loopback_port: int | None = None) -> None:
        self._lookup, self._loopback_port = lookup, loopback_port
        self._known: dict[str, tuple[float, tuple[str, ...]]] = {}
        self._asked: dict[str, asyncio.Task[tuple[str, ...]]] = {}

    def known(self, host: str, port: int) -> tuple[str, ...] | None:
        """Return what `addresses` would, or None where it would have to ask. Raises BlockedError."""
        if self._loopback_port is not None:
            literal = _literal(host)
            return _permitted((literal or LOOPBACK,), port if literal else self._loopback_port, self._loopback_port)
        until_s, found = self._known.get(host, (0.0, ()))
        return _permitted(found, port, None) if until_s > time.monotonic() else None

    async def addresses(self, host: str, port: int) -> tuple[str, ...]:
        """Return the addresses of `host` (a name or a literal) that may be connected to at `port`; at least one.

        Raises BlockedError; OSError or UnicodeError where the name is not known.
        """
        return self.known(host, port) or _permitted(await self._ask(host), port, None)

    async def _ask(self, host: str) -> tuple[str, ...]:
        """Ask once for all who want to know; the answer outlives the one who asked first."""
        if host not in self._asked:
            self._asked[host] = asyncio.create_task(self._answer(host))
            self._asked[host].add_done_callback(lambda _: self._asked.pop(host, None))
        return await asyncio.shield(self._asked[host])

    async def _answer(self, host: str) -> tuple[str, ...]:
        literal = _literal(host)
        found = (literal,) if literal else tuple(await self._lookup(host))[:MAX_ADDRESSES]
        if not found:
            raise OSError("the name has no address")
        if len(self._known) >= MAX_NAMES:
            self._known.pop(next(iter(self._known)))
        self._known[host] = (time.monotonic() + NAME_TTL_S, found)
        return found

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        """Answer the connector (aiohttp's AbstractResolver)."""
        addresses = await self.addresses(host, port)
        port = port if self._loopback_port is None else self._loopback_port
        return [
            ResolveResult(hostname=host, host=address, port=port, family=family, proto=0, flags=0)
            for address in addresses
        ]

    async def close(self) -> None:
        """Stop asking."""
        for task in tuple(self._asked.values()):
            task.cancel()


@lru_cache(maxsize=4096)
def _literal(host: str) -> str | None:
    try:
        return str(ip_address(host.strip("[]")))
    except ValueError:
        return None


def _permitted(addresses: Sequence[str], port: int, loopback_port: int | None) -> tuple[str, ...]:
    verdicts = [(address, forbidden(address, port, loopback_port=loopback_port)) for address in addresses]
    permitted = tuple(address for address, reason in verdicts if reason is None)
    if permitted:
        return permitted
    address, reason = verdicts[0]
    raise BlockedError(reason or FetchFailed.BLOCKED_ADDRESS, address, port)


@lru_cache(maxsize=1)
def _verified() -> ssl.SSLContext:
    """Return TLS settings that check the chain, the name and the dates against the system's authorities.

    The authorities are read once (0.1 CPU seconds).
    """
    context = ssl.create_default_context()
    context.set_alpn_protocols(["http/1.1"])
    return context


class Gates:
    """At most `width` at a time through the gate of one address."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._open: dict[str, tuple[asyncio.Semaphore, list[None]]] = {}  # gate, those at it

    @asynccontextmanager
    async def of(self, address: str) -> AsyncIterator[None]:
        """Wait for a place, and hold it."""
        gate, present = self._open.setdefault(address, (asyncio.Semaphore(self._width), []))
        present.append(None)
        try:
            async with gate:
                yield
        finally:
            present.pop()
            if not present:
                del self._open[address]


class GuardedConnector(aiohttp.TCPConnector):
    """Connections to permitted addresses only; one on which a server spoke out of turn is never used again.

    Those of at most MAX_IDLE hosts wait for a next request, so a crawl of many hosts does not hold ever more of them.
    Where too many files are open it waits for its own to be closed; NoDescriptorsError, and no failure of a host's, if
    none is.
    """

    def __init__(self, names: Names, *, loopback_port: int | None = None) -> None:
        def socket_to(address_info: Any) -> socket.socket:
            family, kind, protocol, _, (address, port, *_) = address_info
            if reason := forbidden(address, port, loopback_port=loopback_port):
                raise BlockedError(reason, address, port)
            return socket.socket(family, kind, protocol)

        super().__init__(
            resolver=names,
            use_dns_cache=False,
            ssl=_verified(),
            socket_factory=socket_to,
            limit=0,
            keepalive_timeout=KEEP_ALIVE_S,
        )
        self._most_idle = min(MAX_IDLE, max(1, open_file_limit() // IDLE_SHARE))

    async def connect(
        self, req: aiohttp.ClientRequest, traces: list[Any], timeout: aiohttp.ClientTimeout
    ) -> aiohttp.connector.Connection:
        """Return a connection on which nothing waits to be read (it would be taken for the next answer)."""
        while True:
            connection = await self._connected(req, traces, timeout)
            if connection.protocol is None or not connection.protocol.should_close:
                return connection
            connection.close()

    async def _connected(
        self, req: aiohttp.ClientRequest, traces: list[Any], timeout: aiohttp.ClientTimeout
    ) -> aiohttp.connector.Connection:
        for _ in range(SHORT_TRIES):
            try:
                return await super().connect(req, traces, timeout)
            except OSError as error:
                if not is_shortage(error):
                    raise
            self._most_idle = 1  # each one that ends makes room from now on
            await asyncio.sleep(SHORT_PAUSE_S)
        raise NoDescriptorsError

    def _release(self, key: Any, protocol: Any, *, should_close: bool = False) -> None:
        """Take a connection back, and close it where enough are idle (aiohttp has no limit on these)."""
        super()._release(key, protocol, should_close=should_close or len(self._conns) >= self._most_idle)
