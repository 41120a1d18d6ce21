"""Raw records in, documents out: what kind of page it is, in which character set, within which limits.

Every record of a batch comes out exactly once: as a document, quarantined, skipped or refused.
"""

from collections import Counter
from collections.abc import Callable, Collection
from functools import partial
from typing import Any, NamedTuple

import pyarrow as pa

from filters import charset, epub, html, mediawiki, pdf, plain, policy, stackexchange
from filters.books import METADATA, Book, NotOurs, Unusable, metadata_json
from filters.epub_package import is_epub
from filters.guard_child import WHOLE_BATCH
from filters.parts import DocumentParts, parts_array
from manifests.limits import Limits
from manifests.reasons import Quarantine, Refused, Skipped
from manifests.records import DIGEST, MARKUP, PART, TIMESTAMP

EXTRACTION_VERSION = 7  # part of the stage key; goes up when any text or part may come out differently

DOCUMENTS = pa.schema(
    [
        ("row", pa.int32()),  # index of the raw record in its batch
        ("uri", pa.string()),
        ("fetched_at", TIMESTAMP),
        ("digest", DIGEST),
        ("media_type", pa.string()),  # what it was read as
        ("license", pa.string()),
        ("policy", pa.string()),  # the transport's lines, then the page's own
        ("title", pa.string()),
        ("text", pa.string()),
        ("parts", pa.list_(PART)),
        ("markup", pa.list_(MARKUP)),
    ]
)

HTML, XHTML, PLAIN, MARKDOWN = "text/html", "application/xhtml+xml", "text/plain", "text/markdown"
EPUB, PDF = "application/epub+zip", "application/pdf"
_CONTAINERS: dict[str, Callable[[bytes, str, Limits, Callable[[], None]], Book]] = {
    EPUB: epub.read_epub,
    PDF: pdf.read_pdf,
    mediawiki.MEDIA_TYPE: mediawiki.read_page,
    stackexchange.MEDIA_TYPE: stackexchange.read_post,
}
_ENTRIES = (mediawiki.MEDIA_TYPE, stackexchange.MEDIA_TYPE)  # what readers of dumps cut out; nothing else declares them
_KINDS = {HTML: HTML, XHTML: XHTML, PLAIN: PLAIN, MARKDOWN: MARKDOWN, "text/x-markdown": MARKDOWN}
_XML = ("application/xml", "text/xml")
_UNKNOWN = (
    None,
    "",
    "application/octet-stream",
    "application/unknown",
    "unknown/unknown",
    "binary/octet-stream",
    "*/*",
)
_BINARY = (
    b"\x89PNG",
    b"GIF8",
    b"\xff\xd8\xff",
    b"PK\x03\x04",
    b"\x1f\x8b",
    b"RIFF",
    b"\x00\x00\x01\x00",
    b"OggS",
)
_SNIFFED_BYTES = 1024
_HTML_BEGINNINGS = tuple(
    b"<" + name
    for name in b"!doctype html,html,head,body,title,script,style,table,div,p,a,h1,br,b,font,img,!--,meta,iframe".split(
        b","
    )
)


class RefusedRow(NamedTuple):
    """A record whose owner says no."""

    row: int
    reason: Refused
    policy: str


class Extracted(NamedTuple):
    """All records of a raw batch, by what became of them."""

    documents: pa.RecordBatch  # DOCUMENTS
    quarantined: list[dict[str, Any]]  # rows for manifests.records.QUARANTINED, plus "row"
    skipped: Counter[Skipped]
    refused: list[RefusedRow]


class Rejected(Exception):
    """A record is beyond a limit or broken; it goes to quarantine with these fields."""

    def __init__(self, reason: Quarantine, detail: str = "", limit: str | None = None, *numbers: int) -> None:
        super().__init__(detail or str(reason))
        self.reason, self.detail, self.limit = reason, detail, limit
        self.limit_value: int | None = numbers[0] if numbers else None
        self.observed: int | None = numbers[1] if numbers else None


class _Passed(Exception):
    """A record is not one of ours: skipped, or refused by its owner."""

    def __init__(self, reason: Skipped | Refused, said: str = "") -> None:
        super().__init__(reason)
        self.reason, self.said = reason, said


class _Found(NamedTuple):
    media_type: str
    title: str | None
    text: bytes
    parts: DocumentParts
    markup: list[tuple[str, str]]
    policy: str | None
    license: str | None


