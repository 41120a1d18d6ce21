"""Facts: values in one form, statements with their places, publishers that count, and what is asked of it."""

import datetime
import itertools
import json
import random
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.instruct.abbreviations import abbreviations, spells
from filters.instruct.closed import closed_book
from filters.instruct.facts import (
    MAX_PER_PUBLISHER,
    MAX_PUBLISHERS,
    Accepting,
    Told,
    decide,
    fact_json,
    fact_of,
    independent,
    new_tally,
)
from filters.instruct.normal import agrees, date_of, kanji_number, name_key, number, quantity
from filters.instruct.publishers import publisher_of
from filters.instruct.record import Evidence, Settings
from filters.instruct.relations import languages, relations, wordings
from filters.instruct.source import blocks_of, pairs_of, sections_of, tables_of
from filters.instruct.statements import Page, contexts_of, statements_of


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("7 November 1867", "1867-11-07", id="day first"),
        pytest.param("November 7, 1867", "1867-11-07", id="month first"),
        pytest.param("7. November 1867", "1867-11-07", id="German"),
        pytest.param("7 novembre 1867", "1867-11-07", id="French"),
        pytest.param("7 de noviembre de 1867", "1867-11-07", id="Spanish"),
        pytest.param("1867年11月7日", "1867-11-07", id="Japanese and Chinese"),
        pytest.param("昭和63年1月7日", "1988-01-07", id="a Japanese era"),
        pytest.param("平成元年", "1989", id="the first year of an era"),
        pytest.param("二〇二四年四月一日", "2024-04-01", id="kanji digits"),
        pytest.param("１８６７年", "1867", id="full-width digits"),
        pytest.param("Nov 1867", "1867-11", id="no more precise than it is written"),
        pytest.param("1867 [3]", "1867", id="a reference mark"),
        pytest.param("07/11/1867", None, id="an order that is not certain"),
        pytest.param("31 février 2000", None, id="a day that does not exist"),
        pytest.param("in the autumn", None, id="no date"),
    ],
)
def test_dates(text, expected):
    assert date_of(text) == expected


@given(st.dates(datetime.date(1000, 1, 1), datetime.date(2999, 12, 31)))
def test_every_day_is_read_as_it_is_written_in_six_languages(day):
    months = {
        "de": "Januar Februar März April Mai Juni Juli August September Oktober November Dezember",
        "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
        "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    }
    named = {code: names.split()[day.month - 1] for code, names in months.items()}
    for text in (
        day.isoformat(),
        f"{day.year:04d}年{day.month}月{day.day}日",
        f"{day.day} {day.strftime('%B')} {day.year:04d}",
        f"{day.strftime('%B')} {day.day}, {day.year:04d}",
        f"{day.day}. {named['de']} {day.year:04d}",
        f"{day.day} {named['fr']} {day.year:04d}",
        f"{day.day} de {named['es']} de {day.year:04d}",
    ):
        assert date_of(text) == day.isoformat(), text


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        pytest.param("1,234", "en", "1234", id="a comma groups in English"),
        pytest.param("1.234", "de", "1234", id="a full stop groups in German"),
        pytest.param("1.234", "en", "1.234", id="and parts decimals in English"),
        pytest.param("1.234.567,5", "es", "1234567.5", id="both marks"),
        pytest.param("1 234 567", "fr", "1234567", id="spaces group"),
        pytest.param("3億2000万", "ja", "320000000", id="digits with kanji units"),
        pytest.param("二千二十四", "ja", "2024", id="kanji"),
        pytest.param("13亿", "zh", "1300000000", id="Chinese units"),
        pytest.param("٣٤٥", "ar", "345", id="Arabic-Indic digits"),
        pytest.param("१२३", "hi", "123", id="Devanagari digits"),
        pytest.param("83,2 Millionen", "de", "83200000", id="a word that scales"),
        pytest.param("約1億2,000万人", "ja", "120000000", id="about, and a counter"),
        pytest.param("12 apples", "en", None, id="a number of something"),
        pytest.param("none", "en", None, id="no number"),
    ],
)
def test_numbers(text, language, expected):
    assert number(text, language) == expected


@given(st.integers(0, 10**16 - 1))
def test_kanji_numbers_are_read_as_they_are_spelt(value):
    assert kanji_number(spelt(value)) == value


