"""What the jobs of pictures, sounds and films share: plan, stage, decide, commit."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, ClassVar

from manifests.limits import Limits
from manifests.manifest import Manifest, commit, newest_version
from manifests.runs import partitions_for
from pipelines.launcher import Launcher
from pipelines.recipe import Input
from pipelines.stages.compact import compact
from pipelines.stages.parts import Layout
from pipelines.stages.ranges import Ranges
from pipelines.stages.snapshot import snapshot_body
from pipelines.stages.staged import Staged
from pipelines.stages.units import Inputs, Planned
from pipelines.tasks import Marker, Phase
from pipelines.url_list_block import UrlListBlock


@dataclass
class MediaJob(ABC):
    """A recipe's block of one medium over its inputs; a medium says what it stages and how it decides.

    Its workers are pipelines.<job>.stage:Stage<Job> and pipelines.<job>.write:WriteShard.
    """

    block: Any
    inputs: Sequence[Input]
    limits: Limits
    media_limits: Any
    launcher: Launcher
    crawled: Manifest | None = None
    opt_out: Sequence[UrlListBlock] = ()

    LAYOUT: ClassVar[Layout]
    ROWS: ClassVar[str]  # the staged rows without which nothing is left to decide
    VERSION: ClassVar[int | str]  # of the phases after staging

    def __post_init__(self) -> None:
        self.job = self.LAYOUT.job
        self.sources = Inputs(self.inputs, self.launcher.store, self.crawled, self.opt_out)
        self.ranges = Ranges(self.launcher, self.job, self.VERSION, self.limits.partition_bytes)

    @abstractmethod
    def described(self) -> dict[str, Any]:
        """Return the settings that decide the bytes of the snapshot."""

    @abstractmethod
    def _stage_settings(self) -> dict[str, Any]:
        """Return the settings that decide what is staged."""

    @abstractmethod
    def _stage_config(self) -> dict[str, Any]:
        """Return what the worker of this medium takes beside what all take."""

    @abstractmethod
    def _bring(self) -> None:
        """Fetch models and put the user's files into the output."""

    @abstractmethod
    def _decisions(self, name: str, staged: Staged) -> dict[str, Any]:
        """Run the phases between staging and writing; return the configuration of the writer. `name` is `staged`'s."""

    def plan(self) -> list[Planned]:
        """Return the units of all inputs in a fixed order."""
        return self.sources.plan(self.job, {"settings": self._stage_settings()}, self.limits)

    def run(self) -> tuple[int, Manifest, bool]:
        """Run what is not done, commit, and return (version, manifest, whether it stood already)."""
        self._bring()
        before = newest_version(self.launcher.store, self.job)
        planned = self.plan()
        markers = self._stage(planned)
        staged = Staged.from_markers(markers, self.LAYOUT.orders)
        encoded_bytes = sum(marker["encoded_bytes"] for marker in markers)
        written = self._decide(staged, encoded_bytes) if staged.runs[self.ROWS] else []
        self.sources.check_unchanged(planned)
        version, manifest = commit(self.launcher.store, self.job, self._body(markers, written))
        return version, manifest, version <= before

    def _stage(self, planned: Sequence[Planned]) -> list[Marker]:
        config = {
            "inputs": self.sources.config,
            "limits": asdict(self.limits),
            "refuse": list(self.block.refuse),
            "pack_bytes": 2 * self.limits.part_bytes,
            **self._stage_config(),
        }
        worker = f"pipelines.{self.job}.stage:Stage{self.job.title()}"
        return self.launcher.run(self.job, Phase("stage", [each.task for each in planned], worker, config))

    def _decide(self, staged: Staged, encoded_bytes: int) -> list[Marker]:
        shards = self.block.shards
        if shards == "auto":
            shards = partitions_for(encoded_bytes, max(1, 2 * self.limits.shard_bytes))
        staged = compact(self.launcher, self.LAYOUT, staged, self.limits, shards)
        config = self._decisions(staged.save(self.launcher.store, self.job), staged)
        return self.ranges.write(f"pipelines.{self.job}.write:WriteShard", config, shards)

    def _parents(self) -> list[str]:
        """Return the digests of the snapshots that this one was made of."""
        return [self.crawled["digest"]] if self.crawled else []

    def _body(self, staged: Sequence[Marker], written: Sequence[Marker]) -> Manifest:
        """Return the manifest's body; raises where a unit's account or its files do not balance."""
        store, settings = self.launcher.store, self.described()
        return snapshot_body(store, self.job, settings, staged, written, kept="records", parents=self._parents())
