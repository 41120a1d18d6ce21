"""WARC and WET files.

Response, resource and conversion records as raw records, everything else accounted for.
"""

import re
from collections.abc import Iterator
from typing import BinaryIO

from manifests.limits import Limits
from manifests.reasons import Quarantine, Skipped
from pipelines.sources.codings import CodingError, codings_of, dechunk, decode_body
from pipelines.sources.header_fields import (
    Fields,
    content_type,
    first_of_each,
    head_end,
    parse_date,
    parse_fields,
)
from pipelines.sources.units import MEDIA_TYPES, Broken, Event, Found, Unit
from pipelines.sources.warc_frames import Container, Frame, frames
from pipelines.sources.warc_gzip import GzipContainer
from pipelines.sources.warc_plain import PlainContainer
from pipelines.sources.window import Window

READ_TYPES = frozenset({"response", "resource", "conversion"})
WARC_FIELDS = "application/warc-fields"  # metadata records, read where this is among the media types
# What the owner of a page says about its use; kept as "name: value" lines in the order they were sent.
POLICY_HEADERS = frozenset({"x-robots-tag", "tdm-reservation", "tdm-policy", "content-usage", "content-signal"})
_LANGUAGES = re.compile(r"[a-z]{2,3}(?:,[a-z]{2,3}){0,19}")
_STATUS = re.compile(rb"HTTP/\d(?:\.\d)? +(\d{3})(?: |\r?\n|\Z)")


def container_of(window: Window, name: str, limits: Limits) -> Container:
    """Return how the file is laid out, by its first bytes; where these are damaged, by its name."""
    begin = bytes(window.at(0, 5))
    packed = begin.startswith(b"\x1f\x8b") or (not begin.startswith(b"WARC/") and name.endswith(".gz"))
    return GzipContainer(window, limits) if packed else PlainContainer(window, limits)


def warc_events(
    file: BinaryIO, size: int, unit: Unit, limits: Limits, media_types: frozenset[str] = MEDIA_TYPES
) -> Iterator[Event]:
    """Yield what stands in [unit.start, unit.end) of a WARC file of `size` bytes, in file order."""
    if size == 0:
        yield Broken(Quarantine.DAMAGED_CONTAINER, "the file is empty", 0)
        return
    container = container_of(Window(file, size), unit.uri, limits)
    for frame in frames(container, unit.start, unit.end):
        yield frame if isinstance(frame, Broken) else event_of(frame, limits, media_types)


def event_of(frame: Frame, limits: Limits, media_types: frozenset[str]) -> Event:
    """Return what a WARC record is to this job."""
    named = first_of_each(frame.fields)
    kind = named.get("warc-type", "").lower()
    if kind not in READ_TYPES and not (kind == "metadata" and WARC_FIELDS in media_types):
        return Skipped.WARC_RECORD_TYPE
    uri = named.get("warc-target-uri", "").removeprefix("<").removesuffix(">")
    try:
        found = _found(frame, named, limits, media_types)
    except CodingError as error:
        return refused(error, limits, frame.offset, uri[:512] or None, frame.length)
    if isinstance(found, Found):
        found.uri, found.offset, found.fetched_at_us = uri, frame.offset, parse_date(named.get("warc-date"))
        found.language = languages(named.get("warc-identified-content-language"))
    return found


def languages(stated: str | None) -> str | None:
    """Return the languages that a WET record states ("eng,jpn", ISO 639-3), None for anything that is no such list."""
    joined = (stated or "").replace(" ", "").lower()
    return joined if _LANGUAGES.fullmatch(joined) else None


def refused(error: CodingError, limits: Limits, offset: int, uri: str | None, size: int) -> Broken:
    """Return the event of a record that was found and can't be given on."""
    limit_value = getattr(limits, error.limit) if error.limit else None
    return Broken(
        error.reason,
        error.detail,
        offset,
        uri,
        size,
        limit=error.limit,
        limit_value=limit_value,
        observed=error.observed,
    )