class Record(NamedTuple):
    """What extraction needs of a raw record."""

    uri: str
    media_type: str | None
    charset: str | None
    policy: str | None
    language: str | None
    payload: bytes


def extract(
    raw: pa.RecordBatch,
    limits: Limits,
    progress: Callable[[int], None],
    *,
    source: str,
    unit: int,
    refuse: Collection[Refused] = policy.DEFAULT_REFUSALS,
) -> Extracted:
    """Return the documents of a batch of RAW records, and what became of the others.

    progress(row) is called before each record and progress(WHOLE_BATCH) after the last.
    """
    rows: list[int] = []
    documents: list[_Found] = []
    quarantined: list[dict[str, Any]] = []
    skipped: Counter[Skipped] = Counter()
    refused: list[RefusedRow] = []
    columns = [raw.column(name).to_pylist() for name in Record._fields[:-1]]
    payloads = raw.column("payload")
    for row, fields in enumerate(zip(*columns, strict=True)):
        progress(row)
        record = Record._make((*fields, payloads[row].as_buffer().to_pybytes()))
        try:
            documents.append(extract_record(record, limits, refuse, partial(progress, row)))
            rows.append(row)
        except Rejected as rejected:
            quarantined.append({"row": row, **_quarantine(raw, row, rejected, source, unit)})
        except _Passed as passed:
            if isinstance(passed.reason, Skipped):
                skipped[passed.reason] += 1
            else:
                refused.append(RefusedRow(row, passed.reason, passed.said))
    progress(WHOLE_BATCH)
    return Extracted(_batch(raw, rows, documents), quarantined, skipped, refused)


def extract_record(
    record: Record, limits: Limits, refuse: Collection[Refused], beat: Callable[[], None] = lambda: None
) -> _Found:
    """Return what one record holds; raise where it is no document. A book calls `beat` before each of its pieces."""
    payload = record.payload
    if not payload:
        raise Rejected(Quarantine.EMPTY_PAYLOAD)
    media_type = kind_of(record.media_type, payload)
    most = "max_book_bytes" if media_type in (EPUB, PDF) else "max_record_bytes"
    _within(Quarantine.RECORD_TOO_LARGE, most, getattr(limits, most), len(payload))
    if media_type is None:
        raise _Passed(Skipped.MEDIA_TYPE)
    speaks = media_type in (HTML, XHTML, EPUB, PDF)  # of its own use, so that a header's reservation may be lifted
    _check_policy(record.policy, [each for each in refuse if not (speaks and each in policy.LIFTED_BY_PAGES)])
    try:
        found = _read(record, media_type, limits, beat)
    except Unusable as error:
        raise Rejected(error.reason, error.detail, error.limit, *error.numbers) from error
    except NotOurs as error:
        raise _Passed(error.reason) from error
    _check_policy(found.policy, refuse)
    _check_text(found.text, limits)
    if record.language:
        found.markup.append((METADATA, metadata_json({"declared_language": record.language})))
    return found


def _read(record: Record, media_type: str, limits: Limits, beat: Callable[[], None]) -> _Found:
    if media_type in _CONTAINERS:
        book = _CONTAINERS[media_type](record.payload, record.uri, limits, beat)
        said = "\n".join(filter(None, [record.policy, *book.policy])) or None
        markup = [(METADATA, metadata_json(book.metadata))]
        return _Found(media_type, book.title, book.text, book.parts, markup, said, book.license)
    is_markup = media_type in (HTML, XHTML)
    decoded = charset.decode(record.payload, record.charset, is_markup=is_markup)
    allowed = int(limits.max_replaced_fraction * decoded.characters)
    if decoded.replaced > allowed:
        how = f"read as {decoded.encoding} ({decoded.origin})"
        numbers = allowed, decoded.replaced
        raise Rejected(Quarantine.UNDECODABLE_TEXT, how, "max_replaced_fraction", *numbers)
    if is_markup:
        return _from_html(decoded.text, media_type, record, limits)
    return _from_text(decoded.text, media_type, record)


def kind_of(declared: str | None, payload: bytes) -> str | None:
    """Return the media type to read a payload as: one of those that we read, or None.

    What begins as a PDF or an EPUB is one, whatever is declared. Else a declared type counts; what declares nothing,
    or XML, is judged by how it begins. An XML prolog before the root element makes a page XHTML.
    """
    if declared in _ENTRIES:
        return declared
    if is_epub(payload) or (declared == EPUB and payload.startswith(b"PK\x03\x04")):
        return EPUB
    if payload.startswith(b"%PDF-") or (declared == PDF and pdf.is_pdf(payload)):
        return PDF
    if payload.startswith(_BINARY):
        return None
    kind = _KINDS.get(declared or "")
    if kind == HTML:
        return XHTML if _head(payload).startswith(b"<?xml") else HTML
    if kind:
        return kind
    if declared in _XML:
        return XHTML if b"<html" in _head(payload) else None
    return _sniff(payload) if declared in _UNKNOWN else None


