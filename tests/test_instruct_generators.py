"""Answerable records: literal to the character, readable by themselves, and the same every time."""

import json
import re
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from instruct_sources import LOCALES, SETTINGS, made_of, manual, near, source

from filters.instruct.desk import Study, desk_of
from filters.instruct.generators import made
from filters.instruct.passages import MAX_BYTES, passages_of, stretches
from filters.instruct.record import Candidate, Pair, Table, TableCell
from filters.instruct.spans import sentences
from filters.instruct.terms import terms

PROSE = (
    "Norvana is a small country between two rivers, and its capital has been Eskerholm since 1867. "
    "Most people of the country speak Norvanese at home and English at work. "
    "The railway to Tarnstadt was opened by the Velmark Company and carries 512 passengers a day. "
    "Every summer the Festival of Lanterns fills the streets of the old town for nine days."
)


def candidates(found):
    return [each for one in found for each in ((one,) if isinstance(one, Candidate) else one)]


@pytest.mark.parametrize("language", LOCALES)
def test_every_quote_stands_where_it_is_said_to_in_real_pages(language):
    texts = {page.text_sha256: page.text for page in manual(language)}
    found = candidates(made_of(language))
    assert len(found) >= 40
    for each in found:
        reply = each.messages[-1].content
        assert each.evidence and (each.citations or each.hedge)
        for piece in each.evidence:
            assert texts[piece.text_sha256][piece.start : piece.end] == piece.quote
            if piece.role == "context":
                assert piece.quote in each.messages[0].content
        for citation in each.citations:
            said = reply[slice(*citation.answer_span)]
            assert said and [each.evidence[n].quote for n in citation.evidence] == [said]
        assert each.answer.text in reply
        assert each.lang == language


@pytest.mark.parametrize("language", LOCALES)
def test_a_real_page_yields_several_kinds(language):
    tasks = {each.task for each in candidates(made_of(language))}
    assert {"span_qa", "quote", "cited_answer", "summary_extractive", "transform", "claim"} <= tasks


def test_the_same_page_gives_the_same_records_in_the_same_order():
    page = max(manual("ja"), key=lambda each: len(each.text))
    beside = near("ja")[page.doc_id]
    first, again = (list(made(page, beside, None, SETTINGS)) for _ in range(2))
    assert first == again and first


def test_passages_are_runs_of_whole_sentences_without_tables():
    for language in LOCALES:
        for page in manual(language):
            for one in stretches(page, SETTINGS):
                assert one.text == page.text[one.start : one.end] and len(one.sentences) >= 2
                assert len(one.text.encode()) <= 2 * MAX_BYTES
                assert not any(one.start < table.end and table.start < one.end for table in page.tables)
                left = "".join(one.said(i) for i in range(len(one.sentences)))
                assert "".join(left.split()) == "".join(one.text.split())


@pytest.mark.parametrize(
    ("text", "tongue"),
    [
        pytest.param("这个软件包会在开机时启动。", "zh", id="simplified"),
        pytest.param("這個套件會在開機時啟動。", "zh-Hant", id="traditional"),
    ],
)
def test_chinese_is_asked_and_answered_in_the_characters_of_the_document(text, tongue):
    page = source(text * 12, "zh")
    assert desk_of(page, (), None, SETTINGS).tongue == tongue
    assert all(each.lang == "zh" for each in candidates(made(page, (), None, SETTINGS)))


def test_a_path_that_goes_on_is_not_cut():
    assert [term.text for term in terms("See /usr/share/doc/debian/bug* and /etc/apt/sources.list.", "en")] == [
        "/etc/apt/sources.list"
    ]


def test_a_language_without_phrases_yields_nothing():
    assert list(made(source(PROSE, "xx"), (), None, SETTINGS)) == []


