"""Phases: what is done is not done again, a failure leaves no marker, and Beam carries references only."""

import itertools
import json
from pathlib import Path
from typing import Any

import pytest

from manifests.keys import digest_of
from manifests.manifest import load_manifest
from manifests.store import Store
from pipelines.launcher import Launcher
from pipelines.recipe import default_recipe
from pipelines.tasks import Phase, Task
from pipelines.text.job import TextJob

run_pipeline = Launcher.run_pipeline
REPLAYED = ("--direct_runner_bundle_repeat=1",)
MAX_ELEMENT_BYTES = 64 << 10
_numbers = itertools.count()


class Recorder:
    """Worker: leaves a file for each time that it runs; fails as long as the file `arguments["until"]` is missing."""

    def __init__(self, store: Store, config: dict[str, Any]) -> None:
        self.store, self.runs = store, Path(config["runs"])

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        (self.runs / f"{arguments['number']}-{next(_numbers)}").touch()
        if not Path(arguments.get("until", "/")).exists():
            raise ZeroDivisionError(f"task {arguments['number']} failed")
        return {"square": arguments["number"] ** 2}

    def close(self) -> None:
        (self.runs / f"closed-{next(_numbers)}").touch()


class Counter(Recorder):
    """Worker whose answer depends on how often it was asked: what a marker must never hold."""

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        return {"asked": next(_numbers)}


@pytest.fixture
def runs(tmp_path) -> Path:
    (tmp_path / "runs").mkdir()
    return tmp_path / "runs"


def phase(runs: Path, count: int, worker: type = Recorder, **more: Any) -> Phase:
    tasks = [Task(f"job/done/{n:02d}.json", {"number": n, **more.get(f"task_{n}", {})}) for n in range(count)]
    return Phase("square", tasks, f"{worker.__module__}:{worker.__name__}", {"runs": str(runs)})


def launcher(runs: Path, workers: int = 1, beam: tuple[str, ...] = ()) -> Launcher:
    return Launcher(str(runs.parent / "out"), beam, workers, quiet=True)


def ran(runs: Path) -> list[int]:
    """Return the numbers of the tasks that ran, as often as they did."""
    return sorted(int(path.name.partition("-")[0]) for path in runs.iterdir() if path.name[0].isdigit())


def stamps(runs: Path) -> dict[Path, int]:
    return {path: path.stat().st_mtime_ns for path in (runs.parent / "out").rglob("*") if path.is_file()}


@pytest.mark.parametrize("workers", [1, 2])
def test_every_task_is_done_once_and_markers_come_back_in_task_order(runs, workers):
    markers = launcher(runs, workers).run("job", phase(runs, 20))
    assert markers == [{"square": n * n} for n in range(20)]
    assert ran(runs) == list(range(20))


def test_tasks_that_are_done_are_not_run_again(runs):
    started = launcher(runs)
    started.run("job", phase(runs, 3))
    assert started.run("job", phase(runs, 5)) == [{"square": n * n} for n in range(5)]
    assert ran(runs) == [0, 1, 2, 3, 4]
    before = stamps(runs)
    started.run("job", phase(runs, 5))
    assert stamps(runs) == before


def test_phases_that_need_nothing_of_each_other_share_a_pipeline(runs, monkeypatch):
    one, other = phase(runs, 2), phase(runs, 3)
    other = Phase(
        "cube", [Task(f"job/more/{n}.json", {"number": 10 + n}) for n in range(3)], other.worker, other.config
    )
    pipelines = []
    monkeypatch.setattr(Launcher, "run_pipeline", lambda self, build: pipelines.append(run_pipeline(self, build)))
    squares, cubes = launcher(runs).run_together("job", one, other)
    assert [marker["square"] for marker in squares + cubes] == [0, 1, 100, 121, 144]
    assert launcher(runs).run_together("job", other, one) == [cubes, squares]
    assert len(pipelines) == 1


def test_nothing_to_do_needs_no_pipeline(runs, monkeypatch):
    launcher(runs).run("job", phase(runs, 3))
    monkeypatch.setattr(Launcher, "run_pipeline", None)
    assert len(launcher(runs).run("job", phase(runs, 3))) == 3
    assert launcher(runs).run("job", phase(runs, 0)) == []


