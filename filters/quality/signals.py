"""The score that a user's classifier gives a text, and the rule on it."""

from dataclasses import dataclass

import pyarrow as pa

from filters.quality import lines
from filters.quality.model import load_fasttext, probabilities
from filters.quality.train import POSITIVE
from filters.rules import Rule
from filters.segmentation import Segmentation

VERSION = 1
COLUMN = "quality_score"


@dataclass(frozen=True)
class QualityModel:
    """The slot of a recipe: `text.quality: {model: path, sha256: ..., threshold: 0.5}`.

    label      whose probability is the score; other people's models have other names (DCLM's: "hq")
    threshold  of what is kept, inclusive; None: the score is measured and decides nothing
    """

    model: str
    sha256: str
    threshold: float | None = None
    label: str = POSITIVE

    def __post_init__(self) -> None:
        if len(self.sha256) != 64 or set(self.sha256) - set("0123456789abcdef"):
            raise ValueError(f"quality: sha256 is 64 hex digits, not {self.sha256!r}")
        if self.threshold is not None and not 0 <= self.threshold <= 1:
            raise ValueError(f"quality: threshold is from 0 to 1, not {self.threshold}")

    def identity(self) -> dict[str, str | int]:
        """Return what a score depends on, for stage keys: neither path nor threshold."""
        return {"sha256": self.sha256, "label": self.label, "version": VERSION, "lines": lines.VERSION}


def quality_signals(text: pa.StringArray, words: Segmentation, quality: QualityModel) -> pa.RecordBatch:
    """Return COLUMN, float64 in [0, 1], shape (len(text),); null for a text without a word.

    Raises ModelMissingError and ModelDamagedError at first use.
    """
    model = load_fasttext(quality.model, quality.sha256)
    seen = lines.word_lines(text, words)
    scores = probabilities(model, seen, [quality.label])
    empty = seen.to_numpy(zero_copy_only=False) == ""
    return pa.RecordBatch.from_arrays([pa.array(scores, pa.float64(), mask=empty)], [COLUMN])


def quality_rules(quality: QualityModel) -> tuple[Rule, ...]:
    """Return the rule `quality/score`, none without a threshold; a text without a word has no score and goes."""
    return () if quality.threshold is None else (Rule("quality/score", COLUMN, min=quality.threshold),)
