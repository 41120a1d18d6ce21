"""How many listed words a text holds, and in which lines: whole words only, in the list of the text's own language.

A term counts where it begins and ends with a word of the shared segmentation: "Scunthorpe" and "Sussex" hold none.
In Chinese, Japanese and Thai, where the words are a model's guess, that leaves out a part of what a search of the
bare characters would find, and most of what it would find wrongly; a Japanese term may also end before the kana of its
particle or verb ending. White space inside a term matches any white space but the end of a paragraph. Of terms that
overlap the first counts, and of those that begin together the longest.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from filters.code_points import code_points, lower_case
from filters.lines import Lines
from filters.native import decode_utf8, kernel, mix64, string_buffers
from filters.rules import Rule
from filters.safety.word_lists import FACTOR, JAPANESE, PREFIX, SEED, TERM, Tables, WordLists
from filters.segmentation import Segmentation

VERSION = 1

COLUMNS = (
    "listed_word_count",  # terms of the list that the text holds
    "listed_line_count",  # lines with one or more
)
DATA_JUICER_SHARE = 0.045  # flagged_words_filter's default, data-juicer 1.x

_NO_LIST = -1
_MOST_GAP = 2  # newlines and spaces between words of one term


@dataclass(frozen=True)
class Hits:
    """What was found, in order: bytes [starts, ends) of the batch's value buffer; int32[n]."""

    starts: npt.NDArray[np.int32]
    ends: npt.NDArray[np.int32]
    doc_offsets: npt.NDArray[np.int64]  # hits of text i: [doc_offsets[i], doc_offsets[i + 1])


def find_listed(text: pa.StringArray, language: pa.StringArray, words: Segmentation, lists: WordLists) -> Hits:
    """Return the listed terms of every text; none where its language has no list."""
    data, _ = string_buffers(text)
    starts, ends = np.zeros(len(words.starts), np.int32), np.zeros(len(words.starts), np.int32)
    doc_offsets = np.zeros(len(text) + 1, np.int64)
    coded = language.dictionary_encode()
    codes = [*coded.dictionary.to_pylist(), ""]
    index = coded.indices.fill_null(len(codes) - 1).to_numpy(zero_copy_only=False)
    numbers = np.array([lists.numbers.get(code, _NO_LIST) for code in codes], np.int64)[index]
    kana_may_follow = np.array([code == JAPANESE for code in codes])[index]
    spans = (words.starts, words.ends, words.doc_offsets)
    characters = (lower_case(), _hiragana())
    count = _find(data, spans, (numbers, kana_may_follow), lists.tables, characters, (starts, ends, doc_offsets))
    return Hits(starts[:count], ends[:count], doc_offsets)


def line_counts(hits: Hits, lines: Lines) -> npt.NDArray[np.int64]:
    """Return how many terms begin in each line: int64[n_lines]."""
    of = np.searchsorted(lines.starts, hits.starts, side="right") - 1
    return np.bincount(of, minlength=len(lines.starts))


def word_signals(
    text: pa.StringArray, language: pa.StringArray, words: Segmentation, lines: Lines, lists: WordLists
) -> pa.RecordBatch:
    """Return COLUMNS, int32, shape (len(text),); null where there is no list of the text's language."""
    hits = find_listed(text, language, words, lists)
    held = np.append(0, np.cumsum(line_counts(hits, lines) > 0))
    columns = (np.diff(hits.doc_offsets), np.diff(held[lines.doc_offsets]))
    unknown = ~np.isin(np.array(language.fill_null("").to_pylist(), object), list(lists.numbers))
    arrays = [pa.array(column.astype(np.int32), mask=unknown) for column in columns]
    return pa.RecordBatch.from_arrays(arrays, list(COLUMNS))


def word_rules(lists: WordLists) -> dict[str, tuple[Rule, ...]]:
    """Return the rule sets by name; they are for the languages that have a list.

    badwords_c4_v1    no listed word at all, as in C4 (Raffel et al. 2020, section 2.2)
    badwords_soft_v1  at most 4.5 % of the words are listed, as in Data-Juicer's flagged_words_filter
    RefinedWeb asks for no words of texts, only for those of URLs (Penedo et al. 2023, appendix G.1).
    """
    languages = frozenset(lists.numbers)
    none = Rule("badwords_c4_v1/listed_word_count", "listed_word_count", max=0, languages=languages)
    few = Rule(
        "badwords_soft_v1/listed_word_fraction",
        "listed_word_count",
        "word_count",
        max=DATA_JUICER_SHARE,
        languages=languages,
    )
    return {"badwords_c4_v1": (none,), "badwords_soft_v1": (few,)}


@cache
def _hiragana() -> Any:
    """Return 1 for Hiragana: uint8[CODE_POINTS]."""
    table = np.zeros(len(lower_case()), np.uint8)
    table[code_points(r"\p{Hiragana}")] = 1
    table.setflags(write=False)
    return table


@kernel
def _kind(state: Any, number: int, tables: Tables) -> int:
    """Return what a hash is in a language: TERM, PREFIX, both or 0."""
    value = mix64(state)
    first = tables.starts[number]
    mask = np.uint64(tables.starts[number + 1] - first - 1)
    at = value & mask
    while tables.slots[first + np.int64(at)]:
        if tables.slots[first + np.int64(at)] == value:
            return int(tables.kinds[first + np.int64(at)])
        at = (at + np.uint64(1)) & mask
    return 0


@kernel
def _is_space(point: int) -> bool:
    return point == 32 or 9 <= point <= 13 or point in (0xA0, 0x3000)


@kernel
def _longest(data: Any, ends: Any, at: Any, rule: Any, tables: Tables, characters: Any) -> int:
    """Return the end of the longest term that begins with word at[0] of a text whose last word is at[1] - 1; or 0.

    at = (word, words, first byte); rule = (number of the language's table, whether kana may follow)
    """
    word, last, i = at
    number, kana_may_follow = rule
    lowers, hiragana = characters
    state, best, stop = SEED, 0, ends[last - 1]
    while i < stop:
        point, width = decode_utf8(data, i)
        space = _is_space(point)
        state = (state ^ np.uint64(32 if space else lowers[point])) * FACTOR
        kind = _kind(state, number, tables)
        if not kind:
            return best
        i += width
        gap = 0
        while space and gap < _MOST_GAP and i < stop and _is_space(data[i]):
            i += 1
            gap += 1
        while word < last and ends[word] < i:
            word += 1
        if kind & TERM:
            whole = word < last and ends[word] == i
            if not whole and kana_may_follow and not hiragana[point]:
                following, _ = decode_utf8(data, i)
                whole = hiragana[following] != 0
            if whole:
                best = i
        if not kind & PREFIX:
            return best
    return best


@kernel
def _find(data: Any, spans: Any, rules: Any, tables: Tables, characters: Any, out: Any) -> int:
    starts, ends, doc_offsets = spans
    numbers, kana_may_follow = rules
    found_starts, found_ends, found_offsets = out
    count = 0
    for doc in range(len(doc_offsets) - 1):
        free = 0
        if numbers[doc] >= 0:
            last = doc_offsets[doc + 1]
            for word in range(doc_offsets[doc], last):
                if starts[word] < free:
                    continue
                at = (word, last, int(starts[word]))
                end = _longest(data, ends, at, (numbers[doc], kana_may_follow[doc]), tables, characters)
                if end:
                    found_starts[count], found_ends[count], free = starts[word], end, end
                    count += 1
        found_offsets[doc + 1] = count
    return count
