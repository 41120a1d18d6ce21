"""Wikitext to text: real articles, what stays and what goes, hostile pages."""

import re
import time

import pytest
import real_books
from corpora import read_bytes
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.books import NotOurs, Unusable
from filters.mediawiki import Site, page_address, read_page, to_text
from filters.parts import CODE, END, IMAGE, INDEX, KIND, START, TABLE
from manifests.limits import Limits

SITE = Site(
    "https://ja.wikipedia.org/wiki/", frozenset({"file", "image", "media", "ファイル"}), frozenset({"category"})
)


def read(payload: bytes):
    return read_page(payload, "in:x", Limits(), lambda: None)


def text_of(wikitext: str) -> str:
    return to_text(wikitext, SITE)[0].decode()


def export(text: str, more: str = "", head: str = "") -> bytes:
    page = f"<page><title>T</title><ns>0</ns><id>7</id>{more}<revision><id>9</id><text>{text}</text></revision></page>"
    return f"<mediawiki>{head}{page}</mediawiki>".encode()


ARTICLES = [
    row["payload"]
    for name in (real_books.ENGLISH, real_books.TABLES)
    for row in read_bytes("a.xml", real_books.dump(name)).rows
]


def test_no_markup_is_left_in_real_articles_and_parts_cover_them():
    left = re.compile(r"\{\{|\}\}|\[\[|\]\]|<ref|</|'''|\{\||\|\}|__[A-Z]+__")
    dirty = 0
    for payload in ARTICLES[::4]:
        found = read(payload)
        text = found.text.decode()
        rows = found.parts.rows
        covering = rows[rows[:, KIND] != IMAGE]
        assert (covering[0, START], covering[-1, END]) == (0, len(found.text))
        assert (covering[1:, START] == covering[:-1, END]).all()
        prose = "".join(found.text[r[START] : r[END]].decode() for r in covering.tolist() if r[KIND] == 0)
        dirty += bool(left.search(prose))
        assert len(text) > 100
    assert len(ARTICLES) > 100 and dirty <= 0.05 * len(ARTICLES) / 4  # unbalanced mark-up stays as it stands


def test_a_real_article_reads_as_prose():
    found = next(read(payload) for payload in ARTICLES if b"<title>Autism</title>" in payload)
    text = found.text.decode()
    assert text.startswith("Autism is a neurodevelopmental disorder characterized by impaired social interaction")
    assert "\n\nSocial development\n\n" in text and "\n\nReferences\n\n" not in text
    assert found.metadata["id"] == "25" and "Autism" in found.metadata["categories"][0]
    images = [found.parts.images[row[INDEX]] for row in found.parts.rows.tolist() if row[KIND] == IMAGE]
    assert images[0].uri.startswith("https://en.wikipedia.org/wiki/File:")
    assert TABLE not in {row[KIND] for row in found.parts.rows.tolist()} or found.text


@pytest.mark.parametrize(
    ("wikitext", "text"),
    [
        pytest.param("'''Foo''' is ''bar''.", "Foo is bar.", id="emphasis"),
        pytest.param("[[日本|日本国]]の[[首都]]。", "日本国の首都。", id="links"),
        pytest.param("a<ref>cited</ref> b<ref name=x/> c", "a b c", id="references"),
        pytest.param("a <!-- hidden --> b", "a  b", id="comments"),
        pytest.param(
            "[https://a.example Site], [https://b.example], https://c.example",
            "Site, , https://c.example",
            id="addresses",
        ),
        pytest.param("{{Infobox|name=x|y=z}}\nText.", "Text.", id="a template on lines of its own"),
        pytest.param("Foo ({{IPA|fu}}) is", "Foo is", id="brackets that held a template"),
        pytest.param("Foo ({{IPA|fu}}; born 1900) is", "Foo (born 1900) is", id="the rest of brackets"),
        pytest.param("a call() here", "a call() here", id="brackets that were empty"),
        pytest.param("{{lang|fr|Déjà vu}} and {{lang-de|Haus}}", "Déjà vu and Haus", id="languages"),
        pytest.param("{{convert|12|km|mi}} away", "12 km away", id="measures"),
        pytest.param("{{仮リンク|猫|en|Cat}}がいる", "猫がいる", id="a Japanese template that shows its text"),
        pytest.param("x&nbsp;y &amp; &lt;z&gt;", "x\u00a0y & <z>", id="entities"),
        pytest.param("* a\n* b\n** c\n# d", "- a\n- b\n- - c\n- d", id="lists"),
        pytest.param("A\n== H ==\nB\n== Empty ==\n{{reflist}}\n", "A\n\nH\n\nB", id="a section without content"),
        pytest.param("A\n== H ==\n=== I ===\nB", "A\n\nH\n\nI\n\nB", id="a heading above another"),
        pytest.param("A\n[[Category:Cats]]\n[[de:Katze]]", "A", id="categories and language links"),
        pytest.param("see [[:Category:Cats]]", "see Category:Cats", id="a link to a category"),
        pytest.param("__NOTOC__A", "A", id="switches"),
        pytest.param("<nowiki>[[x]]</nowiki> <math>a^2</math>", "[[x]] a^2", id="raw text and formulas"),
        pytest.param("{{PAGENAME}} {{{1|default}}}", "", id="arguments"),
        pytest.param(
            "ภาษา '''ไทย''' [[한국어]] [[عربي|العربية]] हिन्दी", "ภาษา ไทย 한국어 العربية हिन्दी", id="other scripts"
        ),
        pytest.param("broken [[link and {{template", "broken [[link and {{template", id="unbalanced"),
        pytest.param("a\U000f0001b", "a\ufffdb", id="characters that places are marked by"),
    ],
)
def test_wikitext(wikitext, text):
    assert text_of(wikitext) == text


