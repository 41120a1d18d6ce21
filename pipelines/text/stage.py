"""Stage: one unit in; sorted runs of documents, signals and bands out, and a marker that accounts for the unit.

A part of a unit is written when its rows reach `limits.part_bytes`, with a marker of its own that holds the cursor
behind it: a killed unit goes on from its last part, and memory does not grow with the unit.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from filters.annotate import Settings
from filters.guard import GuardedPool
from manifests.keys import canonical_json
from manifests.limits import Limits
from manifests.reasons import Quarantine
from manifests.records import PROVENANCE, QUARANTINED, STAGED_DOCUMENT
from manifests.runs import Run, put_same, sort_table, write_run
from manifests.shards import write_shard
from manifests.store import Store, open_input
from pipelines.sources import RawChunk, Unit, read_unit

KINDS = ("documents", "signals", "bands")
ORDER = ("key", "id", "unit", "ordinal")
_CONTENT_SPACE = 1 << 256
REFUSED = pa.schema([*PROVENANCE, ("unit", pa.uint64()), ("ordinal", pa.int64()), ("reason", pa.string())])


class StageUnit:
    """Worker of the stage phase. config: {inputs: {name: uri}, settings: Settings as JSON, media_types: [...]}."""

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        self.store, self.inputs = store, config["inputs"]
        self.settings = Settings(**config["settings"])
        self.limits = Limits(**self.settings.limits)
        self.pool = GuardedPool("filters.annotate:factory", config["settings"], self.limits)

    def close(self) -> None:
        self.pool.close()

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """arguments: {unit, unit_key, prefix: where the unit's staged objects go}."""
        unit = Unit(**{**arguments["unit"], "members": tuple(arguments["unit"]["members"])})
        parts = list(self._finished(arguments["prefix"]))
        if not (parts and parts[-1]["last"]):
            cursor = parts[-1]["cursor"] if parts else 0
            parts.extend(self._stage(unit, arguments, cursor, len(parts)))
        return summarise(unit, arguments, parts)

    def _finished(self, prefix: str) -> Iterator[dict[str, Any]]:
        number = 0
        while self.store.size(name := f"{prefix}/part-{number:04d}.json") is not None:
            yield json.loads(self.store.read(name))
            number += 1

    def _stage(self, unit: Unit, arguments: dict[str, Any], cursor: int, number: int) -> Iterator[dict[str, Any]]:
        part = Part(unit, arguments["unit_key"])
        for chunk in read_unit(open_input(self.inputs[unit.source]), unit, cursor, self.limits):
            part.take(chunk, self.pool)
            if part.bytes >= self.limits.part_bytes:
                yield self._finish(part, arguments, number, last=False)
                part, number = Part(unit, arguments["unit_key"]), number + 1
        yield self._finish(part, arguments, number, last=True)

    def _finish(self, part: "Part", arguments: dict[str, Any], number: int, *, last: bool) -> dict[str, Any]:
        prefix = arguments["prefix"]
        body = {
            **part.store(self.store, f"{prefix}/{number:04d}", arguments["unit_key"], number),
            "last": last,
        }
        put_same(self.store, f"{prefix}/part-{number:04d}.json", canonical_json(body))
        return body


class Part:
    """The rows of a part while they are gathered."""

    def __init__(self, unit: Unit, unit_key: int) -> None:
        self.unit, self.unit_key = unit, unit_key
        self.tables: dict[str, list[pa.RecordBatch]] = {kind: [] for kind in KINDS}
        self.quarantined: list[pa.RecordBatch] = []
        self.refused: list[pa.RecordBatch] = []
        self.skipped: Counter[str] = Counter()
        self.content = 0
        self.read = self.lost_bytes = self.cursor = self.bytes = self.text_bytes = 0

    def take(self, chunk: RawChunk, pool: GuardedPool) -> None:
        """Measure a chunk and add what came of it."""
        self.read += chunk.batch.num_rows + sum(chunk.skipped.values()) + len(chunk.quarantined)
        self.skipped.update({str(kind): count for kind, count in chunk.skipped.items()})
        self.lost_bytes += chunk.lost_bytes
        self.cursor = chunk.cursor
        if chunk.quarantined:
            self._quarantine(pa.RecordBatch.from_pylist(chunk.quarantined, QUARANTINED))
        if chunk.batch.num_rows == 0:
            return
        self.content += content_of(chunk.batch)
        done = pool.run(chunk.batch)
        raw = chunk.batch.take(pa.array(done.rows))
        self._add(raw, done.outputs)
        for failure in done.failures:
            self._quarantine(self._failed(chunk.batch, failure))

    def _add(self, raw: pa.RecordBatch, outputs: Mapping[str, Any]) -> None:
        rows = outputs["documents"]["row"]
        origin = {
            "source": self._repeat(len(rows)),
            "unit": self._units(len(rows)),
            "ordinal": raw["ordinal"].take(rows),
        }
        documents = {
            name: outputs["documents"][name] for name in outputs["documents"].schema.names if name != "row"
        } | origin
        signals = {name: outputs["signals"][name] for name in outputs["signals"].schema.names if name != "row"}
        tables = {
            "documents": pa.RecordBatch.from_pydict(
                {f.name: documents[f.name] for f in STAGED_DOCUMENT}, schema=STAGED_DOCUMENT
            ),
            "signals": pa.RecordBatch.from_pydict(
                {
                    "key": signals.pop("key"),
                    "id": signals.pop("id"),
                    "unit": origin["unit"],
                    "ordinal": origin["ordinal"],
                    **signals,
                }
            ),
            "bands": outputs["bands"],
        }
        for kind, batch in tables.items():
            self.tables[kind].append(batch)
        self.bytes += tables["documents"].nbytes
        self.text_bytes += pc.sum(signals["view_bytes"]).as_py() or 0
        self._quarantine(outputs["quarantined"])
        self._refuse(raw, outputs["refused"])
        skipped = outputs["skipped"]
        self.skipped.update(dict(zip(skipped["reason"].to_pylist(), skipped["count"].to_pylist(), strict=True)))

    def _repeat(self, count: int) -> pa.Array:
        return pa.array([self.unit.source] * count, pa.string())

    def _units(self, count: int) -> pa.Array:
        return pa.array([self.unit_key] * count, pa.uint64())

    def _quarantine(self, batch: pa.RecordBatch) -> None:
        if batch.num_rows:
            named = {"source": self._repeat(batch.num_rows), "unit": self._units(batch.num_rows)}
            columns = {f.name: named.get(f.name, batch[f.name]) for f in QUARANTINED}
            self.quarantined.append(pa.RecordBatch.from_pydict(columns, schema=QUARANTINED))

    def _refuse(self, raw: pa.RecordBatch, refused: pa.RecordBatch) -> None:
        if refused.num_rows:
            count = refused.num_rows
            named = {
                "source": self._repeat(count),
                "unit": self._units(count),
                "ordinal": raw["ordinal"].take(refused["row"]),
            }
            columns = {
                f.name: named.get(
                    f.name, refused[f.name] if f.name in refused.schema.names else pa.nulls(count, f.type)
                )
                for f in REFUSED
            }
            self.refused.append(pa.RecordBatch.from_pydict(columns, schema=REFUSED))

    def _failed(self, batch: pa.RecordBatch, failure: Any) -> pa.RecordBatch:
        row = batch.slice(failure.row, 1)
        body = {name: row[name][0].as_py() for name in ("uri", "ordinal", "offset", "digest")}
        size = row["payload"][0].as_buffer().size
        told = {
            "reason": str(failure.reason),
            "detail": failure.detail,
            "limit": "parse_cpu_s" if failure.reason == Quarantine.PARSE_TIMEOUT else None,
            "limit_value": None,
            "observed": None,
        }
        return pa.RecordBatch.from_pylist([{**body, **told, "bytes": size, "source": None, "unit": None}], QUARANTINED)

    def store(self, store: Store, stem: str, unit_key: int, number: int) -> dict[str, Any]:
        """Write the part's runs and files; return what its marker says."""
        runs = {kind: self._write_run(store, f"{stem}-{kind}.arrow", kind) for kind in KINDS if self.tables[kind]}
        shards = []
        for kind, batches, order in (
            ("quarantine", self.quarantined, ("ordinal", "reason")),
            ("refused", self.refused, ("id", "ordinal")),
        ):
            if batches:
                table = sort_table(pa.Table.from_batches(batches), order)
                shards.append(write_shard(store, f"text/{kind}/{unit_key:016x}-{number:04d}", kind, table).as_json())
        reasons = Counter[str]()
        for verdict, batches in (("quarantined", self.quarantined), ("refused", self.refused)):
            for batch in batches:
                reasons.update(f"{verdict}/{reason}" for reason in batch["reason"].to_pylist())
        reasons.update({f"skipped/{kind}": count for kind, count in self.skipped.items()})
        return {
            "runs": {kind: run.as_json() for kind, run in runs.items()},
            "shards": shards,
            "read": self.read,
            "reasons": dict(sorted(reasons.items())),
            "lost_bytes": self.lost_bytes,
            "cursor": self.cursor,
            "text_bytes": self.text_bytes,
            "content": f"{self.content % _CONTENT_SPACE:064x}",
        }

    def _write_run(self, store: Store, name: str, kind: str) -> Run:
        order = ("key", "id") if kind == "bands" else ORDER
        return write_run(store, name, pa.Table.from_batches(self.tables[kind]), order)


def content_of(batch: pa.RecordBatch) -> int:
    """Return a digest of raw records that adds up over any cut of a unit (AdHash; Bellare & Micciancio 1997)."""
    pairs = zip(batch["ordinal"].to_pylist(), batch["digest"].to_pylist(), strict=True)
    return sum(int.from_bytes(hashlib.sha256(b"%d " % ordinal + digest).digest()) for ordinal, digest in pairs)


def summarise(unit: Unit, arguments: Mapping[str, Any], parts: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the unit's done-marker from its parts."""
    reasons = Counter[str]()
    for part in parts:
        reasons.update(part["reasons"])
    documents = sum(part["runs"]["documents"]["rows"] for part in parts if "documents" in part["runs"])
    return {
        "unit": unit.name,
        "unit_key": arguments["unit_key"],
        "source": unit.source,
        "generation": arguments["generation"],
        "runs": {kind: [part["runs"][kind] for part in parts if kind in part["runs"]] for kind in KINDS},
        "shards": [shard for part in parts for shard in part["shards"]],
        "read": sum(part["read"] for part in parts),
        "reasons": dict(sorted(reasons.items())),
        "lost_bytes": sum(part["lost_bytes"] for part in parts),
        "text_bytes": sum(part["text_bytes"] for part in parts),
        "content": f"{sum(int(part['content'], 16) for part in parts) % _CONTENT_SPACE:064x}",
        "counts": {
            "documents": documents,
            "quarantined": sum(n for r, n in reasons.items() if r.startswith("quarantined/")),
        },
    }
