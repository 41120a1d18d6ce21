"""The auditor's literal checker: numbers, dates, quotations and names in any script, and what it refuses."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.instruct_audit.checker import Premise, missing, supported
from filters.instruct_audit.dates import dates_of
from filters.instruct_audit.names import names, quotations
from filters.instruct_audit.numbers import numbers, plain

FOUNDING = Premise(("The town of Barlonwick was founded by Mary Keller on 7 November 1867 with 1,234 people.",))


def found(text: str) -> list[set[str]]:
    return [set(each) for each in numbers(plain(text))]


@pytest.mark.parametrize(
    ("left", "right"),
    [
        pytest.param("1,234", "1.234", id="thousands in London and in Berlin"),
        pytest.param("1 234 567", "1,234,567", id="thousands with spaces"),
        pytest.param("1\u202f234", "1'234", id="a narrow space, an apostrophe"),
        pytest.param("3,5", "3.50", id="a decimal comma, and zeros at the end"),
        pytest.param("१२३४", "1234", id="Devanagari digits"),
        pytest.param("٢٬٠٢٤", "2024", id="Arabic-Indic digits with their own separator"),
        pytest.param("３１４", "314", id="full-width digits"),
        pytest.param("千二百三十四人", "1,234人", id="a kanji numeral"),
        pytest.param("一九八五年", "1985年", id="kanji digits by place"),
        pytest.param("1億2,000万人", "120,000,000", id="a number with myriads"),
        pytest.param("3千円", "3000円", id="digits with a thousand behind them"),
        pytest.param("二〇二六年", "2026", id="a round zero"),
    ],
)
def test_two_ways_to_write_a_number_agree(left: str, right: str) -> None:
    (a,), (b,) = found(left), found(right)
    assert a & b


@pytest.mark.parametrize(
    ("text", "count"),
    [
        pytest.param("一般に三重県では十分である", 0, id="kanji numerals inside words are no numbers"),
        pytest.param("千葉と万葉集", 0, id="place and book"),
        pytest.param("第三章の二十三番", 2, id="an ordinal and a count are"),
        pytest.param("24–10, 2.3.1 and 7", 4, id="scores, versions and digits"),
    ],
)
def test_numbers_are_told_from_words(text: str, count: int) -> None:
    assert len(found(text)) == count


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("7 November 1867", (1867, 11, 7), id="English, day first"),
        pytest.param("November 7th, 1867", (1867, 11, 7), id="English, month first"),
        pytest.param("7. März 1867", (1867, 3, 7), id="German"),
        pytest.param("el 7 de noviembre de 1867", (1867, 11, 7), id="Spanish"),
        pytest.param("le 1er février 1867", (1867, 2, 1), id="French, the first"),
        pytest.param("7 ноября 1867 года", (1867, 11, 7), id="Russian, genitive"),
        pytest.param("１８６７年１１月７日", (1867, 11, 7), id="Japanese, full width"),
        pytest.param("昭和三十九年十月十日", (1964, 10, 10), id="a Japanese era in kanji"),
        pytest.param("令和元年", (2019, 0, 0), id="the first year of an era"),
        pytest.param("1867년 11월 7일", (1867, 11, 7), id="Korean"),
        pytest.param("१ नवंबर २०१०", (2010, 11, 1), id="Hindi with its own digits"),
        pytest.param("1867-11-07", (1867, 11, 7), id="ISO 8601"),
        pytest.param("May 2010", (2010, 5, 0), id="a month alone"),
    ],
)
def test_dates_are_read_in_many_languages(text: str, expected: tuple[int, int, int]) -> None:
    (date,) = dates_of(text)
    assert date.readings == {expected}


def test_a_date_that_can_be_read_in_two_ways_has_both_readings() -> None:
    assert dates_of("3/4/2020")[0].readings == {(2020, 3, 4), (2020, 4, 3)}


@pytest.mark.parametrize(
    ("claim", "kinds"),
    [
        pytest.param("Mary Keller founded Barlonwick on November 7, 1867.", [], id="the same date, written otherwise"),
        pytest.param("Barlonwick was founded in November 1867.", [], id="less than the source says"),
        pytest.param("Barlonwick was founded on 8 November 1867.", ["date"], id="another day"),
        pytest.param("Barlonwick was founded by Mary Kessler.", ["entity"], id="another name"),
        pytest.param("Barlonwick had 1.234 people.", [], id="the number in another country's way"),
        pytest.param("Barlonwick had 1,243 people.", ["number"], id="two digits changed places"),
        pytest.param("It was called “The town of Barlonwick”.", [], id="a quotation that stands there"),
        pytest.param("It was called “Barlonwick town”.", ["quote"], id="a quotation that does not"),
        pytest.param("Barlonwic", ["entity"], id="a name cut short"),
        pytest.param("founded by", [], id="a phrase that stands there"),
        pytest.param("founded from", ["wording"], id="a phrase without any literal that does not"),
        pytest.param("nobody knows it and nobody says so.", ["wording"], id="a sentence without any literal"),
    ],
)
def test_what_the_premise_does_not_have_is_named(claim: str, kinds: list[str]) -> None:
    assert [each.kind for each in missing(claim, "en", FOUNDING)] == kinds


@pytest.mark.parametrize(
    ("claim", "language", "expected"),
    [
        pytest.param("ワルシャワ", "ja", True, id="katakana"),
        pytest.param("ワルシャ", "ja", False, id="katakana cut short"),
        pytest.param("一八六七年", "ja", True, id="the year in kanji"),
        pytest.param("一八六八年", "ja", False, id="another year in kanji"),
        pytest.param("「ワルシャワで生まれた」とある。", "ja", True, id="a quotation that stands there"),
        pytest.param("「ワルシャワで育った」とある。", "ja", False, id="a quotation that does not"),
        pytest.param("ワルシャワで結婚した。", "ja", False, id="kanji that the source has not"),
        pytest.param("パリ", "ja", False, id="another city"),
        pytest.param("人口は1億2000万人", "ja", True, id="myriads with and without commas"),
    ],
)
def test_japanese_claims(claim: str, language: str, expected: bool) -> None:
    premise = Premise(("1867年11月7日、マリ・スクウォドフスカは\nワルシャワで生まれた。人口は1億2,000万人である。",))
    assert supported(claim, language, premise) is expected


def test_names_of_the_question_need_no_support_but_its_numbers_do() -> None:
    asked = Premise(("Did Paul Smith count 99 people in Barlonwick?",))
    assert missing("Paul Smith counted 1,234 people there.", "en", FOUNDING, asked) == []
    assert [each.kind for each in missing("Paul Smith counted 99 people there.", "en", FOUNDING, asked)] == ["number"]


def test_quotation_marks_of_many_languages_are_known_even_mixed() -> None:
    text = '“one two” „drei vier“ «пять шесть» 「七八」 『九十』 „sieben" “so“'
    assert quotations(text) == ["one two", "drei vier", "пять шесть", "sieben", "so", "七八", "九十"]


def test_the_first_word_of_a_sentence_is_no_name_but_a_short_answer_is() -> None:
    assert names("According to them, it is in Paris.", "en") == ["Paris"]
    assert names("Paris", "en") == ["Paris"]


WORDS = ("Anna", "1867", "Берлин", "東京都", "パリス", "3.5", "«да»", "der Fluß", "١٢٣", "กรุงเทพ", "12 мая 2020", "नगर")
SENTENCES = st.lists(st.sampled_from(WORDS), min_size=1, max_size=8)


@given(SENTENCES, SENTENCES, SENTENCES)
@settings(max_examples=60)
def test_what_was_taken_over_literally_is_always_supported(
    before: list[str], said: list[str], behind: list[str]
) -> None:
    claim = " ".join(said)
    assert supported(claim, "en", Premise((f"{' '.join(before)} {claim} {' '.join(behind)}",)))