def spelt(value):
    """Spell a number in kanji: an oracle that counts from the other end."""
    if value == 0:
        return "零"
    out = ""
    for place, unit in enumerate(("", "万", "億", "兆")):
        four = value // 10 ** (4 * place) % 10_000
        piece = ""
        for digit, small in zip(f"{four:04d}", ("千", "百", "十", ""), strict=True):
            if digit != "0":
                piece += ("" if digit == "1" and small else "〇一二三四五六七八九"[int(digit)]) + small
        out = (piece + unit if piece else "") + out
    return out


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        pytest.param("3,776 m", "en", "3776 m", id="metres"),
        pytest.param("3776メートル", "ja", "3776 m", id="metres in Japanese"),
        pytest.param("8.848,86 m", "de", "8848.86 m", id="German decimals"),
        pytest.param("377,975 km²", "en", "377975000000 m2", id="square kilometres"),
        pytest.param("5 GB", "en", "5000000000 byte", id="bytes"),
        pytest.param("5", "en", None, id="no unit"),
        pytest.param("5 parsecs", "en", None, id="a unit that is not known"),
    ],
)
def test_quantities(text, language, expected):
    assert quantity(text, language) == expected


def page(text, language="en", title="", parts=(), markup=()):
    tables = tables_of(text, blocks_of(parts, "table"))
    return Page(text, language, title, tables, blocks_of(parts, "table", "code"), markup)


def table(text):
    return [{"kind": "table", "start": 0, "end": len(text)}]


GRID = "Country\t\tCapital\t\tPopulation\nFrance\t\tParis\t\t67,000,000 (2020)\nJapan\t\tTokyo\t\t126 million (2019)"
BOX = "Capital\t\tOslo\nCurrency\t\tkrone [2]\nPopulation\t\t5.4 million (as of 2021)\nAnthem\t\tnone"
SAID = [
    pytest.param(page("The capital of France is Paris."), ("France", "capital", "Paris", None), id="a sentence"),
    pytest.param(page("日本の首都は東京である。", "ja"), ("日本", "capital", "東京", None), id="a Japanese sentence"),
    pytest.param(page("Die Hauptstadt von Peru ist Lima.", "de"), ("Peru", "capital", "Lima", None), id="German"),
    pytest.param(
        page("La capitale de Malte est La Valette.", "fr"), ("Malte", "capital", "La Valette", None), id="French"
    ),
    pytest.param(page("La capital de Chile es Santiago.", "es"), ("Chile", "capital", "Santiago", None), id="Spanish"),
    pytest.param(page("法国的首都是巴黎。", "zh"), ("法国", "capital", "巴黎", None), id="Chinese"),
    pytest.param(page(GRID, parts=table(GRID)), ("Japan", "capital", "Tokyo", None), id="a cell of a grid"),
    pytest.param(page(GRID, parts=table(GRID)), ("France", "population", "67,000,000", "2020"), id="a dated cell"),
    pytest.param(page(BOX, "en", "Norway - Atlas", table(BOX)), ("Norway", "capital", "Oslo", None), id="an infobox"),
    pytest.param(page(BOX, "en", "Norway", table(BOX)), ("Norway", "population", "5.4 million", "2021"), id="as of"),
    pytest.param(
        page("License: GPL-2.0\n", "en", "grep"), ("grep", "license", "GPL-2.0", None), id="a line with a label"
    ),
    pytest.param(
        page("use DHCP (Dynamic Host Configuration Protocol)"), ("DHCP", "full_form", None, None), id="spelt out"
    ),
]


@pytest.mark.parametrize(("read", "expected"), SAID)
def test_statements_are_read_where_they_stand(read, expected):
    found = statements_of(read)
    subject, relation, value, as_of = expected
    (one,) = [each for each in found if (each.subject, each.relation) == (subject, relation)]
    assert one.as_of == as_of
    assert value is None or one.value == value
    assert read.text[one.start : one.end] == one.quote == one.value


