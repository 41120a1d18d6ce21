"""Count the words of texts as SentencePiece's trainer would see them.

A line is what a newline ends. Spaces become U+2581 and stand before the word they lead to, a run of them as a
whole; only the run that ends a line stands alone. Every other character (tab, CR, NUL, U+2585 ...) is part of
a word, so the counts hold all that training needs, whatever its settings: `line_starts`, the occurrences that
open a line, is what a dummy prefix needs.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from filters.native import string_buffers
from tokenizer import gather
from tokenizer.ledger import CountLedger
from tokenizer.settings import SPACE_SYMBOL

MAX_WORD_BYTES = 1 << 16

_COLUMNS: dict[str, Any] = {
    "key": pa.uint64(),  # hash of the word, uniform
    "word": pa.string(),  # U+2581 stands for each space
    "count": pa.int64(),
    "line_starts": pa.int64(),  # occurrences that open a line, <= count
    "documents": pa.int64(),  # texts that hold the word, <= count
    "capped": pa.int64(),  # occurrences, at most 16 (gather.PER_TEXT) a text
    "group": pa.uint64(),  # where the texts come from (tokenizer.groups), 0 if nobody said
}
COUNTS = pa.schema(_COLUMNS)
_NUMBERS = COUNTS.names[2:6]
_ORDER = [("key", "ascending"), ("word", "ascending"), ("group", "ascending")]


class Counted(NamedTuple):
    """Counts of one batch (schema COUNTS, ascending by key, word, group) and what became of each character."""

    counts: pa.RecordBatch
    ledger: CountLedger


def word_keys(words: Any) -> Any:
    """Return the key of each word of a string array, uint64[len(words)]; a space and U+2581 are the same."""
    return gather.keys_of(*_padded(pc.replace_substring(words, SPACE_SYMBOL, " ")))


def _padded(text: Any) -> tuple[Any, Any]:
    """Return the buffers of a string array with the bytes behind them that kernels may read."""
    data, offsets = string_buffers(text)
    if len(data) < offsets[-1] + gather.PADDING:
        data = np.concatenate([data, np.zeros(gather.PADDING, np.uint8)])
    return data, offsets


def _spaced(text: Any) -> tuple[Any, Any, int]:
    """Return (bytes, offsets) of the texts with spaces for literal U+2581, and how many of these."""
    data, offsets = _padded(text)
    literal = gather.space_symbols(data, offsets[0], offsets[-1])
    if literal:
        data, offsets = _padded(pc.replace_substring(text, SPACE_SYMBOL, " "))
    return data, offsets, literal


def count_words(text: pa.StringArray, max_word_bytes: int = MAX_WORD_BYTES, group: int = 0) -> Counted:
    """Count the words of a batch of texts of one group; a null is an empty text.

    A word of more than `max_word_bytes` (UTF-8, a space as one byte) is left out and named in the ledger.
    """
    data, offsets, literal = _spaced(text)
    rows = gather.group(data, *gather.cut(data, offsets))
    is_over = rows[:, gather.SPAN].astype(np.uint32) > max_word_bytes
    rows, over = (rows[~is_over], rows[is_over]) if is_over.any() else (rows, rows[:0])
    ledger = CountLedger(
        documents=len(text),
        characters=gather.code_points(data, offsets[0], offsets[-1]),
        counted=gather.weighted_code_points(data, rows),
        newlines=gather.newlines(data, offsets[0], offsets[-1]),
        over_long=gather.weighted_code_points(data, over),
        over_long_words=int(over[:, gather.COUNT].sum()),
        literal_space_symbols=literal,
    )
    return Counted(batch_of(data, rows, group), ledger)


def batch_of(data: Any, rows: Any, group: int) -> pa.RecordBatch:
    """Return the counts (schema COUNTS, ascending) of rows of `gather.group`."""
    rows = rows[np.argsort(rows[:, gather.KEY], kind="stable")]
    body, ends = gather.escaped(data, rows)
    if ends[-1] >= 1 << 31:
        raise ValueError(f"the words of one batch take {ends[-1]} bytes, over 2 GiB: count smaller batches")
    word = pa.StringArray.from_buffers(len(rows), pa.py_buffer(ends.astype(np.int32)), pa.py_buffer(body))
    texts = rows[:, gather.TEXTS]
    columns = (rows[:, gather.COUNT], rows[:, gather.OPENS], texts & np.uint64(0xFFFFFFFF), texts >> np.uint64(32))
    numbers = [column.astype(np.int64) for column in columns]
    return _ordered(_as_counts(pa.array(rows[:, gather.KEY]), word, numbers, np.full(len(rows), group, np.uint64)))


def _as_counts(key: Any, word: Any, numbers: list[Any], group: Any) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays([key, word, *map(pa.array, [*numbers, group])], schema=COUNTS)


def relation(batch: Any) -> Any:
    """Compare each word with the one before: 0 another key, 1 the same word, 2 the same key and another word."""
    return gather.repeats(batch["key"].to_numpy(), *string_buffers(batch["word"]))


def _ordered(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Put words that share a key (64 bits collide) in the order of their bytes; all others are in order."""
    if (relation(batch) == 2).any():
        return batch.take(pc.sort_indices(batch, sort_keys=_ORDER))
    return batch


def _joined(batches: Iterable[pa.RecordBatch]) -> Any:
    table = pa.Table.from_batches([b.select(COUNTS.names) for b in batches], schema=COUNTS)
    if table["word"].nbytes >= 1 << 31:
        raise ValueError("the counts to merge hold 2 GiB of words: merge narrower ranges of keys")
    joined = table.combine_chunks().to_batches()
    return joined[0] if joined else pa.RecordBatch.from_pylist([], schema=COUNTS)


def merge_counts(batches: Iterable[pa.RecordBatch]) -> pa.RecordBatch:
    """Add counts up; the result ascends by (key, word, group) and holds each word of a group once.

    Associative, and whatever the input's order. Equal keys are equal words only if the words are, byte for byte.
    """
    joined = _joined(batches)
    batch = _ordered(joined.take(_order_of(joined["key"].to_numpy(), joined["group"].to_numpy())))
    group: Any = batch["group"].to_numpy()
    first: Any = np.flatnonzero((relation(batch) != 1) | (np.diff(group, prepend=group[:1]) != 0))
    if not len(first):
        return batch
    sums = [np.add.reduceat(batch[name].to_numpy(), first) for name in _NUMBERS]
    kept = batch.select(["key", "word"]).take(first)
    return _as_counts(kept["key"], kept["word"], sums, group[first])


def _order_of(key: Any, group: Any) -> Any:
    """Return the order by key, then group; timsort is linear where sorted runs meet."""
    if (group[1:] == group[:-1]).all():
        return np.argsort(key, kind="stable")
    by_group: Any = np.argsort(group, kind="stable")
    return by_group[np.argsort(key[by_group], kind="stable")]


def characters(counts: Iterable[pa.RecordBatch]) -> pa.RecordBatch:
    """Return {character: string, count: int64} of all counted characters; U+2581 is the space.

    Most frequent first, then by code point.
    """
    tally = np.zeros(0x110000, np.int64)
    for batch in counts:
        word: Any = batch["word"]
        gather.tally_code_points(*string_buffers(word), batch["count"].to_numpy(), tally)
    points = np.flatnonzero(tally)
    points = points[np.argsort(-tally[points], kind="stable")]
    listed: list[Any] = [pa.array([chr(p) for p in points], pa.string()), pa.array(tally[points])]
    return pa.RecordBatch.from_arrays(listed, names=["character", "count"])
