"""What another snapshot keeps is not kept again; each document says how many records it stands for."""

import re
import shutil
from collections import Counter
from pathlib import Path

import jobs
import pytest

from manifests.store import open_store
from manifests.verify import verify

pytestmark = pytest.mark.long  # minutes together

SHINGLE = 5


def recipe(folder: Path, source: str, against: str = "", more: str = "") -> Path:
    path = folder / "recipe.yaml"
    path.write_text(
        f"corpusmill: 1\ninputs: [{{name: manuals, uri: '{source}'}}]\n"
        "text:\n  shards: 3\n  edits: []\n  dropped_text_sample: 1.0\n  rules: []\n"
        f"  dedup: {{near: {{threshold: 0.8}}, against: [{against}]{more}}}\n"
    )
    return path


def run(folder: Path, name: str, source: str, against: str = "", *options: str) -> Path:
    (folder / name).mkdir(parents=True)
    jobs.run("run", recipe(folder / name, source, against), "--out", folder / name / "out", "--quiet", *options)
    return folder / name / "out"


@pytest.fixture(scope="module")
def halves(demo_input_dir, tmp_path_factory) -> tuple[Path, Path]:
    """Give two folders of real pages that overlap: six files in each, of which some are in both."""
    folder = tmp_path_factory.mktemp("halves")
    files = sorted(demo_input_dir.glob("*.warc.gz"))
    for name, some in (("old", files[: len(files) // 2 + 1]), ("new", files[len(files) // 2 - 1 :])):
        (folder / name).mkdir()
        for file in some:
            shutil.copyfile(file, folder / name / file.name)
    return folder / "old", folder / "new"


@pytest.fixture(scope="module")
def outs(halves, tmp_path_factory) -> dict[str, Path]:
    folder, (old, new) = tmp_path_factory.mktemp("outs"), halves
    before = run(folder, "old", str(old))
    return {
        "old": before,
        "alone": run(folder, "alone", str(new)),
        "new": run(folder, "new", str(new), f"{{uri: '{before}'}}", "--workers", "1"),
    }


def shingles(text: str) -> set[tuple[str, ...]]:
    words = re.findall(r"\w+", text.lower())
    return {tuple(words[at : at + SHINGLE]) for at in range(max(1, len(words) - SHINGLE + 1))}


def test_what_the_other_keeps_is_merged_into_it(outs):
    old = {row["id"]: row for row in jobs.rows(outs["old"])}
    digest = jobs.digest(outs["old"])
    there = [row for row in jobs.rows(outs["new"], "dropped") if row["kept_in"]]
    assert len(there) > 20
    reasons = Counter(row["reason"] for row in there)
    assert set(reasons) == {"exact_duplicate", "near_duplicate"}
    for row in there:
        assert row["kept_in"] == digest
        kept = old[row["kept_id"]]
        if row["similarity"] == 1.0 and row["reason"] == "exact_duplicate":  # less: of a text that is itself merged
            assert kept["text"] == row["text"]
        elif row["language"] not in ("ja", "zh", "th", "km", "lo", "my"):  # \w+ is no word there
            a, b = shingles(kept["text"]), shingles(row["text"])
            assert len(a & b) / len(a | b) > 0.7


def test_no_text_of_the_other_is_kept_again(outs):
    old = {row["text"] for row in jobs.rows(outs["old"])}
    alone, new = ([row["text"] for row in jobs.rows(outs[name])] for name in ("alone", "new"))
    assert old & set(alone) and not old & set(new)
    assert set(new) <= set(alone) | {row["text"] for row in jobs.rows(outs["alone"], "dropped")}


def test_the_account_the_parents_and_the_files(outs):
    manifest = jobs.manifest(outs["new"])
    assert manifest["parents"] == [jobs.digest(outs["old"])] == manifest["settings"]["dedup"]["against"]
    counts = jobs.funnel(outs["new"])
    assert counts["in"] == jobs.funnel(outs["alone"])["in"] == sum(n for name, n in counts.items() if name != "in")
    assert counts["merged"] == sum(row["verdict"] == "merged" for row in jobs.rows(outs["new"], "dropped"))
    assert str(outs["old"]) not in (outs["new"] / "text/manifests/v000001.json").read_text()
    assert verify(open_store(outs["new"]), "text").is_sound


@pytest.mark.parametrize("name", ["old", "alone", "new"])
def test_cluster_sizes_are_those_that_dropped_tells(outs, name):
    merged = Counter(row["kept_id"] for row in jobs.rows(outs[name], "dropped") if row["verdict"] == "merged")
    here = Counter(row["kept_id"] for row in jobs.rows(outs[name], "dropped") if row["kept_id"] and not row["kept_in"])
    kept = jobs.rows(outs[name])
    assert {row["id"]: row["cluster_size"] for row in kept} == {row["id"]: 1 + here[row["id"]] for row in kept}
    assert max(row["cluster_size"] for row in kept) > 1
    total = sum(row["cluster_size"] for row in kept) + sum((merged - here).values())
    assert total == jobs.funnel(outs[name])["kept"] + jobs.funnel(outs[name])["merged"]


def test_records_seen_twice_count(halves, tmp_path):
    """Two inputs of one name's files: every page is there twice, under other ids, and twice under the same one."""
    for at in ("a", "b"):
        shutil.copytree(halves[0], tmp_path / "twice" / at)
    out = run(tmp_path, "out", str(tmp_path / "twice"))
    assert {row["reason"] for row in jobs.rows(out, "dropped")} >= {"same_record"}
    assert min(row["cluster_size"] for row in jobs.rows(out)) >= 2
    assert sum(row["cluster_size"] for row in jobs.rows(out)) == jobs.funnel(out)["kept"] + jobs.funnel(out)["merged"]


@pytest.mark.long
@pytest.mark.parametrize(
    ("options", "beam"),
    [
        pytest.param(["--workers", "2", "--set", "limits.partition_bytes=50000"], [], id="many small partitions"),
        pytest.param(["--workers", "1"], ["--direct_runner_bundle_repeat=1"], id="every bundle replayed"),
    ],
)
def test_one_digest(outs, halves, tmp_path, options, beam):
    moved = tmp_path / "moved"
    shutil.copytree(outs["old"], moved)
    beam = ["--", *beam] if beam else []
    assert jobs.digest(run(tmp_path, "again", str(halves[1]), f"{{uri: '{moved}'}}", *options, *beam)) == jobs.digest(
        outs["new"]
    )


@pytest.mark.long
def test_one_digest_after_kills(outs, halves, tmp_path):
    path, out = recipe(tmp_path, str(halves[1]), f"{{uri: '{outs['old']}'}}"), tmp_path / "out"
    command = ("run", path, "--out", out, "--quiet", "--workers", "2", "--set", "limits.partition_bytes=50000")
    kills = 0
    for phase in ("known", "link", "route", "verify"):
        process = jobs.start(*command)
        if jobs.wait_for(lambda phase=phase: any((out / "text" / phase).rglob("*.json")), process):
            jobs.kill(process)
            kills += 1
    assert kills >= 3
    jobs.run(*command)
    assert jobs.digest(out) == jobs.digest(outs["new"])


def test_an_earlier_snapshot_of_the_same_output(outs, halves, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(outs["old"], out)
    jobs.run("run", recipe(tmp_path, str(halves[1]), f"{{uri: '{out}', version: 1}}"), "--out", out, "--quiet")
    assert jobs.digest(out) == jobs.digest(outs["new"]) and jobs.manifest(out, version=1)["digest"] == jobs.digest(
        outs["old"]
    )
    said = jobs.run("run", recipe(tmp_path, str(halves[1]), f"{{uri: '{out}', version: 1}}"), "--out", out, "--quiet")
    assert jobs.manifest(out, version=2)["digest"] == jobs.digest(out), said
    assert "say which version" in jobs.run(
        "run", recipe(tmp_path, str(halves[1]), f"{{uri: '{out}'}}"), "--out", out, "--quiet", status=1
    )


def test_a_damaged_or_missing_snapshot_is_named(outs, halves, tmp_path):
    against = f"{{uri: '{tmp_path / 'nowhere'}'}}"
    said = jobs.run("run", recipe(tmp_path, str(halves[1]), against), "--out", tmp_path / "out", "--quiet", status=1)
    assert "no snapshot has been committed here" in said
    moved = tmp_path / "moved"
    shutil.copytree(outs["old"], moved)
    shard = next((moved / "text/data").glob("*.parquet"))
    body = bytearray(shard.read_bytes())
    body[len(body) // 2] ^= 1
    shard.write_bytes(body)
    command = ("run", recipe(tmp_path, str(halves[1]), f"{{uri: '{moved}'}}"), "--out", tmp_path / "out", "--quiet")
    assert shard.name in jobs.run(*command, status=1)
