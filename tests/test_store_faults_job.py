"""Whatever call to the system fails while a snapshot is written: a right answer or a named error, and the rerun gives
the digest that an undisturbed run gives."""

import errno
import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from test_store import Faulty

from manifests.local_store import LocalStore
from manifests.manifest import commit, load_manifest, newest_version
from manifests.runs import Run, gather, put_same, write_run
from manifests.shards import write_shard
from manifests.store import Store, StoreError
from pipelines.launcher import Launcher
from pipelines.phases import load_object
from pipelines.recipe import default_recipe
from pipelines.tasks import Marker, Phase
from pipelines.text.job import TextJob

CODES = pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC, errno.EACCES], ids=errno.errorcode.get)
WHEN = pytest.mark.parametrize("after", [False, True], ids=["before its effect", "after its effect"])
LASTING = pytest.mark.parametrize("lasting", [False, True], ids=["once", "from then on"])
ROWS = pa.table(
    {"key": pa.array([3, 1, 2], pa.uint64()), "id": pa.array([b"c" * 16, b"a" * 16, b"b" * 16], pa.binary(16))}
)


def objects(root: Path) -> dict[str, bytes]:
    """Return everything that can be seen in a store."""
    return {name: (root / name).read_bytes() for name, _ in LocalStore(root).list()}


def firm(found: dict[str, bytes]) -> set[tuple[str, bytes]]:
    """Return the objects that never change once they stand: all but the hint at the newest snapshot."""
    return {(name, data) for name, data in found.items() if not name.endswith("/CURRENT")}


def write_run_(store: Store) -> Any:
    return write_run(store, "job/staged/run.arrow", ROWS)


def write_shard_(store: Store) -> Any:
    return write_shard(store, "job/data/part-00000-of-00001", "documents", ROWS.sort_by("key"))


def put_marker(store: Store) -> Any:
    return put_same(store, "job/done/00.json", b'{"rows":3}')


def commit_first(store: Store) -> Any:
    return commit(store, "job", {"job": "job", "shards": []})


def commit_second(store: Store) -> Any:
    return commit(store, "job", {"job": "job", "shards": ["another"]})


def nothing(store: Store) -> None:
    """Leave the store empty."""


STEPS = [
    pytest.param(nothing, write_run_, id="a run"),
    pytest.param(write_run_, write_run_, id="a run that stands"),
    pytest.param(nothing, write_shard_, id="a shard"),
    pytest.param(write_shard_, write_shard_, id="a shard that stands"),
    pytest.param(nothing, put_marker, id="a marker"),
    pytest.param(put_marker, put_marker, id="a marker that stands"),
    pytest.param(nothing, commit_first, id="the first snapshot"),
    pytest.param(commit_first, commit_first, id="a snapshot that stands"),
    pytest.param(commit_first, commit_second, id="the second snapshot"),
]


@CODES
@WHEN
@LASTING
@pytest.mark.parametrize(("before", "step"), STEPS)
def test_whichever_call_fails_a_step_ends_right_or_with_a_name_and_can_be_repeated(
    tmp_path: Path, before: Callable[[Store], Any], step: Callable[[Store], Any], code: int, after: bool, lasting: bool
):
    clean = LocalStore(tmp_path / "clean")
    before(clean)
    right = step(clean)
    expected = objects(tmp_path / "clean")
    n, fired = 0, [""]
    while fired:
        n += 1
        root = tmp_path / str(n)
        before(LocalStore(root))
        system = Faulty(n, code, after, lasting)
        try:
            assert step(LocalStore(root, system)) == right
        except StoreError as error:
            assert f"({errno.errorcode[code]})" in str(error)
            assert str(tmp_path) in str(error)
        fired = system.fired
        assert firm(objects(root)) <= firm(expected), "nothing half-written, nothing else"
        assert step(LocalStore(root)) == right
        assert objects(root) == expected
    assert n > 2


@CODES
def test_whichever_call_fails_a_run_is_read_right_or_not_at_all(tmp_path, code):
    run: Run = write_run_(LocalStore(tmp_path))
    n, fired, right = 0, [""], 0
    while fired:
        n += 1
        system = Faulty(n, code)
        try:
            assert gather(LocalStore(tmp_path, system), [run], ROWS.schema).equals(ROWS.sort_by("key"))
            right += 1
        except StoreError as error:
            assert f"({errno.errorcode[code]})" in str(error)
        fired = system.fired
    assert right >= 1