def _head(payload: bytes) -> bytes:
    head = payload[:_SNIFFED_BYTES]
    if b"\0" in head and (wide := _wide(head)):
        head = head.decode(wide, "replace").encode()
    return head.removeprefix(b"\xef\xbb\xbf").lstrip(b"\t\n\f\r ").lower()


def _wide(head: bytes) -> str | None:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return "utf-16"
    return charset.utf16_by_nuls(head)


def _sniff(payload: bytes) -> str | None:
    head = _head(payload)
    if head.startswith(b"<?xml"):
        return XHTML if b"<html" in head else None
    if head.startswith(_HTML_BEGINNINGS):
        return HTML
    controls = len(head) - len(head.translate(None, bytes(range(9)) + bytes(range(14, 27)) + bytes(range(28, 32))))
    return PLAIN if controls * 100 <= len(head) else None


def _from_html(page: bytes, media_type: str, record: Record, limits: Limits) -> _Found:
    found = html.read_within(page, record.uri, limits, xml=media_type == XHTML)
    said = "\n".join(filter(None, [record.policy, *found.policy])) or None
    return _Found(media_type, found.title, found.text, found.parts, found.markup, said, found.license)


def _from_text(text: bytes, media_type: str, record: Record) -> _Found:
    text = plain.clean(text)
    is_markdown = media_type == MARKDOWN
    parts = plain.markdown_parts(text, record.uri) if is_markdown else plain.plain_parts(text)
    title = plain.markdown_title(text) if is_markdown else None
    return _Found(media_type, title, text, parts, [], record.policy, None)


def _check_policy(said: str | None, refuse: Collection[Refused]) -> None:
    if said and (reason := policy.refusal(policy.directives(said.split("\n")), refuse)):
        raise _Passed(reason, said)


def _check_text(text: bytes, limits: Limits) -> None:
    if not text:
        raise _Passed(Skipped.NO_TEXT)
    _within(Quarantine.TEXT_TOO_LARGE, "max_text_bytes", limits.max_text_bytes, len(text))
    if len(text) > limits.max_line_bytes:
        longest = max(map(len, text.split(b"\n")))
        _within(Quarantine.LINE_TOO_LONG, "max_line_bytes", limits.max_line_bytes, longest)


def _within(reason: Quarantine, limit: str, allowed: int, observed: int) -> None:
    if observed > allowed:
        raise Rejected(reason, "", limit, allowed, observed)


def _quarantine(raw: pa.RecordBatch, row: int, why: Rejected, source: str, unit: int) -> dict[str, Any]:
    kept = {name: raw.column(name)[row].as_py() for name in ("uri", "ordinal", "offset", "digest")}
    size = len(raw.column("payload")[row].as_buffer())
    where = {"source": source, "unit": unit, "bytes": size, "reason": str(why.reason), "detail": why.detail}
    return {**kept, **where, "limit": why.limit, "limit_value": why.limit_value, "observed": why.observed}


def _batch(raw: pa.RecordBatch, rows: list[int], found: list[_Found]) -> pa.RecordBatch:
    indices = pa.array(rows, pa.int32())
    same = {name: raw.column(name).take(indices) for name in ("uri", "fetched_at", "digest")}
    own = {
        "row": indices,
        "parts": parts_array([one.parts for one in found]),
        "markup": pa.array(
            [[{"kind": kind, "content": content} for kind, content in one.markup] for one in found], pa.list_(MARKUP)
        ),
    }
    for name in ("media_type", "license", "policy", "title", "text"):
        own[name] = pa.array([getattr(one, name) for one in found], pa.string())
    return pa.RecordBatch.from_arrays([{**same, **own}[name] for name in DOCUMENTS.names], schema=DOCUMENTS)


def warm_up() -> None:
    """Compile what extraction needs, so that no record's clock pays for it."""
    page = b"<title/><meta name='robots'><p><table><tr><td><pre>x</pre><img src='y'></table>"
    html.read_page(*html.scan_page(page, Limits(), xml=True), "warm:up")
