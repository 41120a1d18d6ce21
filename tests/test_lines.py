"""Lines against `str.split`, `str.strip` and the Unicode character database."""

from pathlib import Path

import pyarrow as pa
import pytest
import real_texts
import regex
from hypothesis import given
from hypothesis import strategies as st

from filters.line_characters import FLAGS, SPACE, TABLE_SIZE, TERMINAL, WIDE
from filters.lines import split_lines

ANY_TEXT = st.text(st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from("\n\n  \u3000.。!”)]1[")))


def lines_of(text):
    return real_texts.spans_of(text, split_lines(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("", [""], id="an empty text has one blank line"),
        pytest.param("a\n", ["a", ""], id="a newline at the end starts a line"),
        pytest.param(" a \r\n\t\n b", ["a", "", "b"], id="white space at the ends is left out, a carriage return too"),
        pytest.param("\u3000私\u3000\n\u00a0", ["私", ""], id="ideographic and no-break spaces are white space"),
        pytest.param("a\u2028b\x0bc", ["a\u2028b\x0bc"], id="no other separator ends a line"),
    ],
)
def test_lines_are_what_stands_between_newlines(text, expected):
    assert lines_of(pa.array([text])) == [expected]


@given(st.lists(ANY_TEXT, max_size=5))
def test_lines_are_those_of_str_split_and_strip(texts):
    text = pa.array(texts, pa.string())
    expected = [[line.strip() for line in value.split("\n")] for value in texts]
    assert lines_of(text) == expected
    assert split_lines(text).chars.tolist() == [len(line) for lines in expected for line in lines]


@given(st.lists(st.sampled_from(["a", "b", "ab", "abcdefgh", "abcdefgi", "日本", "\x00", ""]), max_size=30))
def test_hashes_are_equal_where_lines_are(lines):
    hashes = split_lines(pa.array(["\n".join(lines)])).hashes.tolist()
    shown = lines or [""]
    assert [[a == b for b in hashes] for a in hashes] == [[a == b for b in shown] for a in shown]


def test_a_slice_has_the_lines_of_its_own_texts():
    text = pa.array(["a\nb", "c\nd\ne", "f"])
    lines = split_lines(text[1:])
    body = b"a\nbc\nd\nef"
    starts, ends = lines.starts.tolist(), lines.ends.tolist()
    assert [body[a:b].decode() for a, b in zip(starts, ends, strict=True)] == ["c", "d", "e", "f"]
    assert lines.doc_offsets.tolist() == [0, 3, 4]


@pytest.mark.parametrize(
    ("line", "ends"),
    [
        pytest.param("It ends.", 1, id="full stop"),
        pytest.param("It ends.  ", 1, id="white space after it"),
        pytest.param("(It ends.)", 1, id="closing bracket"),
        pytest.param("„Es endet.“", 1, id="German quotes"),
        pytest.param("He said “it ends!”", 1, id="English quotes"),
        pytest.param("It ends.[12]", 1, id="citation"),
        pytest.param("It ends.[1] [23]", 0, id="white space between citations is not looked through"),
        pytest.param("終わります。", 1, id="Japanese"),
        pytest.param("「終わります。」", 1, id="Japanese quotes"),
        pytest.param("结束了！", 1, id="Chinese"),
        pytest.param("یہ ختم ہوتا ہے۔", 1, id="Urdu"),
        pytest.param("هل ينتهي؟", 1, id="Arabic"),
        pytest.param("यह समाप्त होता है।", 1, id="Hindi"),
        pytest.param("ចប់។", 1, id="Khmer"),
        pytest.param("ያበቃል።", 1, id="Amharic"),
        pytest.param("It goes on", 0, id="a word"),
        pytest.param("It goes on:", 0, id="colon"),
        pytest.param("[12]", 0, id="a citation alone"),
        pytest.param('""', 0, id="quotes alone"),
        pytest.param("", 0, id="blank line"),
    ],
)
def test_which_lines_end_a_sentence(line, ends):
    assert split_lines(pa.array([line])).terminal.tolist() == [ends]


def flagged(flag):
    return {chr(point) for point in range(TABLE_SIZE) if FLAGS[point] & flag}


def members(pattern):
    characters = "".join(chr(point) for point in range(TABLE_SIZE) if not 0xD800 <= point < 0xE000)
    return set(regex.findall(pattern, characters))


def test_terminal_marks_are_those_of_unicode(unicode_data: Path):
    stated = set()
    for line in (unicode_data / "PropList.txt").read_text().splitlines():
        codes, _, name = line.partition("#")[0].partition(";")
        if name.strip() == "Sentence_Terminal":
            first, _, last = codes.strip().partition("..")
            stated |= {chr(point) for point in range(int(first, 16), int(last or first, 16) + 1)}
    assert stated <= flagged(TERMINAL) <= members(r"\p{Sentence_Terminal}")


def test_white_space_is_that_of_str_strip():
    assert flagged(SPACE) == {chr(point) for point in range(TABLE_SIZE) if chr(point).isspace()}


def test_letters_that_are_wide_on_a_screen_are_marked_wide():
    wide = members(r"(?V1)[[\p{East_Asian_Width=W}\p{East_Asian_Width=F}]&&\p{L}]")
    narrow = members(r"(?V1)[\p{L}--\p{East_Asian_Width=W}--\p{East_Asian_Width=F}--\p{East_Asian_Width=A}]")
    assert len(wide - flagged(WIDE)) < 100  # blocks that are younger than the table
    assert len(narrow & flagged(WIDE)) < 100
