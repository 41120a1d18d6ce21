"""WARC/1.1 records of a crawl, framed by warcio: what was asked, what came back, what the owner says about it.

ISO 28500:2017. A capture gives a request, a response (or a revisit) and a metadata record; one that its owner refuses
gives the metadata record alone. Heads and bodies stand as they were on the wire. Every record is a gzip member of its
own, and its id follows from its content, so the same captures give the same bytes.
"""

import base64
import hashlib
import io
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Literal

from manifests.keys import canonical_json
from pipelines.crawl.cdxj import REVISIT, UNKNOWN, CdxLine, surt
from pipelines.fetch.exchange import Exchange
from pipelines.sources.warc_writer import labelled_digest, record_id

if TYPE_CHECKING:
    from warcio.recordloader import ArcWarcRecord  # type: ignore[import-untyped]

State = Literal["kept", "refused", "redirected", "unchanged", "failed"]
Fields = list[tuple[str, str]]

# ISA-L's levels: on 20 KB pages 71 µs for 3.16 : 1, where zlib's level 6 takes 373 µs for 3.38 : 1. On what is packed
# already, level 1 adds nothing (level 0 adds a quarter) at twice the speed of level 3.
TEXT_LEVEL, PACKED_LEVEL = 3, 1
_PACKED = frozenset({"image", "audio", "video"})
_PROFILE = "http://netpreserve.org/warc/1.1/revisit/"
NOT_MODIFIED = 304
_ENDS = str.maketrans("\r\n\0", "   ")  # what would end a header line, or a reader
_BLOCK_TYPES = {
    "request": "application/http; msgtype=request",
    "response": "application/http; msgtype=response",
    "revisit": "application/http; msgtype=response",
    "metadata": "application/warc-fields",
    "warcinfo": "application/warc-fields",
}


@dataclass(frozen=True, slots=True)
class Capture:
    """One exchange and what it came to.

    `revisit_of` is (URL, WARC-Date) of the record that holds the payload: `warc_date(started_s)` of that exchange.
    `media_type` is what the payload is held for, which need not be what the server declares.
    """

    exchange: Exchange
    state: State
    reason: str | None = None  # Refused or FetchFailed
    verdict: Mapping[str, Any] = field(default_factory=dict)  # JSON-able
    policy: Iterable[str] = ()  # the owner's signals, raw, "name: value"
    revisit_of: tuple[str, str] | None = None
    robots_digest: bytes | None = None  # sha256 of the robots.txt that decided
    referrer: str | None = None
    caption: str | None = None
    media_type: str | None = None

    @property
    def is_revisit(self) -> bool:
        """Say whether the payload is left out because an earlier record holds it."""
        return self.state == "unchanged" or self.revisit_of is not None


