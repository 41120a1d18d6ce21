"""The links of one parsed page, element by element. `filters.links` is what others call.

Sources: WHATWG HTML (base, area, srcset, refresh, link types), RFC 6596 (canonical).
"""

from functools import lru_cache
from typing import Any, NamedTuple

from filters.references import Resolver, largest, refresh_target, srcset_candidates

MAX_LINKS = 10_000  # of one page
MAX_CAPTIONS = 1000  # looked for in one page: each search may walk over a whole figure
MAX_TEXT_CHARS = 1024  # of what is said about one link

PAGE, SITEMAP, IMAGE, AUDIO, VIDEO = "page", "sitemap", "image", "audio", "video"
LINK, CANONICAL = "link", "canonical"

_EXTENSIONS = {
    IMAGE: "jpg jpeg jpe jfif png gif webp avif bmp tif tiff heic jxl svg ico",
    AUDIO: "mp3 m4a aac ogg oga opus flac wav wma aif aiff mid midi",
    VIDEO: "mp4 m4v webm mov mkv avi wmv flv ogv mpg mpeg 3gp",
}
KINDS_BY_EXTENSION = {extension: kind for kind, extensions in _EXTENSIONS.items() for extension in extensions.split()}

# What may hold a link to something of a kind; an anchor may lead to anything.
_ANYTHING = 'a[href]:not([href^="#"]), area[href]'
_SELECTORS = {
    PAGE: ("iframe[src]", "frame[src]", "link[href]", "meta[http-equiv]"),
    SITEMAP: ("link[href]",),
    IMAGE: ("img", "source", "video"),
    AUDIO: ("source", "audio[src]"),
    VIDEO: ("source", "video"),
}
ALL_KINDS = frozenset(_SELECTORS)
_PAGE_RELATIONS = {"next", "prev", "previous", "first", "last", "up", "start", "index", "contents", "alternate"}
_PAGE_TYPES = ("", "text/html", "application/xhtml+xml")
_IMAGE_SOURCES = ("src", "data-src", "data-original", "data-lazy-src")  # in the order of filters.html
_IMAGE_SETS = ("srcset", "data-srcset")


class Link(NamedTuple):
    """A link as a page or sitemap gives it."""

    url: str  # absolute, http or https, without fragment; joined but not canonicalised
    kind: str  # page | sitemap | image | audio | video: a guess, the response knows better
    origin: str  # link | canonical | sitemap
    text: str | None  # anchor text, alternative text or caption, white space collapsed
    nofollow: bool


@lru_cache(maxsize=1 << 14)
def kind_by_extension(url: str) -> str:
    """Return the kind that the path's last name promises; a name with a colon ("File:a.jpg") is a wiki's page."""
    name = url.partition("?")[0].rpartition("/")[2].lower()
    return PAGE if ":" in name or "%3a" in name else KINDS_BY_EXTENSION.get(name.rpartition(".")[2], PAGE)


def clean_text(text: str | None) -> str | None:
    """Return a text with white space collapsed and cut to MAX_TEXT_CHARS, None where nothing is left."""
    if not text:
        return None
    return " ".join(text[: 8 * MAX_TEXT_CHARS].split())[:MAX_TEXT_CHARS] or None


@lru_cache(maxsize=32)
def _selector(kinds: frozenset[str]) -> str:
    """Return a selector of all elements that may hold a link of one of these kinds."""
    return ", ".join(
        dict.fromkeys([_ANYTHING, *(each for kind in _SELECTORS if kind in kinds for each in _SELECTORS[kind])])
    )


