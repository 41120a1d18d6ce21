"""One HTML page: its text and the ordered parts of it, from one parse.

Places of images, tables and code are marked in the page's bytes by private-use characters (`filters.prescan`), the
extractor runs once over the parsed page, and the text is cut where the marks came out. So the text is the
extractor's own, and no second walk over the tree is needed.
"""

import posixpath
import re
from typing import Any, NamedTuple
from urllib.parse import urljoin, urlsplit

import numpy as np
from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.html import HTMLParserException, HTMLTree

from filters import licenses, markup, prescan
from filters.books import Unusable
from filters.interleave import tags
from filters.interleave.addresses import data_name
from filters.licenses import Licensed
from filters.microdata import may_hold_items
from filters.page_policy import policy_lines
from filters.parts import DocumentParts, FilmAddress, ImageAddress, cut, order_parts
from filters.prescan import (
    AT,
    HAS_BASE,
    HAS_DETAILS,
    HAS_FAQ,
    HAS_FILMS,
    HAS_HIGH_PLANES,
    HAS_ITEMS,
    HAS_JSON_LD,
    HAS_LICENSE,
    HAS_POLICY,
    HAS_REFERENCES,
    IMAGE_HERE,
    MAX_PLACES,
    MORE,
)
from manifests.limits import Limits
from manifests.reasons import Quarantine

# The main content is what counts, unless the extractor found next to none of the page: less than this many bytes of
# it, and less than this share of the whole text. Then all visible text is taken.
NEARLY_EMPTY_BYTES = 500
MIN_MAIN_FRACTION = 0.25

_BEYOND = (
    (prescan.TOO_DEEP, Quarantine.NESTING_TOO_DEEP, "max_nesting_depth"),
    (prescan.TOO_MANY_ATTRIBUTES, Quarantine.TOO_MANY_ATTRIBUTES, "max_attributes"),
)
MAX_URI_BYTES = 4096
DEFAULT_LIMITS = Limits()
FURIGANA = ["rt", "rp"]  # readings above a word say it twice

_MARK = re.compile(rb"\xf3[\xb0-\xbf][\x80-\xbf]{2}|\xf4[\x80-\x8f][\x80-\xbf]{2}")
_MARK_CHARACTER = re.compile("[\U000f0000-\U0010ffff]")
_BIG_REFERENCE = re.compile(
    rb"&#(?:[xX]0*(?:[fF]|10)[0-9a-fA-F]{4}(?![0-9a-fA-F])|0*(?:9[89]\d{4}|10\d{5}|11[01]\d{4})(?!\d));?"
)
# The extractor's main content leaves out a text node of a single character beyond ASCII: a closing bracket, a particle
# or a full stop behind </b>, a one-character cell. Such a node gets a second character, which the text then loses.
_COMPANION = "\U0010fffd".encode()
_LONE = re.compile(
    rb">(\s*)((?!\xc2\xa0)(?:[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf2][\x80-\xbf]{3})"
    rb"|&(?!nbsp;|#160;|#[xX][aA]0;)(?:#[0-9a-zA-Z]{2,8}|[a-zA-Z][a-zA-Z0-9]{1,31});)(\s*)<"
)
_IMAGE_SOURCES = ("src", "data-src", "data-original", "data-lazy-src", "srcset")
_IMAGE_ATTRIBUTES = frozenset(name.encode() for name in ("alt", *_IMAGE_SOURCES))
_SPACE = re.compile(r"\s+")


class Page(NamedTuple):
    """What a page holds."""

    title: str | None
    text: bytes  # UTF-8
    parts: DocumentParts
    markup: list[tuple[str, str]]  # json_ld | faq | microdata | left_out
    policy: list[str]  # "meta robots: noai", "license rel: https://..." ...
    license: str | None  # as stated where the page itself is meant (filters.licenses)


def neutralise(page: bytes, holds: int) -> bytes:
    """Return the page (UTF-8) without the characters, written out or by reference, that we mark places with.

    `holds` is what `prescan.survey` says of the page.
    """
    if holds & HAS_HIGH_PLANES:
        page = _MARK.sub(b"\xef\xbf\xbd", page)
    return _BIG_REFERENCE.sub(b"&#xfffd;", page) if holds & HAS_REFERENCES else page


