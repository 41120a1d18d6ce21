"""C4's line edits and page measures (Raffel et al. 2020, section 2.2), as FineWeb uses them.

What differs from the paper and from other implementations:
  - lines need no terminal punctuation, unless asked for (Penedo et al. 2024, section 3.4, found it costs too much);
  - a word is a word of the shared segmentation, so the 3 words of a line mean the same in Japanese and in English;
  - an over-long word is a run without white space and without a letter of a script that writes none;
  - citations like [12] stay in the text (an edit keeps or drops whole lines) and don't hide a sentence's end;
  - lorem ipsum and curly brackets are looked for in the lines that are kept;
  - the phrases of cookie and policy lines are English ones;
  - no list of bad words, no limit of page length, and no deduplication of lines between pages.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from filters.line_characters import FLAGS, SPACE, UNSPACED
from filters.lines import Lines
from filters.native import decode_utf8, kernel, string_buffers
from filters.phrases import Phrase, find_phrases
from filters.segmentation import Segmentation
from filters.sentences import sentence_counts

VERSION = 1

MIN_WORDS_IN_LINE = 3
MAX_WORD_CHARS = 1000

JAVASCRIPT, POLICY, LOREM_IPSUM, CURLY_BRACKET = 1, 2, 4, 8
PHRASES: tuple[Phrase, ...] = (
    ("javascript", JAVASCRIPT),
    ("terms of use", POLICY),
    ("privacy policy", POLICY),
    ("cookie policy", POLICY),
    ("uses cookies", POLICY),
    ("use of cookies", POLICY),
    ("use cookies", POLICY),
    ("lorem ipsum", LOREM_IPSUM),
    ("{", CURLY_BRACKET),
)

# why a line is dropped: the first of these that holds, in this order
KEPT, BLANK, LONG_WORD, NO_TERMINAL, FEW_WORDS, OF_JAVASCRIPT, OF_POLICY = range(7)
COLUMNS = (
    "c4_kept_line_count",
    "c4_long_word_line_count",
    "c4_no_terminal_line_count",
    "c4_few_words_line_count",
    "c4_javascript_line_count",
    "c4_policy_line_count",
    "c4_lorem_ipsum_line_count",  # these three are of kept lines
    "c4_curly_bracket_line_count",
    "c4_sentence_count",
)
_OF_REASON = (KEPT, LONG_WORD, NO_TERMINAL, FEW_WORDS, OF_JAVASCRIPT, OF_POLICY)


def c4_edit(
    text: pa.StringArray, words: Segmentation, lines: Lines, *, terminal_punctuation: bool = False
) -> tuple[npt.NDArray[np.uint8], pa.RecordBatch]:
    """Return (1 for each line that stays: uint8[n_lines], COLUMNS: int32, shape (len(text),)).

    Blank lines go. terminal_punctuation: drop lines that end no sentence, or end in "..." or "…".
    """
    found = find_phrases(text, lines, PHRASES)
    reasons = _line_reasons(text, words, lines, found, terminal_punctuation)
    kept = (reasons == KEPT).astype(np.uint8)
    per_line = [
        *(reasons == reason for reason in _OF_REASON),
        kept & ((found & LOREM_IPSUM) != 0),
        kept & ((found & CURLY_BRACKET) != 0),
        sentence_counts(text, lines, kept),
    ]
    columns = [_sums(values, lines.doc_offsets) for values in per_line]
    return kept, pa.RecordBatch.from_arrays([pa.array(column) for column in columns], list(COLUMNS))


def _sums(values: npt.NDArray[Any], doc_offsets: npt.NDArray[np.int64]) -> npt.NDArray[np.int32]:
    """Add up a number of each line by text; a text has at least one line."""
    sums = np.zeros(len(values) + 1, np.int64)
    np.cumsum(values, out=sums[1:])
    return np.diff(sums[doc_offsets]).astype(np.int32)


def _line_reasons(
    text: pa.StringArray, words: Segmentation, lines: Lines, found: npt.NDArray[np.uint8], terminal_punctuation: bool
) -> npt.NDArray[np.uint8]:
    reasons = np.zeros(len(lines.starts), np.uint8)
    places = (lines.starts, lines.ends)
    word_counts = np.zeros(len(lines.starts), np.int32)
    _count_words(words.starts, lines.ends, word_counts)
    reasons[(found & POLICY) != 0] = OF_POLICY
    reasons[(found & JAVASCRIPT) != 0] = OF_JAVASCRIPT
    reasons[word_counts < MIN_WORDS_IN_LINE] = FEW_WORDS
    body = string_buffers(text)[0]
    if terminal_punctuation:
        reasons[_without_end(body, places, lines.terminal)] = NO_TERMINAL
    _mark_long_words(body, places, FLAGS, LONG_WORD, reasons)
    reasons[lines.starts == lines.ends] = BLANK
    return reasons


@kernel
def _count_words(word_starts: Any, line_ends: Any, out: Any) -> None:
    word = 0
    for line in range(len(line_ends)):
        first = word
        while word < len(word_starts) and word_starts[word] < line_ends[line]:
            word += 1
        out[line] = word - first


@kernel
def _without_end(body: Any, lines: Any, terminal: Any) -> Any:
    """Return for each line whether it ends no sentence, or trails off in "..."."""
    starts, ends = lines
    out = np.zeros(len(starts), np.bool_)
    for line in range(len(starts)):
        end = ends[line]
        trails = end - starts[line] >= 3 and body[end - 1] == body[end - 2] == body[end - 3] == ord(".")
        out[line] = trails or not terminal[line]
    return out


@kernel
def _mark_long_words(body: Any, lines: Any, flags: Any, reason: int, out: Any) -> None:
    starts, ends = lines
    for line in range(len(starts)):
        if ends[line] - starts[line] <= MAX_WORD_CHARS:
            continue
        i, run = starts[line], 0
        while i < ends[line]:
            point, size = decode_utf8(body, i)
            breaks = point < len(flags) and (flags[point] & (SPACE | UNSPACED)) != 0
            run = 0 if breaks else run + 1
            if run > MAX_WORD_CHARS:
                out[line] = reason
                break
            i += size
