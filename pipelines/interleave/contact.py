"""The contact sheet of a shard: a few of its documents as they are, small. The report shows it.

Rows stand by id, a digest: of each language the first document with a picture, so nobody picks them.
"""

from collections.abc import Callable, Mapping
from typing import Any

import pyarrow as pa

from manifests.records import ID
from pipelines.images.contact import thumbnail
from pipelines.images.write import EXTENSIONS
from pipelines.interleave.records import TEXT_KINDS

DOCUMENTS = 8  # of different languages
PARTS = 24  # of a document
TEXT_CHARACTERS = 500  # of a part
PICTURES = frozenset(EXTENSIONS.values())
BETWEEN = 3  # parts that are shown before the first picture
PIECE = pa.struct(
    [
        ("kind", pa.string()),
        ("text", pa.string()),  # of a text: its beginning; of a picture: its alternative text
        ("characters", pa.int32()),  # of the whole text
        ("uri", pa.string()),
        ("verdict", pa.string()),  # kept | dropped | missing
        ("reason", pa.string()),
        ("thumbnail", pa.binary()),  # of what is kept
    ]
)
CONTACT = pa.schema(
    [
        ("id", ID),
        ("uri", pa.string()),
        ("title", pa.string()),
        ("language", pa.string()),
        ("skipped_parts", pa.int32()),  # before the first one shown
        ("part_count", pa.int32()),
        ("pieces", pa.list_(PIECE)),
    ]
)
Row = Mapping[str, Any]


class ContactSheet:
    """Collects the documents of a shard that are shown; they come in the order of their ids."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []
        self._languages: set[str | None] = set()

    def add(self, document: Row, media: Mapping[int, Row], content: Callable[[Row], bytes]) -> None:
        """Take a document, where it is the first one of its language with a picture. `content` reads a part's bytes."""
        if len(self.rows) == DOCUMENTS or document["language"] in self._languages:
            return
        shown = [position for position, part in sorted(media.items()) if _is_shown(part)]
        if not shown:
            return
        self._languages.add(document["language"])
        first = max(0, shown[0] - BETWEEN)
        parts = list(enumerate(document["parts"]))[first : first + PARTS]
        self.rows.append(
            {
                **{name: document[name] for name in ("id", "uri", "title", "language")},
                "skipped_parts": first,
                "part_count": len(document["parts"]),
                "pieces": [_piece(part, document["text"], media.get(place), content) for place, part in parts],
            }
        )

    def table(self) -> pa.Table:
        """Return CONTACT rows, by id."""
        return pa.Table.from_pylist(self.rows, CONTACT)


def _piece(part: Row, text: str, judged: Row | None, content: Callable[[Row], bytes]) -> dict[str, Any]:
    if part["kind"] in TEXT_KINDS or judged is None:
        said = text[part["start"] : part["end"]]
        return {"kind": part["kind"], "text": said[:TEXT_CHARACTERS], "characters": len(said), "verdict": "kept"}
    own = {name: judged[name] for name in ("verdict", "reason", "uri")}
    alt = (judged["alt"] or "")[:TEXT_CHARACTERS]
    small = thumbnail(content(judged)) if _is_shown(judged) else None
    return {"kind": part["kind"], "text": alt, "characters": len(alt), "thumbnail": small, **own}


def _is_shown(judged: Row) -> bool:
    return judged["verdict"] == "kept" and judged["extension"] in PICTURES
