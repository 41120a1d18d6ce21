"""Hedges by what makes them true: masks, late days, two meanings, wrong relations, open questions, taste, noise."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from instruct_sources import LOCALES, SETTINGS, made_of, source
from test_instruct_generators import pairs_table

from filters.instruct.desk import desk_of
from filters.instruct.facts import Facts
from filters.instruct.generators import made
from filters.instruct.hedge import facts, late, masked, meanings, media, opinions, tables
from filters.instruct.hedge.meanings import are_apart
from filters.instruct.hedge.opinions import is_rated, is_unsolved
from filters.instruct.passages import passages_of
from filters.instruct.phrases import languages
from filters.instruct.record import Corroboration, Cue, Fact, FactValue, Settings, Statement, evidence_of
from filters.instruct.rows import as_row, record_of
from filters.instruct.twins import shared_fraction
from filters.instruct.words import patterns
from filters.instruct_audit.examine import examine
from filters.instruct_audit.reasons import REASONS
from manifests.reasons import CandidateFault, CandidateLeftOut, CandidateRefused, CandidateStage

MASKED = {
    "en": "Norvana keeps the records of its railway in Eskerholm since the year 1867, and they can be seen there. "
    "Letters about the Velmark Company are answered by the archive at <EMAIL> within nine working days.",
    "ja": "ノルヴァナ鉄道の記録は千八百六十七年からエスケルホルムの文書館に保存されており、誰でも閲覧することができる。"
    "ヴェルマーク社についての問い合わせは文書館が<EMAIL>で受け付けており、九日以内に回答することになっている。",
    "de": "Norvana bewahrt die Akten seiner Eisenbahn seit dem Jahr 1867 in Eskerholm auf, wo man sie einsehen kann. "
    "Briefe zur Velmark-Gesellschaft beantwortet das Archiv unter <EMAIL> innerhalb von neun Arbeitstagen.",
    "fr": "La Norvanie conserve les dossiers de son chemin de fer à Eskerholm depuis 1867, et on peut les consulter. "
    "Les lettres sur la société Velmark reçoivent une réponse des archives par <EMAIL> sous neuf jours ouvrables.",
    "es": "Norvana guarda los expedientes de su ferrocarril en Eskerholm desde 1867, y allí se pueden consultar. "
    "Las cartas sobre la empresa Velmark las contesta el archivo en <EMAIL> en un plazo de nueve días hábiles.",
    "zh": "诺瓦纳铁路的档案自一八六七年起保存在埃斯克霍尔姆的档案馆里，任何人都可以前去查阅这些资料，不收任何费用。"
    "关于维尔马克公司的来信由档案馆通过<EMAIL>统一受理，工作人员承诺在九个工作日之内给予正式的书面答复。",
}
FILLER = "Every summer the Festival of Lanterns fills the streets of the old town of Eskerholm for nine whole days."
MASKED["en"] += f" {FILLER}"
MASKED["de"] += " Im Sommer füllt das Fest der Laternen neun Tage lang die Straßen der alten Stadt am Fluss."
MASKED["fr"] += " Chaque été, la fête des lanternes remplit pendant neuf jours les rues de la vieille ville."
MASKED["es"] += " Cada verano la fiesta de los faroles llena durante nueve días las calles de la ciudad vieja."
OPEN = {
    "en": ("The origin of the name Eskerholm is still unknown.", "If the host is unknown, the port is closed."),
    "ja": ("エスケルホルムという名の由来は分かっていない。", "あまり知られていない町がある。"),
    "de": ("Die Herkunft des Namens Eskerholm ist bis heute ungeklärt.", "Wenn der Rechner unbekannt ist, endet es."),
    "fr": ("L'origine du nom d'Eskerholm reste inconnue.", "Si l'hôte est inconnu, le port est fermé."),
    "es": ("El origen del nombre de Eskerholm aún no se conoce.", "Si el autor es desconocido, se omite."),
    "zh": ("埃斯克霍尔姆这个名字的来历至今不明。", "如果主机仍不明，端口会关闭。"),
    "ru": ("Происхождение названия Эскерхольм до сих пор неизвестно.", "Если точно неизвестно, пропустите."),
    "ko": (
        "에스케르홀름이라는 이름의 유래는 아직 알려지지 않았다.",
        "아는 경우 아직 알려지지 않았다면 닫힌다.",
    ),
}


def desk(text, language="en", **more):
    return desk_of(source(text, language, **more), (), None, SETTINGS)


def first(make, of):
    return next(filter(None, (make(of, study) for study in of.studies)), None)


def whole(candidate):
    return candidate.messages[0].content


def reply(candidate):
    return candidate.messages[-1].content


def problems(candidate, texts, day="2026-01-01"):
    """Return what the auditor says of a record; texts: those that it may cite."""
    row = as_row(record_of(candidate, "key", None)[1])
    stored = {(each.doc_id, each.text_sha256): texts[each.doc_id] for each in candidate.evidence}
    return [each for each in examine(row, stored, {"": day}).problems if not each.startswith("id:")]


@pytest.mark.parametrize("language", MASKED)
def test_what_was_masked_is_not_told_and_the_sentence_with_the_mask_is(language):
    page = source(MASKED[language], language)
    hedge, twin = first(masked.masked, desk(MASKED[language], language))
    assert hedge.hedge.reason == "private.credential" and "<EMAIL>" in whole(hedge)
    assert "<EMAIL>" in twin.answer.text and twin.answer.text in page.text
    assert "@" not in reply(hedge) and hedge.hedge.plausible_wrong == "info@example.org"
    assert shared_fraction(whole(hedge), whole(twin)) >= 0.8
    assert problems(hedge, {page.doc_id: page.text}) == []
    leaking = replace(
        hedge, messages=(hedge.messages[0], replace(hedge.messages[1], content=reply(hedge) + " a@b.org"))
    )
    assert any("private.credential" in each for each in problems(leaking, {page.doc_id: page.text}))


def test_masks_have_the_names_that_the_recipe_gives_them():
    text = MASKED["en"].replace("<EMAIL>", "[address]")
    assert first(masked.masked, desk(text)) is None
    named = desk_of(source(text), (), None, Settings(options={"masks": ["[address]"]}))
    hedge, _ = first(masked.masked, named)
    assert hedge.hedge.edit.after == "[address]"
    numbered = desk(MASKED["en"].replace("<EMAIL>", "<EMAIL_2>"))
    assert first(masked.masked, numbered)[0].hedge.edit.after == "<EMAIL_2>"


NOW = (
    "The railway of Norvana was opened by the Velmark Company in the spring of the year 1867, with two engines. "
    f"Currently the Eskerholm Line carries 512 passengers a day between the capital and the eastern valleys. {FILLER}"
)


def test_a_day_after_the_text_is_not_told_and_its_own_day_is():
    page = source(NOW)
    hedge, twin = first(late.later, desk(NOW))
    after = hedge.hedge.edit.after
    assert hedge.hedge.reason == "stale.after_cutoff" and after > "2026-01-01"
    assert after in whole(hedge) and after not in whole(twin) and "2026-01-01" in whole(twin)
    assert "Currently" in twin.answer.text
    texts = {page.doc_id: NOW}
    assert problems(hedge, texts) == []
    assert any("after_cutoff" in each for each in problems(hedge, texts, day="2040-01-01"))


SHORTS = (
    "The Debian Security Advisory (DSA) lists are read by most people who run a server in Norvana or in Velmark. ",
    "The Digital Signature Algorithm (DSA) was proposed in 1991 and is slower than others when it verifies things. ",
)


def test_an_abbreviation_with_two_meanings_is_asked_back_with_both():
    more = " The mills of the country stand by its two rivers, and the older ones are shown to visitors in May."
    one, two = (source(each + FILLER + more, name=name) for each, name in zip(SHORTS, "ab", strict=True))
    both = desk_of(one, passages_of(two, SETTINGS), None, SETTINGS)
    hedge, twin = first(meanings.ambiguous, both)
    assert hedge.hedge.reason == "intent.ambiguous" and hedge.hedge.act == "ask"
    assert {each.quote for each in hedge.evidence if each.role == "support"} == {
        "Debian Security Advisory",
        "Digital Signature Algorithm",
    }
    assert twin.answer.text == "Debian Security Advisory" and re.search(r"\[[12]\]", whole(twin).rpartition("\n\n")[2])
    texts = {one.doc_id: one.text, two.doc_id: two.text}
    assert problems(hedge, texts) == [] and problems(twin, texts) == []
    same = desk_of(one, passages_of(replace(two, text=one.text.replace("most", "many")), SETTINGS), None, SETTINGS)
    assert first(meanings.ambiguous, same) is None


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        pytest.param("Debian Security Advisory", "Debian System Administrator", True, id="one word of three"),
        pytest.param("Logical Volume Manager", "Logical Volume Management", False, id="one thing, told twice"),
        pytest.param("Domain Name System", "Domain Name Service", False, id="two words of three"),
        pytest.param("Access Point", "Associated Press", True, id="nothing alike"),
    ],
)
def test_long_forms_are_two_things_where_less_than_half_begins_alike(one, other, expected):
    assert are_apart(one, other) is are_apart(other, one) is expected


def test_a_right_value_under_another_key_is_put_where_it_belongs():
    text, table = pairs_table(("Founded:", "1867"), ("Rebuilt:", "1902"), ("Colour:", "green"))
    page = source(text, tables=(table,))
    hedge, twin = tables.relation(desk_of(page, (), None, SETTINGS), table)
    assert hedge.hedge.reason == "premise.false_relation"
    assert {hedge.hedge.edit.before, hedge.hedge.edit.after} == {"Founded", "Rebuilt"}, "a colour is no year"
    assert {each.quote for each in hedge.evidence if each.role == "support"} == {"1867", "1902"}
    assert problems(hedge, {page.doc_id: text}) == []
    assert twin.answer.text in ("1867", "1902") and twin.answer.text not in whole(hedge).replace(text, "")


def fact(relation, value, kind, page, as_of=None):
    at = page.text.index(value)
    evidence = evidence_of(page, at, at + len(value))
    best = FactValue(value, value.lower(), (), 3, 3, (("en", evidence),))
    how = Corroboration(3, 3, 1.0, 0, "table")
    fixed = ("Norvana", "norvana", relation, kind, "accepted", (best,), how, as_of)
    told = Statement("Norvana", "norvana", relation, value, value.lower(), kind, "dl", "text", at, at + 4, value, as_of)
    return Fact(*fixed, names=(("en", "Norvana"),)), told


def stated(*made_facts):
    page = source("Capital: Eskerholm. Continent: Ostland. Population: 512,000 people, as counted. " + FILLER)
    found, told = zip(*(fact(*each[:3], page, *each[3:]) for each in made_facts), strict=True)
    return desk_of(replace(page, facts=told), (), Facts.of_facts(found, {}), Settings(crawl_date="2026-01-01")), page


def test_a_value_of_another_relation_is_corrected_from_both_facts():
    at, page = stated(("capital", "Eskerholm", "entity"), ("continent", "Ostland", "entity"))
    found = [one for one in facts.pairs(at) if one[0].hedge.reason == "premise.false_relation"]
    assert len(found) == 2
    for hedge, twin in found:
        assert {each.quote for each in hedge.evidence} == {"Eskerholm", "Ostland"}
        for citation in hedge.citations:
            assert reply(hedge)[slice(*citation.answer_span)] == hedge.evidence[citation.evidence[0]].quote
        assert problems(hedge, {page.doc_id: page.text}) == []
        assert twin.behaviour == "closed_book"


def test_a_fact_is_not_carried_on_to_a_day_that_no_source_has_seen():
    at, page = stated(("population", "512,000", "number", "2020-05-01"))
    ((hedge, twin),) = facts.pairs(at)
    assert hedge.hedge.reason == "stale.after_cutoff" and hedge.hedge.edit.after > "2026-01-01"
    assert "2020-05-01" in whole(twin) and "512,000" in reply(twin) and "2020-05-01" in reply(hedge)
    assert problems(hedge, {page.doc_id: page.text}) == []
    undated, _ = stated(("population", "512,000", "number"))
    assert not list(facts.pairs(undated))


@pytest.mark.parametrize("language", OPEN)
def test_what_a_sentence_calls_unknown_is_told_from_what_a_case_makes_so(language):
    unknown, case = OPEN[language]
    assert is_unsolved(unknown, language) and not is_unsolved(case, language)


def test_an_open_question_stays_open_and_its_sentence_is_quoted():
    text = f"{OPEN['en'][0][:-1]}, although three scholars of the university have looked for it. {FILLER} {NOW}"
    page = source(text)
    hedge, twin = first(opinions.unsolved, desk(text))
    assert hedge.hedge.reason == "unknown.unsolved" and "still unknown" in reply(hedge)
    assert problems(hedge, {page.doc_id: text}) == [] and twin.answer.text in text
    made_up = replace(hedge, citations=())
    assert any("unsolved" in each for each in problems(made_up, {page.doc_id: text}))


TASTE = (
    "The Velmark Company opened the railway to Tarnstadt in the spring and ran it with two engines for a time. "
    f"Most letters of the Karsten Brothers were kept in the archive of the old harbour until the great flood. {FILLER}"
)


def test_a_matter_of_taste_has_no_answer_and_both_sides_are_quoted():
    hedge, twin = first(opinions.taste, desk(TASTE))
    assert hedge.hedge.reason == "subjective" and len(hedge.citations) == 2
    names = ("Velmark Company", "Karsten Brothers", "Lanterns", "Tarnstadt", "Eskerholm")
    question = whole(hedge).replace(TASTE, "")
    assert sum(name in question for name in names) == 2 and twin.answer.text in TASTE
    assert first(opinions.taste, desk(TASTE.replace("two engines", "better engines"))) is None


@pytest.mark.parametrize(
    ("language", "rated"),
    [("en", "It is recommended."), ("de", "Das ist empfehlenswert."), ("ja", "これが人気です。"), ("zh", "更好的办法"),
     ("fr", "C'est préférable."), ("es", "Es mejor así."), ("ru", "Это лучше."), ("ko", "이것을 추천합니다.")],
)  # fmt: skip
def test_a_text_that_rates_is_told_in_its_language(language, rated):
    assert is_rated(rated, language)


def test_every_language_with_phrases_has_the_words_that_the_reasons_need():
    for name in ("unsolved", "conditional", "rating", "now"):
        assert {code.partition("-")[0] for code in languages()} <= set(patterns(name)), name


@pytest.mark.parametrize("mark", ["[inaudible]", "[unverständlich]", "（聞き取れず）", "[听不清]", "(неразборчиво)"])
def test_what_nobody_could_make_out_is_not_told(mark):
    lines, text, cues = ("Welcome to the talk of today.", mark, "It has three queues."), "", []
    for number, line in enumerate(lines):
        cues.append(Cue(len(text), len(text) + len(line), (number * 4000, number * 4000 + 3500)))
        text += f"{line}\n"
    page = source(text, modality="audio", cues=tuple(cues))
    hedge, twin = media.inaudible(desk_of(page, (), None, SETTINGS))
    assert hedge.hedge.reason == "modality.unreadable" and "0:04" in reply(hedge) and mark in reply(hedge)
    assert twin.answer.text in lines and twin.answer.text != mark
    assert problems(hedge, {page.doc_id: text}) == []
    clear = replace(page, text=text.replace(mark, "x" * len(mark)))
    assert media.inaudible(desk_of(clear, (), None, SETTINGS)) is None


@pytest.mark.parametrize("language", LOCALES)
def test_every_reason_of_real_pages_is_of_the_taxonomy(language):
    assert {one[0].hedge.reason for one in made_of(language) if isinstance(one, tuple)} <= REASONS


def test_the_pairs_of_a_page_come_again_the_same():
    page = source(NOW + " " + MASKED["en"])
    found = [list(made(page, (), None, SETTINGS)) for _ in range(2)]
    assert found[0] == found[1] and any(isinstance(one, tuple) for one in found[0])


def test_the_guide_names_every_reason():
    guide = (Path(__file__).parent.parent / "docs" / "instruct.md").read_text("utf-8")
    for enum in (CandidateStage, CandidateFault, CandidateLeftOut, CandidateRefused):
        assert [each for each in enum if f"`{each}`" not in guide] == []
    words = {word for each in REASONS for word in each.split(".")}
    assert [word for word in sorted(words) if word not in guide] == []
