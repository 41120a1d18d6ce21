"""EPUB 2 and 3 as one document a book: its chapters in reading order, each with its role and title.

One document, since books are read for their length: what a chapter takes up from the one before is in the same text.
A chapter is found again by its parts (filters.books), and by `sections` of the metadata, one entry a document of the
reading order: {"uri", "role": frontmatter | bodymatter | backmatter, "types", "title", "linear"}.

Roles (EPUB 3 Structural Semantics Vocabulary 1.1) come from, in this order: epub:type of the document, landmarks and
guide that name it, its place before the first document that landmarks or guide call the body's start; else the body.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import suppress

from filters import charset, html
from filters.books import Book, NotOurs, Section, Unusable, join_sections
from filters.epub_package import Archive, Item, Package, check_rights, read_package, resolve
from filters.parts import DocumentParts, FilmAddress, ImageAddress
from filters.xml_tree import Element
from manifests.limits import Limits
from manifests.reasons import Quarantine, Skipped

FRONT, BODY, BACK = "frontmatter", "bodymatter", "backmatter"
_FRONT = (
    "cover titlepage title-page halftitlepage copyright-page toc landmarks loi lot loa lov page-list "
    "dedication epigraph foreword preface imprint imprimatur contributors other-credits acknowledgments "
    "acknowledgements seriespage abstract"
)
_BACK = (
    "appendix colophon index bibliography glossary glossdef afterword endnotes rearnotes footnotes notes "
    "errata credits credit answers"
)
_BODY = (
    "bodymatter text start chapter part volume division section subchapter prologue epilogue introduction conclusion"
)
_FRONT_TYPES, _BACK_TYPES, _BODY_TYPES = (frozenset(said.split()) for said in (_FRONT, _BACK, _BODY))
_BODY_STARTS = frozenset({"bodymatter", "text", "start"})
_HEAD_BYTES = 4096
_TYPE = re.compile(
    rb"""<(?:body|section|article|div|nav)\b[^>]*?\s(?:epub:type\s*=\s*["']|role\s*=\s*["']doc-)([^"'>]{1,200})["']""",
    re.IGNORECASE,
)
_SPACE = re.compile(r"\s+")
_LICENSE_RELATIONS = frozenset({"license", "cc:license", "dcterms:license", "schema:license"})
_LICENSES = ("dcterms:license", "cc:license", "schema:license")
_NAMES_LICENSE = re.compile(
    r"licen[cs]|creative\s?commons|\bCC[ -](?:BY|0)|public domain|lizenz|лиценз|ライセンス|许可|授權", re.IGNORECASE
)
MAX_SAID_CHARS = 1000  # of a title, a name, a statement of rights
MAX_NAMES = 50
_BASE = "book"  # what chapters resolve their references against


def read_epub(payload: bytes, uri: str, limits: Limits, beat: Callable[[], None]) -> Book:
    """Return the book; `uri` is its record's, `beat` is called before each document.

    Raises Unusable: encrypted, damaged, or beyond a limit. A book is read whole or not at all.
    """
    archive = Archive(payload, limits)
    check_rights(archive)
    package = read_package(archive)
    titles, landmarks = _contents(archive, package)
    roles = _Roles(package, landmarks)
    sections: list[Section] = []
    said: list[dict[str, object]] = []
    policy = _policy(package.metadata)
    total = 0
    for item in package.spine:
        beat()
        page, types = _document(archive, item.path, limits)
        sections.append(Section(f"{uri}#{item.path}", page.text, _parts(page.parts, uri)))
        policy += [line for line in page.policy if line not in policy]
        role = roles.of(item, types)
        title = titles.get(item.path) or page.title
        said.append(_said(f"{uri}#{item.path}", role, types, title, item))
        total += len(page.text)
        if total > limits.max_text_bytes:
            raise Unusable(Quarantine.TEXT_TOO_LARGE, "", "max_text_bytes", limits.max_text_bytes, total)
    if not total:
        raise NotOurs(Skipped.NO_TEXT)
    text, parts = join_sections(sections)
    title = _first(package.metadata, "title")
    metadata = _metadata(package) | {"format": "epub", "title": title, "sections": said}
    return Book(title, text, parts, metadata, _license(package.metadata), policy)


def _said(uri: str, role: str, types: list[str], title: str | None, item: Item) -> dict[str, object]:
    """Return what the metadata say of a section."""
    shown = {"title": _short(title) if title else "", "types": types, "linear": "" if item.is_linear else False}
    return {"uri": uri, "role": role} | {name: value for name, value in shown.items() if value not in ("", [])}


def _document(archive: Archive, path: str, limits: Limits) -> tuple[html.Page, list[str]]:
    """Return (all that a document shows, its epub:type or ARIA role)."""
    decoded = charset.decode(archive.read(path), None, is_markup=True)
    most = int(limits.max_replaced_fraction * decoded.characters)
    if decoded.replaced > most:
        detail = f"a document of the book, read as {decoded.encoding}"
        raise Unusable(Quarantine.UNDECODABLE_TEXT, detail, "max_replaced_fraction", most, decoded.replaced)
    page = html.read_within(decoded.text, f"{_BASE}:{path}", limits, xml=True, main_content=False)
    begin = max(0, decoded.text.find(b"<body"))
    found = _TYPE.search(decoded.text, begin, begin + _HEAD_BYTES)
    types = found[1].decode("utf-8", "replace").lower().split() if found else []
    return page, types


