"""Requests' and responses' heads as bytes: what a WARC file keeps of them."""

from collections.abc import Mapping, Sequence

_TRANSFER = frozenset({b"transfer-encoding"})

RawFields = Sequence[tuple[bytes, bytes]]


def request_head(target: str, host: str, fields: Mapping[str, str]) -> bytes:
    """Return the head of a GET as aiohttp sends it: Host first, then `fields` in order."""
    lines = [f"GET {target} HTTP/1.1", f"Host: {host}", *(f"{name}: {value}" for name, value in fields.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def response_head(version: tuple[int, int], status: int, reason: str | None, fields: RawFields) -> bytes:
    """Return the head of a response, its fields as sent but for the transfer coding, which is undone."""
    line = b"HTTP/%d.%d %d %b" % (*version, status, (reason or "").encode("utf-8", "surrogateescape"))
    kept = [b"%b: %b" % field for field in fields if field[0].lower() not in _TRANSFER]
    return b"\r\n".join([line, *kept, b"", b""])


def field_text(fields: RawFields) -> tuple[tuple[str, str], ...]:
    """Return the fields as text, names in lower case; what is no UTF-8 is taken for ISO 8859-1 (RFC 9110, 5.5)."""
    try:
        return tuple([(name.decode().lower(), value.decode()) for name, value in fields])
    except UnicodeDecodeError:
        return tuple([(_text(name).lower(), _text(value)) for name, value in fields])


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        return value.decode("latin-1")
