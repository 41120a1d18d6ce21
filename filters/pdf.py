"""PDF (ISO 32000) as text in reading order: pages through PDFium, lines into paragraphs (filters.pdf_lines).

PDFium is built without a JavaScript engine and no form is opened, so nothing in a file runs; it runs in guarded
children, as every parser here. Pages that are pictures without text are counted, and a file of which they are most is
skipped as scanned: no text recognition is done. Text that a scanner put behind its pictures is read like any other.
"""

import ctypes
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from filters.books import BLANK_LINE, Book, NotOurs, Section, Unusable, join_sections
from filters.parts import CODE, NO_IMAGES, DocumentParts, ImageAddress, order_parts
from filters.pdf_lines import HYPHEN, Line, Paragraph, in_reading_order, mend_hyphens, paragraphs, without_running_heads
from manifests.limits import Limits
from manifests.reasons import Quarantine, Skipped

MIN_PAGE_CHARS = 10  # a page with fewer has no text
MIN_PICTURE_FRACTION = 0.4  # of a page's area, to be a scan
MAX_SCANNED_FRACTION = 0.5  # of the pages that hold anything
MAX_OBJECTS = 2000  # of a page that are looked at for pictures
GAP_EMS = 1.5  # a wider gap in a line may be a gutter
MAX_XMP_BYTES = 1 << 20
_HEAD_BYTES = 1024  # "%PDF-" stands in the first 1,024 bytes (ISO 32000-1, Annex H, note 13)
_PASSWORD, _MAY_EXTRACT = 4, 1 << 4  # FPDF_ERR_PASSWORD; permission bit 5 (table 22)
_FIXED_PITCH = 1  # font descriptor flag (table 123)
_FIXED_NAMES = re.compile(rb"mono|courier|typewriter|cmtt|consol|inconsolata|menlo|lmtt", re.IGNORECASE)
_IMAGE_OBJECT, _FORM_OBJECT = 3, 5
_CONTROLS = dict.fromkeys((*range(9), 11, 12, *range(14, 32), 127, 65533, 65535)) | {2: HYPHEN}
_SURROGATE = re.compile("[\ud800-\udfff]")
_SPACE = re.compile(r"\s+")
_XMP = re.compile(rb"<x:xmpmeta\b.{0,1048576}?</x:xmpmeta>", re.DOTALL)
_RESERVATION = re.compile(rb"""tdm:(reservation|policy)\s*(?:=\s*["']|>)\s*([^"'<>]{1,1000})""", re.IGNORECASE)
_LICENSE = re.compile(
    rb"""(?:cc:license|xmpRights:WebStatement|dcterms:license)(?:\s+rdf:resource)?\s*(?:=\s*["']|>)\s*([^"'<>\s]{1,1000})""",
    re.IGNORECASE,
)


def is_pdf(payload: bytes) -> bool:
    """Return whether a payload begins as PDF files do; bytes before the header are tolerated, as viewers do."""
    return b"%PDF-" in payload[:_HEAD_BYTES]


def read_pdf(payload: bytes, uri: str, limits: Limits, beat: Callable[[], None]) -> Book:
    """Return the document; `uri` is its record's, `beat` is called before each page.

    Raises Unusable: encrypted, broken or beyond a limit; NotOurs: scanned, or without text.
    """
    import pypdfium2 as pdfium

    try:
        document = pdfium.PdfDocument(payload)
    except pdfium.PdfiumError as error:
        raise _refused(error) from error
    try:
        _check(document, limits)
        pages = list(_pages(document, limits, beat))
        said = document.get_metadata_dict(skip_empty=True)
    finally:
        document.close()
    return _compose(pages, said, payload, uri, limits)


def _refused(error: Any) -> Unusable:
    if getattr(error, "err_code", None) == _PASSWORD or "password" in str(error).lower():
        return Unusable(Quarantine.ENCRYPTED, "the PDF wants a password")
    return Unusable(Quarantine.PARSE_ERROR, "PDFium cannot open it")


def _check(document: Any, limits: Limits) -> None:
    from pypdfium2 import raw

    if raw.FPDF_GetSecurityHandlerRevision(document) >= 0 and not raw.FPDF_GetDocPermissions(document) & _MAY_EXTRACT:
        raise Unusable(Quarantine.ENCRYPTED, "its owner does not permit that text is copied")
    count = len(document)
    if count > limits.max_book_pages:
        detail = "more pages than the limit"
        raise Unusable(Quarantine.TOO_MANY_PARTS, detail, "max_book_pages", limits.max_book_pages, count)
    if not count:
        raise Unusable(Quarantine.PARSE_ERROR, "the PDF has no pages")


