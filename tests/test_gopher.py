"""Gopher's signals against plain readings of the paper, on tables, made-up texts and real pages."""

import itertools
from collections import Counter
from functools import cache

import pyarrow as pa
import pytest
import real_texts
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.gopher import (
    DUPLICATE_SIZES,
    QUALITY_COLUMNS,
    REPETITION_COLUMNS,
    STOP_WORDS,
    TOP_SIZES,
    quality_signals,
    repetition_signals,
)
from filters.line_characters import BULLET, FLAGS


def signals(texts):
    text, words, lines = real_texts.measured(texts)
    return quality_signals(text, words, lines).to_pylist(), repetition_signals(text, words, lines).to_pylist()


# ---- the oracle: strings, sets and loops, nothing shared with the kernels but the words


def quality_of(text, words):
    lines = [line.strip() for line in text.split("\n") if line.strip()]
    return {
        "word_count": len(words),
        "word_char_count": sum(map(len, words)),
        "alphabetic_word_count": sum(any(is_alphabetic(c) for c in word) for word in words),
        "stop_word_count": len({word.lower() for word in words} & set(STOP_WORDS)),
        "hash_count": text.count("#"),
        "ellipsis_count": text.count("...") + text.count("…"),
        "bullet_line_count": sum(bool(FLAGS[min(ord(line[0]), len(FLAGS) - 1)] & BULLET) for line in lines),
        "ellipsis_line_count": sum(line.endswith(("...", "…")) for line in lines),
    }


@cache
def is_alphabetic(character):
    return bool(regex.match(r"\p{Alphabetic}", character))


def duplicates(things):
    seen, count, chars = set(), 0, 0
    for thing in things:
        count, chars = (count + 1, chars + len(thing)) if thing in seen else (count, chars)
        seen.add(thing)
    return count, chars


def spans_with_gaps(text, words):
    """Return (word, whether something stands between it and the next one)."""
    places, at = [], 0
    for word in words:
        at = text.index(word, at)
        places.append((at, at + len(word)))
        at += len(word)
    after = [*(start for start, _ in places[1:]), None][: len(places)]
    return [(word, end != start) for word, (_, end), start in zip(words, places, after, strict=True)]


def gram_chars(spans, n, i):
    return sum(len(word) for word, _ in spans[i : i + n]) + sum(gap for _, gap in spans[i : i + n - 1])


def top_gram_chars(spans, n):
    occurrences, covered, free = Counter(), Counter(), {}
    for i in range(len(spans) - n + 1):
        gram = tuple(word.lower() for word, _ in spans[i : i + n])
        if i >= free.get(gram, 0):
            occurrences[gram], covered[gram] = occurrences[gram] + 1, covered[gram] + gram_chars(spans, n, i)
            free[gram] = i + n
    most, chars = max(((count, covered[gram]) for gram, count in occurrences.items()), default=(0, 0))
    return chars if most > 1 else 0


def duplicate_gram_chars(spans, n):
    seen, covered, i = set(), 0, 0
    while i + n <= len(spans):
        gram = tuple(word.lower() for word, _ in spans[i : i + n])
        if gram in seen:
            covered, i = covered + gram_chars(spans, n, i), i + n
        else:
            seen.add(gram)
            i += 1
    return covered


def repetition_of(text, words):
    lines = [line.strip() for line in text.split("\n")]
    paragraphs = ["\n".join(block) for told, block in itertools.groupby(lines, bool) if told]
    lines = [line for line in lines if line]
    spans = spans_with_gaps(text, words)
    values = [len(text), len(lines), len(paragraphs), *duplicates(lines), *duplicates(paragraphs)]
    values += [top_gram_chars(spans, n) for n in TOP_SIZES] + [duplicate_gram_chars(spans, n) for n in DUPLICATE_SIZES]
    return dict(zip(REPETITION_COLUMNS, values, strict=True))


def assert_as_the_paper_says(texts):
    text, words, lines = real_texts.measured(texts)
    quality, repetition = quality_signals(text, words, lines), repetition_signals(text, words, lines)
    for i, own in enumerate(real_texts.spans_of(text, words)):
        assert quality.slice(i, 1).to_pylist() == [quality_of(texts[i], own)], texts[i]
        assert repetition.slice(i, 1).to_pylist() == [repetition_of(texts[i], own)], texts[i]


# ---- tests


PIECES = ["a", "A", "b", "the ", " ", "\n", "\n\n", ". ", "...", "…", "-", "#", "私", "す。", "é"]


@given(st.lists(st.lists(st.sampled_from(PIECES), max_size=60).map("".join), max_size=4))
@settings(max_examples=300, deadline=None)
def test_every_integer_is_the_papers_on_made_up_texts(texts):
    assert_as_the_paper_says(texts)


