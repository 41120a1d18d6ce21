"""The phases after staging, each under a key of exactly what it reads: select, link, route, verify, write, pack."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from filters.code.imports import IMPORTS_VERSION
from filters.code.packing import PACKING_VERSION
from filters.contamination import VERSION as CONTAMINATION_VERSION
from filters.rules import Rule
from manifests.keys import digest_of
from manifests.limits import Limits
from manifests.runs import Run, save_runs
from pipelines.launcher import Launcher
from pipelines.repositories.block import Code
from pipelines.repositories.keepers import KEEPERS_VERSION
from pipelines.repositories.pack import PACK_VERSION
from pipelines.repositories.stage import LAYOUT
from pipelines.repositories.write import JOB, WRITE_VERSION
from pipelines.stages import judges
from pipelines.stages.clusters import Clustering, verified
from pipelines.stages.compact import compact
from pipelines.stages.ranges import Ranges, runs_of
from pipelines.stages.shard_count import shard_count
from pipelines.stages.staged import Staged
from pipelines.tasks import Marker
from pipelines.text.contamination import find_contamination

VERSION = 1


def decide_versions() -> dict[str, int]:
    """Return the versions of what these phases do."""
    return {
        "decide": VERSION,
        "keepers": KEEPERS_VERSION,
        "write": WRITE_VERSION,
        "pack": PACK_VERSION,
        "packing": PACKING_VERSION,
        "imports": IMPORTS_VERSION,
        "contamination": CONTAMINATION_VERSION,
    }


@dataclass
class DecideCode:
    """The decisions of one recipe over what is staged."""

    launcher: Launcher
    code: Code
    rules: Sequence[Rule]
    limits: Limits

    @property
    def _ranges(self) -> Ranges:
        return Ranges(self.launcher, JOB, digest_of(decide_versions())[:16], self.limits.partition_bytes)

    def shard_count(self, text_bytes: int) -> int:
        """Return the number of shards; raises ValueError where the recipe's own is too small."""
        return shard_count("code", self.code.shards, text_bytes, self.limits)

    def run(self, staged: Staged, shards: int) -> tuple[list[Marker], list[Marker]]:
        """Return the markers of write and pack, and those of verify."""
        if not staged.runs["documents"]:
            return [], []
        staged = compact(self.launcher, LAYOUT, staged, self.limits, shards)
        name = staged.save(self.launcher.store, JOB)
        select = {"staged": name, "rules": judges.to_json(self.rules)}
        size = staged.memory_bytes("signals")
        decided = self._ranges.listed(self._ranges.run("select", "pipelines.text.select:Select", select, size))
        found = self._deduplicate(name, staged, decided)
        survivors = {"staged": name, "decided": decided, "merged": self._ranges.listed(found)}
        config: dict[str, Any] = {
            **survivors,
            **self._decontaminate(survivors, staged),
            "rules": judges.to_json(self.rules),
            "stand_for": save_runs(self.launcher.store, JOB, [Run(**marker["stands_for"]) for marker in found]),
            "sample": self.code.dropped_text_sample,
            "pack": self.code.pack is not None,
        }
        written = self._ranges.write("pipelines.repositories.write:WriteShard", config, shards)
        return [*written, *self._pack(written)], found

    def _pack(self, written: Sequence[Marker]) -> list[Marker]:
        if self.code.pack is None:
            return []
        runs = runs_of(written)
        config = {"files": self._ranges.listed(written), "settings": self.code.pack.model_dump()}
        size = sum(run.memory_bytes for run in runs)
        return self._ranges.run("pack", "pipelines.repositories.pack:PackRepositories", config, size)

    def _decontaminate(self, survivors: dict[str, str], staged: Staged) -> dict[str, str]:
        block = self.code.decontaminate
        return {} if block is None else find_contamination(self._ranges, survivors, staged, block)

    def _deduplicate(self, name: str, staged: Staged, decided: str) -> list[Marker]:
        dedup = self.code.dedup
        if not dedup.exact and dedup.near is None:
            return []
        common = {"staged": name, "decided": decided, "ngram": dedup.near.ngram if dedup.near else 1}
        verify = {
            "exact": dedup.exact,
            "threshold": dedup.near.threshold if dedup.near else None,
            "max_leaders": self.limits.max_leaders_compared,
        }
        return verified(self._ranges, staged, common, Clustering("pipelines.repositories.keepers", "documents", verify))
