"""MADLAD-400's questionable sentences (Kudugunta et al. 2023, arXiv 2309.04662, section 2.3): rules 2 and 5 of five.

  2  list case       a sentence of 12 words and more, of which more than half begin with a capital letter
  5  cursed regexes  a sentence that holds one of the strings that the paper lists (appendix), letter case regarded
A page with fewer than 5 sentences goes, and one of which more than 20 % of the sentences are questionable. AI2's
"all-dressed" recipe runs these two rules as well. Rule 1 (language of each sentence), rule 3 (length) and rule 4
(technical characters) are missing.

Sentences end as in `filters.sentences`; words are those of the shared segmentation. The list's " г." and " кг." end
Russian sentences about years and weights, which is why the bound is a share and not a single hit.
"""

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from filters.code_points import CODE_POINTS, code_points
from filters.line_characters import FLAGS
from filters.lines import Lines
from filters.literals import Literals, compile_literals, next_candidate, stands_at
from filters.native import decode_utf8, kernel, string_buffers
from filters.segmentation import Segmentation
from filters.sentences import ends_here, has_letter, lead_bytes, next_terminal, past_marks
from filters.spaced_out import is_spaced_out, may_be_spaced_out

VERSION = 1

MIN_LIST_WORDS = 12
_NEWLINE = 10

COLUMNS = (
    "madlad_sentence_count",
    "madlad_list_case_sentence_count",  # rule 2
    "madlad_cursed_sentence_count",  # rule 5
    "madlad_questionable_sentence_count",  # either
)
# the paper's list; where it asks for a sentence's end, white space may follow
_HELD = (
    "№", "\ufffd\ufffd\ufffd", "aute irure dolor ", " sunt in culpa qui ", "orem ipsum ", " quis nostrud ",
    " adipisicing ", " dolore eu ", " cupidatat ", "autem vel eum", "wisi enim ad", " sex ", " porn ", "黄色电影",
    "mp3", "ownload",
    "Vol.", " Ep.", "Episode", " шт.", "Develop", "Facebook", " crusher ", " xxx ",
)  # fmt: skip
_AT_THE_END = ("|", " nr.", " г.", " кг.")
_COMMA = ", "  # may begin four pairs of characters, each with a comma or two: ", ab, cd,, ef, gh,"
_PAIRS = 4


def questionable_signals(text: pa.StringArray, words: Segmentation, lines: Lines) -> pa.RecordBatch:
    """Return COLUMNS, int32, shape (len(text),); all 0 for an empty text."""
    body, offsets = string_buffers(text)
    bounds, doc_offsets = _sentence_bounds(body, offsets, lines)
    sentences = (bounds, doc_offsets, offsets)
    listed, cursed = np.zeros(len(bounds), np.bool_), np.zeros(len(bounds), np.bool_)
    _mark_list_case(body, sentences, (words.doc_offsets, words.starts), _capitals(), listed)
    _mark_held(body, sentences, _held(), cursed)
    _mark_ends(body, sentences, _ends(), cursed)
    _mark_spaced(body, sentences, cursed)
    columns = [np.diff(doc_offsets), *(_sums(flag, doc_offsets) for flag in (listed, cursed, listed | cursed))]
    arrays = [pa.array(column.astype(np.int32)) for column in columns]
    return pa.RecordBatch.from_arrays(arrays, list(COLUMNS))


@cache
def _held() -> Literals:
    return compile_literals([_COMMA, *_HELD])


@cache
def _ends() -> Literals:
    return compile_literals(_AT_THE_END)


@cache
def _capitals() -> npt.NDArray[np.bool_]:
    table = np.zeros(CODE_POINTS, np.bool_)
    table[code_points(r"[\p{Lu}\p{Lt}]")] = True
    table.setflags(write=False)
    return table


def _sentence_bounds(body: Any, offsets: Any, lines: Lines) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
    """Return (where sentences start, the sentences before each document); the last of a document ends with it."""
    room = (
        len(lines.starts) + (int(offsets[-1]) - int(offsets[0])) // 2
    )  # a sentence has a letter and a mark, or a line
    bounds, doc_offsets = np.empty(room, np.int32), np.zeros(len(offsets), np.int64)
    places = (lines.doc_offsets, lines.starts, lines.ends)
    count = _cut_sentences(body, offsets, places, (FLAGS, lead_bytes()), bounds, doc_offsets)
    return bounds[:count].copy(), doc_offsets


