"""One phase of a job as one Beam pipeline: tasks that are not done yet are shuffled to workers, each leaves a marker.

    Create([name of a list of undone tasks]) -> read tasks -> Reshuffle, where there are several -> work

Beam moves task references (a few hundred bytes; a packed list of files some hundred KB), records travel through
staged files. A done-marker is created last and exclusively, so a killed job goes on from the tasks that have one, on
any runner. Work that is done twice (a retried bundle, a twin) must make the same marker, or it is an error.
"""

import argparse
import importlib
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.pvalue import PBegin, PCollection
from apache_beam.runners.runner import PipelineRunner
from apache_beam.transforms.util import Reshuffle

from manifests.keys import canonical_json
from manifests.objects import read_json
from manifests.runs import put_same
from manifests.store import open_store
from pipelines.tasks import Worker


def load_object(path: str) -> Callable[..., Any]:
    """Return the object that `module:name` names."""
    module, _, name = path.partition(":")
    found: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return found


class ReadTasks(beam.DoFn):
    """The name of a task list -> its tasks: those that the launcher found undone."""

    def __init__(self, store_uri: str) -> None:
        self.store_uri = store_uri

    def process(self, name: str) -> Iterator[tuple[str, str]]:
        for marker, arguments in read_json(open_store(self.store_uri), name, kind=list, what="list of tasks"):
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
class RunTasks(beam.PTransform[PBegin, "PCollection[str]"]):
    """The phase's shape, the same for every job."""

    store_uri: str
    task_list: str
    worker: str
    config: dict[str, Any]
    is_spread: bool = True  # False: the one task that there is stays where it was read

    def expand(self, begin: PBegin) -> "PCollection[str]":
        tasks = (
            begin
            | "TaskList" >> beam.Create([self.task_list], reshuffle=False)
            | "ReadTasks" >> beam.ParDo(ReadTasks(self.store_uri)).with_output_types(tuple[str, str])
        )
        if self.is_spread:
            tasks = tasks | "Spread" >> Reshuffle()
        work = beam.ParDo(Work(self.store_uri, self.worker, self.config)).with_output_types(str)
        done: PCollection[str] = tasks | "Work" >> work
        return done


def run_pipeline(build: Callable[[beam.Pipeline], Any], options: Sequence[str], workers: int) -> None:
    """Build and run one pipeline; raises when it did not end in DONE."""
    with beam.Pipeline(runner=_runner(options), options=PipelineOptions(_with_workers(options, workers))) as pipeline:
        build(pipeline)


def _with_workers(options: Sequence[str], workers: int) -> list[str]:
    given = list(options)
    if not any(option.startswith("--direct_num_workers") for option in given):
        given.append(f"--direct_num_workers={workers}")
    if workers > 1 and not any(option.startswith("--direct_running_mode") for option in given):
        given.append("--direct_running_mode=multi_threading")
    return given


def _runner(options: Sequence[str]) -> PipelineRunner | None:
    """Return FnApiRunner unless the options name another; `DirectRunner` would look for a binary to fetch."""
    if any(option.startswith("--runner") for option in options):
        return None
    from apache_beam.runners.portability.fn_api_runner.fn_runner import FnApiRunner

    return FnApiRunner()


def check_options(options: Sequence[str]) -> None:
    """Refuse a flag that no option class of Beam knows: Beam itself would drop it with a warning.

    Raises ValueError naming the flags; `is_usage` makes it exit status 2.
    """
    if any("dask" in option.lower() for option in options):
        import apache_beam.runners.dask.dask_runner  # noqa: F401  (defines options of its own)
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    for kind in _all_option_classes(PipelineOptions):
        with suppress(argparse.ArgumentError):  # an alias that another class has defined
            kind._add_argparse_args(parser)  # type: ignore[arg-type]
    unknown = [flag for flag in parser.parse_known_args(list(options))[1] if flag.startswith("-")]
    if unknown:
        error = ValueError(f"Beam knows no option {', '.join(unknown)}; what stands after -- goes to Beam")
        error.is_usage = True  # type: ignore[attr-defined]
        raise error


def _all_option_classes(kind: type[PipelineOptions]) -> Iterator[type[PipelineOptions]]:
    for each in kind.__subclasses__():
        if "_add_argparse_args" in vars(each):
            yield each
        yield from _all_option_classes(each)
