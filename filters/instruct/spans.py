"""Where the sentences of a text stand, in code points.

The ends of sentences are those that the sentence signals count (`filters.sentences`): Sentence_Terminal marks in every
script, with the same care about full stops. A line is never crossed, and where a script marks no ends (Thai) a
sentence is a line.
"""

import re
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from filters.instruct.words import EVERY, patterns
from filters.line_characters import FLAGS, SPACE
from filters.native import decode_utf8, kernel
from filters.sentences import ends_here, has_letter, lead_bytes, next_terminal, past_marks

Ints = npt.NDArray[np.int32]

_ABBREVIATED = patterns("abbreviated")[EVERY]
_NUMBERED = re.compile(r"(?:^|[\s(–-])\d{1,2}\.$")
_BEHIND_ORDINAL = patterns("ordinal")[EVERY]
_ARTICLE = patterns("article")[EVERY]
_OPENING = patterns("together")[EVERY]  # words that begin a sentence
_NAME = re.compile(r"[A-ZÄÖÜÆØÅ]\w+")
_REFERRING = patterns("referring")[EVERY]
_QUOTES = ("“", "‘", '"', "「", "『")


class Sentences(NamedTuple):
    """The sentences of a text in order; white space at their ends is left out.

    starts, ends  int32[n]   code points
    lines         int32[n]   number of the line, from 0
    ended         uint8[n]   1 where a terminal mark closes it
    """

    starts: Ints
    ends: Ints
    lines: Ints
    ended: npt.NDArray[np.uint8]


def sentences(text: str) -> Sentences:
    """Return the sentences of a text."""
    encoded = text.encode("utf-8", "surrogatepass")
    body = np.frombuffer(encoded, np.uint8)
    if not len(body):
        empty = np.zeros(0, np.int32)
        return Sentences(empty, empty, empty, np.zeros(0, np.uint8))
    size = int(np.count_nonzero(body == ord("\n"))) + 1 + len(body) // 2
    out = np.empty((size, 4), np.int32)
    rows = out[: _find(body, (FLAGS, lead_bytes()), out)]
    if len(encoded) != len(text):
        before = np.cumsum((body & 0xC0) != 0x80, dtype=np.int32)
        points = np.concatenate([np.zeros(1, np.int32), before])
        rows[:, 0], rows[:, 1] = points[rows[:, 0]], points[rows[:, 1]]
    return Sentences(rows[:, 0], rows[:, 1], rows[:, 2], rows[:, 3].astype(np.uint8))


def goes_on(text: str, following: str = "") -> bool:
    """Say whether a sentence that seems to end here ends with an abbreviation (e.g., z. B., p. ej.), with an ordinal
    number before what follows (am 7. | November, die 19. | DebConf), or with the number of a section before its title.
    """
    if _ABBREVIATED.search(text[-12:]):
        return True
    if following.startswith(_QUOTES) and _REFERRING.search(text[-8:]):
        return True
    if _ARTICLE.search(text[-12:]) and (name := _NAME.match(following)) and not _OPENING.fullmatch(name[0]):
        return True
    return _NUMBERED.search(text[-4:]) is not None and _BEHIND_ORDINAL.match(following) is not None


@kernel
def _skip_space(body: Any, i: int, end: int, flags: Any) -> int:
    while i < end:
        point, size = decode_utf8(body, i)
        if point >= len(flags) or not flags[point] & SPACE:
            break
        i += size
    return i


@kernel
def _strip_end(body: Any, start: int, end: int, flags: Any) -> int:
    """Return the end of [start, end) without the white space at its end."""
    while end > start:
        i = end - 1
        while i > start and body[i] & 0xC0 == 0x80:
            i -= 1
        point, _ = decode_utf8(body, i)
        if point >= len(flags) or not flags[point] & SPACE:
            break
        end = i
    return end


@kernel
def _line(body: Any, bounds: Any, number: int, tables: Any, place: Any) -> int:
    """Write the sentences of the line body[start:end] as rows from `at` on; return the next row."""
    flags, leads = tables
    start, end = bounds
    out, at = place
    end = _strip_end(body, start, end, flags)
    start = since = _skip_space(body, start, end, flags)
    i = next_terminal(body, start, end, leads, flags)
    while i < end:
        past = past_marks(body, i, end, flags)
        if has_letter(body, since, i, flags) and ends_here(body, (start, end), i, past, flags):
            out[at, 0], out[at, 1], out[at, 2], out[at, 3] = since, past, number, 1
            at += 1
            since = _skip_space(body, past, end, flags)
        i = next_terminal(body, past, end, leads, flags)
    if since < end:
        out[at, 0], out[at, 1], out[at, 2], out[at, 3] = since, end, number, 0
        at += 1
    return int(at)


@kernel
def _find(body: Any, tables: Any, out: Any) -> int:
    at, line, start = 0, 0, 0
    for i in range(len(body) + 1):
        if i == len(body) or body[i] == 10:
            at = _line(body, (start, i), line, tables, (out, at))
            start = i + 1
            line += 1
    return at
