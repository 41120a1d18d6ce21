"""RefinedWeb's line-wise corrections (Penedo et al. 2023, arXiv 2306.01116, appendix G.2), as an edit and a measure.

A line goes if it is mainly upper-case letters, holds nothing but numbers, is a counter ("3 likes"), has one word, or
is short and says "Sign-in", "Read more..." or "items in cart". A page that loses more than 5 % of its words goes.

What differs from the paper and from DCLM's and datamap-rs' readings: the first two are asked of a line without white
space around it; words are those of the shared segmentation; a short line with such a phrase goes whole, where the
peers cut the phrase out of it; phrases and counters are English ones, letter case aside.
"""

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from filters.code_points import CODE_POINTS, code_points
from filters.lines import Lines
from filters.native import decode_utf8, kernel, string_buffers
from filters.phrases import Phrase, find_phrases
from filters.segmentation import Segmentation

VERSION = 1

MAX_PHRASE_WORDS = 10
SIGN_IN, READ_MORE, ITEMS_IN_CART = 1, 2, 4
PHRASES: tuple[Phrase, ...] = (
    ("sign-in", SIGN_IN),
    ("read more...", READ_MORE),
    ("items in cart", ITEMS_IN_CART),
)
_COUNTED = "likes|shares|comments|retweets|reposts|quotes|bookmarks|upvotes|downvotes|downloads|views|followers"
COUNTER = rf"(?i)^[^\pL\pN_]*[0-9][0-9,.]*[kmb]?\s+(?:{_COUNTED})[^\pL\pN_]*$"
COUNTER_MAX_BYTES = 64  # longer lines are no counters, whatever their punctuation

KEPT, BLANK, UPPER_CASE, NUMBERS, OF_COUNTER, ONE_WORD, OF_PHRASE = range(7)
COLUMNS = (
    "refinedweb_upper_case_line_count",
    "refinedweb_number_line_count",
    "refinedweb_counter_line_count",
    "refinedweb_one_word_line_count",
    "refinedweb_phrase_line_count",
    "refinedweb_removed_word_count",  # words of all these lines
)
_OF_REASON = (UPPER_CASE, NUMBERS, OF_COUNTER, ONE_WORD, OF_PHRASE)
_UPPER, _DIGIT, _BLANK = 1, 2, 4


def correct_lines(
    text: pa.StringArray, words: Segmentation, lines: Lines
) -> tuple[npt.NDArray[np.uint8], pa.RecordBatch]:
    """Return (1 for each line that stays: uint8[n_lines], COLUMNS: int32, shape (len(text),)); blank lines stay."""
    body, _ = string_buffers(text)
    counts = np.zeros(len(lines.starts), np.int32)
    reasons = np.zeros(len(lines.starts), np.uint8)
    _count_words(words.starts, lines.ends, counts)
    _mark_phrases(body, lines.starts, lines.ends, find_phrases(text, lines, PHRASES), reasons)
    reasons[counts > MAX_PHRASE_WORDS] = KEPT
    reasons[counts < 2] = ONE_WORD
    reasons[_counters(body, lines, counts)] = OF_COUNTER
    _mark_characters(body, (lines.starts, lines.ends, lines.chars), _kinds(), reasons)
    reasons[lines.starts == lines.ends] = BLANK
    removed = np.where(reasons > BLANK, counts, 0)
    columns = [
        *(_sums(reasons == reason, lines.doc_offsets) for reason in _OF_REASON),
        _sums(removed, lines.doc_offsets),
    ]
    kept = (reasons <= BLANK).astype(np.uint8)
    return kept, pa.RecordBatch.from_arrays([pa.array(column) for column in columns], list(COLUMNS))


def _counters(body: Any, lines: Lines, counts: npt.NDArray[np.int32]) -> npt.NDArray[np.bool_]:
    """Return which lines are counters; only short ones with a digit are asked."""
    asked = (counts >= 2) & (counts <= 3)
    _ask_of_digits(body, lines.starts, lines.ends, asked)
    places = np.flatnonzero(asked)
    view = memoryview(body)
    spans = zip(lines.starts[places].tolist(), lines.ends[places].tolist(), strict=True)
    held = pa.array([str(view[start:end], "utf-8") for start, end in spans], pa.string())
    asked[places] = pc.match_substring_regex(held, COUNTER).to_numpy(zero_copy_only=False)
    return asked


def _sums(values: npt.NDArray[Any], doc_offsets: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
    sums = np.zeros(len(values) + 1, np.int64)
    np.cumsum(values, out=sums[1:])
    return np.diff(sums[doc_offsets]).astype(np.int32)


@cache
def _kinds() -> npt.NDArray[np.uint8]:
    table = np.zeros(CODE_POINTS, np.uint8)
    table[code_points(r"\p{Lu}")] = _UPPER
    table[code_points(r"\p{N}")] = _DIGIT
    table[code_points(r"\p{White_Space}")] = _BLANK
    table.setflags(write=False)
    return table


@kernel
def _count_words(word_starts: Any, line_ends: Any, out: Any) -> None:
    word = 0
    for line in range(len(line_ends)):
        first = word
        while word < len(word_starts) and word_starts[word] < line_ends[line]:
            word += 1
        out[line] = word - first


@kernel
def _mark_phrases(body: Any, starts: Any, ends: Any, found: Any, out: Any) -> None:
    for line in range(len(starts)):
        if not found[line]:
            continue
        start, end = starts[line], ends[line]
        begins = found[line] & SIGN_IN and body[start] | 0x20 == ord("s") and body[start + 4] == ord("-")
        trails = end - start >= 3 and body[end - 1] == body[end - 2] == body[end - 3] == ord(".")
        if begins or (found[line] & READ_MORE and trails) or found[line] & ITEMS_IN_CART:
            out[line] = OF_PHRASE


@kernel
def _ask_of_digits(body: Any, starts: Any, ends: Any, out: Any) -> None:
    for line in range(len(starts)):
        if not out[line]:
            continue
        short, digit = ends[line] - starts[line] <= COUNTER_MAX_BYTES, False
        if short:
            for i in range(starts[line], ends[line]):
                digit |= ord("0") <= body[i] <= ord("9")
        out[line] = digit


@kernel
def _class_of(body: Any, start: int, end: int, chars: int, kinds: Any) -> int:
    """Return UPPER_CASE, NUMBERS or KEPT; reading stops where neither can hold any more."""
    seen, upper, digits, blank, i = 0, 0, 0, 0, start
    while i < end:
        point, size = int(body[i]), 1
        if point >= 0x80:
            point, size = decode_utf8(body, i)
        kind = kinds[point]
        seen += 1
        upper += kind == _UPPER
        digits += kind == _DIGIT
        blank += kind == _BLANK
        i += size
        if digits + blank < seen and 2 * (seen - upper) >= chars:
            return KEPT
    if 2 * upper > chars:
        return UPPER_CASE
    return NUMBERS if digits and digits + blank == chars else KEPT


@kernel
def _mark_characters(body: Any, lines: Any, kinds: Any, out: Any) -> None:
    starts, ends, chars = lines
    for line in range(len(starts)):
        found = _class_of(body, starts[line], ends[line], chars[line], kinds)
        if found != KEPT:
            out[line] = found
