"""One manifest digest: workers, kills, replays, hash seeds, processes, runners, folders and cuts change no byte."""

import random
import shutil
import time
from pathlib import Path

import jobs
import pytest

ARGUMENTS = ("--quiet", "--set", "text.shards=4")
SMALL_PARTITIONS = ("--set", "limits.partition_bytes=50000")
COMPACTED = ("--set", "limits.compact_fan_in=3")
SMALL_PARTS = ("--set", "limits.part_bytes=100000", "--set", "limits.batch_rows=16")


@pytest.fixture(scope="module")
def undisturbed(demo_input_dir, tmp_path_factory) -> tuple[Path, float]:
    """Give the output of one worker without trouble, and how long it took."""
    out = tmp_path_factory.mktemp("undisturbed")
    begin = time.monotonic()
    jobs.run("text", demo_input_dir, "--out", out, "--workers", "1", *ARGUMENTS)
    assert len(jobs.manifest(out)["units"]) >= jobs.UNITS
    return out, time.monotonic() - begin


@pytest.mark.parametrize(
    ("options", "beam", "env"),
    [
        pytest.param(["--workers", "2"], [], {"PYTHONHASHSEED": "0"}, id="two workers, hash seed 0"),
        pytest.param(
            ["--workers", "1"],
            ["--direct_runner_bundle_repeat=1"],
            {"PYTHONHASHSEED": "1"},
            id="every bundle replayed, hash seed 1",
        ),
        pytest.param(
            ["--workers", "2", *SMALL_PARTITIONS],
            ["--direct_running_mode=multi_processing"],
            {},
            id="worker processes",
            marks=pytest.mark.long,
        ),
        pytest.param(["--workers", "2", *SMALL_PARTITIONS], [], {}, id="many small partitions"),
        pytest.param(["--workers", "2", *COMPACTED], [], {}, id="runs compacted three at a time"),
        pytest.param(["--workers", "2", *SMALL_PARTS], [], {}, id="units written in many parts"),
        pytest.param(
            ["--workers", "2"],
            ["--runner=apache_beam.runners.dask.dask_runner.DaskRunner"],
            {},
            id="Dask",
            marks=pytest.mark.long,
        ),
    ],
)
def test_the_digest_is_that_of_one_undisturbed_worker(undisturbed, demo_input_dir, tmp_path, options, beam, env):
    jobs.run(
        "text",
        demo_input_dir,
        "--out",
        tmp_path,
        *options,
        *ARGUMENTS,
        *(["--", *beam] if beam else []),
        env=env,
    )
    assert jobs.digest(tmp_path) == jobs.digest(undisturbed[0])
    for phase in ("select", "link", "components", "route", "verify") if SMALL_PARTITIONS[1] in options else ():
        assert len(list((tmp_path / "text" / phase).rglob("*.json"))) > (phase != "components")
    assert ("limits.compact_fan_in=3" in options) == (tmp_path / "text" / "compact").exists()


def test_a_moved_and_touched_input_gives_the_same_digest(undisturbed, demo_input_dir, tmp_path):
    moved = tmp_path / "elsewhere" / demo_input_dir.name
    shutil.copytree(demo_input_dir, moved, copy_function=shutil.copyfile)
    jobs.run("text", moved, "--out", tmp_path / "out", *ARGUMENTS)
    assert jobs.digest(tmp_path / "out") == jobs.digest(undisturbed[0])


def test_the_same_command_again_does_nothing(undisturbed, demo_input_dir):
    out, _ = undisturbed
    before = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()}
    said = jobs.run("text", demo_input_dir, "--out", out, "--workers", "1", *ARGUMENTS)
    assert "all done before" in said
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.is_file()} == before


@pytest.mark.long
def test_killed_after_every_marker(undisturbed, demo_input_dir, tmp_path):
    assert killed_after_every_marker(tmp_path, demo_input_dir) >= jobs.UNITS
    assert jobs.digest(tmp_path) == jobs.digest(undisturbed[0])


def killed_after_every_marker(out: Path, source: Path, options: tuple[str, ...] = ()) -> int:
    """Kill the launcher as soon as one more marker stands, until it gets to its end; return the number of kills."""
    kills = 0
    while True:
        process = jobs.start("text", source, "--out", out, "--workers", "2", *ARGUMENTS, *options)
        seen = len(jobs.markers(out))
        if not jobs.wait_for(lambda seen=seen: len(jobs.markers(out)) > seen, process):
            assert process.wait() == 0, process.communicate()
            return kills
        jobs.kill(process)
        kills += 1


@pytest.mark.long
def test_killed_after_every_part_of_every_unit(undisturbed, demo_input_dir, tmp_path):
    kills = killed_after_every_marker(tmp_path, demo_input_dir, SMALL_PARTS)
    assert kills > 2 * len(jobs.manifest(tmp_path)["units"])  # units do have several parts
    assert jobs.digest(tmp_path) == jobs.digest(undisturbed[0])


def killed_at_random(out: Path, source: Path, seed: int, kills: int, longest_s: float) -> None:
    chance = random.Random(seed)
    for _ in range(kills):
        process = jobs.start("text", source, "--out", out, "--workers", "2", *ARGUMENTS)
        time.sleep(chance.uniform(0.5, longest_s))
        jobs.kill(process)
    jobs.run("text", source, "--out", out, "--workers", "2", *ARGUMENTS)


def test_killed_at_random_times(undisturbed, demo_input_dir, tmp_path):
    out, took_s = undisturbed
    killed_at_random(tmp_path, demo_input_dir, seed=1, kills=6, longest_s=took_s)
    assert jobs.digest(tmp_path) == jobs.digest(out)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(10))
def test_killed_at_random_times_at_length(undisturbed, demo_input_dir, tmp_path, seed):
    out, took_s = undisturbed
    killed_at_random(tmp_path, demo_input_dir, seed=seed, kills=10, longest_s=took_s)
    assert jobs.digest(tmp_path) == jobs.digest(out)


def test_children_end_with_a_killed_launcher(demo_input_dir, tmp_path):
    process = jobs.start("text", demo_input_dir, "--out", tmp_path, "--workers", "2", *ARGUMENTS)
    assert jobs.wait_for(lambda: children(process.pid), process)
    before = children(process.pid)
    jobs.kill(process)
    until = time.monotonic() + 10
    while time.monotonic() < until and any(Path(f"/proc/{pid}").exists() for pid in before):
        time.sleep(0.05)
    assert not [pid for pid in before if Path(f"/proc/{pid}").exists()]


def children(pid: int) -> list[int]:
    tasks = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for task in tasks for child in task.read_text().split()]
