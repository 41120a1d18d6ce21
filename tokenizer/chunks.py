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
DIGIT = 1 << 12  # script of digits that make groups of their own
_DIGITS = (*range(0x30, 0x3A), *range(0xFF10, 0xFF1A))  # ASCII and full-width: those that the trainer splits
_FIRST_PLACES = 1 << 16


class Letters(NamedTuple):
    """The alphabet as numbers 1, 2 ... by code point; 0 is no letter."""

    points: Any  # int64[n + 1]: code points by letter; points[0] is unused
    letter_of: Any  # int32[0x110000]: letter of each code point, or 0
    script: Any  # int16[2, n + 1]: INHERITED, SPACE, ALONE, DIGIT or a script; second, where scripts part nothing
    max_digits: int  # of a group of digits; no matter where there is no DIGIT


class Chunks(NamedTuple):
    """Unique chunks of two letters or more, one after another, 0 before, between and behind them."""

    letters: Any  # int32[n]
    counts: Any  # int64[chunks], in their order
    part: Any  # int16[chunks]: which rows it comes from; equal chunks of different parts stay apart


def _digits(points: Any, settings: TrainSettings) -> Any:
    """Say which points are digits to the settings, bool[len(points)]."""
    if settings.split_all_digits:
        return np.array([chr(point).isdecimal() for point in points.tolist()], np.bool_)
    return np.isin(points, _DIGITS)


def letters_of(points: Any, settings: TrainSettings) -> Letters:
    """Number an alphabet by code point."""
    ordered = np.concatenate([[0], np.sort(points)]).astype(np.int64)
    letter_of = np.zeros(0x110000, np.int32)
    letter_of[ordered[1:]] = np.arange(1, len(ordered))
    script = np.zeros((2, len(ordered)), np.int16)  # INHERITED
    if settings.script_free != "all":
        script[0] = scripts()[ordered]
    if settings.split_digits or settings.max_digits:
        script[:, _digits(ordered, settings)] = ALONE if settings.split_digits else DIGIT
    script[:, ordered == ord(SPACE_SYMBOL)] = SPACE
    return Letters(ordered, letter_of, script, settings.max_digits)


@kernel
def is_cut(before: Any, behind: Any) -> Any:
    """Say whether no piece holds letters of these scripts side by side."""
    if before == ALONE or behind == ALONE:  # noqa: PLR1714  (a kernel)
        return True
    if behind == SPACE:
        return before != SPACE
    if (before == DIGIT) != (behind == DIGIT):
        return True
    return before not in (INHERITED, SPACE) and behind != INHERITED and before != behind  # noqa: PLR1714


@kernel
def _hash(letters: Any, start: Any, end: Any, part: Any) -> Any:
    key = np.uint64((end - start) | np.int64(part) << 32)
    for i in range(start, end):
        key = (key ^ np.uint64(letters[i])) * np.uint64(0x9E3779B97F4A7C15)
        key ^= key >> np.uint64(29)
    return key


@kernel
def _place(table: Any, room: Any, start: Any, end: Any, part: Any) -> Any:
    """Return the place of letters[start:end] in a table of 1 + number of a chunk: its own, or the free one."""
    letters, starts, parts = room.letters, room.starts, room.part
    mask = np.uint64(len(table) - 1)
    at = _hash(letters, start, end, part) & mask
    while table[at]:
        other = starts[table[at] - 1]
        k = 0
        while k < end - start and letters[other + k] == letters[start + k]:
            k += 1
        if k == end - start and letters[other + k] == NONE and parts[table[at] - 1] == part:
            return at
        at = (at + np.uint64(1)) & mask
    return at


@kernel
def _grown(table: Any, room: Any) -> Any:
    letters, starts, n = room.letters, room.starts, room.sizes[1]
    grown = np.zeros(2 * len(table), np.int32)
    mask = np.uint64(len(grown) - 1)
    for chunk in range(n):
        end = starts[chunk]
        while letters[end] != NONE:
            end += 1
        at = _hash(letters, starts[chunk], end, room.part[chunk]) & mask
        while grown[at]:
            at = (at + np.uint64(1)) & mask
        grown[at] = chunk + 1
    return grown