def warc_date(seconds: float) -> str:
    """Return seconds since 1970 as a WARC-Date: UTC, to the microsecond."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="microseconds")[:-6] + "Z"


def warcinfo_id(file_info: Mapping[str, str]) -> str:
    """Return the id of the warcinfo record of `file_info`, which every record of the crawl names."""
    if "date" not in file_info:
        raise ValueError("file_info has no `date`: the WARC-Date of its warcinfo record, e.g. 2026-01-01T00:00:00Z")
    return record_id("warcinfo", canonical_json(dict(file_info)).decode())


def warcinfo_member(file_info: Mapping[str, str]) -> bytes:
    """Return the gzip member that opens every file of a crawl.

    `file_info` holds its fields in order (software, operator, robots, http-header-user-agent ...; ISO 28500, 6.2) and
    `date`, the WARC-Date. It names no file: a file's name follows from its bytes.
    """
    lines = [(name, value) for name, value in file_info.items() if name != "date"]
    block = _warc_fields([("format", "WARC File Format 1.1"), *lines])
    head = [
        ("WARC-Type", "warcinfo"),
        ("WARC-Record-ID", warcinfo_id(file_info)),
        ("WARC-Date", file_info["date"]),
        ("WARC-Block-Digest", labelled_digest(block)),
    ]
    members = _Members()
    members.add(head, b"", block, TEXT_LEVEL)
    return members.out.getvalue()


def write_captures(captures: Iterable[Capture], file_info: Mapping[str, str]) -> tuple[bytes, list[CdxLine]]:
    """Return the bytes of a part, and a line for each response and revisit in it, in order.

    A part has no warcinfo record: `pipelines.crawl.compose` puts one before the parts of a file. Raises ValueError for
    a `file_info` without `date`.
    """
    members, lines = _Members(), []
    info_id = warcinfo_id(file_info)
    for capture in captures:
        lines += _Records(capture, info_id, members).write()
    return members.out.getvalue(), lines


class _Members:
    """What warcio writes into; each record becomes one gzip member."""

    def __init__(self) -> None:
        self.out = io.BytesIO()
        self._writer = _writer_class()(self, gzip=False, warc_version="1.1")
        self._deflate: Any = None

    def add(self, fields: Fields, head: bytes, body: bytes, level: int) -> tuple[int, int]:
        """Write one record; return (offset, length) of its member. `head` is that of an HTTP message, or empty."""
        from isal import isal_zlib

        start = self.out.tell()
        self._deflate = isal_zlib.compressobj(level, isal_zlib.DEFLATED, 31)
        self._writer.write_record(_record(fields, head, body))
        return start, self.out.tell() - start

    def write(self, piece: bytes) -> None:
        self.out.write(self._deflate.compress(piece))

    def flush(self) -> None:
        self.out.write(self._deflate.flush())


class _RawHead:
    """The head of an HTTP message as it was sent; warcio's own class percent-encodes what is not ASCII."""

    def __init__(self, raw: bytes) -> None:
        self.headers_buff = raw

    def compute_headers_buffer(self, header_filter: object = None) -> None:
        """Leave the bytes as they are."""


@cache
def _writer_class() -> Any:
    from warcio.warcwriter import WARCWriter  # type: ignore[import-untyped]

    class Writer(WARCWriter):  # type: ignore[misc]
        def ensure_digest(self, record: "ArcWarcRecord", block: bool = True, payload: bool = True) -> None:
            """Do nothing: every digest is in the header already, and warcio's own would be SHA-1."""

    return Writer


def _record(fields: Fields, head: bytes, body: bytes) -> "ArcWarcRecord":
    from warcio.recordloader import ArcWarcRecord
    from warcio.statusandheaders import StatusAndHeaders  # type: ignore[import-untyped]

    kind = fields[0][1]
    headers = StatusAndHeaders("", fields, protocol="WARC/1.1")
    raw_head = _RawHead(head) if head else None
    size = len(body)
    return ArcWarcRecord(
        "warc", kind, headers, io.BytesIO(body), raw_head, _BLOCK_TYPES[kind], size, payload_length=size
    )


