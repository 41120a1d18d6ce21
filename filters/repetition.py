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
import pyarrow.compute as pc

from filters.lines import Lines
from filters.native import kernel, mix64
from filters.segmentation import Segmentation

_K = np.uint64(0xD1342543DE82EF95)
_SMALLEST_TABLE = 16


def character_counts(text: pa.StringArray) -> npt.NDArray[np.int32]:
    """Return the code points of each text, shape (len(text),)."""
    counts: npt.NDArray[np.int32] = pc.utf8_length(text).fill_null(0).to_numpy(zero_copy_only=False)
    return counts


def duplicate_lines(lines: Lines, kept: npt.NDArray[np.uint8] | None = None) -> npt.NDArray[np.int32]:
    """Return lines, duplicates and characters of duplicates of each text, shape (3, texts).

    Blank lines are left out, and so are those where `kept`, shape (n_lines,), is 0.
    """
    out = np.zeros((3, len(lines.doc_offsets) - 1), np.int32)
    told = (lines.starts < lines.ends).astype(np.uint8)
    mark_repeated((lines.doc_offsets, lines.chars, lines.hashes), told if kept is None else told & kept, out)
    return out


def duplicate_paragraphs(lines: Lines) -> npt.NDArray[np.int32]:
    """Return paragraphs, duplicates and characters of duplicates, newlines inside with them, shape (3, texts)."""
    out = np.zeros((3, len(lines.doc_offsets) - 1), np.int32)
    told = (lines.starts < lines.ends).astype(np.uint8)
    _repeated_paragraphs((lines.doc_offsets, lines.chars, lines.hashes), told, out)
    return out


def repeated_grams(words: Segmentation, top: tuple[int, ...], duplicate: tuple[int, ...]) -> npt.NDArray[np.int32]:
    """Return the characters of the top n-gram and of duplicate n-grams, shape (len(top) + len(duplicate), texts).

    top and duplicate together are 2, 3, 4 and so on, without a gap.
    """
    sizes = np.array((*top, *duplicate), np.int64)
    if sizes.tolist() != list(range(2, 2 + len(sizes))):
        raise ValueError(f"sizes of n-grams rise by one from 2, got {sizes.tolist()}")
    out = np.zeros((len(sizes), len(words.doc_offsets) - 1), np.int32)
    columns = (words.doc_offsets, words.starts, words.ends, words.chars, words.hashes)
    _repeated_grams(columns, sizes, len(top), out)
    return out


@kernel
def table_size(items: int) -> int:
    """Return a power of two, at least twice as many slots as items."""
    size = _SMALLEST_TABLE
    while size < 2 * items:
        size *= 2
    return size


@kernel
def longest_document(doc_offsets: Any) -> int:
    longest = 0
    for doc in range(len(doc_offsets) - 1):
        longest = max(longest, doc_offsets[doc + 1] - doc_offsets[doc])
    return longest


@kernel
def _seen(keys: Any, stamps: Any, size: int, stamp: int, key: Any) -> bool:
    """Say whether `key` was put into the first `size` slots under this stamp before, and put it there."""
    slot = np.int64(key & np.uint64(size - 1))
    while stamps[slot] == stamp:
        if keys[slot] == key:
            return True
        slot = (slot + 1) & (size - 1)
    keys[slot], stamps[slot] = key, stamp
    return False


@kernel
def mark_repeated(lines: Any, told: Any, out: Any) -> None:
    doc_offsets, chars, hashes = lines
    slots = table_size(longest_document(doc_offsets))
    keys, stamps = np.zeros(slots, np.uint64), np.full(slots, -1, np.int64)
    for doc in range(len(doc_offsets) - 1):
        size = table_size(doc_offsets[doc + 1] - doc_offsets[doc])
        for line in range(doc_offsets[doc], doc_offsets[doc + 1]):
            if told[line]:
                out[0, doc] += 1
                if _seen(keys, stamps, size, doc, hashes[line]):
                    out[1, doc] += 1
                    out[2, doc] += chars[line]


@kernel
def _repeated_paragraphs(lines: Any, told: Any, out: Any) -> None:
    doc_offsets, chars, hashes = lines
    slots = table_size(longest_document(doc_offsets))
    keys, stamps = np.zeros(slots, np.uint64), np.full(slots, -1, np.int64)
    for doc in range(len(doc_offsets) - 1):
        first, last = doc_offsets[doc], doc_offsets[doc + 1]
        size = table_size(last - first)
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
def keep_repeated(places: Any, grams: Any, slots: Any, found: int, table: Any) -> int:
    """Keep the places whose n-gram occurs more than once, with its hash and its slot in the table; return how many."""
    keys, counts, seen, free, covered = table
    size = 2 * table_size(found)
    counts[:size] = 0
    for k in range(found):
        gram = grams[k]
        slot = np.int64(gram & np.uint64(size - 1))
        while (counts[slot] != 0) & (keys[slot] != gram):
            slot = (slot + 1) & (size - 1)
        keys[slot] = gram
        counts[slot] += 1
        seen[slot], free[slot], covered[slot] = 0, 0, 0
        slots[k] = slot
    kept = 0
    for k in range(found):
        slot = slots[k]
        places[kept], grams[kept], slots[kept] = places[k], grams[k], slot
        kept += counts[slot] > 1
    return kept


