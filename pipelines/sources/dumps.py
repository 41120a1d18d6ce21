"""XML dumps of MediaWiki (pages) and Stack Exchange (Posts.xml), streamed: one event a page or row, no tree.

Both write one kind of element one behind the other, and an XML text holds no "<" of its own; so an element ends where
its end tag stands, or, for a row, before the next "<". Elements are cut out as bytes and parsed by guarded children,
so a broken one costs itself, and a file can be entered in its middle.

A page's payload is an export document of its own: <mediawiki><siteinfo/><page/></mediawiki>, with what of the dump's
siteinfo its reading needs. An element belongs to the range in which its first byte lies; of a bzip2 file, its stream.
"""

import hashlib
import html
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from filters.wiki_address import page_address
from manifests.limits import KIB, Limits
from manifests.reasons import Quarantine, Skipped
from pipelines.sources.dump_bytes import Lost, Piece, head_of, packed_as, pieces
from pipelines.sources.jsonl import stream_broken
from pipelines.sources.units import POST, WIKI_PAGE, Broken, Event, Found, Kind, Unit

HEAD_BYTES = 256 * KIB  # of a dump: its siteinfo stands in them
_ROOT = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]{0,200}\?>)?(?:\s|<!--.{0,1000}?-->)*<(mediawiki|posts)\b([^>]*)", re.DOTALL
)
_LANGUAGE = re.compile(rb"""xml:lang=["']([A-Za-z-]{2,20})["']""")
_BASE = re.compile(rb"<base>([^<]{1,2000})</base>")
_NAMESPACE = re.compile(rb"""<namespace key="(?:6|14|-2)"[^>]*>[^<]{0,200}</namespace>""")
_TITLE = re.compile(rb"<title>([^<]{1,4000})</title>")
_SPACE = re.compile(rb"<ns>(-?\d{1,6})</ns>")
_PAGE_ID = re.compile(rb"<id>(\d{1,18})</id>")
_ROW_ID = re.compile(rb"""\sId\s*=\s*["'](\d{1,18})["']""")
_POST_TYPE = re.compile(rb"""\sPostTypeId\s*=\s*["'](\d{1,6})["']""")
_READ_POSTS = frozenset({b"1", b"2"})
_REVISION = b"<revision>"


@dataclass(frozen=True)
class Head:
    """What a dump says before its first page."""

    kind: Kind
    siteinfo: bytes = b"<siteinfo></siteinfo>"
    base: str = ""  # folder of the wiki's pages
    language: str | None = None


@dataclass(frozen=True)
class Tags:
    """How an element begins and ends; `end` b"" for one that ends before the next "<"."""

    begin: bytes
    end: bytes
    name: str


PAGES, ROWS = Tags(b"<page>", b"</page>", "page"), Tags(b"<row ", b"", "row")


def kind_by_content(head: bytes) -> Kind | None:
    """Return what kind of dump a file is that begins (decoded) with `head`, None for other XML."""
    root = _ROOT.match(head)
    return None if root is None else ("mediawiki" if root[1] == b"mediawiki" else "stackexchange")


def sniff(file: BinaryIO, size: int, limits: Limits) -> Kind | None:
    """Return what kind of dump a file is, None for other XML.

    A compressed file that does not decode counts as a dump, so that whoever reads it says what is wrong with it.
    """
    head = head_of(file, size, limits, 4 * KIB)
    file.seek(0)
    return "mediawiki" if not head and packed_as(file.read(10)) else kind_by_content(head)


def read_head(head: bytes) -> Head | None:
    """Return what a dump says of itself in its first decoded bytes, None where they are those of no dump."""
    kind = kind_by_content(head)
    if kind != "mediawiki":
        return Head(kind) if kind else None
    before = head.partition(PAGES.begin)[0]
    base, language = _BASE.search(before), _LANGUAGE.search(before)
    spaces = b"".join(found[0] for found in _NAMESPACE.finditer(before))
    siteinfo = b"<siteinfo>%s<namespaces>%s</namespaces></siteinfo>" % (base[0] if base else b"", spaces)
    address = html.unescape(base[1].decode("utf-8", "replace")) if base else ""
    folder = address.rpartition("/")[0] + "/" if "/" in address else ""
    return Head(kind, siteinfo, folder, language[1].decode().lower() if language else None)


