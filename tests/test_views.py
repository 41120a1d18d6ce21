"""Views against plain Python slicing."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.views import apply_view, items_in_view, keep_lines, parts_of_view
from manifests.records import PART

LINES = st.lists(st.text(alphabet=st.sampled_from("aé日𝒳 \t.")), min_size=1, max_size=6)


def _array(texts: list[str]) -> tuple[pa.StringArray, np.ndarray]:
    counts = [text.count("\n") + 1 for text in texts]
    return pa.array(texts, pa.string()), np.cumsum([0, *counts]).astype(np.int64)


@given(st.data())
def test_a_view_of_lines_is_those_lines_joined(data):
    documents = data.draw(st.lists(LINES, min_size=1, max_size=3))
    masks = [data.draw(st.lists(st.booleans(), min_size=len(lines), max_size=len(lines))) for lines in documents]
    text, offsets = _array(["\n".join(lines) for lines in documents])
    view = keep_lines(text, offsets, np.array([keep for mask in masks for keep in mask], np.uint8))
    expected = [
        "\n".join(line for line, keep in zip(lines, mask, strict=True) if keep)
        for lines, mask in zip(documents, masks, strict=True)
    ]
    assert apply_view(text, view).to_pylist() == expected


@given(st.data())
def test_parts_name_the_same_characters_before_and_after_an_edit(data):
    lines = data.draw(LINES)
    mask = data.draw(st.lists(st.booleans(), min_size=len(lines), max_size=len(lines)))
    whole = "\n".join(lines)
    cut = data.draw(st.integers(0, len(whole)))
    at = len(whole[:cut].encode())
    size = len(whole.encode())
    parts = [
        {"kind": "text", "start": 0, "end": at, "uri": None, "alt": None},
        {"kind": "image", "start": at, "end": at, "uri": "https://a.example/i.png", "alt": "i"},
        {"kind": "code", "start": at, "end": size, "uri": None, "alt": None},
    ]
    text, offsets = _array([whole])
    view = keep_lines(text, offsets, np.array(mask, np.uint8))
    left = apply_view(text, view)[0].as_py()
    mapped = parts_of_view(text, view, pa.array([parts], pa.list_(PART)))[0].as_py()
    pieces = [left[p["start"] : p["end"]] for p in mapped if p["kind"] != "image"]
    assert "".join(pieces) == left
    image = next(p for p in mapped if p["kind"] == "image")
    assert image["start"] == image["end"] <= len(left)


@pytest.mark.parametrize(
    ("text", "mask", "expected"),
    [
        pytest.param("a b\nc d\ne f", [1, 0, 1], [1, 1, 0, 0, 1, 1], id="words of a dropped line are out"),
        pytest.param("a b\nc d\ne f", [0, 0, 0], [0] * 6, id="an empty view holds nothing"),
        pytest.param("a b\nc d\ne f", [1, 1, 1], [1] * 6, id="a whole view holds everything"),
    ],
)
def test_items_in_view(text, mask, expected):
    array, offsets = _array([text])
    starts = np.array([i for i, c in enumerate(text) if c.isalpha()], np.int32)
    view = keep_lines(array, offsets, np.array(mask, np.uint8))
    found = items_in_view(array, view, np.array([0, len(starts)], np.int64), starts)
    assert found.tolist() == expected
