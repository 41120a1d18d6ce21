"""Cut texts into words and gather equal ones: kernels over UTF-8 bytes, one space the sign of all spaces."""

from typing import Any

import numpy as np

from filters.native import kernel, mix64

KEY_VERSION = 1  # raise when the key of the same word would differ: keys order tables and staged files
# Columns of the table of words.
KEY, HEAD, START, LENGTH, COUNT, OPENS, TEXTS, LAST = range(8)
ROW = 8

_SPACE, _NEWLINE = 0x20, 0x0A
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_ONES = np.uint64(0xFFFFFFFFFFFFFFFF)
_SHIFT = np.uint64(29)


@kernel
def _block(data: Any, start: Any, size: Any) -> Any:
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
def _key(data: Any, start: Any, end: Any) -> Any:
    """Hash data[start:end]: multiply and shift over blocks of 8 bytes; the length is mixed in."""
    key = np.uint64(end - start) * _MULTIPLIER
    i = start
    while i + 8 <= end:
        key = (key ^ _block(data, i, 8)) * _MULTIPLIER
        key ^= key >> _SHIFT
        i += 8
    return mix64((key ^ _block(data, i, end - i)) * _MULTIPLIER)


@kernel
def keys_of(data: Any, offsets: Any) -> Any:
    """Return the key of each string, uint64[len(offsets) - 1]."""
    keys = np.empty(len(offsets) - 1, np.uint64)
    for i in range(len(keys)):
        keys[i] = _key(data, offsets[i], offsets[i + 1])
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
def _table(places: Any) -> Any:
    """Return an empty table, uint64[places, ROW]; a row is one whole line of the processor's cache."""
    room = np.zeros((places + 1) * ROW, np.uint64)
    first = (-room.ctypes.data % 64) // 8
    return room[first : first + places * ROW].reshape((places, ROW))


@kernel
def _free(table: Any, key: Any) -> Any:
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
def _holds(table: Any, slot: Any, data: Any, start: Any, length: Any, head: Any) -> Any:
    """Say whether the word of a place, whose key is equal, is data[start:start + length]."""
    if table[slot, HEAD] != head or table[slot, LENGTH] != np.uint64(length):
        return False
    return length <= 8 or same(data, start + 8, np.int64(table[slot, START]) + 8, length - 8)


@kernel
def _slot(table: Any, data: Any, start: Any, length: Any, key: Any, head: Any) -> Any:
    """Return the place of the word data[start:start + length], which is free if the word is new."""
    mask = np.uint64(len(table) - 1)
    slot = key & mask
    while table[slot, COUNT]:
        if table[slot, KEY] == key and _holds(table, slot, data, start, length, head):
            break
        slot = (slot + np.uint64(1)) & mask
    return int(slot)


@kernel
def group(data: Any, starts: Any, ends: Any, owner: Any, opens: Any) -> Any:
    """Gather equal words of `cut`; return the table's rows, uint64[n, ROW], in no order.

    KEY, HEAD (first 8 bytes), START and LENGTH of the first occurrence, COUNT, OPENS (of them open a line),
    TEXTS (that hold it), LAST (1 + the last such text).
    """
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
def escaped(data: Any, rows: Any) -> tuple[Any, Any]:
    """Join the words of a table, U+2581 for each space: (bytes, offsets: int64[n + 1])."""
    offsets = np.zeros(len(rows) + 1, np.int64)
    for w in range(len(rows)):
        start, size = np.int64(rows[w, START]), np.int64(rows[w, LENGTH])
        for i in range(start, start + np.int64(rows[w, LENGTH])):
            size += 2 * (data[i] == _SPACE)
        offsets[w + 1] = offsets[w] + size
    body, at = np.empty(offsets[-1], np.uint8), 0
    for w in range(len(rows)):
        start = np.int64(rows[w, START])
        for i in range(start, start + np.int64(rows[w, LENGTH])):
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
        start = np.int64(rows[w, START])
        points += code_points(data, start, start + np.int64(rows[w, LENGTH])) * np.int64(rows[w, COUNT])
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
