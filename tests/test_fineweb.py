"""FineWeb's signals against a plain reading of the paper, on the view that C4's edit leaves."""

import unicodedata

import numpy as np
import pyarrow as pa
import pytest
import real_texts

from filters.c4 import c4_edit
from filters.fineweb import COLUMNS, fineweb_signals


def signals(text, kept=None):
    arrow, words, lines = real_texts.measured([text])
    mask = np.ones(len(lines.starts), np.uint8) if kept is None else np.array(kept, np.uint8)
    return fineweb_signals(arrow, words, lines, mask).to_pylist()[0]


def columns_of(line):
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in line)


def expected(lines, word_count):
    seen, repeated = set(), 0
    for line in lines:
        repeated += len(line) if line in seen else 0
        seen.add(line)
    return {
        "fineweb_line_count": len(lines),
        "fineweb_char_count": sum(map(len, lines)),
        "fineweb_short_line_count": sum(columns_of(line) <= 30 for line in lines),
        "fineweb_duplicate_line_char_count": repeated,
        "fineweb_newline_count": "\n".join(lines).count("\n"),
        "fineweb_word_count": word_count,
    }


@pytest.mark.parametrize("edit", [pytest.param(True, id="after the edit"), pytest.param(False, id="of the whole text")])
def test_every_integer_is_the_papers_on_real_pages(edit):
    text, words, lines = real_texts.measured(real_texts.sample())
    kept = c4_edit(text, words, lines)[0] if edit else np.ones(len(lines.starts), np.uint8)
    measured = fineweb_signals(text, words, lines, kept)
    word_kept = kept[np.searchsorted(lines.ends, words.starts, side="right")]
    for doc, own in enumerate(real_texts.spans_of(text, lines)):
        first, last = lines.doc_offsets[doc], lines.doc_offsets[doc + 1]
        stay = [line for line, stays in zip(own, kept[first:last], strict=True) if stays and line]
        count = int(word_kept[words.doc_offsets[doc] : words.doc_offsets[doc + 1]].sum())
        got = measured.slice(doc, 1).to_pylist()[0]
        terminal = got.pop("fineweb_terminal_line_count")
        assert got == expected(stay, count)
        assert terminal == int((lines.terminal & kept)[first:last].sum())


@pytest.mark.parametrize(
    ("text", "column", "count"),
    [
        pytest.param("a\n\n b", "fineweb_line_count", 2, id="blank lines are none"),
        pytest.param("a\n\n b", "fineweb_newline_count", 1, id="newlines stand between lines"),
        pytest.param("a", "fineweb_newline_count", 0, id="one line has no newline"),
        pytest.param("", "fineweb_newline_count", 0, id="no line has no newline"),
        pytest.param("one.\n二。\nthree", "fineweb_terminal_line_count", 2, id="terminal marks of any script"),
        pytest.param("x" * 30 + "\n" + "x" * 31, "fineweb_short_line_count", 1, id="30 letters are short, 31 aren't"),
        pytest.param(
            "語" * 15 + "\n" + "語" * 16, "fineweb_short_line_count", 1, id="wide characters take two columns"
        ),
        pytest.param("é" * 30, "fineweb_short_line_count", 1, id="columns, not bytes"),
        pytest.param("abc\nabc \n abc", "fineweb_duplicate_line_char_count", 6, id="the first copy is free"),
        pytest.param("one two\nthree", "fineweb_word_count", 3, id="words"),
    ],
)
def test_signals(text, column, count):
    assert signals(text)[column] == count


def test_dropped_lines_are_not_looked_at():
    whole = signals("one two three.\nfour five six.")
    assert signals("one two three.\njunk\none two three.\nfour five six.", [1, 0, 0, 1]) == whole


def test_columns_are_int32():
    text, words, lines = real_texts.measured([])
    batch = fineweb_signals(text, words, lines, np.zeros(0, np.uint8))
    assert batch.schema.names == list(COLUMNS)
    assert set(batch.schema.types) == {pa.int32()}
