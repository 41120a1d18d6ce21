"""References as pages write them (href, src, srcset, refresh), and the addresses that they come to.

Sources: WHATWG URL (parsing and joining by ada-url; a query is in the page's own encoding, section 4.4), WHATWG HTML
(srcset, section 4.8.4.2.1; refresh, section 4.2.5.3).
"""

import re
from collections import Counter
from functools import lru_cache
from urllib.parse import quote_from_bytes

import ada_url

from manifests.reasons import LinkSkipped

_NON_ASCII_QUERY = re.compile(r"\?[^#]*[^\x00-\x7f]")
_NON_ASCII = re.compile(r"[^\x00-\x7f]+")
_STRIPPED = "".join(map(chr, range(33)))  # C0 controls and space
_QUERY_KEEPS = "!$%&()*+,-./:;=?@[\\]^_`{|}~"  # WHATWG's special-query percent-encode set leaves these
_JIS_X_0212 = b"\x8f"  # browsers read this second set of EUC-JP but never send it
_UNICODE = ("utf-8", "utf-16-le", "utf-16-be")
_CANDIDATE = re.compile(r"[\s,]*+(\S*[^\s,])(?:\s+([^,]*))?")
_DESCRIPTOR = re.compile(r"(\d+|\d*\.\d+)([wx])")
_REFRESH = re.compile(r"[\s\d.]*(?:[;,\s]\s*)(?:url\s*=\s*)?(?:\"([^\"]*)|'([^']*)|(.*))", re.IGNORECASE | re.DOTALL)
_PAGE_ITSELF = re.compile(r"(?:https?:)?(?:\?|$)", re.IGNORECASE)  # what is joined to the page, and not to its folder
_TABS = str.maketrans("", "", "\t\n\r")  # which URLs are read without
_DELAY_ONLY = re.compile(r"[\s\d.;,]*")


class Resolver:
    """Joins the references of one document to absolute URLs, and counts those that come to nothing.

    `encoding` is Python's codec of the document: what is not ASCII in a query is sent in it. Fragments are dropped.
    A reference is joined once, however often it stands in the document.
    """

    def __init__(self, base: str, encoding: str = "utf-8", max_chars: int = 4096) -> None:
        self.max_chars = max_chars
        self.skipped: Counter[LinkSkipped] = Counter()
        self._encoding = None if encoding in _UNICODE else encoding
        self._known: dict[str, str | None] = {}
        self.rebase(base)

    def resolve(self, reference: str) -> str | None:
        """Return the http or https URL that a reference means, or None; what is refused is counted once."""
        reference = reference.partition("#")[0].strip(_STRIPPED)
        if reference not in self._known:
            self._known[reference] = self._join(reference)
        return self._known[reference]

    def rebase(self, base: str) -> None:
        """Go on from another base, that of a page's <base>."""
        self.base, self._folder = base, _joined(base, ".") or base
        self._known.clear()

    def _join(self, reference: str) -> str | None:
        if len(reference) > 2 * self.max_chars:  # twice: tabs and line breaks are taken out
            return self._skip(LinkSkipped.SCHEME if _is_data(reference) else LinkSkipped.TOO_LONG)
        if self._encoding and _NON_ASCII_QUERY.search(reference):
            reference = _encode_query(reference, self._encoding)
        url = _joined(self.base if _PAGE_ITSELF.match(reference.translate(_TABS)) else self._folder, reference)
        if url is None:
            return self._skip(LinkSkipped.MALFORMED)
        if not url.startswith(("https://", "http://")):
            return self._skip(LinkSkipped.SCHEME)
        return url if len(url) <= self.max_chars else self._skip(LinkSkipped.TOO_LONG)

    def _skip(self, reason: LinkSkipped) -> str | None:
        self.skipped[reason] += 1
        return None


@lru_cache(maxsize=1 << 14)  # pages of a folder lead to the same places
def _joined(base: str, reference: str) -> str | None:
    try:
        url: str = ada_url.join_url(base, reference)
    except ValueError:
        return None
    return url


def _is_data(reference: str) -> bool:
    return reference[:64].lstrip().lower().startswith(("data:", "javascript:", "blob:"))


def _encode_query(reference: str, encoding: str) -> str:
    """Return the reference with its query's characters percent-encoded in `encoding`, as a browser sends them.

    What the encoding lacks becomes a numeric reference, itself percent-encoded ("%26%23128512%3B").
    """
    path, mark, query = reference.partition("?")
    return path + mark + _NON_ASCII.sub(lambda found: _percent(found[0], encoding), query)


def _percent(text: str, encoding: str) -> str:
    try:
        encoded = text.encode(encoding)
    except UnicodeEncodeError:
        encoded = b""
    if encoded and not (encoding == "euc_jp" and _JIS_X_0212 in encoded):
        return quote_from_bytes(encoded, _QUERY_KEEPS)
    if len(text) == 1:
        return f"%26%23{ord(text)}%3B"
    return "".join(_percent(character, encoding) for character in text)


def srcset_candidates(srcset: str) -> list[tuple[str, float]]:
    """Return (reference, size) of each candidate, in order; size is the width in pixels or the density, else 1.0.

    Linear in time; what is no descriptor counts as none.
    """
    found = []
    for candidate in _CANDIDATE.finditer(srcset.rstrip(", \t\n\f\r")):
        descriptor = _DESCRIPTOR.match((candidate[2] or "").strip())
        found.append((candidate[1], float(descriptor[1]) if descriptor else 1.0))
    return found


def largest(candidates: list[tuple[str, float]]) -> str | None:
    """Return the reference of the largest candidate, the first of equals, or None."""
    return max(candidates, key=lambda one: one[1])[0] if candidates else None


def refresh_target(content: str) -> str | None:
    """Return the reference of a `<meta http-equiv=refresh>`, None where the page only loads itself again."""
    if _DELAY_ONLY.fullmatch(content):
        return None
    found = _REFRESH.match(content)
    return next((group.strip() for group in found.groups() if group), None) if found else None
