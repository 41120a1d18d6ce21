"""Hedges: each has a visible cause, a true reply, and a twin that can be answered."""

import unicodedata
from collections import Counter
from dataclasses import replace

import pytest
from instruct_sources import LOCALES, SETTINGS, made_of, manual, near, source
from test_instruct_generators import PROSE, pairs_table

from filters.instruct.facts import Facts
from filters.instruct.generators import made
from filters.instruct.hedge.choose import MAKERS
from filters.instruct.passages import passages_of, stretches
from filters.instruct.record import Corroboration, Fact, FactValue, Settings, Statement, evidence_of
from filters.instruct.twins import shared_fraction

OTHER = (
    "Ostland lies behind the mountains, and its parliament has met in Grimsfurt since 1902. "
    "The harbour of Liarburg was built by the Karsten Brothers and holds 640 boats in winter. "
    "People say that the Feast of Candles is older than the town, but nobody has written it down."
)


def plain(text):
    """Return a text as a reader would compare it; shares nothing with the leak filter."""
    return " ".join(unicodedata.normalize("NFKC", text).lower().split())


def pairs(language):
    return [one for one in made_of(language) if isinstance(one, tuple)]


def passages(candidate):
    return [each.quote for each in candidate.evidence if each.role == "context"]


def whole_prompt(candidate):
    return candidate.messages[0].content


def asked(candidate):
    """Return the question without the passages."""
    text = whole_prompt(candidate)
    for passage in sorted(passages(candidate), key=len, reverse=True):
        text = text.replace(passage, "", 1)
    return text


@pytest.mark.parametrize("language", LOCALES)
def test_every_hedge_of_real_pages_has_its_cause_and_its_twin(language):
    found = pairs(language)
    assert len(found) >= 15
    for hedge, twin in found:
        assert hedge.behaviour == "hedge" and twin.behaviour == "attribution" and twin.hedge is None
        assert hedge.hedge.edit is not None and hedge.hedge.plausible_wrong not in ("", hedge.messages[1].content)
        assert shared_fraction(whole_prompt(hedge), whole_prompt(twin)) >= 0.8
        assert hedge.citations  # what is there is cited
        assert hedge.answer.type == "none" and twin.answer.type != "none"
        assert any(twin.answer.text in each.quote for each in twin.evidence if each.role == "support")


@pytest.mark.parametrize("language", LOCALES)
def test_no_passage_of_a_prompt_mentions_what_was_put_in(language):
    swapped = [one for one, _ in pairs(language) if one.hedge.reason in ("context.entity_swap", "context.number_swap")]
    for hedge in swapped:
        assert not any(plain(hedge.hedge.edit.after) in plain(passage) for passage in passages(hedge))
        assert hedge.hedge.edit.after in asked(hedge)


def test_a_near_miss_lacks_just_the_sentence_that_its_twin_is_answered_with():
    found = [one for language in LOCALES for one in pairs(language) if one[0].hedge.reason == "context.near_miss"]
    assert found
    for hedge, twin in found:
        (shown,), (fuller,) = passages(hedge), passages(twin)
        assert shown in fuller and twin.answer.text in fuller and twin.answer.text not in shown
        assert asked(hedge) == asked(twin)


def test_a_false_claim_differs_from_the_passage_by_its_edit_alone():
    found = [one for language in LOCALES for one in pairs(language) if one[0].task == "claim"]
    claimed = [one for one in found if one[0].hedge.act == "correct_premise"]
    assert len({one[0].hedge.reason for one in claimed}) >= 3
    for hedge, twin in claimed:
        edit, true = hedge.hedge.edit, twin.answer.text
        places = [i for i in range(len(true)) if true.startswith(edit.before, i)]
        false = {true[:i] + edit.after + true[i + len(edit.before) :] for i in places}
        assert any(each in whole_prompt(hedge) for each in false)
        assert true in hedge.messages[1].content
        assert not any(each in passage for each in false for passage in passages(hedge))


def test_a_private_person_is_invented_and_asked_about_by_nobody():
    found = [hedge for language in LOCALES for hedge, _ in pairs(language) if hedge.hedge.reason == "private.person"]
    for hedge in found:
        assert not any(hedge.hedge.edit.after in page.text for page in manual(hedge.lang))


@pytest.fixture(scope="module")
def small():
    """Return every pair that each maker can make of a small text."""
    beside = passages_of(source(OTHER, name="b"), SETTINGS)
    from filters.instruct.desk import desk_of

    desk = desk_of(source(PROSE), beside, None, SETTINGS)
    return {name: [pair for study in desk.studies if (pair := make(desk, study))] for name, (_, make) in MAKERS.items()}


def test_a_year_swap_asks_about_a_year_that_the_text_does_not_name(small):
    for hedge, twin in small["year"]:
        assert hedge.hedge.edit.before == "1867" and hedge.hedge.edit.after not in PROSE
        assert int(hedge.hedge.edit.after) <= 2026
        assert twin.hedge is None
    assert small["year"]


def test_the_future_begins_after_the_text_was_retrieved_and_the_prompt_says_when(small):
    for hedge, twin in small["future"]:
        assert int(hedge.hedge.edit.after) > 2026
        assert "2026-01-01" in whole_prompt(hedge) and "2026-01-01" in whole_prompt(twin)
    assert small["future"]


