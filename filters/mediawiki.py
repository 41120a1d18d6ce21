"""Pages of MediaWiki dumps as documents: wikitext to text by mwparserfromhell, without expanding any template.

A record is an export document of one page: <mediawiki><siteinfo/><page/></mediawiki> (export-0.11.xsd). Its text is
the page's newest revision. References, comments, navigation and nearly all templates go (their text stands on other
pages); tables, code and images become parts; links and emphasis leave their words, categories go to the metadata.
A section of which nothing is left goes with its heading.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from filters.books import Book, NotOurs, Unusable
from filters.parts import DocumentParts, ImageAddress, cut, order_parts
from filters.prescan import CODE_BEGINS, CODE_ENDS, FIRST_SENTINEL, IMAGE_HERE, TABLE_BEGINS, TABLE_ENDS
from filters.wiki_address import page_address
from filters.xml_tree import Element, XmlError, read_tree
from manifests.limits import Limits
from manifests.reasons import Quarantine, Skipped

MEDIA_TYPE = "application/x-mediawiki-page"
WIKITEXT = "wikitext"
FILE, CATEGORY, MEDIA = "6", "14", "-2"  # numbers of namespaces
_CANONICAL = {FILE: ("file", "image"), CATEGORY: ("category",), MEDIA: ("media",)}
MAX_MARKS = 60_000  # of a page
MAX_CATEGORIES = 100
MAX_DEPTH = 60

_GONE = "\U0010fffc"  # where a template was
_MARKS = re.compile("[\U000f0000-\U0010ffff]")
_EMPTY_BRACKETS = re.compile(f"[ \u00a0]?[(（][\\s,;:、；，]*(?:{_GONE}[\\s,;:、；，]*)+[)）]")
_LEADING = re.compile(f"([(（])[\\s,;:、；，]*(?:{_GONE}[\\s,;:、；，]*)+")
_LINE_OF_GONE = re.compile(f"^[*#:; -]*{_GONE}[{_GONE} \\t]*\\n", re.MULTILINE)
_TRAILING = re.compile(r"[ \t\u00a0]+$", re.MULTILINE)
_BLANK_LINES = re.compile(r"\n{3,}")
_MARKUP = re.compile(r"'{2,5}|__[A-Z]{3,30}__")  # emphasis; switches such as __NOTOC__
_REDIRECT = re.compile(r"\s*#\s*\w+\s*:?\s*\[\[")
_LANGUAGE_LINK = re.compile(r"[a-z]{2,3}(?:-[a-z-]{2,12})?|simple")
_IMAGE_OPTION = re.compile(
    r"thumb(?:nail)?|frame(?:d|less)?|border|left|right|cent(?:er|re)|none|upright.*|\d*x?\d*\s*px|baseline|middle|sub|"
    r"super|(?:text-)?(?:top|bottom)|[a-z-]{2,10}\s*=.*|мини|справа|слева|центр|мініатюра|サムネイル|右|左|中央|缩略图|縮圖|"
    r"mini(?:atur)?|hochkant.*|links|rechts|gauche|droite|vignette|miniatur[ea]|derecha|izquierda|дясно|ляво",
    re.IGNORECASE,
)
_DROPPED = (
    "ref references gallery timeline imagemap score templatedata graph mapframe maplink hiero style script "
    "inputbox categorytree section includeonly templatestyles noinclude"
)
_DROPPED_TAGS = frozenset(_DROPPED.split())
_CODE_TAGS = frozenset({"syntaxhighlight", "source", "pre"})
_RAW_TAGS = frozenset({"nowiki", "math", "chem", "ce"})
_ITEM = "- "
_LISTS = frozenset("*#")
# Templates whose text stands in the page: number of the argument that holds it. Language: en, and what others call it.
_TEXT_TEMPLATES: Mapping[str, int] = {
    "lang": 2, "lang-x": 1, "transl": 2, "nowrap": 1, "nobr": 1, "small": 1, "smaller": 1, "big": 1, "abbr": 1, "em": 1,
    "strong": 1, "nihongo": 1, "ill": 1, "仮リンク": 1, "読み仮名": 1, "ruby": 1, "ルビ": 1, "le": 1, "link-en": 1,
    "quote": 1, "blockquote": 1, "cquote": 1, "code": 1, "tt": 1, "var": 1, "sic": 1, "sub": 1, "sup": 1,
    "as of": 1, "iast": 1, "script": 2, "zh": 1, "не переведено": 1, "проект": 1,
}  # fmt: skip
_MEASURES = frozenset({"convert", "cvt"})


class Site(NamedTuple):
    """What a dump says of its wiki."""

    base: str  # address of the main page's folder: "https://ja.wikipedia.org/wiki/"
    files: frozenset[str]  # names of the namespaces of files and media, lower case
    categories: frozenset[str]


def site_of(root: Element) -> Site:
    """Return the wiki of an export document; one without siteinfo has canonical namespaces and no address."""
    base = root.first("base")
    names: dict[str, set[str]] = {number: set(known) for number, known in _CANONICAL.items()}
    for each in root.find("namespace"):
        if each.text and (number := each.attributes.get("key", "")) in names:
            names[number].add(each.text.lower())
    address = base.text.rpartition("/")[0] + "/" if base is not None and "/" in base.text else ""
    return Site(address, frozenset(names[FILE] | names[MEDIA]), frozenset(names[CATEGORY]))


def read_page(payload: bytes, uri: str, limits: Limits, beat: Callable[[], None]) -> Book:
    """Return the document of an export document of one page; `uri` is its record's.

    Raises NotOurs for a redirect or what is not wikitext, Unusable where XML or wikitext can't be read.
    """
    try:
        root = read_tree(payload)
    except XmlError as error:
        raise Unusable(error.reason, error.detail) from error
    page = root.first("page")
    revisions = list(page.find("revision")) if page is not None else []
    if page is None or not revisions:
        raise Unusable(Quarantine.MALFORMED_RECORD, "no page with a revision")
    newest = max(revisions, key=lambda each: (_said(each, "timestamp"), _said(each, "id")))
    if (_said(newest, "model") or WIKITEXT) != WIKITEXT:
        raise NotOurs(Skipped.MEDIA_TYPE)
    body = newest.first("text")
    wikitext = "".join(body.pieces) if body is not None else ""
    if _REDIRECT.match(wikitext) or page.first("redirect") is not None:
        raise NotOurs(Skipped.WIKI_REDIRECT)
    if len(wikitext) > limits.max_text_bytes:
        raise Unusable(Quarantine.TEXT_TOO_LARGE, "wikitext", "max_text_bytes", limits.max_text_bytes, len(wikitext))
    beat()
    site = site_of(root)
    text, parts, categories = to_text(wikitext, site)
    said = {"id": _said(page, "id"), "revision": _said(newest, "id"), "date": _said(newest, "timestamp")}
    metadata = {"format": "mediawiki", "namespace": _said(page, "ns"), "categories": categories, **said}
    return Book(_said(page, "title") or None, text, parts, metadata, None, ())


def _said(element: Element, name: str) -> str:
    """Return the text of an element's own child called `name`, "" where there is none."""
    return next((each.text for each in element.children if each.name == name), "")


