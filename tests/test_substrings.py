"""Strings that repeat are found to the byte: by definition, by a suffix array, in every script, in pieces or whole."""

import numpy as np
import pyarrow as pa
import pytest
import real_texts
from hypothesis import example, given, settings
from hypothesis import strategies as st

from filters import substrings, views
from manifests.records import RANGE

Spans = list[list[int]]


def by_definition(texts: list[bytes], size: int) -> list[set[int]]:
    """Return the bytes of repeated windows of each text: a dictionary of every window, first come first."""
    first: dict[bytes, tuple[int, int]] = {}
    gone: list[set[int]] = [set() for _ in texts]
    for row, body in enumerate(texts):
        for at in range(len(body) - size + 1):
            other, place = first.setdefault(body[at : at + size], (row, at))
            if other != row or at - place >= size:
                gone[row].update(range(at, at + size))
    return gone


def by_suffix_array(texts: list[bytes], size: int) -> list[set[int]]:
    """Return the same from a sorted list of all suffixes, as Lee et al. find it."""
    suffixes = sorted((body[at : at + size], row, at) for row, body in enumerate(texts) for at in range(len(body)))
    gone: list[set[int]] = [set() for _ in texts]
    first: tuple[bytes, int, int] = (b"", -1, -1)
    for window, row, at in suffixes:
        if len(window) < size:
            continue
        if window != first[0]:
            first = (window, row, at)
        elif first[1] != row or at - first[2] >= size:
            gone[row].update(range(at, at + size))
    return gone


def found(texts: list[bytes], size: int, *, split: bool = False) -> list[set[int]]:
    """Return the same from pieces; `split` sends every window by itself, as hot anchors do."""
    column = pa.array(texts, pa.binary()).cast(pa.string(), safe=False)
    body = np.frombuffer(column.buffers()[2] or b"", np.uint8)
    pieces = substrings.pieces(column, size)
    if split:
        pieces = substrings.single_windows(body, pieces, np.zeros(int(pieces.windows.sum()), np.uint8), size)
    pieces = pieces.take(np.argsort(pieces.keys, kind="stable"))
    flags = substrings.repeated_windows(body, pieces, size)
    gone: list[set[int]] = [set() for _ in texts]
    for piece, start, end in zip(*substrings.runs_of_windows(pieces, flags, size), strict=True):
        gone[pieces.docs[piece]].update(range(start, end))
    return gone


few_letters = st.lists(st.binary(max_size=40).map(lambda data: bytes(97 + byte % 2 for byte in data)), max_size=6)


@settings(max_examples=400)
@given(few_letters, st.integers(2, 12))
@example([b"a" * 40], 4)
@example([b"abab" * 9, b"ba" * 15], 5)
def test_pieces_find_what_the_definition_says(texts, size):
    expected = by_definition(texts, size)
    assert found(texts, size) == expected == by_suffix_array(texts, size)
    assert found(texts, size, split=True) == expected


@settings(max_examples=100)
@given(few_letters, st.integers(2, 12))
def test_every_window_is_in_one_piece(texts, size):
    pieces = substrings.pieces(pa.array(texts, pa.binary()).cast(pa.string(), safe=False), size)
    windows = [
        (doc, start + i)
        for doc, start, count in zip(pieces.docs.tolist(), pieces.starts.tolist(), pieces.windows.tolist(), strict=True)
        for i in range(count)
    ]
    assert windows == [(row, at) for row, body in enumerate(texts) for at in range(len(body) - size + 1)]


@pytest.mark.parametrize("size", [100, 300])
def test_real_pages_of_all_languages(size):
    texts = [text.encode() for text in real_texts.sample()]
    expected = by_definition(texts, size)
    assert found(texts, size) == expected
    assert sum(map(len, expected)) > 20_000


def whole(texts: list[str]) -> pa.ListArray:
    return pa.array([[{"start": 0, "end": len(text.encode())}] if text else [] for text in texts], pa.list_(RANGE))


def cut(text: str, spans: Spans, least: int = 1, view: Spans | None = None) -> list[str]:
    """Return what `substrings.cuts` takes out of a text."""
    kept = pa.array([[{"start": a, "end": b} for a, b in view]], pa.list_(RANGE)) if view else whole([text])
    starts, ends = (np.array([span[i] for span in spans], np.int64) for i in (0, 1))
    bounds = np.array([0, len(spans)], np.int64)
    _, begins, past = substrings.cuts(pa.array([text]), kept, bounds, starts, ends, least)
    return [text.encode()[a:b].decode() for a, b in zip(begins.tolist(), past.tolist(), strict=True)]


@pytest.mark.parametrize(
    ("text", "spans", "least", "expected"),
    [
        pytest.param("abcdef", [[1, 3]], 1, ["bc"], id="bytes are characters in English"),
        pytest.param("日本語文", [[1, 11]], 1, ["本語"], id="half a character stays"),
        pytest.param("ภาษาไทย", [[3, 12]], 1, ["าษา"], id="Thai"),
        pytest.param("한국어 글", [[3, 10]], 3, ["국어 "], id="Korean"),
        pytest.param("العربية", [[2, 6]], 3, [], id="fewer characters than asked for stay"),
        pytest.param("a😀b", [[2, 6]], 1, ["b"], id="four bytes"),
        pytest.param("हिन्दी", [[0, 2]], 1, [], id="nothing but half a character"),
        pytest.param("abcdefgh", [[0, 4], [2, 6]], 6, ["abcdef"], id="what overlaps counts as one"),
        pytest.param("abcdefgh", [[0, 4], [4, 8]], 8, ["abcdefgh"], id="what touches counts as one"),
        pytest.param("abcdefgh", [[0, 2], [4, 8]], 3, ["efgh"], id="each is measured by itself"),
    ],
)
def test_cuts(text, spans, least, expected):
    assert cut(text, spans, least) == expected


def test_cuts_are_of_the_stored_text_where_edits_dropped_a_line():
    assert cut("one\ntwo\nthree\n", [[2, 6]], view=[[0, 4], [8, 14]]) == ["e\ntwo\nth"]
    assert cut("one\ntwo\nthree\n", [[4, 6]], view=[[0, 4], [8, 14]]) == ["th"]
    assert cut("one\ntwo\nthree\n", [[1, 4]], view=[[0, 4], [8, 14]]) == ["ne\n"]


@settings(max_examples=200)
@given(st.lists(st.text("aé日😀\n", max_size=12), max_size=5), st.integers(2, 8), st.integers(1, 4))
def test_no_cut_breaks_a_character_and_none_goes_too_far(texts, size, least):
    column, gone = pa.array(texts, pa.string()), found([text.encode() for text in texts], size)
    spans = [[(at, at + 1) for at in sorted(each)] for each in gone]
    bounds = np.concatenate([[0], np.cumsum([len(each) for each in spans])]).astype(np.int64)
    flat = np.array([span for each in spans for span in each], np.int64).reshape(-1, 2)
    rows, begins, past = substrings.cuts(column, whole(texts), bounds, flat[:, 0], flat[:, 1], least)
    for row, begin, end in zip(rows.tolist(), begins.tolist(), past.tolist(), strict=True):
        assert len(texts[row].encode()[begin:end].decode()) >= least
        assert set(range(begin, end)) <= gone[row]
    ranges = [
        [
            {"start": b, "end": e}
            for r, b, e in zip(rows.tolist(), begins.tolist(), past.tolist(), strict=True)
            if r == i
        ]
        for i in range(len(texts))
    ]
    left = views.apply_view(column, views.without(column, whole(texts), pa.array(ranges, pa.list_(RANGE))))
    left.validate(full=True)
