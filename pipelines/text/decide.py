"""Decide and write: the phases after staging, each under a key of exactly what it reads.

A changed threshold changes the keys from select on; link and its labels stay. A changed shard count changes only the
key of write.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from filters.personal.find import VERSION as FIND_VERSION
from filters.personal.mask import VERSION as MASK_VERSION
from filters.repeats import VERSION as REPEATS_VERSION
from filters.rules import Rule
from manifests.limits import Limits
from manifests.runs import Run, save_runs
from pipelines.launcher import Launcher
from pipelines.recipe_errors import nearest
from pipelines.stages import judges
from pipelines.stages.clusters import Clustering, verified
from pipelines.stages.compact import compact
from pipelines.stages.ranges import Ranges, runs_of
from pipelines.stages.shard_count import shard_count
from pipelines.stages.staged import Staged
from pipelines.tasks import Marker
from pipelines.text.block import Text
from pipelines.text.contamination import find_contamination
from pipelines.text.cut_substrings import cut_substrings
from pipelines.text.other_corpora import Others, known_bands
from pipelines.text.part import LAYOUT
from pipelines.text.preferences import BEST_QUALITY, columns_of, is_number

VERSION = 4


@dataclass
class Decide:
    """The decisions of one recipe over what is staged."""

    launcher: Launcher
    job: str
    text: Text
    rules: Sequence[Rule]
    limits: Limits
    measured: dict[str, Any]  # families and watch of the stage settings: what is measured again after cuts
    others: Others = field(default_factory=lambda: Others((), ()))  # snapshots whose documents are not kept again

    @property
    def _ranges(self) -> Ranges:
        return Ranges(self.launcher, self.job, VERSION, self.limits.partition_bytes)

    def shard_count(self, text_bytes: int) -> int:
        """Return the number of shards; raises ValueError where the recipe's own is too small."""
        return shard_count("text", self.text.shards, text_bytes, self.limits)

    def run(self, staged: Staged, shards: int) -> tuple[list[Marker], list[Marker]]:
        """Run compact, select, link, components, route, verify and write; return the markers of write and verify."""
        if not staged.runs["documents"]:
            return [], []
        staged = compact(self.launcher, LAYOUT, staged, self.limits, shards)
        name = staged.save(self.launcher.store, self.job)
        decided = self._ranges.listed(self._select(name, staged))
        found = self._deduplicate(name, staged, decided)
        merged = self._ranges.listed(found)
        survivors = {"staged": name, "decided": decided, "merged": merged}
        stand_for = [Run(**marker["stands_for"]) for marker in found]
        survivors |= self._decontaminate(survivors, staged)
        late: dict[str, Any] = {}
        if cuts := [*self._cut_repeats(survivors, staged), *self._cut_substrings(survivors, staged)]:
            late["cuts"] = self._ranges.listed(cuts)
        late |= self.measured if "cuts" in late else {}
        late["stand_for"] = save_runs(self.launcher.store, self.job, stand_for)
        return self._write({**survivors, **late}, shards), found

    def _decontaminate(self, survivors: dict[str, str], staged: Staged) -> dict[str, str]:
        """Return {hits: what holds items of evaluation sets}, or nothing where there are no sets."""
        block = self.text.decontaminate
        return {} if block is None else find_contamination(self._ranges, survivors, staged, block)

    def _cut_substrings(self, survivors: dict[str, str], staged: Staged) -> list[Marker]:
        """Return the markers of strings that are cut because they stand earlier too; none where they may stay."""
        block = self.text.dedup.substrings
        if block is None:
            return []
        return cut_substrings(self._ranges, survivors, staged.memory_bytes("documents"), block, self.limits)

    def _cut_repeats(self, survivors: dict[str, str], staged: Staged) -> list[Marker]:
        """Return the markers of ranges that are cut because other documents hold them too; none where they may stay."""
        block, module = self.text.dedup.repeats, "pipelines.text.repeats"
        if block is None:
            return []
        config = {**survivors, "unit": block.unit, "min_characters": block.min_characters, "version": REPEATS_VERSION}
        found = self._ranges.run("passages", f"{module}:FindPassages", config, staged.memory_bytes("documents"))
        config = {"passages": self._ranges.listed(found), "min_documents": block.min_documents}
        size = sum(run.memory_bytes for run in runs_of(found))
        return self._ranges.run("repeats", f"{module}:FindRepeats", config, size)

    def _select(self, staged_name: str, staged: Staged) -> list[Marker]:
        config = {"staged": staged_name, "rules": judges.to_json(self.rules)}
        return self._ranges.run("select", "pipelines.text.select:Select", config, staged.memory_bytes("signals"))

    def _deduplicate(self, staged_name: str, staged: Staged, decided: str) -> list[Marker]:
        dedup = self.text.dedup
        if not dedup.exact and dedup.near is None:
            return []
        common = {
            "staged": staged_name,
            "decided": decided,
            "ngram": dedup.near.ngram if dedup.near else 1,
            "survivor": self._survivor(staged),
            **self.others.key(),
        }
        verify = {
            "exact": dedup.exact,
            "threshold": dedup.near.threshold if dedup.near else None,
            "max_leaders": self.limits.max_leaders_compared,
            **self.others.key(),
        }
        how = Clustering(
            "pipelines.text.duplicates", "documents", verify, link_config=self._known(), beside=self.others.beside()
        )
        return verified(self._ranges, staged, common, how)

    def _survivor(self, staged: Staged) -> str | dict[str, Any]:
        """Return who stays of a cluster, with the signals that decide; raises ValueError where one is not measured."""
        chosen = self.text.dedup.survivor
        if chosen == "best_quality":
            return dict(BEST_QUALITY)
        if isinstance(chosen, str):
            return chosen
        survivor = chosen.model_dump(mode="json")
        measured = {field.name for field in staged.signal_schema(self.launcher.store) if is_number(field.type)}
        for name in columns_of(survivor):
            if name not in measured:
                raise ValueError(f"text.dedup.survivor: no signal is called {name}; {nearest(name, measured)}")
        return survivor

    def _known(self) -> dict[str, str]:
        """Return {known: bands of what other snapshots keep}, or nothing where there are none."""
        if not self.others.digests:
            return {}
        near = self.text.dedup.near
        hashing = None if near is None else {"bands": near.bands, "rows": near.rows, "ngram": near.ngram}
        runs = known_bands(self.launcher, self.job, self.others, hashing)
        return {"known": save_runs(self.launcher.store, self.job, runs)}

    def _personal(self) -> dict[str, Any] | None:
        """Return what is masked and how, with the versions of what finds and masks it."""
        block = self.text.personal
        if block is None:
            return None
        return {**block.model_dump(mode="json"), "versions": [FIND_VERSION, MASK_VERSION]}

    def _write(self, decisions: dict[str, Any], shards: int) -> list[Marker]:
        config = {**decisions, "rules": judges.to_json(self.rules), "sample": self.text.dropped_text_sample}
        config |= {"personal": self._personal()}
        return self._ranges.write("pipelines.text.write:WriteShard", config, shards)
