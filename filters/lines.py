"""The lines of a text and what all line signals need of them, measured once."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from filters.line_characters import CLOSER, FLAGS, SPACE, TERMINAL
from filters.native import decode_utf8, kernel, mix64, string_buffers

VERSION = 1

_NEWLINE = 10
_K = np.uint64(0x9FB21C651E98DF25)
_ONES = np.uint64(0x0101010101010101)


@dataclass(frozen=True)
class Lines:
    """The lines of a batch of texts, in order: one more than the text has newlines, also for an empty text.

    starts, ends  int32[n]   byte offsets in the batch's value buffer, white space at both ends left out; a blank
                             line has starts == ends
    doc_offsets   int64[len(text) + 1]   lines of text i: [doc_offsets[i], doc_offsets[i + 1])
    chars         int32[n]   code points of [starts, ends)
    hashes        uint64[n]  of the bytes [starts, ends)
    terminal      uint8[n]   1 where the line ends a sentence: a Sentence_Terminal character, with nothing but
                             closing quotes, brackets and citations like [12] after it
    """

    starts: npt.NDArray[np.int32]
    ends: npt.NDArray[np.int32]
    doc_offsets: npt.NDArray[np.int64]
    chars: npt.NDArray[np.int32]
    hashes: npt.NDArray[np.uint64]
    terminal: npt.NDArray[np.uint8]


def split_lines(text: pa.StringArray) -> Lines:
    """Return the lines of every text; the separator is U+000A alone, white space is that of `str.strip()`."""
    body, offsets = string_buffers(text)
    first = int(offsets[0])
    newlines = first + np.flatnonzero(body[first : int(offsets[-1])] == _NEWLINE)
    doc_offsets = np.searchsorted(newlines, offsets) + np.arange(len(offsets))
    count = int(doc_offsets[-1])
    lines = Lines(
        np.zeros(count, np.int32),
        np.zeros(count, np.int32),
        doc_offsets,
        np.zeros(count, np.int32),
        np.zeros(count, np.uint64),
        np.zeros(count, np.uint8),
    )
    _cut(body, offsets, newlines, FLAGS, (lines.starts, lines.ends))
    _measure(body, (lines.starts, lines.ends), FLAGS, (lines.chars, lines.hashes, lines.terminal))
    return lines


@kernel
def _previous(body: Any, i: int, start: int) -> int:
    """Return where the character before body[i] starts."""
    i -= 1
    while i > start and body[i] & 0xC0 == 0x80:
        i -= 1
    return i


@kernel
def _flags_at(body: Any, i: int, flags: Any) -> tuple[int, int]:
    point, size = decode_utf8(body, i)
    return (int(flags[point]) if point < len(flags) else 0), size


@kernel
def strip_span(body: Any, start: int, end: int, flags: Any) -> tuple[int, int]:
    while start < end and not ord("!") <= body[start] <= ord("~"):
        of, size = _flags_at(body, start, flags)
        if not of & SPACE:
            break
        start += size
    while end > start and not ord("!") <= body[end - 1] <= ord("~"):
        last = _previous(body, end, start)
        if not _flags_at(body, last, flags)[0] & SPACE:
            break
        end = last
    return start, end


@kernel
def _cut(body: Any, offsets: Any, newlines: Any, flags: Any, out: Any) -> None:
    starts, ends = out
    line, newline = 0, 0
    for doc in range(len(offsets) - 1):
        start, end = offsets[doc], offsets[doc + 1]
        while newline < len(newlines) and newlines[newline] < end:
            starts[line], ends[line] = strip_span(body, start, newlines[newline], flags)
            start = newlines[newline] + 1
            line += 1
            newline += 1
        starts[line], ends[line] = strip_span(body, start, end, flags)
        line += 1


@kernel
def word_at(body: Any, i: int) -> Any:
    """Return the eight bytes from body[i] as a little-endian uint64.

    Written out, and with an index that can't be negative, it becomes one load.
    """
    at = np.uint64(i)
    return (
        np.uint64(body[at])
        | (np.uint64(body[at + np.uint64(1)]) << np.uint64(8))
        | (np.uint64(body[at + np.uint64(2)]) << np.uint64(16))
        | (np.uint64(body[at + np.uint64(3)]) << np.uint64(24))
        | (np.uint64(body[at + np.uint64(4)]) << np.uint64(32))
        | (np.uint64(body[at + np.uint64(5)]) << np.uint64(40))
        | (np.uint64(body[at + np.uint64(6)]) << np.uint64(48))
        | (np.uint64(body[at + np.uint64(7)]) << np.uint64(56))
    )


@kernel
def following(word: Any) -> Any:
    """Return how many of the eight bytes have the form 10xxxxxx: they follow the first byte of a character."""
    marked = (word >> np.uint64(7)) & ~(word >> np.uint64(6)) & _ONES
    return np.int64((marked * _ONES) >> np.uint64(56))


@kernel
def hash_and_length(body: Any, start: int, end: int) -> Any:
    """Return the hash of the bytes and their number of code points."""
    state = np.uint64(end - start) * _K
    points, i = end - start, start
    while i + 8 <= end:
        word = word_at(body, i)
        points -= following(word)
        state = (state ^ word) * _K
        state ^= state >> np.uint64(29)
        i += 8
    rest = np.uint64(0)
    if end - start >= 8:
        if i < end:  # the last bytes from a word that reaches back
            rest = word_at(body, end - 8) >> np.uint64(8 * (8 - end + i))
    else:
        for k in range(i, end):
            rest |= np.uint64(body[k]) << np.uint64(8 * (k - i))
    points -= following(rest)
    return mix64((state ^ rest) * _K), points


@kernel
def _citation_start(body: Any, start: int, end: int) -> int:
    """Return where a citation `[12]` that ends at `end` starts, or `end`."""
    if end - start < 3 or body[end - 1] != ord("]"):
        return end
    i = end - 2
    while i > start and ord("0") <= body[i] <= ord("9"):
        i -= 1
    return i if body[i] == ord("[") and i < end - 2 else end


@kernel
def _ends_sentence(body: Any, start: int, end: int, flags: Any) -> bool:
    while end > start:
        last = end - 1
        of = flags[body[last]]
        if body[last] >= 0x80:
            last = _previous(body, end, start)
            of = _flags_at(body, last, flags)[0]
        if not of & CLOSER:
            return bool(of & TERMINAL)
        end = min(last, _citation_start(body, start, end))
    return False


@kernel
def _measure(body: Any, lines: Any, flags: Any, out: Any) -> None:
    starts, ends = lines
    chars, hashes, terminal = out
    for line in range(len(starts)):
        start, end = starts[line], ends[line]
        hashes[line], chars[line] = hash_and_length(body, start, end)
        terminal[line] = _ends_sentence(body, start, end, flags)