class Gathered(NamedTuple):
    """Room for chunks that are being gathered; `sizes` is how many letters and chunks it holds."""

    letters: Any  # int32[letters + what the next batch may bring]
    starts: Any  # int64
    counts: Any  # int64
    part: Any  # int16
    sizes: Any  # int64[3]: letters, chunks, the least letters of a chunk


@kernel
def _close(room: Any, table: Any, start: Any, end: Any, count: Any, part: Any) -> Any:
    """Count the chunk letters[start:end]; return where the next letter goes."""
    if end - start < room.sizes[2]:
        return start
    room.letters[end] = NONE
    at = _place(table, room, start, end, part)
    if table[at]:
        room.counts[table[at] - 1] += count
        return start
    n = room.sizes[1]
    table[at] = n + 1
    room.starts[n], room.counts[n], room.part[n] = start, count, part
    room.sizes[1] = n + 1
    return end + 1


@kernel
def _gather(room: Any, table: Any, words: tuple[Any, Any, Any], letters: tuple[Any, Any, Any], part: Any) -> Any:
    """Cut the words of a batch into chunks and count these; return the table of places."""
    data, offsets, counts = words
    letter_of, script, max_digits = letters
    end = room.sizes[0]
    for word in range(len(counts)):
        start, i, digits = end, np.int64(offsets[word]), 0
        while i < offsets[word + 1]:
            point, size = decode_utf8(data, i)  # type: ignore[arg-type]
            i += size
            letter = letter_of[point]
            ends = letter == NONE
            if end > start and not ends:
                before, behind = script[room.letters[end - 1]], script[letter]
                ends = is_cut(before, behind) or (behind == DIGIT and digits == max_digits)
            if ends:
                end = start = _close(room, table, start, end, counts[word], part)
                digits = 0
                if 2 * room.sizes[1] > len(table):
                    table = _grown(table, room)
            if letter != NONE:
                room.letters[end] = letter
                end, digits = end + 1, digits + 1
        end = _close(room, table, start, end, counts[word], part)
        if 2 * room.sizes[1] > len(table):
            table = _grown(table, room)
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

    def __init__(self, letters: Letters, least: int = 2) -> None:
        """Begin with no chunk; those of fewer letters than `least` are left out."""
        self.letters = letters
        self.room = Gathered(
            np.zeros(1, np.int32),
            np.zeros(0, np.int64),
            np.zeros(0, np.int64),
            np.zeros(0, np.int16),
            np.array([1, 0, least], np.int64),
        )
        self.table = np.zeros(_FIRST_PLACES, np.int32)

    def add(self, data: Any, offsets: Any, counts: Any, part: int = 0, is_free: bool = False) -> None:
        """Add words (UTF-8 bytes, offsets: int32[n + 1]) with their counts, int64[n]; free ones ask for no script."""
        size = int(offsets[-1] - offsets[0])
        letters, chunks, least = self.room.sizes.tolist()
        self.room = Gathered(
            _with_room(self.room.letters, letters, 2 * size + 2),
            _with_room(self.room.starts, chunks, size // least + 1),
            _with_room(self.room.counts, chunks, size // least + 1),
            _with_room(self.room.part, chunks, size // least + 1),
            self.room.sizes,
        )
        known = (self.letters.letter_of, self.letters.script[int(is_free)], self.letters.max_digits or 1 << 30)
        self.table = _gather(self.room, self.table, (data, offsets, counts), known, np.int16(part))

    def chunks(self) -> Chunks:
        """Return what was gathered."""
        letters, chunks = self.room.sizes[:2].tolist()
        room = self.room
        return Chunks(room.letters[:letters], room.counts[:chunks], room.part[:chunks])
