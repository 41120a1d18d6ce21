"""The table of counts: the words of the whole corpus by Beam, and tables of other corpora added to it.

count   shard of texts  -> its words, counted, as a run sorted by the words' keys
merge   key range       -> the words of the whole corpus, as one shard of the table
add     key range       -> the same words of several tables, added up
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from manifests.keys import KEY_SPACE, digest_of, key_range
from manifests.manifest import Manifest, commit, newest_version
from manifests.reader import open_shard, shard_of
from manifests.runs import Run, gather, load_runs, partitions_for, save_runs, write_run
from manifests.shards import write_shard
from manifests.store import Store, open_store
from pipelines.launcher import Launcher
from pipelines.tasks import Phase, Task
from pipelines.tokenizer_jobs.texts import grouped, shards_of, text_batches
from tokenizer.count import COUNTS, count_words, merge_counts
from tokenizer.gather import KEY_VERSION
from tokenizer.groups import Group
from tokenizer.ledger import CountLedger
from tokenizer.table import checked

JOB = "counts"
VERSION = 4
MERGE_BATCHES = 16  # batches of counts that are held before they are added up
PARTITION_BYTES = 256 << 20
WORD_BYTES = 80  # of a word of a table in memory, about
_ORDER = ("key", "word", "group")
_HERE = "pipelines.tokenizer_jobs.count"


class CountShard:
    """Worker of the count phase."""

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        self.store = store

    def close(self) -> None:
        """Nothing is held."""

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        ledger, held, groups = CountLedger(), [pa.RecordBatch.from_pylist([], schema=COUNTS)], set()
        for batch in text_batches(self.store, arguments["job"], arguments["shard"]):
            for group, text in grouped(batch):
                counted = count_words(text, group=group.key)
                ledger += counted.ledger
                groups.add(group)
                held.append(counted.counts)
            if len(held) >= MERGE_BATCHES:
                held = [merge_counts(held)]
        counts = merge_counts(held)
        run = write_run(self.store, arguments["output"], pa.Table.from_batches([counts]), _ORDER)
        return {
            "run": run.as_json(),
            "ledger": asdict(ledger),
            "groups": sorted(groups),
            "counts": {"words": counts.num_rows},
        }


class MergeCounts:
    """Worker of the merge phase. config: {runs}."""

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        self.store, self.runs = store, load_runs(store, config["runs"])

    def close(self) -> None:
        """Nothing is held."""

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        part, parts = arguments["partition"], arguments["partitions"]
        rows = gather(self.store, self.runs, COUNTS, *key_range(part, parts), order=_ORDER)
        return _written(self.store, [*rows.to_batches()], part, parts)


class AddTables:
    """Worker of the add phase. config: {tables: [[store's URI, shards], ...]}."""

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        self.store = store
        self.tables = [(open_store(uri), shards) for uri, shards in config["tables"]]

    def close(self) -> None:
        """Nothing is held."""

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        part, parts = arguments["partition"], arguments["partitions"]
        ends = key_range(part, parts)
        held = [
            checked(batch, f"the counts of {store.uri}")
            for store, shards in self.tables
            for batch in table_batches(store, shards, *ends)
        ]
        return _written(self.store, held, part, parts)


def _written(store: Store, batches: list[pa.RecordBatch], part: int, parts: int) -> dict[str, Any]:
    merged = merge_counts(batches)
    stem = f"{JOB}/data/part-{part:05d}-of-{parts:05d}"
    shard = write_shard(store, stem, "counts", pa.Table.from_batches([merged]))
    return {"shard": shard.as_json(), "counts": {"words": merged.num_rows}}


def table_batches(
    store: Store, shards: Sequence[Mapping[str, Any]], low: int = 0, high: int = KEY_SPACE
) -> Iterator[pa.RecordBatch]:
    """Yield the rows of a table (schema COUNTS, ascending) with low <= key < high; each shard's sha256 is checked."""
    for shard in shards:
        with open_shard(store, shard_of(shard)) as file:
            table = pq.ParquetFile(file, page_checksum_verification=True)
            for group in range(table.metadata.num_row_groups):
                found = table.metadata.row_group(group).column(0).statistics
                if found is not None and found.has_min_max and not (found.min < high and found.max >= low):
                    continue
                for batch in table.iter_batches(row_groups=[group], columns=COUNTS.names):
                    yield _between(batch, low, high)


def _between(batch: pa.RecordBatch, low: int, high: int) -> pa.RecordBatch:
    keys = batch["key"].to_numpy()
    first = int(np.searchsorted(keys, np.uint64(low), "left"))
    last = len(keys) if high >= KEY_SPACE else int(np.searchsorted(keys, np.uint64(high), "left"))
    return batch.slice(first, last - first)


@dataclass(frozen=True)
class Counts:
    """A committed table of counts and where it lies."""

    store: Store
    manifest: Manifest

    @property
    def shards(self) -> list[dict[str, Any]]:
        """Shards of the table, in the order of their keys."""
        return [shard for shard in self.manifest["shards"] if shard["kind"] == JOB]

    @property
    def groups(self) -> dict[int, Group]:
        """Groups by key."""
        return {group.key: group for group in (Group(*named) for named in self.manifest["statistics"]["groups"])}

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield all rows."""
        return table_batches(self.store, self.shards)


@dataclass
class CountJob:
    """Counts what an output holds, adds other tables to it, commits the sum."""

    launcher: Launcher

    def run(self, manifests: Mapping[str, Manifest], others: Sequence[Counts] = ()) -> tuple[int, Manifest, bool]:
        """Return (version, manifest, whether it stood already).

        Raises ValueError where there is nothing to count, or where a corpus would be counted twice.
        """
        before = newest_version(self.launcher.store, JOB)
        shards = shards_of(manifests)
        if not shards and not others:
            raise ValueError("no snapshot here holds a document, a caption or a transcript: there is nothing to count")
        corpora = sorted({manifests[job]["digest"] for job, _ in shards})
        for other in others:
            corpora = _disjoint(corpora, other.manifest["parents"])
        table, ledger, groups = self._count(shards) if shards else ([], CountLedger(), set())
        if others:
            table, ledger, groups = self._add(table, ledger, groups, others)
        if not ledger.balanced:
            raise RuntimeError(f"characters are neither counted nor accounted for: {ledger}")
        body = {
            "job": JOB,
            "settings": {"version": VERSION, "keys": KEY_VERSION, "tables": [o.manifest["digest"] for o in others]},
            "shards": table,
            "characters": asdict(ledger),
            "statistics": {"groups": sorted(groups)},
            "parents": corpora,
        }
        version, manifest = commit(self.launcher.store, JOB, body)
        return version, manifest, version <= before

    def _count(self, shards: list[tuple[str, dict[str, Any]]]) -> tuple[list[dict[str, Any]], CountLedger, set[Group]]:
        stem = f"{JOB}/count-v{VERSION}.{KEY_VERSION}"
        tasks = [
            Task(
                f"{stem}/{job}-{shard['sha256'][:32]}.json",
                {"job": job, "shard": shard, "output": f"{stem}/{job}-{shard['sha256'][:32]}"},
            )
            for job, shard in shards
        ]
        counted = self.launcher.run(JOB, Phase("count", tasks, f"{_HERE}:CountShard", {}))
        runs = [Run(**marker["run"]) for marker in counted]
        listed = save_runs(self.launcher.store, JOB, runs)
        parts = partitions_for(sum(run.memory_bytes for run in runs), PARTITION_BYTES)
        table = self._partitioned("merge", digest_of({"runs": listed, "version": VERSION}), parts, {"runs": listed})
        ledger = sum((CountLedger(**marker["ledger"]) for marker in counted), CountLedger())
        return table, ledger, {Group(*named) for marker in counted for named in marker["groups"]}

    def _add(
        self, table: list[dict[str, Any]], ledger: CountLedger, groups: set[Group], others: Sequence[Counts]
    ) -> tuple[list[dict[str, Any]], CountLedger, set[Group]]:
        tables: list[tuple[str, list[dict[str, Any]]]] = [(self.launcher.store_uri, table)]
        tables += [(other.store.uri, other.shards) for other in others]
        rows = sum(shard["records"] for _, shards in tables for shard in shards)
        key = digest_of({"tables": [[s["sha256"] for s in shards] for _, shards in tables], "version": VERSION})
        added = self._partitioned("add", key, partitions_for(rows * WORD_BYTES, PARTITION_BYTES), {"tables": tables})
        for other in others:
            ledger += CountLedger(**other.manifest["characters"])
            groups = groups | {*other.groups.values()}
        return added, ledger, groups

    def _partitioned(self, phase: str, key: str, parts: int, config: dict[str, Any]) -> list[dict[str, Any]]:
        tasks = [
            Task(f"{JOB}/{phase}/{key[:32]}/{part:05d}-of-{parts:05d}.json", {"partition": part, "partitions": parts})
            for part in range(parts)
        ]
        class_name = {"merge": "MergeCounts", "add": "AddTables"}[phase]
        markers = self.launcher.run(JOB, Phase(phase, tasks, f"{_HERE}:{class_name}", config))
        return [marker["shard"] for marker in markers]


def _disjoint(corpora: list[str], more: Sequence[str]) -> list[str]:
    """Return all corpora of a sum; refuse one that is in both."""
    if twice := sorted({*corpora} & {*more}):
        raise ValueError(f"the corpus {twice[0]} is counted in two of the tables: its words would count twice")
    return sorted([*corpora, *more])