def test_tables_code_and_images_are_parts():
    wikitext = (
        "Before.\n{| class=x\n|+ Caption\n! A !! B\n|-\n| 1 || [[two]]\n|}\n"
        '<syntaxhighlight lang="py">\nif x():\n    y()\n</syntaxhighlight>\n'
        "[[ファイル:猫.jpg|thumb|200px|left|A [[cat]].]] After."
    )
    text, parts, _ = to_text(wikitext, SITE)
    rows = [(row[KIND], text[row[START] : row[END]].decode().strip()) for row in parts.rows.tolist()]
    assert [kind for kind, _ in rows] == [0, TABLE, CODE, IMAGE, 0]
    assert rows[1][1] == "Caption\nA | B\n1 | two" and rows[2][1] == "if x():\n    y()"
    assert parts.images[0] == ("https://ja.wikipedia.org/wiki/File:%E7%8C%AB.jpg", "A cat.")


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (export("#REDIRECT [[X]]"), "wiki_redirect"),
        (export("#転送 [[X]]"), "wiki_redirect"),
        (export("x", more='<redirect title="X"/>'), "wiki_redirect"),
        (export("{}").replace(b"<text>", b"<model>json</model><text>"), "media_type"),
    ],
)
def test_what_is_no_article(payload, reason):
    with pytest.raises(NotOurs) as error:
        read(payload)
    assert error.value.reason == reason


def test_the_newest_revision_counts():
    revisions = "".join(
        f"<revision><id>{n}</id><timestamp>20{n:02}-01-01T00:00:00Z</timestamp><text>of {n}</text></revision>"
        for n in (7, 9, 8)
    )
    payload = f"<mediawiki><page><title>T</title><id>1</id>{revisions}</page></mediawiki>".encode()
    assert read(payload).text == b"of 9"


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        (b"<mediawiki><page>", "parse_error"),
        (b"<mediawiki><page><title>T</title></page></mediawiki>", "malformed_record"),
        (b'<!DOCTYPE m [<!ENTITY a "b">]><mediawiki>&a;</mediawiki>', "parse_error"),
        (export("x" * 9_000_000), "text_too_large"),
    ],
)
def test_what_is_broken(payload, reason):
    with pytest.raises(Unusable) as error:
        read(payload)
    assert error.value.reason == reason


@pytest.mark.parametrize(
    "wikitext",
    [
        "{{" * 5000,
        "[[" * 5000,
        "<b>" * 5000,
        "{|\n" * 2000,
        "'''''" * 5000,
        "{{{" * 3000,
        "<ref>" * 5000,
        "==" * 5000,
        "* " * 9000,
    ],
    ids=repr,
)
def test_repeated_openings_end_soon(wikitext):
    began = time.process_time()
    to_text(wikitext, SITE)
    assert time.process_time() - began < 5


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [
                "{{",
                "}}",
                "[[",
                "]]",
                "|",
                "'''",
                "==",
                "\n",
                "<ref>",
                "</ref>",
                "{|",
                "|}",
                "|-",
                "a",
                "猫",
                "File:x",
                ":",
                "<pre>",
                "</pre>",
                "&#x41;",
            ]
        ),
        max_size=25,
    )
)
def test_any_order_of_markup_is_read(tokens):
    text, parts, _ = to_text("".join(tokens), SITE)
    covering = [row for row in parts.rows.tolist() if row[KIND] != IMAGE]
    assert sum(row[END] - row[START] for row in covering) == len(text)


@pytest.mark.parametrize(
    ("title", "address"),
    [
        ("A B", "https://w.example/A_B"),
        ("C++", "https://w.example/C%2B%2B"),
        ("What?", "https://w.example/What%3F"),
        ("AC/DC", "https://w.example/AC/DC"),
        ("猫", "https://w.example/%E7%8C%AB"),
    ],
)
def test_addresses_are_mediawikis(title, address):
    assert page_address("https://w.example/", title) == address
