"""Cut texts into words and gather equal ones: kernels over UTF-8 bytes, one space the sign of all spaces."""

from typing import Any

import numpy as np

from filters.native import kernel, mix64

KEY_VERSION = 1  # raise when the key of the same word would differ: keys order tables and staged files
# Columns of the table of words.
KEY, HEAD, NEXT, SPAN, COUNT, OPENS, TEXTS, LAST = range(8)
ROW = 8
_LENGTH_BITS = np.uint64(32)
_AHEAD = 64  # words whose places are touched before they are used, so that the cache misses overlap

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
    i = 0
    while i < length:
        size = min(length - i, 8)
        if _block(data, a + i, size) != _block(data, b + i, size):
            return False
        i += 8
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
def span_start(row: Any) -> Any:
    """Return where the word of a row starts."""
    return np.int64(row[SPAN] >> _LENGTH_BITS)


@kernel
def span_length(row: Any) -> Any:
    """Return the bytes of the word of a row."""
    return np.int64(row[SPAN] & np.uint64(0xFFFFFFFF))


@kernel
def _slot(table: Any, data: Any, start: Any, length: Any, key: Any) -> Any:
    """Return the place of the word data[start:start + length], which is free if the word is new."""
    mask = np.uint64(len(table) - 1)
    head = _block(data, start, min(length, 8))
    behind = _block(data, start + 8, min(length - 8, 8)) if length > 8 else np.uint64(0)
    slot = key & mask
    while table[slot, COUNT]:
        row = table[slot]
        if row[KEY] == key and row[HEAD] == head and row[NEXT] == behind and span_length(row) == length:
            if length <= 16 or same(data, start + 16, span_start(row) + 16, length - 16):
                return int(slot)
        slot = (slot + np.uint64(1)) & mask
    table[slot, KEY], table[slot, HEAD], table[slot, NEXT] = key, head, behind
    table[slot, SPAN] = (np.uint64(start) << _LENGTH_BITS) | np.uint64(length)
    return int(slot)


@kernel
def group(data: Any, starts: Any, ends: Any, owner: Any, opens: Any) -> Any:
    """Gather equal words of `cut`; return the table's rows, uint64[n, ROW], in no order.

    KEY; HEAD and NEXT, the word's first 16 bytes; SPAN, start << 32 | length of the first occurrence; COUNT;
    OPENS, how many of them open a line; TEXTS, how many hold it; LAST, 1 + the last of these.
    """
    table, n = _table(1 << 13), 0
    keys, touched = np.empty(_AHEAD, np.uint64), np.empty(_AHEAD, np.uint64)
    for block in range(0, len(starts), _AHEAD):
        size = min(_AHEAD, len(starts) - block)
        for w in range(size):
            keys[w] = _key(data, starts[block + w], ends[block + w])
        for w in range(size):
            touched[w] = table[keys[w] & np.uint64(len(table) - 1), COUNT]
        for w in range(size):
            word = block + w
            slot = _slot(table, data, starts[word], ends[word] - starts[word], keys[w])
            n += table[slot, COUNT] == 0
            table[slot, COUNT] += np.uint64(1)
            table[slot, OPENS] += np.uint64(opens[word])
            table[slot, TEXTS] += np.uint64(table[slot, LAST] != np.uint64(owner[word] + 1))
            table[slot, LAST] = owner[word] + 1
        if 2 * n + 2 * _AHEAD > len(table):
            table = _grown(table)
    return table[table[:, COUNT] > 0]


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
