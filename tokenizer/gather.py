"""Cut texts into words and gather equal ones: kernels over UTF-8 bytes, one space the sign of all spaces.

Every kernel that reads words by blocks wants PADDING readable bytes behind the last one. Arrays are passed to no
function inside the hot loop of `fill`: numba would count references there, which costs three times the rest.
"""

from typing import Any

import numpy as np

from filters.native import kernel, mix64

KEY_VERSION = 1  # raise when the key of the same word would differ: keys order tables and staged files
PADDING = 16
# Columns of the table of words.
KEY, HEAD, NEXT, SPAN, COUNT, OPENS, TEXTS, LAST = (np.uint64(column) for column in range(8))
ROW = 8
PER_TEXT = 16  # TEXTS, upper half: occurrences, at most so many a text

_SPACE, _NEWLINE = 0x20, 0x0A
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_ONES = np.uint64(0xFFFFFFFFFFFFFFFF)
_SHIFT = np.uint64(29)
_ROW_BITS, _SPAN_BITS = np.uint64(3), np.uint64(32)
_ONE = np.uint64(1)


@kernel
def block_at(data: Any, start: Any, size: Any) -> Any:
    """Return the first `size` of the 8 bytes from data[start] on as a little-endian number; all if size > 8."""
    at, block = np.uint64(start), np.uint64(0)
    for k in range(8):  # unsigned, and so one load
        block |= np.uint64(data[at + np.uint64(k)]) << np.uint64(8 * k)
    if size <= 0:
        return np.uint64(0)
    return block if size >= 8 else block & (_ONES >> np.uint64(64 - 8 * size))


@kernel
def mixed_key(key: Any, block: Any) -> Any:
    key = (key ^ block) * _MULTIPLIER
    return key ^ (key >> _SHIFT)


@kernel
def _fingerprint(data: Any, start: Any, length: Any) -> tuple[Any, Any, Any]:
    """Return the key of data[start:start + length], its first 8 bytes and the 8 bytes behind them.

    The key takes in the length, then 8 bytes after 8 bytes, at least 16, by multiplying and shifting.
    """
    head, behind = block_at(data, start, length), block_at(data, start + 8, length - 8)
    key = mixed_key(mixed_key(np.uint64(length) * _MULTIPLIER, head), behind)
    for i in range(16, length, 8):
        key = mixed_key(key, block_at(data, start + i, length - i))
    return mix64(key), head, behind


@kernel
def keys_of(data: Any, offsets: Any) -> Any:
    """Return the key of each string, uint64[len(offsets) - 1]."""
    keys = np.empty(len(offsets) - 1, np.uint64)
    for i in range(len(keys)):
        start = np.int64(offsets[i])
        keys[i], _, _ = _fingerprint(data, start, np.int64(offsets[i + 1]) - start)
    return keys


@kernel
def _word_limit(data: Any, offsets: Any) -> Any:
    """Return a number of words that no cut of these texts exceeds."""
    limit = len(offsets)
    for i in range(offsets[0], offsets[-1]):
        limit += (data[i] == _SPACE) | (data[i] == _NEWLINE)
    return limit


@kernel
def cut(data: Any, offsets: Any) -> tuple[Any, Any, Any, Any]:
    """Return starts, ends, text index (int32) and "opens a line" (uint8) of every word, in order.

    A newline ends a line; a word reaches from a space that follows no other to the next such space.
    """
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
                    n, opening = n + 1, 0
                start = i
            if byte == _NEWLINE:
                start, opening = i + 1, 1
            last = byte
    return starts[:n], ends[:n], owner[:n], opens[:n]


@kernel
def same(data: Any, a: Any, b: Any, length: Any) -> Any:
    """Say whether data[a:a + length] equals data[b:b + length]."""
    for k in range(length):  # noqa: SIM110  (a loop is what numba compiles well)
        if data[a + k] != data[b + k]:
            return False
    return True


@kernel
def _fill(table: Any, n: Any, first: Any, data: Any, words: tuple[Any, Any, Any, Any]) -> tuple[Any, Any]:
    """Count words from words[first] on until the table, which holds n, is half full.

    Return the number of the next word and of the entries.
    """
    starts, ends, owner, opens = words
    mask = np.uint64(len(table) - 1) >> _ROW_BITS
    for word in range(first, len(starts)):
        if 2 * ROW * n > len(table):
            return word, n
        start, length = np.int64(starts[word]), np.int64(ends[word]) - np.int64(starts[word])
        key, head, behind = _fingerprint(data, start, length)
        span = (np.uint64(start) << _SPAN_BITS) | np.uint64(length)
        at = (key & mask) << _ROW_BITS
        while table[at + COUNT]:
            if table[at] == key and table[at + HEAD] == head and table[at + NEXT] == behind:  # noqa: SIM102
                if np.uint32(table[at + SPAN]) == np.uint32(span):
                    other = np.int64(table[at + SPAN] >> _SPAN_BITS)
                    if length <= 16 or same(data, start + 16, other + 16, length - 16):
                        break
            at = (((at >> _ROW_BITS) + _ONE) & mask) << _ROW_BITS
        if not table[at + COUNT]:
            table[at], table[at + HEAD], table[at + NEXT], table[at + SPAN] = key, head, behind, span
            n += 1
        text = np.uint64(owner[word] + 1) << _SPAN_BITS
        again = table[at + LAST] - text if table[at + LAST] >= text else np.uint64(0)
        table[at + COUNT] += _ONE
        table[at + OPENS] += np.uint64(opens[word])
        table[at + TEXTS] += np.uint64(again == 0) + (np.uint64(again < PER_TEXT) << _SPAN_BITS)
        table[at + LAST] = text + again + _ONE
    return len(starts), n


