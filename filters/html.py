"""One HTML page: its text and the ordered parts of it, from one parse.

Places of images, tables and code are marked in the page's bytes by private-use characters (`filters.prescan`), the
extractor runs once over the parsed page, and the text is cut where the marks came out. So the text is the
extractor's own, and no second walk over the tree is needed.
"""

import html
import posixpath
import re
from typing import Any, NamedTuple
from urllib.parse import urljoin, urlsplit

import numpy as np
from resiliparse.extract.html2text import extract_plain_text
from resiliparse.parse.html import HTMLTree

from filters import markup, prescan
from filters.parts import Block, Image
from filters.prescan import AT, CODE_BEGINS, CODE_ENDS, IMAGE_HERE, KIND, MORE, TABLE_BEGINS, TABLE_ENDS

# The main content is what counts, unless the extractor found next to none of the page: less than this many bytes of
# it, and less than this share of the whole text. Then all visible text is taken.
NEARLY_EMPTY_BYTES = 500
MIN_MAIN_FRACTION = 0.25

MAX_URI_BYTES = 4096

_MARK = re.compile(rb"\xf3[\xb0-\xbf][\x80-\xbf]{2}|\xf4[\x80-\x8f][\x80-\xbf]{2}")
_MARK_CHARACTER = re.compile("[\U000f0000-\U0010ffff]")
_BIG_REFERENCE = re.compile(
    rb"&#(?:x0*(?:f[0-9a-f]{4}|10[0-9a-f]{4})|0*(?:9[89]\d{4}|10\d{5}|11[01]\d{4}))(?!\w);?", re.IGNORECASE
)
_ATTRIBUTE = re.compile(
    rb"[\s/]*([^\s/>=][^\s/>=]*)(?:\s*=\s*(?:\"([^\"]*)\"?|'([^']*)'?|([^\s>]*)))?", re.DOTALL
)
_SPACE = re.compile(r"\s+")
_LICENSE = re.compile(rb"\brel\s*=\s*[\"']?[^\"'<>]*\blicense\b")
_META_NAMES = ("robots", "tdm-reservation", "corpusmill")


class Page(NamedTuple):
    """What a page holds. Blocks don't overlap; blocks and images are in the text's order."""

    title: str | None
    text: bytes  # UTF-8
    blocks: list[Block]
    images: list[Image]
    markup: list[tuple[str, str]]  # json_ld | faq
    policy: list[str]  # "meta robots: noai" ...
    license: str | None  # address, as stated by rel="license"


def neutralise(page: bytes) -> bytes:
    """Return the page (UTF-8) without the characters, written out or by reference, that we mark places with."""
    if page and np.frombuffer(page, np.uint8).max() >= 0xF3:
        page = _MARK.sub(b"\xef\xbf\xbd", page)
    return _BIG_REFERENCE.sub(b"&#xfffd;", page) if b"&#" in page else page


def read_page(page: bytes, places: np.ndarray, uri: str) -> Page:
    """Return what a page holds; it is in UTF-8, neutralised, and `places` are what `prescan.scan` found in it."""
    tree = HTMLTree.parse(prescan.mark(page, places).decode())
    marked = extract(tree, main_content=True)
    if len(marked) < NEARLY_EMPTY_BYTES:
        whole = extract(tree, main_content=False)
        if len(marked) < MIN_MAIN_FRACTION * len(whole):
            marked = whole
    lowered = page.lower()
    text, blocks, seen = cut(marked, places)
    base = _base(tree, uri) if b"<base" in lowered else uri
    return Page(
        title=_title(tree),
        text=text,
        blocks=blocks,
        images=[image for at, place in seen if (image := _image(page, places[place], at, base))],
        markup=[(kind, _MARK_CHARACTER.sub("", content)) for kind, content in markup.find_markup(tree, lowered)],
        license=_license(tree, uri) if _LICENSE.search(lowered) else None,
        policy=_policy(tree) if b"robots" in lowered or b"tdm-" in lowered or b"corpusmill" in lowered else [],
    )


def extract(tree: Any, *, main_content: bool) -> bytes:
    """Return the visible text of a parsed page, UTF-8."""
    text: str = extract_plain_text(tree, main_content=main_content, alt_texts=False, links=False)
    return text.encode("utf-8", "replace").replace(b"\0", b"")


def cut(marked: bytes, places: np.ndarray) -> tuple[bytes, list[Block], list[tuple[int, int]]]:
    """Take the marks out; return (text, blocks, images as (offset, place)).

    Of nested tables and code the innermost are blocks: a table that holds another is there for layout. White space
    on both sides of a mark is joined: the longer run of newlines stays.
    """
    out = bytearray()
    blocks: list[Block] = []
    images: list[tuple[int, int]] = []
    opened: list[tuple[int, int]] = []  # kind, offset
    at = 0
    for found in _MARK.finditer(marked):
        _join(out, marked[at : found.start()])
        at = found.end()
        place = prescan.place_index(found[0])
        kind = int(places[place, KIND]) if place < len(places) else -1
        if kind == IMAGE_HERE:
            images.append((len(out), place))
        elif kind in (TABLE_BEGINS, CODE_BEGINS):
            opened.append((kind, len(out)))
        elif kind in (TABLE_ENDS, CODE_ENDS):
            _close(opened, kind, len(out), blocks)
    _join(out, marked[at:])
    while opened:
        _close(opened, opened[-1][0] + 1, len(out), blocks)
    text = bytes(out.rstrip())
    return text, _trimmed(text, blocks), [(min(offset, len(text)), place) for offset, place in images]


