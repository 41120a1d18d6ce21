"""The leak filter: what gives an answer away, in whatever writing."""

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.instruct.leak import gives_away, mentions, squeeze

LETTERS = st.text(st.characters(categories=("L", "Nd")), min_size=1, max_size=12)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        pytest.param("Apache", "the APACHE server", id="case"),
        pytest.param("IPv6", "ＩＰｖ６に対応", id="full width"),
        pytest.param("ｶﾅ", "カナ入力", id="half width kana"),
        pytest.param("apt-get", "use apt\u2011get", id="another hyphen"),
        pytest.param("1993", "一九九三年に公開", id="kanji digits"),
        pytest.param("1993", "千九百九十三年に公開", id="kanji number with units"),
        pytest.param("12000人", "一万二千人が参加", id="myriads"),
        pytest.param("15000", "15,000 users", id="grouped in English"),
        pytest.param("15000", "15.000 Nutzer", id="grouped in German"),
        pytest.param("15000", "15 000 utilisateurs", id="grouped in French"),
        pytest.param("公開鍵基盤", "公開鍵 基盤を作る", id="a space inside a compound"),
        pytest.param("リナックス", "リナッ\u30afス", id="the same kana"),
        pytest.param("Müller", "Mu\u0308ller", id="decomposed"),
    ],
)
def test_a_text_mentions_a_name(name, text):
    assert mentions(name, text)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        pytest.param("1993", "1994 and 1992", id="another year"),
        pytest.param("Apache", "apatite", id="another word"),
        pytest.param("三年", "二年", id="another kanji number"),
        pytest.param("十分", "十日", id="ten of another kind"),
    ],
)
def test_a_text_does_not_mention_a_name(name, text):
    assert not mentions(name, text)


def test_a_longer_part_of_a_name_gives_it_away():
    assert gives_away("Debian Policy", "The Policy says so.")
    assert gives_away("LanguagePriority", "the priority of a language")
    assert not gives_away("apt-get", "use apt instead")  # three letters are too few to tell


@given(LETTERS, LETTERS, LETTERS)
def test_what_stands_in_a_text_is_found_in_it(before, name, behind):
    assert mentions(name, f"{before}, {name}; {behind}")


@given(LETTERS)
def test_how_a_name_is_written_out_does_not_matter(name):
    for form in ("NFC", "NFD", "NFKC", "NFKD"):
        assert squeeze(unicodedata.normalize(form, name)) == squeeze(name)
    assert squeeze(" ".join(name)) == squeeze(name.replace(" ", ""))
