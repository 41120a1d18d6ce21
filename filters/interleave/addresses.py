"""The one address by which a part of a document and a media record meet.

http and https are spelled as the crawl spells them (filters.url). An image inside the page is named by its bytes
(RFC 6920, "ni:///sha-256;..."), so it meets whatever record holds the same bytes. A local address,
"input-name:path", is what the path says when its escapes are read; a file's own name has none.
"""

import hashlib
import posixpath
import re
from base64 import b64decode, urlsafe_b64encode
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import unquote, unquote_to_bytes

from filters.url import UrlError, canonical_url

ADDRESSES_VERSION = 1  # part of the key of the phase that reads
_NAMED = "ni:///sha-256;"
_WEB = ("http://", "https://")
_SPACE = re.compile(rb"[\t\n\f\r ]+")
_BASE64 = re.compile(rb"[A-Za-z0-9+/]*={0,2}")


class DataImage(NamedTuple):
    """What a data: URL holds."""

    media_type: str  # as declared, lower case, without parameters; "text/plain" where nothing is declared
    content: bytes


def named_by_bytes(sha256: bytes) -> str:
    """Return the name of the bytes with this digest (RFC 6920, section 3)."""
    return _NAMED + urlsafe_b64encode(sha256).decode().rstrip("=")


@lru_cache(maxsize=1 << 14)  # pages of a folder show the same images
def part_address(uri: str) -> str | None:
    """Return the address that an image part's URI means, None where it can name no record."""
    if uri.lower().startswith(_WEB):
        return _web(uri)
    if uri.startswith(_NAMED):
        return uri
    name, colon, path = uri.partition(":")
    if not (name and colon):
        return None
    path = re.split(r"[?#]", path, maxsplit=1)[0]
    return f"{name}:{posixpath.normpath('/' + unquote(path)).lstrip('/')}"


def record_address(uri: str) -> str | None:
    """Return the address of a media record by its own URI."""
    return _web(uri) if uri.lower().startswith(_WEB) else uri


def address_digest(address: str) -> bytes:
    """Return the 16 bytes that stand for an address."""
    return hashlib.sha256(address.encode("utf-8", "surrogatepass")).digest()[:16]


def _web(uri: str) -> str | None:
    try:
        return canonical_url(uri)
    except UrlError:
        return None


def data_image(reference: str) -> DataImage | None:
    """Return what a data: URL holds, None where it is none (WHATWG Fetch, "data: URL processor")."""
    head, comma, body = reference.strip("\t\n\f\r ").partition(",")
    if head[:5].lower() != "data:" or not comma:
        return None
    media_type, *parameters = (each.strip() for each in head[5:].split(";"))
    content = unquote_to_bytes(body)
    if parameters and parameters[-1].lower() == "base64":
        decoded = _forgiving_base64(content)
        if decoded is None:
            return None
        content = decoded
    return DataImage(media_type.lower() or "text/plain", content)


def data_name(reference: str) -> str | None:
    """Return the name of the bytes that a data: URL holds, None where it holds none."""
    found = data_image(reference)
    return named_by_bytes(hashlib.sha256(found.content).digest()) if found and found.content else None


def _forgiving_base64(text: bytes) -> bytes | None:
    """Decode as WHATWG Infra's "forgiving-base64 decode": white space goes, padding may be left out."""
    text = _SPACE.sub(b"", text)
    if not _BASE64.fullmatch(text) or (text.endswith(b"=") and len(text) % 4):
        return None
    text = text.rstrip(b"=")
    return None if len(text) % 4 == 1 else b64decode(text + b"=" * (-len(text) % 4))
