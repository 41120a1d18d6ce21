"""What a unit of code is made of: its members as they are read, and chunks of them."""

import hashlib
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

import pyarrow as pa

from filters.code.child import FILES
from filters.code.licenses import NONE, Verdict
from manifests.records import RAW
from pipelines.sources.chunks import binary_array
from pipelines.sources.units import RawChunk


class Item(NamedTuple):
    """One member of a unit: a file with its bytes, or what became of it."""

    what: Literal["file", "fault", "skipped", "refused"]
    uri: str
    path: str = ""
    payload: bytes = b""
    reason: str = ""
    detail: str = ""
    limit: str | None = None
    observed: int | None = None
    repository: str = ""
    inherited: Verdict = NONE
    stars: int | None = None
    media_type: str | None = None


@dataclass
class Files:
    """Some members of a unit in order: a chunk of the unit, its files with the columns that their child needs."""

    raw: RawChunk
    batch: pa.RecordBatch  # FILES, one row for each row of raw.batch
    refused: list[tuple[int, str, str]]  # (ordinal, uri, reason)


@dataclass
class Gatherer:
    """Gathers the members of one chunk."""

    cursor: int
    rows: list[dict[str, Any]] = field(default_factory=list)
    payloads: list[bytes] = field(default_factory=list)
    faults: list[dict[str, Any]] = field(default_factory=list)
    skipped: Counter[Any] = field(default_factory=Counter)
    refused: list[tuple[int, str, str]] = field(default_factory=list)
    bytes: int = 0

    def add(self, item: Item) -> None:
        if item.what == "file":
            own = {"uri": item.uri, "path": item.path, "repository": item.repository, "stars": item.stars}
            own["media_type"] = item.media_type
            known = json.dumps(item.inherited) if item.inherited.expression else None
            digest = hashlib.sha256(item.payload).digest()
            self.rows.append({**own, "inherited": known, "ordinal": self.cursor, "offset": -1, "digest": digest})
            self.payloads.append(item.payload)
            self.bytes += len(item.payload)
        elif item.what == "fault":
            told = {"limit": item.limit, "limit_value": None, "observed": item.observed, "detail": item.detail[:512]}
            place = {"uri": item.uri, "ordinal": self.cursor, "offset": -1, "bytes": item.observed or 0, "digest": None}
            self.faults.append({**place, **told, "reason": item.reason})
        elif item.what == "skipped":
            self.skipped[item.reason] += 1
        else:
            self.refused.append((self.cursor, item.uri, item.reason))
        self.cursor += 1

    def finish(self) -> Files:
        columns = {
            each.name: pa.array([row.get(each.name) for row in self.rows], each.type)
            for each in FILES
            if each.name != "payload"
        }
        columns["payload"] = binary_array(list(self.payloads))
        batch = pa.RecordBatch.from_pydict({each.name: columns[each.name] for each in FILES}, schema=FILES)
        raw = RawChunk(batch.select(RAW.names), self.cursor, self.skipped, self.faults)
        return Files(raw, batch, self.refused)
