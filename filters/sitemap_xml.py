"""XML that lists URLs: sitemaps and their indexes, RSS, Atom; read by expat as a stream of elements, without a tree.

An element is known by its name without prefix and by the name of its parent, since prefixes are often undeclared.
"""

import re
from dataclasses import dataclass, field
from xml.parsers import expat

from filters.link_reader import AUDIO, IMAGE, PAGE, VIDEO, clean_text, kind_by_extension
from manifests.reasons import Quarantine

MAX_DEPTH = 64
MAX_TEXT_CHARS = 16_384  # of one element; a longer one is cut, and as a URL too long anyway
MAX_AMPERSANDS = 1_000_000  # 20 a URL; where there are more, none is escaped
ELEMENTS_PER_URL = 40  # read at most, in limits.max_sitemap_urls

_RECORDS = ("url", "sitemap", "item", "entry")
_MEDIA = {"image": IMAGE, "video": VIDEO}
_TEXTS = frozenset(("loc", "link", "title", "caption", "description", "content_loc", "thumbnail_loc"))
_CAPTIONS = ("caption", "title", "description")  # the first that is there
_LONE_AMPERSAND = re.compile(rb"&(?!(?:amp|lt|gt|quot|apos|#\d{1,7}|#x[0-9a-fA-F]{1,6});)")
_CONTROLS = bytes.maketrans(bytes([*range(9), 11, 12, *range(14, 32)]), b" " * 29)
_CURABLE = {expat.errors.codes[expat.errors.XML_ERROR_INVALID_TOKEN]} | {
    expat.errors.codes[expat.errors.XML_ERROR_UNDEFINED_ENTITY]
}


@dataclass
class Found:
    """References as they stand in the document."""

    urls: list[str] = field(default_factory=list)
    sitemaps: list[str] = field(default_factory=list)
    media: list[tuple[str, str, str | None]] = field(default_factory=list)  # reference, kind, caption
    truncated: bool = False
    failed: Quarantine | None = None


def read_xml(text: bytes, max_urls: int, max_media: int) -> Found:
    """Return what a document (UTF-8, whatever it declares) lists; what is broken behind its first URLs leaves those.

    A lone "&" and control characters, which XML forbids and sitemaps have, are read as meant. A document type that
    defines anything is refused, one that only names itself is passed over; nothing is ever loaded.
    """
    text = text.lstrip()
    try:
        return _read(text, max_urls, max_media)
    except _CurableError:
        cured = _cured(text) if text.count(b"&") <= MAX_AMPERSANDS else text
        return _read(cured, max_urls, max_media, is_last=True)


def _read(text: bytes, max_urls: int, max_media: int, *, is_last: bool = False) -> Found:
    reader = _Reader(max_urls, max_media)
    try:
        reader.parser.Parse(text, True)
    except _Full:
        reader.found.truncated = True
    except _RefusedError as refused:
        return Found(failed=refused.reason)
    except expat.ExpatError as error:
        if error.code in _CURABLE and not is_last:
            raise _CurableError from error
        found = reader.found
        found.truncated = True
        found.failed = None if found.urls or found.sitemaps or found.media else Quarantine.PARSE_ERROR
    return reader.found


def _cured(text: bytes) -> bytes:
    """Return the text with lone ampersands escaped outside of CDATA sections, and control characters as spaces."""
    first, *others = text.translate(_CONTROLS).split(b"<![CDATA[")
    cured = [_LONE_AMPERSAND.sub(b"&amp;", first)]
    for other in others:
        inside, end, after = other.partition(b"]]>")
        cured.append(inside + end + _LONE_AMPERSAND.sub(b"&amp;", after))
    return b"<![CDATA[".join(cured)


class _CurableError(Exception):
    """Not well-formed in a way that has a likely meaning."""


class _Full(Exception):
    """A limit on what is read is reached."""


class _RefusedError(Exception):
    def __init__(self, reason: Quarantine) -> None:
        super().__init__(reason)
        self.reason = reason


