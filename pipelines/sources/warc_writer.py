"""WARC/1.1 records whose bytes depend on nothing but what is given: no clock, no random record ids.

ISO 28500:2017. A file is a sequence of records, each its own gzip member (annex D), so a reader can start at
any of them. The order of the header fields, the level and the member header are fixed.
"""

import base64
import hashlib
import uuid
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

GZIP_LEVEL = 6
CRLF = b"\r\n"
Headers = tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Page:
    """One page as a web server sends it; `content_type` may carry a charset parameter."""

    uri: str
    payload: bytes
    content_type: str = "text/html"
    headers: Headers = ()  # more HTTP header fields, e.g. (("X-Robots-Tag", "noai"),)
    status: str = "200 OK"


def labelled_digest(data: bytes) -> str:
    """Return `sha256:` and the base32 digest, as other writers label theirs."""
    return "sha256:" + base64.b32encode(hashlib.sha256(data).digest()).decode("ascii")


def record_id(*parts: str) -> str:
    """Return a record id made from `parts` alone: a UUID of version 8 (RFC 9562, section 5.8)."""
    digest = bytearray(hashlib.sha256("\n".join(parts).encode()).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x80
    digest[8] = digest[8] & 0x3F | 0x80
    return f"<urn:uuid:{uuid.UUID(bytes=bytes(digest))}>"


def _record(fields: Headers, block: bytes) -> bytes:
    head = "".join(f"{name}: {value}\r\n" for name, value in fields)
    length = f"Content-Length: {len(block)}\r\n\r\n"
    return b"WARC/1.1\r\n" + (head + length).encode() + block + CRLF + CRLF


def warcinfo_record(filename: str, date: str, fields: Headers) -> bytes:
    """Return the record that opens a file; `date` is W3C-DTF in UTC, e.g. 2026-01-01T00:00:00Z."""
    block = "".join(f"{name}: {value}\r\n" for name, value in fields).encode()
    digest = labelled_digest(block)
    head = (
        ("WARC-Type", "warcinfo"),
        ("WARC-Record-ID", record_id("warcinfo", filename, date, digest)),
        ("WARC-Date", date),
        ("WARC-Filename", filename),
        ("WARC-Block-Digest", digest),
        ("Content-Type", "application/warc-fields"),
    )
    return _record(head, block)


def http_response(page: Page) -> bytes:
    """Return the HTTP/1.1 message that carries `page`; headers are Latin-1 (RFC 9112, section 2.2)."""
    fields = (("Content-Type", page.content_type), ("Content-Length", str(len(page.payload))), *page.headers)
    head = f"HTTP/1.1 {page.status}\r\n" + "".join(f"{name}: {value}\r\n" for name, value in fields)
    return head.encode("latin-1") + CRLF + page.payload


def response_record(page: Page, date: str) -> bytes:
    """Return the response record of `page`, with digests of block and payload and the payload's type."""
    block = http_response(page)
    payload_digest = labelled_digest(page.payload)
    head = (
        ("WARC-Type", "response"),
        ("WARC-Record-ID", record_id("response", page.uri, date, payload_digest)),
        ("WARC-Date", date),
        ("WARC-Target-URI", page.uri),
        ("WARC-Block-Digest", labelled_digest(block)),
        ("WARC-Payload-Digest", payload_digest),
        ("WARC-Identified-Payload-Type", page.content_type.partition(";")[0].strip()),
        ("Content-Type", "application/http; msgtype=response"),
    )
    return _record(head, block)


def conversion_record(uri: str, text: bytes, language: str, date: str) -> bytes:
    """Return the record of a text that was made of a page, as Common Crawl's WET files hold them."""
    digest = labelled_digest(text)
    head = (
        ("WARC-Type", "conversion"),
        ("WARC-Record-ID", record_id("conversion", uri, date, digest)),
        ("WARC-Date", date),
        ("WARC-Target-URI", uri),
        ("WARC-Identified-Content-Language", language),
        ("WARC-Block-Digest", digest),
        ("Content-Type", "text/plain"),
    )
    return _record(head, text)


def gzip_member(record: bytes) -> bytes:
    """Return `record` as one gzip member with modification time 0."""
    return zlib.compress(record, GZIP_LEVEL, wbits=31)


def warc_records(filename: str, date: str, info: Headers, pages: Iterable[Page]) -> Iterator[bytes]:
    """Yield the records of one file, uncompressed: warcinfo, then a response for each page."""
    yield warcinfo_record(filename, date, info)
    for page in pages:
        yield response_record(page, date)


def write_warc(path: Path, date: str, info: Headers, pages: Iterable[Page]) -> int:
    """Write `path` (gzip when the name ends in .gz), give the number of response records written."""
    records = -1
    with path.open("wb") as out:
        for record in warc_records(path.name, date, info, pages):
            out.write(gzip_member(record) if path.suffix == ".gz" else record)
            records += 1
    return records
