"""Count the words of texts as SentencePiece's trainer would see them.

A line is what a newline ends. Spaces become U+2581 and stand before the word they lead to, a run of them as a whole;
only the run that ends a line stands alone. Every other character (tab, CR, NUL, U+2585 ...) is part of a word, so
the counts hold all that training needs, whatever its settings: `line_starts`, the occurrences that open a line, is
what a dummy prefix needs.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from filters.native import kernel, mix64, string_buffers
from tokenizer.ledger import CountLedger

SPACE_SYMBOL = "\u2581"
MAX_WORD_BYTES = 1 << 16
KEY_VERSION = 1  # raise when `key` of the same word would differ: it orders tables and staged files

COUNTS = pa.schema(
    [
        ("key", pa.uint64()),  # hash of the word, uniform
        ("word", pa.string()),  # U+2581 stands for each space
        ("count", pa.int64()),
        ("line_starts", pa.int64()),  # occurrences that open a line, <= count
        ("documents", pa.int64()),  # texts that hold the word, <= count
    ]
)

_SPACE, _NEWLINE = 0x20, 0x0A
# Columns of the table that gathers equal words.
KEY, HEAD, START, LENGTH, COUNT, OPENS, TEXTS, LAST = range(8)
ROW = 8
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_ONES = np.uint64(0xFFFFFFFFFFFFFFFF)
_SHIFT = np.uint64(29)


class Counted(NamedTuple):
    """Counts of one batch (schema COUNTS, ascending by key, then word) and what became of each character."""

    counts: pa.RecordBatch
    ledger: CountLedger


@kernel
def _block(data: Any, start: int, size: int) -> int:
    """Return data[start:start + size], at most 8 bytes, as a little-endian number."""
    block = np.uint64(0)
    if start + 8 <= len(data):  # one load, and no branch on the size
        for k in range(8):
            block |= np.uint64(data[start + k]) << np.uint64(8 * k)
        return block & (_ONES >> np.uint64(8 * (8 - size))) if size else np.uint64(0)
    for k in range(size):
        block |= np.uint64(data[start + k]) << np.uint64(8 * k)
    return block


@kernel
def _key(data: Any, start: int, end: int) -> int:
    """Hash data[start:end]: multiply and shift over blocks of 8 bytes; the length is mixed in."""
    key = np.uint64(end - start) * _MULTIPLIER
    i = start
    while i + 8 <= end:
        key = (key ^ _block(data, i, 8)) * _MULTIPLIER
        key ^= key >> _SHIFT
        i += 8
    return mix64((key ^ _block(data, i, end - i)) * _MULTIPLIER)


@kernel
def _keys(data: Any, offsets: Any) -> Any:
    keys = np.empty(len(offsets) - 1, np.uint64)
    for i in range(len(keys)):
        keys[i] = _key(data, offsets[i], offsets[i + 1])
    return keys


@kernel
def _word_limit(data: Any, offsets: Any) -> int:
    """Return a number of words that no cut of these texts exceeds."""
    limit = len(offsets)
    for i in range(offsets[0], offsets[-1]):
        limit += (data[i] == _SPACE) | (data[i] == _NEWLINE)
    return limit


@kernel
def _cut(data: Any, offsets: Any) -> tuple[Any, Any, Any, Any]:
    """Return starts, ends, text index and "opens a line" of every word, in order."""
    limit = _word_limit(data, offsets)
    starts, ends = np.empty(limit, np.int32), np.empty(limit, np.int32)
    owner, opens = np.empty(limit, np.int32), np.empty(limit, np.uint8)
    n = 0
    for text in range(len(offsets) - 1):
        start, opening, last = offsets[text], 1, _NEWLINE
        for i in range(offsets[text], offsets[text + 1] + 1):
            byte = data[i] if i < offsets[text + 1] else _NEWLINE
            if byte == _NEWLINE or (byte == _SPACE and last != _SPACE):
                if i > start:
                    starts[n], ends[n], owner[n], opens[n] = start, i, text, opening
                    n += 1
                start = i + (byte == _NEWLINE)
                opening = 1 if byte == _NEWLINE else 0
            last = byte
    return starts[:n], ends[:n], owner[:n], opens[:n]


@kernel
def _same(data: Any, a: int, b: int, length: int) -> bool:
    for k in range(length):  # noqa: SIM110  (a loop is what numba compiles well)
        if data[a + k] != data[b + k]:
            return False
    return True


@kernel
def _table(places: int) -> Any:
    """Return an empty table, uint64[places, ROW]; a row is one line of the processor's cache, and starts on one."""
    room = np.zeros((places + 1) * ROW, np.uint64)
    first = (-room.ctypes.data % 64) // 8
    return room[first : first + places * ROW].reshape((places, ROW))


@kernel
def _free(table: Any, key: int) -> int:
    """Return the place of a word that is not in the table."""
    mask = np.uint64(len(table) - 1)
    slot = key & mask
    while table[slot, COUNT]:
        slot = (slot + np.uint64(1)) & mask
    return int(slot)