def _join(out: bytearray, piece: bytes) -> None:
    """Append what follows a mark, so that the mark leaves no blank line or second space."""
    body = piece.lstrip(b"\n")
    newlines = len(piece) - len(body)
    if not out:
        out += body
    elif newlines:
        del out[len(out.rstrip(b" ")) :]
        out += b"\n" * max(0, newlines - (len(out) - len(out.rstrip(b"\n")))) + body
    else:
        out += body[1:] if body[:1] == b" " and out[-1:] in (b" ", b"\n") else body


def _close(opened: list[tuple[int, int]], ending: int, at: int, blocks: list[Block]) -> None:
    """End the innermost open block of the kind that `ending` ends; it counts unless it holds another block."""
    if not any(kind + 1 == ending for kind, _ in opened):
        return
    kind, start = opened.pop()
    while kind + 1 != ending:
        kind, start = opened.pop()
    if not (blocks and blocks[-1].start >= start and blocks[-1].end > start):
        blocks.append(Block("table" if kind == TABLE_BEGINS else "code", start, at))


def _trimmed(text: bytes, blocks: list[Block]) -> list[Block]:
    """Leave out blank lines at both ends of blocks, and blocks without content."""
    trimmed = []
    for kind, start, end in blocks:
        body = text[start:end]
        start += len(body) - len(body.lstrip(b"\n"))
        body = body.rstrip()
        if body.strip():
            trimmed.append(Block(kind, start, min(start, end) + len(body.lstrip(b"\n"))))
    return trimmed


def attributes(tag: bytes) -> dict[str, str]:
    """Return the attributes of a start tag's bytes, names in lower case; of a repeated one the first counts."""
    found: dict[str, str] = {}
    for name, double, single, bare in _ATTRIBUTE.findall(tag.rstrip(b">"), _name_end(tag)):
        value = html.unescape((double or single or bare).decode("utf-8", "replace"))
        found.setdefault(name.decode("utf-8", "replace").lower(), value)
    return found


def _name_end(tag: bytes) -> int:
    found = re.match(rb"<[^\s/>]*", tag)
    return found.end() if found else 0


def _image(page: bytes, place: np.ndarray, at: int, base: str) -> Image | None:
    """Return the image whose tag stands at `place`; None where it names no address outside the page."""
    named = attributes(page[place[AT] : place[MORE]])
    alt = _SPACE.sub(" ", named.get("alt", "")).strip() or None
    for name in ("src", "data-src", "data-original", "data-lazy-src", "srcset"):
        address = named.get(name, "").strip()
        if name == "srcset":
            address = address.split(",")[0].split()[0] if address else ""
        if address and not address[:5].lower() == "data:":
            uri = resolve(base, address)
            return Image(at, uri, alt) if uri else None
    return None


def resolve(base: str, address: str) -> str | None:
    """Return the address in full, or None where it can't be one.

    A local base, "input-name:relative/path[#row]", gives "input-name:path" by the rules of paths; it never leaves its input.
    """
    if len(address) > MAX_URI_BYTES:
        return None
    address = "".join(address.split("\n")).replace("\t", "").replace("\r", "")
    try:
        if "://" in base or urlsplit(address).scheme:
            return urljoin(base, address)
    except ValueError:
        return None
    name, _, path = base.partition(":")
    if address.startswith("//"):
        return None
    folder = "" if address.startswith("/") else posixpath.dirname(path.partition("#")[0])
    return f"{name}:{posixpath.normpath('/' + posixpath.join(folder, address.lstrip('/'))).lstrip('/')}"


def _base(tree: Any, uri: str) -> str:
    element = tree.document.query_selector("base[href]")
    if element is None:
        return uri
    return resolve(uri, _MARK_CHARACTER.sub("", element.getattr("href"))) or uri


def _license(tree: Any, uri: str) -> str | None:
    element = tree.document.query_selector('a[rel~="license"][href], link[rel~="license"][href]')
    return resolve(uri, _MARK_CHARACTER.sub("", element.getattr("href"))) if element is not None else None


def _title(tree: Any) -> str | None:
    title = _MARK_CHARACTER.sub("", tree.title or "").replace("\0", "")
    return _SPACE.sub(" ", title).strip() or None


def _policy(tree: Any) -> list[str]:
    lines = []
    for meta in tree.document.query_selector_all("meta[name]").values():
        name = meta.getattr("name").strip().lower()
        content = meta.getattr("content")
        if name in _META_NAMES and content:
            lines.append(f"meta {name}: {_SPACE.sub(' ', content).strip()}")
    return lines
