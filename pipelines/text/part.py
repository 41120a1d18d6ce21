"""A part of a unit while its rows are gathered: everything that came of some raw chunks, in one place each."""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from filters.guard import Failure, GuardedPool
from manifests.keys import keys_of
from manifests.reasons import Quarantine
from manifests.records import ID, KEY, STAGED_DOCUMENT
from manifests.store import Store
from pipelines.sources import RawChunk, Unit
from pipelines.stages.parts import STAGED_REFUSED, Layout, Rows

ORDER = ("key", "id", "unit", "ordinal")
LAYOUT = Layout("text", {"documents": ORDER, "signals": ORDER, "bands": ("key", "id")}, sums=("text_bytes",))
_FAILURE_LIMITS = {Quarantine.PARSE_TIMEOUT: "parse_cpu_s", Quarantine.OUT_OF_MEMORY: "child_memory_bytes"}


class TextPart:
    """Documents of a unit with what was measured of them."""

    def __init__(self, unit: Unit, unit_key: int, pool: GuardedPool, most_bytes: int) -> None:
        self.unit, self.unit_key = unit, unit_key
        self.pool, self.most_bytes = pool, most_bytes
        self.rows, self.text_bytes = Rows(unit, unit_key, LAYOUT), 0

    @property
    def is_full(self) -> bool:
        return self.rows.bytes >= self.most_bytes

    def take(self, chunk: RawChunk) -> None:
        """Measure a chunk and add what came of it."""
        self.rows.count(chunk)
        if chunk.batch.num_rows:
            done = self.pool.run(chunk.batch)
            self._add(chunk.batch.take(pa.array(done.rows)), done.outputs)
            self.rows.quarantine([_failed(chunk.batch, failure) for failure in done.failures])

    def _add(self, raw: pa.RecordBatch, outputs: Mapping[str, Any]) -> None:
        self._keep("documents", STAGED_DOCUMENT, raw, outputs["documents"])
        measured = [field for field in outputs["signals"].schema if field.name not in ("key", "id", "row")]
        record = [("key", KEY), ("id", ID), ("unit", pa.uint64()), ("ordinal", pa.int64())]
        self._keep("signals", pa.schema([*record, *measured]), raw, outputs["signals"])
        self.rows.add("bands", outputs["bands"])
        refused = outputs["refused"]
        self._keep("refused", STAGED_REFUSED, raw, refused.append_column("key", pa.array(keys_of(refused["id"]), KEY)))
        self.rows.quarantine(outputs["quarantined"].to_pylist())
        skipped = outputs["skipped"]
        for reason, count in zip(skipped["reason"].to_pylist(), skipped["count"].to_pylist(), strict=True):
            self.rows.reasons[f"skipped/{reason}"] += count
        self.text_bytes += pc.sum(outputs["signals"]["view_bytes"]).as_py() or 0

    def _keep(self, kind: str, schema: pa.Schema, raw: pa.RecordBatch, batch: pa.RecordBatch) -> None:
        """Add a batch in its schema, with where its rows come from; a column that it does not have is null."""
        count = batch.num_rows
        origin = {
            "source": pa.repeat(self.unit.source, count),
            "unit": pa.array([self.unit_key] * count, pa.uint64()),
            "ordinal": raw["ordinal"].take(batch["row"]),
        }
        columns = dict(zip(batch.schema.names, batch.columns, strict=True)) | origin
        made = {field.name: columns.get(field.name, pa.nulls(count, field.type)) for field in schema}
        self.rows.add(kind, pa.RecordBatch.from_pydict(made, schema=schema))

    def store(self, store: Store, stem: str) -> dict[str, Any]:
        """Write the part's runs; return what its marker says."""
        return self.rows.store(store, stem, text_bytes=self.text_bytes)


def _failed(batch: pa.RecordBatch, failure: Failure) -> dict[str, Any]:
    """Return the quarantine row of a record that its parser's process could not survive."""
    row = batch.slice(failure.row, 1)
    where = {name: row[name][0].as_py() for name in ("uri", "ordinal", "offset", "digest")}
    told = {"reason": str(failure.reason), "detail": failure.detail, "limit": _FAILURE_LIMITS.get(failure.reason)}
    return {**where, **told, "limit_value": None, "observed": None, "bytes": row["payload"][0].as_buffer().size}
