"""Sitemaps: the URLs, further sitemaps and media that a site's owner lists. XML, text, RSS, Atom, any of them in gzip.

Sources: sitemaps.org protocol 0.9, Google's image and video extensions, RSS 2.0, RFC 4287 (Atom). No document type, no
entity, no network: a document that brings definitions of its own is refused.
"""

import re
import zlib
from collections import Counter
from dataclasses import dataclass, field

from filters import charset
from filters.references import Resolver
from filters.sitemap_xml import Found, read_xml
from manifests.limits import MIB, CrawlLimits
from manifests.reasons import LinkSkipped, Quarantine

FROM_SITEMAP = "sitemap"
MEDIA_PER_URL = 4  # media that are kept, in limits.max_sitemap_urls
LIMITS = CrawlLimits()

_GZIP = b"\x1f\x8b"
_PIECE_BYTES = 64 << 10
_LOOKS_LIKE_HTML = re.compile(rb"\s*(?:<!doctype\s+html|<html[\s>])", re.IGNORECASE)


@dataclass(frozen=True)
class Medium:
    """An image, audio file or video, and what the sitemap says of it."""

    url: str
    kind: str  # image | audio | video
    caption: str | None


@dataclass
class Sitemap:
    """What a sitemap lists; absolute http and https URLs without fragments, each once, in its order."""

    urls: list[str] = field(default_factory=list)
    sitemaps: list[str] = field(default_factory=list)
    media: list[Medium] = field(default_factory=list)
    truncated: bool = False  # beyond a limit, or broken in the middle: the rest is left out
    skipped: Counter[LinkSkipped] = field(default_factory=Counter)  # MALFORMED, SCHEME, TOO_LONG
    failed: Quarantine | None = None  # then the lists hold what was read before, mostly nothing


def read_sitemap(
    payload: bytes,
    url: str,
    limits: CrawlLimits = LIMITS,
    transport: str | None = None,
) -> Sitemap:
    """Return what the sitemap at `url` lists.

    At most limits.max_sitemap_urls URLs and sitemaps together, and limits.max_sitemap_bytes undone from gzip (up to
    limits.max_codings times). transport: the charset of its Content-Type. Relative references are joined to `url`.
    """
    sitemap = Sitemap()
    body, whole = payload[: limits.max_sitemap_bytes], len(payload) <= limits.max_sitemap_bytes
    for _ in range(limits.max_codings):
        if body.startswith(_GZIP) and sitemap.failed is None:
            body, whole, sitemap.failed = _gunzip(body, limits, whole=whole)
    sitemap.truncated = not whole
    if sitemap.failed is None:
        _read_body(body, url, transport, sitemap, limits)
    return sitemap


def _read_body(body: bytes, url: str, transport: str | None, sitemap: Sitemap, limits: CrawlLimits) -> None:
    decoded = charset.decode(body, transport, is_markup=True)
    text = decoded.text
    if _LOOKS_LIKE_HTML.match(text) or body.startswith(_GZIP):
        sitemap.failed = Quarantine.PARSE_ERROR
    elif text[:1024].lstrip().startswith(b"<"):
        found = read_xml(text, limits.max_sitemap_urls, MEDIA_PER_URL * limits.max_sitemap_urls)
        sitemap.truncated |= found.truncated
        sitemap.failed = found.failed
        _keep(found, Resolver(url, decoded.encoding, limits.max_url_chars), sitemap)
    else:
        _read_text(text, url, sitemap, limits)


def _read_text(text: bytes, url: str, sitemap: Sitemap, limits: CrawlLimits) -> None:
    """Read one URL a line; in text other than that there is none."""
    lines = (line.strip() for line in text.split(b"\n"))
    urls = [line.decode() for line in lines if line[:8].lower().startswith((b"http://", b"https://"))]
    sitemap.truncated |= len(urls) > limits.max_sitemap_urls
    _keep(Found(urls=urls[: limits.max_sitemap_urls]), Resolver(url, max_chars=limits.max_url_chars), sitemap)


def _keep(found: Found, resolver: Resolver, sitemap: Sitemap) -> None:
    sitemap.urls = list(dict.fromkeys(filter(None, map(resolver.resolve, found.urls))))
    sitemap.sitemaps = list(dict.fromkeys(filter(None, map(resolver.resolve, found.sitemaps))))
    media: dict[tuple[str, str], Medium] = {}
    for reference, kind, caption in found.media:
        if (resolved := resolver.resolve(reference)) is not None:
            known = media.get((resolved, kind))
            if known is None or known.caption is None:
                media[resolved, kind] = Medium(resolved, kind, caption)
    sitemap.media = list(media.values())
    sitemap.skipped = resolver.skipped


def _gunzip(body: bytes, limits: CrawlLimits, *, whole: bool) -> tuple[bytes, bool, Quarantine | None]:
    """Return (decoded, is all of it there, what is wrong with it); at most max_sitemap_bytes are decoded.

    Members may follow each other; what comes after the last is padding. A body that breaks off gives what came before.
    """
    room, decoded, at = limits.max_sitemap_bytes, bytearray(), 0
    view, inflate = memoryview(body), zlib.decompressobj(wbits=31)
    while at < len(body) and not (inflate.eof and view[at : at + 2] != _GZIP):
        inflate = zlib.decompressobj(wbits=31) if inflate.eof else inflate
        piece = view[at : at + _PIECE_BYTES]
        try:
            decoded += inflate.decompress(piece, room - len(decoded) + 1)
        except zlib.error:
            return bytes(decoded), False, None if decoded else Quarantine.DAMAGED_CODING
        at += len(piece) - len(inflate.unused_data)
        if len(decoded) > max(MIB, limits.max_coding_ratio * at):
            return b"", False, Quarantine.DECODED_TOO_LARGE
        if len(decoded) > room:
            return bytes(decoded[:room]), False, None
    return bytes(decoded), whole and inflate.eof, None