@kernel
def _grown(table: Any) -> Any:
    """Return the same entries in a table of twice the places."""
    grown = _table(2 * len(table))
    for slot in range(len(table)):
        if table[slot, COUNT]:
            grown[_free(grown, table[slot, KEY])] = table[slot]
    return grown


@kernel
def _slot(table: Any, data: Any, start: int, length: int, key: int, head: int) -> int:
    """Return the place of the word data[start:start + length], which is free if the word is new."""
    mask = np.uint64(len(table) - 1)
    slot = key & mask
    while table[slot, COUNT]:
        if table[slot, KEY] == key and table[slot, HEAD] == head and table[slot, LENGTH] == np.uint64(length):
            if length <= 8 or _same(data, start + 8, np.int64(table[slot, START]) + 8, length - 8):
                break
        slot = (slot + np.uint64(1)) & mask
    return int(slot)


@kernel
def _group(data: Any, starts: Any, ends: Any, owner: Any, opens: Any) -> Any:
    """Gather equal words; return the table's rows, uint64[n, ROW], in no order."""
    table, n = _table(1 << 13), 0
    keys = np.empty(len(starts), np.uint64)
    for word in range(len(starts)):
        keys[word] = _key(data, starts[word], ends[word])
    for word in range(len(starts)):
        start, length = starts[word], ends[word] - starts[word]
        head = _block(data, start, min(length, 8))
        slot = _slot(table, data, start, length, keys[word], head)
        if not table[slot, COUNT]:
            table[slot, KEY], table[slot, HEAD] = keys[word], head
            table[slot, START], table[slot, LENGTH] = start, length
            n += 1
        table[slot, COUNT] += np.uint64(1)
        table[slot, OPENS] += np.uint64(opens[word])
        table[slot, TEXTS] += np.uint64(table[slot, LAST] != np.uint64(owner[word] + 1))
        table[slot, LAST] = owner[word] + 1
        if 2 * n > len(table):
            table = _grown(table)
    return table[table[:, COUNT] > 0]


@kernel
def _escape(data: Any, starts: Any, lengths: Any) -> tuple[Any, Any]:
    """Copy the ranges one after the other, U+2581 for each space; return (bytes, offsets: int64[n + 1])."""
    offsets = np.zeros(len(starts) + 1, np.int64)
    for w in range(len(starts)):
        size = 0
        for i in range(starts[w], starts[w] + lengths[w]):
            size += 3 if data[i] == _SPACE else 1
        offsets[w + 1] = offsets[w] + size
    body, at = np.empty(offsets[-1], np.uint8), 0
    for w in range(len(starts)):
        for i in range(starts[w], starts[w] + lengths[w]):
            if data[i] == _SPACE:
                body[at], body[at + 1], body[at + 2] = 0xE2, 0x96, 0x81
                at += 3
            else:
                body[at] = data[i]
                at += 1
    return body, offsets


@kernel
def _characters(data: Any, start: int, end: int) -> int:
    """Count code points: the bytes that don't continue one."""
    characters = 0
    for i in range(start, end):
        characters += (data[i] & 0xC0) != 0x80
    return characters


@kernel
def _weighted_characters(data: Any, rows: Any) -> int:
    """Count the code points of all occurrences of the words of a table."""
    characters = 0
    for i in range(len(rows)):
        start = np.int64(rows[i, START])
        characters += _characters(data, start, start + np.int64(rows[i, LENGTH])) * np.int64(rows[i, COUNT])
    return characters


@kernel
def _space_symbols(data: Any, start: int, end: int) -> int:
    """Count U+2581."""
    symbols = 0
    for i in range(start, end - 2):
        symbols += (data[i] == 0xE2) & (data[i + 1] == 0x96) & (data[i + 2] == 0x81)
    return symbols


def word_keys(words: pa.StringArray) -> Any:
    """Return the key of each word as uint64[len(words)]; a space and U+2581 are the same."""
    data, offsets = string_buffers(pc.replace_substring(words, SPACE_SYMBOL, " "))
    return _keys(data, offsets)


def _strings(body: Any, offsets: Any) -> pa.StringArray:
    if offsets[-1] >= 1 << 31:
        raise ValueError(f"the words of one batch take {offsets[-1]} bytes, more than 2 GiB: count smaller batches")
    return pa.StringArray.from_buffers(
        len(offsets) - 1, pa.py_buffer(offsets.astype(np.int32)), pa.py_buffer(body)
    )


def _spaced(text: pa.StringArray) -> tuple[Any, Any, int]:
    """Return (bytes, offsets) of the texts with literal U+2581 as spaces, as the trainer sees them; how many."""
    data, offsets = string_buffers(text)
    literal = _space_symbols(data, offsets[0], offsets[-1])
    if literal:
        data, offsets = string_buffers(pc.replace_substring(text, SPACE_SYMBOL, " "))
    return data, offsets, literal


