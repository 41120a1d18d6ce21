"""One phase of a job as one Beam pipeline: tasks that are not done yet are shuffled to workers, each leaves a marker.

    Create([name of the task list]) -> read tasks -> drop those already done -> Reshuffle -> work

Beam moves task references of a few hundred bytes; records travel through staged files. A done-marker is created
last and exclusively, so a killed job goes on from the tasks that have one, on any runner.
"""

import importlib
import json
import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.pvalue import PCollection
from apache_beam.runners.runner import PipelineRunner
from apache_beam.transforms.util import Reshuffle

from manifests.keys import canonical_json, digest_of
from manifests.runs import put_same
from manifests.store import Store, open_store
from pipelines.progress import Progress

Marker = dict[str, Any]


@dataclass(frozen=True)
class Task:
    """A piece of work, named by the object that says it is done; `arguments` are JSON."""

    marker: str
    arguments: dict[str, Any]


class Worker(Protocol):
    """What a phase does: made once in each worker thread, closed at its end."""

    def run(self, arguments: dict[str, Any]) -> Marker: ...

    def close(self) -> None: ...


@dataclass(frozen=True)
class Phase:
    """A named list of tasks and the importable `module:class` that does one; the class takes (store, config)."""

    name: str
    tasks: Sequence[Task]
    worker: str
    config: dict[str, Any]


def load_object(path: str) -> Callable[..., Any]:
    """Return the object that `module:name` names."""
    module, _, name = path.partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return found


class ReadTasks(beam.DoFn):
    """The name of a task list -> its tasks that have no done-marker."""

    def __init__(self, store_uri: str) -> None:
        self.store_uri = store_uri

    def process(self, name: str) -> Iterator[tuple[str, str]]:
        store = open_store(self.store_uri)
        for marker, arguments in json.loads(store.read(name)):
            if store.size(marker) is None:
                yield marker, json.dumps(arguments)


class Work(beam.DoFn):
    """Task -> the name of its marker, once the marker stands."""

    def __init__(self, store_uri: str, worker: str, config: dict[str, Any]) -> None:
        self.store_uri, self.worker_path, self.config = store_uri, worker, config
        self.worker: Worker | None = None

    def setup(self) -> None:
        self.store = open_store(self.store_uri)

    def process(self, task: tuple[str, str]) -> Iterator[str]:
        if self.worker is None:
            self.worker = load_object(self.worker_path)(self.store, self.config)
        marker, arguments = task
        put_same(self.store, marker, canonical_json(self.worker.run(json.loads(arguments))))
        yield marker

    def teardown(self) -> None:
        if self.worker is not None:
            self.worker.close()


@dataclass
class RunTasks(beam.PTransform[beam.pvalue.PBegin, "PCollection[str]"]):
    """The phase's shape, the same for every job."""

    store_uri: str
    task_list: str
    worker: str
    config: dict[str, Any]

    def expand(self, begin: beam.pvalue.PBegin) -> "PCollection[str]":
        return (
            begin
            | "TaskList" >> beam.Create([self.task_list])
            | "ReadTasks" >> beam.ParDo(ReadTasks(self.store_uri)).with_output_types(tuple[str, str])
            | "Spread" >> Reshuffle()
            | "Work" >> beam.ParDo(Work(self.store_uri, self.worker, self.config)).with_output_types(str)
        )


@dataclass
class Launcher:
    """Runs phases on a runner: FnApiRunner with all cores unless Beam's own options name another."""

    store_uri: str
    beam_options: Sequence[str] = ()
    workers: int = 1
    quiet: bool = False

    def __post_init__(self) -> None:
        self.store: Store = open_store(self.store_uri)

    def run(self, job: str, phase: Phase) -> list[Marker]:
        """Do the tasks that are not done and return the markers of all, in task order."""
        missing = [task for task in phase.tasks if self.store.size(task.marker) is None]
        if missing:
            task_list = self._store_tasks(job, phase)
            with Progress(phase.name, self.store, [t.marker for t in phase.tasks], self.quiet):
                self.run_pipeline(
                    lambda pipeline: (
                        pipeline | phase.name >> RunTasks(self.store_uri, task_list, phase.worker, phase.config)
                    )
                )
        return [json.loads(self.store.read(task.marker)) for task in phase.tasks]

    def run_pipeline(self, build: Callable[[beam.Pipeline], Any]) -> None:
        """Build and run one pipeline; raises when it did not end in DONE."""
        with beam.Pipeline(runner=self._runner(), options=PipelineOptions(self._options())) as pipeline:
            build(pipeline)

    def _store_tasks(self, job: str, phase: Phase) -> str:
        tasks = [[task.marker, task.arguments] for task in phase.tasks]
        name = f"{job}/plans/{phase.name}-{digest_of(tasks)[:16]}.json"
        put_same(self.store, name, canonical_json(tasks))
        return name

    def _options(self) -> list[str]:
        options = list(self.beam_options)
        if not any(option.startswith("--direct_num_workers") for option in options):
            options.append(f"--direct_num_workers={self.workers}")
        if self.workers > 1 and not any(option.startswith("--direct_running_mode") for option in options):
            options.append("--direct_running_mode=multi_threading")
        return options

    def _runner(self) -> PipelineRunner | None:
        if any(option.startswith("--runner") for option in self.beam_options):
            return None
        from apache_beam.runners.portability.fn_api_runner.fn_runner import FnApiRunner

        logging.getLogger("apache_beam").setLevel(logging.ERROR)
        return FnApiRunner()
