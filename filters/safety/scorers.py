"""Scores of texts by models: toxicity, hate, what a user's classifier knows. A score is a sum of class probabilities.

A model is an ONNX graph (its first input string[n]) or a fastText classifier, pinned by its sha256, on one thread,
and is asked for the languages only that it was made for; elsewhere the score is null, and the report says
"scorer: none". Nothing is ever unpickled.

One model is named here: `hatesonar` (English; TF-IDF and logistic regression on tweets: Davidson et al. 2017,
arXiv 1703.04009; MIT). It takes insults for offence, and dialect for insults, as its data does: a weak sign.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from filters.lines import Lines
from filters.models import ModelDamagedError, ModelMissingError, model_path
from filters.native import string_buffers
from filters.quality.model import load_fasttext, probabilities
from filters.rules import Rule
from filters.safety.onnx_text import text_session

VERSION = 1
BATCH = 256  # texts that are Python strings at a time
MAX_CHARS = 1000  # of a line that are scored

Scores = npt.NDArray[np.float64]


@dataclass(frozen=True)
class TextScorer:
    """A model and what to ask it.

    column     what it fills: <column>_max, <column>_line_count, <column>_char_count
    kind       onnx | fasttext
    path       the file; "model:NAME" is one of `filters.models`
    sha256     what it must be; may be None for "model:NAME" only, which is pinned there
    classes    whose probabilities are added up: numbers of the graph's output, or fastText labels
    languages  that it is valid for
    flagged    a line counts as flagged from this score on
    """

    column: str
    kind: Literal["onnx", "fasttext"]
    path: str
    classes: tuple[str, ...]
    languages: tuple[str, ...]
    sha256: str | None = None
    flagged: float = 0.5

    def __post_init__(self) -> None:
        if self.kind not in ("onnx", "fasttext"):
            raise ValueError(f"{self.column}: a scorer is onnx or fasttext, not {self.kind!r}")
        if self.sha256 is None and not self.path.startswith("model:"):
            raise ValueError(f"{self.column}: a scorer's file is pinned by its sha256")
        if not self.classes or not self.languages:
            raise ValueError(f"{self.column}: which classes are added up, and for which languages?")
        if self.kind == "onnx" and not all(each.isdecimal() for each in self.classes):
            raise ValueError(f"{self.column}: classes of an ONNX graph are numbers, got {', '.join(self.classes)}")


HATESONAR = TextScorer("toxicity", "onnx", "model:hatesonar.onnx", ("0", "1"), ("en",))


def score(scorer: TextScorer, texts: pa.StringArray) -> Scores:
    """Return the score of each text, float64[len(texts)] in [0, 1]; NaN where the model gives no number.

    The scores of a text depend on nothing but the text. Raises ModelMissingError and ModelDamagedError at first use.
    """
    model = _model(scorer.kind, scorer.path, scorer.sha256)
    heads = pc.utf8_slice_codeunits(pc.fill_null(texts, ""), 0, MAX_CHARS)
    batches = [heads.slice(at, BATCH) for at in range(0, len(heads), BATCH)]
    if scorer.kind == "fasttext":
        found = [probabilities(model, pc.replace_substring(batch, "\n", " "), scorer.classes) for batch in batches]
    else:
        found = [_onnx_scores(model, batch, [int(each) for each in scorer.classes]) for batch in batches]
    return np.concatenate([np.zeros(0), *found])


def scorer_signals(
    text: pa.StringArray, language: pa.StringArray, lines: Lines, scorers: Sequence[TextScorer]
) -> pa.RecordBatch:
    """Return three columns a scorer, shape (len(text),), null where it is not valid for the text's language.

    <column>_max         float64: score of the line that scores highest, 0.0 without lines
    <column>_line_count  int32: lines flagged
    <column>_char_count  int32: their characters
    """
    columns: dict[str, pa.Array] = {}
    for scorer in scorers:
        valid = pc.is_in(language, pa.array(scorer.languages, pa.string())).to_numpy(zero_copy_only=False)
        for name, values in zip(_names(scorer), _of_lines(scorer, text, lines, valid), strict=True):
            columns[name] = pa.array(values, mask=~valid)
    return (
        pa.RecordBatch.from_pydict(columns) if columns else pa.RecordBatch.from_pylist([{}] * len(text), pa.schema([]))
    )


def scorer_rules(scorer: TextScorer, max_flagged_fraction: float) -> tuple[Rule, ...]:
    """Return the rule `scorer_<column>/flagged_char_fraction` for the languages that the scorer is valid for.

    It reads `char_count` of Gopher's measures. No paper gives a bound for documents: it is the user's.
    """
    name, above = f"scorer_{scorer.column}/flagged_char_fraction", f"{scorer.column}_char_count"
    return (Rule(name, above, "char_count", max=max_flagged_fraction, languages=frozenset(scorer.languages)),)


def describe(scorers: Sequence[TextScorer], languages: Sequence[str]) -> dict[str, list[str]]:
    """Return, for the report, the columns of the scorers that are valid for each language; [] is "scorer: none"."""
    return {code: sorted(each.column for each in scorers if code in each.languages) for code in sorted(languages)}


def line_scores(scorer: TextScorer, text: pa.StringArray, lines: Lines, wanted: npt.NDArray[np.bool_]) -> Scores:
    """Return the score of each line, float64[n_lines]; 0.0 for blank lines and those of texts that aren't wanted."""
    of = np.repeat(np.arange(len(text)), np.diff(lines.doc_offsets))
    chosen = np.flatnonzero((lines.starts < lines.ends) & wanted[of])
    found = np.zeros(len(lines.starts))
    found[chosen] = score(scorer, _cut(text, lines.starts[chosen], lines.ends[chosen]))
    return found