@pytest.mark.parametrize(
    "read",
    [
        pytest.param(page("It was founded in 1901 by nobody."), id="a pronoun is no name"),
        pytest.param(page("Ada Lovelace was born in London."), id="a person without a page of their own"),
        pytest.param(page("The capital of the company is rising fast."), id="words that only look so"),
        pytest.param(page("これの首都は東京である。", "ja"), id="a Japanese pronoun"),
        pytest.param(page("see the notes (BAR) and use it (as FOO)"), id="parentheses that spell nothing out"),
    ],
)
def test_what_is_no_fact_is_not_read(read):
    assert statements_of(read) == ()


def test_the_mark_up_of_a_page_is_read_and_located():
    block = {"@context": "https://schema.org", "@type": "Corporation", "name": "Ünïcorp", "foundingDate": "1999-04-01"}
    block["founder"] = [{"@type": "Person", "name": "A. Bé"}]
    for content in (json.dumps(block), json.dumps(block, ensure_ascii=False, indent=2)):
        read = page("x", markup=[{"kind": "json_ld", "content": content}])
        found = {each.relation: each for each in statements_of(read)}
        assert {k: v.value_key for k, v in found.items()} == {"founding_date": "1999-04-01", "founder": "a. bé"}
        for each in found.values():
            assert content[each.start : each.end] == each.quote
            assert each.view == each.cell.table == "markup/0"


@pytest.mark.parametrize(
    "block",
    [
        pytest.param({"@type": "Person", "name": "J. Doe", "birthDate": "1990-01-01"}, id="a person nobody points to"),
        pytest.param({"@type": "BlogPosting", "name": "My day", "author": "J. Doe"}, id="the author of a page"),
        pytest.param({"@type": "Organization", "foundingDate": "1990"}, id="no name"),
        pytest.param({"@type": "Organization", "name": "X", "foundingDate": "long ago"}, id="a date that is none"),
    ],
)
def test_private_people_and_what_is_not_whole_are_left_out(block):
    content = json.dumps(block)
    assert statements_of(page("x", markup=[{"kind": "json_ld", "content": content}])) == ()


def test_questions_with_their_answers_are_found():
    text = "FAQ\nWhat is a shard?\nA shard is one of several files that together hold all records of a set, in order."
    content = json.dumps({"@type": "FAQPage", "mainEntity": [asked("Why two?", "Because one is not enough.")]})
    found = pairs_of(text, sections_of(text, ()), [{"kind": "json_ld", "content": content}])
    assert [pair.question for pair in found] == ["What is a shard?", "Why two?"]
    assert text[found[0].start : found[0].end] == found[0].answer
    assert content[found[1].start : found[1].end] == found[1].answer
    assert found[1].view == "markup/0"


def asked(question, answer):
    return {"@type": "Question", "name": question, "acceptedAnswer": {"@type": "Answer", "text": answer}}


@pytest.mark.parametrize(
    ("short", "long", "expected"),
    [
        pytest.param("DHCP", "Dynamic Host Configuration Protocol", True, id="initials"),
        pytest.param("HTTP", "Hypertext Transfer Protocol", True, id="two letters of a word"),
        pytest.param("RAID", "redundant array of independent disks", True, id="a particle gives none"),
        pytest.param("GNU", "GNU's Not Unix", True, id="itself"),
        pytest.param("DHCP", "Dynamic Configuration", False, id="letters that nothing gives"),
        pytest.param("NFS", "some Network File System", False, id="a word too many"),
        pytest.param("FOO", "Foo", False, id="one word"),
    ],
)
def test_abbreviations_fit_their_long_forms(short, long, expected):
    assert spells(short, long) is expected
    read = list(abbreviations(f"use the {short} ({long})"))
    assert [each.long for each in read] == [long] * expected


def told(publisher, cluster, contexts=(), value="Paris", own_page=True, language="en", method="infobox"):
    doc = f"{publisher}-{cluster}"
    of = Evidence(doc, "0" * 64, f"http://{publisher}/", publisher, None, "text", 0, len(value), value)
    return Told("France", value, value.casefold(), method, language, publisher, cluster, contexts, own_page, of)


def tally_of(statements, relation="capital", as_of=None):
    tally = new_tally("france", relation, as_of)
    for each in statements:
        tally.add(each)
    return tally


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(0, 3)), max_size=9))
def test_independent_publishers_are_a_largest_matching(rows):
    statements = [told(f"p{p}", f"c{c}", (k,) if k else ()) for p, c, k in rows]
    assert independent(statements) == largest_matching(rows)


