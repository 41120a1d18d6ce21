"""Character sets: the order of evidence, wrong labels, and every declared page of a real manual."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.charset import codec_of, decode

JAPANESE = "日本語の文章です。これは文字コードの試験です。ひらがなとカタカナ。"
RUSSIAN = "Это обычный русский текст, написанный для проверки кодировки страницы."
FRENCH = "Où est passé le café d'été\xa0? Voilà une page en français."


def page(text, charset):
    return f'<html><head><meta charset="{charset}"></head><body>{text}</body></html>'


@pytest.mark.parametrize(
    ("payload", "transport", "encoding", "origin"),
    [
        pytest.param(b"\xef\xbb\xbfabc", "latin1", "utf-8", "bom", id="a byte order mark beats the header"),
        pytest.param("\ufeffabc".encode("utf-16-le"), None, "utf-16-le", "bom", id="UTF-16 little-endian"),
        pytest.param("\ufeffabc".encode("utf-16-be"), None, "utf-16-be", "bom", id="UTF-16 big-endian"),
        pytest.param(
            page(RUSSIAN, "utf-8").encode("koi8-r"), "KOI8-R", "koi8-r", "transport", id="the header beats the page"
        ),
        pytest.param(page(RUSSIAN, "windows-1251").encode("cp1251"), None, "cp1251", "declaration", id="meta charset"),
        pytest.param(
            page(RUSSIAN, "windows-1251").encode("cp1251"), "nonsense", "cp1251", "declaration", id="unknown label"
        ),
        pytest.param(
            b'<META HTTP-EQUIV=Content-Type CONTENT="text/html; charset=shift_jis">' + JAPANESE.encode("cp932"),
            None,
            "cp932",
            "declaration",
            id="meta http-equiv",
        ),
        pytest.param(
            b"<?xml version='1.0' encoding='EUC-JP'?><html>" + JAPANESE.encode("euc-jp"),
            None,
            "euc_jp",
            "declaration",
            id="XML declaration",
        ),
        pytest.param(
            b"<!-- <meta charset=koi8-r> -->" + page(FRENCH, "latin1").encode("cp1252"),
            None,
            "cp1252",
            "declaration",
            id="a declaration in a comment is none; latin1 is windows-1252",
        ),
        pytest.param(page(JAPANESE, "x").encode("cp932"), None, "cp932", "detection", id="detection: Shift JIS"),
        pytest.param((RUSSIAN * 3).encode("cp1251"), None, "cp1251", "detection", id="detection: Cyrillic"),
        pytest.param(page(RUSSIAN, "x").encode(), None, "utf-8", "content", id="UTF-8 that nobody declared"),
        pytest.param(
            page(RUSSIAN, "iso-8859-1").encode(), "iso-8859-1", "utf-8", "content", id="UTF-8 declared as latin1"
        ),
        pytest.param(
            page(JAPANESE, "utf-16").encode("cp932"), "utf-16", "cp932", "detection", id="UTF-16 label without a NUL"
        ),
        pytest.param(page("abc", "x").encode("utf-16-le"), None, "utf-16-le", "content", id="UTF-16 without a mark"),
        pytest.param(page("abc", "x").encode("utf-16-be"), "utf-8", "utf-16-be", "content", id="UTF-16 labelled UTF-8"),
        pytest.param(JAPANESE.encode("iso2022_jp"), "iso-2022-jp", "iso2022_jp", "transport", id="ISO-2022-JP"),
        pytest.param(b"plain", "koi8-r", "utf-8", "content", id="ASCII is ASCII"),
    ],
)
def test_evidence_in_order(payload, transport, encoding, origin):
    decoded = decode(payload, transport, is_markup=True)
    assert (codec_of(decoded.encoding) or decoded.encoding) == (codec_of(encoding) or encoding)
    assert (decoded.origin, decoded.replaced) == (origin, 0)


@pytest.mark.parametrize("text", [JAPANESE, RUSSIAN, FRENCH])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16-le", "utf-16-be", "utf-16"])
def test_unicode_comes_through_whatever_the_label(text, encoding):
    decoded = decode(page(text, "koi8-r").encode(encoding), "iso-8859-5", is_markup=True)
    assert text in decoded.text.decode()


@pytest.mark.parametrize("text", ["He said “yes”…", "naïve", "5 € — ok", "Über 10 °C"])
def test_a_few_characters_of_utf_8_in_a_text_without_a_label_are_not_read_as_windows_1252(text):
    for payload in (text.encode(), (f"A long English sentence. {text}" * 30).encode()):
        assert decode(payload, None, is_markup=False).text == payload
    assert decode(text.encode("cp1252"), None, is_markup=False).encoding != "utf-8"


def test_a_wrong_label_gives_way_to_what_decodes_better():
    decoded = decode(page(JAPANESE * 5, "euc-kr").encode("euc-jp"), "utf-8", is_markup=True)
    assert JAPANESE in decoded.text.decode()


@pytest.mark.parametrize(
    ("payload", "replaced"),
    [
        pytest.param(b"ab\xffcd\xfe", 0, id="any byte is something in windows-1252"),
        pytest.param("né ".encode() * 20 + b"\xff\xed\xa0\x80", 4, id="bad byte and a lone surrogate"),
        pytest.param("\ufffd né ".encode() * 20, 0, id="replacement characters that were there"),
        pytest.param(b"a\0b\0\0c", 3, id="NULs"),
    ],
)
def test_what_does_not_decode_is_counted(payload, replaced):
    label = "utf-8" if replaced != 0 or b"\xef" in payload else None
    decoded = decode(payload, label, is_markup=False)
    assert decoded.replaced == replaced
    decoded.text.decode()


@given(st.binary(max_size=300), st.sampled_from([None, "utf-8", "utf-16", "shift_jis", "gb18030", "iso-2022-jp", "?"]))
def test_any_bytes_give_valid_utf8(payload, transport):
    decoded = decode(payload, transport, is_markup=True)
    assert 0 <= decoded.replaced <= decoded.characters == len(decoded.text.decode())


def test_every_page_of_a_manual_is_read_in_the_charset_it_declares(pages):
    seen = set()
    for path, payload in pages("apache2-doc"):
        label = re.search(rb"charset=([\w-]+)", payload[:1024])
        decoded = decode(payload, None, is_markup=True)
        assert decoded.replaced == 0, path
        if label:
            declared = codec_of(label[1].decode())
            assert decoded.encoding == declared or payload.isascii() or decoded.encoding == "utf-8", path
            assert decoded.text == payload.decode(declared).encode() or decoded.encoding == "utf-8", path
            seen.add(label[1].decode().lower())
    assert {"utf-8", "euc-kr", "iso-8859-1"} <= seen


@pytest.mark.parametrize("encoding", ["shift_jis", "euc-jp", "iso2022_jp"])
def test_real_japanese_pages_in_older_charsets(pages, encoding):
    read = wrong = 0
    for path, payload in pages("apache2-doc"):
        if not path.startswith("ja/"):
            continue
        try:
            older = payload.decode().encode(encoding)
        except UnicodeEncodeError:
            continue
        older = older.replace(b"charset=UTF-8", b"charset=" + encoding.replace("2022_", "-2022-").encode())
        read += 1
        text = decode(older, None, is_markup=True).text.decode()
        wrong += text.split("</title>")[1] != payload.decode().split("</title>")[1]
    assert (read > 50, wrong) == (True, 0)