@given(st.lists(st.integers(0, 2), max_size=80), st.integers(1, 3))
@settings(max_examples=200, deadline=None)
def test_every_integer_is_the_papers_on_texts_of_few_words(picks, alphabet):
    assert_as_the_paper_says([" ".join("xyz"[pick % alphabet] for pick in picks)])


def test_every_integer_is_the_papers_on_real_pages():
    texts = list(real_texts.sample())
    assert len(texts) > 300
    assert_as_the_paper_says(texts)


@pytest.mark.parametrize(
    ("text", "column", "expected"),
    [
        pytest.param("", "line_count", 0, id="an empty text has no lines"),
        pytest.param("\n \n", "line_count", 0, id="only blank lines"),
        pytest.param("\n\n\n\n", "duplicate_line_count", 0, id="blank lines are no duplicates"),
        pytest.param("a\n  a \nb\nc", "duplicate_line_count", 1, id="indentation does not hide a repeat"),
        pytest.param("a\na\na", "duplicate_line_count", 2, id="the first copy is free"),
        pytest.param("a\nA", "duplicate_line_count", 0, id="lines differ by letter case"),
        pytest.param("one\ntwo\n\none\ntwo", "duplicate_paragraph_count", 1, id="a paragraph of two lines"),
        pytest.param("one\ntwo\n\none\ntwo", "duplicate_paragraph_char_count", 7, id="with the newline inside it"),
        pytest.param("one\n \t\none", "paragraph_count", 2, id="a line of white space parts paragraphs"),
        pytest.param("one two. three", "top_2_gram_char_count", 0, id="what occurs once is no repetition"),
        pytest.param("one two. One two.", "top_2_gram_char_count", 14, id="letter case aside, gaps inside count"),
        pytest.param("ha ha ha ha", "top_2_gram_char_count", 10, id="overlapping occurrences count once"),
        pytest.param("ha ha ha", "top_2_gram_char_count", 0, id="an overlap alone is no second occurrence"),
        pytest.param("a b c d e a b c d e", "duplicate_5_gram_char_count", 9, id="the second copy only"),
        pytest.param("我 们。我 们。", "top_2_gram_char_count", 6, id="a gap counts where the text has one"),
    ],
)
def test_repetition(text, column, expected):
    assert signals([text])[1][0][column] == expected


@pytest.mark.parametrize(
    ("text", "column", "expected"),
    [
        pytest.param("Don't stop, 1,000 times!", "word_count", 4, id="punctuation alone is no word"),
        pytest.param("Don't stop", "word_char_count", 9, id="an apostrophe inside a word counts"),
        pytest.param("one 2 x3", "alphabetic_word_count", 2, id="a number has no letter"),
        pytest.param("The THE the be", "stop_word_count", 2, id="distinct stop words, letter case aside"),
        pytest.param("theme", "stop_word_count", 0, id="a stop word inside a word"),
        pytest.param("....... …", "ellipsis_count", 3, id="three dots at a time"),
        pytest.param("# a ## b", "hash_count", 3, id="each hash"),
        pytest.param("• a\n - b\n* c\nd - e\n・あ", "bullet_line_count", 4, id="bullets at the start of a line"),
        pytest.param("a...\nb… \nc..\n…d", "ellipsis_line_count", 2, id="ellipses at the end of a line"),
    ],
)
def test_quality(text, column, expected):
    assert signals([text])[0][0][column] == expected


def test_columns_of_the_two_differ_and_are_int32():
    text, words, lines = real_texts.measured(["a b"])
    for batch, columns in (
        (quality_signals(text, words, lines), QUALITY_COLUMNS),
        (repetition_signals(text, words, lines), REPETITION_COLUMNS),
    ):
        assert batch.schema.names == list(columns)
        assert set(batch.schema.types) == {pa.int32()}
    assert not set(QUALITY_COLUMNS) & set(REPETITION_COLUMNS)


def test_no_texts_give_no_rows():
    assert signals([]) == ([], [])


@given(st.text(min_size=1, max_size=80))
@settings(deadline=None)
def test_saying_it_all_again_never_lowers_the_duplicates(text):
    once, twice = signals([text, f"{text}\n{text}"])[1]
    for name in REPETITION_COLUMNS:
        if name.startswith("duplicate"):
            assert twice[name] >= once[name], name


def test_a_text_measures_the_same_alone_and_in_company():
    texts = list(real_texts.sample()[:40])
    together = signals(texts)
    alone = [signals([text]) for text in texts]
    assert together[0] == [quality[0] for quality, _ in alone]
    assert together[1] == [repetition[0] for _, repetition in alone]
