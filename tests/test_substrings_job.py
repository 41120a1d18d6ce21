"""Repeated strings in a job: cut as by definition, whatever the partitions, the anchors' cap, the workers or a kill."""

import time
from collections import Counter
from pathlib import Path

import jobs
import pytest

pytestmark = pytest.mark.long  # minutes together

RECIPE = """corpusmill: 1
inputs: [{{name: manuals, uri: {source}}}]
text:
  shards: 3
  edits: []
  dropped_text_sample: 1.0
  rules: [{rules}]
  dedup: {{near: {{threshold: 0.9}}{more}}}
"""
SUBSTRINGS = ", substrings: {min_bytes: 100, min_characters: 40}"
SMALL = ("--set", "limits.partition_bytes=60000")
HOT = (*SMALL, "--set", "limits.max_anchor_pieces=2")


def recipe(folder: Path, source: Path, more: str, rules: str = "") -> Path:
    path = folder / "recipe.yaml"
    path.write_text(RECIPE.format(source=source, more=more, rules=rules))
    return path


@pytest.fixture(scope="module")
def plain(demo_input_dir, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("plain")
    jobs.run("run", recipe(folder, demo_input_dir, ""), "--out", folder / "out", "--quiet")
    return folder / "out"


@pytest.fixture(scope="module")
def cut(demo_input_dir, tmp_path_factory) -> tuple[Path, float]:
    """Give the output of one worker, and how long it took."""
    folder, begin = tmp_path_factory.mktemp("cut"), time.monotonic()
    path = recipe(folder, demo_input_dir, SUBSTRINGS)
    jobs.run("run", path, "--out", folder / "out", "--quiet", "--workers", "1")
    return folder / "out", time.monotonic() - begin


def repeated(texts: list[bytes], size: int) -> list[list[bool]]:
    """Return which bytes lie in windows that stand earlier too: a dictionary of all windows."""
    first: dict[bytes, tuple[int, int]] = {}
    gone = [[False] * len(body) for body in texts]
    for row, body in enumerate(texts):
        for at in range(len(body) - size + 1):
            other, place = first.setdefault(body[at : at + size], (row, at))
            if other != row or at - place >= size:
                gone[row][at : at + size] = [True] * size
    return gone


def left(body: bytes, gone: list[bool], least: int) -> str:
    """Return a text without runs of bytes that go, each of whole characters and `least` of them."""
    out, at, text = [], 0, body.decode()
    lost: list[str] = []
    for character in text:
        size = len(character.encode())
        if all(gone[at : at + size]):
            lost.append(character)
        else:
            out += ([] if len(lost) >= least else lost) + [character]
            lost = []
        at += size
    return "".join(out + ([] if len(lost) >= least else lost))


def test_what_is_left_is_what_the_definition_leaves(plain, cut):
    before = sorted(jobs.rows(plain), key=lambda row: row["id"])
    gone = repeated([row["text"].encode() for row in before], 100)
    after = {row["id"]: row["text"] for row in jobs.rows(cut[0])}
    changed = 0
    for row, lost in zip(before, gone, strict=True):
        expected = left(row["text"].encode(), lost, 40)
        changed += expected != row["text"]
        # the newline before a last line that was cut goes with it
        assert after.get(row["id"], "") in (expected, expected.removesuffix("\n"))
    assert changed > 50
    told = jobs.manifest(cut[0])["statistics"]["cuts"]
    assert told["documents"] == changed
    sizes = [sum(len(row["text"].encode()) for row in rows) for rows in (before, jobs.rows(cut[0]))]
    assert told["bytes"] == sizes[0] - sizes[1]


def test_what_nothing_is_left_of_is_accounted_for(plain, cut):
    out = jobs.manifest(cut[0])["ledger"]["out"]
    assert jobs.funnel(cut[0])["in"] == sum(out.values()) == jobs.funnel(plain)["in"]
    dropped = Counter(row["reason"] for row in jobs.rows(cut[0], "dropped") if row["verdict"] == "dropped")
    assert dropped == {key.removeprefix("dropped/"): n for key, n in out.items() if key.startswith("dropped/")}


@pytest.mark.long
@pytest.mark.parametrize(
    ("options", "beam"),
    [
        pytest.param(["--workers", "2", *SMALL], [], id="two workers and many small partitions"),
        pytest.param(["--workers", "2", *HOT], [], id="every window of an anchor by itself"),
        pytest.param(["--workers", "1"], ["--direct_runner_bundle_repeat=1"], id="every bundle replayed"),
        pytest.param(["--workers", "2", "--set", "limits.part_bytes=50000"], [], id="pieces in many runs"),
    ],
)
def test_one_digest(cut, demo_input_dir, tmp_path, options, beam):
    path = recipe(tmp_path, demo_input_dir, SUBSTRINGS)
    jobs.run("run", path, "--out", tmp_path / "out", "--quiet", *options, *(["--", *beam] if beam else []))
    assert jobs.digest(tmp_path / "out") == jobs.digest(cut[0])
    for phase in (
        ("anchors", "shared", "pieces", "windows", "cuts") if "limits.partition_bytes=60000" in options else ()
    ):
        assert len(list((tmp_path / "out" / "text" / phase).rglob("*.json"))) > 3


@pytest.mark.long
def test_one_digest_after_kills_in_each_of_its_phases(cut, demo_input_dir, tmp_path):
    path, out = recipe(tmp_path, demo_input_dir, SUBSTRINGS), tmp_path / "out"
    command = ("run", path, "--out", out, "--quiet", "--workers", "2", *SMALL)
    kills = 0
    for phase in ("anchors", "shared", "pieces", "windows", "cuts"):
        process = jobs.start(*command)
        if jobs.wait_for(lambda phase=phase: any((out / "text" / phase).rglob("*.json")), process):
            jobs.kill(process)
            kills += 1
    assert kills == 5
    jobs.run(*command)
    assert jobs.digest(out) == jobs.digest(cut[0])


@pytest.mark.long
def test_lines_and_strings_are_cut_together(plain, demo_input_dir, tmp_path):
    both = SUBSTRINGS + ", repeats: {unit: line, min_characters: 60}"
    jobs.run("run", recipe(tmp_path, demo_input_dir, both), "--out", tmp_path / "out", "--quiet")
    texts = [row["text"].encode() for row in sorted(jobs.rows(tmp_path / "out"), key=lambda row: row["id"])]
    lost = sum(map(sum, repeated(texts, 200)))
    assert lost < sum(map(sum, repeated([row["text"].encode() for row in jobs.rows(plain)], 200))) / 20
