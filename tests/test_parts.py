"""Parts: the marks come out of a text without a trace, and what is left is covered without gap or overlap."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.parts import (
    CODE,
    END,
    IMAGE,
    KIND,
    KIND_NAMES,
    START,
    TABLE,
    TEXT,
    DocumentParts,
    ImageAddress,
    cut,
    order_parts,
    parts_array,
)
from filters.prescan import CODE_BEGINS, CODE_ENDS, IMAGE_HERE, TABLE_BEGINS, TABLE_ENDS, sentinel

MARKS = {"@": IMAGE_HERE, "[": TABLE_BEGINS, "]": TABLE_ENDS, "{": CODE_BEGINS, "}": CODE_ENDS}


def marked(pattern):
    """Return a marked text and its places: @ stands for an image, [] for a table, {} for code."""
    kinds = [MARKS[c] for c in pattern if c in MARKS]
    places = np.array([[kind, 0, 0] for kind in kinds], np.int64).reshape(-1, 3)
    marks = iter(range(len(kinds)))
    return b"".join(sentinel(next(marks)) if c in MARKS else c.encode() for c in pattern), places


def show(pattern):
    """Cut and order; return the parts as (kind, text)."""
    text, blocks, images = cut(*marked(pattern))
    rows = order_parts(text, blocks, images[:, 0])
    return [(KIND_NAMES[kind], text[start:end].decode()) for kind, start, end, _ in rows]


@pytest.mark.parametrize(
    ("pattern", "text"),
    [
        pytest.param("one @ two", "one two", id="one space is enough"),
        pytest.param("one@two", "onetwo", id="no space where there was none"),
        pytest.param("one\n\n@\n\ntwo", "one\n\ntwo", id="a paragraph of its own"),
        pytest.param("one\n@\n\ntwo", "one\n\ntwo", id="the longer run of newlines stays"),
        pytest.param("one @\ntwo", "one\ntwo", id="no space at a line's end"),
        pytest.param("one\n\n{\n\n  x = 1\n  y\n\n}\n\ntwo", "one\n\n  x = 1\n  y\n\ntwo", id="indentation stays"),
        pytest.param("@\n\none\n\n@", "one", id="nothing at the ends"),
        pytest.param("@@@", "", id="nothing but marks"),
        pytest.param("", "", id="empty"),
    ],
)
def test_a_mark_leaves_no_trace(pattern, text):
    assert cut(*marked(pattern)).text.decode() == text


@pytest.mark.parametrize(
    ("pattern", "parts"),
    [
        pytest.param("prose", [("text", "prose")], id="text"),
        pytest.param("one @ two", [("text", "one "), ("image", ""), ("text", "two")], id="an image cuts text"),
        pytest.param("@\n\none", [("image", ""), ("text", "one")], id="image first"),
        pytest.param(
            "one\n\n@\n\n@\n\ntwo",
            [("text", "one\n\n"), ("image", ""), ("image", ""), ("text", "two")],
            id="two images",
        ),
        pytest.param(
            "one\n\n[\nx\t\ty\n\n]\n\ntwo", [("text", "one\n\n"), ("table", "x\t\ty\n\n"), ("text", "two")], id="table"
        ),
        pytest.param("[x @ y]", [("table", "x y"), ("image", "")], id="image in a table"),
        pytest.param("[a[b]d]", [("text", "a"), ("table", "b"), ("text", "d")], id="a table for layout"),
        pytest.param("[a{b}d]", [("text", "a"), ("code", "b"), ("text", "d")], id="code in a table"),
        pytest.param("one\n{x", [("text", "one\n"), ("code", "x")], id="never ended"),
        pytest.param("one ] two", [("text", "one two")], id="never begun"),
        pytest.param("one\n\n[\n\n]\n\ntwo", [("text", "one\n\ntwo")], id="empty table"),
        pytest.param("[x][y]", [("table", "x"), ("table", "y")], id="two tables"),
        pytest.param("", [], id="nothing"),
    ],
)
def test_parts(pattern, parts):
    assert show(pattern) == parts


@given(st.text(alphabet="ab \n\t@[]{}é", max_size=60))
def test_parts_cover_the_text_without_gap_or_overlap(pattern):
    text, blocks, images = cut(*marked(pattern))
    rows = order_parts(text, blocks, images[:, 0])
    covering = rows[rows[:, KIND] != IMAGE]
    assert covering[:, START].tolist() == [0, *covering[:-1, END]][: len(covering)]
    assert (covering[-1, END] if len(covering) else 0) == len(text)
    assert all(text[start:end].strip() for _, start, end, _ in covering)
    standing = rows[rows[:, KIND] == IMAGE]
    assert (standing[:, START] == standing[:, END]).all()
    assert len(standing) == pattern.count("@")
    assert standing[:, 3].tolist() == sorted(standing[:, 3])


@given(st.text(alphabet="ab \n\t@[]{}é", max_size=60))
def test_cutting_keeps_every_visible_character(pattern):
    visible = "".join(c for c in pattern if c not in MARKS and not c.isspace())
    assert "".join(cut(*marked(pattern)).text.decode().split()) == visible


def test_characters_like_marks_without_a_place_are_dropped():
    assert cut("a\U000f1234b".encode(), np.zeros((0, 3), np.int64)).text == b"ab"


def test_parts_become_lists_of_structs():
    one = DocumentParts(np.array([[TEXT, 0, 5, -1], [IMAGE, 5, 5, 0], [CODE, 5, 7, -1]]), [ImageAddress("u", "a")])
    none = DocumentParts(np.zeros((0, 4), np.int64), [])
    two = DocumentParts(np.array([[IMAGE, 0, 0, 0], [TABLE, 0, 3, -1]]), [ImageAddress(None, None)])
    assert [[tuple(part.values()) for part in parts] for parts in parts_array([one, none, two]).to_pylist()] == [
        [("text", 0, 5, None, None), ("image", 5, 5, "u", "a"), ("code", 5, 7, None, None)],
        [],
        [("image", 0, 0, None, None), ("table", 0, 3, None, None)],
    ]
    assert parts_array([]).to_pylist() == []
