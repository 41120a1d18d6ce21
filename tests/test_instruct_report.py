"""The report's section on instruction sets: the auditor's table, and records with their evidence in the source."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from instruct_world import commit_world

from manifests.reader import read_manifest
from manifests.store import open_store
from pipelines.cli import main
from pipelines.instruct.audit import audit
from pipelines.report.instruct import instruct_section
from pipelines.report.instruct_data import InstructData, instruct_data
from pipelines.report.tags import Html


def made(root: Path, *, is_audited: bool = True) -> InstructData:
    store = open_store(root)
    commit_world(store, languages=("en", "ja", "hi"), count=24)
    if is_audited:
        audit(store)
    return instruct_data(store, read_manifest(store, "instruct"))


def shown(data: InstructData) -> Html:
    section = instruct_section(data)
    assert section is not None
    return section


def test_there_is_no_section_without_instruction_sets() -> None:
    assert instruct_section(None) is None


def test_records_of_every_language_are_shown_with_their_evidence_marked(tmp_path: Path) -> None:
    data = made(tmp_path)
    assert {name: len(some) for name, some in data.samples.items()} == {"attribution": 20, "hedge": 20}
    for record in data.samples["attribution"]:
        (window,) = record.evidence
        quotes = [text for is_quote, text in window.pieces if is_quote]
        start, end = record.cited[0]
        assert quotes == [record.reply[start:end]]
        assert record.passages == 1 and record.question and record.question not in window.pieces[0][1]
    assert {record.language for record in data.samples["hedge"]} == {"en", "ja", "hi"}
    page = shown(data)
    assert page.count("<mark>") == 20 and page.count("<u>") == 20


def test_the_table_says_what_is_met_what_is_missed_and_what_was_not_measured(tmp_path: Path) -> None:
    data = made(tmp_path)
    page = shown(data)
    assert 'class="verdict met"' in page and 'class="verdict unmeasured"' in page
    missed = replace(data, gates=(replace(data.gates[0], verdict="fail"), *data.gates[1:]))
    assert 'class="verdict missed"' in shown(missed) and "Missed: offsets" in shown(missed)
    assert "False claims refused" in page and "Japanese" in page


def test_what_nobody_audited_is_said_so(tmp_path: Path) -> None:
    page = shown(made(tmp_path, is_audited=False))
    assert "Nobody has audited this snapshot" in page and "<mark>" in page


def test_counts_are_by_behaviour_task_and_language(tmp_path: Path) -> None:
    data = made(tmp_path)
    found = {(each.behaviour, each.task): dict(each.languages) for each in data.counts}
    assert found == {
        ("attribution", "span_qa"): {"en": 72, "hi": 72, "ja": 72},
        ("hedge", "context.entity_swap"): {"en": 24, "hi": 24, "ja": 24},
    }
    assert data.left_out == {"check/not_literal": 3}


def test_mark_up_in_a_record_is_text(tmp_path: Path) -> None:
    data = made(tmp_path)
    first = data.samples["attribution"][0]
    evil = "<script>alert(1)</script>"
    hostile = replace(first, question=evil, reply=evil, cited=((0, 8),), task=evil, wrong=evil, edit=(evil, evil))
    page = shown(replace(data, samples={"attribution": (hostile,)}))
    assert "<script" not in page and "&lt;script" in page


@pytest.mark.parametrize(
    "spans", [[(10, 20)], [(10, 20), (30, 40)], [(10, 20), (15, 40)], [(10, 20), (900, 950)], [(0, 1000)]]
)
def test_windows_hold_every_quote_once_and_in_order(spans: list[tuple[int, int]]) -> None:
    from pipelines.report.instruct_data import _pieces

    text = "".join(chr(0x4E00 + n) for n in range(1000))
    pieces = list(_pieces(text, spans))
    covered = {n for start, end in spans for n in range(start, end)}
    assert "".join(part for is_quote, part in pieces if is_quote) == "".join(text[n] for n in sorted(covered))
    whole = "".join(part for _, part in pieces).replace(" … ", "").replace(" …", "")
    places = [text.index(character) for character in whole]
    assert places == sorted(set(places))


def test_the_verb_prints_the_table_as_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    commit_world(open_store(tmp_path), languages=("en",), count=24)
    assert main(["instruct", "audit", str(tmp_path), "--json"]) == 1  # six templates are too few for one language
    table = json.loads(capsys.readouterr().out)
    failed = {gate["name"] for gate in table["gates"] if gate["verdict"] == "fail"}
    assert failed >= {"commonest template, as declared: attribution"}
    assert "commonest template, as declared: hedge" not in failed  # of 24 records each is 4 %
