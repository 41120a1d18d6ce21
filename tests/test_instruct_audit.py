"""The auditor over whole sets: a sound one meets every gate, and each thing that is spoilt fails its own."""

import json
import shutil
from argparse import Namespace
from collections.abc import Callable, Iterator
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from instruct_world import commit_world, records, rows_of

from filters.instruct_audit.bayes import held_out_auc
from filters.instruct_audit.gates import Gate
from filters.instruct_audit.prompts import prompt_of
from filters.instruct_audit.templates import shapes
from filters.instruct_audit.twins import told
from filters.instruct_audit.wilson import auc, wilson
from manifests.keys import canonical_json
from manifests.reader import read_manifest
from manifests.store import open_store
from pipelines.instruct.audit import audit, load_audit
from pipelines.verbs.instruct_audit import run

Rows = list[dict[str, Any]]
LANGUAGES = ("en", "ja")
COUNT = 12  # documents of a language


@cache
def sound_rows() -> Rows:
    return rows_of([each for language in LANGUAGES for each in records(language, COUNT)])


def audited(root: Path, rows: Rows, texts: dict[str, str] | None = None) -> dict[str, Gate]:
    store = open_store(root / "out")
    commit_world(store, languages=LANGUAGES, rows=rows, texts=texts, count=COUNT)
    return {gate.name: gate for gate in audit(store).gates}


def of_kind(rows: Rows, behaviour: str) -> dict[str, Any]:
    return next(row for row in rows if row["behaviour"] == behaviour)


def named_anew(row: dict[str, Any]) -> None:
    """Give a record the id that its content has now."""
    import hashlib

    stated = {name: value for name, value in row.items() if name not in ("id", "split")}
    row["id"] = hashlib.blake2b(canonical_json(stated), digest_size=16).digest()


def test_a_sound_set_meets_every_gate_that_can_be_measured(tmp_path: Path) -> None:
    store = open_store(tmp_path / "out")
    commit_world(store)
    found = audit(store)
    assert [gate.name for gate in found.gates if gate.verdict == "fail"] == []
    measured = {gate.name: gate.value for gate in found.gates if gate.verdict == "pass"}
    assert measured["offsets: evidence stands where it is said to"] == 1.0
    assert measured["citation recall (mode a)"] == measured["citation precision (mode a)"] == 1.0
    kinds = ("number", "date", "entity", "quote")
    assert all(f"corruption refused: {k}, {lang}" in measured for k in kinds for lang in ("en", "de", "es", "ru", "ja"))
    assert found.is_passed


def shifted(rows: Rows) -> None:
    of_kind(rows, "attribution")["evidence"][0]["start"] += 1


def of_another_text(rows: Rows) -> None:
    of_kind(rows, "attribution")["evidence"][0]["text_sha256"] = "0" * 64


def of_another_document(rows: Rows) -> None:
    first, *others = (row for row in rows if row["behaviour"] == "attribution")
    first["evidence"][0]["doc_id"] = next(
        row["evidence"][0]["doc_id"] for row in others if row["evidence"][0]["doc_id"] != first["evidence"][0]["doc_id"]
    )


def renamed(rows: Rows) -> None:
    of_kind(rows, "attribution")["task"] = "quote"


def wrong_number(rows: Rows) -> None:
    row = next(row for row in rows if "population of" in row["messages"][-1]["content"])
    reply = row["messages"][-1]["content"]
    digits = next(part for part in reply.split() if "," in part and part[0].isdigit())
    row["messages"][-1]["content"] = reply.replace(digits, "7" + digits[1:] if digits[0] != "7" else "8" + digits[1:])


def uncited(rows: Rows) -> None:
    of_kind(rows, "attribution")["citations"] = []


def cited_twice(rows: Rows) -> None:
    row = next(row for row in rows if row["behaviour"] == "attribution" and row["lang"] == "en")
    other = next(r for r in rows if r["lang"] == "ja" and r["behaviour"] == "attribution")
    row["evidence"] = [*row["evidence"], other["evidence"][0]]
    row["citations"][0]["evidence"] = [0, 2]


def without_twin(rows: Rows) -> None:
    of_kind(rows, "hedge")["hedge"]["contrast_id"] = None


def twin_of_another(rows: Rows) -> None:
    hedge = of_kind(rows, "hedge")
    other = next(row for row in rows if row["behaviour"] == "attribution" and row["lang"] != hedge["lang"])
    hedge["hedge"]["contrast_id"] = other["id"].hex()


def leaking(rows: Rows) -> None:
    hedge = of_kind(rows, "hedge")
    hedge["hedge"]["edit"]["to"] = hedge["hedge"]["edit"]["from"]


def in_two_splits(rows: Rows) -> None:
    row = of_kind(rows, "attribution")
    row["split"] = "test"


def twice(rows: Rows) -> None:
    rows.append(deepcopy(of_kind(rows, "attribution")) | {"licence_out": "CC0-1.0"})
    named_anew(rows[-1])
    rows.sort(key=lambda row: row["id"])