def _sums(values: npt.NDArray[Any], doc_offsets: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    sums = np.zeros(len(values) + 1, np.int64)
    np.cumsum(values, out=sums[1:])
    return np.diff(sums[doc_offsets])


@kernel
def _cut_sentences(body: Any, offsets: Any, lines: Any, tables: Any, bounds: Any, doc_offsets: Any) -> int:
    line_offsets, starts, ends = lines
    flags, leads = tables
    count = 0
    for doc in range(len(line_offsets) - 1):
        begin = offsets[doc]
        for line in range(line_offsets[doc], line_offsets[doc + 1]):
            start, end = starts[line], ends[line]
            since = start
            i = next_terminal(body, start, end, leads, flags)
            while i < end:
                past = past_marks(body, i, end, flags)
                if not has_letter(body, since, i, flags):
                    since = past
                elif ends_here(body, (start, end), i, past, flags):
                    bounds[count], begin, since = begin, past, past
                    count += 1
                i = next_terminal(body, past, end, leads, flags)
            if has_letter(body, since, end, flags):
                bounds[count], begin = begin, end
                count += 1
        doc_offsets[doc + 1] = count
    return count


@kernel
def _end_of(sentence: int, doc: int, sentences: Any) -> Any:
    bounds, doc_offsets, offsets = sentences
    return offsets[doc + 1] if sentence + 1 == doc_offsets[doc + 1] else bounds[sentence + 1]


@kernel
def _mark_list_case(body: Any, sentences: Any, words: Any, capitals: Any, out: Any) -> None:
    word_offsets, starts = words
    for doc in range(len(word_offsets) - 1):
        word, last = word_offsets[doc], word_offsets[doc + 1]
        for sentence in range(sentences[1][doc], sentences[1][doc + 1]):
            end = _end_of(sentence, doc, sentences)
            first, capital = word, 0
            while word < last and starts[word] < end:
                point, _ = decode_utf8(body, starts[word])
                capital += capitals[point]
                word += 1
            out[sentence] = word - first >= MIN_LIST_WORDS and 2 * capital > word - first


@kernel
def _after_pair(body: Any, i: int, end: int) -> int:
    """Return where a space, two characters that are no newlines and a comma end that start at i, or -1."""
    if i >= end or body[i] != ord(" "):
        return -1
    i += 1
    for _ in range(2):
        if i >= end or body[i] == _NEWLINE:
            return -1
        i += decode_utf8(body, i)[1]
    return i + 1 if i < end and body[i] == ord(",") else -1


@kernel
def _pairs_begin(body: Any, i: int, end: int) -> bool:
    """Say whether after the comma at i a list of pairs follows."""
    i += 1
    for pair in range(_PAIRS):
        if pair and i < end and body[i] == ord(","):
            i += 1
        i = _after_pair(body, i, end)
        if i < 0:
            return False
    return True


@kernel
def _mark_held(body: Any, sentences: Any, held: Literals, out: Any) -> None:
    _, doc_offsets, offsets = sentences
    every = ~np.uint64(0)
    for doc in range(len(offsets) - 1):
        sentence, start, end = doc_offsets[doc] - 1, offsets[doc], offsets[doc]
        if doc_offsets[doc] == doc_offsets[doc + 1]:
            continue
        i, found = next_candidate(body, start, offsets[doc + 1], every, held)
        while found:
            while i >= end:
                sentence, start = sentence + 1, end
                end = _end_of(sentence, doc, sentences)
            k = 0
            while found:
                if found & np.uint64(1) and stands_at(body, (start, end), i, k, held):
                    out[sentence] |= k > 0 or _pairs_begin(body, i, end)
                found, k = found >> np.uint64(1), k + 1
            i = end if out[sentence] else i + 1
            i, found = next_candidate(body, i, offsets[doc + 1], every, held)


@kernel
def _mark_ends(body: Any, sentences: Any, ends: Literals, out: Any) -> None:
    bounds, doc_offsets, offsets = sentences
    for doc in range(len(offsets) - 1):
        for sentence in range(doc_offsets[doc], doc_offsets[doc + 1]):
            start, i = bounds[sentence], _end_of(sentence, doc, sentences)
            while i > start and (body[i - 1] == ord(" ") or body[i - 1] in (9, 10, 12, 13)):
                i -= 1
            for k in range(len(ends.lengths)):
                at = i - ends.lengths[k]
                out[sentence] |= at >= start and stands_at(body, (start, i), at + ends.anchors[k], k, ends)


@kernel
def _mark_spaced(body: Any, sentences: Any, out: Any) -> None:
    bounds, doc_offsets, offsets = sentences
    for doc in range(len(offsets) - 1):
        if may_be_spaced_out(body, offsets[doc], offsets[doc + 1]):
            for sentence in range(doc_offsets[doc], doc_offsets[doc + 1]):
                end = _end_of(sentence, doc, sentences)
                out[sentence] = out[sentence] or is_spaced_out(body, bounds[sentence], end)
