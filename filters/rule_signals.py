"""Signals that are measured only where a recipe names a rule set that reads them, by family.

The families of a job are part of its stage keys, each with its version ("madlad/1"); none is measured for a recipe
of gopher_v1, c4_v1 and fineweb_v1 alone, whose stage keys hold nothing of this.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import pyarrow as pa

from filters import c4_variants, fineweb2, gopher_variants, line_corrections, mc4, peer_words, questionable
from filters.lines import Lines
from filters.peer_words import split_words
from filters.segmentation import Segmentation


class Measured(NamedTuple):
    """What every family has to go by: texts, their words and lines, and the language of each."""

    text: pa.StringArray
    words: Segmentation
    lines: Lines
    language: pa.StringArray


@dataclass(frozen=True)
class Family:
    """sets: the rule sets that read these signals; measure: what gives them."""

    version: int
    sets: tuple[str, ...]
    measure: Callable[[Measured], list[pa.RecordBatch]]


def _datatrove(given: Measured) -> list[pa.RecordBatch]:
    whole = gopher_variants.datatrove_signals(given.text, peer_words.peer_words(given.text))
    rows = c4_variants.clean_rows(given.text)
    row_words = peer_words.peer_words(rows.text)
    left, c4 = c4_variants.read_c4(rows, c4_variants.DATATROVE, row_words)
    return [whole, c4, c4_variants.fineweb_signals(left, rows, row_words)]


def _whitespace(given: Measured) -> list[pa.RecordBatch]:
    return [gopher_variants.whitespace_signals(given.text, split_words(given.text))]


def _c4(given: Measured) -> list[pa.RecordBatch]:
    rows = c4_variants.clean_rows(given.text)
    return [c4_variants.read_c4(rows, reading)[1] for reading in (c4_variants.PAPER, c4_variants.CODE)]


def _refinedweb(given: Measured) -> list[pa.RecordBatch]:
    return [line_corrections.correct_lines(given.text, given.words, given.lines)[1]]


def _madlad(given: Measured) -> list[pa.RecordBatch]:
    return [questionable.questionable_signals(given.text, given.words, given.lines)]


def _mc4(given: Measured) -> list[pa.RecordBatch]:
    return [mc4.mc4_signals(given.text, given.lines)]


def _fineweb2(given: Measured) -> list[pa.RecordBatch]:
    return [fineweb2.fineweb2_signals(*given)]


_PEER = peer_words.PEER_WORDS_VERSION
FAMILIES: dict[str, Family] = {
    "c4": Family(c4_variants.VERSION, ("c4@paper", "c4@code"), _c4),
    "datatrove": Family(
        100 * _PEER + 10 * gopher_variants.VERSION + c4_variants.VERSION,
        ("gopher@datatrove", "c4@datatrove", "fineweb@datatrove"),
        _datatrove,
    ),
    "fineweb2": Family(fineweb2.VERSION, ("fineweb2_v1",), _fineweb2),
    "madlad": Family(questionable.VERSION, ("madlad_v1",), _madlad),
    "mc4": Family(mc4.VERSION, ("mc4_v1",), _mc4),
    "refinedweb": Family(line_corrections.VERSION, ("refinedweb_lines_v1",), _refinedweb),
    "whitespace": Family(10 * _PEER + gopher_variants.VERSION, ("gopher@whitespace",), _whitespace),
}


def families_of(rule_sets: Sequence[str]) -> tuple[str, ...]:
    """Return "family/version" of all that these rule sets read beside what is always measured, sorted."""
    return tuple(
        f"{name}/{family.version}" for name, family in FAMILIES.items() if set(family.sets).intersection(rule_sets)
    )


def measure_families(families: Sequence[str], given: Measured) -> list[pa.RecordBatch]:
    """Return the signals of these families, rows as in `given.text`.

    Raises ValueError for a family, or a version of one, that this release does not measure.
    """
    known = {f"{name}/{family.version}": family for name, family in FAMILIES.items()}
    unknown = sorted(set(families) - set(known))
    if unknown:
        raise ValueError(f"signals of {unknown[0]!r} are not measured here; known are {', '.join(known)}")
    return [batch for name in families for batch in known[name].measure(given)]
