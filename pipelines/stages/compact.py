"""Compact: where runs times partitions would make tiny reads, runs are merged first, `fan_in` at a time.

A merge keeps every row and changes no later result; its done-marker is a checkpoint like any other.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from manifests.keys import digest_of, key_range
from manifests.limits import Limits
from manifests.runs import Run, gather, partitions_for, run_schema, write_run
from manifests.store import Store
from pipelines.launcher import Launcher
from pipelines.stages.parts import Layout
from pipelines.stages.staged import Staged
from pipelines.tasks import Phase, Task


class MergeRuns:
    """Worker: some runs of a kind -> the same rows in fewer runs, each of about `part_bytes` in memory."""

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        self.store, self.part_bytes, self.orders = store, config["part_bytes"], config["orders"]

    def close(self) -> None:
        """Nothing is held."""

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        runs = [Run(**run) for run in arguments["runs"]]
        schema = run_schema(self.store, runs[0])
        pieces = partitions_for(sum(run.memory_bytes for run in runs), self.part_bytes)
        order = self.orders[arguments["kind"]]
        made = []
        for piece in range(pieces):
            rows = gather(self.store, runs, schema, *key_range(piece, pieces), order=order)
            if rows.num_rows:
                made.append(write_run(self.store, f"{arguments['output']}-{piece:04d}", rows, order))
        return {"runs": [run.as_json() for run in made], "counts": {"rows": sum(run.rows for run in made)}}


def needs_compaction(runs: Sequence[Run], limits: Limits, partitions: int) -> bool:
    """Return whether reading `partitions` ranges of each run would mean many reads of less than min_range_bytes."""
    reads = len(runs) * partitions
    return len(runs) > limits.compact_fan_in and sum(run.bytes for run in runs) < reads * limits.min_range_bytes


def compact(launcher: Launcher, layout: Layout, staged: Staged, limits: Limits, shards: int) -> Staged:
    """Return staged data in few enough runs, for so many shards; what needs no merge is returned as it is."""
    tasks: list[Task] = []
    chosen = [
        kind
        for kind in layout.orders
        if needs_compaction(staged.runs[kind], limits, _readers(staged, kind, limits, shards))
    ]
    for kind in chosen:
        runs = staged.runs[kind]
        for start in range(0, len(runs), limits.compact_fan_in):
            group = [run.as_json() for run in runs[start : start + limits.compact_fan_in]]
            stem = f"{layout.job}/compact/{digest_of([kind, group, limits.part_bytes])[:32]}"
            tasks.append(Task(f"{stem}.json", {"kind": kind, "runs": group, "output": stem}))
    if not tasks:
        return staged
    config = {"part_bytes": limits.part_bytes, "orders": dict(layout.orders)}
    markers = launcher.run(layout.job, Phase("compact", tasks, "pipelines.stages.compact:MergeRuns", config))
    merged = dict(staged.runs)
    for kind in chosen:
        found = [marker for task, marker in zip(tasks, markers, strict=True) if task.arguments["kind"] == kind]
        merged[kind] = [Run(**run) for marker in found for run in marker["runs"]]
    return Staged(merged)


def _readers(staged: Staged, kind: str, limits: Limits, shards: int) -> int:
    return max(shards, partitions_for(staged.memory_bytes(kind), limits.partition_bytes))
