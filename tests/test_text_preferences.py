"""Who stays of a cluster: by age, licence, or a signal that is best where it is highest or lowest."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.recipe import default_recipe
from pipelines.recipe_errors import RecipeError
from pipelines.text.preferences import BEST_QUALITY, KNOWN, columns_of, ordered, preference

TEXTS = pa.table(
    {"fetched_at": pa.array([None], pa.timestamp("us", tz="UTC")), "license": pa.array([None], pa.string())}
)


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=2))
def test_numbers_keep_their_order_and_nan_is_last(values):
    found = ordered(np.array(values, np.float64)).tolist()
    for a, x in zip(values, found, strict=True):
        assert -KNOWN <= x < KNOWN
        assert -KNOWN <= -x <= KNOWN
        for b, y in zip(values, found, strict=True):
            if a != a or b != b:
                assert (x < y) == (a != a and b == b)
            else:
                assert (x < y, x == y) == (a < b, a == b)


@pytest.mark.parametrize(
    ("survivor", "best"),
    [
        pytest.param(BEST_QUALITY, 2, id="the highest score"),
        pytest.param({"signal": "quality_score", "per": None, "wish": "lowest"}, 1, id="the lowest"),
        pytest.param({"signal": "stops", "per": "words", "wish": "highest"}, 0, id="a ratio"),
    ],
)
def test_the_best_has_the_highest_number(survivor, best):
    signals = pa.RecordBatch.from_pydict(
        {"quality_score": [0.5, 0.25, 0.75, None], "stops": [9, 9, 9, 0], "words": [10, 20, 30, 10]}
    )
    found = preference(TEXTS, signals, survivor).to_pylist()
    assert found.index(max(found)) == best
    assert found.index(min(found)) == 3 or survivor["per"]


def test_columns_are_named_once():
    assert columns_of("newest") == ()
    assert columns_of({"signal": "a", "per": "a", "wish": "lowest"}) == ("a",)


def test_best_quality_needs_a_model():
    with pytest.raises(RecipeError, match="best_quality needs a quality model"):
        default_recipe(["x"], {"text.dedup.survivor": "best_quality"})
    named = default_recipe(["x"], {"text.dedup.survivor": {"signal": "word_count", "wish": "lowest"}})
    assert named.text.dedup.survivor.signal == "word_count"
