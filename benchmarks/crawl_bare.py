"""What nobody can leave out of a crawl: the bare cost of fetching, of finding links, of writing WARC.

    python -m benchmarks.crawl_bare raw|aiohttp|libraries SEEDS OUT PORT

SEEDS is a file of URLs, one a host; every host is 127.0.0.1 at PORT. One request at a time to a host, CONNECTIONS
hosts at once, no robots.txt, no delays, no limits, no guard, no frontier on disk.

  raw        asyncio's own protocol, responses cut by Content-Length; pages are known by their numbers
  aiohttp    the same by aiohttp with its C parser
  libraries  aiohttp, links by Resiliparse and ada in one process, a set of seen URLs, request and response records by
             warcio: corpusmill's work without its care
"""

import asyncio
import io
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import warcio.warcwriter
from ada_url import URL
from isal import isal_zlib
from resiliparse.parse.html import HTMLTree
from warcio.statusandheaders import StatusAndHeaders

from benchmarks.crawl_site import PAGES_A_HOST
from pipelines.crawl.warc import TEXT_LEVEL

CONNECTIONS = 64
NAME = "bare {}"
AGENT = "corpusmill-benchmark (+https://corpusmill.example/)"
Fetch = Callable[[str, str], Coroutine[None, None, bytes]]  # (host, path) -> body


class Raw(asyncio.Protocol):
    """One connection; `get` asks and gives the body."""

    def __init__(self) -> None:
        self.held = bytearray()
        self.waiting: asyncio.Future[bytes] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where requests go."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        """Collect a response."""
        self.held += data
        end = self.held.find(b"\r\n\r\n") + 4
        if end < 4 or self.waiting is None:
            return
        at = self.held.find(b"Content-Length: ") + 16
        whole = end + int(self.held[at : self.held.find(b"\r", at)])
        if len(self.held) >= whole:
            self.waiting.set_result(bytes(self.held[end:whole]))
            del self.held[:whole]

    async def get(self, host: str, path: str) -> bytes:
        """Return the body of a page."""
        self.waiting = asyncio.get_running_loop().create_future()
        self.transport.write(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: {AGENT}\r\n\r\n".encode())
        return await self.waiting


async def known_pages(hosts: list[str], open_fetch: Callable[[], Coroutine[None, None, Fetch]]) -> int:
    """Fetch the pages of all hosts by their numbers; return how many."""

    async def work() -> None:
        fetch = await open_fetch()
        while hosts:
            host = hosts.pop()
            for page in range(PAGES_A_HOST):
                fetched.append(len(await fetch(host, f"/p/{page}")))

    fetched: list[int] = []
    await asyncio.gather(*(work() for _ in range(min(CONNECTIONS, len(hosts)))))
    return len(fetched)


async def raw(hosts: list[str], port: int) -> int:
    """Fetch by asyncio's protocols."""

    async def opened() -> Fetch:
        _, connection = await asyncio.get_running_loop().create_connection(Raw, "127.0.0.1", port)
        return connection.get

    return await known_pages(hosts, opened)


async def by_aiohttp(hosts: list[str], port: int) -> int:
    """Fetch by aiohttp."""
    async with session() as client:

        async def fetch(host: str, path: str) -> bytes:
            async with client.get(f"http://127.0.0.1:{port}{path}", headers={"Host": host}) as response:
                return await response.read()

        async def opened() -> Fetch:
            return fetch

        return await known_pages(hosts, opened)


def session() -> aiohttp.ClientSession:
    """Return a session without cookies."""
    connector = aiohttp.TCPConnector(limit=CONNECTIONS)
    return aiohttp.ClientSession(
        connector=connector, cookie_jar=aiohttp.DummyCookieJar(), headers={"User-Agent": AGENT}
    )


class Libraries:
    """Fetches, finds links, writes WARC."""

    def __init__(self, seeds: list[str], out: Path, port: int) -> None:
        self.port, self.pages = port, 0
        self.seen = set(seeds)
        self.hosts = {urlsplit(url).netloc: [url] for url in seeds}
        pack_by_isal()
        self.file = (out / "pages.warc.gz").open("wb")
        self.writer = warcio.warcwriter.WARCWriter(self.file, gzip=True, warc_version="1.1")

    async def crawl(self) -> int:
        """Follow all links to the seeds' hosts; return the pages."""
        hosts = list(self.hosts)
        async with session() as client:

            async def work() -> None:
                while hosts:
                    queue = self.hosts[hosts.pop()]
                    while queue:
                        await self.visit(client, queue.pop())

            await asyncio.gather(*(work() for _ in range(min(CONNECTIONS, len(hosts)))))
            while left := [url for queue in self.hosts.values() for url in queue]:  # found by others, later
                for queue in self.hosts.values():
                    queue.clear()
                for url in left:
                    await self.visit(client, url)
        self.file.close()
        return self.pages

    async def visit(self, client: aiohttp.ClientSession, url: str) -> None:
        """Fetch a page, write it, queue its links."""
        at = urlsplit(url)
        async with client.get(f"http://127.0.0.1:{self.port}{at.path}", headers={"Host": at.netloc}) as response:
            body = await response.read()
        self.pages += 1
        self.write(url, at.path, response, body)
        tree = HTMLTree.parse(body.decode())
        for link in tree.document.query_selector_all("a[href]").values():  # a loop over it is quadratic
            found = URL(link.getattr("href"), url)
            if found.href not in self.seen and "/private/" not in found.pathname:
                self.seen.add(found.href)
                if found.host in self.hosts:
                    self.hosts[found.host].append(found.href)

    def write(self, url: str, path: str, response: aiohttp.ClientResponse, body: bytes) -> None:
        """Write a request and its response."""
        fields = list(response.request_info.headers.items())
        head = StatusAndHeaders(f"GET {path} HTTP/1.1", fields, is_http_request=True)
        sent = self.writer.create_warc_record(url, "request", http_headers=head)
        head = StatusAndHeaders(f"{response.status} OK", list(response.headers.items()), protocol="HTTP/1.1")
        got = self.writer.create_warc_record(url, "response", io.BytesIO(body), http_headers=head)
        self.writer.write_request_response_pair(sent, got)


def pack_by_isal() -> None:
    """Give warcio the compressor that corpusmill has, instead of zlib at level 9."""

    class Wrapper(warcio.warcwriter.GzippingWrapper):  # type: ignore[misc]
        def __init__(self, out: io.RawIOBase) -> None:
            super().__init__(out)
            self.compressor = isal_zlib.compressobj(TEXT_LEVEL, isal_zlib.DEFLATED, isal_zlib.MAX_WBITS + 16)

    warcio.warcwriter.GzippingWrapper = Wrapper


def main() -> None:
    """Fetch everything once."""
    how, seeds, out, port = sys.argv[1:]
    urls = Path(seeds).read_text().split()
    Path(out).mkdir(parents=True, exist_ok=True)
    if how == "libraries":
        print(asyncio.run(Libraries(urls, Path(out), int(port)).crawl()))
        return
    hosts = [urlsplit(url).netloc for url in urls]
    print(asyncio.run({"raw": raw, "aiohttp": by_aiohttp}[how](hosts, int(port))))


if __name__ == "__main__":
    main()