def test_untranslated_passages_of_a_translation_are_left_out():
    assert list(made(source(PROSE, "de"), (), None, SETTINGS)) == []
    assert list(made(source(PROSE, "ja"), (), None, SETTINGS)) == []


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("One. Two! Three?", ["One.", "Two!", "Three?"], id="English"),
        pytest.param(
            "Mr. J. Smith came, e.g. today. He left.", ["Mr.", "J. Smith came, e.g. today.", "He left."], id="initials"
        ),
        pytest.param("これは文です。次の文。", ["これは文です。", "次の文。"], id="Japanese"),
        pytest.param(
            "「はい。」と言った。次。", ["「はい。」", "と言った。", "次。"], id="a quotation ends with its mark"
        ),
        pytest.param("第一句。第二句！", ["第一句。", "第二句！"], id="Chinese"),
        pytest.param("यह वाक्य है। दूसरा वाक्य।", ["यह वाक्य है।", "दूसरा वाक्य।"], id="Hindi"),
        pytest.param("هل هذا؟ نعم.", ["هل هذا؟", "نعم."], id="Arabic"),
        pytest.param("ไม่มีจุด\nบรรทัดใหม่", ["ไม่มีจุด", "บรรทัดใหม่"], id="Thai: lines"),
        pytest.param("문장이다. 다음 문장.", ["문장이다.", "다음 문장."], id="Korean"),
        pytest.param("😀 smiles. 𝔘nd more.", ["😀 smiles.", "𝔘nd more."], id="beyond plane 0"),
        pytest.param("Line one.\r\nLine two.", ["Line one.", "Line two."], id="CRLF"),
        pytest.param("", [], id="nothing"),
        pytest.param(" \n\n ", [], id="blank"),
    ],
)
def test_sentences(text, expected):
    found = sentences(text)
    assert [text[s:e] for s, e in zip(found.starts, found.ends, strict=True)] == expected


@given(st.text(max_size=200))
def test_sentences_cover_everything_but_white_space_in_order(text):
    text = text.encode("utf-8", "ignore").decode()
    found = sentences(text)
    spans = list(zip(found.starts.tolist(), found.ends.tolist(), strict=True))
    assert all(0 <= s < e <= len(text) for s, e in spans) and spans == sorted(spans)
    kept = {i for s, e in spans for i in range(s, e)}
    assert all(text[i].isspace() or text[i] in "\x1c\x1d\x1e\x1f\x85" for i in range(len(text)) if i not in kept)


@given(st.text(st.sampled_from("aé😀漢. 。!\n"), max_size=60))
def test_sentences_count_code_points_in_every_form(text):
    for form in ("NFC", "NFD"):
        written = unicodedata.normalize(form, text)
        found = sentences(written)
        assert [written[s:e].strip() for s, e in zip(found.starts, found.ends, strict=True)] == [
            written[s:e] for s, e in zip(found.starts, found.ends, strict=True)
        ]


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        pytest.param("en", "Use the apt_pkg module of Debian here.", {"apt_pkg", "Debian"}, id="code and a name"),
        pytest.param(
            "en", "In March 1996 it began; see RFC 1995.", {"1996", "RFC"}, id="a number after a name is no year"
        ),
        pytest.param("en", "The file is /etc/apt/sources.list now.", {"/etc/apt/sources.list"}, id="a path"),
        pytest.param("en", "It is called “log out” there.", {"log out"}, id="a quotation"),
        pytest.param(
            "ja", "公開鍵基盤は 1993年に作られた。", {"公開鍵基盤", "1993"}, id="a Japanese compound and a year"
        ),
        pytest.param("ja", "設定は NetworkManager で行う。", {"NetworkManager"}, id="Latin letters in Japanese"),
        pytest.param("ja", "コンピュータを使う。", set(), id="a word too common"),
        pytest.param("zh", "请使用“桌面环境”任务。", {"桌面环境"}, id="Chinese quotation marks"),
        pytest.param("de", "Es läuft in einem kleinen Heimnetzwerk.", {"Heimnetzwerk"}, id="a German noun"),
        pytest.param("ko", "이것은 debconf에서 읽는다.", {"debconf"}, id="Korean particles stay behind"),
        pytest.param("ru", "Это делает команда dpkg сегодня.", {"dpkg"}, id="Latin letters in Russian"),
    ],
)
def test_terms(language, text, expected):
    assert {term.text for term in terms(text, language)} == expected


