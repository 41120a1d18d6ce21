"""How much of a text was there before: in its lines, its paragraphs and its n-grams, counted in one pass each.

The counting is defined in `filters.gopher`. Hash tables are made once a batch, as large as its longest text needs,
and used again for each text. Equality is equality of 64-bit hashes.

n-grams grow: one can occur twice only if the two (n-1)-grams inside it do, so each length looks at the few places
that the length before has left, and almost all the work is in the pairs.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from filters.lines import Lines
from filters.native import kernel, mix64, string_buffers
from filters.segmentation import Segmentation

_K = np.uint64(0xD1342543DE82EF95)
_SMALLEST_TABLE = 16


def character_counts(text: pa.StringArray) -> npt.NDArray[np.int32]:
    """Return the code points of each text, shape (len(text),)."""
    out = np.zeros(len(text), np.int32)
    _count_characters(*string_buffers(text), out)
    return out


def duplicate_lines(lines: Lines, kept: npt.NDArray[np.uint8] | None = None) -> npt.NDArray[np.int32]:
    """Return lines, duplicates and characters of duplicates of each text, shape (3, texts).

    Blank lines are left out, and so are those where `kept`, shape (n_lines,), is 0.
    """
    out = np.zeros((3, len(lines.doc_offsets) - 1), np.int32)
    told = (lines.starts < lines.ends).astype(np.uint8)
    _repeated_lines((lines.doc_offsets, lines.chars, lines.hashes), told if kept is None else told & kept, out)
    return out


def duplicate_paragraphs(lines: Lines) -> npt.NDArray[np.int32]:
    """Return paragraphs, duplicates and characters of duplicates, newlines inside with them, shape (3, texts)."""
    out = np.zeros((3, len(lines.doc_offsets) - 1), np.int32)
    told = (lines.starts < lines.ends).astype(np.uint8)
    _repeated_paragraphs((lines.doc_offsets, lines.chars, lines.hashes), told, out)
    return out


def repeated_grams(words: Segmentation, top: tuple[int, ...], duplicate: tuple[int, ...]) -> npt.NDArray[np.int32]:
    """Return the characters of the top n-gram and of duplicate n-grams, shape (len(top) + len(duplicate), texts).

    top and duplicate are n in rising order, all of `top` below all of `duplicate`.
    """
    sizes = np.array((*top, *duplicate), np.int64)
    out = np.zeros((len(sizes), len(words.doc_offsets) - 1), np.int32)
    columns = (words.doc_offsets, words.starts, words.ends, words.chars, words.hashes)
    _repeated_grams(columns, sizes, len(top), out)
    return out


@kernel
def _count_characters(body: Any, offsets: Any, out: Any) -> None:
    for doc in range(len(offsets) - 1):
        points = 0
        for i in range(offsets[doc], offsets[doc + 1]):
            points += (body[i] & 0xC0) != 0x80
        out[doc] = points


@kernel
def _table_size(items: int) -> int:
    """Return a power of two, at least twice as many slots as items."""
    size = _SMALLEST_TABLE
    while size < 2 * items:
        size *= 2
    return size


@kernel
def _longest(doc_offsets: Any) -> int:
    longest = 0
    for doc in range(len(doc_offsets) - 1):
        longest = max(longest, doc_offsets[doc + 1] - doc_offsets[doc])
    return longest


@kernel
def _seen(keys: Any, stamps: Any, size: int, stamp: int, key: int) -> bool:
    """Say whether `key` was put into the first `size` slots under this stamp before, and put it there."""
    slot = np.int64(key & np.uint64(size - 1))
    while stamps[slot] == stamp:
        if keys[slot] == key:
            return True
        slot = (slot + 1) & (size - 1)
    keys[slot], stamps[slot] = key, stamp
    return False


@kernel
def _repeated_lines(lines: Any, told: Any, out: Any) -> None:
    doc_offsets, chars, hashes = lines
    slots = _table_size(_longest(doc_offsets))
    keys, stamps = np.zeros(slots, np.uint64), np.full(slots, -1, np.int64)
    for doc in range(len(doc_offsets) - 1):
        size = _table_size(doc_offsets[doc + 1] - doc_offsets[doc])
        for line in range(doc_offsets[doc], doc_offsets[doc + 1]):
            if told[line]:
                out[0, doc] += 1
                if _seen(keys, stamps, size, doc, hashes[line]):
                    out[1, doc] += 1
                    out[2, doc] += chars[line]


@kernel
def _repeated_paragraphs(lines: Any, told: Any, out: Any) -> None:
    doc_offsets, chars, hashes = lines
    slots = _table_size(_longest(doc_offsets))
    keys, stamps = np.zeros(slots, np.uint64), np.full(slots, -1, np.int64)
    for doc in range(len(doc_offsets) - 1):
        first, last = doc_offsets[doc], doc_offsets[doc + 1]
        size = _table_size(last - first)
        length, digest = 0, np.uint64(0)  # of the paragraph that is being read, each line with a newline
        for line in range(first, last + 1):
            if line < last and told[line]:
                length += chars[line] + 1
                digest = mix64(digest ^ hashes[line]) * _K
            elif length:
                out[0, doc] += 1
                if _seen(keys, stamps, size, doc, digest):
                    out[1, doc] += 1
                    out[2, doc] += length - 1
                length, digest = 0, np.uint64(0)


@kernel
def _put_all(grams: Any, found: int, table: Any, slots: Any) -> None:
    """Count equal n-grams: counts[slots[k]] tells how many of grams[:found] equal grams[k]."""
    keys, counts, marks = table[0], table[1], table[2]
    size = _table_size(found)
    counts[:size] = 0
    mask = np.uint64(size - 1)
    for k in range(found):
        gram = grams[k]
        slot = np.int64(gram & mask)
        while counts[slot] and keys[slot] != gram:
            slot = (slot + 1) & (size - 1)
        keys[slot] = gram
        counts[slot] += 1
        marks[slot] = 0
        slots[k] = slot


@kernel
def _top(places: Any, slots: Any, reach: Any, n: int, table: Any) -> int:
    """Return the characters of the n-gram with most occurrences, 0 if none occurs twice.

    reach[k] are the characters of the words and gaps before word k; the gap after the last word of an n-gram
    is not part of it and is marked by a negative sign of reach.
    """
    _, counts, seen, free, covered = table
    most, most_covered = 1, 0
    for k in range(len(places)):
        slot, place = slots[k], places[k]
        if counts[slot] < 2:
            continue
        if seen[slot] == 0:
            free[slot], covered[slot] = 0, 0
        if place >= free[slot]:
            seen[slot] += 1
            covered[slot] += _width(reach, place, n)
            free[slot] = place + n
            if seen[slot] > most or (seen[slot] == most and most > 1 and covered[slot] > most_covered):
                most, most_covered = seen[slot], covered[slot]
    return most_covered


@kernel
def _width(reach: Any, place: int, n: int) -> int:
    """Return the characters of the n words from `place` and of the gaps between them."""
    return int(reach[1, place + n - 1] - reach[0, place])


@kernel
def _duplicates(places: Any, slots: Any, reach: Any, n: int, table: Any) -> int:
    """Return the characters of n-grams that were read before, from the left, none twice."""
    _, counts, seen, _, _ = table
    covered, free = 0, 0
    for k in range(len(places)):
        slot, place = slots[k], places[k]
        if place < free or counts[slot] < 2:
            continue
        if seen[slot]:
            covered += _width(reach, place, n)
            free = place + n
        seen[slot] = 1
    return covered


@kernel
def _grow(places: Any, grams: Any, slots: Any, counts: Any, hashes: Any, n: int) -> int:
    """Keep the places whose (n+1)-gram may occur twice, with its hash; return how many."""
    kept = 0
    for k in range(len(places) - 1):
        place = places[k]
        if counts[slots[k]] > 1 and places[k + 1] == place + 1 and counts[slots[k + 1]] > 1:
            places[kept] = place
            grams[kept] = grams[k] * _K + hashes[place + n]
            kept += 1
    return kept


@kernel
def _read_words(words: Any, doc: int, reach: Any, places: Any, grams: Any) -> int:
    """Lay out the characters of a text's words and its single words as 1-grams; return how many."""
    doc_offsets, starts, ends, chars, hashes = words
    first, last = doc_offsets[doc], doc_offsets[doc + 1]
    before = 0
    for word in range(first, last):
        k = word - first
        reach[0, k], reach[1, k] = before, before + chars[word]
        before += chars[word] + (word + 1 < last and starts[word + 1] > ends[word])
        places[k], grams[k] = k, hashes[word]
    return int(last - first)


