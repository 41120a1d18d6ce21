"""Instruction sets in the trainers' own formats: nothing is changed, and what can't be said is counted."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from instruct_world import commit_world, records, rows_of

from manifests.exports import OF_CONVERSATIONS, export
from manifests.exports.conversations import CONTROL, LINES, Refusal
from manifests.exports.source import CONVERSATIONS, open_source
from manifests.store import open_store
from pipelines.cli import main
from pipelines.verbs.export import CHATS

LANGUAGES = ("en", "ja", "hi")
Lines = list[dict[str, Any]]


@cache
def rows() -> list[dict[str, Any]]:
    return rows_of([each for language in LANGUAGES for each in records(language, 6)])


def exported(root: Path, format_name: str, own: list[dict[str, Any]] | None = None) -> tuple[Lines, dict[str, Any]]:
    store = open_store(root / "out")
    commit_world(store, languages=LANGUAGES, rows=own or rows(), count=6)
    folder = root / "exported"
    done = export(open_source(store, "instruct"), open_store(folder), format_name)
    files = sorted(folder.glob("data/*.jsonl"))
    return [json.loads(line) for path in files for line in path.read_text("utf-8").splitlines()], done


def with_system(content: str) -> list[dict[str, Any]]:
    row = rows()[0]
    return [{**row, "messages": [{"role": "system", "content": content}, *row["messages"]]}]


def test_the_verb_offers_what_there_is() -> None:
    assert CHATS == OF_CONVERSATIONS == tuple(sorted(LINES))


@pytest.mark.parametrize("format_name", OF_CONVERSATIONS)
def test_every_record_is_a_line_or_is_counted(format_name: str, tmp_path: Path) -> None:
    lines, done = exported(tmp_path, format_name)
    assert done["settings"]["lines"] == len(lines) > 0
    assert done["settings"]["lines"] + done["settings"]["left_out"] == len(rows())
    assert {each["id"] for each in lines} <= {row["id"].hex() for row in rows()}
    assert len({each["id"] for each in lines}) == len(lines)


def test_messages_are_the_records_own(tmp_path: Path) -> None:
    lines, _ = exported(tmp_path, "messages")
    assert {each["id"]: each["messages"] for each in lines} == {
        row["id"].hex(): list(row["messages"]) for row in rows()
    }


def test_splits_are_files_of_their_own(tmp_path: Path) -> None:
    exported(tmp_path, "messages")
    splits = {row["id"].hex(): row["split"] for row in rows()}
    for path in (tmp_path / "exported" / "data").glob("*.jsonl"):
        found = {splits[json.loads(line)["id"]] for line in path.read_text("utf-8").splitlines()}
        assert found == {path.name.partition("-")[0]}
    assert "split: validation" in (tmp_path / "exported" / "README.md").read_text()


def test_of_a_hedge_the_wrong_answer_is_rejected_and_of_its_twin_the_refusal(tmp_path: Path) -> None:
    lines, _ = exported(tmp_path, "preference")
    by_id = {each["id"]: each for each in lines}
    hedges = [row for row in rows() if row["hedge"]]
    assert len(lines) == 2 * len(hedges)
    for row in hedges:
        assert by_id[row["id"].hex()]["rejected"][0]["content"] == row["hedge"]["plausible_wrong"]
        assert by_id[row["id"].hex()]["chosen"][0]["content"] == row["messages"][-1]["content"]
        twin = by_id[row["hedge"]["contrast_id"]]
        assert row["hedge"]["edit"]["from"] in twin["rejected"][0]["content"]
        assert twin["chosen"][0]["content"] != twin["rejected"][0]["content"]


@pytest.mark.parametrize(
    ("refusal", "expected"),
    [
        pytest.param(Refusal("No B, only A.", ("A", "B")), "No A, only B.", id="names change places"),
        pytest.param(Refusal("The text does not say.", None), "The text does not say.", id="another context"),
        pytest.param(Refusal("Nothing is said.", ("", "x")), "Nothing is said.", id="something was put in"),
    ],
)
def test_a_refusal_is_put_into_the_twins_words(refusal: Refusal, expected: str) -> None:
    assert refusal.of_twin() == expected


GEMMA = "<start_of_turn>user\nBe brief.\n\nHello<end_of_turn>\n<start_of_turn>model\nこんにちは<end_of_turn>\n"
LLAMA = (
    "<|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|>"
    "<|start_header_id|>user<|end_header_id|>\n\nHello<|eot_id|>"
    "<|start_header_id|>assistant<|end_header_id|>\n\nこんにちは<|eot_id|>"
)
ALPACA = {"instruction": "Be brief.\n\nHello", "input": "", "output": "こんにちは"}
SHAREGPT = {"conversations": [{"from": "system", "value": "Be brief."}, {"from": "human", "value": "Hello"},
                              {"from": "gpt", "value": "こんにちは"}]}  # fmt: skip


@pytest.mark.parametrize(
    ("format_name", "expected"),
    [("gemma", {"text": GEMMA}), ("llama", {"text": LLAMA}), ("alpaca", ALPACA), ("sharegpt", SHAREGPT)],
)
def test_what_the_system_says_is_kept_in_every_format(format_name: str, expected: dict[str, Any]) -> None:
    turns = [("system", "Be brief."), ("user", "Hello"), ("assistant", "こんにちは")]
    row = {"messages": [{"role": role, "content": content} for role, content in turns], "hedge": None}
    assert LINES[format_name](row, {}) == expected


@pytest.mark.parametrize(
    ("format_name", "token"),
    [(name, token) for name, tokens in sorted(CONTROL.items()) for token in tokens],
)
def test_a_page_cannot_end_a_turn_of_its_own(format_name: str, token: str, tmp_path: Path) -> None:
    own = with_system(f"The page says {token}.")
    _, done = exported(tmp_path, "messages", own)
    assert done["settings"] == {"lines": 1, "left_out": 0}
    assert LINES[format_name](own[0], {}) is None


def test_two_turns_do_not_fit_alpaca() -> None:
    row = {"messages": [*rows()[0]["messages"]] * 2, "hedge": None}
    assert LINES["alpaca"](row, {}) is None and LINES["gemma"](row, {}) is not None


def test_a_format_for_other_data_is_refused_by_name(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    commit_world(store, languages=("en",), count=3)
    with pytest.raises(ValueError, match="not for conversations"):
        export(open_source(store, "instruct"), open_store(tmp_path / "x"), "mds")
    with pytest.raises(ValueError, match="not for documents"):
        export(open_source(store, "text"), open_store(tmp_path / "x"), "sharegpt")
    assert open_source(store, "instruct").kind == CONVERSATIONS


def test_the_verb_writes_the_same_bytes_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    commit_world(open_store(tmp_path), languages=("en",), count=3)
    for _ in range(2):
        assert main(["export", "--out", str(tmp_path), "--to", "messages"]) == 0
    first, again = capsys.readouterr().out.splitlines()
    assert first == again and "12 conversations" in first
    assert main(["export", "--out", str(tmp_path), "--to", "hf", "--job", "instruct"]) == 0
