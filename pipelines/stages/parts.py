"""Stage: one unit in; sorted runs of its rows out, and a marker that accounts for the unit.

A part of a unit is written when its rows reach a limit, with a marker of its own that holds the cursor behind it: a
killed unit goes on from its last part, and memory does not grow with the unit. How a unit was cut into parts is seen
in staged runs only, never in what is published.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import pyarrow as pa

from manifests.keys import canonical_json
from manifests.limits import Limits
from manifests.objects import read_json
from manifests.records import KEY, PROVENANCE, QUARANTINED
from manifests.runs import Run, gather, put_same, write_run
from manifests.shards import write_shard
from manifests.store import Store, open_input
from pipelines.sources import RawChunk, Unit, read_unit
from pipelines.stages.opt_out import OptOut

CONTENT_SPACE = 1 << 256
STAGED_QUARANTINE = pa.schema([("key", KEY), *QUARANTINED])  # key: the ordinal
STAGED_REFUSED = pa.schema(
    [("key", KEY), *PROVENANCE, ("unit", pa.uint64()), ("ordinal", pa.int64()), ("reason", pa.string())]
)
SETTLED = {"quarantine": STAGED_QUARANTINE, "refused": STAGED_REFUSED}  # what is published as it is
SETTLED_ORDERS = {"quarantine": ("key", "reason"), "refused": ("key", "id", "ordinal")}


@dataclass(frozen=True)
class Layout:
    """What a job stages."""

    job: str
    orders: Mapping[str, tuple[str, ...]]  # of the rows of each kind that later phases read
    sums: tuple[str, ...] = ()  # counts of a part that its unit adds up, beside what was read and lost
    media_types: frozenset[str] | None = None  # what is read of the input; None: what the readers take for text


class Rows:
    """Rows of a unit by kind, and the counts that account for what was read."""

    def __init__(self, unit: Unit, unit_key: int, layout: Layout) -> None:
        self.unit, self.unit_key = unit, unit_key
        self.orders = {**layout.orders, **SETTLED_ORDERS}
        self.tables: dict[str, list[pa.Table]] = {kind: [] for kind in self.orders}
        self.reasons = Counter[str]()
        self.read = self.lost_bytes = self.cursor = self.content = self.bytes = 0

    def count(self, chunk: RawChunk) -> None:
        """Account for a chunk; what its reader could not read is quarantined."""
        self.read += chunk.batch.num_rows + sum(chunk.skipped.values()) + len(chunk.quarantined)
        self.reasons.update({f"skipped/{kind}": count for kind, count in chunk.skipped.items()})
        self.lost_bytes += chunk.lost_bytes
        self.cursor = chunk.cursor
        self.quarantine(chunk.quarantined)
        if chunk.batch.num_rows:
            self.content += content_of(chunk.batch)

    def add(self, kind: str, rows: pa.RecordBatch | pa.Table) -> None:
        """Add rows of a kind; those that are refused are counted by their reasons."""
        if not rows.num_rows:
            return
        table = rows if isinstance(rows, pa.Table) else pa.Table.from_batches([rows])
        self.tables[kind].append(table)
        self.bytes += table.nbytes
        if kind == "refused":
            self.reasons.update(f"refused/{reason}" for reason in table["reason"].to_pylist())

    def quarantine(self, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add quarantined records, as manifests.records.QUARANTINED without source and unit."""
        if rows:
            own = {"source": self.unit.source, "unit": self.unit_key}
            keyed = [{**row, **own, "key": row["ordinal"]} for row in rows]
            self.tables["quarantine"].append(pa.Table.from_pylist(keyed, STAGED_QUARANTINE))
            self.reasons.update(f"quarantined/{row['reason']}" for row in rows)

    def store(self, store: Store, stem: str, **sums: int) -> dict[str, Any]:
        """Write the rows as runs; return what the part's marker says."""
        runs = {
            kind: write_run(store, f"{stem}-{kind}", pa.concat_tables(tables), self.orders[kind]).as_json()
            for kind, tables in self.tables.items()
            if tables
        }
        return {
            "runs": runs,
            "read": self.read,
            "reasons": dict(sorted(self.reasons.items())),
            "lost_bytes": self.lost_bytes,
            "cursor": self.cursor,
            "content": f"{self.content % CONTENT_SPACE:064x}",
            **sums,
        }


class Part(Protocol):
    """A part of a unit while its rows are gathered."""

    def take(self, chunk: RawChunk) -> None:
        """Measure a chunk and add what came of it."""

    @property
    def is_full(self) -> bool: ...

    def store(self, store: Store, stem: str) -> dict[str, Any]:
        """Write the part; return what its marker says."""


