"""What stands staged: the runs of every unit, as the workers of later phases find them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from manifests.keys import canonical_json, digest_of
from manifests.objects import read_json
from manifests.runs import Run, put_same, read_run, run_schema, sort_table
from manifests.store import Store


@dataclass(frozen=True)
class Staged:
    """Runs by kind; stored once under a name of its content, so tasks carry the name only."""

    runs: dict[str, list[Run]]

    @classmethod
    def from_markers(cls, markers: Sequence[dict[str, Any]], kinds: Iterable[str]) -> "Staged":
        return cls({kind: [Run(**run) for marker in markers for run in marker["runs"][kind]] for kind in kinds})

    @classmethod
    def load(cls, store: Store, name: str) -> "Staged":
        body = read_json(store, name, what="list of staged runs")
        return cls({kind: [Run(**run) for run in runs] for kind, runs in body.items()})

    def save(self, store: Store, job: str) -> str:
        body = {kind: [run.as_json() for run in runs] for kind, runs in self.runs.items()}
        name = f"{job}/plans/staged-{digest_of(body)[:16]}.json"
        put_same(store, name, canonical_json(body))
        return name

    def memory_bytes(self, kind: str) -> int:
        """Return the size of all rows of a kind in memory: compressed sizes say nothing of rows that are all alike."""
        return sum(run.memory_bytes for run in self.runs[kind])

    def signal_schema(self, store: Store) -> pa.Schema:
        """Return the columns of the signals runs; every unit has the same, since all have one stage setting."""
        for run in self.runs["signals"]:
            return run_schema(store, run)
        raise ValueError("no record was staged: there is nothing to decide")

    def rows_of(self, store: Store, kind: str, wanted: pa.Table, schema: pa.Schema, low: int, high: int) -> pa.Table:
        """Return the rows of `wanted` (id, unit, ordinal; each id once) in a key range, in the order of ids."""
        ids = wanted["id"].combine_chunks()
        batches = []
        for run in self.runs[kind]:
            for batch in read_run(store, run, low, high):
                found = batch.select(schema.names).filter(_among(batch, wanted, ids))
                if found.num_rows:
                    batches.append(found)
        return sort_table(pa.Table.from_batches(batches, schema), ("key", "id"))


def _among(batch: pa.RecordBatch, wanted: pa.Table, ids: pa.Array) -> pa.Array:
    """Return which rows of a batch are wanted: of records that were staged twice, the one that was chosen."""
    at = pc.index_in(batch["id"], ids)
    same = [pc.equal(batch[name], wanted[name].combine_chunks().take(at)) for name in ("unit", "ordinal")]
    return pc.fill_null(pc.and_(*same), False)