def dump_events(file: BinaryIO, size: int, unit: Unit, limits: Limits, media_types: frozenset[str]) -> Iterator[Event]:
    """Yield one event for each element of the unit, and one for every lost span."""
    wanted = WIKI_PAGE if unit.kind == "mediawiki" else POST
    if wanted not in media_types:
        yield Skipped.FILE_TYPE
        return
    head = read_head(head_of(file, size, limits, HEAD_BYTES))
    if head is None or head.kind != unit.kind:
        if unit.start == 0:
            yield _no_dump(file, size, unit, limits)
        return
    cutter = _Cutter(PAGES if unit.kind == "mediawiki" else ROWS, unit, limits)
    judge = _Pages(unit, limits, head) if unit.kind == "mediawiki" else _Rows(unit, limits)
    for piece in pieces(file, size, unit.start, unit.end, limits):
        yield from cutter.lose(piece) if isinstance(piece, Lost) else cutter.take(piece, judge.event)
        if cutter.is_done:
            return
    yield from cutter.finish(judge.event)


def _no_dump(file: BinaryIO, size: int, unit: Unit, limits: Limits) -> Broken:
    """Return the event of a file that does not begin as a dump of its kind, or does not decode."""
    first = next(pieces(file, size, 0, size, limits), None)
    if isinstance(first, Lost):
        return stream_broken(first.failure, limits)
    return Broken(Quarantine.MALFORMED_RECORD, f"not a dump of {unit.kind}: no such root element", 0, size=size)


class _Cutter:
    """Cuts elements out of pieces; holds one element at most."""

    def __init__(self, tags: Tags, unit: Unit, limits: Limits) -> None:
        self.tags, self.unit, self.limits = tags, unit, limits
        self.is_done = False
        self._held = b""
        self._last_place = 0  # of the piece before
        self._place: int | None = None  # of the element that is open, else None
        self._dropped = 0  # bytes of an open element that is too large to hold
        self._digest = hashlib.sha256()

    def take(self, piece: Piece, event: Callable[[bytes, int], Event]) -> Iterator[Event]:
        """Yield the events of the elements that end in a piece."""
        data, before = self._held + piece.data, len(self._held)
        at = 0
        while not self.is_done:
            if self._place is None:
                at = self._open(data, at, before, piece)
                if self._place is None:
                    break
            stop, behind, is_whole = self._end(data, at)
            if stop < 0:
                break
            yield self._complete(data[at:stop], is_whole, event)
            at = behind
        self._held, self._last_place = data[at:], piece.place
        self._spill()

    def _open(self, data: bytes, at: int, before: int, piece: Piece) -> int:
        """Find where the next element begins; return that, or what has to be held to find it with the next piece."""
        found = data.find(self.tags.begin, at)
        if found < 0:
            return max(at, len(data) - len(self.tags.begin) + 1)
        place = piece.place + (found - before if piece.is_plain else 0)
        if found < before and not piece.is_plain:
            place = self._last_place
        if place >= self.unit.end:
            self.is_done = True
            return found
        self._place = place
        return found

    def _end(self, data: bytes, at: int) -> tuple[int, int, bool]:
        """Return (end of the element at `at`, where to go on, whether it is whole); -1 where it goes on."""
        search = at if self._dropped else at + 1
        if not self.tags.end:
            stop = data.find(b"<", search)
            return (-1, at, False) if stop < 0 else (stop, stop, True)
        stop = data.find(self.tags.end, search)
        again = data.find(self.tags.begin, search, stop if stop >= 0 else len(data))
        if again >= 0:
            return again, again, False
        return (-1, at, False) if stop < 0 else (stop + len(self.tags.end), stop + len(self.tags.end), True)

    def _spill(self) -> None:
        """Let go of an open element that is larger than the limit, but for what its end may begin with."""
        keep = max(len(self.tags.end), len(self.tags.begin))
        if self._place is not None and len(self._held) + self._dropped > self.limits.max_record_bytes + KIB:
            gone = self._held[:-keep]
            self._digest.update(gone)
            self._dropped += len(gone)
            self._held = self._held[-keep:]

    def _complete(self, element: bytes, is_whole: bool, event: Callable[[bytes, int], Event]) -> Event:
        place = self._place or 0
        size = self._dropped + len(element)
        most, was_dropped = self.limits.max_record_bytes, self._dropped > 0
        self._digest.update(element if was_dropped else b"")
        digest = self._digest.digest() if was_dropped else None
        self._place, self._dropped, self._digest = None, 0, hashlib.sha256()
        name = self.tags.name
        if not is_whole:
            return Broken(
                Quarantine.TRUNCATED_RECORD, f"a {name} begins inside this one", place, size=size, lost_bytes=size
            )
        if size > most or was_dropped:
            detail = f"the {name} goes beyond the limit"
            reason = Quarantine.RECORD_TOO_LARGE
            return Broken(reason, detail, place, None, size, 0, "max_record_bytes", most, size, digest)
        return event(element, place)

    def lose(self, lost: Lost) -> Iterator[Event]:
        """Yield the event of a span that can't be decoded; an element that is open ends with it."""
        if lost.place < self.unit.end:
            broken = stream_broken(lost.failure, self.limits)
            broken.offset = lost.place
            yield broken
        self._held, self._place, self._dropped, self._digest = b"", None, 0, hashlib.sha256()
        self.is_done = lost.place >= self.unit.end

    def finish(self, event: Callable[[bytes, int], Event]) -> Iterator[Event]:
        """Yield the event of an element that the file ends in."""
        if self._place is not None and not self.is_done:
            size = self._dropped + len(self._held)
            detail = f"the file ends inside a {self.tags.name}"
            yield Broken(Quarantine.TRUNCATED_RECORD, detail, self._place, size=size, lost_bytes=size)