class LinkReader:
    """Collects the links of one parsed page."""

    def __init__(self, url: str, resolver: Resolver, *, is_nofollow: bool, budget: int) -> None:
        self.url, self.resolver, self.is_nofollow = url, resolver, is_nofollow
        self.kinds = self.told = ALL_KINDS
        self.found: dict[tuple[str, str], Link] = {}
        self.left_out = 0
        self._budget = budget  # characters of text that may still be read
        self._candidates: list[tuple[str, float]] = []  # of a picture whose img is still to come
        self._has_captions = self._has_nofollow = False
        self._captions_left = MAX_CAPTIONS
        self._anchors: dict[str, tuple[str, str] | None] = {}  # reference -> (url, kind)

    def look_for(self, kinds: frozenset[str], told: frozenset[str]) -> None:
        """Collect links of `kinds` only, and the texts of anchors only for those of `told`."""
        self.kinds, self.told = kinds, told

    def read(self, tree: Any, lowered: bytes) -> None:
        """Collect the links; `lowered` is the page in lower case, where words are looked for that few pages have."""
        document = tree.document
        base = document.query_selector("base[href]") if b"<base" in lowered else None
        if base is not None and (resolved := self.resolver.resolve(base.getattr("href"))):
            self.resolver.rebase(resolved)
        self._has_captions = b"<figcaption" in lowered
        self._has_nofollow = b"nofollow" in lowered
        for element in document.query_selector_all(_selector(self.kinds)).values():
            _READERS[element.tag](self, element)

    def _place(self, reference: str | None, kind: str | None) -> tuple[str, str] | None:
        """Return (url, kind) of a reference that counts, or None."""
        if not reference or (url := self.resolver.resolve(reference)) is None or url == self.url:
            return None
        kind = kind or kind_by_extension(url)
        return (url, kind) if kind in self.kinds else None

    def _add(
        self, reference: str | None, kind: str | None, text: str | None, *, origin: str = LINK, nofollow: bool = False
    ) -> None:
        if place := self._place(reference, kind):
            self._put(Link(*place, origin, text, nofollow or self.is_nofollow))

    def _put(self, link: Link) -> None:
        place = link[:2]
        known = self.found.get(place)
        if known is not None:
            self.found[place] = _merge(known, link)
        elif len(self.found) < MAX_LINKS:
            self.found[place] = link
        else:
            self.left_out += 1

    def _text(self, element: Any) -> str | None:
        """Return the text inside an element, as long as the page's budget lasts."""
        if self._budget <= 0:
            return None
        text = element.text
        self._budget -= len(text)
        return clean_text(text)

    def _caption(self, element: Any) -> str | None:
        if not self._has_captions or self._captions_left == 0:
            return None
        self._captions_left -= 1
        if (figure := element.closest("figure")) is None:
            return None
        caption = figure.query_selector("figcaption")
        return self._text(caption) if caption is not None else None

    def _anchor(self, element: Any) -> None:
        reference = element.getattr("href")
        if reference not in self._anchors:
            self._anchors[reference] = self._place(reference, None)
        if (place := self._anchors[reference]) is None:
            return
        nofollow = self.is_nofollow or self._says_nofollow(element)
        known, is_told = self.found.get(place), place[1] in self.told
        if known is None or (is_told and known.text is None) or known.nofollow > nofollow:
            self._put(Link(*place, LINK, self._anchor_text(element) if is_told else None, nofollow))

    def _says_nofollow(self, element: Any) -> bool:
        return self._has_nofollow and "nofollow" in (element.getattr("rel") or "").lower()

    def _anchor_text(self, element: Any) -> str | None:
        if text := self._text(element):
            return text
        image = element.query_selector("img[alt]") if self._budget > 0 else None
        return clean_text(image.getattr("alt") if image is not None else element.getattr("title"))

    def _area(self, element: Any) -> None:
        text = clean_text(element.getattr("alt"))
        self._add(element.getattr("href"), None, text, nofollow=self._says_nofollow(element))

    def _frame(self, element: Any) -> None:
        self._add(element.getattr("src"), PAGE, clean_text(element.getattr("title")))

    def _link(self, element: Any) -> None:
        relations = (element.getattr("rel") or "").lower().split()
        reference, text = element.getattr("href"), clean_text(element.getattr("title"))
        if "canonical" in relations:
            self._add(reference, PAGE, None, origin=CANONICAL)
        elif "sitemap" in relations:
            self._add(reference, SITEMAP, text)
        elif not _PAGE_RELATIONS.isdisjoint(relations) and _leads_to_page(element, relations):
            self._add(reference, PAGE, text, nofollow="nofollow" in relations)

    def _meta(self, element: Any) -> None:
        if (element.getattr("http-equiv") or "").strip().lower() == "refresh":
            self._add(refresh_target(element.getattr("content") or ""), PAGE, None)

    def _image(self, element: Any) -> None:
        """Give the address that `filters.html` names, and the largest that the page offers if that is another."""
        text = clean_text(element.getattr("alt")) or self._caption(element)
        first = next((said for name in _IMAGE_SOURCES if (said := _address(element, name))), None)
        self._add(first, IMAGE, text)
        for name in _IMAGE_SETS:
            self._candidates += srcset_candidates(element.getattr(name) or "")
        best = largest(self._candidates)
        self._candidates.clear()
        if best is not None and best[:5].lower() != "data:":
            self._add(best, IMAGE, text)

    def _source(self, element: Any) -> None:
        self._candidates += srcset_candidates(element.getattr("srcset") or "")
        reference, parent = element.getattr("src"), element.parent
        if reference and parent is not None and parent.tag in (AUDIO, VIDEO):
            self._add(reference, parent.tag, self._media_text(parent))

    def _media(self, element: Any) -> None:
        text = self._media_text(element)
        self._add(element.getattr("src"), element.tag, text)
        self._add(element.getattr("poster"), IMAGE, text)

    def _media_text(self, element: Any) -> str | None:
        return clean_text(element.getattr("aria-label") or element.getattr("title")) or self._caption(element)


_READERS = {
    "a": LinkReader._anchor,
    "area": LinkReader._area,
    "iframe": LinkReader._frame,
    "frame": LinkReader._frame,
    "link": LinkReader._link,
    "meta": LinkReader._meta,
    "img": LinkReader._image,
    "source": LinkReader._source,
    "video": LinkReader._media,
    "audio": LinkReader._media,
}


def _leads_to_page(link: Any, relations: list[str]) -> bool:
    stated = (link.getattr("type") or "").partition(";")[0].strip().lower()
    return stated in _PAGE_TYPES and "stylesheet" not in relations


def _address(element: Any, name: str) -> str | None:
    address = (element.getattr(name) or "").strip()
    return address if address and address[:5].lower() != "data:" else None


def _merge(known: Link, again: Link) -> Link:
    origin = CANONICAL if CANONICAL in (known.origin, again.origin) else known.origin
    return known._replace(origin=origin, text=known.text or again.text, nofollow=known.nofollow and again.nofollow)