def largest_matching(rows):
    """Count by trying every choice: pairs (publisher, copied text) of which no two share either."""
    texts = {}  # cluster or context -> its class, joined until nothing changes
    nodes = [({("c", c)} | ({("k", k)} if k else set())) for _, c, k in rows]
    changed = True
    while changed:
        changed = False
        for one, other in itertools.combinations(range(len(nodes)), 2):
            if nodes[one] & nodes[other] and nodes[one] != nodes[other]:
                nodes[one] = nodes[other] = nodes[one] | nodes[other]
                changed = True
    pairs = sorted({(p, min(node)) for (p, _, _), node in zip(rows, nodes, strict=True)})
    del texts

    def most(left, used_p, used_t):
        if not left:
            return 0
        (p, t), rest = left[0], left[1:]
        best = most(rest, used_p, used_t)
        if p not in used_p and t not in used_t:
            best = max(best, 1 + most(rest, used_p | {p}, used_t | {t}))
        return best

    return most(pairs, frozenset(), frozenset())


def many(count, value="Paris", start=0, **more):
    return [told(f"site{n}.org", f"c{n}", (), value, **more) for n in range(start, start + count)]


@pytest.mark.parametrize(
    ("statements", "relation", "as_of", "status"),
    [
        pytest.param(many(3), "capital", None, "accepted", id="three publishers agree"),
        pytest.param(many(2), "capital", None, "attribution", id="two are enough to attribute"),
        pytest.param(many(1), "capital", None, "low", id="one is low evidence"),
        pytest.param(
            [told(f"site{n}.org", "same") for n in range(20)], "capital", None, "low", id="twenty copies are one"
        ),
        pytest.param(
            [told("one.org", f"c{n}") for n in range(20)], "capital", None, "low", id="twenty pages of one are one"
        ),
        pytest.param([*many(3), *many(1, "Lyon", 9)], "capital", None, "conflict", id="three against one"),
        pytest.param([*many(10), *many(1, "Lyon", 19)], "capital", None, "accepted", id="ten against one"),
        pytest.param(
            [*many(30), *many(2, "Lyon", 39)], "capital", None, "conflict", id="two that agree are a conflict"
        ),
        pytest.param([*many(3), *many(3, "Lyon", 9)], "author", None, "accepted", id="several may be true"),
        pytest.param(many(4, "8"), "population", None, "stale", id="what varies needs its date"),
        pytest.param(many(4, "8"), "population", "2020", "accepted", id="and has it"),
        pytest.param(many(4, own_page=False), "birth_place", None, "attribution", id="a person without a page"),
        pytest.param(many(4), "birth_place", None, "accepted", id="a person with a page"),
    ],
)
def test_what_is_accepted(statements, relation, as_of, status):
    fact = decide(tally_of(statements, relation, as_of), Accepting())
    assert fact.status == status


def test_a_date_is_as_precise_as_enough_publishers_have_it():
    precise = many(2, "1867-11-07")
    fact = decide(tally_of([*precise, *many(2, "1867", 5)], "founding_date"), Accepting())
    assert (fact.status, fact.values[0].value_key, fact.corroboration.n_domains) == ("accepted", "1867", 4)
    fact = decide(tally_of([*many(3, "1867-11-07"), *many(2, "1867", 5)], "founding_date"), Accepting())
    assert fact.values[0].value_key == "1867-11-07"
    assert agrees("1867", "1867-11-07", "date")
    assert not agrees("1867-1", "1867-11", "date")


@settings(max_examples=40)
@given(st.lists(st.tuples(st.integers(0, 80), st.integers(0, 6), st.sampled_from("abc")), max_size=200), st.randoms())
def test_the_order_of_what_is_said_changes_nothing(rows, rng):
    statements = [told(f"p{p}", f"c{c}", (), value) for p, c, value in rows]
    shuffled = random.Random(rng.random()).sample(statements, len(statements))
    if statements:
        whole = [fact_json(decide(tally_of(each), Accepting())) for each in (statements, shuffled)]
        assert whole[0] == whole[1]
        assert fact_of(json.loads(json.dumps(whole[0]))) == decide(tally_of(statements), Accepting())


