"""A site of many hosts on one loopback port, for the crawl's benchmarks: 20 KB pages, made of the demo's real ones.

    python -m benchmarks.crawl_site --hosts 80

Prints its port, then serves until its standard input ends, or for an hour; then it prints what it was asked for, as
JSON. Host `h00042.example` has a robots.txt, which shuts one folder, and PAGES_A_HOST pages under /p/: a tree from
/p/0 with BRANCHES children a page, so three rounds see them all. Page by page the text is that of a real manual, in
its own language and markup; where its links stood, there are links of ours: to the children, to pages of the same host
and of others, most of them known already, and one that robots.txt forbids. No two pages are the same.
"""

import argparse
import asyncio
import json
import re
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from functools import cache, lru_cache
from hashlib import sha256

from pipelines.demo_input import PAGE_FOLDERS, fetch_package, page_paths

PAGES_A_HOST = 50
BRANCHES = 7
OTHER_LINKS = 8  # to pages of other hosts
MIN_BYTES, MAX_BYTES, TEMPLATES = 20_000, 26_000, 64  # before links and scripts go; 20 KB are left
MAX_SECONDS = 3600.0
ROBOTS = b"User-agent: *\nDisallow: /private/\n"
_LINK = re.compile(rb"(<a\b[^>]*?\bhref=)(?:\"[^\"]*\"|'[^']*')", re.IGNORECASE)
# What would be fetched besides, by one crawler and not by another.
_LEFT_OUT = re.compile(rb"<script\b.*?</script>|<(?:link|base|script|iframe|meta http-equiv)\b[^>]*>", re.I | re.S)
_HEAD = "HTTP/1.1 {}\r\nServer: bench\r\nContent-Type: {}\r\nContent-Length: {}\r\n\r\n"


@cache
def templates() -> list[list[bytes]]:
    """Return real pages of about 20 KB, each cut where a link's address stood."""
    files = [package.page_folder / path for package in map(fetch_package, PAGE_FOLDERS) for path in page_paths(package)]
    found = []
    for file in sorted(files, key=lambda file: sha256("/".join(file.parts[-3:]).encode()).digest()):
        if MIN_BYTES <= file.stat().st_size <= MAX_BYTES:
            page = file.read_bytes()
            pieces = _LINK.split(_LEFT_OUT.sub(b"", page))
            if len(pieces) > 2 * (BRANCHES + 1) and is_utf8(page):  # room for the tree, and the forbidden one
                found.append([pieces[i] + pieces[i + 1] for i in range(0, len(pieces) - 1, 2)] + [pieces[-1]])
        if len(found) == TEMPLATES:
            break
    return found


def is_utf8(page: bytes) -> bool:
    """Say whether a page is what the server will say it is."""
    try:
        page.decode()
    except UnicodeDecodeError:
        return False
    return True


def host_name(number: int) -> str:
    """Return the name of a host."""
    return f"h{number:05d}.example"


def targets(host: int, page: int, hosts: int, port: str) -> Iterator[str]:
    """Yield the addresses in a page without end: children first, one that is forbidden, other hosts', our own."""
    children = range(BRANCHES * page + 1, BRANCHES * page + 1 + BRANCHES)
    yield from (f"/p/{child}" for child in children if child < PAGES_A_HOST)
    yield "/private/"
    state = int.from_bytes(sha256(f"{host}/{page}".encode()).digest()[:8], "big")
    for number in range(1 << 30):
        state = (state * 6364136223846793005 + 1442695040888963407) % (1 << 64)
        at = (state >> 33) % PAGES_A_HOST
        other = f"http://{host_name((state >> 40) % hosts)}{port}" if number < OTHER_LINKS else ""
        yield f"{other}/p/{at}"


def page_of(host: int, page: int, hosts: int, port: str) -> bytes:
    """Return a page; `port` is "" or ":8000", as the Host field has it."""
    stock = templates()
    template = stock[(host * PAGES_A_HOST + page) % len(stock)]
    parts = []
    for piece, target in zip(template[:-1], targets(host, page, hosts, port), strict=False):
        parts += [piece, b'"', target.encode(), b'"']
    return b"".join([*parts, template[-1], b"<!-- %d/%d -->" % (host, page)])


class Connection(asyncio.Protocol):
    """One connection: requests one after the other, kept alive."""

    def __init__(self, hosts: int, counts: Counter[str]) -> None:
        self.hosts, self.counts, self.held = hosts, counts, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where answers go."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.counts["connections"] += 1

    def data_received(self, data: bytes) -> None:
        """Answer every whole request."""
        self.held += data
        while (end := self.held.find(b"\r\n\r\n")) >= 0:
            head, self.held = self.held[:end].decode("latin-1"), self.held[end + 4 :]
            lines = head.split("\r\n")
            fields = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
            self.transport.write(self.answer(lines[0].split(" ")[1], fields.get("host", "")))

    def answer(self, path: str, authority: str) -> bytes:
        """Return the response."""
        name, colon, port = authority.partition(":")
        number = name[1:6]
        host = int(number) if name == f"h{number}.example" and number.isdigit() else self.hosts
        folder, _, page = path[1:].partition("/")
        if path == "/counts":
            return _response("200 OK", "application/json", json.dumps(self.counts).encode())
        if host < self.hosts and path == "/robots.txt":
            self.counts["robots"] += 1
            return _response("200 OK", "text/plain", ROBOTS)
        if host < self.hosts and folder == "p" and page.isdigit() and int(page) < PAGES_A_HOST:
            self.counts["pages"] += 1
            return _response("200 OK", "text/html; charset=utf-8", page_of(host, int(page), self.hosts, colon + port))
        self.counts["private" if folder == "private" else "missing"] += 1
        return _response("404 Not Found", "text/plain", b"not here\n")


@lru_cache(maxsize=1 << 16)
def _head(status: str, media_type: str, size: int) -> bytes:
    return _HEAD.format(status, media_type, size).encode()


def _response(status: str, media_type: str, body: bytes) -> bytes:
    return _head(status, media_type, len(body)) + body


async def serve(hosts: int) -> None:
    """Serve until standard input ends; print the port at the start, and at the end what was asked for."""
    counts: Counter[str] = Counter()
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    server = await loop.create_server(lambda: Connection(hosts, counts), "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)

    def wait_for_end() -> None:
        sys.stdin.read()
        loop.call_soon_threadsafe(ended.set)

    threading.Thread(target=wait_for_end, daemon=True).start()
    try:
        await asyncio.wait_for(ended.wait(), MAX_SECONDS)
    finally:
        print(json.dumps(counts), flush=True)
        server.close()


def main() -> None:
    """Make the pages' stock, then serve."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--hosts", type=int, required=True)
    options = parser.parse_args()
    templates()
    asyncio.run(serve(options.hosts))


if __name__ == "__main__":
    main()