def count_words(text: pa.StringArray, max_word_bytes: int = MAX_WORD_BYTES) -> Counted:
    """Count the words of a batch of texts; a null is an empty text.

    A word of more than `max_word_bytes` (UTF-8, spaces as one byte) is left out and named in the ledger.
    """
    data, offsets, literal = _spaced(text)
    rows = _group(data, *_cut(data, offsets))
    over = rows[:, LENGTH] > max_word_bytes
    ledger = CountLedger(
        documents=len(text),
        characters=_characters(data, offsets[0], offsets[-1]),
        counted=_weighted_characters(data, rows[~over]),
        newlines=int(np.count_nonzero(data[offsets[0] : offsets[-1]] == _NEWLINE)),
        over_long=_weighted_characters(data, rows[over]),
        over_long_words=int(rows[over, COUNT].sum()),
        literal_space_symbols=literal,
    )
    return Counted(_batch(data, rows[~over]), ledger)


def _batch(data: Any, rows: Any) -> pa.RecordBatch:
    rows = rows[np.argsort(rows[:, KEY], kind="stable")]
    word = _strings(*_escape(data, rows[:, START].astype(np.int64), rows[:, LENGTH].astype(np.int64)))
    numbers = [pa.array(rows[:, c].astype(np.int64)) for c in (COUNT, OPENS, TEXTS)]
    return _ordered(pa.RecordBatch.from_arrays([pa.array(rows[:, KEY]), word, *numbers], schema=COUNTS))


@kernel
def _repeats(keys: Any, data: Any, offsets: Any) -> Any:
    """Compare each row with the one before: 0 another key, 1 the same word, 2 the same key but another word."""
    relation = np.zeros(len(keys), np.uint8)
    for i in range(1, len(keys)):
        if keys[i] == keys[i - 1]:
            length = offsets[i + 1] - offsets[i]
            same = offsets[i] - offsets[i - 1] == length and _same(data, offsets[i], offsets[i - 1], length)
            relation[i] = 1 if same else 2
    return relation


def _relation(batch: pa.RecordBatch) -> Any:
    return _repeats(batch["key"].to_numpy(), *string_buffers(batch["word"]))


def _ordered(batch: pa.RecordBatch) -> pa.RecordBatch:
    """Put words that share a key (a collision of 64 bits) in the order of their bytes; others are in order."""
    if (_relation(batch) == 2).any():
        return batch.take(pc.sort_indices(batch, sort_keys=[("key", "ascending"), ("word", "ascending")]))
    return batch


def _joined(batches: Iterable[pa.RecordBatch]) -> pa.RecordBatch:
    table = pa.Table.from_batches([b.select(COUNTS.names) for b in batches], schema=COUNTS)
    if not table.num_rows:
        return pa.RecordBatch.from_pylist([], schema=COUNTS)
    if table["word"].nbytes >= 1 << 31:
        raise ValueError("the counts to merge hold 2 GiB of words: merge narrower ranges of keys")
    return table.combine_chunks().to_batches()[0]


def merge_counts(batches: Iterable[pa.RecordBatch]) -> pa.RecordBatch:
    """Add up counts; the result ascends by (key, word) and holds each word once, whatever the input's order.

    Associative. Equal keys are equal words only if the words are, byte for byte.
    """
    joined = _joined(batches)
    order = np.argsort(joined["key"].to_numpy(), kind="stable")  # timsort: sorted runs merge in linear time
    batch = _ordered(joined.take(pa.array(order)))
    first = np.flatnonzero(_relation(batch) != 1)
    sums = [
        np.add.reduceat(batch[name].to_numpy(), first) if len(first) else np.zeros(0, np.int64)
        for name in COUNTS.names[2:]
    ]
    return pa.RecordBatch.from_arrays([*batch.take(pa.array(first)).columns[:2], *map(pa.array, sums)], schema=COUNTS)


@kernel
def _tally_characters(data: Any, offsets: Any, counts: Any, tally: Any) -> None:
    """Add each word's count to tally[code point] (int64[0x110000]) for each of its characters."""
    for w in range(len(counts)):
        i = offsets[w]
        while i < offsets[w + 1]:
            first = data[i]
            size = 1 if first < 0x80 else 2 if first < 0xE0 else 3 if first < 0xF0 else 4
            point = first & (0x7F if size == 1 else 0xFF >> (size + 1))
            for k in range(1, size):
                point = (point << 6) | (data[i + k] & 0x3F)
            tally[point] += counts[w]
            i += size


def characters(counts: Iterable[pa.RecordBatch]) -> pa.RecordBatch:
    """Return {character: string, count: int64} of all counted characters, most frequent first, then by code point.

    U+2581 is the space.
    """
    tally = np.zeros(0x110000, np.int64)
    for batch in counts:
        _tally_characters(*string_buffers(batch["word"]), batch["count"].to_numpy(), tally)
    points = np.flatnonzero(tally)
    points = points[np.argsort(-tally[points], kind="stable")]
    return pa.RecordBatch.from_pydict(
        {"character": pa.array([chr(p) for p in points], pa.string()), "count": pa.array(tally[points])}
    )