class _Page:
    """A page's lines; `kind` is text, scanned (a picture), blank, or broken."""

    def __init__(self, lines: list[Line], kind: str) -> None:
        self.lines, self.kind = lines, kind


def _pages(document: Any, limits: Limits, beat: Callable[[], None]) -> Iterator[_Page]:
    import pypdfium2 as pdfium

    characters = 0
    for number in range(len(document)):
        beat()
        try:
            page = document[number]
            text_page = page.get_textpage()
        except pdfium.PdfiumError:
            yield _Page([], "broken")
            continue
        lines = list(_lines(text_page))
        characters += sum(len(line.text) for line in lines)
        if characters > limits.max_text_bytes:
            most = limits.max_text_bytes
            raise Unusable(Quarantine.TEXT_TOO_LARGE, "", "max_text_bytes", most, characters)
        has_text = sum(len(line.text) for line in lines) >= MIN_PAGE_CHARS
        yield _Page(in_reading_order(lines), "text" if has_text else _without_text(page))
        text_page.close()
        page.close()


def _without_text(page: Any) -> str:
    """Return "scanned" for a page of which pictures cover enough, else "blank"."""
    from pypdfium2 import raw

    left, bottom, right, top = (ctypes.c_float() for _ in range(4))
    covered, (width, height) = 0.0, page.get_size()
    for at in range(min(raw.FPDFPage_CountObjects(page), MAX_OBJECTS)):
        each = raw.FPDFPage_GetObject(page, at)
        if _is_picture(each, raw) and raw.FPDFPageObj_GetBounds(each, left, bottom, right, top):
            covered += max(0.0, right.value - left.value) * max(0.0, top.value - bottom.value)
    return "scanned" if covered >= MIN_PICTURE_FRACTION * width * height else "blank"


def _is_picture(each: Any, raw: Any) -> bool:
    """Return whether an object is an image, or a form that holds one."""
    kind = raw.FPDFPageObj_GetType(each)
    if kind != _FORM_OBJECT:
        return bool(kind == _IMAGE_OBJECT)
    inside = range(min(max(raw.FPDFFormObj_CountObjects(each), 0), MAX_OBJECTS))
    return any(raw.FPDFPageObj_GetType(raw.FPDFFormObj_GetObject(each, at)) == _IMAGE_OBJECT for at in inside)


def _lines(text_page: Any) -> Iterator[Line]:
    """Yield the lines of a page as PDFium cuts them, each with its place."""
    from pypdfium2 import raw

    count = raw.FPDFText_CountChars(text_page)
    if count <= 0:
        return
    codes = [raw.FPDFText_GetUnicode(text_page, at) for at in range(count)]
    boxes = _Boxes(text_page, raw)
    begin = 0
    for at in [*(at for at, code in enumerate(codes) if code == 10), count]:
        line = _line(codes, begin, at, boxes)
        if line is not None:
            yield line
        begin = at + 1


class _Boxes:
    """Places of characters by their index."""

    def __init__(self, text_page: Any, raw: Any) -> None:
        self._page, self._raw, self._box = text_page, raw, raw.FS_RECTF()
        self._flags, self._name = ctypes.c_int(), ctypes.create_string_buffer(128)

    def of(self, at: int) -> tuple[float, float, float, float]:
        """Return (left, right, bottom, top) in points."""
        box = self._box
        self._raw.FPDFText_GetLooseCharBox(self._page, at, box)
        return box.left, box.right, box.bottom, box.top

    def is_fixed(self, at: int) -> bool:
        """Return whether a character's font has a fixed pitch, by its flags or its name."""
        self._name.value = b""
        self._raw.FPDFText_GetFontInfo(self._page, at, self._name, 128, self._flags)
        return bool(self._flags.value & _FIXED_PITCH) or _FIXED_NAMES.search(self._name.value) is not None


def _line(codes: list[int], begin: int, end: int, boxes: _Boxes) -> Line | None:
    inked = [at for at in range(begin, end) if codes[at] > 32 and codes[at] != 0xA0]
    if not inked:
        return None
    first, last = inked[0], inked[-1]
    left, right, bottom, top = boxes.of(first)
    _, last_right, last_bottom, _ = boxes.of(last)
    text = "".join(map(chr, codes[first : last + 1])).translate(_CONTROLS)
    if _SURROGATE.search(text):  # halves of UTF-16 pairs, one a character index
        text = text.encode("utf-16", "surrogatepass").decode("utf-16", "ignore")
    gaps = _gaps(codes, first, last, boxes, top - bottom) if len(text) == last - first + 1 else ()
    return Line(text, left, max(right, last_right), bottom, top, last_bottom, boxes.is_fixed(first), gaps)