def to_text(wikitext: str, site: Site) -> tuple[bytes, DocumentParts, list[str]]:
    """Return (text, its parts, categories) of wikitext."""
    import mwparserfromhell
    from mwparserfromhell.parser import ParserError

    try:
        nodes = mwparserfromhell.parse(_MARKS.sub("\ufffd", wikitext), skip_style_tags=True).nodes
    except (ParserError, RecursionError) as error:
        raise Unusable(Quarantine.PARSE_ERROR, f"wikitext: {type(error).__name__}") from error
    writer = _Writer(site)
    writer.write(nodes)
    marked = writer.text()
    places = np.array(writer.places, np.int64).reshape(-1, 1)
    text, blocks, images = cut(marked.encode("utf-8", "replace"), places)
    shown = [writer.images[place] for place in images[:, 1].tolist()]
    return text, DocumentParts(order_parts(text, blocks, images[:, 0]), shown), writer.categories


class _Writer:
    """Takes in nodes of wikitext, and gives text with marks at images, tables and code (filters.parts.cut)."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.places: list[int] = []
        self.images: dict[int, ImageAddress] = {}
        self.categories: list[str] = []
        self._pieces: list[str] = []
        self._headings: list[tuple[int, int]] = []  # (index among the pieces, level)
        self._depth = 0

    def write(self, nodes: Iterable[Any]) -> None:
        """Take in nodes."""
        self._depth += 1
        if self._depth <= MAX_DEPTH:
            for node in nodes:
                _WRITERS.get(type(node).__name__, _Writer.nothing)(self, node)
        self._depth -= 1

    def text(self) -> str:
        """Return the text; headings of sections without content are left out."""
        self._leave_out_empty_sections()
        text = "".join(self._pieces)
        for pattern, other in _REPAIRS:
            text = pattern.sub(other, text)
        return text.strip()

    def _leave_out_empty_sections(self) -> None:
        filled_from, below = len(self._pieces), 0
        for at, level in reversed(self._headings):
            inside = "".join(self._pieces[at + 1 : filled_from])
            is_empty = not _NOTHING.sub("", inside)
            if is_empty and not below > level:
                self._pieces[at] = ""
            else:
                below = level
            filled_from = at

    def say(self, text: str) -> None:
        self._pieces.append(text)

    def mark(self, kind: int) -> int:
        """Put a mark; return its place, or -1 where a page has too many."""
        if len(self.places) >= MAX_MARKS:
            return -1
        self.places.append(kind)
        self.say(chr(FIRST_SENTINEL + len(self.places) - 1))
        return len(self.places) - 1

    def nothing(self, node: Any) -> None:
        """Leave a node out: comments, arguments of templates."""

    def plain(self, node: Any) -> None:
        said = _MARKUP.sub("", str(node.value))
        self.say(said.lstrip(" ") if self._pieces and self._pieces[-1] == _ITEM else said)

    def entity(self, node: Any) -> None:
        try:
            self.say(_MARKS.sub("\ufffd", node.normalize()))
        except (ValueError, OverflowError):
            self.say(str(node))

    def heading(self, node: Any) -> None:
        self._pieces.append("")
        self._headings.append((len(self._pieces), node.level))
        title = self.apart(node.title.nodes).strip()
        self._pieces.append(f"\n\n{title}\n\n")

    def apart(self, nodes: Iterable[Any]) -> str:
        """Return what nodes give, without adding it."""
        kept, self._pieces = self._pieces, []
        self.write(nodes)
        said, self._pieces = "".join(self._pieces), kept
        return said

    def external_link(self, node: Any) -> None:
        if node.title is not None:
            self.write(node.title.nodes)
        elif not node.brackets:
            self.say(str(node.url))

    def wikilink(self, node: Any) -> None:
        title = str(node.title).strip()
        prefix, colon, rest = title.partition(":")
        space = prefix.strip().lower()
        if title.startswith(":"):
            title = title.removeprefix(":")
        elif colon and space in self.site.files:
            self._image(rest.strip(), node)
            return
        elif colon and space in self.site.categories:
            if len(self.categories) < MAX_CATEGORIES:
                self.categories.append(rest.strip())
            return
        elif colon and node.text is None and _LANGUAGE_LINK.fullmatch(prefix):
            return
        if node.text is not None:
            self.write(node.text.nodes)
        else:
            self.say(_MARKS.sub("", title))

    def _image(self, name: str, node: Any) -> None:
        """Put an image: the last of its words that is no option is its caption, and the alternative text."""
        words = [each.strip() for each in self.apart(node.text.nodes).split("|")] if node.text is not None else []
        said = next((each[4:].strip() for each in words if each.startswith("alt=")), None)
        captions = [each for each in words if each and not _IMAGE_OPTION.fullmatch(each)]
        alt = _MARKS.sub("", said or (captions[-1] if captions else ""))
        place = self.mark(IMAGE_HERE)
        if place >= 0:
            address = page_address(self.site.base, f"File:{name}") if self.site.base else None
            self.images[place] = ImageAddress(address, " ".join(alt.split()) or None)

    def template(self, node: Any) -> None:
        """Write the argument that a template shows, where it is known to show one; else mark that something is gone."""
        name = " ".join(str(node.name).lower().replace("_", " ").split())
        arguments = [each.value for each in node.params if not each.showkey]
        if name in _MEASURES and len(arguments) >= 2:
            self.say(" ".join(str(each).strip() for each in arguments[:2]))
            return
        shown = _TEXT_TEMPLATES.get("lang-x" if name.startswith("lang-") else name)
        if shown is None or len(arguments) < shown:
            self.say(_GONE)
        else:
            self.write(arguments[shown - 1].nodes)

    def tag(self, node: Any) -> None:
        name = str(node.tag).strip().lower()
        if name in _DROPPED_TAGS:
            return
        if name in _CODE_TAGS:
            self._block(CODE_BEGINS, CODE_ENDS, str(node.contents or "").strip("\n"))
        elif name == "table":
            self._block(TABLE_BEGINS, TABLE_ENDS, self._table(node))
        elif name in _RAW_TAGS:
            self.say(str(node.contents or ""))
        elif name == "br":
            self.say("\n")
        elif node.wiki_markup in _LISTS:
            self.say(_ITEM)
        elif node.contents is not None and not node.self_closing:
            self.write(node.contents.nodes)

    def _block(self, begins: int, ends: int, content: str) -> None:
        """Put a table or code between two marks, on lines of its own."""
        if content.strip() and len(self.places) + 2 <= MAX_MARKS:
            self.say("\n\n")
            self.mark(begins)
            self.say(content)
            self.mark(ends)
            self.say("\n\n")

    def _table(self, node: Any) -> str:
        """Return a table's text: a line a row, cells between bars; the caption comes first."""
        rows: list[list[str]] = [[]]
        for each in node.contents.nodes if node.contents is not None else ():
            name = str(getattr(each, "tag", "")).strip().lower()
            if name == "tr":
                rows.append(self._cells(each.contents.nodes if each.contents is not None else ()))
            elif name in ("td", "th"):
                rows[-1] += self._cells([each])
            elif name == "caption":
                rows.insert(0, [self._cell(each)])
        if rows[0] and rows[0][0].startswith("+"):  # "|+ caption" comes as a cell
            rows.insert(0, [rows[0].pop(0)[1:].strip()])
        return "\n".join(" | ".join(row) for row in rows if any(row))

    def _cells(self, nodes: Iterable[Any]) -> list[str]:
        return [self._cell(node) for node in nodes if str(getattr(node, "tag", "")).strip().lower() in ("td", "th")]

    def _cell(self, node: Any) -> str:
        said = self.apart(node.contents.nodes) if node.contents is not None else ""
        return " ".join(said.replace(_GONE, "").split())


_WRITERS: Mapping[str, Callable[[_Writer, Any], None]] = {
    "Text": _Writer.plain,
    "HTMLEntity": _Writer.entity,
    "Heading": _Writer.heading,
    "ExternalLink": _Writer.external_link,
    "Wikilink": _Writer.wikilink,
    "Template": _Writer.template,
    "Tag": _Writer.tag,
}
_NOTHING = re.compile(f"[\\s{_GONE}*#:;-]+")
_REPAIRS: Sequence[tuple[re.Pattern[str], str]] = (
    (_EMPTY_BRACKETS, ""),
    (_LEADING, r"\1"),
    (_LINE_OF_GONE, ""),
    (re.compile(_GONE), ""),
    (_TRAILING, ""),
    (_BLANK_LINES, "\n\n"),
)
