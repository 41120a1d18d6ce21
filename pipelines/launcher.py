"""The launcher: which tasks of a phase are not done, and a pipeline for these alone.

Beam is imported when there is something to run, so a job that is all done says so at once.
"""

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from manifests.keys import canonical_json, digest_of
from manifests.objects import read_json
from manifests.runs import put_same
from manifests.store import ObjectNotFound, Store, open_store
from pipelines.progress import Progress
from pipelines.tasks import Marker, Phase, Task

LOOKS_AT_ONCE = 16
# The end of the text that Beam makes of a worker's error: in several threads the whole traceback, else the last line.
_KINDS = (
    "ValueError|RuntimeError|OSError|(?:FileNotFound|Permission|FileExists|NotADirectory|IsADirectory|Timeout)Error|"
    "StoreError|ObjectNotFound|(?:DamagedRun|ClaimLost|NoDescriptors|Integrity|Manifest|Ledger|JSONDecode)Error"
)
_WORKER_SAID = re.compile(
    rf"^(?:(?:\w+\.)*(?:{_KINDS}): )+(?P<message>.*)\s\[while running '(?P<phase>[^'/]+)[^']*'\]\s*\Z", re.MULTILINE
)
_ANNOTATION = re.compile(r"\s\[while running '(?P<phase>[^'/]+)[^']*'\]\s*\Z")


@dataclass
class Launcher:
    """Runs phases on a runner: FnApiRunner with all cores unless Beam's own options name another."""

    store_uri: str
    beam_options: Sequence[str] = ()
    workers: int = 1
    quiet: bool = False

    def __post_init__(self) -> None:
        self.store: Store = open_store(self.store_uri)
        if self.beam_options:
            _import_beam_quietly()
            from pipelines.phases import check_options

            check_options(self.beam_options)

    def run(self, job: str, phase: Phase) -> list[Marker]:
        """Do the tasks that are not done and return the markers of all, in task order."""
        return self.run_together(job, phase)[0]

    def run_together(self, job: str, *phases: Phase) -> list[list[Marker]]:
        """Do the undone tasks of phases that need nothing of each other in one pipeline; return the markers of each."""
        names = [task.marker for phase in phases for task in phase.tasks]
        markers = self._markers(names)
        undone = {phase.name: [task for task in phase.tasks if task.marker not in markers] for phase in phases}
        waiting = [phase for phase in phases if undone[phase.name]]
        if waiting:
            lists = {phase.name: self._store_tasks(job, phase.name, undone[phase.name]) for phase in waiting}
            with Progress(" and ".join(lists), self.store, names, self.quiet):
                self._run_tasks(waiting, lists, {name: len(tasks) for name, tasks in undone.items()})
            markers |= self._markers([task.marker for tasks in undone.values() for task in tasks])
        return [[markers[task.marker] for task in phase.tasks] for phase in phases]

    def _markers(self, names: Sequence[str]) -> dict[str, Marker]:
        """Return the markers that stand, looked for in parallel: in an object store each look is a request."""
        with ThreadPoolExecutor(LOOKS_AT_ONCE) as pool:
            found = pool.map(self._marker, names)
        return {name: marker for name, marker in zip(names, found, strict=True) if marker is not None}

    def _marker(self, name: str) -> Marker | None:
        try:
            marker: Marker = read_json(self.store, name, what="marker")
        except ObjectNotFound:
            return None
        return marker

    def run_pipeline(self, build: Callable[[Any], Any]) -> None:
        """Build and run one Beam pipeline; raises when it did not end in DONE."""
        _import_beam_quietly()
        from pipelines.phases import run_pipeline

        try:
            run_pipeline(build, self.beam_options, self.workers)
        except (RuntimeError, ValueError, OSError) as error:
            if _is_interrupt(error):
                raise KeyboardInterrupt from error
            short = _in_short(error)
            if short is error:
                raise
            raise short from error

    def _run_tasks(self, phases: Sequence[Phase], task_lists: Mapping[str, str], counts: Mapping[str, int]) -> None:
        _import_beam_quietly()
        from pipelines.phases import RunTasks

        def build(pipeline: Any) -> None:
            for phase in phases:
                tasks = RunTasks(
                    self.store_uri, task_lists[phase.name], phase.worker, phase.config, is_spread=counts[phase.name] > 1
                )
                _ = pipeline | phase.name >> tasks

        self.run_pipeline(build)

    def _store_tasks(self, job: str, phase: str, tasks: Sequence[Task]) -> str:
        body = [[task.marker, task.arguments] for task in tasks]
        name = f"{job}/plans/{phase}-{digest_of(body)[:16]}.json"
        put_same(self.store, name, canonical_json(body))
        return name


def _in_short(error: Exception) -> Exception:
    """Return what a worker said, where it is an error that a user can act on, without what Beam adds to it."""
    text = str(error)
    if said := _WORKER_SAID.search(text):
        return RuntimeError(f"{said['message']} (in {said['phase']})")
    if "Traceback" not in text and (end := _ANNOTATION.search(text)):
        error.args = (f"{text[: end.start()]} (in {end['phase']})", *error.args[1:])
    return error


def _is_interrupt(error: BaseException | None) -> bool:
    """Return whether an error began as ^C: Beam makes a RuntimeError of what a worker in this thread raises."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, KeyboardInterrupt):
            return True
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return False


def _import_beam_quietly() -> None:
    """Import Beam without its warning about clients that nobody asked for."""
    logging.disable(logging.WARNING)
    try:
        import apache_beam  # noqa: F401
    finally:
        logging.disable(logging.NOTSET)
    logging.getLogger("apache_beam").setLevel(logging.CRITICAL)  # what is raised says it all
