"""The archive of an EPUB and the package document in it, read in memory under limits; nothing is unpacked to disk.

EPUB 2.0.1 (IDPF 2010) and EPUB 3.3 (W3C 2023): OCF container (section 4), package document (section 5), navigation
(section 7). Only the documents of the reading order and what lists them are read, each once, so an archive whose
members overlap or expand without end costs no more than the limits.
"""

import io
import posixpath
import zipfile
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.parse import unquote

from filters.books import Unusable
from filters.xml_tree import Element, XmlError, read_tree
from manifests.limits import MIB, Limits
from manifests.reasons import Quarantine

STEP_BYTES = 1 << 16
CONTAINER, ENCRYPTION, RIGHTS = "META-INF/container.xml", "META-INF/encryption.xml", "META-INF/rights.xml"
# Obfuscated fonts need no key of the reader (EPUB 3.3, section 4.3; Adobe's own method).
FONT_ALGORITHMS = frozenset({"http://www.idpf.org/2008/embedding", "http://ns.adobe.com/pdf/enc#RC"})
DOCUMENT_TYPES = frozenset({"application/xhtml+xml", "text/html", "text/x-oeb1-document", "application/x-dtbook+xml"})


def is_epub(payload: bytes) -> bool:
    """Return whether a zip archive says that it is an EPUB: its first member is `mimetype` (EPUB 3.3, 4.2.2)."""
    return payload[:4] == b"PK\x03\x04" and payload[30:38] == b"mimetype" and b"application/epub+zip" in payload[38:80]