def _found(frame: Frame, named: dict[str, str], limits: Limits, media_types: frozenset[str]) -> Found | Skipped:
    """Return the payload with what its own headers say.

    Raises CodingError with the reason of a quarantine.
    """
    record_type, _ = content_type(named.get("content-type"))
    if record_type == "application/http":
        fields, body = _http_message(frame, limits)
        if fields is None:
            return Skipped.HTTP_STATUS
        http = first_of_each(fields)
        declared = http.get("content-type") or named.get("warc-identified-payload-type")
    else:
        fields, http, declared = (), {}, named.get("content-type")
        body = frame.block
    media_type, charset = content_type(declared)
    if named.get("warc-type", "").lower() == "conversion" and media_type == "text/plain":
        charset = charset or "utf-8"  # Common Crawl's WET files declare none
    if media_type is not None and media_type not in media_types:
        return Skipped.MEDIA_TYPE
    _check_whole(frame, named, limits)
    policy = None if POLICY_HEADERS.isdisjoint(http) else policy_of(fields)
    return Found("", _decoded(body, http, limits), media_type=media_type, charset=charset, policy=policy)


def _http_message(frame: Frame, limits: Limits) -> tuple[Fields | None, bytes | memoryview]:
    """Return (header fields, body) of the HTTP response in a block; no fields where its status is not 2xx."""
    status = _STATUS.match(frame.block)
    if status is None:
        raise CodingError(Quarantine.MALFORMED_RECORD, "the block does not begin with an HTTP status line")
    if not status.group(1).startswith(b"2"):
        return None, b""
    stop = head_end(frame.block, 0, limits.max_header_bytes)
    if stop < 0:
        detail = "the HTTP header does not end"
        limit = "max_header_bytes" if len(frame.block) >= limits.max_header_bytes else None
        raise CodingError(Quarantine.MALFORMED_RECORD, detail, limit, len(frame.block) if limit else None)
    return parse_fields(frame.block[:stop].decode("latin-1")), memoryview(frame.block)[stop:]


def _check_whole(frame: Frame, named: dict[str, str], limits: Limits) -> None:
    """Raise CodingError for a record that is not here as a whole, or can't be named."""
    if frame.length > len(frame.block):
        detail = "the record goes beyond the limit"
        raise CodingError(Quarantine.RECORD_TOO_LARGE, detail, "max_record_bytes", frame.length)
    if "warc-truncated" in named:
        raise CodingError(Quarantine.TRUNCATED_RECORD, "the crawler cut it (WARC-Truncated)")
    if "warc-segment-number" in named:
        raise CodingError(Quarantine.TRUNCATED_RECORD, "a segment of a longer record (WARC-Segment-Number)")
    uri = named.get("warc-target-uri", "")
    if not uri:
        raise CodingError(Quarantine.MALFORMED_RECORD, "no WARC-Target-URI")
    if len(uri) > limits.max_uri_bytes or len(uri.encode()) > limits.max_uri_bytes:
        raise CodingError(Quarantine.MALFORMED_RECORD, "the URI is too long", "max_uri_bytes", len(uri.encode()))


def _decoded(body: bytes | memoryview, http: dict[str, str], limits: Limits) -> bytes | memoryview:
    """Return the body without its codings.

    Raises CodingError, also for a body shorter than its Content-Length.
    """
    encoding, transfer = http.get("content-encoding"), http.get("transfer-encoding")
    if encoding or transfer:
        body = bytes(body)
        if transfer and "chunked" in transfer.lower():
            body = dechunk(body)
        if encoding:
            body = decode_body(body, encoding, limits)
    if not transfer and not (encoding and codings_of(encoding)):
        declared = http.get("content-length", "")
        if declared.isascii() and declared.isdigit() and len(body) < int(declared[:18]):
            raise CodingError(Quarantine.TRUNCATED_RECORD, "the body is shorter than its HTTP Content-Length")
    if len(body) > limits.max_record_bytes:
        detail = "the payload goes beyond the limit"
        raise CodingError(Quarantine.RECORD_TOO_LARGE, detail, "max_record_bytes", len(body))
    return body


def policy_of(fields: Fields) -> str | None:
    """Return the header lines in which an owner speaks about the use of a page, None if there are none.

    One "name: value" a line, names in lower case, in the order they were sent.
    """
    lines = [
        f"{name}: {value}"
        for name, value in ((name.lower(), value) for name, value in fields)
        if name in POLICY_HEADERS
    ]
    return "\n".join(lines) or None