class _Pages:
    """What a page element is to this job."""

    def __init__(self, unit: Unit, limits: Limits, head: Head) -> None:
        self.unit, self.limits, self.head = unit, limits, head

    def event(self, element: bytes, place: int) -> Event:
        before, _, _ = element.partition(_REVISION)
        space = _SPACE.search(before)
        if space is not None and space[1] != b"0":
            return Skipped.WIKI_NAMESPACE
        if b"<redirect" in before:
            return Skipped.WIKI_REDIRECT
        title, number = _TITLE.search(before), _PAGE_ID.search(before)
        if title is None:
            return Broken(Quarantine.MALFORMED_RECORD, "a page without a title", place, size=len(element))
        name = html.unescape(title[1].decode("utf-8", "replace"))
        local = f"{self.unit.source}:{self.unit.uri}#{number[1].decode() if number else place}"
        uri = page_address(self.head.base, name) if self.head.base else local
        if len(uri.encode("utf-8", "replace")) > self.limits.max_uri_bytes:
            uri = local
        payload = b"<mediawiki>%s%s</mediawiki>" % (self.head.siteinfo, element)
        return Found(uri, payload, place, WIKI_PAGE, "utf-8", language=self.head.language)


class _Rows:
    """What a row element is to this job."""

    def __init__(self, unit: Unit, limits: Limits) -> None:
        self.unit, self.limits = unit, limits

    def event(self, element: bytes, place: int) -> Event:
        element = element.rstrip()
        kind, number = _POST_TYPE.search(element), _ROW_ID.search(element)
        if kind is not None and kind[1] not in _READ_POSTS:
            return Skipped.POST_TYPE
        uri = f"{self.unit.source}:{self.unit.uri}#{number[1].decode() if number else place}"
        if kind is None or not element.endswith(b"/>"):
            digest = hashlib.sha256(element).digest()
            return Broken(Quarantine.MALFORMED_RECORD, "no post's row", place, uri, len(element), digest=digest)
        return Found(uri, element, place, POST, "utf-8")