def test_a_missing_referent_is_asked_back_with_both_that_could_be_meant(small):
    for hedge, _ in small["referent"]:
        assert hedge.hedge.act == "ask"
        assert len(hedge.citations) == 2 and not any(name in asked(hedge) for name in hedge.entities)
    assert small["referent"]


def test_a_missing_picture_is_not_described(small):
    for hedge, _ in small["picture"]:
        assert hedge.hedge.reason == "modality.absent_input" and hedge.citations
    assert small["picture"]


def test_without_a_date_nothing_is_called_the_future():
    from filters.instruct.desk import desk_of

    desk = desk_of(source(PROSE, fetched_at=None), (), None, Settings())
    makers = {name: make for name, (_, make) in MAKERS.items()}
    assert all(makers["future"](desk, study) is None and makers["now"](desk, study) is None for study in desk.studies)


def test_a_table_is_asked_for_what_only_its_neighbour_gives():
    first, table = pairs_table(("Syntax:", "Alpha On|Off"), ("Default:", "Alpha Off"), ("Module:", "core"))
    second, other = pairs_table(("Syntax:", "Beta number"), ("Default:", "Beta 7"), ("Status:", "Extension"))
    shift = len(first) + 2
    moved = tuple(tuple(replace(c, start=c.start + shift, end=c.end + shift) for c in row) for row in other.rows)
    both = (table, replace(other, number=1, start=shift, end=shift + len(second), rows=moved))
    kinds = Counter()
    for name in "abcdefghijkl":
        page = source(f"{first}\n\n{second}", tables=both, name=name)
        for hedge, twin in (one for one in made(page, (), None, SETTINGS) if isinstance(one, tuple)):
            kinds[hedge.hedge.reason] += 1
            assert hedge.hedge.edit.after not in passages(hedge)[0]
            assert twin.answer.text in passages(twin)[0]
    assert set(kinds) == {"context.mutual_exclusion", "context.no_info"}


def test_a_passage_gives_at_most_one_pair():
    for language in ("en", "ja"):
        for page in manual(language):
            found = [one for one in made(page, near(language)[page.doc_id], None, SETTINGS) if isinstance(one, tuple)]
            assert len(found) <= len(stretches(page, SETTINGS)) + len(page.tables)


def test_two_sources_whose_numbers_differ_are_both_given():
    from filters.instruct.desk import desk_of
    from filters.instruct.hedge.conflict import conflict

    told = PROSE.replace("512", "640").replace("Norvanese at home and English", "their own tongue at home and another")
    beside = passages_of(source(told, name="b"), SETTINGS)
    desk = desk_of(source("Norvana has four regions, as its schools teach. " + PROSE), beside, None, SETTINGS)
    ((hedge, twin),) = [pair for study in desk.studies if (pair := conflict(desk, study))]
    assert hedge.hedge.reason == "evidence.conflict" and hedge.hedge.act == "both_sides"
    cited = [hedge.evidence[citation.evidence[0]] for citation in hedge.citations]
    assert {"512" in piece.quote for piece in cited} == {True, False} and {"640" in p.quote for p in cited} == {
        True,
        False,
    }
    assert len({piece.doc_id for piece in cited}) == 2
    assert twin.answer.text in PROSE and "512" not in twin.answer.text


def test_the_same_numbers_are_no_conflict():
    from filters.instruct.desk import desk_of
    from filters.instruct.hedge.conflict import conflict

    beside = passages_of(source("Velmark is far away from here, they say. " + PROSE, name="b"), SETTINGS)
    desk = desk_of(source(PROSE), beside, None, SETTINGS)
    assert not any(conflict(desk, study) for study in desk.studies)


def test_a_fact_told_wrongly_is_corrected_from_the_fact_table_whatever_page_it_is_met_in():
    text = "The capital of Norvana is Eskerholm, and everybody in the country has known it since the old days.\n"
    page = source(text)
    at = text.index("Eskerholm")
    own = Statement(
        "Norvana", "norvana", "capital", "Eskerholm", "eskerholm", "entity", "table", "text", at, at + 9, "Eskerholm"
    )
    evidence = evidence_of(page, at, at + 9)
    best = FactValue("Eskerholm", "eskerholm", (), 3, 3, (("en", evidence),))
    how = Corroboration(3, 3, 1.0, 0, "table")
    fact = Fact("Norvana", "norvana", "capital", "entity", "accepted", (best,), how, names=(("en", "Norvana"),))
    table = Facts.of_facts([fact], {("capital", "en"): ("Eskerholm", "Grimsfurt")})
    found = [one for name in "ab" for one in made(replace(source(text, name=name), facts=(own,)), (), table, SETTINGS)]
    told = [one for one in found if isinstance(one, tuple) and one[0].hedge.edit.kind == "value"]
    assert len(told) == 2 and told[0] == told[1]
    hedge, twin = told[0]
    assert "Grimsfurt" in hedge.messages[0].content and "Eskerholm" in hedge.messages[1].content
    assert twin.behaviour == "closed_book" and twin.corroboration == how and "Grimsfurt" not in twin.messages[0].content
