"""Write: a range of ids -> a shard: records as Parquet and as JSON lines, and what was left out, with its reasons."""

import hashlib
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from filters.instruct.rows import SCHEMA, as_row
from manifests.keys import key_range
from manifests.records import ID
from manifests.runs import gather, load_runs, put_same, read_run
from manifests.shards import Shard, write_shard
from manifests.store import Store
from pipelines.instruct.finish import is_shown
from pipelines.instruct.records import BODY, CHOSEN, JOB, KIND, REJECT, REJECT_ORDER
from pipelines.stages.statistics import merge_statistics

WRITE_VERSION = 2
ROWS_AT_ONCE = 1024
REJECTED = [name for name in REJECT.names if name not in ("key", "unit")]


class WriteShard:
    """Worker of the write phase. config: {chosen, rejects, bodies: names of lists of runs}."""

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        self.store = store
        names = ("chosen", "rejects", "bodies")
        self.chosen, self.rejects, self.bodies = (load_runs(store, config[name]) for name in names)

    def close(self) -> None:
        """Nothing is held."""

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """arguments: {shard, shards}."""
        low, high = key_range(arguments["shard"], arguments["shards"])
        chosen = gather(self.store, self.chosen, CHOSEN, low, high, ("key", "id"))["id"].combine_chunks()
        rejects = gather(self.store, self.rejects, REJECT, low, high, REJECT_ORDER)
        shown = pa.array([id_ for id_ in rejects["id"].to_pylist() if is_shown(id_)], ID)
        found = self._bodies(pa.concat_arrays([chosen, shown]), low, high)
        bodies = found["body"].take(pc.index_in(chosen, found["id"]))
        rejects = _with_bodies(rejects, found)
        stem = f"part-{arguments['shard']:05d}-of-{arguments['shards']:05d}"
        published, counts = [], statistics([])
        if len(bodies):
            published.append(self._lines(f"{JOB}/lines/{stem}", bodies))
            table, counts = _records(bodies)
            published.insert(0, write_shard(self.store, f"{JOB}/data/{stem}", KIND, table))
        if rejects.num_rows:
            published.append(write_shard(self.store, f"{JOB}/dropped/{stem}", "dropped", rejects.select(REJECTED)))
        return {
            "shards": [each.as_json() for each in published],
            "statistics": counts,
            "counts": {"records": len(bodies), "rejects": rejects.num_rows},
        }

    def _bodies(self, wanted: pa.Array, low: int, high: int) -> pa.RecordBatch:
        """Return BODY rows of what is wanted; of a range nothing else is held."""
        batches = [
            batch.filter(pc.is_in(batch["id"], wanted))
            for run in self.bodies
            for batch in read_run(self.store, run, low, high)
        ]
        table = pa.Table.from_batches(batches, BODY).combine_chunks()
        return table.to_batches()[0] if table.num_rows else pa.RecordBatch.from_pylist([], BODY)

    def _lines(self, stem: str, bodies: pa.StringArray) -> Shard:
        """Store the same records as JSON lines, UTF-8, in the same order."""
        data = b"".join(b"%b\n" % body.as_buffer() for body in bodies)
        sha256 = hashlib.sha256(data).hexdigest()
        name = f"{stem}-{sha256[:8]}.jsonl"
        put_same(self.store, name, data)
        return Shard(name, "lines", len(data), sha256, len(bodies), None, None)


def _records(bodies: pa.StringArray) -> tuple[pa.Table, dict[str, Any]]:
    """Return the records as a table, with their statistics; as objects only some of them are held at a time."""
    tables, counts = [], []
    for at in range(0, len(bodies), ROWS_AT_ONCE):
        rows = [as_row(body) for body in bodies.slice(at, ROWS_AT_ONCE).to_pylist()]
        tables.append(pa.Table.from_pylist(rows, SCHEMA))
        counts.append(statistics(rows))
    return pa.concat_tables(tables), merge_statistics(counts)


def _with_bodies(rejects: pa.Table, found: pa.RecordBatch) -> pa.Table:
    """Return rejects with the lines of those that are shown; what has its line keeps it."""
    lines = found["body"].take(pc.index_in(rejects["id"].combine_chunks(), found["id"]))
    filled = pc.coalesce(rejects["body"], lines)
    return rejects.set_column(rejects.schema.get_field_index("body"), "body", filled)


def statistics(records: list[dict[str, Any]]) -> dict[str, Any]:
    """Return counts of records that add up over shards."""
    counts: dict[str, Counter[str]] = {name: Counter() for name in ("behaviour", "task", "lang", "split")}
    hedges, templates, languages = Counter[str](), Counter[str](), dict[str, Counter[str]]()
    for record in records:
        for name, counter in counts.items():
            counter[record[name]] += 1
        if record["hedge"]:
            hedges[record["hedge"]["reason"]] += 1
        templates[f"{record['behaviour']} {record['gen']['template']}"] += 1
        languages.setdefault(record["behaviour"], Counter())[record["lang"]] += 1
    return {
        **{name: dict(sorted(counter.items())) for name, counter in counts.items()},
        "hedges": dict(sorted(hedges.items())),
        "languages": {name: dict(sorted(counter.items())) for name, counter in sorted(languages.items())},
        "records": len(records),
    }