def scan_page(page: bytes, limits: Limits, *, xml: bool = False) -> tuple[bytes, prescan.Scan]:
    """Return the neutralised page and what stands in it; all hints of it together."""
    holds = prescan.survey(page)
    page = neutralise(page, holds)
    scan = prescan.scan(page, limits.max_nesting_depth, limits.max_attributes, xml=xml)
    places = _with_films(page, scan.places) if holds & HAS_FILMS else scan.places
    return page, scan._replace(hints=scan.hints | holds, places=places)


def _with_films(page: bytes, places: np.ndarray) -> np.ndarray:
    """Return places with those of films and sounds among them, as far as there are marks for them."""
    room = MAX_PLACES - len(places)
    rows = [(IMAGE_HERE, begin, end) for begin, end in tags.film_places(page)[:room]]
    together = np.concatenate([places, np.array(rows, np.int64).reshape(-1, 3)])
    ordered: np.ndarray = together[np.argsort(together[:, AT], kind="stable")]
    return ordered


def read_within(page: bytes, uri: str, limits: Limits, *, xml: bool, main_content: bool = True) -> Page:
    """Return what a page (UTF-8) holds; raise Unusable where it is beyond the limits or its parser refuses it."""
    page, scan = scan_page(page, limits, xml=xml)
    for verdict, reason, limit in _BEYOND:
        if scan.verdict == verdict:
            raise Unusable(reason, "", limit, getattr(limits, limit), scan.observed)
    try:
        return read_page(page, scan, uri, main_content=main_content, limits=limits)
    except HTMLParserException as error:
        raise Unusable(Quarantine.PARSE_ERROR, type(error).__name__) from error


def read_page(
    page: bytes, scan: prescan.Scan, uri: str, *, main_content: bool = True, limits: Limits = DEFAULT_LIMITS
) -> Page:
    """Return what a page holds; it is in UTF-8, neutralised, and `scan` is what `prescan.scan` found in it.

    main_content: leave out navigation and the like, unless that leaves next to nothing; else all visible text.
    """
    places = scan.places
    tree = HTMLTree.parse(_LONE.sub(rb">\1\2" + _COMPANION + rb"\3<", prescan.mark(page, places)).decode())
    skipped = FURIGANA if b"<rt" in page else None
    marked = extract(tree, main_content=main_content, skipped=skipped)
    if main_content and len(marked) < NEARLY_EMPTY_BYTES:
        whole = extract(tree, main_content=False, skipped=skipped)
        if len(marked) < MIN_MAIN_FRACTION * len(whole):
            marked = whole
    text, blocks, images = cut(marked, places)
    base = _base(tree, uri) if scan.hints & HAS_BASE else uri
    at, media = images[:, 0], _addresses(page, places[images[:, 1]], base)
    if scan.hints & HAS_FILMS and all(each.kind == "image" for each in media):
        before = _stated_film(tree, base)
        at, media = np.concatenate([np.zeros(len(before), np.int64), at]), before + media
    found = [(kind, _MARK_CHARACTER.sub("", content)) for kind, content in _markup(tree, page, scan.hints, limits)]
    licensed = _licensed(tree, page, scan.hints, found, base)
    return Page(
        title=_title(tree),
        text=text,
        parts=DocumentParts(order_parts(text, blocks, at), media),
        markup=found,
        license=licensed.license,
        policy=[*(policy_lines(tree) if scan.hints & HAS_POLICY else ()), *licensed.lines],
    )


def extract(tree: Any, *, main_content: bool, skipped: list[str] | None = None) -> bytes:
    """Return the visible text of a parsed page, UTF-8, without the elements that `skipped` selects."""
    text: str = extract_plain_text(tree, main_content=main_content, alt_texts=False, links=False, skip_elements=skipped)
    clean = text.replace("\0", "") if "\0" in text else text
    return clean.encode("utf-8", "replace").replace(_COMPANION, b"")


