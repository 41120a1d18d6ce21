"""C4's rules as others read them: the paper, the code that made C4, and datatrove; and FineWeb's after datatrove's.

What is the same in all (Raffel et al. 2020, section 2.2; TensorFlow Datasets 4.9, c4_utils.clean_page; datatrove 0.10,
C4QualityFilter): lines are those of str.splitlines(), words those of str.split(); citations ("[12]", "[edit]",
"[citation needed]") are cut out; a line with a word of more than 1,000 characters goes, and so does one with
"javascript" or a phrase of cookie and policy notes; "lorem ipsum" or "{" in a line that has come so far ends the page.

              words a line   sentences a page   ends of lines   sentences by
  c4@paper    3              5                  . ? ! "         our sentence_counts (the paper names no splitter)
  c4@code     5              3                  . ? ! "         the same; the code has NLTK's punkt, a trained model
  c4@datatrove 3, citations  5                  any             spaCy's sentencizer, as datatrove has it
              counted

datatrove asks for ends of lines unless told otherwise; c4@datatrove is how FineWeb runs it, without.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from filters.c4 import CURLY_BRACKET, JAVASCRIPT, LOREM_IPSUM, MAX_WORD_CHARS, PHRASES, POLICY
from filters.gopher_variants import repeated_text, row_end
from filters.line_characters import FLAGS, SPACE
from filters.lines import Lines, strip_span
from filters.native import decode_utf8, kernel, string_buffers
from filters.peer_characters import DIGIT, MARK, SENTENCE_END, TERMINAL, flags
from filters.peer_words import Tokens, peer_words
from filters.phrases import find_phrases
from filters.sentences import sentence_counts

VERSION = 1

# what becomes of a line, in the order in which it is asked; the last two end the page, what follows is UNREAD
PASSED, LONG_WORD, NO_END, FEW_WORDS, OF_LOREM_IPSUM, OF_JAVASCRIPT, OF_BRACKET, OF_POLICY, UNREAD = range(9)
COUNTED = (
    "passed_line_count",
    "long_word_line_count",
    "no_end_line_count",
    "few_words_line_count",
    "lorem_ipsum_line_count",
    "javascript_line_count",
    "curly_bracket_line_count",
    "policy_line_count",
)
FINEWEB_COLUMNS = (
    "fineweb_datatrove_line_count",  # of the text that c4@datatrove leaves, lines that are not blank
    "fineweb_datatrove_terminal_line_count",
    "fineweb_datatrove_short_line_count",  # of at most 30 characters
    "fineweb_datatrove_duplicate_line_char_count",
    "fineweb_datatrove_char_count",  # without newlines
    "fineweb_datatrove_newline_count",
    "fineweb_datatrove_word_count",  # tokens
)
SHORT_CHARS = 30


@dataclass(frozen=True)
class Reading:
    """One way to read C4's rules. `ends`: what a line must end in, "": anything; not in "..." then."""

    prefix: str
    min_words: int
    ends: str
    counts_citations: bool  # as words of the line
    peer_sentences: bool

    @property
    def columns(self) -> tuple[str, ...]:
        """Return the names of its signals."""
        return (*(f"{self.prefix}_{name}" for name in COUNTED), f"{self.prefix}_sentence_count")


PAPER = Reading("c4_paper", 3, '.?!"', False, False)
CODE = Reading("c4_code", 5, '.?!"', False, False)
DATATROVE = Reading("c4_datatrove", 3, "", True, True)
READINGS = (PAPER, CODE, DATATROVE)


@dataclass(frozen=True)
class Rows:
    """The lines of a batch without white space around them and without citations.

    text         one text a document, its lines separated by a newline, dropped ones among them
    starts, ends int32[n]: offsets of lines in its bytes; doc_offsets int64: lines of each document
    words        int32[2, n]: words before citations are cut out, and after
    long_word    bool[n]
    """

    text: pa.StringArray
    starts: npt.NDArray[np.int32]
    ends: npt.NDArray[np.int32]
    doc_offsets: npt.NDArray[np.int64]
    words: npt.NDArray[np.int32]
    long_word: npt.NDArray[np.bool_]
    found: npt.NDArray[np.uint8]  # flags of phrases


