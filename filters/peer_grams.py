"""n-grams as peers count them: the commonest one with copies that overlap, and duplicates of two kinds.

top         count times characters of the n-gram that occurs most, of equals the one that comes first; a text
            without repetition has one too, its first n-gram (Counter.most_common)
read        datatrove: from the left, an n-gram whose characters, joined, were read before; reading goes on after it
all copies  Dolma: every copy of an n-gram that occurs more than once, overlaps counted again
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from filters.native import kernel, mix64
from filters.peer_words import Tokens
from filters.repetition import keep_repeated, longest_document, read_before, table_size

TOP_SIZES = (2, 3, 4)
DUPLICATE_SIZES = (5, 6, 7, 8, 9, 10)
_K = np.uint64(0xD1342543DE82EF95)
_SPACED, _JOINED = 1, 2


def datatrove_grams(words: Tokens) -> npt.NDArray[np.int32]:
    """Return characters of top n-grams, the spaces inside with them, and of those read before, shape (9, texts)."""
    out = np.zeros((len(TOP_SIZES) + len(DUPLICATE_SIZES), len(words.doc_offsets) - 1), np.int64)
    _count(words, _SPACED | _JOINED, out, np.zeros_like(out))
    return out.astype(np.int32)


def dolma_grams(words: Tokens) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Return characters of top n-grams and of all copies, and those of all n-grams, each of shape (9, texts)."""
    out = np.zeros((len(TOP_SIZES) + len(DUPLICATE_SIZES), len(words.doc_offsets) - 1), np.int64)
    everything = np.zeros_like(out)
    _count(words, 0, out, everything)
    return out, everything


@kernel
def _grow(grams: Any, words: Any, first: int, places: int, n: int, joined: bool) -> None:
    """Make hashes of n-grams from those of (n-1)-grams, in place."""
    hashes, rolling = words
    if joined:
        for k in range(places):
            grams[k] = grams[k] * rolling[1, first + k + n - 1] + rolling[0, first + k + n - 1]
    else:
        for k in range(places):
            grams[k] = grams[k] * _K + hashes[first + k + n - 1]


@kernel
def _candidates(grams: Any, count: int, tally: Any, places: Any, kept: Any) -> int:
    """Keep the places whose n-gram may occur twice, with its hash; return how many."""
    size = 2 * table_size(count)
    tally[:size] = 0
    mask = np.uint64(size - 1)
    for k in range(count):
        key = mix64(grams[k])
        kept[k] = key
        slot = np.int64(key & mask)
        tally[slot] = min(tally[slot] + 1, 2)
    found = 0
    for k in range(count):
        key = kept[k]
        places[found], kept[found] = k, key
        found += tally[np.int64(key & mask)] > 1
    return found


@kernel
def _top(places: Any, slots: Any, reach: Any, counts: Any, n: int, gaps: int) -> int:
    """Return count times characters of the commonest n-gram; reach[1, n - 1] are those of the first."""
    most, width = 1, reach[1, n - 1] - reach[0, 0]
    for k in range(len(places)):
        times = counts[slots[k]]
        if times > most:
            most, width = times, reach[1, places[k] + n - 1] - reach[0, places[k]]
    return int(most * (width + gaps))


@kernel
def _all_copies(places: Any, reach: Any, n: int) -> int:
    covered = 0
    for k in range(len(places)):
        covered += reach[1, places[k] + n - 1] - reach[0, places[k]]
    return covered


@kernel
def _read_widths(chars: Any, reach: Any) -> int:
    before = 0
    for word in range(len(chars)):
        reach[0, word] = before
        before += chars[word]
        reach[1, word] = before
    return before


@kernel
def _every(reach: Any, places: int, n: int) -> int:
    covered = 0
    for k in range(places):
        covered += reach[1, k + n - 1] - reach[0, k]
    return covered


@kernel
def _rooms(longest: int) -> Any:
    """Return a table, its tally, the reach of words, places and slots in one, three rows of hashes."""
    size = 2 * table_size(longest)
    table = (
        np.zeros(size, np.uint64), np.zeros(size, np.int32),
        np.zeros(size, np.int32), np.zeros(size, np.int32), np.zeros(size, np.int32),
    )  # fmt: skip
    tally, reach = np.zeros(size, np.uint8), np.zeros((2, longest), np.int32)
    return table, tally, reach, np.zeros((2, longest), np.int32), np.zeros((3, longest), np.uint64)


@kernel
def _count_size(n: int, left: int, mode: int, rooms: Any, out: Any, everything: Any) -> None:
    """Count the `left` n-grams of one text; rows of hashes are n-grams, joined n-grams and a copy of one of them."""
    table, tally, reach, (places, slots), (grams, joined, kept) = rooms
    reads = n > 4 and mode & _JOINED != 0
    found = _candidates(joined if reads else grams, left, tally, places, kept)
    found = keep_repeated(places, kept, slots, found, table)
    if n <= 4:
        out[n - 2] = _top(places[:found], slots, reach, table[1], n, n - 1 if mode & _SPACED else 0)
    elif reads:
        out[n - 2] = read_before(places[:found], slots, reach, n, table)
    else:
        out[n - 2] = _all_copies(places[:found], reach, n)
        everything[n - 2] = _every(reach, left, n)


@kernel
def _count(words: Any, mode: int, out: Any, everything: Any) -> None:
    doc_offsets, chars, hashes, rolling = words.doc_offsets, words.chars, words.hashes, words.rolling
    longest = max(longest_document(doc_offsets), 1)
    table, tally, reach, both, three = _rooms(longest)
    rooms = (table, tally, reach, (both[0], both[1]), (three[0], three[1], three[2]))
    grams, joined = three[0], three[1]
    for doc in range(len(doc_offsets) - 1):
        first, count = doc_offsets[doc], doc_offsets[doc + 1] - doc_offsets[doc]
        grams[:count] = hashes[first : first + count]
        joined[:count] = rolling[0, first : first + count]
        _read_widths(chars[first : first + count], reach)
        for n in range(2, min(10, count) + 1):
            left = count - n + 1
            if n <= 4 or not mode & _JOINED:
                _grow(grams, (hashes, rolling), first, left, n, False)
            if mode & _JOINED:
                _grow(joined, (hashes, rolling), first, left, n, True)
            _count_size(n, left, mode, rooms, out[:, doc], everything[:, doc])
