"""The table of docs/rules.md: one paper, several countings, each row a test."""

from pathlib import Path

import pyarrow as pa
import pytest
import real_texts

from filters import c4, gopher, gopher_variants
from filters.c4_variants import CODE, DATATROVE, PAPER, clean_rows, read_c4
from filters.peer_words import peer_words, split_words
from filters.rule_sets import RULE_SETS

PAGE = (Path(__file__).parent.parent / "docs" / "rules.md").read_text("utf-8")


def gopher_signals(given):
    text, words, lines = real_texts.measured([given])
    return {
        **gopher.quality_signals(text, words, lines).to_pylist()[0],
        **gopher.repetition_signals(text, words, lines).to_pylist()[0],
        **gopher_variants.datatrove_signals(text, peer_words(text)).to_pylist()[0],
        **gopher_variants.whitespace_signals(text, split_words(text)).to_pylist()[0],
    }


@pytest.mark.parametrize(
    ("row", "text", "names", "values"),
    [
        pytest.param("words of `Yes (no).`", "Yes (no).", "word_count", (2, 5, 2), id="words"),
        pytest.param("bullets among", "• a\n- b\n* c", "bullet_line_count", (3, 2, 2), id="bullets"),
        pytest.param("stop words in", "the The the", "stop_word_count", (1, 1, 2), id="stop words"),
        pytest.param("duplicate lines of", "A\nA\nB", "duplicate_line_count", (1, 1, 2), id="duplicate lines"),
    ],
)
def test_gophers_countings_differ_as_the_table_says(row, text, names, values):
    signals = gopher_signals(text)
    peer = names.replace("bullet_line", "bullet_row")
    assert (signals[names], signals[f"datatrove_{peer}"], signals[f"whitespace_{names}"]) == values
    (line,) = (line for line in PAGE.splitlines() if line.startswith(f"| {row}"))
    assert tuple(int(cell.split()[0]) for cell in line.split("|")[2:5]) == values


def test_symbols_and_lengths():
    signals = gopher_signals("a … b # c")
    assert (signals["hash_count"], signals["ellipsis_count"], signals["whitespace_symbol_word_count"]) == (1, 1, 2)
    signals = gopher_signals("a bb cccccc (")
    assert signals["word_char_count"] / signals["word_count"] == 3
    assert signals["datatrove_plain_word_char_count"] / signals["datatrove_plain_word_count"] == 3
    assert signals["whitespace_middle_char_count"] / signals["whitespace_middle_count"] == 1.5
    assert signals["char_count"] - signals["whitespace_word_char_count"] == 3


@pytest.mark.parametrize(
    ("row", "line", "stays"),
    [
        pytest.param("a line of 4 words", "It has four words.", (1, 1, 0, 1), id="4 words"),
        pytest.param("a line that ends in no mark", "It ends in no mark at all", (1, 0, 0, 1), id="no mark"),
        pytest.param("Japanese", "これは文です。", (1, 0, 0, 0), id="Japanese"),
    ],
)
def test_c4s_readings_keep_other_lines_as_the_table_says(row, line, stays):
    text, words, lines = real_texts.measured([line])
    own = int(c4.c4_edit(text, words, lines)[0].sum())
    rows = clean_rows(text)
    others = [read_c4(rows, reading)[1][0].to_pylist()[0] for reading in (PAPER, CODE, DATATROVE)]
    assert (own, *others) == stays
    (told,) = (line for line in PAGE.splitlines() if line.startswith(f"| {row}"))
    assert tuple(int(cell.strip().startswith("stays")) for cell in told.split("|")[2:6]) == stays


def test_c4s_readings_ask_for_other_pages():
    bounds = {name: rules[-1].min for name, rules in RULE_SETS.items() if name.startswith("c4")}
    assert bounds == {"c4_v1": 5, "c4@paper": 5, "c4@code": 3, "c4@datatrove": 5}
    cited = clean_rows(pa.array(["Two words [12]."]))
    assert cited.text.to_pylist() == ["Two words ."]
    assert cited.words.tolist() == [[3], [3]]


def test_the_page_names_every_rule_set():
    assert [name for name in RULE_SETS if f"`{name}`" not in PAGE] == []
