"""A site on loopback that answers as a test says and writes down who was asked, from when to when.

`answer(host, path)` returns a whole response, or pieces of one with the seconds to wait before each (it may drip).
It runs in a thread of its own and ends with the `with` block, at the latest after LIFE_S.
"""

import asyncio
import contextlib
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

LIFE_S = 120.0
Answer = bytes | list[tuple[float, bytes]]


@dataclass
class Asked:
    host: str
    path: str
    start: float
    end: float = float("inf")  # the last byte has been handed over


@dataclass
class Site:
    """What a test sees: the port, and every request so far."""

    port: int = 0
    asked: list[Asked] = field(default_factory=list)

    def paths(self, host: str) -> list[str]:
        return [each.path for each in self.asked if each.host == host]

    def hurried(self, delay_s: float) -> list[tuple[Asked, Asked]]:
        """Return pairs of requests to one host that overlap or are closer, from end to start, than `delay_s`."""
        by_host = defaultdict(list)
        for each in sorted(self.asked, key=lambda each: each.start):
            by_host[each.host].append(each)
        return [pair for some in by_host.values() for pair in pairwise(some) if pair[1].start - pair[0].end < delay_s]


def response(body: bytes = b"", *fields: str, status: str = "200 OK", media_type: str = "text/html") -> bytes:
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {media_type}", *fields, f"Content-Length: {len(body)}"]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def moved(place: str) -> bytes:
    return response(b"", f"Location: {place}", status="302 Found")


ABSENT = response(b"no", status="404 Not Found")


@contextlib.contextmanager
def recording(answer: Callable[[str, str], Answer]) -> Iterator[Site]:
    """Run a site for the length of the block."""
    site, ready = Site(), threading.Event()
    loop = asyncio.new_event_loop()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, EOFError, asyncio.CancelledError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                host = head.partition("\r\nHost: ")[2].partition("\r\n")[0].partition(":")[0]
                asked = Asked(host, head.split()[1], time.monotonic())
                site.asked.append(asked)
                given = answer(host, asked.path)
                try:
                    for pause_s, piece in [(0.0, given)] if isinstance(given, bytes) else given:
                        await asyncio.sleep(pause_s)
                        asked.end = time.monotonic()
                        writer.write(piece)
                        await writer.drain()
                finally:
                    asked.end = min(asked.end, time.monotonic())
        writer.close()

    async def run() -> None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=256)
        site.port = server.sockets[0].getsockname()[1]
        ready.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(LIFE_S)

    def live() -> None:
        loop.set_exception_handler(lambda *_: None)  # clients that walk away are the point
        with contextlib.suppress(RuntimeError, asyncio.CancelledError):
            loop.run_until_complete(run())

    thread = threading.Thread(target=live, daemon=True)
    thread.start()
    assert ready.wait(10)
    try:
        yield site
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
