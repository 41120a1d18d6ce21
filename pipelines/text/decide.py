"""Decide and write: the phases after staging, each under a key of exactly what it reads.

A changed threshold changes the keys from select on; link and its labels stay. A changed shard count changes only the
key of write.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from filters.rules import Rule
from manifests.keys import digest_of
from manifests.limits import Limits
from manifests.runs import Run, partitions_for, save_runs
from pipelines.launcher import Launcher
from pipelines.recipe import Text
from pipelines.tasks import Marker, Phase, Task
from pipelines.text import judges
from pipelines.text.compact import compact
from pipelines.text.labels import label_clusters
from pipelines.text.staged import Staged

VERSION = 2


@dataclass
class Decide:
    """The decisions of one recipe over what is staged."""

    launcher: Launcher
    job: str
    text: Text
    rules: Sequence[Rule]
    limits: Limits

    def shard_count(self, text_bytes: int) -> int:
        """Return the recipe's number of shards; auto gives each half of shard_bytes of text, so that it fits memory.

        Raises ValueError where the recipe's number would put more than shard_bytes into a shard.
        """
        if self.text.shards == "auto":
            return partitions_for(text_bytes, max(1, self.limits.shard_bytes // 2))
        if text_bytes > self.limits.shard_bytes * self.text.shards:
            least = partitions_for(text_bytes, self.limits.shard_bytes)
            raise ValueError(
                f"text.shards: {self.text.shards} shards for {text_bytes:,} bytes of text are more than "
                f"limits.shard_bytes = {self.limits.shard_bytes:,} each; {least} shards would do"
            )
        return self.text.shards

    def run(self, staged: Staged, shards: int) -> tuple[list[Marker], list[Marker]]:
        """Run compact, select, link, components, route, verify and write; return the markers of write and verify."""
        if not staged.runs["documents"]:
            return [], []
        staged = compact(self.launcher, self.job, staged, self.limits, shards)
        name = staged.save(self.launcher.store, self.job)
        decided = self._listed(self._select(name, staged))
        verified = self._deduplicate(name, staged, decided)
        return self._write(name, decided, self._listed(verified), shards), verified

    def _listed(self, markers: Sequence[Marker]) -> str:
        return save_runs(self.launcher.store, self.job, _runs(markers))

    def _partitioned(self, phase: str, worker: str, config: dict[str, Any], size: int) -> list[Marker]:
        """Run a phase over even key ranges, as many as `size` bytes of rows ask for."""
        count = partitions_for(size, self.limits.partition_bytes)
        stem = f"{self.job}/{phase}/{digest_of({**config, 'version': VERSION})[:32]}"
        names = [f"{stem}/{part:05d}-of-{count:05d}" for part in range(count)]
        tasks = [
            Task(f"{name}.json", {"partition": part, "partitions": count, "output": name})
            for part, name in enumerate(names)
        ]
        return self.launcher.run(self.job, Phase(phase, tasks, worker, config))

    def _select(self, staged_name: str, staged: Staged) -> list[Marker]:
        config = {"staged": staged_name, "rules": judges.to_json(self.rules)}
        return self._partitioned("select", "pipelines.text.select:Select", config, staged.memory_bytes("signals"))

    def _deduplicate(self, staged_name: str, staged: Staged, decided: str) -> list[Marker]:
        dedup = self.text.dedup
        if not dedup.exact and dedup.near is None:
            return []
        module, config = "pipelines.text.duplicates", {"staged": staged_name}
        links = self._partitioned("link", f"{module}:Link", config, staged.memory_bytes("bands"))
        labels = label_clusters(self.launcher, self.job, digest_of([config, VERSION]), _runs(links))
        if not sum(run.rows for run in labels):
            return []
        route = {
            "staged": staged_name,
            "decided": decided,
            "labels": save_runs(self.launcher.store, self.job, labels),
            "ngram": dedup.near.ngram if dedup.near else 1,
        }
        routed = self._partitioned("route", f"{module}:Route", route, staged.memory_bytes("documents"))
        verify = {
            "routed": self._listed(routed),
            "exact": dedup.exact,
            "threshold": dedup.near.threshold if dedup.near else None,
            "max_leaders": self.limits.max_leaders_compared,
        }
        return self._partitioned("verify", f"{module}:Verify", verify, sum(run.memory_bytes for run in _runs(routed)))

    def _write(self, staged_name: str, decided: str, merged: str, shards: int) -> list[Marker]:
        config = {
            "staged": staged_name,
            "decided": decided,
            "merged": merged,
            "rules": judges.to_json(self.rules),
            "sample": self.text.dropped_text_sample,
        }
        stem = f"{self.job}/write/{digest_of({**config, 'shards': shards, 'version': VERSION})[:32]}"
        tasks = [
            Task(f"{stem}/{shard:05d}-of-{shards:05d}.json", {"shard": shard, "shards": shards})
            for shard in range(shards)
        ]
        return self.launcher.run(self.job, Phase("write", tasks, "pipelines.text.write:WriteShard", config))


def _runs(markers: Sequence[Marker]) -> list[Run]:
    return [Run(**marker["run"]) for marker in markers]