class Archive:
    """The members of a zip in memory."""

    def __init__(self, payload: bytes, limits: Limits) -> None:
        self._limits, self._room = limits, limits.max_book_markup_bytes
        try:
            self._zip = zipfile.ZipFile(io.BytesIO(payload))
        except (zipfile.BadZipFile, NotImplementedError, ValueError, OverflowError) as error:
            raise Unusable(Quarantine.DAMAGED_CONTAINER, f"zip: {type(error).__name__}") from error
        members = self._zip.infolist()
        if len(members) > limits.max_book_members:
            detail = "more files than a book has"
            raise Unusable(Quarantine.TOO_MANY_PARTS, detail, "max_book_members", limits.max_book_members, len(members))
        self._by_name = {member.filename: member for member in reversed(members)}

    def __contains__(self, name: str) -> bool:
        return name in self._by_name

    def read(self, name: str) -> bytes:
        """Return a member's bytes; raise Unusable where it is missing, damaged, encrypted or beyond the limits."""
        member = self._by_name.get(name)
        if member is None:
            raise Unusable(Quarantine.MALFORMED_RECORD, "the book names a document that is not in it")
        if member.flag_bits & 1:
            raise Unusable(Quarantine.ENCRYPTED, "a document of the book has a password")
        try:
            return self._unpacked(member)
        except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, ValueError, OSError) as error:
            raise Unusable(Quarantine.DAMAGED_CONTAINER, f"zip member: {type(error).__name__}") from error

    def _unpacked(self, member: zipfile.ZipInfo) -> bytes:
        pieces, size = [], 0
        ratio, packed = self._limits.max_coding_ratio, max(1, member.compress_size)
        with self._zip.open(member) as file:
            while piece := file.read(STEP_BYTES):
                size += len(piece)
                pieces.append(piece)
                self._check(size, "max_record_bytes", self._limits.max_record_bytes)
                self._check(size if size > MIB else 0, "max_coding_ratio", ratio, packed)
        self._check(size, "max_book_markup_bytes", self._room)
        self._room -= size
        return b"".join(pieces)

    def _check(self, size: int, limit: str, most: int, unit: int = 1) -> None:
        if size > most * unit:
            detail = "a document of the book expands beyond the limit"
            observed = -(-size // unit)
            raise Unusable(Quarantine.DECODED_TOO_LARGE, detail, limit, getattr(self._limits, limit), observed)

    def tree(self, name: str) -> Element:
        """Return the root of an XML member."""
        try:
            return read_tree(self.read(name))
        except XmlError as error:
            raise Unusable(error.reason, error.detail) from error


@dataclass(frozen=True)
class Item:
    """A document of the reading order."""

    path: str
    is_linear: bool  # the opposite is what a reader is sent to and comes back from: notes, answers, a cover


@dataclass
class Package:
    """What a package document says."""

    path: str
    metadata: Element
    version: str
    spine: list[Item]
    kinds: dict[str, list[str]] = field(default_factory=dict)  # path -> guide types, where the guide names it
    contents: list[str] = field(default_factory=list)  # paths of navigation documents and NCX


def resolve(base: str, reference: str) -> str:
    """Return the path in the archive that a reference in the document at `base` names, without its fragment.

    Raises Unusable (unsafe_member_name) for one that leads out of the book.
    """
    path = unquote(reference.partition("#")[0]).replace("\\", "/")
    joined = posixpath.normpath(posixpath.join(posixpath.dirname(base), path))
    if path.startswith("/") or joined.startswith("..") or "\0" in joined or ":" in path.partition("/")[0]:
        raise Unusable(Quarantine.UNSAFE_MEMBER_NAME, "a document that lies outside of the book")
    return joined


def check_rights(archive: Archive) -> None:
    """Raise Unusable for a book whose documents are encrypted (DRM); obfuscated fonts are none of our matter."""
    if ENCRYPTION in archive:
        methods = archive.tree(ENCRYPTION).find("EncryptedData")
        used = {each.attributes.get("Algorithm", "") for data in methods for each in data.find("EncryptionMethod")}
        if used - FONT_ALGORITHMS:
            raise Unusable(Quarantine.ENCRYPTED, "the book is encrypted (META-INF/encryption.xml)")
    if RIGHTS in archive and ENCRYPTION not in archive:
        raise Unusable(Quarantine.ENCRYPTED, "the book has a rights file (META-INF/rights.xml)")


def read_package(archive: Archive) -> Package:
    """Return the book's first package document; a book without a reading order is malformed."""
    root = archive.tree(CONTAINER).first("rootfile")
    if root is None or not root.attributes.get("full-path"):
        raise Unusable(Quarantine.MALFORMED_RECORD, "the container names no package document")
    path = resolve("", root.attributes["full-path"])
    tree = archive.tree(path)
    items = {each.attributes.get("id", ""): each.attributes for each in tree.find("item")}
    spine = tree.first("spine")
    found = Package(path, tree.first("metadata") or Element("metadata", {}), tree.attributes.get("version", ""), [])
    found.spine = _reading_order(path, items, spine) if spine is not None else []
    if not found.spine:
        raise Unusable(Quarantine.MALFORMED_RECORD, "the package has no reading order")
    for each in tree.find("reference"):
        with suppress(Unusable):
            target = resolve(path, each.attributes.get("href", ""))
            found.kinds.setdefault(target, []).append(each.attributes.get("type", "").lower())
    found.contents = _contents(path, items, spine)
    return found


def _reading_order(base: str, items: Mapping[str, Mapping[str, str]], spine: Element) -> list[Item]:
    """Return the documents that the spine names, each once, at its first place; pictures in a spine are left out."""
    order: dict[str, Item] = {}
    for each in spine.find("itemref"):
        item = items.get(each.attributes.get("idref", ""))
        if item is None or not item.get("href"):
            raise Unusable(Quarantine.MALFORMED_RECORD, "the reading order names an item that is not in the manifest")
        if item.get("media-type", "application/xhtml+xml") in DOCUMENT_TYPES:
            path = resolve(base, item["href"])
            order.setdefault(path, Item(path, each.attributes.get("linear", "yes") != "no"))
    return list(order.values())


def _contents(base: str, items: Mapping[str, Mapping[str, str]], spine: Element | None) -> list[str]:
    """Return the paths of the navigation document (EPUB 3) and of the NCX (EPUB 2), where there are any."""
    named = [item for item in items.values() if "nav" in item.get("properties", "").split()]
    ncx = items.get(spine.attributes.get("toc", "")) if spine is not None else None
    named += [ncx] if ncx else []
    found = []
    for item in named:
        with suppress(Unusable):
            found.append(resolve(base, item.get("href", "")))
    return found