def attributes(tag: bytes) -> dict[str, str]:
    """Return the attributes of an image's tag that count here; of a repeated one the first."""
    return tags.attributes(tag, _IMAGE_ATTRIBUTES)


def _addresses(page: bytes, places: np.ndarray, base: str) -> list[ImageAddress | FilmAddress]:
    """Return what the images, films and sounds whose tags stand at `places` say, in their order."""
    known: dict[bytes, ImageAddress | FilmAddress] = {}
    found = []
    for begin, end in places[:, AT : MORE + 1].tolist():
        tag = page[begin:end]
        if tag not in known:
            known[tag] = _address(tag, base)
        found.append(known[tag])
    return found


def _address(tag: bytes, base: str) -> ImageAddress | FilmAddress:
    """Return address and alternative text of an image's tag; an image inside the page is named by its bytes."""
    if film := tags.named(tag):
        return FilmAddress(resolve(base, film.reference) if film.reference else None, film.alt, film.kind)
    named = attributes(tag)
    alt = _SPACE.sub(" ", named.get("alt", "")).strip() or None
    for name in _IMAGE_SOURCES:
        address = named.get(name, "").strip()
        if name == "srcset" and address:
            address = address.split(",")[0].split()[0]
        if address and address[:5].lower() != "data:":
            return ImageAddress(resolve(base, address), alt)
    return ImageAddress(data_name(named.get("src", "")), alt)


def resolve(base: str, address: str) -> str | None:
    """Return the address in full, or None where it can't be one.

    A local base, "input-name:relative/path[#row]", gives "input-name:path" by the rules of paths and never leaves its
    input.
    """
    if len(address) > MAX_URI_BYTES:
        return None
    address = "".join(address.split("\n")).replace("\t", "").replace("\r", "")
    try:
        if "://" in base or urlsplit(address).scheme:
            return urljoin(base, address)
    except ValueError:
        return None
    if address.startswith("//"):
        return None
    name, _, path = base.partition(":")
    folder = "" if address.startswith("/") else path.partition("#")[0].rpartition("/")[0]
    joined = f"{folder}/{address}".lstrip("/")
    if "./" in joined or "//" in joined:
        joined = posixpath.normpath("/" + joined).lstrip("/")
    return f"{name}:{joined}"


def _base(tree: Any, uri: str) -> str:
    element = tree.document.query_selector("base[href]")
    if element is None:
        return uri
    return resolve(uri, _MARK_CHARACTER.sub("", element.getattr("href"))) or uri


def _stated_film(tree: Any, base: str) -> list[ImageAddress | FilmAddress]:
    """Return the film or sound that a page names in its head alone (og:video, og:audio): it stands before the text."""
    elements = tree.document.query_selector_all('meta[property^="og:"][content]')
    given = [(each.getattr("property"), _MARK_CHARACTER.sub("", each.getattr("content"))) for each in elements]
    found = tags.stated(given)
    return [FilmAddress(resolve(base, found[1]), None, found[0])] if found else []


def _markup(tree: Any, page: bytes, hints: int, limits: Limits) -> list[tuple[str, str]]:
    json_ld, faq_page, details = (hints & bit != 0 for bit in (HAS_JSON_LD, HAS_FAQ, HAS_DETAILS))
    items = hints & HAS_ITEMS != 0 and may_hold_items(page)
    return markup.find_markup(tree, limits, json_ld=json_ld, faq_page=faq_page, details=details, items=items)


def _licensed(tree: Any, page: bytes, hints: int, found: list[tuple[str, str]], base: str) -> Licensed:
    if not licenses.may_state(page, hints & HAS_LICENSE != 0, hints & HAS_JSON_LD != 0):
        return Licensed(None, [])
    json_ld = [content for kind, content in found if kind == "json_ld"]
    said = licenses.page_statements(tree, json_ld, lambda each: resolve(base, _MARK_CHARACTER.sub("", each)))
    return licenses.settle(said)


def _title(tree: Any) -> str | None:
    title = _MARK_CHARACTER.sub("", tree.title or "").replace("\0", "")
    return _SPACE.sub(" ", title).strip() or None