class _Reader:
    """Takes in the elements of one document."""

    def __init__(self, max_urls: int, max_media: int) -> None:
        self.found = Found()
        self._max_urls, self._max_media = max_urls, max_media
        self._elements_left = ELEMENTS_PER_URL * max_urls
        self._path: list[str] = [""]
        self._text: list[str] | None = None
        self._text_room = 0
        self._said: dict[str, str] = {}  # captions and addresses in the innermost image or video
        self._record_said: dict[str, str] = {}  # ... and in the record itself
        self._record_media: list[tuple[str, str, str | None]] = []
        self.parser = expat.ParserCreate("utf-8")
        self.parser.buffer_text = True
        self.parser.StartDoctypeDeclHandler = _refuse_definitions
        self.parser.EntityDeclHandler = _refuse_entity
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._characters

    def _start(self, name: str, attributes: dict[str, str]) -> None:
        self._elements_left -= 1
        if self._elements_left < 0:
            raise _Full
        if len(self._path) > MAX_DEPTH:
            raise _RefusedError(Quarantine.NESTING_TOO_DEEP)
        local, parent = name.rpartition(":")[2], self._path[-1]
        self._path.append(local)
        self._text = [] if local in _TEXTS else None
        self._text_room = MAX_TEXT_CHARS
        if local in _RECORDS:
            self._record_said, self._record_media = {}, []
        elif local in _MEDIA:
            self._said = {}
        elif attributes:
            self._attributes(local, parent, attributes)

    def _characters(self, text: str) -> None:
        if self._text is not None and self._text_room > 0:
            self._text.append(text[: self._text_room])
            self._text_room -= len(text)

    def _end(self, name: str) -> None:
        local = self._path.pop()
        parent = self._path[-1]
        if self._text is not None:
            text, self._text = "".join(self._text).strip(), None
            if text:
                self._say(local, parent, text)
        elif local in _MEDIA and parent in _RECORDS:
            self._end_medium(_MEDIA[local])
        elif local in _RECORDS:
            self._end_record()

    def _say(self, local: str, parent: str, text: str) -> None:
        """Take in the text of an element."""
        if parent in _MEDIA:
            self._said.setdefault(local, text)
        elif local == "loc" and parent in ("url", "sitemap"):
            self._list(self.found.urls if parent == "url" else self.found.sitemaps, text)
        elif local == "link" and parent == "item":
            self._list(self.found.urls, text)
        elif local in _CAPTIONS:
            self._record_said.setdefault(local, text)

    def _attributes(self, local: str, parent: str, attributes: dict[str, str]) -> None:
        """Take in an element that says what it has to say by attributes: links of Atom and XHTML, RSS's enclosures."""
        if local == "link" and (reference := attributes.get("href")):
            relation = attributes.get("rel", "alternate")
            if parent in ("entry", "url") and relation == "alternate":
                self._list(self.found.urls, reference)
            elif parent == "entry" and relation == "enclosure":
                self._medium(reference, attributes)
        elif local in ("enclosure", "content", "thumbnail") and (reference := attributes.get("url")):
            self._medium(reference, {"type": "image/"} if local == "thumbnail" else attributes)

    def _medium(self, reference: str, attributes: dict[str, str]) -> None:
        stated = attributes.get("medium") or attributes.get("type", "").partition("/")[0]
        kind = stated if stated in (IMAGE, AUDIO, VIDEO) else kind_by_extension(reference)
        if kind != PAGE:
            self._record_media.append((reference, kind, None))

    def _end_medium(self, kind: str) -> None:
        caption = _caption(self._said)
        for name, what in (("loc", kind), ("content_loc", kind), ("thumbnail_loc", IMAGE)):
            if name in self._said:
                self._record_media.append((self._said[name], what, caption))

    def _end_record(self) -> None:
        """Keep the record's media; what has no caption of its own gets the record's."""
        room = max(0, self._max_media - len(self.found.media))
        self.found.truncated |= len(self._record_media) > room
        caption = _caption(self._record_said)
        self.found.media += [(one, kind, own or caption) for one, kind, own in self._record_media[:room]]
        self._record_said, self._record_media = {}, []

    def _list(self, urls: list[str], reference: str) -> None:
        if len(self.found.urls) + len(self.found.sitemaps) >= self._max_urls:
            raise _Full
        urls.append(reference)


def _caption(said: dict[str, str]) -> str | None:
    return next((clean_text(said[name]) for name in _CAPTIONS if name in said), None)


def _refuse_definitions(name: str, system_id: str | None, public_id: str | None, has_internal_subset: int) -> None:
    if has_internal_subset:
        raise _RefusedError(Quarantine.PARSE_ERROR)


def _refuse_entity(*_: object) -> None:
    raise _RefusedError(Quarantine.PARSE_ERROR)