def clean_rows(text: pa.StringArray) -> Rows:
    """Return the lines that all readings look at; measured once for all of them."""
    body, offsets = string_buffers(text)
    size = int(offsets[-1]) - int(offsets[0])
    room = _count_rows(body, offsets)
    out = np.empty(size + room, np.uint8)
    starts, ends = np.zeros(room, np.int32), np.zeros(room, np.int32)
    doc_offsets, bounds = np.zeros(len(offsets), np.int64), np.zeros(len(offsets), np.int32)
    words, long_word = np.zeros((2, room), np.int32), np.zeros(room, np.bool_)
    told = (starts, ends, doc_offsets, bounds, words, long_word)
    written = _clean(body, offsets, (FLAGS, flags()), out, told)
    cleaned = _strings(out[:written], bounds)
    found = find_phrases(cleaned, _as_lines(starts, ends, doc_offsets), PHRASES)
    return Rows(cleaned, starts, ends, doc_offsets, words, long_word, found)


def read_c4(rows: Rows, reading: Reading, words: Tokens | None = None) -> tuple[pa.StringArray, pa.RecordBatch]:
    """Return (the text of lines that pass, its signals: `reading.columns`, int32, shape (len(text),)).

    `words` are `peer_words(rows.text)`, which only c4@datatrove needs. The text is stripped, as
    the peers' is. After a line that ends the page no line is read, and none is counted.
    """
    fate = _fates(rows, reading)
    kept = (fate == PASSED).astype(np.uint8)
    sentences = _peer_sentences(rows, kept, words) if reading.peer_sentences else _own_sentences(rows, kept)
    counts = [_sums(fate == kind, rows.doc_offsets) for kind in range(UNREAD)]
    columns = [*counts, _sums(sentences, rows.doc_offsets)]
    arrays = [pa.array(column) for column in columns]
    return _kept_text(rows, kept), pa.RecordBatch.from_arrays(arrays, list(reading.columns))


def fineweb_signals(text: pa.StringArray, rows: Rows, words: Tokens) -> pa.RecordBatch:
    """Return FINEWEB_COLUMNS, int32, of texts that c4@datatrove has left of rows; `words` are `peer_words(rows.text)`.

    The tokens of what is left are those of the lines that are left.
    """
    body, offsets = string_buffers(text)
    out = np.zeros((len(FINEWEB_COLUMNS), len(text)), np.int32)
    out[3] = repeated_text(body, offsets)
    _measure_fineweb(body, offsets, (FLAGS, flags()), out)
    out[6] = _sums(_words_of_kept(rows, words), rows.doc_offsets)
    return pa.RecordBatch.from_arrays([pa.array(column) for column in out], list(FINEWEB_COLUMNS))


def _words_of_kept(rows: Rows, words: Tokens) -> npt.NDArray[np.int64]:
    kept = _fates(rows, DATATROVE) == PASSED
    counts: npt.NDArray[np.int64] = np.diff(np.searchsorted(words.starts, rows.starts), append=len(words.starts))
    return np.where(kept, counts, 0)


def _fates(rows: Rows, reading: Reading) -> npt.NDArray[np.uint8]:
    """Return what becomes of each line, uint8[n_lines]."""
    body, _ = string_buffers(rows.text)
    fate = np.zeros(len(rows.starts), np.uint8)
    _judge(
        body,
        (rows.doc_offsets, rows.starts, rows.ends),
        (rows.words[0 if reading.counts_citations else 1], rows.long_word, rows.found),
        (reading.min_words, reading.ends != "", _end_bytes(reading.ends)),
        fate,
    )
    return fate


@cache
def _end_bytes(ends: str) -> npt.NDArray[np.uint8]:
    table = np.zeros(256, np.uint8)
    table[list(ends.encode("ascii"))] = 1
    return table


def _strings(body: npt.NDArray[np.uint8], bounds: npt.NDArray[np.int32]) -> pa.StringArray:
    return pa.StringArray.from_buffers(len(bounds) - 1, pa.py_buffer(bounds), pa.py_buffer(body))


