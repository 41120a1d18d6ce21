"""A server on loopback that does to each request what the test's script says, byte for byte.

It runs in a thread of its own, counts connections, keeps the heads that it was sent, and ends by itself: no
connection lives longer than CONNECTION_S.
"""

import asyncio
import contextlib
import ssl
import threading
from collections.abc import Awaitable, Callable, Iterator, Mapping

CONNECTION_S = 20.0
Script = bytes | Callable[[asyncio.StreamWriter], Awaitable[None]]


class HostileServer:
    """What the test sees of it: its port, who came, and what they sent."""

    def __init__(self, scripts: Mapping[str, Script], tls: ssl.SSLContext | None, greeting: bytes) -> None:
        self.scripts, self.tls, self.greeting = dict(scripts), tls, greeting
        self.port, self.connections = 0, 0
        self.heads: list[bytes] = []
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def start(self) -> None:
        self._thread.start()
        assert self._ready.wait(10)

    def stop(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.set_exception_handler(lambda loop, context: None)  # clients that walk away are the point
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self.tls))
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0.01))
        self._loop.close()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        writer.write(self.greeting)
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, TimeoutError):
            async with asyncio.timeout(CONNECTION_S):
                while not writer.is_closing():
                    head = await reader.readuntil(b"\r\n\r\n")
                    self.heads.append(head)
                    await self._answer(head.split()[1].decode("latin-1"), writer)
        writer.close()

    async def _answer(self, path: str, writer: asyncio.StreamWriter) -> None:
        script = self.scripts.get(path, b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")
        if isinstance(script, bytes):
            writer.write(script)
            await writer.drain()
        else:
            await script(writer)

    def targets(self) -> list[str]:
        """Return the request targets in order."""
        return [head.split()[1].decode("latin-1") for head in self.heads]


@contextlib.contextmanager
def hostile(
    scripts: Mapping[str, Script], tls: ssl.SSLContext | None = None, greeting: bytes = b""
) -> Iterator[HostileServer]:
    """Run a server for the length of a `with` block; `greeting` goes out before any request came in."""
    server = HostileServer(scripts, tls, greeting)
    server.start()
    try:
        yield server
    finally:
        server.stop()


def ok(body: bytes, *fields: str) -> bytes:
    """Return a whole response."""
    lines = ["HTTP/1.1 200 OK", *fields, f"Content-Length: {len(body)}"]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def endless(head: bytes, piece: bytes, pause_s: float = 0.0) -> Script:
    """Return a script that sends `head` and then `piece` until the client leaves."""

    async def script(writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while not writer.is_closing():
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause_s)

    return script


def then_close(data: bytes) -> Script:
    """Return a script that sends `data` and hangs up."""

    async def script(writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await writer.drain()
        writer.close()

    return script
