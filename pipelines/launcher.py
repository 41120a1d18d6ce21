"""The launcher: which tasks of a phase are not done, and a pipeline for these alone.

Beam is imported when there is something to run, so a job that is all done says so at once.
"""

import json
import logging
import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from manifests.keys import canonical_json, digest_of
from manifests.runs import put_same
from manifests.store import ObjectNotFound, Store, open_store
from pipelines.progress import Progress
from pipelines.tasks import Marker, Phase, Task

LOOKS_AT_ONCE = 16
# The end of the text that Beam makes of a worker's error when it runs several threads.
_WORKER_SAID = re.compile(
    r"^(?:ValueError|(?:\w+\.)*(?:StoreError|ObjectNotFound)|FileNotFoundError|RuntimeError): (?P<message>.*)"
    r" \[while running '(?P<phase>[^'/]+)[^']*'\]\s*\Z",
    re.MULTILINE,
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
        if self.beam_options:
            _import_beam_quietly()
            from pipelines.phases import check_options

            check_options(self.beam_options)

    def run(self, job: str, phase: Phase) -> list[Marker]:
        """Do the tasks that are not done and return the markers of all, in task order."""
        markers = self._markers(phase.tasks)
        undone = [task for task in phase.tasks if task.marker not in markers]
        if undone:
            task_list = self._store_tasks(job, phase.name, undone)
            with Progress(phase.name, self.store, [task.marker for task in phase.tasks], self.quiet):
                self._run_tasks(phase, task_list)
            markers |= self._markers(undone)
        return [markers[task.marker] for task in phase.tasks]

    def _markers(self, tasks: Sequence[Task]) -> dict[str, Marker]:
        """Return the markers that stand, looked for in parallel: in an object store each look is a request."""
        with ThreadPoolExecutor(LOOKS_AT_ONCE) as pool:
            found = pool.map(self._marker, [task.marker for task in tasks])
        return {task.marker: marker for task, marker in zip(tasks, found, strict=True) if marker is not None}

    def _marker(self, name: str) -> Marker | None:
        try:
            marker = json.loads(self.store.read(name))
            if not isinstance(marker, dict) or not marker:
                raise ValueError("it says nothing")
        except ObjectNotFound:
            return None
        except ValueError as error:
            raise RuntimeError(
                f"{name}: a damaged marker ({error}); delete it and run the same command again"
            ) from error
        return marker

    def run_pipeline(self, build: Callable[[Any], Any]) -> None:
        """Build and run one Beam pipeline; raises when it did not end in DONE."""
        _import_beam_quietly()
        from pipelines.phases import run_pipeline

        try:
            run_pipeline(build, self.beam_options, self.workers)
        except RuntimeError as error:
            raise _in_short(error) from error

    def _run_tasks(self, phase: Phase, task_list: str) -> None:
        _import_beam_quietly()
        from pipelines.phases import RunTasks

        tasks = RunTasks(self.store_uri, task_list, phase.worker, phase.config)
        self.run_pipeline(lambda pipeline: pipeline | phase.name >> tasks)

    def _store_tasks(self, job: str, phase: str, tasks: Sequence[Task]) -> str:
        body = [[task.marker, task.arguments] for task in tasks]
        name = f"{job}/plans/{phase}-{digest_of(body)[:16]}.json"
        put_same(self.store, name, canonical_json(body))
        return name


def _in_short(error: RuntimeError) -> RuntimeError:
    """Return what a worker thread said, where it is an error that a user can act on, without Beam's traceback."""
    said = _WORKER_SAID.search(str(error))
    return RuntimeError(f"{said['message']} (in {said['phase']})") if said else error


def _import_beam_quietly() -> None:
    """Import Beam without its warning about clients that nobody asked for."""
    logging.disable(logging.WARNING)
    try:
        import apache_beam  # noqa: F401
    finally:
        logging.disable(logging.NOTSET)
    logging.getLogger("apache_beam").setLevel(logging.CRITICAL)  # what is raised says it all
