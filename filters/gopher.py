"""Gopher's measures of a text (Rae et al. 2021, arXiv 2112.11446): quality (section A.1) and repetition (table A1).

The paper leaves the counting open and every implementation counts differently. What is counted here:
  word        a word of the shared segmentation: punctuation alone is none
  line        stretch between newlines, white space at its ends left out; blank lines are none
  paragraph   block of lines without a blank line between them
  duplicate   a line or paragraph equal to an earlier one of its text; the first copy is free
  n-gram      n words in a row, letter case aside; its characters are its words' and one for each gap between
              them, so never more than the text has there (nothing between words of scripts without spaces)
  top n-gram  the one with most occurrences, and of those the one with most characters; occurrences that overlap
              an earlier one of the same n-gram don't count, and one occurrence alone is no repetition
  duplicate n-gram   read from the left: an n-gram that was read before; reading goes on after it, so no character
              counts twice, and what lies inside it is not learnt
A character is a code point; a share of characters is a share of all the text's characters.
"""

from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa

from filters.line_characters import BULLET, FLAGS
from filters.lines import Lines
from filters.native import decode_utf8, kernel, string_buffers
from filters.repetition import character_counts, duplicate_lines, duplicate_paragraphs, repeated_grams
from filters.segmentation import HOLDS_LETTER, Segmentation, segment

VERSION = 1

STOP_WORDS = ("the", "be", "to", "of", "and", "that", "have", "with")

QUALITY_COLUMNS = (
    "word_count",  # words
    "word_char_count",  # their characters
    "alphabetic_word_count",  # words with a letter
    "stop_word_count",  # 0-8: how many of STOP_WORDS occur, letter case aside
    "hash_count",  # "#"
    "ellipsis_count",  # "…" and, from the left, "..."
    "bullet_line_count",  # lines that start with a bullet, "*" or "-"
    "ellipsis_line_count",  # lines that end in "…" or "..."
)
TOP_SIZES = (2, 3, 4)
DUPLICATE_SIZES = (5, 6, 7, 8, 9, 10)
REPETITION_COLUMNS = (
    "char_count",
    "line_count",
    "paragraph_count",
    "duplicate_line_count",
    "duplicate_line_char_count",
    "duplicate_paragraph_count",
    "duplicate_paragraph_char_count",  # newlines inside them count
    *(f"top_{n}_gram_char_count" for n in TOP_SIZES),
    *(f"duplicate_{n}_gram_char_count" for n in DUPLICATE_SIZES),
)
_WORDS, _WORD_CHARS, _ALPHABETIC, _STOPS, _HASHES, _ELLIPSES, _BULLET_LINES, _ELLIPSIS_LINES = range(8)


def quality_signals(text: pa.StringArray, words: Segmentation, lines: Lines) -> pa.RecordBatch:
    """Return QUALITY_COLUMNS, int32, shape (len(text),); all 0 for an empty text."""
    body, offsets = string_buffers(text)
    out = np.zeros((len(QUALITY_COLUMNS), len(text)), np.int32)
    _count_words((words.doc_offsets, words.chars, words.flags, words.hashes), HOLDS_LETTER, _stop_words(), out)
    _count_marks(body, offsets, out)
    _count_line_marks(body, (lines.doc_offsets, lines.starts, lines.ends), FLAGS, out)
    return pa.RecordBatch.from_arrays([pa.array(column) for column in out], list(QUALITY_COLUMNS))


def repetition_signals(text: pa.StringArray, words: Segmentation, lines: Lines) -> pa.RecordBatch:
    """Return REPETITION_COLUMNS, int32, shape (len(text),); all 0 for an empty text."""
    of_lines, of_paragraphs = duplicate_lines(lines), duplicate_paragraphs(lines)
    columns = [
        character_counts(text),
        *(of_lines[0], of_paragraphs[0]),
        *of_lines[1:],
        *of_paragraphs[1:],
        *repeated_grams(words, TOP_SIZES, DUPLICATE_SIZES),
    ]
    return pa.RecordBatch.from_arrays([pa.array(column) for column in columns], list(REPETITION_COLUMNS))


@cache
def _stop_words() -> tuple[Any, Any]:
    """Return the stop words' hashes, and a table: the low bits of a hash -> the number of the stop word it may be."""
    hashes = np.array(segment(pa.array(STOP_WORDS)).hashes)
    size = 64
    while len(np.unique(hashes % size)) < len(hashes):
        size *= 2
    numbers = np.zeros(size, np.int64)
    numbers[hashes % size] = np.arange(len(hashes))
    return hashes, numbers


@kernel
def _count_words(words: Any, letter: int, stops: Any, out: Any) -> None:
    doc_offsets, chars, flags, hashes = words
    listed, numbers = stops
    mask = np.uint64(len(numbers) - 1)
    for doc in range(len(doc_offsets) - 1):
        first, last = doc_offsets[doc], doc_offsets[doc + 1]
        length, alphabetic, found = 0, 0, 0
        for count in chars[first:last]:
            length += count
        for flag in flags[first:last]:
            alphabetic += (flag & letter) != 0
        for word in hashes[first:last]:
            number = numbers[word & mask]
            found |= (word == listed[number]) << number
        out[_WORDS, doc], out[_WORD_CHARS, doc], out[_ALPHABETIC, doc] = last - first, length, alphabetic
        while found:
            out[_STOPS, doc] += found & 1
            found >>= 1


@kernel
def _is_ellipsis(body: Any, i: int) -> bool:
    """Say whether body[i - 3:i], three bytes, are "..." or "…"."""
    if body[i - 1] == ord("."):
        return bool(body[i - 2] == ord(".") and body[i - 3] == ord("."))
    return bool(body[i - 1] == 0xA6 and body[i - 2] == 0x80 and body[i - 3] == 0xE2)


@kernel
def _count_marks(body: Any, offsets: Any, out: Any) -> None:
    for doc in range(len(offsets) - 1):
        hashes, ellipses, i, free = 0, 0, offsets[doc], offsets[doc] + 3
        for byte in body[offsets[doc] : offsets[doc + 1]]:
            i += 1
            if byte == ord("#"):
                hashes += 1
            elif (byte == ord(".") or byte == 0xA6) and i >= free and _is_ellipsis(body, i):
                ellipses += 1
                free = i + 3
        out[_HASHES, doc], out[_ELLIPSES, doc] = hashes, ellipses


@kernel
def _count_line_marks(body: Any, lines: Any, flags: Any, out: Any) -> None:
    doc_offsets, starts, ends = lines
    for doc in range(len(doc_offsets) - 1):
        for line in range(doc_offsets[doc], doc_offsets[doc + 1]):
            if starts[line] == ends[line]:
                continue
            point, _ = decode_utf8(body, starts[line])
            out[_BULLET_LINES, doc] += point < len(flags) and (flags[point] & BULLET) != 0
            out[_ELLIPSIS_LINES, doc] += ends[line] - starts[line] >= 3 and _is_ellipsis(body, ends[line])