def _gaps(
    codes: list[int], first: int, last: int, boxes: _Boxes, height: float
) -> tuple[tuple[int, float, float], ...]:
    found = []
    for at in range(first + 1, last):
        if codes[at] == 32 and codes[at - 1] != 32 and codes[at + 1] != 32:
            begin, end = boxes.of(at - 1)[1], boxes.of(at + 1)[0]
            if end - begin > GAP_EMS * height:
                found.append((at + 1 - first, begin, end))
    return tuple(found)


def _compose(pages: list[_Page], said: dict[str, str], payload: bytes, uri: str, limits: Limits) -> Book:
    kinds = [page.kind for page in pages]
    if kinds.count("scanned") > MAX_SCANNED_FRACTION * (len(kinds) - kinds.count("blank")):
        raise NotOurs(Skipped.SCANNED)
    if "text" not in kinds:
        if "broken" in kinds:
            raise Unusable(Quarantine.PARSE_ERROR, "no page of the PDF can be read")
        raise NotOurs(Skipped.NO_TEXT)
    lines, left_out = without_running_heads([page.lines for page in pages])
    blocks = [paragraphs(page) for page in lines]
    mended = iter(mend_hyphens([each.text for page in blocks for each in page]))
    blocks = [[each._replace(text=next(mended)) for each in page] for page in blocks]
    text, parts = join_sections(_sections(blocks, kinds, uri))
    title = _SPACE.sub(" ", said.get("Title", "")).strip()[:1000] or None
    counted = {kind: kinds.count(kind) for kind in ("scanned", "blank", "broken") if kind in kinds}
    metadata = {
        "format": "pdf",
        "title": title,
        "creator": said.get("Author", "")[:1000],
        "date": said.get("CreationDate", "")[:64],
        "pages": len(pages),
        "running_lines": left_out,
        **{f"{kind}_pages": count for kind, count in counted.items()},
    }
    license, policy = rights_of(payload)
    return Book(title, text, parts, metadata, license, policy)


def _sections(blocks: list[list[Paragraph]], kinds: list[str], uri: str) -> Iterator[Section]:
    """Yield the pages; the last paragraph of a page that breaks off goes on on the next one."""
    goes_on = False
    before = ""
    for number, (page, kind) in enumerate(zip(blocks, kinds, strict=True), 1):
        name = f"{uri}#page={number}"
        if kind == "scanned":
            picture = [ImageAddress(name, None)]
            yield Section(
                name, b"", DocumentParts(order_parts(b"", np.zeros((0, 3), np.int64), np.zeros(1, np.int64)), picture)
            )
            continue
        if not page:
            continue
        text, code = _page_text(page)
        opens = page[0].text[:1]
        continues = goes_on and not page[0].is_code and (opens.islower() or not opens.isascii())
        joiner = BLANK_LINE
        if continues:
            joiner = b" " if before.isascii() or opens.isascii() else b""
        yield Section(name, text, DocumentParts(order_parts(text, code, NO_IMAGES), ()), joiner)
        goes_on, before = page[-1].is_open, page[-1].text[-1:]


def _page_text(page: list[Paragraph]) -> tuple[bytes, np.ndarray]:
    """Return a page's text (UTF-8) and its code, int64[n, 3] as `order_parts` takes it."""
    pieces: list[bytes] = []
    code: list[tuple[int, int, int]] = []
    at = 0
    for each in page:
        body = each.text.strip("\n").rstrip().encode()
        if each.is_code:
            code.append((CODE, at, at + len(body)))
        pieces.append(body)
        at += len(body) + len(BLANK_LINE)
    return BLANK_LINE.join(pieces), np.array(code, np.int64).reshape(-1, 3)


def rights_of(payload: bytes) -> tuple[str | None, list[str]]:
    """Return (licence, policy lines) of a PDF's XMP packet, which stands in the file as it is.

    The TDM Reservation Protocol writes tdm:reservation and tdm:policy there (W3C report of 2024, section 4.5).
    """
    license: str | None = None
    lines: list[str] = []
    for packet in _XMP.findall(payload):
        if license is None and (found := _LICENSE.search(packet)):
            license = found[1].decode("utf-8", "replace")
        for name, value in _RESERVATION.findall(packet):
            line = f"meta tdm-{name.decode().lower()}: {value.decode('utf-8', 'replace').strip()}"
            lines += [line] if line not in lines else []
    return license, lines