def test_a_subject_that_everybody_tells_of_takes_no_more_room():
    tally = tally_of(told(f"p{n}.org", f"c{n}") for n in range(3000))
    kept = sum(len(own) for own in tally.values["paris"].publishers.values())
    assert kept <= MAX_PUBLISHERS * MAX_PER_PUBLISHER
    assert decide(tally, Accepting()).corroboration.n_domains == 64


def test_copies_are_told_by_the_words_beside_a_sentence():
    article = "Rivers there are long and slow, people say. The capital of France is Paris. Winters are mild and short."
    first, second = (f"{around} {article} {around}" for around in ("Our news:", "Read elsewhere, all day:"))
    alone = "The capital of France is Paris."
    places = [contexts_of(text, statements_of(page(text))[0]) for text in (first, second)]
    assert set(places[0]) & set(places[1])
    assert contexts_of(alone, statements_of(page(alone))[0]) == ()


@pytest.mark.parametrize(
    ("uri", "publisher"),
    [
        pytest.param("http://news.example.co.jp/a", "example.co.jp", id="registrable domain"),
        pytest.param("https://github.com/Apache/httpd/README", "github.com/apache", id="a host of many projects"),
        pytest.param("https://someone.github.io/x", "someone.github.io", id="a private suffix"),
        pytest.param("books:debian-faq/ch1.html", "books/debian-faq", id="a folder of an input that holds many"),
        pytest.param("manuals:ch1.html", "manuals", id="a local input is one"),
    ],
)
def test_publishers(uri, publisher):
    assert publisher_of(uri, {"books": 1}).publisher == publisher


def test_an_edition_of_a_work_and_a_mirror_count_as_whoever_publishes_it():
    same = {"books": "manual.example", "mirror.example": "manual.example"}
    uris = ("https://www.manual.example/ja/", "https://de.mirror.example/manual/", "books:manual.epub")
    assert {publisher_of(uri, same).publisher for uri in uris} == {"manual.example"}


def accepted(relation="capital", value="Paris", as_of=None):
    said = [each for code in languages() for each in many(3, value, language=code)]
    return decide(tally_of(said, relation, as_of), Accepting())


def test_an_accepted_fact_is_asked_in_every_language_that_states_it():
    made = list(closed_book(accepted(), Settings()))
    assert {each.lang for each in made} == {"de", "en", "es", "fr", "ja", "zh"} == set(languages())
    for each in made:
        assert "France" in each.messages[0].content
        assert each.answer.text == "Paris"
        ((start, end),) = [citation.answer_span for citation in each.citations]
        assert each.messages[1].content[start:end] == "Paris"
        assert len({evidence.domain for evidence in each.evidence}) >= 3


def test_what_is_not_accepted_is_never_asked():
    for count in (1, 2):
        assert list(closed_book(decide(tally_of(many(count)), Accepting()), Settings())) == []


def test_a_dated_fact_is_asked_as_of_its_date_and_a_year_is_no_day():
    for each in closed_book(accepted("population", "8", "2020"), Settings()):
        assert "2020" in each.messages[0].content
        assert each.answer.as_of == "2020"
    for seed in range(8):
        for each in closed_book(accepted("founding_date", "1867"), Settings(seed)):
            assert not any(
                mark in each.messages[1].content for mark in (" on 1867", " am 1867", " el 1867", " le 1867")
            )


def test_every_relation_is_worded_in_six_languages_in_at_least_five_ways():
    assert {"en", "ja", "de", "fr", "es", "zh"} <= set(languages())
    for code in languages():
        assert set(wordings(code)) == set(relations())
        for wording in wordings(code).values():
            assert len(set(wording.questions)) >= 5
            assert all(each.count("{s}") == 1 for each in (*wording.questions, *wording.statements))
            assert all(each.count("{v}") == 1 for each in wording.statements)


@given(st.text())
def test_a_name_is_folded_once_and_for_all(name):
    assert name_key(name_key(name)) == name_key(name)


@given(st.integers(0, 10**12), st.sampled_from(["en", "de", "fr"]))
def test_grouped_numbers_are_read_back(value, language):
    mark = {"en": ",", "de": ".", "fr": "\u202f"}[language]
    written = f"{value:,}".replace(",", mark)
    assert Fraction(number(written, language)) == value
