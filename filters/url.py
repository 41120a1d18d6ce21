"""The one spelling of a URL that the crawl knows it by, and what politeness needs to know of it: host, domain, key.

Parsing and joining is the WHATWG URL standard (ada). Then the listed canonicalisation, in this order:
  1. fragment, credentials and default port are dropped; so is the dot that ends a host, and a "?" without a query;
  2. parameters of the query that the caller lists are dropped; the rest keep their order, or are sorted by name;
  3. %-escapes: upper-case digits, and unreserved characters stand for themselves (RFC 3986, section 6.2.2).
Nothing else: no www, no case of paths, no index.html, no slash at the end.
"""

import hashlib
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from ada_url import URL

from manifests.reasons import LinkSkipped

if TYPE_CHECKING:
    from publicsuffixlist import PublicSuffixList

MAX_LABEL_CHARS, MAX_HOST_CHARS = 63, 253  # RFC 1035, section 2.3.4, as text
DEFAULT_PORTS = {"http": 80, "https": 443}

_HOSTS_REMEMBERED = 1 << 14
_C0_OR_SPACE = "".join(map(chr, range(33)))  # what the standard drops at both ends
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*(?=:)")
_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}")
_STRAY_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")
_UNRESERVED = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~")
_UPPER = {f"%{code:02X}": f"%{code:02X}" for code in range(256)}
_PLAIN = _UPPER | {f"%{ord(char):02X}": char for char in _UNRESERVED}


