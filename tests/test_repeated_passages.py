"""Passages that stand in several texts: found alike in all scripts, kept once, and cut without a trace."""

from collections import defaultdict

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters import views
from filters.repeats import later_copies, passages
from manifests.records import RANGE

Ranges = list[tuple[int, int]]


def whole(texts: list[str]) -> pa.ListArray:
    return pa.array([[{"start": 0, "end": len(text.encode())}] if text else [] for text in texts], pa.list_(RANGE))


def found(texts: list[str], *, paragraphs: bool, least: int = 1) -> list[tuple[int, str]]:
    got = passages(pa.array(texts), whole(texts), paragraphs=paragraphs, min_characters=least)
    return [
        (row, texts[row].encode()[start:end].decode())
        for row, start, end in zip(got.rows.tolist(), got.starts, got.ends, strict=True)
    ]


@pytest.mark.parametrize(
    ("text", "paragraphs", "expected"),
    [
        pytest.param("a\nb\n\nc", False, ["a\n", "b\n", "c"], id="lines take the newline behind them along"),
        pytest.param("a\nb\n\nc", True, ["a\nb\n", "c"], id="a paragraph ends at a blank line"),
        pytest.param("一行目。\n二行目。\n\n段落", True, ["一行目。\n二行目。\n", "段落"], id="Japanese paragraphs"),
        pytest.param(" \n\n\t\n", True, [], id="white space is no passage"),
        pytest.param("", False, [], id="an empty text has none"),
    ],
)
def test_passages(text, paragraphs, expected):
    assert [said for _, said in found([text], paragraphs=paragraphs)] == expected


def test_length_counts_characters_not_bytes():
    assert found(["あいうえ\nabcd\nabc"], paragraphs=False, least=4) == [(0, "あいうえ\n"), (0, "abcd\n")]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.text("ab \n", max_size=12), max_size=5))
def test_equal_hashes_mean_equal_words(texts):
    for paragraphs in (False, True):
        got = passages(pa.array(texts, pa.string()), whole(texts), paragraphs=paragraphs, min_characters=1)
        said = [
            tuple(line.strip() for line in texts[row].encode()[start:end].decode().split("\n") if line.strip())
            for row, start, end in zip(got.rows.tolist(), got.starts, got.ends, strict=True)
        ]
        by_hash = defaultdict(set)
        for value, words in zip(got.hashes.tolist(), said, strict=True):
            by_hash[value].add(words)
        assert all(len(words) == 1 for words in by_hash.values())
        assert len(by_hash) == len(set(said))


@settings(max_examples=300, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=30), st.integers(2, 4))
def test_the_first_document_keeps_what_enough_of_them_hold(rows, least):
    rows = sorted(rows)
    hashes = np.array([said for said, _ in rows], np.uint64)
    ids = np.array([[0, document] for _, document in rows], np.uint64).reshape(-1, 2)
    documents = defaultdict(set)
    for said, document in rows:
        documents[said].add(document)
    expected = [len(documents[said]) >= least and document != min(documents[said]) for said, document in rows]
    assert later_copies(hashes, ids, least).tolist() == expected


def _disjoint(ranges: Ranges, size: int) -> list[dict[str, int]]:
    out, at = [], 0
    for start, end in ranges:
        first, last = max(start, at), min(end, size)
        if first < last:
            out.append({"start": first, "end": last})
            at = last
    return out


_RANGES = st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)).map(sorted), max_size=5).map(sorted)


@settings(max_examples=500, deadline=None)
@given(st.lists(st.tuples(st.text("ab\n", max_size=12), _RANGES, _RANGES), max_size=4))
def test_a_view_without_cuts_is_what_sets_of_places_say(rows):
    texts = [text for text, _, _ in rows]
    view = [_disjoint(kept, len(text)) for text, kept, _ in rows]
    cuts = [[{"start": start, "end": end} for start, end in cut if start < end] for _, _, cut in rows]
    got = views.without(pa.array(texts, pa.string()), pa.array(view, pa.list_(RANGE)), pa.array(cuts, pa.list_(RANGE)))
    for text, before, cut, after in zip(texts, view, cuts, got.to_pylist(), strict=True):
        held = {place for each in before for place in range(each["start"], each["end"])}
        left = sorted(held - {place for each in cut for place in range(each["start"], each["end"])})
        if left and left[-1] != max(held) and text[left[-1]] == "\n":
            left.pop()  # the newline before a last line that went
        assert [place for each in after for place in range(each["start"], each["end"])] == left
