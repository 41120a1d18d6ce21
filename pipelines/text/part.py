"""A part of a unit while its rows are gathered: everything that came of some raw chunks, in one place each."""

import hashlib
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from filters.guard import Failure, GuardedPool
from manifests.keys import keys_of
from manifests.reasons import Quarantine
from manifests.records import ID, KEY, PROVENANCE, QUARANTINED, STAGED_DOCUMENT
from manifests.runs import write_run
from manifests.store import Store
from pipelines.sources import RawChunk, Unit

ORDER = ("key", "id", "unit", "ordinal")
STAGED_QUARANTINE = pa.schema([("key", KEY), *QUARANTINED])  # key: the ordinal
STAGED_REFUSED = pa.schema(
    [("key", KEY), *PROVENANCE, ("unit", pa.uint64()), ("ordinal", pa.int64()), ("reason", pa.string())]
)
ORDERS = {
    "documents": ORDER,
    "signals": ORDER,
    "bands": ("key", "id"),
    "quarantine": ("key", "reason"),
    "refused": ("key", "id", "ordinal"),
}
CONTENT_SPACE = 1 << 256
_FAILURE_LIMITS = {Quarantine.PARSE_TIMEOUT: "parse_cpu_s", Quarantine.OUT_OF_MEMORY: "child_memory_bytes"}


class Part:
    """Rows of a unit by kind, and the counts that account for what was read."""

    def __init__(self, unit: Unit, unit_key: int) -> None:
        self.unit, self.unit_key = unit, unit_key
        self.batches: dict[str, list[pa.RecordBatch]] = {kind: [] for kind in ORDERS}
        self.skipped: Counter[str] = Counter()
        self.read = self.lost_bytes = self.cursor = self.bytes = self.text_bytes = self.content = 0

    def take(self, chunk: RawChunk, pool: GuardedPool) -> None:
        """Measure a chunk and add what came of it."""
        self.read += chunk.batch.num_rows + sum(chunk.skipped.values()) + len(chunk.quarantined)
        self.skipped.update({str(kind): count for kind, count in chunk.skipped.items()})
        self.lost_bytes += chunk.lost_bytes
        self.cursor = chunk.cursor
        self._quarantine(chunk.quarantined)
        if chunk.batch.num_rows:
            self.content += content_of(chunk.batch)
            done = pool.run(chunk.batch)
            self._add(chunk.batch.take(pa.array(done.rows)), done.outputs)
            self._quarantine([_failed(chunk.batch, failure) for failure in done.failures])

    def _add(self, raw: pa.RecordBatch, outputs: Mapping[str, Any]) -> None:
        self._keep("documents", STAGED_DOCUMENT, raw, outputs["documents"])
        measured = [field for field in outputs["signals"].schema if field.name not in ("key", "id", "row")]
        record = [("key", KEY), ("id", ID), ("unit", pa.uint64()), ("ordinal", pa.int64())]
        self._keep("signals", pa.schema([*record, *measured]), raw, outputs["signals"])
        if outputs["bands"].num_rows:
            self.batches["bands"].append(outputs["bands"])
        refused = outputs["refused"]
        self._keep("refused", STAGED_REFUSED, raw, refused.append_column("key", pa.array(keys_of(refused["id"]), KEY)))
        self._quarantine(outputs["quarantined"].to_pylist())
        skipped = outputs["skipped"]
        self.skipped.update(dict(zip(skipped["reason"].to_pylist(), skipped["count"].to_pylist(), strict=True)))
        self.text_bytes += pc.sum(outputs["signals"]["view_bytes"]).as_py() or 0

    def _keep(self, kind: str, schema: pa.Schema, raw: pa.RecordBatch, batch: pa.RecordBatch) -> None:
        """Add a batch in its schema, with where its rows come from; a column that it does not have is null."""
        count = batch.num_rows
        if not count:
            return
        origin = {
            "source": pa.repeat(self.unit.source, count),
            "unit": pa.array([self.unit_key] * count, pa.uint64()),
            "ordinal": raw["ordinal"].take(batch["row"]),
        }
        columns = dict(zip(batch.schema.names, batch.columns, strict=True)) | origin
        made = {field.name: columns.get(field.name, pa.nulls(count, field.type)) for field in schema}
        self.batches[kind].append(pa.RecordBatch.from_pydict(made, schema=schema))
        self.bytes += self.batches[kind][-1].nbytes

    def _quarantine(self, rows: list[dict[str, Any]]) -> None:
        if rows:
            own = {"source": self.unit.source, "unit": self.unit_key}
            keyed = [{**row, **own, "key": row["ordinal"]} for row in rows]
            self.batches["quarantine"].append(pa.RecordBatch.from_pylist(keyed, STAGED_QUARANTINE))

    def store(self, store: Store, stem: str) -> dict[str, Any]:
        """Write the part's runs; return what its marker says."""
        runs = {
            kind: write_run(store, f"{stem}-{kind}", pa.Table.from_batches(batches), ORDERS[kind]).as_json()
            for kind, batches in self.batches.items()
            if batches
        }
        reasons = Counter({f"skipped/{kind}": count for kind, count in self.skipped.items()})
        for kind, verdict in (("quarantine", "quarantined"), ("refused", "refused")):
            for batch in self.batches[kind]:
                reasons.update(f"{verdict}/{reason}" for reason in batch["reason"].to_pylist())
        return {
            "runs": runs,
            "read": self.read,
            "reasons": dict(sorted(reasons.items())),
            "lost_bytes": self.lost_bytes,
            "text_bytes": self.text_bytes,
            "cursor": self.cursor,
            "content": f"{self.content % CONTENT_SPACE:064x}",
        }


def _failed(batch: pa.RecordBatch, failure: Failure) -> dict[str, Any]:
    """Return the quarantine row of a record that its parser's process could not survive."""
    row = batch.slice(failure.row, 1)
    where = {name: row[name][0].as_py() for name in ("uri", "ordinal", "offset", "digest")}
    told = {"reason": str(failure.reason), "detail": failure.detail, "limit": _FAILURE_LIMITS.get(failure.reason)}
    return {**where, **told, "limit_value": None, "observed": None, "bytes": row["payload"][0].as_buffer().size}


def content_of(batch: pa.RecordBatch) -> int:
    """Return a digest of raw records that adds up over any cut of a unit (AdHash; Bellare & Micciancio 1997)."""
    pairs = zip(batch["ordinal"].to_pylist(), batch["digest"].to_pylist(), strict=True)
    return sum(int.from_bytes(hashlib.sha256(b"%d " % ordinal + digest).digest()) for ordinal, digest in pairs)