def hardly_in_one_language(rows: Rows) -> None:
    rows[:] = [row for n, row in enumerate(rows) if row["lang"] == "en" or not n % 9]


def generated_and_unsure(rows: Rows) -> None:
    row = of_kind(rows, "attribution")
    row["gen"]["mode"] = "llm"
    row["verify"] = [{"check": "nli", "tool": "x@1", "score": 0.0, "verdict": "unknown", "at": "generator"}]


def without_hedges(rows: Rows) -> None:
    rows[:] = [row for row in rows if row["behaviour"] != "hedge"]


def of_one_template(rows: Rows) -> None:
    for row in rows:
        row["gen"]["template"] = "all/alike"


def two_publishers(rows: Rows) -> None:
    row = of_kind(rows, "attribution")
    row["behaviour"], row["citations"] = "closed_book", []
    row["corroboration"] = {"n_domains": 2, "n_dup_clusters": 4, "agree": 1.0, "conflicts": 0, "method": "jsonld"}


OFFSETS = "offsets: evidence stands where it is said to"
FORM = "records whose id, messages, answer or citations do not fit"


@pytest.mark.parametrize(
    ("spoil", "gate", "is_named_anew"),
    [
        pytest.param(shifted, OFFSETS, True, id="an offset that is off by one"),
        pytest.param(of_another_text, OFFSETS, True, id="a sha256 of no stored text"),
        pytest.param(of_another_document, OFFSETS, True, id="another document than the one that says it"),
        pytest.param(renamed, FORM, False, id="a field changed after the id was made"),
        pytest.param(wrong_number, "citation recall (mode a)", True, id="a digit that the source does not have"),
        pytest.param(uncited, "citation recall (mode a)", True, id="an answer without citation"),
        pytest.param(cited_twice, "citation precision (mode a)", True, id="a citation that carries nothing"),
        pytest.param(without_twin, "hedges with a twin", True, id="a hedge without twin"),
        pytest.param(twin_of_another, "twins that share 80 % of the tokens", True, id="a twin in another language"),
        pytest.param(leaking, "hedges whose passages give the answer away", True, id="an answer in the passages"),
        pytest.param(in_two_splits, "split keys and documents that stand in two splits", True, id="two splits"),
        pytest.param(twice, "records that repeat a prompt and its reply", True, id="a record twice"),
        pytest.param(hardly_in_one_language, "distance of the language mix from the corpus", True, id="a language"),
        pytest.param(generated_and_unsure, "generated records with a check that did not pass", True, id="unknown"),
        pytest.param(without_hedges, "hedges among all records, at least", True, id="no hedges"),
        pytest.param(of_one_template, "commonest template, as declared: attribution", True, id="one template for all"),
        pytest.param(two_publishers, "closed-book facts below three publishers in three clusters", True, id="two tell"),
    ],
)  # fmt: skip
def test_what_is_spoilt_fails_its_gate(
    spoil: Callable[[Rows], None], gate: str, is_named_anew: bool, tmp_path: Path
) -> None:
    rows = deepcopy(sound_rows())
    before = {row["id"]: canonical_json({**row, "id": row["id"].hex()}) for row in rows}
    spoil(rows)
    changed = [row for row in rows if before.get(row["id"]) != canonical_json({**row, "id": row["id"].hex()})]
    for row in changed if is_named_anew else ():
        named_anew(row)
    found = audited(tmp_path, sorted(rows, key=lambda row: row["id"]))
    assert found[gate].verdict == "fail"


def test_a_text_that_was_changed_behind_the_set_is_noticed(tmp_path: Path) -> None:
    row = of_kind(sound_rows(), "attribution")
    name = row["evidence"][0]["doc_id"]
    found = audited(tmp_path, sound_rows(), texts={name: "\n" + row["evidence"][1]["quote"]})
    assert found[OFFSETS].verdict == "fail"


