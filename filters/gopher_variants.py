"""Gopher's measures as two peers count them, so that their verdicts can be had, and the differences be shown.

`datatrove_...` is datatrove 0.10: words are spaCy's English tokens, punctuation marks among them (`peer_words`).
`whitespace_...` is Dolma 1.2's tagger gopher_v2, and nearly NeMo Curator: words are what white space separates.
docs/rules.md has the table of what differs. Both are for English: neither cuts Japanese, Chinese or Thai.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from filters.gopher import STOP_WORDS
from filters.line_characters import FLAGS
from filters.lines import hash_and_length, strip_span
from filters.native import decode_utf8, kernel, string_buffers
from filters.peer_characters import LETTER, PUNCTUATION
from filters.peer_grams import DUPLICATE_SIZES, TOP_SIZES, datatrove_grams, dolma_grams
from filters.peer_words import Tokens, split_words
from filters.repetition import longest_document, mark_repeated, table_size

VERSION = 1

DATATROVE_COLUMNS = (
    "datatrove_word_count",  # tokens
    "datatrove_plain_word_count",  # those that are not punctuation alone
    "datatrove_plain_word_char_count",
    "datatrove_alphabetic_word_count",  # tokens with a letter
    "datatrove_stop_word_count",  # how many of the 8 occur, in small letters
    "datatrove_row_count",  # lines of str.splitlines(), blank ones with them
    "datatrove_bullet_row_count",  # those that start with "•" or "-", white space aside
    "datatrove_ellipsis_row_count",
    "datatrove_paragraph_count",  # what two and more newlines separate
    "datatrove_duplicate_paragraph_count",
    "datatrove_duplicate_paragraph_char_count",
    "datatrove_line_count",  # what newlines separate, not stripped
    "datatrove_duplicate_line_count",
    "datatrove_duplicate_line_char_count",
    *(f"datatrove_top_{n}_gram_char_count" for n in TOP_SIZES),
    *(f"datatrove_duplicate_{n}_gram_char_count" for n in DUPLICATE_SIZES),
)
WHITESPACE_COLUMNS = (
    "whitespace_word_count",
    "whitespace_word_char_count",  # all characters that are no white space
    "whitespace_symbol_word_count",  # words that hold "#" or "…"
    "whitespace_alphabetic_word_count",
    "whitespace_stop_word_count",  # occurrences of the 8, in small letters
    "whitespace_middle_char_count",  # characters of the two middle words by length: twice the median
    "whitespace_middle_count",  # 2, or 0 where there is no word
    "whitespace_line_count",  # what newlines separate, not stripped
    "whitespace_bullet_line_count",  # those that start with "*" or "-"
    "whitespace_ellipsis_line_count",  # those that end in "…"
    "whitespace_duplicate_line_count",  # every copy, the first with it
    "whitespace_duplicate_line_char_count",
    *(f"whitespace_top_{n}_gram_char_count" for n in TOP_SIZES),
    *(f"whitespace_duplicate_{n}_gram_char_count" for n in DUPLICATE_SIZES),
    *(f"whitespace_{n}_gram_char_count" for n in DUPLICATE_SIZES),
)


def datatrove_signals(text: pa.StringArray, words: Tokens) -> pa.RecordBatch:
    """Return DATATROVE_COLUMNS, int32, shape (len(text),); `words` are `peer_words(text)`."""
    body, offsets = string_buffers(text)
    quality = np.zeros((5, len(text)), np.int32)
    _count_tokens(words, _stop_words(), quality)
    rows = np.zeros((3, len(text)), np.int32)
    _count_rows(body, offsets, FLAGS, rows)
    columns = [
        *quality, *rows, *_repeated(body, offsets, 2, True), *_repeated(body, offsets, 1, False),
        *datatrove_grams(words),
    ]  # fmt: skip
    return pa.RecordBatch.from_arrays([pa.array(column) for column in columns], list(DATATROVE_COLUMNS))


def whitespace_signals(text: pa.StringArray, words: Tokens) -> pa.RecordBatch:
    """Return WHITESPACE_COLUMNS, int32 or int64, shape (len(text),); `words` are `split_words(text)`."""
    body, offsets = string_buffers(text)
    quality = np.zeros((7, len(text)), np.int32)
    _count_words(body, words, _stop_words(), quality)
    lines = np.zeros((5, len(text)), np.int32)
    spans = _cut(body, offsets, 1, False)
    _count_lines(body, spans, lines)
    grams, everything = dolma_grams(words)
    columns = [*quality, *lines, *grams, *everything[len(TOP_SIZES) :]]
    return pa.RecordBatch.from_arrays([pa.array(column) for column in columns], list(WHITESPACE_COLUMNS))


def _stop_words() -> npt.NDArray[np.uint64]:
    hashes: npt.NDArray[np.uint64] = split_words(pa.array([" ".join(STOP_WORDS)])).hashes
    return hashes


def _repeated(body: Any, offsets: Any, newlines: int, strip: bool) -> npt.NDArray[np.int32]:
    """Return pieces, duplicates and characters of duplicates of each text, shape (3, texts)."""
    doc_offsets, _, _, chars, hashes = _cut(body, offsets, newlines, strip)
    out = np.zeros((3, len(doc_offsets) - 1), np.int32)
    mark_repeated((doc_offsets, chars, hashes), np.ones(len(chars), np.uint8), out)
    return out


def _cut(body: Any, offsets: Any, newlines: int, strip: bool) -> tuple[Any, Any, Any, Any, Any]:
    """Return doc_offsets, starts, ends, chars, hashes of what runs of `newlines` and more separate, 0: each one."""
    room = int((body[int(offsets[0]) : int(offsets[-1])] == ord("\n")).sum()) + len(offsets)
    starts, ends, doc_offsets = np.empty(room, np.int32), np.empty(room, np.int32), np.zeros(len(offsets), np.int64)
    count = _cut_at_newlines(body, offsets, newlines, strip, FLAGS, (starts, ends, doc_offsets))
    chars, hashes = np.zeros(count, np.int32), np.zeros(count, np.uint64)
    _hash(body, starts[:count], ends[:count], chars, hashes)
    return doc_offsets, starts[:count], ends[:count], chars, hashes


def repeated_text(body: Any, offsets: Any) -> npt.NDArray[np.int32]:
    """Return the characters of lines equal to an earlier one, blank ones aside, shape (texts,)."""
    doc_offsets, starts, ends, chars, hashes = _cut(body, offsets, 0, False)
    told, out = np.zeros(len(chars), np.uint8), np.zeros((3, len(doc_offsets) - 1), np.int32)
    _mark_text(body, starts, ends, FLAGS, told)
    mark_repeated((doc_offsets, chars, hashes), told, out)
    duplicate_chars: npt.NDArray[np.int32] = out[2]
    return duplicate_chars


@kernel
def _mark_text(body: Any, starts: Any, ends: Any, flags: Any, out: Any) -> None:
    for line in range(len(starts)):
        start, end = strip_span(body, starts[line], ends[line], flags)
        out[line] = start < end


@kernel
def _cut_at_newlines(body: Any, offsets: Any, newlines: int, strip: bool, flags: Any, out: Any) -> int:
    starts, ends, doc_offsets = out
    count = 0
    for doc in range(len(offsets) - 1):
        start, end = offsets[doc], offsets[doc + 1]
        if strip:
            start, end = strip_span(body, start, end, flags)
        i = start
        while i < end:
            if body[i] != ord("\n"):
                i += 1
                continue
            run = i + 1
            while newlines > 0 and run < end and body[run] == ord("\n"):
                run += 1
            if run - i >= newlines:
                starts[count], ends[count], start = start, i, run
                count += 1
            i = run
        starts[count], ends[count] = start, end
        count += 1
        doc_offsets[doc + 1] = count
    return count


@kernel
def _hash(body: Any, starts: Any, ends: Any, chars: Any, hashes: Any) -> None:
    for k in range(len(starts)):
        hashes[k], chars[k] = hash_and_length(body, starts[k], ends[k])


@kernel
def _count_tokens(words: Any, stops: Any, out: Any) -> None:
    for doc in range(len(words.doc_offsets) - 1):
        first, last = words.doc_offsets[doc], words.doc_offsets[doc + 1]
        plain, length, alphabetic, found = 0, 0, 0, 0
        for word in range(first, last):
            is_plain = words.every[word] & PUNCTUATION == 0
            plain += is_plain
            length += words.chars[word] * is_plain
            alphabetic += words.some[word] & LETTER != 0
            if words.chars[word] <= 4:
                for k in range(len(stops)):
                    found |= (words.hashes[word] == stops[k]) << k
        out[0, doc], out[1, doc], out[2, doc], out[3, doc] = last - first, plain, length, alphabetic
        while found:
            out[4, doc] += found & 1
            found >>= 1


@kernel
def row_end(body: Any, i: int, end: int) -> tuple[int, int]:
    """Return where the line from i ends, and where the next one starts (str.splitlines)."""
    while i < end:
        byte = body[i]
        if byte == 13:
            return i, i + 2 if i + 1 < end and body[i + 1] == 10 else i + 1
        if 10 <= byte <= 12 or 28 <= byte <= 30:
            return i, i + 1
        if byte == 0xC2 and body[i + 1] == 0x85:
            return i, i + 2
        if byte == 0xE2 and body[i + 1] == 0x80 and (body[i + 2] == 0xA8 or body[i + 2] == 0xA9):
            return i, i + 3
        i += 1
    return end, end


@kernel
def _count_rows(body: Any, offsets: Any, flags: Any, out: Any) -> None:
    for doc in range(len(offsets) - 1):
        i, stop = offsets[doc], offsets[doc + 1]
        while i < stop:
            start = i
            end, i = row_end(body, i, stop)
            start, end = strip_span(body, start, end, flags)
            out[0, doc] += 1
            if end - start >= 3:
                three = (body[end - 3], body[end - 2], body[end - 1])
                out[2, doc] += three in ((46, 46, 46), (226, 128, 166))
            if end > start:
                point, _ = decode_utf8(body, start)
                out[1, doc] += point == 0x2022 or point == ord("-")


@kernel
def _holds_symbol(body: Any, i: int, end: int) -> bool:
    while i < end:
        if body[i] == ord("#") or (body[i] == 0xE2 and body[i + 1] == 0x80 and body[i + 2] == 0xA6):
            return True
        i += 1
    return False


@kernel
def _count_words(body: Any, words: Any, stops: Any, out: Any) -> None:
    for doc in range(len(words.doc_offsets) - 1):
        first, last = words.doc_offsets[doc], words.doc_offsets[doc + 1]
        count, length, symbols, alphabetic, found = last - first, 0, 0, 0, 0
        for word in range(first, last):
            length += words.chars[word]
            symbols += _holds_symbol(body, words.starts[word], words.ends[word])
            alphabetic += words.some[word] & LETTER != 0
            if words.chars[word] <= 4:
                for k in range(len(stops)):
                    found += words.hashes[word] == stops[k]
        out[0, doc], out[1, doc], out[2, doc], out[3, doc], out[4, doc] = count, length, symbols, alphabetic, found
        if count:
            out[5, doc] = _middle(words.chars[first:last])
            out[6, doc] = 2


@kernel
def _middle(chars: Any) -> int:
    """Return the sum of the lower and the upper middle of some lengths; those above 63 count as 63."""
    tally = np.zeros(64, np.int64)
    for length in chars:
        tally[min(length, 63)] += 1
    low, high, seen, total = -1, -1, 0, len(chars)
    for length in range(64):
        seen += tally[length]
        if low < 0 and seen >= (total + 1) // 2:
            low = length
        if high < 0 and seen >= total // 2 + 1:
            high = length
    return low + high


@kernel
def _count_lines(body: Any, lines: Any, out: Any) -> None:
    doc_offsets, starts, ends, chars, hashes = lines
    slots = table_size(longest_document(doc_offsets))
    keys, stamps, counts = np.zeros(slots, np.uint64), np.full(slots, -1, np.int64), np.zeros(slots, np.int64)
    for doc in range(len(doc_offsets) - 1):
        first, last = doc_offsets[doc], doc_offsets[doc + 1]
        size = table_size(last - first)
        out[0, doc] = last - first
        for line in range(first, last):
            start, end = starts[line], ends[line]
            out[1, doc] += end > start and (body[start] == ord("*") or body[start] == ord("-"))
            out[2, doc] += (
                end - start >= 3 and body[end - 3] == 0xE2 and body[end - 2] == 0x80 and body[end - 1] == 0xA6
            )
            slot = np.int64(hashes[line] & np.uint64(size - 1))
            while stamps[slot] == doc and keys[slot] != hashes[line]:
                slot = (slot + 1) & (size - 1)
            copies = counts[slot] + 1 if stamps[slot] == doc else 1
            keys[slot], stamps[slot], counts[slot] = hashes[line], doc, copies
            told = 0 if copies == 1 else 2 if copies == 2 else 1  # the first copy when there is a second
            out[3, doc] += told
            out[4, doc] += told * chars[line]
