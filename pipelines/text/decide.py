"""Decide and write: the phases after staging, each under a key of exactly what it reads.

A changed threshold changes the keys from select on; link and its labels stay. A changed shard count changes only the
key of write.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from filters.rules import Rule
from manifests.keys import digest_of
from manifests.limits import Limits
from manifests.runs import partitions_for, save_runs
from pipelines.launcher import Launcher
from pipelines.recipe import Text
from pipelines.stages import judges
from pipelines.stages.compact import compact
from pipelines.stages.labels import label_clusters
from pipelines.stages.ranges import Ranges, runs_of
from pipelines.stages.staged import Staged
from pipelines.tasks import Marker
from pipelines.text.part import LAYOUT

VERSION = 2


@dataclass
class Decide:
    """The decisions of one recipe over what is staged."""

    launcher: Launcher
    job: str
    text: Text
    rules: Sequence[Rule]
    limits: Limits

    @property
    def _ranges(self) -> Ranges:
        return Ranges(self.launcher, self.job, VERSION, self.limits.partition_bytes)

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
        staged = compact(self.launcher, LAYOUT, staged, self.limits, shards)
        name = staged.save(self.launcher.store, self.job)
        decided = self._ranges.listed(self._select(name, staged))
        verified = self._deduplicate(name, staged, decided)
        return self._write(name, decided, self._ranges.listed(verified), shards), verified

    def _select(self, staged_name: str, staged: Staged) -> list[Marker]:
        config = {"staged": staged_name, "rules": judges.to_json(self.rules)}
        return self._ranges.run("select", "pipelines.text.select:Select", config, staged.memory_bytes("signals"))

    def _deduplicate(self, staged_name: str, staged: Staged, decided: str) -> list[Marker]:
        dedup = self.text.dedup
        if not dedup.exact and dedup.near is None:
            return []
        module, config = "pipelines.text.duplicates", {"staged": staged_name}
        links = self._ranges.run("link", f"{module}:Link", config, staged.memory_bytes("bands"))
        labels = label_clusters(self.launcher, self.job, digest_of([config, VERSION]), runs_of(links))
        if not sum(run.rows for run in labels):
            return []
        route = {
            "staged": staged_name,
            "decided": decided,
            "labels": save_runs(self.launcher.store, self.job, labels),
            "ngram": dedup.near.ngram if dedup.near else 1,
        }
        routed = self._ranges.run("route", f"{module}:Route", route, staged.memory_bytes("documents"))
        verify = {
            "routed": self._ranges.listed(routed),
            "exact": dedup.exact,
            "threshold": dedup.near.threshold if dedup.near else None,
            "max_leaders": self.limits.max_leaders_compared,
        }
        return self._ranges.run("verify", f"{module}:Verify", verify, sum(run.memory_bytes for run in runs_of(routed)))

    def _write(self, staged_name: str, decided: str, merged: str, shards: int) -> list[Marker]:
        config = {
            "staged": staged_name,
            "decided": decided,
            "merged": merged,
            "rules": judges.to_json(self.rules),
            "sample": self.text.dropped_text_sample,
        }
        return self._ranges.write("pipelines.text.write:WriteShard", config, shards)