@pytest.mark.parametrize("workers", [1, 2])
def test_a_failing_task_leaves_no_marker_and_the_next_run_goes_on(runs, tmp_path, workers):
    until = tmp_path / "repaired"
    work = phase(runs, 6, task_3={"until": str(until)})
    with pytest.raises((ZeroDivisionError, RuntimeError), match="task 3 failed"):
        launcher(runs, workers).run("job", work)
    done = {path.name for path in stamps(runs) if path.parent.name == "done"}
    assert "03.json" not in done
    until.touch()
    assert launcher(runs).run("job", work) == [{"square": n * n} for n in range(6)]
    assert ran(runs).count(3) == 2
    assert all(ran(runs).count(int(name[:2])) == 1 for name in done)


def test_a_worker_is_closed(runs):
    launcher(runs).run("job", phase(runs, 2))
    assert [path for path in runs.iterdir() if path.name.startswith("closed-")]


def test_bundles_that_are_replayed_write_once(runs):
    markers = launcher(runs, beam=REPLAYED).run("job", phase(runs, 4))
    assert markers == [{"square": n * n} for n in range(4)]
    assert set(ran(runs)) == {0, 1, 2, 3} and len(ran(runs)) > 4
    assert len([path for path in stamps(runs) if path.parent.name == "done"]) == 4


def test_a_worker_that_is_not_deterministic_is_caught_by_a_replay(runs):
    with pytest.raises(RuntimeError, match="not deterministic"):
        launcher(runs, beam=REPLAYED).run("job", phase(runs, 1, Counter))


def test_the_task_list_is_stored_under_the_name_of_its_content(runs):
    work = phase(runs, 3)
    launcher(runs).run("job", work)
    tasks = [[task.marker, task.arguments] for task in work.tasks]
    (stored,) = (runs.parent / "out" / "job" / "plans").iterdir()
    assert stored.name == f"square-{digest_of(tasks)[:16]}.json"
    assert json.loads(stored.read_bytes()) == tasks


# ---- what Beam moves in a real job


class Watched(Launcher):
    """A launcher that keeps what Beam measured of every pipeline."""

    def run_pipeline(self, build: Any) -> None:
        seen: list[Any] = []

        def built(pipeline: Any) -> Any:
            seen.append(pipeline)
            return build(pipeline)

        super().run_pipeline(built)
        self.pipelines = [*getattr(self, "pipelines", []), seen[0]]


def elements(pipeline: Any) -> dict[str, tuple[int, int]]:
    """Return collection -> (elements, largest element in bytes as Beam sampled it)."""
    from apache_beam.metrics import monitoring_infos as infos

    counts: dict[str, int] = {}
    largest: dict[str, int] = {}
    for info in pipeline.result.monitoring_infos():
        name = info.labels.get("PCOLLECTION")
        if info.urn == infos.ELEMENT_COUNT_URN:
            counts[name] = infos.extract_counter_value(info)
        elif info.urn == infos.SAMPLED_BYTE_SIZE_URN:
            largest[name] = infos.extract_distribution(info)[3]
    return {name: (count, largest.get(name, 0)) for name, count in counts.items()}


@pytest.fixture(scope="module")
def watched(demo_input_dir, tmp_path_factory) -> Watched:
    """Give the launcher of a text job over about 350 real pages, in this process."""
    started = Watched(str(tmp_path_factory.mktemp("watched")), (), 2, quiet=True)
    recipe = default_recipe([str(demo_input_dir)], {"text.shards": 3, "limits.partition_bytes": 200_000})
    TextJob(recipe, started).run()
    return started


def test_a_job_moves_references_and_no_documents(watched):
    assert load_manifest(watched.store, "text", 1)["ledger"]["in"] > 300
    moved = [elements(pipeline) for pipeline in watched.pipelines]
    assert len(moved) >= 5
    for collections in moved:
        assert collections
        for name, (count, largest_bytes) in collections.items():
            assert count < 100, name
            assert largest_bytes <= MAX_ELEMENT_BYTES, name


def test_a_phase_moves_one_element_for_each_task(watched):
    lists = sorted(Path(watched.store_uri).glob("text/plans/*.json"))
    tasks = {path.name.rpartition("-")[0]: len(json.loads(path.read_bytes())) for path in lists}
    moved = [max(count for count, _ in elements(pipeline).values()) for pipeline in watched.pipelines]
    for name in ("stage", "select", "link", "route", "verify", "write"):
        assert tasks[name] in moved
    assert tasks["write"] == 3