def test_a_term_in_two_sentences_is_no_topic_and_a_leaning_sentence_answers_nothing():
    text = PROSE + " It was Norvana that won the Velmarkian Cup, as everybody in the country knows very well today."
    study = Study(stretches(source(text), SETTINGS)[0], SETTINGS)
    names = {topic.term.text for topic in study.topics}
    assert names & {"Eskerholm", "Tarnstadt", "Norvanese", "Velmark Company", "Festival"}
    assert "Norvana" not in names and not any("Velmarkian" in name for name in names)


@pytest.mark.parametrize(
    ("language", "said", "stands"),
    [
        pytest.param(
            "en", "The kernel reads the partition table before anything else happens.", True, id="a plain sentence"
        ),
        pytest.param("en", "This reads the partition table before anything else happens at all.", False, id="this"),
        pytest.param("en", "If it fails, the partition table is read again from the first sector.", False, id="if it"),
        pytest.param(
            "en", "The kernel reads the table, as described in the section below.", False, id="points elsewhere"
        ),
        pytest.param("ja", "カーネルは起動時にパーティションテーブルを読み込みます。", True, id="Japanese"),
        pytest.param("ja", "これは起動時にパーティションテーブルを読み込みます。", False, id="これ"),
        pytest.param("ja", "同社は起動時にパーティションテーブルを読み込みます。", False, id="同社"),
        pytest.param("ja", "詳細は第 3 章のパーティションテーブルの説明を参照してください。", False, id="第 3 章"),
        pytest.param("de", "Dies liest beim Start die Partitionstabelle der ersten Festplatte.", False, id="dies"),
        pytest.param("zh", "该程序在启动时读取第一块硬盘上的分区表，然后加载内核和模块。", False, id="该"),
    ],
)
def test_a_sentence_stands_alone(language, said, stands):
    text = f"{said} {PROSE}"
    first = stretches(source(text, language), SETTINGS)[0]
    assert Study(first, SETTINGS).stands_alone(0) == stands


def pairs_table(*rows):
    """Return a text that is a table of pairs, and the table."""
    text = "\n".join("\t".join(row) for row in rows)
    at, made_rows = 0, []
    for row in rows:
        cells = []
        for cell in row:
            cells.append(TableCell(cell, at, at + len(cell)))
            at += len(cell) + 1
        made_rows.append(tuple(cells))
    return text, Table(0, 0, len(text), (), tuple(made_rows))


def test_a_table_becomes_json_or_csv_with_every_cell_cited():
    text, table = pairs_table(("説明:", "基本認証"), ("状態:", "Base"), ("互換性:", "2.1 以降"))
    pages = [source(text, "ja", name, tables=(table,)) for name in "abcdefgh"]  # each table is used for one thing
    found = [one for page in pages for one in made(page, (), None, SETTINGS) if isinstance(one, Candidate)]
    turned = next(one for one in found if one.task == "transform")
    written = turned.messages[-1].content
    rows = (
        json.loads(written) if turned.answer.type == "json" else dict(line.split(",") for line in written.split("\n"))
    )
    assert rows == {"説明": "基本認証", "状態": "Base", "互換性": "2.1 以降"}
    assert len(turned.citations) == 6
    looked_up = next(one for one in found if one.task == "table_qa")
    assert looked_up.evidence[0].cell and looked_up.evidence[0].modality == "table"


def test_a_question_of_the_document_is_asked_as_it_is_among_other_passages():
    answer = "You need about two gigabytes of memory, and the installer tells you when there is less than that."
    text = f"How much memory is needed?\n{answer}\n"
    pair = Pair(
        "How much memory is needed?", 0, answer, text.index(answer), text.index(answer) + len(answer), "heading"
    )
    beside = passages_of(source(PROSE, name="b"), SETTINGS)
    (found,) = made(source(text, faq=(pair,)), beside, None, SETTINGS)
    assert "How much memory is needed?" in found.messages[0].content and answer in found.messages[1].content
    assert re.search(r"\[[12]\]", found.messages[1].content)
    number = found.messages[1].content.partition("[")[2][:1]
    assert f"[{number}] {answer}" in found.messages[0].content