def _of_lines(scorer: TextScorer, text: pa.StringArray, lines: Lines, valid: npt.NDArray[np.bool_]) -> tuple[Any, ...]:
    """Return <column>_max, _line_count and _char_count."""
    scores = line_scores(scorer, text, lines, valid)
    flagged = scores >= scorer.flagged
    starts = lines.doc_offsets[:-1]  # every text has a line
    if not len(text):
        return np.zeros(0), np.zeros(0, np.int32), np.zeros(0, np.int32)
    return (
        np.maximum.reduceat(scores, starts),
        np.add.reduceat(flagged, starts, dtype=np.int32),
        np.add.reduceat(np.where(flagged, lines.chars, 0), starts, dtype=np.int32),
    )


def _names(scorer: TextScorer) -> tuple[str, str, str]:
    return f"{scorer.column}_max", f"{scorer.column}_line_count", f"{scorer.column}_char_count"


def _cut(text: pa.StringArray, starts: Any, ends: Any) -> pa.StringArray:
    """Return the pieces [starts, ends) of the batch's bytes."""
    body, _ = string_buffers(text)
    sizes = (ends - starts).astype(np.int64)
    offsets = np.append(0, np.cumsum(sizes))
    taken = np.repeat(starts - offsets[:-1], sizes) + np.arange(offsets[-1])
    buffers = [None, pa.py_buffer(offsets.astype(np.int32)), pa.py_buffer(body[taken])]
    return pa.StringArray.from_buffers(len(starts), *buffers[1:])


def _onnx_scores(model: Any, batch: pa.StringArray, classes: list[int]) -> Scores:
    """Return the sum of some classes of the last output: float[n, classes], or a map of each row.

    Each text is a run of its own: how many rows a matrix has decides the order of its sums, so the last bits of a
    score would depend on its neighbours. It costs a quarter more.
    """
    found = np.array([_onnx_score(model, text, classes) for text in batch.to_pylist()], np.float64)
    return np.where(np.isfinite(found), np.clip(found, 0.0, 1.0), np.nan)


def _onnx_score(model: Any, text: str, classes: list[int]) -> float:
    given = {model.get_inputs()[0].name: np.array([text], object)}
    answered = model.run([model.get_outputs()[-1].name], given)[0]
    row = answered[0] if isinstance(answered, list) else np.asarray(answered).reshape(-1)  # a ZipMap's row is a map
    return math.fsum(float(row[each]) for each in classes)


@cache
def _model(kind: str, path: str, sha256: str | None) -> Any:
    """Return a model whose bytes were held against their sha256, loaded once a process."""
    file = model_path(path.removeprefix("model:")) if path.startswith("model:") else Path(path)
    if kind == "fasttext":
        return load_fasttext(file, sha256)
    return text_session(_checked(file, sha256))


def _checked(file: Path, sha256: str | None) -> bytes:
    import hashlib

    if not file.is_file():
        raise ModelMissingError(f"there is no model at {file}")
    content = file.read_bytes()
    found = hashlib.sha256(content).hexdigest()
    if sha256 not in (None, found):
        raise ModelDamagedError(f"model {file}: sha256 {found}, not {sha256}")
    return content
