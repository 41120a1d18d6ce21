"""What transcripts measure: language, length, and with lists of words or models, what of that is unsafe."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from filters.language import identify
from filters.lines import split_lines
from filters.rules import Rule
from filters.safety.scorers import TextScorer, scorer_rules, scorer_signals
from filters.safety.word_lists import WordLists
from filters.safety.word_signals import word_signals
from filters.segmentation import segment

TRANSCRIPTS_VERSION = 1  # of the columns below
TRANSCRIPT_SIGNALS = pa.schema(
    [
        ("transcript_language", pa.string()),  # of filters.language; "und" without a letter or a transcript
        ("transcript_language_score", pa.float64()),  # [0, 1]
        ("transcript_char_count", pa.int32()),  # code points, without white space at the ends; 0 for null
        ("transcript_word_count", pa.int32()),  # of filters.segmentation
        ("listed_word_count", pa.int32()),  # of a list of the language; null without one ("scorer: none")
        ("lines_with_listed_word", pa.int32()),
    ]
)


def transcript_signals(
    texts: pa.StringArray, lists: WordLists | None = None, scorers: Sequence[TextScorer] = ()
) -> pa.RecordBatch:
    """Return TRANSCRIPT_SIGNALS, one row a transcript; a null is a transcript without a character.

    Behind them stand three columns a scorer (filters.safety.scorers.scorer_signals): a line is a cue.
    """
    text = pc.utf8_trim_whitespace(pc.fill_null(texts, ""))
    language, score = identify(text)
    words = segment(text)
    columns: list[Any] = [
        language,
        pa.array(score.astype(np.float64)),
        pc.utf8_length(text).cast(pa.int32()),
        pa.array(np.diff(words.doc_offsets).astype(np.int32)),
    ]
    if lists is None or not len(text):
        columns += [pa.nulls(len(text), pa.int32())] * 2
    else:
        columns += word_signals(text, language, words, split_lines(text), lists).columns
    found = pa.record_batch(columns, schema=TRANSCRIPT_SIGNALS)
    scored = scorer_signals(text, language, split_lines(text), scorers) if scorers and len(text) else None
    for name, column in zip(scored.schema.names, scored.columns, strict=True) if scored else ():
        found = found.append_column(name, column)
    return found


def transcript_scorer_rules(scorer: TextScorer, max_flagged_fraction: float) -> tuple[Rule, ...]:
    """Return the scorer's rule as `scorer_rules` has it, over the characters of a transcript."""
    return tuple(replace(rule, per="transcript_char_count") for rule in scorer_rules(scorer, max_flagged_fraction))
