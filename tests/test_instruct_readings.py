"""Small readings on which facts and sentences turn: ordinals, years, abbreviations, wordings, dates made false."""

from dataclasses import replace

import pytest
from instruct_sources import SETTINGS, source
from test_instruct_facts import many, page, tally_of

from filters.instruct.abbreviations import abbreviations
from filters.instruct.closed import closed_book
from filters.instruct.desk import desk_of
from filters.instruct.facts import Accepting, decide
from filters.instruct.passages import stretches
from filters.instruct.record import Settings
from filters.instruct.relations import languages, wordings
from filters.instruct.span_qa import candidates
from filters.instruct.statements import statements_of
from filters.instruct.terms import YEAR, is_untranslated, terms
from filters.instruct_audit.checker import Premise, supported
from filters.instruct_audit.corruption import corrupted

GERMAN = (
    "Debian 3.0 wurde am 19. Juli 2002 veröffentlicht, und zwar für elf Architekturen auf einmal. "
    "Im 20. Jahrhundert hatte niemand damit gerechnet, dass es so viele werden würden. "
    "Die zweite Konferenz fand vom 3. bis zum 5. Juli 2001 in Bordeaux statt und war gut besucht. "
    "Es gab 7. Das war dem Projekt zu wenig, und so beschloss man im Herbst noch eine weitere Konferenz."
)


def test_a_german_ordinal_ends_no_sentence():
    (stretch,) = stretches(source(GERMAN, "de"), SETTINGS)
    said = [stretch.said(index) for index in range(len(stretch.sentences))]
    assert len(said) == 5
    assert said[0].endswith("auf einmal.") and said[2].endswith("gut besucht.") and said[3] == "Es gab 7."


@pytest.mark.parametrize(
    ("text", "language", "years"),
    [
        pytest.param("выпущен 19 июля 2002 для процессоров", "ru", ["2002"], id="behind a Russian month"),
        pytest.param("в 1999 году", "ru", ["1999"], id="before a Russian word for year"),
        pytest.param("порт 2002 занят", "ru", [], id="a number"),
        pytest.param("2002 年 7 月", "ja", ["2002"], id="Japanese"),
        pytest.param("publicada el 9 de marzo de 1999", "es", ["1999"], id="Spanish"),
    ],
)
def test_years(text, language, years):
    assert [term.text for term in terms(text, language) if term.kind == YEAR] == years


def test_every_dated_sentence_of_a_passage_is_asked_about_once_at_most():
    text = (
        "The first conference was held in July 2000 in the south of France, and forty people came to it. "
        "The second conference was held in August 2002, and it had more than eighty visitors in the end. "
        "In March 2003 the project counted its members, and there were nearly a thousand of them. "
    )
    desk = desk_of(source(text, "en"), (), None, SETTINGS)
    asked = [each.messages[0].content for each in candidates(desk)]
    ends = [f"{each.partition(chr(10))[0]} {each.rpartition(chr(10))[2]}" for each in asked]  # the text is between
    assert all(sum(f" {year}" in each for each in ends) >= 1 for year in ("2000", "2002", "2003"))
    assert len(set(asked)) == len(asked) >= 3


@pytest.mark.parametrize(
    ("text", "long"),
    [
        pytest.param("the Secure Sockets Layer (SSL) is old", "Secure Sockets Layer", id="a word for each letter"),
        pytest.param("a Transport Layer Security (TLS) library", "Transport Layer Security", id="no more than these"),
        pytest.param(
            "the HyperText Transfer Protocol (HTTP) of old", "HyperText Transfer Protocol", id="a letter inside"
        ),
        pytest.param("der Secure Sockets Layer（SSL）", "Secure Sockets Layer", id="wide parentheses"),
    ],
)
def test_the_long_form_is_what_all_letters_begin(text, long):
    assert [each.long for each in abbreviations(text)] == [long]


def test_what_says_more_than_its_relation_is_read_and_never_told():
    (fact,) = statements_of(page("Lima is a city in Peru."))
    assert (fact.subject, fact.relation, fact.value) == ("Lima", "country", "Peru")
    for code in languages():
        for wording in wordings(code).values():
            assert wording.statements and set(wording.statements) <= set(wording.heard)
            assert not any("~" in each for each in wording.heard)
    asked = closed_book(decide(tally_of(many(3, "Peru"), "country"), Accepting()), Settings())
    assert not any("city" in each.messages[1].content for each in asked)


def test_only_what_writes_the_answer_so_is_cited_for_it():
    other = [replace(each, value_key="domain keys") for each in many(1, "Domain-Keys", start=3)]
    said = [*many(3, "Domain Keys"), *other]
    made = list(closed_book(decide(tally_of(said, "full_form"), Accepting()), Settings()))
    assert made
    for each in made:
        (citation,) = each.citations
        assert {each.evidence[at].quote for at in citation.evidence} == {each.answer.text}
        assert len({evidence.domain for evidence in each.evidence}) == 4


@pytest.mark.parametrize(
    ("claim", "language"),
    [
        pytest.param("La fundación se hizo en noviembre de 1994 en Madrid.", "es", id="Spanish"),
        pytest.param("Im November 1995 kam die erste Version heraus.", "de", id="German"),
        pytest.param("В ноябре 1995 года вышел первый выпуск.", "ru", id="Russian"),
        pytest.param("Il progetto è nato nel luglio 2003 a Oslo.", "it", id="Italian"),
        pytest.param("1994 年 1 月に公開された。", "ja", id="Japanese"),
        pytest.param("It came out in May 2001 at last.", "en", id="English"),
    ],
)
def test_a_month_of_another_year_is_refused(claim, language):
    false = corrupted(claim, "date", language, claim)
    assert false is not None and false != claim
    assert supported(claim, language, Premise((claim,)))
    assert not supported(false, language, Premise((claim,)))


def test_what_stands_between_two_german_quotations_is_none():
    claim = "Die als »Debian 1.0« deklarierten Dateien auf dem »InfoMagic Resource Set« waren es nicht."
    false = corrupted(claim, "quote", "de", claim)
    assert false is not None and "deklarierten Dateien auf dem" in false
    assert not supported(false, "de", Premise((claim,)))


@pytest.mark.parametrize(
    ("said", "language", "expected"),
    [
        pytest.param(
            "Then it looks up the Master Boot Record of the first disk in the order.", "es", True, id="English"
        ),
        pytest.param("The sources of the kernel are in the package.", "en", False, id="in English it is right"),
        pytest.param("El proyecto GNOME publica «The Book of the Desktop» cada año.", "es", False, id="a title"),
        pytest.param("Finally, the examiner checks the candidate's skills.", "zh", True, id="English in Chinese"),
        pytest.param("用 apt-get dist-upgrade 升级整个系统。", "zh", False, id="Chinese with a command"),
        pytest.param("Команда nmap выполняет те же функции, что и netstat.", "ru", False, id="Russian with names"),
        pytest.param("Unless firmware lookup is disabled, it loads the file.", "ru", True, id="English in Russian"),
        pytest.param(
            "De bron is van het project of van de auteur zelf.", "nl", False, id="Dutch has words like English"
        ),
    ],
)
def test_what_nobody_translated_is_told(said, language, expected):
    assert is_untranslated(said, language) is expected
