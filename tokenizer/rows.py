"""Turn counts into the rows that SentencePiece's trainer reads (word, tab, count)."""

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from tokenizer.ledger import TrainLedger
from tokenizer.settings import BOUNDARY, SPACE_SYMBOL, UNKNOWN_SYMBOL, TrainSettings

_NUL = "\0"  # the trainer never puts it in a piece, and doesn't count it: the place of what a row can't carry


def literal_pattern(settings: TrainSettings) -> str:
    """Return a regular expression (RE2) of what the trainer takes for a piece where it stands in the text.

    The longest match counts. Newlines are in no row.
    """
    runs = (("\t", 1, settings.tab_runs), (SPACE_SYMBOL, 2, settings.space_runs))
    patterns = [f"{sign}{{{least},{most}}}" for sign, least, most in runs if most >= least]
    literal = set(settings.fixed_pieces) - set(settings.run_symbols)
    longest_first = sorted(literal, key=lambda piece: (-len(piece.encode()), piece))
    return "|".join([*patterns, *map(re.escape, longest_first)])


def _with_dummy_prefix(batch: Any) -> tuple[Any, Any]:
    """Give the occurrences that open a line the space that a dummy prefix puts before them."""
    word, count, opening = batch["word"], batch["count"].to_numpy(), batch["line_starts"].to_numpy()
    inside, opens = count > opening, opening > 0
    prefixed = pc.binary_join_element_wise(SPACE_SYMBOL, word.filter(pa.array(opens)), "")
    words = pa.concat_arrays([word.filter(pa.array(inside)), prefixed])
    return words, np.concatenate([(count - opening)[inside], opening[opens]])


def _characters(words: Any, counts: Any) -> int:
    return int(np.dot(pc.utf8_length(words).to_numpy().astype(np.int64), counts))


def weight(batch: pa.RecordBatch) -> float:
    """Return how many characters the occurrences of these words and their prefixes hold, nearly."""
    words: Any = batch["word"]
    return float(np.dot(pc.utf8_length(words).to_numpy() + 1.0, batch["count"].to_numpy().astype(np.float64)))


def _masked(words: Any, counts: Any, sign: str) -> tuple[Any, int]:
    """Put NUL in the place of a sign that a row can't carry; return how many there were."""
    found = pc.count_substring(words, sign).to_numpy().astype(np.int64)
    masked = pc.replace_substring(words, sign, _NUL) if found.any() else words
    return masked, int(np.dot(found, counts))


def _without_literal_pieces(words: Any, counts: Any, pattern: str) -> tuple[Any, int]:
    """Put a boundary in the place of literal pieces, as the trainer would; return how many characters go."""
    if not pc.any(pc.match_substring_regex(words, pattern)).as_py():
        return words, 0
    rest = pc.replace_substring_regex(words, pattern, "")
    lost = _characters(words, counts) - _characters(rest, counts)
    return pc.replace_substring_regex(words, pattern, BOUNDARY), lost


def training_rows(batch: pa.RecordBatch, settings: TrainSettings) -> tuple[Any, Any, TrainLedger]:
    """Return words (string array) and counts (int64) for the trainer, and what became of each character.

    A word may stand in several rows.
    """
    words: Any = batch["word"]
    counts: Any = batch["count"].to_numpy()
    added = 0
    if settings.add_dummy_prefix:
        words, counts = _with_dummy_prefix(batch)
        added = int(batch["line_starts"].to_numpy().sum())
    characters = _characters(words, counts)
    words, literal = _without_literal_pieces(words, counts, literal_pattern(settings))
    _, nul = _masked(words, counts, _NUL)
    words, tabs = _masked(words, counts, "\t")
    words, reserved = _masked(words, counts, UNKNOWN_SYMBOL)
    ledger = TrainLedger(
        rows=len(words),
        words=int(counts.sum()),
        characters=characters - added,
        added=added,
        trained=characters - literal - tabs - reserved - nul,
        literal_pieces=literal,
        tabs=tabs,
        reserved=reserved,
        nul=nul,
    )
    return words, counts, ledger


def tsv_lines(words: Any, counts: Any, chunk_rows: int = 1 << 16) -> Iterator[str]:
    """Give `word<tab>count` of every row."""
    lines = pc.binary_join_element_wise(words, pa.array(counts).cast(pa.string()), "\t")
    for start in range(0, len(lines), chunk_rows):
        yield from lines.slice(start, chunk_rows).to_pylist()
