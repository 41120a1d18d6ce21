"""What stays of candidates, in parts as in one; what comes first; who meets under an abbreviation; the verb's end."""

import json
from dataclasses import asdict

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from instruct_sources import SETTINGS, source
from test_instruct_reasons import FILLER, SHORTS

from filters.instruct import balance
from filters.instruct.balance import Stratum
from filters.instruct.record import Passage, Settings, Statement
from manifests.runs import Run, gather, read_run, save_runs, write_run
from manifests.store import open_store
from pipelines.cli import main
from pipelines.instruct.endpoint import Steady
from pipelines.instruct.facts import Corroborate
from pipelines.instruct.finish import merged, row_order
from pipelines.instruct.meet import Meet
from pipelines.instruct.read import ReadShard
from pipelines.instruct.records import NEAR, NEAR_ORDER, PASSAGE, PASSAGE_ORDER, STATEMENT, STATEMENT_ORDER

WHOLE = {"en": 10**6}


def kept(counts, fraction=0.25, rate=1e9, corpus=WHOLE):
    options = {"hedge_fraction": fraction, "records_per_10_kb": rate}
    shares = balance.quotas(counts, corpus, Settings(options=options)).fractions
    return {stratum: counts[stratum] * share for stratum, share in shares.items()}


@given(st.floats(0.05, 0.45), st.integers(50, 5000), st.integers(50, 5000))
def test_hedges_are_the_share_that_the_recipe_asks_for(fraction, pairs, singles):
    found = kept(
        {Stratum("en", True, "premise.false_entity", ""): pairs, Stratum("en", False, "quote", ""): singles}, fraction
    )
    hedges, alone = found[Stratum("en", True, "premise.false_entity", "")], found[Stratum("en", False, "quote", "")]
    assert hedges / (2 * hedges + alone) == pytest.approx(fraction, abs=0.01)


def test_without_hedges_asked_for_there_are_none_and_the_others_stay():
    found = kept({Stratum("en", True, "subjective", ""): 100, Stratum("en", False, "quote", ""): 100}, 0.0)
    assert found == {Stratum("en", True, "subjective", ""): 0.0, Stratum("en", False, "quote", ""): 100.0}


def test_what_a_model_wrote_comes_before_what_rules_made():
    written = {Stratum("en", False, "generated_qa", ""): 120, Stratum("en", True, "generated_hedge", ""): 60}
    ruled = {Stratum("en", False, "quote", ""): 5000, Stratum("en", True, "context.near_miss", ""): 2000}
    found = kept({**written, **ruled}, rate=8.0)
    assert all(found[stratum] == count for stratum, count in written.items())
    records = sum(count * (2 if stratum.is_pair else 1) for stratum, count in found.items())
    assert records == pytest.approx(800)
    hedges = sum(count for stratum, count in found.items() if stratum.is_pair)
    assert hedges / records == pytest.approx(0.25)
    alone = kept({Stratum("en", False, "generated_qa", ""): 5000, **ruled}, rate=8.0)
    assert alone[Stratum("en", False, "quote", "")] == 0.0 and alone[Stratum("en", False, "generated_qa", "")] == 400.0


@st.composite
def made_rows(draw):
    """Return answerable records, some of them with hedges; those of one key say the same."""
    rows = []
    for _ in range(draw(st.integers(0, 8))):
        key, twin = draw(st.integers(0, 2)), draw(st.integers(0, 3))
        group, unit = bytes([key, twin]), draw(st.integers(0, 1))
        pair = [{"key": key, "group": group, "id": group, "unit": unit, "said": bytes([key])}]
        for number in range(draw(st.integers(0, 2))):
            words = bytes([9, draw(st.integers(0, 2))])
            pair.append({**pair[0], "id": group + bytes([number]) + words, "said": words})
        rows.append(pair)
    return rows


