"""Write: a range of ids -> a shard: records as Parquet and as JSON lines, and what was left out, with its reasons."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa

from filters.instruct.rows import SCHEMA, as_row
from manifests.keys import key_range
from manifests.runs import gather, load_runs, put_same
from manifests.shards import Shard, write_shard
from manifests.store import Store
from pipelines.instruct.records import CHOSEN, JOB, KIND, REJECT, REJECT_ORDER

WRITE_VERSION = 1
REJECTED = [name for name in REJECT.names if name not in ("key", "unit")]


class WriteShard:
    """Worker of the write phase. config: {chosen, rejects: names of lists of runs}."""

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        self.store = store
        self.chosen, self.rejects = (load_runs(store, config[name]) for name in ("chosen", "rejects"))

    def close(self) -> None:
        """Nothing is held."""

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """arguments: {shard, shards}."""
        low, high = key_range(arguments["shard"], arguments["shards"])
        bodies = gather(self.store, self.chosen, CHOSEN, low, high, ("key", "id"))["body"].to_pylist()
        records = [json.loads(body) for body in bodies]
        rejects = gather(self.store, self.rejects, REJECT, low, high, REJECT_ORDER)
        stem = f"part-{arguments['shard']:05d}-of-{arguments['shards']:05d}"
        published = list(self._published(stem, bodies, records, rejects))
        return {
            "shards": [each.as_json() for each in published],
            "statistics": statistics(records),
            "counts": {"records": len(records), "rejects": rejects.num_rows},
        }

    def _published(
        self, stem: str, bodies: list[str], records: list[dict[str, Any]], rejects: pa.Table
    ) -> Iterator[Shard]:
        if records:
            rows = [as_row(body) for body in bodies]
            yield write_shard(self.store, f"{JOB}/data/{stem}", KIND, pa.Table.from_pylist(rows, SCHEMA))
            yield self._lines(f"{JOB}/lines/{stem}", bodies)
        if rejects.num_rows:
            yield write_shard(self.store, f"{JOB}/dropped/{stem}", "dropped", rejects.select(REJECTED))

    def _lines(self, stem: str, bodies: list[str]) -> Shard:
        """Store the same records as JSON lines, UTF-8, in the same order."""
        data = "".join(f"{body}\n" for body in bodies).encode()
        sha256 = hashlib.sha256(data).hexdigest()
        name = f"{stem}-{sha256[:8]}.jsonl"
        put_same(self.store, name, data)
        return Shard(name, "lines", len(data), sha256, len(bodies), None, None)


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
