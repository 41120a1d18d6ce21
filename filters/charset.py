"""Which character encoding a page is in, and its text in UTF-8.

Order: byte order mark, the transport's header, the page's own declaration in its first 1,024 bytes, detection,
windows-1252. Labels mean what browsers take them for (WHATWG Encoding: "latin1" is windows-1252). Two departures, since
a wrong label is common and browsers don't read their mojibake: bytes that can only be UTF-8 are UTF-8 whatever the
label says, and a UTF-16 label on bytes without a single NUL is not believed.
"""

import codecs
import re
from typing import NamedTuple

from resiliparse.parse.encoding import detect_encoding, map_encoding_to_html5

DECLARATION_BYTES = 1024
# A text in one of these may be valid UTF-8 by chance where few bytes of it are not ASCII. In a single-byte encoding it
# is mojibake: a letter followed by symbols, which detectors take an ellipsis or a curly quote for.
_EAST_ASIAN = ("gb18030", "big5hkscs", "cp932", "euc_jp", "cp949")
SURELY_UTF8_BYTES = 16  # non-ASCII bytes that are valid UTF-8: by chance in GBK about 1 in 10^7

# Python's name of a WHATWG encoding covers less than browsers decode, or is missing.
_CODECS = {
    "shift_jis": "cp932",
    "shift-jis": "cp932",
    "euc-kr": "cp949",
    "big5": "big5hkscs",
    "gbk": "gb18030",
    "gb2312": "gb18030",
    "windows-874": "cp874",
    "iso-8859-11": "cp874",
    "utf-16": "utf-16-le",
    "iso-8859-1": "cp1252",
}
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_COMMENT = re.compile(rb"<!--.*?-->", re.DOTALL)
_META = re.compile(rb"<meta\b[^>]*?\bcharset\s*=\s*[\"']?\s*([^\s\"'/>;]+)", re.IGNORECASE)
_XML_DECLARATION = re.compile(rb"\s*<\?xml\b[^>]*?\bencoding\s*=\s*[\"']([^\"']+)[\"']")
_NON_ASCII = bytes(range(128, 256))


class Decoded(NamedTuple):
    """A text and how it was read."""

    text: bytes  # UTF-8, without byte order mark
    encoding: str  # Python's codec name
    origin: str  # bom | transport | declaration | content | detection | default
    replaced: int  # characters that decoding replaced by U+FFFD, and NULs
    characters: int


def decode(payload: bytes, transport: str | None, *, is_markup: bool) -> Decoded:
    """Return the payload's text in UTF-8; bytes that don't decode become U+FFFD and are counted."""
    for mark, encoding in _BYTE_ORDER_MARKS:
        if payload.startswith(mark):
            return _decoded(payload[len(mark) :], encoding, "bom")
    if b"\0" not in payload[:DECLARATION_BYTES] and payload.isascii():
        return _of_ascii(payload, transport, is_markup)
    encoding, origin = _choose(payload, transport, is_markup)
    decoded = _decoded(payload, encoding, origin)
    if decoded.replaced and origin in ("transport", "declaration"):
        detected = _decoded(payload, codec_of(detect_encoding(payload) or "") or "cp1252", "detection")
        return min(decoded, detected, key=lambda one: one.replaced)
    return decoded


def _of_ascii(payload: bytes, transport: str | None, is_markup: bool) -> Decoded:
    """Take 7-bit bytes as they are, unless escapes make them ISO-2022-JP."""
    if b"\x1b" in payload:
        encoding, origin = _declared(payload, transport, is_markup) or (None, "")
        if encoding == "iso2022_jp" or b"\x1b$" in payload:
            return _decoded(payload, "iso2022_jp", origin or "content")
    return Decoded(payload, "utf-8", "content", payload.count(0) if b"\0" in payload else 0, len(payload))


def _choose(payload: bytes, transport: str | None, is_markup: bool) -> tuple[str, str]:
    wide = utf16_by_nuls(payload)
    declared = _declared(payload, transport, is_markup)
    if declared and declared[0].startswith("utf-16") and not wide:
        declared = None
    if wide:
        return (declared[0] if declared and declared[0] == wide else wide), "content"
    if declared and declared[0] == "utf-8":
        return declared
    if _is_surely_utf8(payload):
        return "utf-8", "content"
    if declared:
        return declared
    detected = codec_of(detect_encoding(payload) or "")
    if _is_utf8(payload) and detected not in _EAST_ASIAN:
        return "utf-8", "content"
    return (detected, "detection") if detected and detected != "utf-8" else ("cp1252", "default")


def _declared(payload: bytes, transport: str | None, is_markup: bool) -> tuple[str, str] | None:
    if transport and (encoding := codec_of(transport)):
        return encoding, "transport"
    if not is_markup:
        return None
    head = payload[:DECLARATION_BYTES]
    if b"<!--" in head:
        head = _COMMENT.sub(b"", head)
    declared = _XML_DECLARATION.match(head)
    found = [declared] if declared else _META.finditer(head)
    encoding = next(filter(None, (codec_of(each[1].decode("ascii", "replace")) for each in found)), None)
    if encoding and encoding.startswith("utf-16"):
        encoding = "utf-8"  # we could read the declaration, so it isn't (HTML standard, 13.2.3.2)
    return (encoding, "declaration") if encoding else None


def codec_of(label: str) -> str | None:
    """Return Python's codec for a label as browsers understand it; None for an unknown label."""
    name = map_encoding_to_html5(label.strip().strip("\"'"), fallback_utf8=False)
    if not name:
        return None
    try:
        return codecs.lookup(_CODECS.get(name.lower(), name)).name
    except LookupError:
        return None


def utf16_by_nuls(payload: bytes) -> str | None:
    """Return "utf-16-le" or "utf-16-be" where the NULs of the first kilobyte stand on one side only, else None."""
    even, odd = payload[:DECLARATION_BYTES:2], payload[1:DECLARATION_BYTES:2]
    share_even, share_odd = even.count(0) / max(len(even), 1), odd.count(0) / max(len(odd), 1)
    if share_odd > 0.2 and share_even < 0.02:
        return "utf-16-le"
    return "utf-16-be" if share_even > 0.2 and share_odd < 0.02 else None


def _is_utf8(payload: bytes) -> bool:
    try:
        payload.decode()
    except UnicodeDecodeError:
        return False
    return True


def _is_surely_utf8(payload: bytes) -> bool:
    return _is_utf8(payload) and len(payload) - len(payload.translate(None, _NON_ASCII)) >= SURELY_UTF8_BYTES


def _decoded(payload: bytes, encoding: str, origin: str) -> Decoded:
    try:
        text = payload.decode(encoding)
    except UnicodeDecodeError:
        text = payload.decode(encoding, "replace")
        was_there = payload.count(b"\xef\xbf\xbd") if encoding == "utf-8" else 0
        utf8, replaced = text.encode("utf-8", "replace"), text.count("\ufffd") - was_there
    else:
        utf8, replaced = (payload if encoding == "utf-8" else text.encode("utf-8", "replace")), 0
    return Decoded(utf8, encoding, origin, replaced + (utf8.count(0) if b"\0" in utf8 else 0), len(text))