def staying(pairs):
    rows = sorted((row for pair in pairs for row in pair), key=row_order)
    gone = merged(rows)
    return [row for at, row in enumerate(rows) if at not in gone]


@given(made_rows(), st.integers(0, 8))
def test_merging_parts_first_changes_nothing_that_stays(pairs, cut):
    parts = [staying(pairs[:cut]), staying(pairs[cut:])]
    assert [row["id"] for row in staying(parts)] == [row["id"] for row in staying(pairs)]


@given(made_rows())
def test_no_words_stay_twice_under_a_key_and_no_hedge_without_its_twin(pairs):
    left = staying(pairs)
    ids = {row["id"] for row in left}
    assert len({(row["key"], row["said"]) for row in left}) == len(left) == len(ids)
    assert all(row["group"] in ids for row in left)
    assert {row["key"] for row in left} == {row["key"] for pair in pairs for row in pair}


def spelling(text, name, at):
    long = text[at : at + 24].split(" (")[0]
    told = Statement("DSA", "dsa", "full_form", long, long.lower().replace(" ", ""), "text", "abbreviation", "text", at,
                     at + len(long), long)  # fmt: skip
    more = " The mills of the country stand by its two rivers, and the older ones are shown to visitors in May."
    return source(text + FILLER + more, name=name, facts=(told,))


def test_pages_that_spell_an_abbreviation_out_otherwise_meet_and_others_do_not(tmp_path):
    store = open_store(tmp_path)
    reader = ReadShard(store, {"settings": asdict(SETTINGS), "publishers": {}, "buckets": 1, "part_bytes": 1 << 20})
    pages = [spelling(SHORTS[n % 2], f"{n}", 4) for n in range(4)]
    rows = [row for page in pages for row in reader._passages(page) if row["spelt"]]
    assert len(rows) == 4 and len({row["key"] for row in rows}) == 1
    runs = save_runs(store, "t", [write_run(store, "t/p", pa.Table.from_pylist(rows, PASSAGE), PASSAGE_ORDER)])
    made = Meet(store, {"passages": runs, "seed": 0, "part_bytes": 1 << 20}).run(
        {"partition": 0, "partitions": 1, "output": "t/m"}
    )
    near = gather(store, [Run(**run) for run in made["runs"]], NEAR, order=NEAR_ORDER).to_pylist()
    own = {page.doc_id: page.text[:30] for page in pages}
    assert len(near) == 4
    for row in near:
        assert Passage(**json.loads(row["passage"])).text[:30] != own[row["id"].hex()]


def test_a_fact_that_many_documents_state_reaches_them_in_parts_as_in_one(tmp_path):
    from benchmarks.instruct_memory import _statement

    store = open_store(tmp_path)
    rows = [_statement(number) for number in range(400)]
    runs = save_runs(store, "t", [write_run(store, "t/s", pa.Table.from_pylist(rows, STATEMENT), STATEMENT_ORDER)])
    brought = []
    for size in (1, 1 << 30):
        own = {"accepting": {"min_publishers": 3, "min_agreement": 0.9}, "seed": 0, "part_bytes": size}
        made = Corroborate(store, {"statements": runs, **own}).run({"partition": 0, "partitions": 1, "output": "t/f"})
        found = [Run(**run) for run in made["runs"]["concerns"]]
        brought.append([row for run in found for batch in read_run(store, run) for row in batch.to_pylist()])
    assert brought[0] == brought[1] and len(brought[0]) == 256


def test_the_rate_of_all_workers_together_is_what_the_recipe_says(monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    each = Steady(120 / 4)
    assert 4 * 60.0 / each.interval_s == 120


def test_the_verb_asks_for_its_output_and_its_action_names_its_own(capsys, tmp_path):
    assert main(["instruct"]) == 2
    assert "--out OUT is needed" in capsys.readouterr().err
    assert main(["instruct", "audit", str(tmp_path / "none")]) == 1
    with pytest.raises(SystemExit):
        main(["images"])
