"""How many sentences a line holds, in every script that marks their ends."""

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
    _count(string_buffers(text)[0], (lines.starts, lines.ends), kept, FLAGS, out)
    return out


@kernel
def _flags_at(body: Any, i: int, flags: Any) -> tuple[int, int]:
    point, size = decode_utf8(body, i)
    return (int(flags[point]) if point < len(flags) else 0), size


@kernel
def _past_marks(body: Any, i: int, end: int, flags: Any) -> int:
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
def _ends_here(body: Any, line: Any, i: int, past: int, flags: Any) -> bool:
    """Say whether the marks body[i:past] in line = (start, end) end a sentence."""
    start, end = line
    if body[i] >= 0x80:
        return True
    if past < end and not _flags_at(body, past, flags)[0] & SPACE:
        return False
    return body[i] != ord(".") or not (_is_initial(body, start, i) or _goes_on(body, past, end, flags))


@kernel
def _is_letter_like(byte: int) -> bool:
    return byte >= 0x80 or ord("a") <= byte | 0x20 <= ord("z")


@kernel
def _count(body: Any, lines: Any, kept: Any, flags: Any, out: Any) -> None:
    starts, ends = lines
    for line in range(len(starts)):
        if not kept[line] or starts[line] == ends[line]:
            continue
        i, end, sentences, letters = starts[line], ends[line], 0, False
        while i < end:
            byte = body[i]
            if byte < 0x80 and not (byte == ord(".") or byte == ord("!") or byte == ord("?")):
                letters |= _is_letter_like(byte)
                i += 1
                continue
            of, size = _flags_at(body, i, flags)
            if not of & TERMINAL:
                letters |= not of & (CLOSER | SPACE)
                i += size
                continue
            past = _past_marks(body, i + size, end, flags)
            if letters and _ends_here(body, (starts[line], end), i, past, flags):
                sentences += 1
                letters = False
            i = past
        out[line] = max(sentences + letters, 1)