class UrlError(ValueError):
    """The text is no URL that a crawl can ask for. The message never shows it: it may hold credentials."""

    def __init__(self, reason: LinkSkipped, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason


class Location(NamedTuple):
    """Where a URL leads."""

    scheme: str  # http | https
    host: str  # ASCII, lower case; an IPv6 address without brackets
    port: int
    authority: str  # "https://host" or "http://host:8080": what robots.txt speaks for (RFC 9309, section 2.3)
    domain: str  # registrable domain, see `registrable_domain`


def canonical_url(
    text: str, base: str | None = None, *, strip: Sequence[str] = (), sort_query: bool = False, max_chars: int = 4096
) -> str:
    """Return the canonical, absolute URL of a link: ASCII, at most `max_chars` long, the same when done again.

    `base` is the absolute URL that a relative text stands in; `strip` names query parameters that go ("utm_*": every
    name that starts so). Lone surrogates count as U+FFFD, as in browsers. A host that no resolver takes (an empty
    label, one of more than 63 characters) is malformed.

    Raises UrlError with the reason MALFORMED, SCHEME (neither http nor https) or TOO_LONG.
    """
    head, mark, _ = text.partition("#")
    if len(head) > max_chars and len(head.strip(_C0_OR_SPACE)) > max_chars:
        raise _too_long(head, max_chars)
    # the mark stays: in front of it a space is part of the URL, at the end of the text it isn't
    href = _parse(head + mark, base).removesuffix("#")
    scheme, separator, rest = href.partition("://")
    if scheme not in DEFAULT_PORTS or not separator:
        raise UrlError(LinkSkipped.SCHEME, "neither http nor https")
    authority, _, path = rest.partition("/")
    location = _authority(authority.rpartition("@")[2])
    if location is None:
        raise UrlError(LinkSkipped.MALFORMED, "no host name")
    url = f"{scheme}://{location}/{_canonical_path(path, tuple(strip), sort_query)}"
    if len(url) > max_chars:
        raise _too_long(url, max_chars)
    return url


def location(url: str) -> Location:
    """Return where a canonical URL leads; remembered per authority."""
    return _located(url[: url.index("/", url.index("//") + 2)])


@lru_cache(_HOSTS_REMEMBERED)
def registrable_domain(host: str) -> str:
    """Return the part of a host name that one owner registered: "a.b.co.jp" -> "b.co.jp".

    By the public suffix list that the installed package holds (never fetched), with its private section: each
    user of github.io is an owner. A name that is itself a public suffix, and an IP address, is its own domain.
    """
    host = host.rstrip(".").lower()
    if ":" in host or host.rpartition(".")[2].isdecimal():
        return host
    return _suffixes().privatesuffix(host) or host


def url_id(url: str) -> bytes:
    """Return the 16 bytes that stand for a canonical URL: the first half of its sha256."""
    return hashlib.sha256(url.encode()).digest()[:16]


def domain_key(domain: str) -> int:
    """Return the uniform key of a registrable domain, in [0, 2**64): the first 8 bytes of its sha256, big-endian."""
    return int.from_bytes(hashlib.sha256(domain.encode()).digest()[:8], "big")


def _too_long(text: str, max_chars: int) -> UrlError:
    """Return the error for a text beyond the limit: data: and its like are long, but that isn't what is wrong."""
    scheme = _SCHEME.match(text.lstrip(_C0_OR_SPACE))
    if scheme and scheme[0].lower() not in DEFAULT_PORTS:
        return UrlError(LinkSkipped.SCHEME, "neither http nor https")
    return UrlError(LinkSkipped.TOO_LONG, f"{len(text)} characters > {max_chars}")


def _parse(text: str, base: str | None) -> str:
    try:
        return URL(text, base).href
    except UnicodeEncodeError:
        return _parse(_scalar_values(text), base and _scalar_values(base))
    except ValueError:
        raise UrlError(LinkSkipped.MALFORMED, "no URL by the WHATWG standard") from None


def _scalar_values(text: str) -> str:
    """Return the text with pairs of surrogates joined and lone ones replaced (Web IDL, USVString)."""
    return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")


@lru_cache(_HOSTS_REMEMBERED)
def _authority(authority: str) -> str | None:
    """Return host[:port] without the dot that ends the host, or None where no resolver would take the name."""
    if authority.startswith("["):
        return authority
    host, colon, port = authority.partition(":")
    host = host.removesuffix(".")
    labels = host.split(".")
    sound = len(host) <= MAX_HOST_CHARS and all(0 < len(label) <= MAX_LABEL_CHARS for label in labels)
    return f"{host}{colon}{port}" if sound else None


def _canonical_path(path: str, strip: tuple[str, ...], sort_query: bool) -> str:
    """Return path and query, without the slash in front, as the module's points 2 and 3 say."""
    path, _, query = path.partition("?")
    if "%" in path:
        path = _normal_escapes(path)
    if "%" in query:
        query = "&".join(map(_normal_escapes, query.split("&")))
    if query and (strip or sort_query):
        query = _kept_query(query, strip, sort_query)
    return f"{path}?{query}" if query else path


def _normal_escapes(text: str) -> str:
    """Return a path, or one piece of a query, with its escapes in one spelling.

    Where a stray "%" stands, nothing of that segment is unescaped: "%%341" would become "%41", which is another escape.
    """
    if _STRAY_PERCENT.search(text):
        return "/".join(_spelled(segment, bool(_STRAY_PERCENT.search(segment))) for segment in text.split("/"))
    return _spelled(text, False)


def _spelled(text: str, is_stray: bool) -> str:
    table = _UPPER if is_stray else _PLAIN
    return _ESCAPE.sub(lambda escape: table[escape[0].upper()], text)


def _kept_query(query: str, strip: tuple[str, ...], sort_query: bool) -> str:
    names, prefixes = _patterns(strip)
    kept = [(piece.partition("=")[0], piece) for piece in query.split("&")]
    kept = [(name, piece) for name, piece in kept if name not in names and not name.startswith(prefixes)]
    if sort_query:
        kept.sort(key=lambda item: item[0])  # stable: pieces of one name keep their order, which may matter
    return "&".join(piece for _, piece in kept)


@lru_cache(64)
def _patterns(strip: tuple[str, ...]) -> tuple[frozenset[str], tuple[str, ...]]:
    prefixes = tuple(pattern[:-1] for pattern in strip if pattern.endswith("*"))
    return frozenset(pattern for pattern in strip if not pattern.endswith("*")), prefixes


@lru_cache(_HOSTS_REMEMBERED)
def _located(authority: str) -> Location:
    scheme, _, place = authority.partition("://")
    host, bracket, port = place.rpartition("]") if place.startswith("[") else place.partition(":")
    if bracket == "]":
        host, port = host[1:], port[1:]
    return Location(scheme, host, int(port or DEFAULT_PORTS[scheme]), authority, registrable_domain(host))


@lru_cache(1)
def _suffixes() -> "PublicSuffixList":
    from publicsuffixlist import PublicSuffixList

    return PublicSuffixList()
