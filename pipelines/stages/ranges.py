"""Phases over even key ranges: how many, what their tasks are called, and the list of the runs that they leave."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from manifests.keys import digest_of
from manifests.runs import Run, partitions_for, save_runs
from pipelines.launcher import Launcher
from pipelines.tasks import Marker, Phase, Task


def numbered(stem: str, count: int) -> Iterator[tuple[int, str]]:
    """Yield (number, `stem/number-of-count`) of `count` pieces."""
    for number in range(count):
        yield number, f"{stem}/{number:05d}-of-{count:05d}"


@dataclass(frozen=True)
class Ranges:
    """Runs the phases of a job that go over key ranges or shards; a phase's stem digests exactly what it reads."""

    launcher: Launcher
    job: str
    version: int | str  # of what the job's workers do
    partition_bytes: int

    def run(
        self, phase: str, worker: str, config: dict[str, Any], size: int, beside: Mapping[str, Any] | None = None
    ) -> list[Marker]:
        """Run a phase over as many even key ranges as `size` bytes of rows ask for.

        A task's arguments: {partition, partitions, output: stem of what it writes}. `beside` is config that is in no
        key: where something lies that the config names by its digest.
        """
        count = partitions_for(size, self.partition_bytes)
        tasks = [
            Task(f"{name}.json", {"partition": number, "partitions": count, "output": name})
            for number, name in numbered(self._stem(phase, config), count)
        ]
        return self.launcher.run(self.job, Phase(phase, tasks, worker, {**config, **(beside or {})}))

    def write(self, worker: str, config: dict[str, Any], shards: int) -> list[Marker]:
        """Run the write phase, a task a shard. Its arguments: {shard, shards}."""
        tasks = [
            Task(f"{name}.json", {"shard": number, "shards": shards})
            for number, name in numbered(self._stem("write", {**config, "shards": shards}), shards)
        ]
        return self.launcher.run(self.job, Phase("write", tasks, worker, config))

    def listed(self, markers: Sequence[Marker]) -> str:
        """Return the name of the stored list of the runs that a phase left."""
        return save_runs(self.launcher.store, self.job, runs_of(markers))

    def _stem(self, phase: str, config: Mapping[str, Any]) -> str:
        return f"{self.job}/{phase}/{digest_of({**config, 'version': self.version})[:32]}"


def runs_of(markers: Sequence[Marker]) -> list[Run]:
    """Return the one run of each marker."""
    return [Run(**marker["run"]) for marker in markers]
