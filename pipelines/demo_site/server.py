"""The server: one asyncio loop, one loopback port, keep-alive and pipelining, every host by its Host field."""

import asyncio
import time
from collections.abc import Callable
from email.utils import formatdate
from typing import TextIO

from pipelines.demo_site.message import (
    MAX_HEAD_BYTES,
    MalformedError,
    Piece,
    Request,
    Response,
    parse_head,
    response_head,
)

LOOPBACK = "127.0.0.1"
IDLE_S = 60.0
Respond = Callable[[Request], Response]

_NOBODY = Request("GET", "", "/", "", {}, False, True)
_dates: dict[int, str] = {}


def http_now() -> str:
    """Return the Date field's value, made once a second."""
    now = int(time.time())
    if now not in _dates:
        _dates.clear()
        _dates[now] = formatdate(now, usegmt=True)
    return _dates[now]


class Connection(asyncio.Protocol):
    """One connection: requests are answered in order, the next one is read when the last is answered."""

    def __init__(self, respond: Respond, log: TextIO | None = None) -> None:
        self.respond, self.log = respond, log
        self.received = bytearray()
        self.sending = False  # a slow body
        self.paused = False  # the client does not read
        self.started_s = 0.0

    @property
    def busy(self) -> bool:
        """Return whether the next request must wait."""
        return self.sending or self.paused

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.loop = asyncio.get_running_loop()
        self.seen_s = self.loop.time()
        self.idle = self.loop.call_later(IDLE_S, self._close_idle)

    def connection_lost(self, exc: Exception | None) -> None:
        self.idle.cancel()

    def pause_writing(self) -> None:
        self.paused = True

    def resume_writing(self) -> None:
        self.paused = False
        self._answer_all()

    def data_received(self, data: bytes) -> None:
        self.received += data
        self.seen_s = self.loop.time()
        if not self.busy:
            self._answer_all()

    def _close_idle(self) -> None:
        left = self.seen_s + IDLE_S - self.loop.time()
        if left <= 0 and not self.busy:
            self.transport.close()
        else:
            self.idle = self.loop.call_later(max(left, 1.0), self._close_idle)

    def _answer_all(self) -> None:
        while not self.busy and not self.transport.is_closing():
            if self.received.startswith(b"\r\n"):  # RFC 9112, 2.2
                del self.received[:2]
            end = self.received.find(b"\r\n\r\n")
            if end < 0 or end > MAX_HEAD_BYTES:
                if len(self.received) > MAX_HEAD_BYTES:
                    self._send(Response(431), _NOBODY)
                return
            head = bytes(self.received[:end])
            del self.received[: end + 4]
            self.started_s = time.time()
            try:
                request = parse_head(head)
            except MalformedError as error:
                self._send(Response(error.status), _NOBODY)
                return
            self._send(self.respond(request), request)

    def _send(self, response: Response, request: Request) -> None:
        keep_alive = request.keep_alive and not response.cut and (request.chunked or not response.pieces)
        head = response_head(response, request, http_now(), keep_alive)
        if response.pieces and request.method != "HEAD":
            self.sending = True
            self.transport.write(head)
            self._send_pieces(list(response.pieces)[::-1], response, request)
            return
        self.transport.write(head if request.method == "HEAD" else head + response.body)
        self._finish(response, request, keep_alive)

    def _send_pieces(self, left: list[Piece], response: Response, request: Request) -> None:
        if self.transport.is_closing():
            self._finish(response, request, False)
        elif left:
            self.loop.call_later(left[-1].wait_s, self._send_piece, left, response, request)
        else:
            if request.chunked:
                self.transport.write(b"0\r\n\r\n")
            self.sending = False
            self._finish(response, request, request.keep_alive and request.chunked)
            self._answer_all()

    def _send_piece(self, left: list[Piece], response: Response, request: Request) -> None:
        data = left.pop().data
        if not self.transport.is_closing():
            self.transport.write(b"%x\r\n%b\r\n" % (len(data), data) if request.chunked else data)
        self._send_pieces(left, response, request)

    def _finish(self, response: Response, request: Request, keep_alive: bool) -> None:
        if self.log is not None and request is not _NOBODY:
            ended_s = time.time()
            self.log.write(
                f"{self.started_s:.6f}\t{ended_s:.6f}\t{response.status}\t{request.host}\t{request.target}\n"
            )
        if not keep_alive:
            self.transport.close()


async def serve(respond: Respond, port: int = 0, log: TextIO | None = None) -> asyncio.Server:
    """Listen on loopback, at a free port for 0; `log` gets a line of started_s, ended_s, status, host, target.

    Times are seconds since 1970: the head read whole, the last byte handed to the system.
    """
    loop = asyncio.get_running_loop()
    return await loop.create_server(lambda: Connection(respond, log), LOOPBACK, port, backlog=1024)