@dataclass
class Staging:
    """Stages the units of a job, each in parts that `part` makes."""

    store: Store
    layout: Layout
    inputs: Mapping[str, Any]  # Inputs.config
    limits: Limits
    part: Callable[[Unit, int], Part]
    orders: dict[str, tuple[str, ...]] = field(init=False)
    opt_out: OptOut = field(init=False)

    def __post_init__(self) -> None:
        self.orders = {**self.layout.orders, **SETTLED_ORDERS}
        self.opt_out = OptOut(self.store, self.inputs["opt_out"])

    def run(self, arguments: Mapping[str, Any]) -> dict[str, Any]:
        """Return a unit's done-marker. arguments: {unit, unit_key, generation, prefix}."""
        unit = Unit(**{**arguments["unit"], "members": tuple(arguments["unit"]["members"])})
        parts = list(self._finished(arguments["prefix"]))
        if not (parts and parts[-1]["last"]):
            cursor = parts[-1]["cursor"] if parts else 0
            parts.extend(self._stage(unit, arguments, cursor, len(parts)))
        runs = {kind: [part["runs"][kind] for part in parts if kind in part["runs"]] for kind in self.orders}
        return self._marker(unit, arguments, parts, runs) | {"shards": self._settle(runs, arguments["unit_key"])}

    def _finished(self, prefix: str) -> Iterator[dict[str, Any]]:
        number = 0
        while self.store.size(name := f"{prefix}/part-{number:04d}.json") is not None:
            yield read_json(self.store, name, what="marker of a part")
            number += 1

    def _stage(self, unit: Unit, arguments: Mapping[str, Any], cursor: int, number: int) -> Iterator[dict[str, Any]]:
        part, types = self.part(unit, arguments["unit_key"]), self.layout.media_types
        source = open_input(self.inputs["uris"][unit.source])
        more = () if types is None else (types,)
        for chunk in read_unit(source, unit, cursor, self.limits, *more):
            part.take(self.opt_out.marked(chunk))
            if part.is_full:
                yield self._finish(part, arguments["prefix"], number, last=False)
                part, number = self.part(unit, arguments["unit_key"]), number + 1
        yield self._finish(part, arguments["prefix"], number, last=True)

    def _finish(self, part: Part, prefix: str, number: int, *, last: bool) -> dict[str, Any]:
        body = {**part.store(self.store, f"{prefix}/{number:04d}"), "last": last}
        put_same(self.store, f"{prefix}/part-{number:04d}.json", canonical_json(body))
        return body

    def _settle(self, runs: Mapping[str, list[dict[str, Any]]], unit_key: int) -> list[dict[str, Any]]:
        """Publish the unit's quarantined and refused records, one file each, however many parts there were."""
        shards = []
        for kind, schema in SETTLED.items():
            if runs[kind]:
                rows = gather(self.store, [Run(**run) for run in runs[kind]], schema, order=self.orders[kind])
                stem = f"{self.layout.job}/{kind}/{unit_key:016x}"
                shards.append(write_shard(self.store, stem, kind, rows.drop_columns(["key"])).as_json())
        return shards

    def _marker(
        self, unit: Unit, arguments: Mapping[str, Any], parts: list[dict[str, Any]], runs: Mapping[str, list[Any]]
    ) -> dict[str, Any]:
        first = next(iter(self.layout.orders))  # the job's records; what else it stages is about them
        return {
            "unit": unit.name,
            "unit_key": arguments["unit_key"],
            "source": unit.source,
            "generation": arguments["generation"],
            "runs": {kind: runs[kind] for kind in self.layout.orders},
            "reasons": dict(sorted(sum((Counter(part["reasons"]) for part in parts), Counter[str]()).items())),
            **{name: sum(part[name] for part in parts) for name in ("read", "lost_bytes", *self.layout.sums)},
            "content": f"{sum(int(part['content'], 16) for part in parts) % CONTENT_SPACE:064x}",
            "counts": {first: sum(run["rows"] for run in runs[first]), "quarantined": _rows(runs["quarantine"])},
        }


def _rows(runs: Sequence[Mapping[str, Any]]) -> int:
    return sum(run["rows"] for run in runs)


def content_of(batch: pa.RecordBatch) -> int:
    """Return a digest of raw records that adds up over any cut of a unit (AdHash; Bellare & Micciancio 1997)."""
    pairs = zip(batch["ordinal"].to_pylist(), batch["digest"].to_pylist(), strict=True)
    return sum(int.from_bytes(hashlib.sha256(b"%d " % ordinal + digest).digest()) for ordinal, digest in pairs)