@kernel
def _repeated_grams(words: Any, sizes: Any, tops: int, out: Any) -> None:
    doc_offsets, hashes = words[0], words[4]
    longest = _longest(doc_offsets)
    size = _table_size(longest)
    table = (
        np.zeros(size, np.uint64), np.zeros(size, np.int32),
        np.zeros(size, np.int32), np.zeros(size, np.int32), np.zeros(size, np.int32),
    )  # fmt: skip
    reach = np.zeros((2, longest), np.int32)
    places, slots, grams = np.zeros(longest, np.int32), np.zeros(longest, np.int32), np.zeros(longest, np.uint64)
    for doc in range(len(doc_offsets) - 1):
        found = _read_words(words, doc, reach, places, grams)
        own = hashes[doc_offsets[doc] : doc_offsets[doc + 1]]
        column = 0
        for n in range(1, sizes[-1] + 1):
            if found == 0:
                break
            if n > 1 or sizes[0] == 1:
                _put_all(grams, found, table, slots)
            if n == sizes[column]:
                if column < tops:
                    out[column, doc] = _top(places[:found], slots, reach, n, table)
                else:
                    out[column, doc] = _duplicates(places[:found], slots, reach, n, table)
                column += 1
            if n == 1:
                found = _pairs(found, grams, own)
            else:
                found = _grow(places[:found], grams, slots, table[1], own, n)


@kernel
def _pairs(found: int, grams: Any, hashes: Any) -> int:
    """Make every two neighbours a 2-gram; return how many."""
    for k in range(found - 1):
        grams[k] = grams[k] * _K + hashes[k + 1]
    return max(found - 1, 0)
