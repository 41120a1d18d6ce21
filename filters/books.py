"""Books: sections with a text and parts of their own, joined into one document.

The parts of a book that cover its text (text, table, code) say by their `uri` in which section they stand, as
"book#path/of/section" or "book.pdf#page=3"; what a section is (front matter, body, back matter; its title) stands in
the book's metadata under the same name. So a part is found again in whatever view of the text is left.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from filters.parts import END, IMAGE, INDEX, KIND, START, DocumentParts, FilmAddress, ImageAddress
from manifests.reasons import Quarantine, Skipped

BLANK_LINE = b"\n\n"
METADATA = "metadata"  # kind of the mark-up that holds what the container says of itself, as JSON


class Unusable(Exception):
    """A record is beyond a limit, broken or encrypted: `reason` of the closed list, and the limit it hit."""

    def __init__(self, reason: Quarantine, detail: str, limit: str | None = None, *numbers: int) -> None:
        super().__init__(detail)
        self.reason, self.detail, self.limit, self.numbers = reason, detail, limit, numbers


class NotOurs(Exception):
    """A record that is no document of this job."""

    def __init__(self, reason: Skipped) -> None:
        super().__init__(reason)
        self.reason = reason


class Section(NamedTuple):
    """A piece of a book: `joiner` stands between it and the text before it."""

    uri: str | None  # None: its parts name no section
    text: bytes
    parts: DocumentParts
    joiner: bytes = BLANK_LINE


class Book(NamedTuple):
    """What a container holds."""

    title: str | None
    text: bytes
    parts: DocumentParts
    metadata: Mapping[str, Any]
    license: str | None
    policy: Sequence[str]  # "meta tdm-reservation: 1" ...


def metadata_json(metadata: Mapping[str, Any]) -> str:
    """Return metadata as JSON text: keys sorted, what is empty left out."""
    given = {name: value for name, value in metadata.items() if value not in (None, "", [], {}, ())}
    return json.dumps(given, ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def join_sections(sections: Iterable[Section]) -> tuple[bytes, DocumentParts]:
    """Return the text of a book and its parts.

    A section without text keeps its images. What stands between two sections belongs to the first part that covers
    text of the second; images before that part stand at the end of the section before.
    """
    texts: list[bytes] = []
    rows: list[np.ndarray] = []
    addresses: list[ImageAddress | FilmAddress] = []
    length = 0
    for section in sections:
        joiner = section.joiner if length and section.text else b""
        moved = _moved(section.parts.rows, length, len(joiner))
        moved[:, INDEX] = np.where(moved[:, KIND] == IMAGE, moved[:, INDEX] + len(addresses) + 1, len(addresses))
        addresses += [ImageAddress(section.uri, None), *section.parts.images]
        rows.append(moved)
        texts += [joiner, section.text]
        length += len(joiner) + len(section.text)
    whole = np.concatenate(rows) if rows else np.zeros((0, 4), np.int64)
    return b"".join(texts), DocumentParts(whole, addresses)


def _moved(rows: np.ndarray, length: int, joiner: int) -> np.ndarray:
    """Return the rows of a section that stands behind `length` bytes and a joiner of `joiner` bytes."""
    moved = rows.copy()
    covering = np.flatnonzero(moved[:, KIND] != IMAGE)
    moved[:, [START, END]] += length + joiner
    if len(covering):
        first = covering[0]
        moved[:first, [START, END]] = length
        moved[first, START] = length
    return moved