def test_the_verb_prints_the_table_keeps_it_and_fails_where_a_gate_fails(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = deepcopy(sound_rows())
    shifted(rows)
    store = open_store(tmp_path)
    commit_world(store, languages=LANGUAGES, rows=rows, count=COUNT)
    assert run(Namespace(out=str(tmp_path), version=None, share=1.0, json=False)) == 1
    said = capsys.readouterr().out
    assert OFFSETS in said and "is not its quote" in said
    kept = load_audit(store, read_manifest(store, "instruct"))
    assert kept is not None and kept["records"] == len(rows)
    shutil.rmtree(tmp_path / "instruct")
    commit_world(store, languages=LANGUAGES, rows=sound_rows(), count=COUNT)
    first = [gate.as_json() for gate in audit(store).gates]
    assert json.loads(json.dumps(first)) == [gate.as_json() for gate in audit(store).gates]


def test_a_share_is_drawn_by_the_id_alone(tmp_path: Path) -> None:
    store = open_store(tmp_path)
    commit_world(store, languages=LANGUAGES, rows=sound_rows(), count=COUNT)
    counts = [audit(store, share=each).body["records"] for each in (1.0, 0.5, 0.5)]
    assert counts[0] == len(sound_rows()) and counts[1] == counts[2] and 0.3 < counts[1] / counts[0] < 0.7
    twins = {gate.name: gate.value for gate in audit(store, share=0.5).gates}["hedges with a twin"]
    assert twins == 1.0  # a hedge is drawn with the record that it is held against


@pytest.mark.parametrize(
    ("literal", "context", "expected"),
    [
        pytest.param("1867", "It began in 1867.", True, id="a year"),
        pytest.param("1867", "It began in 18670.", False, id="a year inside a longer number"),
        pytest.param("7 November 1867", "1867年11月7日に始まった。", True, id="a date in another language's way"),
        pytest.param("1,234", "There were 1.234 of them", True, id="a number in another country's way"),
        pytest.param("Ann", "Anna came.", False, id="a name inside another"),
        pytest.param("ANNA", "Anna came.", True, id="capitals"),
        pytest.param("パリ", "彼はパリにいた。", True, id="katakana between hiragana"),
        pytest.param("नगर", "यह रामनगर है", False, id="a Hindi word inside another"),
    ],
)
def test_leaks_are_found_as_words_numbers_and_dates(literal: str, context: str, expected: bool) -> None:
    assert told(literal, context) is expected


def test_questions_are_told_from_passages_by_the_cited_text_alone() -> None:
    row = of_kind(sound_rows(), "attribution")
    texts = {(each["doc_id"], each["text_sha256"]): row["evidence"][1]["quote"] for each in row["evidence"]}
    prompt = prompt_of(row, texts)
    assert prompt.question.strip() == row["messages"][0]["content"].rpartition("\n\n")[2]
    assert row["evidence"][0]["quote"] in prompt.context


def test_questions_that_give_themselves_away_are_told_without_context() -> None:
    telling = [f"When did {n} happen in the year 30{n:02d}?" for n in range(60)]
    plain = [f"When did {n} happen in the year 17{n:02d}?" for n in range(60)]
    groups = [str(n % 30) for n in range(60)] * 2
    labels = [True] * 60 + [False] * 60
    found = held_out_auc([*telling, *plain], labels, groups)
    assert found is not None and found.value > 0.95
    same = held_out_auc([*plain, *plain], labels, groups)
    assert same is not None and same.value == pytest.approx(0.5, abs=0.02)


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=30))
def test_the_area_is_the_share_of_pairs_in_order(drawn: list[tuple[int, bool]]) -> None:
    scores, labels = [float(score) for score, _ in drawn], [label for _, label in drawn]
    found = auc(scores, labels)
    right = [a for a, label in drawn if label]
    wrong = [b for b, label in drawn if not label]
    if found is None:
        assert not right or not wrong
        return
    pairs = [(a > b) + 0.5 * (a == b) for a in right for b in wrong]
    assert found.value == pytest.approx(np.mean(pairs)) and found.low <= found.value <= found.high


@given(st.integers(0, 500), st.integers(1, 500))
def test_wilsons_interval_solves_its_equation(k: int, n: int) -> None:
    k = min(k, n)
    found = wilson(k, n)
    for bound in (found.low, found.high):
        if 0 < bound < 1 and bound != found.value:
            assert abs(found.value - bound) == pytest.approx(1.959964 * (bound * (1 - bound) / n) ** 0.5, abs=1e-9)


def test_a_shape_is_what_questions_share() -> None:
    asked = [f"Please tell me the height of {name}." for name in ("Fuji", "Etna", "Rainier", "Elbrus", "Kailash")]
    own = ["Quokkas?", "Zwölf Boxkämpfer jagen Viktor", "Why?"]
    found = shapes([*asked, *own], 0.5)
    assert len(set(found[:5])) == 1 and found[0].startswith("Please tell me the height of …")
    assert set(found[5:]) == {"…"}


def _gates() -> Iterator[Gate]:
    yield Gate("a", 0.5, 0.4, 0.6, 10, ">=", 0.5)
    yield Gate("b", 0.5, 0.4, 0.6, 10, ">=", 0.51)
    yield Gate("c", None, None, None, 0, "<=", 0.5)
    yield Gate("d", 3.0, None, None, 10)


def test_what_was_not_measured_is_neither_passed_nor_failed() -> None:
    assert [gate.verdict for gate in _gates()] == ["pass", "fail", "not measured", "reported"]


def test_the_auditor_shares_no_code_with_the_generators() -> None:
    import ast

    import filters.instruct_audit as package

    for path in Path(str(package.__file__)).parent.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            names += [each.name for each in node.names] if isinstance(node, ast.Import) else []
            assert not [each for each in names if each == "filters.instruct" or each.startswith("filters.instruct.")]
