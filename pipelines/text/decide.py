"""Decide and write: the phases after staging, each under a key of exactly what it reads.

A changed threshold changes the keys from select on; link and its labels stay. A changed shard count changes only the
key of write.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from filters.contamination import VERSION as CONTAMINATION_VERSION
from filters.contamination import Grams
from filters.repeats import VERSION as REPEATS_VERSION
from filters.rules import Rule
from manifests.keys import digest_of
from manifests.limits import Limits
from manifests.runs import partitions_for, save_runs
from pipelines.launcher import Launcher
from pipelines.stages import judges
from pipelines.stages.compact import compact
from pipelines.stages.labels import label_clusters
from pipelines.stages.ranges import Ranges, runs_of
from pipelines.stages.staged import Staged
from pipelines.tasks import Marker
from pipelines.text.block import Text
from pipelines.text.contamination import store_sets
from pipelines.text.part import LAYOUT

VERSION = 3


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
        merged = self._ranges.listed(verified)
        survivors = {"staged": name, "decided": decided, "merged": merged}
        late = self._decontaminate(survivors, staged) | self._cut_repeats(survivors, staged)
        return self._write({**survivors, **late}, shards), verified

    def _decontaminate(self, survivors: dict[str, str], staged: Staged) -> dict[str, str]:
        """Return {hits: what holds items of evaluation sets}, or nothing where there are no sets."""
        block = self.text.decontaminate
        if block is None:
            return {}
        grams = Grams(words=block.words, characters=block.characters, min_fraction=block.min_fraction)
        sets = store_sets(self.launcher.store, self.job, block)
        config = {**survivors, "sets": sets, "grams": asdict(grams), "version": CONTAMINATION_VERSION}
        worker, size = "pipelines.text.contamination:FindContamination", staged.memory_bytes("documents")
        return {"hits": self._ranges.listed(self._ranges.run("contamination", worker, config, size))}

    def _cut_repeats(self, survivors: dict[str, str], staged: Staged) -> dict[str, str]:
        """Return {cuts: ranges of documents that others hold too}, or nothing where they may stay."""
        block, module = self.text.dedup.repeats, "pipelines.text.repeats"
        if block is None:
            return {}
        config = {**survivors, "unit": block.unit, "min_characters": block.min_characters, "version": REPEATS_VERSION}
        found = self._ranges.run("passages", f"{module}:FindPassages", config, staged.memory_bytes("documents"))
        config = {"passages": self._ranges.listed(found), "min_documents": block.min_documents}
        size = sum(run.memory_bytes for run in runs_of(found))
        return {"cuts": self._ranges.listed(self._ranges.run("repeats", f"{module}:FindRepeats", config, size))}

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
            "survivor": dedup.survivor,
        }
        routed = self._ranges.run("route", f"{module}:Route", route, staged.memory_bytes("documents"))
        verify = {
            "routed": self._ranges.listed(routed),
            "exact": dedup.exact,
            "threshold": dedup.near.threshold if dedup.near else None,
            "max_leaders": self.limits.max_leaders_compared,
        }
        return self._ranges.run("verify", f"{module}:Verify", verify, sum(run.memory_bytes for run in runs_of(routed)))

    def _write(self, decisions: dict[str, str], shards: int) -> list[Marker]:
        config = {**decisions, "rules": judges.to_json(self.rules), "sample": self.text.dropped_text_sample}
        return self._ranges.write("pipelines.text.write:WriteShard", config, shards)
