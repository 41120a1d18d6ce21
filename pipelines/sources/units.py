"""What sources speak in: units to plan with, events as they are read, chunks that leave with a cursor.

A source yields one event for each record or lost span, always in the same order. Its number in that order is
the event's ordinal, so a cursor is a count of events and the chunks of a unit can be cut anywhere.
"""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Literal

import pyarrow as pa

from manifests.reasons import Quarantine, Skipped

Kind = Literal["warc", "files", "jsonl", "parquet", "tar", "mediawiki", "stackexchange"]
DEFAULT_UNIT_BYTES = 256 << 20
MAX_UNIT_FILES = 10_000
BOOK_TYPES = frozenset({"application/epub+zip", "application/pdf"})  # limits.max_book_bytes is their limit
WIKI_PAGE, POST = "application/x-mediawiki-page", "application/x-stackexchange-post"  # entries of dumps
MEDIA_TYPES = BOOK_TYPES | {"text/html", "application/xhtml+xml", "text/plain", "text/markdown", WIKI_PAGE, POST}


def shown(name: str) -> str:
    """Return a file's name as text: bytes that are no UTF-8, which a store gives as lone surrogates, as escapes."""
    return name.encode(errors="backslashreplace").decode()


@dataclass(frozen=True)
class Unit:
    """A part of an input that one worker reads alone.

    [start, end) counts bytes of the file (warc, jsonl, tar, dumps), row groups of it (parquet), or the bytes of
    `members` together (files). A record belongs to the unit in which its first byte lies.
    """

    index: int  # position in the plan
    source: str  # the input's name
    uri: str  # file, as its store names it; "" for a list of files
    kind: Kind
    start: int
    end: int
    members: tuple[str, ...] = ()  # files: names in the store, sorted
    withdrawn: tuple[tuple[int, str], ...] = ()  # (offset, the owner's later no) of records

    @property
    def name(self) -> str:
        """Return a name that people read: input:file[start-end), or input:first..last file."""
        what = self.uri or (f"{self.members[0]}..{self.members[-1]}" if self.members else "")
        return shown(f"{self.source}:{what}[{self.start}-{self.end})")

    def files(self) -> tuple[str, ...]:
        """Return the names of the objects that the unit reads."""
        return self.members or (self.uri,)

    def identity(self) -> dict[str, Any]:
        """Return what makes this unit this unit, JSON-able: everything but its place in the plan."""
        withdrawn = {"withdrawn": [list(each) for each in self.withdrawn]} if self.withdrawn else {}
        return withdrawn | {
            "source": self.source,
            "uri": self.uri,
            "kind": self.kind,
            "start": self.start,
            "end": self.end,
            "members": list(self.members),
        }


@dataclass(frozen=True)
class Columns:
    """Names of the fields that JSONL and Parquet rows are read by.

    `url` wins over `id` as the record's name.
    """

    text: str = "text"
    url: str = "url"
    id: str = "id"


@dataclass(slots=True)
class Found:
    """A record as it stands in the input, decoded from its container and transport, not parsed."""

    uri: str
    payload: bytes | memoryview
    offset: int = -1
    media_type: str | None = None
    charset: str | None = None
    fetched_at_us: int | None = None  # microseconds since 1970, UTC
    policy: str | None = None
    language: str | None = None  # as the container states it


@dataclass(slots=True)
class Broken:
    """A record or a span of bytes that can't be given on.

    `lost_bytes` of the container belong to no record.
    """

    reason: Quarantine
    detail: str  # at most 512 bytes, no input bytes
    offset: int = -1
    uri: str | None = None
    size: int = 0  # bytes of the record or span
    lost_bytes: int = 0
    limit: str | None = None  # a field of Limits
    limit_value: int | None = None
    observed: int | None = None
    digest: bytes | None = None


Event = Found | Broken | Skipped


@dataclass
class RawChunk:
    """Some events of a unit, in order.

    `batch` has the schema RAW, at most limits.batch_rows rows and limits.batch_bytes of payload (one record
    may be larger, alone). Reading the unit again from `cursor` gives exactly what follows. `quarantined` has
    the fields of QUARANTINED. rows + skipped + quarantined = events.
    """

    batch: pa.RecordBatch
    cursor: int
    skipped: Counter[Skipped] = field(default_factory=Counter)
    quarantined: list[dict[str, Any]] = field(default_factory=list)
    lost_bytes: int = 0