@kernel
def _grown(table: Any) -> Any:
    """Return the same entries in a table of twice the places."""
    grown = np.zeros(2 * len(table), np.uint64)
    mask = np.uint64(len(grown) - 1) >> _ROW_BITS
    for row in range(0, len(table), ROW):
        if table[row + COUNT]:
            at = (table[row] & mask) << _ROW_BITS
            while grown[at + COUNT]:
                at = (((at >> _ROW_BITS) + _ONE) & mask) << _ROW_BITS
            grown[at : at + ROW] = table[row : row + ROW]
    return grown


@kernel
def group(data: Any, starts: Any, ends: Any, owner: Any, opens: Any) -> Any:
    """Gather equal words of `cut`; return rows, uint64[n, ROW], in no order.

    KEY; HEAD and NEXT, the word's first 16 bytes; SPAN, start << 32 | length of the first occurrence; COUNT;
    OPENS, how many of them open a line; TEXTS, how many hold it, and in the upper 32 bits how many occurrences there
    are if none beyond PER_TEXT counts in a text; LAST, 1 + the last text << 32 | its occurrences.
    """
    table, n, word = np.zeros(ROW << 13, np.uint64), 0, 0
    while True:
        word, n = _fill(table, n, word, data, (starts, ends, owner, opens))
        if word == len(starts):
            break
        table = _grown(table)
    rows = table.reshape((len(table) // ROW, ROW))
    return rows[rows[:, COUNT] > 0]


@kernel
def span_start(row: Any) -> Any:
    """Return where the word of a row starts."""
    return np.int64(row[SPAN] >> _SPAN_BITS)


@kernel
def span_length(row: Any) -> Any:
    """Return the bytes of the word of a row."""
    return np.int64(np.uint32(row[SPAN]))


@kernel
def escaped(data: Any, rows: Any) -> tuple[Any, Any]:
    """Join the words of a table, U+2581 for each space: (bytes, offsets: int64[n + 1])."""
    offsets = np.zeros(len(rows) + 1, np.int64)
    for w in range(len(rows)):
        start, size = span_start(rows[w]), span_length(rows[w])
        for i in range(start, start + span_length(rows[w])):
            size += 2 * (data[i] == _SPACE)
        offsets[w + 1] = offsets[w] + size
    body, at = np.empty(offsets[-1], np.uint8), 0
    for w in range(len(rows)):
        start = span_start(rows[w])
        for i in range(start, start + span_length(rows[w])):
            if data[i] == _SPACE:
                body[at], body[at + 1], body[at + 2] = 0xE2, 0x96, 0x81
                at += 3
            else:
                body[at] = data[i]
                at += 1
    return body, offsets


@kernel
def code_points(data: Any, start: Any, end: Any) -> Any:
    """Count characters: the bytes that don't continue one."""
    points = 0
    for i in range(start, end):
        points += (data[i] & 0xC0) != 0x80
    return points


@kernel
def weighted_code_points(data: Any, rows: Any) -> Any:
    """Count the characters of all occurrences of a table's words."""
    points = 0
    for w in range(len(rows)):
        start = span_start(rows[w])
        points += code_points(data, start, start + span_length(rows[w])) * np.int64(rows[w, COUNT])
    return points


@kernel
def newlines(data: Any, start: Any, end: Any) -> Any:
    """Count newlines."""
    found = 0
    for i in range(start, end):
        found += data[i] == _NEWLINE
    return found


@kernel
def space_symbols(data: Any, start: Any, end: Any) -> Any:
    """Count U+2581."""
    symbols = 0
    for i in range(start, end - 2):
        symbols += (data[i] == 0xE2) & (data[i + 1] == 0x96) & (data[i + 2] == 0x81)
    return symbols


@kernel
def repeats(keys: Any, data: Any, offsets: Any) -> Any:
    """Compare rows with the one before: 0 another key, 1 the same word, 2 the same key and another word."""
    relation = np.zeros(len(keys), np.uint8)
    for i in range(1, len(keys)):
        if keys[i] == keys[i - 1]:
            length = offsets[i + 1] - offsets[i]
            equal = offsets[i] - offsets[i - 1] == length and same(data, offsets[i], offsets[i - 1], length)
            relation[i] = 1 if equal else 2
    return relation


@kernel
def tally_code_points(data: Any, offsets: Any, counts: Any, tally: Any) -> None:
    """Add each word's count to tally[code point] (int64[0x110000]) for each of its characters."""
    for w in range(len(counts)):
        i = offsets[w]
        while i < offsets[w + 1]:
            first = np.int64(data[i])
            size = 1 if first < 0x80 else 2 if first < 0xE0 else 3 if first < 0xF0 else 4
            point = first if size == 1 else first & (0xFF >> (size + 1))
            for k in range(1, size):
                point = (point << 6) | (data[i + k] & 0x3F)
            tally[point] += counts[w]
            i += size
