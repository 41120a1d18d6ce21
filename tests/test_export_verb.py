"""`corpusmill export`: what it says, what it leaves, what it refuses; exports that were killed or meet other files."""

import hashlib
import json
import shutil

import jobs
import pytest
from export_world import World, files, world

from manifests.exports import FORMATS, Options, export
from manifests.integrity import IntegrityError
from manifests.store import StoreError, open_store
from pipelines.verbs.export import FORMATS as OFFERED


@pytest.fixture(scope="module")
def there(tmp_path_factory) -> World:
    return world(tmp_path_factory.mktemp("verb"))


@pytest.fixture
def out(there, tmp_path):
    """Give a copy of the store's folder."""
    shutil.copytree(there.store.uri, tmp_path / "out")
    return tmp_path / "out"


def test_the_verb_offers_every_format():
    assert OFFERED == FORMATS


def test_it_says_where_the_export_lies_and_what_it_holds(out):
    said = jobs.run("export", "--out", out, "--to", "mds", "--job", "media")
    folder = out / f"exports/media-mds-{jobs.digest(out, 'media')[:8]}"
    assert said.startswith(f"{folder}: 40 media, ")
    assert (folder / "index.json").exists()
    again = jobs.run("export", "--out", out, "--to", "mds", "--job", "media")
    assert again == said


def test_a_plan_writes_nothing(out):
    before = files(out)
    plan = json.loads(jobs.run("export", "--out", out, "--to", "energon", "--job", "images", "--plan"))
    assert (plan["records"], plan["fields"]) == (40, {"json": True, "png": True, "txt": True})
    assert files(out) == before


def test_documents_go_where_dest_says(out, tmp_path):
    jobs.run("export", "--out", out, "--to", "hf", "--dest", tmp_path / "elsewhere")
    assert json.loads((tmp_path / "elsewhere/export.json").read_text())["kind"] == "documents"
    assert not (out / "exports").exists()


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        pytest.param(["--to", "tfrecord"], 2, "invalid choice", id="unknown format"),
        pytest.param(["--to", "hf", "--encoding", "png=png"], 2, "--encoding is for mds", id="encoding elsewhere"),
        pytest.param(["--to", "mds", "--encoding", "png"], 2, "is not FIELD=NAME", id="half an encoding"),
        pytest.param(["--to", "energon"], 1, "no tar shards", id="documents for energon"),
        pytest.param(["--to", "mds", "--job", "audio"], 1, "no snapshot has been committed", id="no such job"),
        pytest.param(["--to", "mds", "--version", "7"], 1, "there is no snapshot 7", id="no such snapshot"),
    ],
)
def test_what_does_not_fit_is_refused_in_a_line(out, arguments, status, message):
    said = jobs.run("export", "--out", out, *arguments, status=status)
    assert message in said
    assert "Traceback" not in said


def test_a_damaged_shard_is_named_and_nothing_is_finished(out, tmp_path):
    shard = next(out.glob("media/data/*.tar"))
    data = bytearray(shard.read_bytes())
    data[len(data) // 2] ^= 1
    shard.write_bytes(data)
    said = jobs.run("export", "--out", out, "--to", "litdata", "--job", "media", "--dest", tmp_path / "dest", status=1)
    assert f"{shard.relative_to(out)}: sha256" in said
    assert not (tmp_path / "dest/export.json").exists()


# Energon and the like take shards as they are.


def test_tars_are_linked_not_copied_where_they_can_be(there, out):
    jobs.run("export", "--out", out, "--to", "energon", "--job", "media")
    [folder] = (out / "exports").iterdir()
    for placed in folder.glob("data/*.tar"):
        assert placed.samefile(out / "media/data" / placed.name)
    assert jobs.run("export", "--out", out, "--to", "energon", "--job", "media")


def test_tars_of_a_remote_store_are_copied_and_checked(there, tmp_path, monkeypatch):
    monkeypatch.setattr("manifests.exports.destination._linked", lambda *_: False)
    source = there.source("media")
    record = export(source, open_store(tmp_path), "energon")
    for file in record["files"]:
        assert hashlib.sha256((tmp_path / file["name"]).read_bytes()).hexdigest() == file["sha256"]
    assert {shard.sha256 for shard in source.shards} <= {file["sha256"] for file in record["files"]}


def test_a_damaged_shard_is_not_copied(there, out, tmp_path, monkeypatch):
    monkeypatch.setattr("manifests.exports.destination._linked", lambda *_: False)
    shard = next(out.glob("media/data/*.tar"))
    shard.write_bytes(shard.read_bytes()[:-1] + b"x")
    damaged = World(open_store(out), there.samples).source("media")
    with pytest.raises(IntegrityError, match="sha256"):
        export(damaged, open_store(tmp_path / "dest"), "energon")


# Stopped, done again, done over something else.


class Full:
    """A store that holds so many objects and then no more."""

    def __init__(self, store, room):
        self.store, self.room = store, room

    def __getattr__(self, name):
        return getattr(self.store, name)

    def put_new(self, name, data):
        if self.room == 0:
            raise StoreError("no space left")
        self.room -= 1
        return self.store.put_new(name, data)


@pytest.mark.parametrize("format_name", FORMATS)
def test_an_export_that_was_stopped_anywhere_is_finished_by_the_same_call(there, tmp_path, format_name):
    source, options = there.source("images"), Options(1 << 18)
    export(source, open_store(tmp_path / "whole"), format_name, options)
    whole = files(tmp_path / "whole")
    store = open_store(tmp_path / "stopped")
    for room in range(len(whole)):
        with pytest.raises(StoreError, match="no space left"):
            export(source, Full(store, room), format_name, options)
        assert not (tmp_path / "stopped/export.json").exists()
    export(source, store, format_name, options)
    assert files(tmp_path / "stopped") == whole


@pytest.mark.parametrize("format_name", FORMATS)
def test_an_export_over_another_ones_files_is_refused(there, tmp_path, format_name):
    export(there.source("images"), open_store(tmp_path), format_name)
    before = files(tmp_path)
    with pytest.raises(RuntimeError, match=r"(other|different) bytes"):
        export(there.source("media"), open_store(tmp_path), format_name)
    after = files(tmp_path)
    assert all(after[name] == digest for name, digest in before.items())