class _Records:
    """The records of one capture."""

    def __init__(self, capture: Capture, info_id: str, members: _Members) -> None:
        self.capture, self.info_id, self.members = capture, info_id, members
        self.url, self.date = _one_line(capture.exchange.url), warc_date(capture.exchange.started_s)

    def write(self) -> list[CdxLine]:
        """Write request, response or revisit, and metadata; return the line of the second, if there is one."""
        exchange = self.capture.exchange
        may_keep = self.capture.state != "refused"
        answer = self._answer() if may_keep and exchange.response_head else []
        about = answer[1][1] if answer else None
        if may_keep and exchange.request_head:
            asked = self._fields("request", labelled_digest(exchange.request_head), _given("Concurrent-To", about))
            self.members.add(asked, exchange.request_head, b"", TEXT_LEVEL)
            about = about or asked[1][1]
        lines = [self._write_answer(answer)] if answer else []
        block = _warc_fields(self._said())
        said = self._fields("metadata", labelled_digest(block), _given("Concurrent-To", about))
        self.members.add(said, b"", block, TEXT_LEVEL)
        return lines

    def _fields(self, kind: str, digest: str, more: Fields) -> Fields:
        """Return the header of a record whose block has `digest`; the type comes first, the id second."""
        return [
            ("WARC-Type", kind),
            ("WARC-Record-ID", record_id(kind, self.url, self.date, digest)),
            ("WARC-Date", self.date),
            ("WARC-Target-URI", self.url),
            *_given("IP-Address", self.capture.exchange.ip),
            ("WARC-Warcinfo-ID", self.info_id),
            *more,
            ("WARC-Block-Digest", digest),
        ]

    def _answer(self) -> Fields:
        """Return the header of the response, or of the revisit, whose block is the HTTP head alone."""
        capture, exchange = self.capture, self.capture.exchange
        hashed = hashlib.sha256(exchange.response_head)
        if not capture.is_revisit:
            hashed.update(exchange.body)
            more = [*_given("Truncated", exchange.truncated), ("WARC-Payload-Digest", labelled_digest(exchange.body))]
            if capture.media_type != exchange.content_type[0]:  # what is declared stands in the HTTP head
                more += _given("Identified-Payload-Type", capture.media_type)
            return self._fields("response", _label(hashed.digest()), more)
        uri, date = capture.revisit_of or (None, None)
        more = [*_given("Refers-To-Target-URI", uri), *_given("Refers-To-Date", date)]
        if exchange.status == NOT_MODIFIED:
            more += [("WARC-Profile", _PROFILE + "server-not-modified")]
        else:
            more += [("WARC-Profile", _PROFILE + "identical-payload-digest"), ("WARC-Truncated", "length")]
            more += [("WARC-Payload-Digest", labelled_digest(exchange.body))]
        return self._fields("revisit", _label(hashed.digest()), more)

    def _write_answer(self, fields: Fields) -> CdxLine:
        exchange, is_revisit = self.capture.exchange, self.capture.is_revisit
        named = dict(fields)
        body = b"" if is_revisit else exchange.body
        offset, length = self.members.add(fields, exchange.response_head, body, _level(self.capture))
        return CdxLine(
            key=surt(self.url),
            timestamp="".join(filter(str.isdigit, self.date[:19])),
            url=self.url,
            mime=REVISIT if is_revisit else exchange.content_type[0] or UNKNOWN,
            status=exchange.status,
            digest=named.get("WARC-Payload-Digest", ""),
            offset=offset,
            length=length,
            truncated="" if is_revisit else named.get("WARC-Truncated", ""),
        )

    def _said(self) -> Fields:
        """Return what the metadata record says: how we came, what it came to, and the owner's words."""
        capture, exchange = self.capture, self.capture.exchange
        fields = [
            ("via", capture.referrer),
            ("fetchTimeMs", str(round((exchange.ended_s - exchange.started_s) * 1000))),
            ("state", capture.state),
            ("reason", capture.reason),
            ("http-status", str(exchange.status)),
            ("media-type", capture.media_type),
            ("caption", capture.caption),
            ("robots-sha256", capture.robots_digest and capture.robots_digest.hex()),
            *[("policy", line) for line in capture.policy],
            ("verdict", json.dumps(capture.verdict, sort_keys=True, ensure_ascii=False) if capture.verdict else None),
        ]
        return [(name, value) for name, value in fields if value]


def _level(capture: Capture) -> int:
    """Return how hard to press the body: what is packed already only costs time."""
    kind = (capture.media_type or capture.exchange.content_type[0] or "").partition("/")[0]
    coded = capture.exchange.header("content-encoding") not in (None, "", "identity")
    return PACKED_LEVEL if coded or kind in _PACKED else TEXT_LEVEL


def _given(name: str, value: str | None) -> Fields:
    """Return the WARC field `name` where there is a value."""
    return [(f"WARC-{name}", _one_line(value))] if value else []


def _label(digest: bytes) -> str:
    return "sha256:" + base64.b32encode(digest).decode("ascii")


def _one_line(value: str) -> str:
    """Return the value without what would end a header line, as UTF-8 can hold it."""
    if value.isascii() and value.isprintable():
        return value
    return value.translate(_ENDS).encode("utf-8", "backslashreplace").decode()


def _warc_fields(fields: Iterable[tuple[str, str]]) -> bytes:
    """Return an application/warc-fields block: UTF-8, a field a line; lone surrogates as escapes."""
    return "".join([f"{name}: {_one_line(value)}\r\n" for name, value in fields]).encode()
