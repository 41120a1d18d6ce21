"""Cut words where no merge can ever reach over, and gather equal chunks: the rows that BPE is trained on.

A piece has one script (a character of none, Inherited, goes with any), a digit stands alone where digits are split,
U+2581 only opens a piece or is all of it, and what is outside the alphabet is in none. So a chunk ends between two
scripts, beside a lone digit and beside a character outside the alphabet; never beside an Inherited mark, at which a
piece may start and go on in any script.
"""

from typing import Any, NamedTuple

import numpy as np

from filters.native import decode_utf8, kernel
from tokenizer.scripts import INHERITED, scripts
from tokenizer.settings import SPACE_SYMBOL, TrainSettings

NONE, SPACE = 0, 1 << 14  # letters: 0 ends a chunk
ALONE = 1 << 13  # script of a letter that no merge takes in
_DIGITS = (*range(0x30, 0x3A), *range(0xFF10, 0xFF1A))  # ASCII and full-width: those that the trainer splits
_FIRST_PLACES = 1 << 16


class Letters(NamedTuple):
    """The alphabet as numbers 1, 2 ... by code point; 0 is no letter."""

    points: Any  # int64[n + 1]: code points by letter; points[0] is unused
    letter_of: Any  # int32[0x110000]: letter of each code point, or 0
    script: Any  # int16[n + 1]: INHERITED (U+2581 too, with SPACE), ALONE or a script


class Chunks(NamedTuple):
    """Unique chunks of two letters or more, one after another, 0 before, between and behind them."""

    letters: Any  # int32[n]
    starts: Any  # int64[chunks]: first letter of each
    counts: Any  # int64[chunks]


def letters_of(points: Any, settings: TrainSettings) -> Letters:
    """Number an alphabet by code point."""
    ordered = np.concatenate([[0], np.sort(points)]).astype(np.int64)
    letter_of = np.zeros(0x110000, np.int32)
    letter_of[ordered[1:]] = np.arange(1, len(ordered))
    script = scripts()[ordered].copy()
    if settings.split_digits:
        script[np.isin(ordered, _DIGITS)] = ALONE
    script[ordered == ord(SPACE_SYMBOL)] = SPACE
    return Letters(ordered, letter_of, script)


@kernel
def _is_cut(before: Any, behind: Any) -> Any:
    """Say whether no piece holds letters of these scripts side by side."""
    if before == ALONE or behind == ALONE:  # noqa: PLR1714  (a kernel)
        return True
    if behind == SPACE:
        return before != SPACE
    return before not in (INHERITED, SPACE) and behind != INHERITED and before != behind  # noqa: PLR1714


@kernel
def _hash(letters: Any, start: Any, end: Any) -> Any:
    key = np.uint64(end - start)
    for i in range(start, end):
        key = (key ^ np.uint64(letters[i])) * np.uint64(0x9E3779B97F4A7C15)
        key ^= key >> np.uint64(29)
    return key


@kernel
def _place(table: Any, letters: Any, starts: Any, start: Any, end: Any) -> Any:
    """Return the place of letters[start:end] in a table of 1 + number of a chunk: its own, or the free one."""
    mask = np.uint64(len(table) - 1)
    at = _hash(letters, start, end) & mask
    while table[at]:
        other = starts[table[at] - 1]
        k = 0
        while k < end - start and letters[other + k] == letters[start + k]:
            k += 1
        if k == end - start and letters[other + k] == NONE:
            return at
        at = (at + np.uint64(1)) & mask
    return at


@kernel
def _grown(table: Any, letters: Any, starts: Any, n: Any) -> Any:
    grown = np.zeros(2 * len(table), np.int32)
    mask = np.uint64(len(grown) - 1)
    for chunk in range(n):
        end = starts[chunk]
        while letters[end] != NONE:
            end += 1
        at = _hash(letters, starts[chunk], end) & mask
        while grown[at]:
            at = (at + np.uint64(1)) & mask
        grown[at] = chunk + 1
    return grown


class Gathered(NamedTuple):
    """Room for chunks that are being gathered; `sizes` is how many letters and chunks it holds."""

    letters: Any  # int32[letters + what the next batch may bring]
    starts: Any  # int64
    counts: Any  # int64
    sizes: Any  # int64[2]


@kernel
def _close(room: Any, table: Any, start: Any, end: Any, count: Any) -> Any:
    """Count the chunk letters[start:end]; return where the next letter goes."""
    if end - start < 2:
        return start
    room.letters[end] = NONE
    at = _place(table, room.letters, room.starts, start, end)
    if table[at]:
        room.counts[table[at] - 1] += count
        return start
    n = room.sizes[1]
    table[at] = n + 1
    room.starts[n], room.counts[n] = start, count
    room.sizes[1] = n + 1
    return end + 1


@kernel
def _gather(room: Any, table: Any, data: Any, offsets: Any, counts: Any, letter_of: Any, script: Any) -> Any:
    """Cut the words of a batch into chunks and count these; return the table of places."""
    end = room.sizes[0]
    for word in range(len(counts)):
        start, i = end, np.int64(offsets[word])
        while i < offsets[word + 1]:
            point, size = decode_utf8(data, i)  # type: ignore[arg-type]
            i += size
            letter = letter_of[point]
            if letter == NONE or (end > start and _is_cut(script[room.letters[end - 1]], script[letter])):
                end = start = _close(room, table, start, end, counts[word])
                if 2 * room.sizes[1] > len(table):
                    table = _grown(table, room.letters, room.starts, room.sizes[1])
            if letter != NONE:
                room.letters[end] = letter
                end += 1
        end = _close(room, table, start, end, counts[word])
        if 2 * room.sizes[1] > len(table):
            table = _grown(table, room.letters, room.starts, room.sizes[1])
    room.sizes[0] = end
    return table


def _with_room(array: Any, used: int, more: int) -> Any:
    if used + more <= len(array):
        return array
    grown = np.empty(max(used + more, used + used // 2), array.dtype)
    grown[:used] = array[:used]
    return grown


class Gathering:
    """Gathers the chunks of batches of words."""

    def __init__(self, letters: Letters) -> None:
        """Begin with no chunk."""
        self.letters = letters
        self.room = Gathered(
            np.zeros(1, np.int32), np.zeros(0, np.int64), np.zeros(0, np.int64), np.array([1, 0], np.int64)
        )
        self.table = np.zeros(_FIRST_PLACES, np.int32)

    def add(self, data: Any, offsets: Any, counts: Any) -> None:
        """Add words (UTF-8 bytes, offsets: int32[n + 1]) with their counts, int64[n]."""
        size, (letters, chunks) = int(offsets[-1] - offsets[0]), self.room.sizes.tolist()
        self.room = Gathered(
            _with_room(self.room.letters, letters, 2 * size + 2),
            _with_room(self.room.starts, chunks, size // 2 + 1),
            _with_room(self.room.counts, chunks, size // 2 + 1),
            self.room.sizes,
        )
        self.table = _gather(self.room, self.table, data, offsets, counts, self.letters.letter_of, self.letters.script)

    def chunks(self) -> Chunks:
        """Return what was gathered."""
        letters, chunks = self.room.sizes.tolist()
        return Chunks(self.room.letters[:letters], self.room.starts[:chunks], self.room.counts[:chunks])
