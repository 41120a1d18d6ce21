"""How many sentences a line holds, in every script that marks their ends."""

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from filters.line_characters import CLOSER, FLAGS, LOWER, SPACE, TERMINAL
from filters.lines import Lines
from filters.native import decode_utf8, kernel, string_buffers


def sentence_counts(text: pa.StringArray, lines: Lines, kept: npt.NDArray[np.uint8]) -> npt.NDArray[np.int32]:
    """Return the sentences of each line where `kept` is 1 and 0 elsewhere, shape (n_lines,).

    A sentence ends where one or more Sentence_Terminal characters stand (。！？ । ؟ ። ...), closing quotes and
    brackets after them included. `.`, `!` and `?` must be followed by white space or the end of the line, and a full
    stop ends nothing before a lower-case letter, or after a single capital letter (J. Smith) or no letter at all
    since the last end (1. Introduction). What is left at the end of a line counts as one, so a line that is not
    blank holds at least one sentence, and in scripts that mark no ends (Thai) sentences are lines.
    """
    out = np.zeros(len(lines.starts), np.int32)
    _count(string_buffers(text)[0], (lines.starts, lines.ends), kept, (FLAGS, lead_bytes()), out)
    return out


@cache
def lead_bytes() -> npt.NDArray[np.uint8]:
    """Return 1 for each byte that a terminal mark starts with in UTF-8, shape (256,)."""
    leads = np.zeros(256, np.uint8)
    leads[[chr(point).encode()[0] for point in np.flatnonzero(FLAGS & TERMINAL).tolist()]] = 1
    return leads


@kernel
def _flags_at(body: Any, i: int, flags: Any) -> tuple[int, int]:
    point, size = decode_utf8(body, i)
    return (int(flags[point]) if point < len(flags) else 0), size


@kernel
def past_marks(body: Any, i: int, end: int, flags: Any) -> int:
    """Return where terminal and closing marks that start at i end."""
    while i < end:
        of, size = _flags_at(body, i, flags)
        if not of & (TERMINAL | CLOSER):
            break
        i += size
    return i


@kernel
def _is_initial(body: Any, start: int, i: int) -> bool:
    """Say whether body[i - 1] is a capital ASCII letter that stands alone."""
    if i - 1 < start or not ord("A") <= body[i - 1] <= ord("Z"):
        return False
    return bool(i - 2 < start or body[i - 2] == ord(" ") or body[i - 2] == ord("."))


@kernel
def _goes_on(body: Any, i: int, end: int, flags: Any) -> bool:
    """Say whether after the white space from i a lower-case letter stands."""
    while i < end:
        of, size = _flags_at(body, i, flags)
        if not of & SPACE:
            return bool(of & LOWER)
        i += size
    return False


@kernel
def ends_here(body: Any, line: Any, i: int, past: int, flags: Any) -> bool:
    """Say whether the marks body[i:past] in line = (start, end) end a sentence."""
    start, end = line
    if body[i] >= 0x80:
        return True
    if past < end and not _flags_at(body, past, flags)[0] & SPACE:
        return False
    return body[i] != ord(".") or not (_is_initial(body, start, i) or _goes_on(body, past, end, flags))


@kernel
def has_letter(body: Any, i: int, end: int, flags: Any) -> bool:
    """Say whether a letter stands in body[i:end]: of ASCII's, or any other character that is no mark and no space."""
    while i < end:
        byte = body[i]
        if byte < 0x80:
            if ord("a") <= byte | 0x20 <= ord("z"):
                return True
            i += 1
            continue
        of, size = _flags_at(body, i, flags)
        if not of & (TERMINAL | CLOSER | SPACE):
            return True
        i += size
    return False


@kernel
def _next_lead(body: Any, i: int, end: int, leads: Any) -> Any:
    """Return where the next byte stands that a terminal mark may start with, or `end`."""
    at, stop = np.uint64(i), np.uint64(end)  # an index that can't be negative is a third faster here
    while at < stop and not leads[body[at]]:
        at += np.uint64(1)
    return np.int64(at)


@kernel
def next_terminal(body: Any, i: int, end: int, leads: Any, flags: Any) -> int:
    """Return where the next terminal mark stands, or `end`."""
    i = _next_lead(body, i, end, leads)
    while i < end:
        of, size = _flags_at(body, i, flags)
        if of & TERMINAL:
            return i
        i = _next_lead(body, i + size, end, leads)
    return end


@kernel
def _count(body: Any, lines: Any, kept: Any, tables: Any, out: Any) -> None:
    starts, ends = lines
    flags, leads = tables
    for line in range(len(starts)):
        start, end = starts[line], ends[line]
        if not kept[line] or start == end:
            continue
        sentences, since = 0, start
        i = next_terminal(body, start, end, leads, flags)
        while i < end:
            past = past_marks(body, i, end, flags)
            if not has_letter(body, since, i, flags):
                since = past
            elif ends_here(body, (start, end), i, past, flags):
                sentences += 1
                since = past
            i = next_terminal(body, past, end, leads, flags)
        out[line] = max(sentences + has_letter(body, since, end, flags), 1)