@kernel
def _width(reach: Any, place: int, n: int) -> int:
    """Return the characters of the n words from `place` and of the gaps between them."""
    return int(reach[1, place + n - 1] - reach[0, place])


@kernel
def _top(places: Any, slots: Any, reach: Any, n: int, table: Any) -> int:
    """Return the characters of the n-gram with most occurrences, 0 if none occurs twice.

    reach[0, k] are the characters of words and gaps before word k, reach[1, k] those up to its end.
    """
    _, _, seen, free, covered = table
    most, most_covered = 1, 0
    for k in range(len(places)):
        slot, place = slots[k], places[k]
        if place >= free[slot]:
            seen[slot] += 1
            covered[slot] += _width(reach, place, n)
            free[slot] = place + n
            if seen[slot] > most or (seen[slot] == most and most > 1 and covered[slot] > most_covered):
                most, most_covered = seen[slot], covered[slot]
    return most_covered


@kernel
def read_before(places: Any, slots: Any, reach: Any, n: int, table: Any) -> int:
    """Return the characters of n-grams that were read before, from the left, none twice."""
    seen = table[2]
    covered, free = 0, 0
    for k in range(len(places)):
        slot, place = slots[k], places[k]
        if place < free:
            continue
        if seen[slot]:
            covered += _width(reach, place, n)
            free = place + n
        seen[slot] = 1
    return covered


@kernel
def _grow(places: Any, grams: Any, hashes: Any, n: int) -> int:
    """Keep the places whose (n+1)-gram may occur twice, with its hash; return how many.

    `places` are all those whose n-gram occurs more than once.
    """
    kept = 0
    for k in range(len(places) - 1):
        place, follows = places[k], places[k + 1] == places[k] + 1
        places[kept] = place
        grams[kept] = grams[k] * _K + hashes[min(place + n, len(hashes) - 1)]
        kept += follows
    return kept


@kernel
def _read_words(words: Any, doc: int, reach: Any) -> None:
    """Lay out the characters before and up to the end of each word of a text."""
    doc_offsets, starts, ends, chars, _ = words
    first, last = doc_offsets[doc], doc_offsets[doc + 1]
    before, end = 0, starts[first] if last > first else 0
    for word in range(first, last):
        before += starts[word] != end
        reach[0, word - first] = before
        before += chars[word]
        reach[1, word - first] = before
        end = ends[word]


@kernel
def _pairs(hashes: Any, tally: Any, places: Any, grams: Any) -> int:
    """Keep the places of 2-grams that may occur twice, with their hashes; return how many.

    Pairs are counted in a small table by their hash alone, so a few that occur once are kept too.
    """
    count = len(hashes) - 1
    size = 2 * table_size(count)
    tally[:size] = 0
    mask = np.uint64(size - 1)
    for k in range(count):
        gram = hashes[k] * _K + hashes[k + 1]
        grams[k] = gram
        slot = np.int64(gram & mask)
        tally[slot] = min(tally[slot] + 1, 2)
    kept = 0
    for k in range(count):
        gram = grams[k]
        places[kept], grams[kept] = k, gram
        kept += tally[np.int64(gram & mask)] > 1
    return kept


@kernel
def _repeated_grams(words: Any, sizes: Any, tops: int, out: Any) -> None:
    doc_offsets, hashes = words[0], words[4]
    longest = longest_document(doc_offsets)
    size = 2 * table_size(longest)
    table = (
        np.zeros(size, np.uint64), np.zeros(size, np.int32),
        np.zeros(size, np.int32), np.zeros(size, np.int32), np.zeros(size, np.int32),
    )  # fmt: skip
    tally, reach = np.zeros(size, np.uint8), np.zeros((2, longest), np.int32)
    places, slots, grams = np.zeros(longest, np.int32), np.zeros(longest, np.int32), np.zeros(longest, np.uint64)
    for doc in range(len(doc_offsets) - 1):
        own = hashes[doc_offsets[doc] : doc_offsets[doc + 1]]
        found = _pairs(own, tally, places, grams) if len(own) > 1 else 0
        if found:
            _read_words(words, doc, reach)
        for k in range(len(sizes)):
            found = keep_repeated(places, grams, slots, found, table)
            if found == 0:
                break
            if k < tops:
                out[k, doc] = _top(places[:found], slots, reach, sizes[k], table)
            else:
                out[k, doc] = read_before(places[:found], slots, reach, sizes[k], table)
            found = _grow(places[:found], grams, own, sizes[k])
