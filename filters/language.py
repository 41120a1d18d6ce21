"""Which language a text is in: fastText's lid.176 (Joulin et al. 2016; 176 languages) on the first 2,000 characters."""

from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from filters.models import model_path

MODEL = "lid.176.ftz"
CHARACTERS = 2000
UNDETERMINED = "und"
LANGUAGE_VERSION = 1  # part of the stage key

_PREFIX = "__label__"


@cache
def load_model() -> Any:
    """Return the checked model, loaded once a process."""
    import fasttext

    return fasttext.load_model(str(model_path(MODEL)))


def identify(text: pa.StringArray) -> tuple[pa.StringArray, np.ndarray]:
    """Return (language: ISO 639 code, score: float32 in [0, 1]), one row a text.

    A text without a letter in its first 2,000 characters is "und" with score 0.0; so is a null.
    """
    heads = pc.utf8_slice_codeunits(pc.fill_null(text, ""), 0, CHARACTERS)
    lettered = pc.match_substring_regex(heads, r"\p{L}").to_numpy(zero_copy_only=False)
    lines = heads.filter(pa.array(lettered))
    language = np.full(len(text), UNDETERMINED, object)
    score = np.zeros(len(text), np.float32)
    if len(lines):
        language[lettered], score[lettered] = _predict(lines.to_pylist())
    return pa.array(language, pa.string()), score


def _predict(lines: list[str]) -> tuple[list[str], np.ndarray]:
    """Return the best label and its score for each line.

    The binding's own method for many lines: `predict("one string")` fails with numpy 2.
    """
    labels, scores = load_model().f.multilinePredict(
        [line.replace("\n", " ") + "\n" for line in lines], 1, 0.0, "strict"
    )
    best = [label[0].removeprefix(_PREFIX) if label else UNDETERMINED for label in labels]
    top = np.array([score[0] if len(score) else 0.0 for score in scores], np.float32)
    return best, np.clip(top, 0.0, 1.0)