# ---- decide, write and commit of a real job


class InThisThread(Launcher):
    """A launcher that runs the workers itself; the store's calls fail from the phase `faulty` on."""

    def __init__(self, out: Path, faulty: str = "", system: Any = None) -> None:
        super().__init__(str(out), (), 1, quiet=True)
        self.faulty, self.system = faulty, system

    def run(self, job: str, phase: Phase) -> list[Marker]:
        if phase.name == self.faulty:
            self.store = LocalStore(Path(self.store_uri), self.system)
        return super().run(job, phase)

    def _run_tasks(self, phases: Sequence[Phase], *_: object) -> None:
        for phase in phases:
            worker = load_object(phase.worker)(self.store, phase.config)
            for task in phase.tasks:
                if self.store.size(task.marker) is None:
                    put_same(self.store, task.marker, canonical(worker.run(task.arguments)))
            worker.close()


def canonical(marker: Marker) -> bytes:
    from manifests.keys import canonical_json

    return canonical_json(marker)


def snapshot(out: Path, source: Path, faulty: str = "", system: Any = None) -> tuple[int, str]:
    """Run the text job in this thread and return (version, digest)."""
    recipe = default_recipe([str(source)], {"text.shards": 1})
    version, manifest, _ = TextJob(recipe, InThisThread(out, faulty, system)).run()
    return version, manifest["digest"]


@pytest.fixture(scope="module")
def source(pages, tmp_path_factory) -> Path:
    """Give a folder of real pages, two of them equal."""
    folder = tmp_path_factory.mktemp("source") / "in"
    folder.mkdir()
    for i, (_, body) in enumerate([*pages("debian-handbook")[::80], pages("debian-handbook")[0]]):
        (folder / f"{i}.html").write_bytes(body)
    return folder


@pytest.fixture(scope="module")
def staged(source, tmp_path_factory) -> Path:
    """Give an output in which everything up to verify is done."""
    out = tmp_path_factory.mktemp("staged")
    assert snapshot(out, source)[0] == 1
    for done in ("write", "data", "dropped", "manifests"):
        shutil.rmtree(out / "text" / done)
    (out / "text" / "CURRENT").unlink()
    for plan in (out / "text" / "plans").glob("write-*"):
        plan.unlink()
    return out


@pytest.fixture(scope="module")
def undisturbed(staged, source, tmp_path_factory) -> tuple[str, dict[str, bytes]]:
    """Give the digest and all objects of a job that meets no fault."""
    out = copied(staged, tmp_path_factory.mktemp("undisturbed") / "out")
    return snapshot(out, source)[1], objects(out)


def copied(staged: Path, out: Path) -> Path:
    """Return a copy of an output; its objects never change, so they are linked."""
    return Path(shutil.copytree(staged, out, copy_function=os.link))


@CODES
def test_whichever_call_fails_in_write_and_commit_the_rerun_gives_the_same_digest(
    staged, source, undisturbed, tmp_path, code
):
    digest, expected = undisturbed
    n, fired, named = 0, [""], 0
    while fired:
        n += 1
        out = copied(staged, tmp_path / str(n))
        system = Faulty(n, code)
        try:
            assert snapshot(out, source, "write", system) == (1, digest)
        except StoreError as error:
            named += 1
            assert f"({errno.errorcode[code]})" in str(error)
        fired = system.fired
        assert firm(objects(out)) <= firm(expected)
        assert snapshot(out, source) == (1, digest)
        assert objects(out) == expected
        shutil.rmtree(out)
    assert n > 40
    assert named > 0 or code == errno.EIO


@CODES
@pytest.mark.parametrize("phase", ["select", "link", "route", "verify"])
def test_a_disk_that_fails_for_good_in_a_phase_is_named_and_the_job_goes_on_later(
    staged, source, undisturbed, tmp_path, phase, code
):
    out = copied(staged, tmp_path / "out")
    shutil.rmtree(out / "text" / phase)
    with pytest.raises(StoreError, match=errno.errorcode[code]):
        snapshot(out, source, phase, Faulty(12, code, lasting=True))
    assert newest_version(LocalStore(out), "text") == 0
    assert snapshot(out, source) == (1, undisturbed[0])
    assert load_manifest(LocalStore(out), "text", 1)["digest"] == undisturbed[0]