def _parts(parts: DocumentParts, uri: str) -> DocumentParts:
    """Return the parts with the images of the book named as "book#path"."""
    prefix = f"{_BASE}:"

    def named(image: ImageAddress | FilmAddress) -> ImageAddress | FilmAddress:
        if image.uri and image.uri.startswith(prefix):
            return image._replace(uri=f"{uri}#{image.uri.removeprefix(prefix)}")
        return image

    return DocumentParts(parts.rows, [named(image) for image in parts.images])


class _Roles:
    """Which part of a book a document belongs to."""

    def __init__(self, package: Package, landmarks: dict[str, list[str]]) -> None:
        self._named = {path: [*landmarks.get(path, []), *types] for path, types in package.kinds.items()}
        self._named |= {path: types for path, types in landmarks.items() if path not in self._named}
        self._contents = set(package.contents)
        starts = [
            at for at, item in enumerate(package.spine) if _BODY_STARTS.intersection(self._named.get(item.path, ()))
        ]
        self._before = {item.path for item in package.spine[: starts[0]]} if starts else set()

    def of(self, item: Item, types: list[str]) -> str:
        """Return the role of a document that says `types` of itself."""
        for told in (types, self._named.get(item.path, ())):
            for each in told:
                if role := _role(each):
                    return role
        return FRONT if item.path in self._before or item.path in self._contents else BODY


def _role(semantic: str) -> str | None:
    if semantic == FRONT or semantic in _FRONT_TYPES:
        return FRONT
    if semantic == BACK or semantic in _BACK_TYPES:
        return BACK
    return BODY if semantic in _BODY_TYPES else None


def _contents(archive: Archive, package: Package) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Return (path -> title in the table of contents, path -> types of the landmarks); what is broken says nothing."""
    titles: dict[str, str] = {}
    landmarks: dict[str, list[str]] = {}
    for path in package.contents:
        with suppress(Unusable):
            for kinds, reference, label in _references(archive.tree(path)):
                with suppress(Unusable):
                    target = resolve(path, reference)
                    if kinds is None:
                        titles.setdefault(target, label)
                    else:
                        landmarks.setdefault(target, []).extend(kinds)
    return titles, landmarks


def _references(tree: Element) -> Iterator[tuple[list[str] | None, str, str]]:
    """Yield (types of a landmark or None, reference, label) of a navigation document or an NCX."""
    for nav in tree.find("nav"):
        is_landmarks = "landmarks" in nav.attributes.get("type", "").split()
        if is_landmarks or "toc" in nav.attributes.get("type", "").split():
            for link in nav.find("a"):
                kinds = link.attributes.get("type", "").lower().split()
                yield kinds if is_landmarks else None, link.attributes.get("href", ""), link.whole_text()
    for point in tree.find("navPoint"):
        content, label = point.first("content"), point.first("navLabel")
        if content is not None and label is not None:
            yield None, content.attributes.get("src", ""), label.whole_text()


def _short(said: str) -> str:
    return _SPACE.sub(" ", said).strip()[:MAX_SAID_CHARS]


def _all(metadata: Element, name: str) -> list[str]:
    return [_short(each.text) for each in metadata.find(name) if each.text][:MAX_NAMES]


def _first(metadata: Element, name: str) -> str | None:
    return next(iter(_all(metadata, name)), None)


def _metadata(package: Package) -> dict[str, object]:
    names = ("creator", "contributor", "publisher", "language", "identifier", "date", "subject", "rights")
    return {name: _all(package.metadata, name) for name in names} | {"version": package.version}


def _license(metadata: Element) -> str | None:
    """Return the licence that the book states, an address where there is one; a bare copyright notice is none."""
    for link in metadata.find("link"):
        if _LICENSE_RELATIONS.intersection(link.attributes.get("rel", "").split()) and link.attributes.get("href"):
            return _short(link.attributes["href"])
    for meta in metadata.find("meta"):
        if meta.attributes.get("property") in _LICENSES and meta.text:
            return _short(meta.text)
    return next((said for said in _all(metadata, "rights") if _NAMES_LICENSE.search(said)), None)


def _policy(metadata: Element) -> list[str]:
    """Return what the package says of its use: TDM Reservation Protocol for EPUB (W3C report of 2024, section 4.4)."""
    lines = []
    for meta in metadata.find("meta"):
        name = (meta.attributes.get("property") or meta.attributes.get("name", "")).lower().replace(":", "-")
        if name in ("tdm-reservation", "tdm-policy"):
            lines.append(f"meta {name}: {_short(meta.text or meta.attributes.get('content', ''))}")
    return lines
