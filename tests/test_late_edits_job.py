"""After duplicates are merged: what repeats is cut, what evaluation sets hold is dropped, and all is accounted for."""

import json
import re
from collections import Counter, defaultdict
from pathlib import Path

import jobs
import pyarrow.parquet as pq
import pytest

LEAST = 40


@pytest.fixture(scope="module")
def outs(demo_input_dir, tmp_path_factory) -> dict[str, Path]:
    """Give the outputs of three recipes over the small input: plain, with cuts, and with cuts and evaluation sets."""
    folder = tmp_path_factory.mktemp("late")
    plain = _run(folder, "plain", demo_input_dir, "")
    questions = [_sentence(row["text"]) for row in jobs.rows(plain) if row["language"] in ("en", "ja")][:6]
    lines = [json.dumps({"question": each, "answer": "no"}) for each in (*questions, "Who?")]
    (folder / "quiz.jsonl").write_text("\n".join(lines) + "\n")
    cuts = "  dedup: {repeats: {unit: line}}\n"
    sets = "  decontaminate: {sets: [{name: quiz, uri: quiz.jsonl, fields: [question]}]}\n"
    return {
        "plain": plain,
        "cut": _run(folder, "cut", demo_input_dir, cuts),
        "both": _run(folder, "both", demo_input_dir, cuts + sets),
        "sets": _run(folder, "sets", demo_input_dir, sets),
    }


def _run(folder: Path, name: str, source: Path, more: str) -> Path:
    recipe = folder / f"{name}.yaml"
    recipe.write_text(
        f"corpusmill: 1\ninputs: [{{name: manuals, uri: {source}}}]\n"
        f"text:\n  shards: 3\n  edits: []\n  dropped_text_sample: 1.0\n  rules: [gopher_v1]\n{more}"
    )
    jobs.run("run", recipe, "--out", folder / name, "--quiet")
    return folder / name


def _sentence(text: str) -> str:
    """Return the longest run of the text without a newline: enough words in any script."""
    return max(text.split("\n"), key=len)[:400]


def _long_lines(text: str) -> set[str]:
    return {line.strip() for line in text.split("\n") if len(line.strip()) >= LEAST}


def test_a_line_that_several_documents_held_is_kept_in_the_first_alone(outs):
    before, after = (jobs.rows(outs[name]) for name in ("plain", "cut"))
    holders = defaultdict(list)
    for row in sorted(before, key=lambda row: row["id"]):
        for line in _long_lines(row["text"]):
            holders[line].append(row["id"])
    repeated = {line: ids for line, ids in holders.items() if len(ids) > 1}
    assert len(repeated) > 50
    dropped = {row["id"] for row in jobs.rows(outs["cut"], "dropped") if row["reason"].startswith("after_cuts/")}
    left = {row["id"]: _long_lines(row["text"]) for row in after}
    for line, ids in repeated.items():
        assert [each for each in ids if line in left.get(each, ())] in ([ids[0]], [] if ids[0] in dropped else None)
    unique = {line for line, ids in holders.items() if len(ids) == 1}
    kept_lines = set().union(*left.values())
    gone = set().union(*(_long_lines(row["text"]) for row in before if row["id"] in dropped))
    assert unique <= kept_lines | gone


def test_what_is_left_is_measured_again(outs):
    before = {row["id"]: row for row in jobs.rows(outs["plain"])}
    changed = [row for row in jobs.rows(outs["cut"]) if row["text"] != before[row["id"]]["text"]]
    assert changed
    for row in changed:
        assert row["signals"]["view_bytes"] == len(row["text"].encode())
        assert row["signals"]["line_count"] == sum(bool(line.strip()) for line in row["text"].split("\n"))
        assert row["signals"]["word_count"] >= 50 or row["language"] == "ko"
    at = [part["end"] for row in changed for part in row["parts"][-1:] if part["kind"] == "text"]
    assert at and all(part["end"] <= len(row["text"]) for row in changed for part in row["parts"])


def test_the_account_names_what_cuts_and_sets_took(outs):
    plain = jobs.funnel(outs["plain"])
    for name in ("cut", "both", "sets"):
        counts = jobs.funnel(outs[name])
        assert counts["in"] == plain["in"] == sum(n for verdict, n in counts.items() if verdict != "in")
        rows = jobs.rows(outs[name], "dropped")
        reasons = Counter(row["reason"] for row in rows if row["verdict"] == "dropped")
        stated = {
            key.removeprefix("dropped/"): n
            for key, n in jobs.manifest(outs[name])["ledger"]["out"].items()
            if key.startswith("dropped/")
        }
        assert reasons == stated
    cut = jobs.manifest(outs["cut"])
    assert cut["statistics"]["cuts"]["documents"] > 0 < cut["statistics"]["cuts"]["bytes"]


def test_documents_that_hold_questions_are_named_with_them(outs):
    before = {row["id"]: row for row in jobs.rows(outs["plain"])}
    dropped = {row["id"] for row in jobs.rows(outs["sets"], "dropped") if row["reason"] == "decontamination_v1/quiz"}
    questions = [json.loads(line)["question"] for line in (outs["sets"].parent / "quiz.jsonl").read_text().splitlines()]
    for question in questions[:-1]:  # the last is too short to be looked for
        assert any(question in before[each]["text"] for each in dropped)
    shards = [shard for shard in jobs.manifest(outs["sets"])["shards"] if shard["kind"] == "contamination"]
    hits = [row for shard in shards for row in pq.read_table(outs["sets"] / shard["name"]).to_pylist()]
    assert {row["id"] for row in hits} == dropped
    assert {row["item"] for row in hits} == set(range(len(questions) - 1))
    kept = {row["id"] for row in jobs.rows(outs["sets"])}
    assert kept == set(before) - dropped


@pytest.mark.long
def test_the_same_bytes_after_another_road(outs, demo_input_dir, tmp_path):
    again = tmp_path / "again"
    for recipe in ("plain", "both"):
        text = (outs["plain"].parent / f"{recipe}.yaml").read_text()
        (outs["plain"].parent / "again.yaml").write_text(re.sub("shards: 3", "shards: 3", text))
        jobs.run("run", outs["plain"].parent / "again.yaml", "--out", again, "--quiet", "--", "--direct_num_workers=1")
    assert jobs.digest(again) == jobs.digest(outs["both"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param("{", "line 1", id="no JSON"),
        pytest.param("[1]", "not a JSON object", id="no object"),
        pytest.param('{"other": "text"}', "holds no text in question", id="no such field"),
    ],
)
def test_a_broken_evaluation_set_is_named(outs, demo_input_dir, tmp_path, content, message):
    (tmp_path / "quiz.jsonl").write_text(content)
    (tmp_path / "recipe.yaml").write_text((outs["sets"].parent / "sets.yaml").read_text())
    said = jobs.run("run", tmp_path / "recipe.yaml", "--out", outs["sets"], "--quiet", status=1)
    assert message in said
