"""HTTP/1.1 messages as the demo's site reads and writes them (RFC 9110, RFC 9112): GET and HEAD, no request bodies."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import unquote

MAX_HEAD_BYTES = 64 << 10
Fields = tuple[tuple[str, str], ...]
_TOKEN = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_VERSION = re.compile(r"HTTP/1\.[0-9]")
_PHRASES = {status.value: status.phrase for status in HTTPStatus}


class MalformedError(ValueError):
    """A request that gets an error status, and no more after it on its connection."""

    def __init__(self, status: int) -> None:
        super().__init__(f"{status} {_PHRASES[status]}")
        self.status = status


@dataclass(frozen=True, slots=True)
class Request:
    """One request head. `host` is lower case and without its port, `path` is percent-decoded, `query` is not."""

    method: str
    host: str
    path: str
    query: str
    fields: dict[str, str]  # names lower case, lines of one name joined by ", "
    keep_alive: bool
    chunked: bool  # whether the client understands chunks: not in HTTP/1.0

    @property
    def target(self) -> str:
        """Return the path, decoded, with its query."""
        return f"{self.path}?{self.query}" if self.query else self.path


class Piece(NamedTuple):
    """Bytes of a body that are sent `wait_s` seconds after what stands before them."""

    wait_s: float
    data: bytes


@dataclass(frozen=True, slots=True)
class Response:
    """What a host answers. A body of `pieces` is sent in chunks; one `cut` ends before its Content-Length says."""

    status: int
    fields: Fields = ()
    body: bytes = b""
    pieces: Sequence[Piece] = ()
    cut: bool = False


def parse_head(head: bytes) -> Request:
    """Return the request whose start line and fields these are, without the empty line.

    Raises MalformedError with 400, 501 or 505.
    """
    lines = head.decode("latin-1").split("\r\n")
    start = lines[0].split(" ")
    if len(start) != 3:
        raise MalformedError(400)
    method, target, version = start
    if not _VERSION.fullmatch(version):
        raise MalformedError(505 if version.startswith("HTTP/") else 400)
    fields = _fields(lines[1:])
    if "transfer-encoding" in fields or fields.get("content-length", "0") != "0":
        raise MalformedError(501)
    modern = version != "HTTP/1.0"
    host, path, query = _address(target, fields.get("host"), modern)
    options = {each.strip().lower() for each in fields.get("connection", "").split(",")}
    keep_alive = "close" not in options if modern else "keep-alive" in options
    return Request(method, host, unquote(path), query, fields, keep_alive, modern)


def _fields(lines: Sequence[str]) -> dict[str, str]:
    fields: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not _TOKEN.fullmatch(name):
            raise MalformedError(400)  # folded lines and blanks before the colon too (RFC 9112, 5.1 and 5.2)
        name, value = name.lower(), value.strip(" \t")
        if name in fields:
            if name == "host":
                raise MalformedError(400)
            value = f"{fields[name]}, {value}"
        fields[name] = value
    return fields


def _address(target: str, host: str | None, modern: bool) -> tuple[str, str, str]:
    """Return host, path and query; a target in absolute form names the host itself (RFC 9112, 3.2.2)."""
    if host is None and modern:
        raise MalformedError(400)
    if target[:7].lower() == "http://":
        host, slash, rest = target[7:].partition("/")
        target = slash + rest or "/"
    if not target.startswith("/"):
        raise MalformedError(400)
    path, _, query = target.partition("?")
    return (host or "").rpartition("@")[2].partition(":")[0].lower(), path, query


def response_head(response: Response, request: Request, date: str, keep_alive: bool) -> bytes:
    """Return the status line and the fields of a response, with the empty line."""
    lines = [f"HTTP/1.1 {response.status} {_PHRASES[response.status]}", f"Date: {date}", "Server: corpusmill-demo"]
    lines += [f"{name}: {value}" for name, value in response.fields]
    if response.pieces:
        lines += ["Transfer-Encoding: chunked"] if request.chunked else []
    elif response.status not in (204, 304):
        lines.append(f"Content-Length: {len(response.body) * (2 if response.cut else 1)}")
    if not keep_alive:
        lines.append("Connection: close")
    elif not request.chunked:
        lines.append("Connection: keep-alive")
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