def _as_lines(starts: Any, ends: Any, doc_offsets: Any) -> Lines:
    blank: Any = np.zeros(0)
    return Lines(starts, ends, doc_offsets, blank, blank, blank)  # what looks at spans alone


def _sums(values: npt.NDArray[Any], doc_offsets: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
    sums = np.zeros(len(values) + 1, np.int64)
    np.cumsum(values, out=sums[1:])
    return np.diff(sums[doc_offsets]).astype(np.int32)


def _own_sentences(rows: Rows, kept: npt.NDArray[np.uint8]) -> npt.NDArray[np.int32]:
    return sentence_counts(rows.text, _as_lines(rows.starts, rows.ends, rows.doc_offsets), kept)


def _peer_sentences(rows: Rows, kept: npt.NDArray[np.uint8], given: Tokens | None) -> npt.NDArray[np.int32]:
    """Return the sentences of each kept line: one, and one more at each token that is no mark, once one has ended."""
    body, _ = string_buffers(rows.text)
    words = peer_words(rows.text) if given is None else given
    out = np.zeros(len(kept), np.int32)
    _count_sentences(body, (rows.starts, rows.ends), kept, words, FLAGS, out)
    return out


def _kept_text(rows: Rows, kept: npt.NDArray[np.uint8]) -> pa.StringArray:
    body, _ = string_buffers(rows.text)
    out, bounds = np.empty(len(body), np.uint8), np.zeros(len(rows.doc_offsets), np.int32)
    written = _copy_kept(body, (rows.doc_offsets, rows.starts, rows.ends), kept, FLAGS, out, bounds)
    return _strings(out[:written], bounds)


@kernel
def _count_rows(body: Any, offsets: Any) -> int:
    count = 0
    for doc in range(len(offsets) - 1):
        i = offsets[doc]
        while i < offsets[doc + 1]:
            _, i = row_end(body, i, offsets[doc + 1])
            count += 1
    return count


@kernel
def _spells(body: Any, i: int, end: int, letters: Any) -> bool:
    if end - i < len(letters):
        return False
    for k in range(len(letters)):  # noqa: SIM110 (a kernel has no generators)
        if body[i + k] != ord(letters[k]):
            return False
    return True


@kernel
def _past_citation(body: Any, i: int, end: int, kinds: Any) -> int:
    """Return where a citation that starts at body[i], a "[", ends; i where there is none."""
    at = i + 1
    while at < end:
        point, size = decode_utf8(body, at)
        if kinds[point] & DIGIT == 0:
            break
        at += size
    if at < end and body[at] == ord("]"):
        return at + 1
    if _spells(body, i, end, "[edit]"):
        return i + 6
    return i + 17 if _spells(body, i, end, "[citation needed]") else i


@kernel
def _words_in(body: Any, i: int, end: int, spaces: Any) -> tuple[int, int]:
    """Return the words of body[i:end], and the characters of the longest one."""
    words, run, longest = 0, 0, 0
    while i < end:
        point, size = decode_utf8(body, i)
        if point < len(spaces) and spaces[point] & SPACE:
            run = 0
        else:
            words += run == 0
            run += 1
            longest = max(longest, run)
        i += size
    return words, longest


@kernel
def _clean(body: Any, offsets: Any, tables: Any, out: Any, told: Any) -> int:
    spaces, kinds = tables
    starts, ends, doc_offsets, bounds, words, long_word = told
    row, o = 0, 0
    for doc in range(len(offsets) - 1):
        i, stop = offsets[doc], offsets[doc + 1]
        first = row
        while i < stop:
            start = i
            end, i = row_end(body, i, stop)
            start, end = strip_span(body, start, end, spaces)
            if row > first:
                out[o] = 10
                o += 1
            starts[row], cited = o, False
            at = start
            while at < end:
                past = _past_citation(body, at, end, kinds) if body[at] == ord("[") else at
                if past > at:
                    at, cited = past, True
                    continue
                out[o] = body[at]
                o, at = o + 1, at + 1
            ends[row] = o
            words[0, row], longest = _words_in(body, start, end, spaces)
            words[1, row] = _words_in(out, starts[row], o, spaces)[0] if cited else words[0, row]
            long_word[row] = longest > MAX_WORD_CHARS
            row += 1
        doc_offsets[doc + 1], bounds[doc + 1] = row, o
    return o


@kernel
def _fate_of(body: Any, line: Any, measured: Any, asked: Any) -> int:
    start, end = line
    words, long_word, found = measured
    min_words, needs_end, ends = asked
    if long_word:
        return LONG_WORD
    trails = end - start >= 3 and body[end - 1] == body[end - 2] == body[end - 3] == ord(".")
    if needs_end and (end == start or trails or not ends[body[end - 1]]):
        return NO_END
    if words < min_words:
        return FEW_WORDS
    if found & LOREM_IPSUM:
        return OF_LOREM_IPSUM
    if found & JAVASCRIPT:
        return OF_JAVASCRIPT
    if found & CURLY_BRACKET:
        return OF_BRACKET
    return OF_POLICY if found & POLICY else PASSED


@kernel
def _judge(body: Any, rows: Any, measured: Any, asked: Any, out: Any) -> None:
    doc_offsets, starts, ends = rows
    words, long_word, found = measured
    for doc in range(len(doc_offsets) - 1):
        ended = False
        for row in range(doc_offsets[doc], doc_offsets[doc + 1]):
            if ended:
                out[row] = UNREAD
                continue
            out[row] = _fate_of(body, (starts[row], ends[row]), (words[row], long_word[row], found[row]), asked)
            ended = out[row] == OF_LOREM_IPSUM or out[row] == OF_BRACKET


@kernel
def _trails_in_space(body: Any, start: int, end: int, spaces: Any) -> bool:
    """Say whether spaCy has a token of white space at the end: more than one space, or another white space."""
    bare = strip_span(body, start, end, spaces)[1]
    return end > bare and (end - bare > 1 or body[bare] != ord(" "))


@kernel
def _count_sentences(body: Any, lines: Any, kept: Any, words: Any, spaces: Any, out: Any) -> None:
    starts, ends = lines
    word = 0
    for line in range(len(starts)):
        sentences, ended, before = 1, False, starts[line]
        while word < len(words.starts) and words.starts[word] < ends[line]:
            one, every = words.chars[word] == 1, words.every[word]
            is_end = one and every & SENTENCE_END != 0
            gap = words.starts[word] - before
            space = gap > 1 or (gap == 1 and body[before] != ord(" "))
            if ended and (space or (not is_end and not every & MARK)):
                sentences += 1
                ended = False
            ended = ended or is_end
            before = words.ends[word]
            word += 1
        if ended and before > starts[line]:
            sentences += _trails_in_space(body, starts[line], ends[line], spaces)
        if kept[line]:
            out[line] = sentences


@kernel
def _copy_kept(body: Any, rows: Any, kept: Any, spaces: Any, out: Any, bounds: Any) -> int:
    doc_offsets, starts, ends = rows
    o = 0
    for doc in range(len(doc_offsets) - 1):
        begin = o
        for row in range(doc_offsets[doc], doc_offsets[doc + 1]):
            if not kept[row]:
                continue
            for i in range(starts[row], ends[row]):
                out[o] = body[i]
                o += 1
            out[o] = 10
            o += 1
        start, end = strip_span(out, begin, o, spaces)
        for i in range(start, end):
            out[begin + i - start] = out[i]
        o = begin + end - start
        bounds[doc + 1] = o
    return o


@kernel
def _measure_fineweb(body: Any, offsets: Any, tables: Any, out: Any) -> None:
    spaces, kinds = tables
    for doc in range(len(offsets) - 1):
        i, stop = offsets[doc], offsets[doc + 1]
        while i < stop:
            chars, blank, last = 0, True, 0
            while i < stop and body[i] != 10:
                last, size = decode_utf8(body, i)
                blank = blank and last < len(spaces) and spaces[last] & SPACE != 0
                chars += 1
                i += size
            out[5, doc] += i < stop
            i += 1
            out[4, doc] += chars
            if not blank:
                out[0, doc] += 1
                out[1, doc] += kinds[last] & TERMINAL != 0
                out[2, doc] += chars <= SHORT_CHARS
