"""The record: its id, its line, its row, and where its evidence stands."""

import dataclasses
import hashlib
import json

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.instruct.checks import fault
from filters.instruct.licences import strictest
from filters.instruct.record import (
    Answer,
    Candidate,
    Cell,
    Citation,
    Corroboration,
    Edit,
    Hedge,
    Message,
    Origin,
    Source,
    evidence_of,
    sha256_of,
)
from filters.instruct.rows import SCHEMA, as_row, record_of

TEXTS = [
    pytest.param("Plain text, said once.", id="ascii"),
    pytest.param("𝔸stral 🗻🗾 signs and 𠮷野家 stand here.", id="characters beyond the basic plane"),
    pytest.param("Line one\r\nline two\r\nline three", id="carriage returns"),
    pytest.param("cafe\u0301 and A\u030angstro\u0308m, decomposed", id="combining marks that are not composed"),
    pytest.param("東京は日本の首都である。", id="Japanese"),
    pytest.param("北京是中国的首都。", id="Chinese"),
    pytest.param("กรุงเทพมหานครเป็นเมืองหลวง", id="Thai"),
    pytest.param("서울은 한국의 수도이다.", id="Korean"),
    pytest.param("القاهرة هي عاصمة مصر.", id="Arabic"),
    pytest.param("नई दिल्ली भारत की राजधानी है।", id="Hindi"),
]


def source(text, **more):
    fixed = (
        "0" * 32,
        text,
        sha256_of(text),
        "http://a.example/x",
        "a.example",
        "a.example",
        "CC-BY-4.0",
        "en",
        "0" * 32,
    )
    return Source(*fixed, **more)


def candidate(text="Paris is a city.", start=0, end=5, **more):
    of = evidence_of(source(text), start, end)
    answer = of.quote
    made = Candidate(
        "attribution",
        "quote",
        "en",
        (Message("user", f"{text}\n\nWhat?"), Message("assistant", f"It says: {answer}")),
        Answer(answer, "text"),
        (of,),
        Origin("rule", "quote/en/1"),
        (Citation((9, 9 + len(answer)), (0,)),),
    )
    return dataclasses.replace(made, **more)


def found(candidate, text):
    return fault(candidate, lambda evidence: text)


@pytest.mark.parametrize("text", TEXTS)
def test_a_quote_stands_where_its_offsets_say(text):
    for start in range(len(text)):
        of = evidence_of(source(text), start, len(text))
        assert text[of.start : of.end] == of.quote
        assert len(of.quote) == of.end - of.start
    assert found(candidate(text, 1, len(text)), text) is None


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=2), st.data())
def test_a_quote_that_is_moved_is_refused(text, data):
    start = data.draw(st.integers(0, len(text) - 2))
    made = candidate(text, start, len(text) - 1)
    shifted = dataclasses.replace(made.evidence[0], start=start + 1, end=len(text))
    is_same = text[start + 1 :] == made.evidence[0].quote
    blank = not made.answer.text.strip() and "unformed"
    wrong = found(dataclasses.replace(made, evidence=(shifted,)), text)
    assert wrong in ((None, blank) if is_same else ("not_located", blank))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param({"evidence": ()}, "unsupported", id="no evidence"),
        pytest.param({"answer": Answer("Rome", "text")}, "not_literal", id="an answer that is not in the reply"),
        pytest.param({"citations": (Citation((0, 999), (0,)),)}, "citation_outside", id="a citation past the reply"),
        pytest.param({"citations": (Citation((0, 2), (1,)),)}, "citation_outside", id="a citation of nothing"),
        pytest.param({"messages": (Message("user", "What?"),)}, "unformed", id="no reply"),
        pytest.param(
            {"messages": (Message("user", " "), Message("assistant", "It says: Paris"))}, "unformed", id="blank"
        ),
        pytest.param({"behaviour": "hedge"}, "unformed", id="a hedge that says no reason"),
    ],
)
def test_what_is_not_whole_is_refused_by_name(change, reason):
    text = "Paris is a city."
    assert found(candidate(text), text) is None
    assert found(candidate(text, **change), text) == reason


def full():
    """Return a candidate in which nothing is empty."""
    made = candidate()
    cell = Cell("table/0", 1, 2, ("France", "Capital"))
    of = dataclasses.replace(made.evidence[0], cell=cell, bbox=(0.0, 0.1, 0.5, 1.0), t_ms=(0, 1500), modality="table")
    hedge = Hedge("context.entity_swap", "abstain", "Lyon", Edit("entity", "Paris", "Lyon"), "f" * 32)
    support = Corroboration(4, 4, 0.97, 0, "jsonld+infobox")
    return dataclasses.replace(made, behaviour="hedge", evidence=(of,), hedge=hedge, corroboration=support)


def test_a_line_is_the_anchor_pages_object_and_its_id_a_digest_of_the_rest():
    id_, line = record_of(full(), "key", "CC-BY-4.0", "test")
    row = json.loads(line)
    assert row.pop("id") == id_
    assert row.pop("split") == "test"
    again = json.dumps(row, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    assert hashlib.blake2b(again, digest_size=16).hexdigest() == id_
    assert set(row) == {
        *("schema", "behaviour", "task", "lang", "messages", "answer", "evidence", "citations", "corroboration"),
        *("hedge", "verify", "gen", "split_key", "licence_out"),
    }
    assert row["hedge"]["edit"] == {"kind": "entity", "from": "Paris", "to": "Lyon"}
    assert row["evidence"][0]["unit"] == "unicode_codepoint"


@pytest.mark.parametrize("made", [pytest.param(candidate(), id="sparse"), pytest.param(full(), id="full")])
def test_a_row_of_parquet_holds_what_the_line_holds(made):
    id_, line = record_of(made, "key", None)
    (row,) = pa.Table.from_pylist([as_row(line)], SCHEMA).to_pylist()
    assert row.pop("id").hex() == id_
    said = json.loads(line)
    del said["id"]
    assert row == said


@given(st.sampled_from(["lang", "task"]), st.text(st.characters(exclude_categories=["Cs"]), max_size=5))
def test_another_record_has_another_id(name, value):
    made = full()
    other = dataclasses.replace(made, **{name: value})
    assert (record_of(made, "", None)[0] == record_of(other, "", None)[0]) == (made == other)


@pytest.mark.parametrize(
    ("licences", "out"),
    [
        pytest.param(["CC0-1.0", "CC-BY-4.0"], "CC-BY-4.0", id="attribution over public domain"),
        pytest.param(["CC-BY-4.0", "CC-BY-SA-4.0"], "CC-BY-SA-4.0", id="share-alike over attribution"),
        pytest.param(["CC-BY-SA-4.0", "CC-BY-NC-4.0"], "CC-BY-NC-4.0", id="no commerce over share-alike"),
        pytest.param(["MIT", "something of its own"], "something of its own", id="what is not known is strictest"),
        pytest.param(["MIT", None], None, id="one that says nothing leaves nothing known"),
    ],
)
def test_the_strictest_licence_holds(licences, out):
    assert strictest(licences) == out
    assert strictest(reversed(licences)) == out
