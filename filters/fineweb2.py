"""FineWeb2's filters with a bound for each language (Penedo et al. 2025, arXiv 2506.20920).

fineweb2.tsv holds the bounds of 171 of lid.176's languages, taken from the published configuration files
(github.com/huggingface/fineweb-2, configs/, Apache-2.0, commit d0defb24): thresholds, and the stop words that they
count. English has none there, nor have bh, eml, nah and sh: these texts pass.

What differs: words and duplicates are counted as in `filters.gopher` and `filters.fineweb`, with our segmentation and
not with the tokenizer that each bound was made with; where that one cuts words that stand without spaces, and in
Korean its particles, a stop word counts wherever its characters stand; composed and decomposed letters are the same;
language scores are missing, for they are those of another model (GlotLID).
"""

from functools import cache
from pathlib import Path
from typing import Any
from unicodedata import normalize

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from filters.fineweb import COLUMNS as FINEWEB_COLUMNS
from filters.fineweb import fineweb_signals
from filters.lines import Lines
from filters.literals import Literals, compile_literals, next_candidate, stands_at
from filters.native import kernel, string_buffers
from filters.segmentation import Segmentation, segment

VERSION = 1

TABLE = Path(__file__).with_name("fineweb2.tsv")
# no spaces between words, or (Korean) particles inside them that the published stop words are
INSIDE_WORDS = frozenset({"ja", "zh", "yue", "wuu", "th", "lo", "km", "my", "bo", "dz", "ko"})
COLUMNS = (*(name.replace("fineweb_", "fineweb2_") for name in FINEWEB_COLUMNS), "fineweb2_stop_word_count")


@cache
def settings() -> dict[str, dict[str, str]]:
    """Return language -> column of the table -> what stands there."""
    names, *rows = (line.split("\t") for line in TABLE.read_text("utf-8").splitlines())
    return {row[0]: dict(zip(names, row, strict=True)) for row in rows}


def bounds_of(column: str) -> dict[str, float]:
    """Return language -> the number in a column of the table."""
    return {language: float(row[column]) for language, row in settings().items()}


def fineweb2_signals(
    text: pa.StringArray, words: Segmentation, lines: Lines, language: pa.StringArray
) -> pa.RecordBatch:
    """Return COLUMNS, int32, shape (len(text),): FineWeb's measures of the whole text, and distinct stop words."""
    whole = fineweb_signals(text, words, lines, np.ones(len(lines.starts), np.uint8))
    columns = [*whole.columns, pa.array(_stop_words(text, words, language))]
    return pa.RecordBatch.from_arrays(columns, list(COLUMNS))


def _stop_words(text: pa.StringArray, words: Segmentation, language: pa.StringArray) -> npt.NDArray[np.int32]:
    out = np.zeros(len(text), np.int32)
    codes = language.to_numpy(zero_copy_only=False)
    for code in pc.unique(language).to_pylist():
        if code not in settings():
            continue
        rows = np.flatnonzero(codes == code)
        if code in INSIDE_WORDS:
            _search(*string_buffers(text), rows, _literals(code), out)
        else:
            _count(words.doc_offsets, words.hashes, rows, _hashes(code), out)
    return out


@cache
def _forms(code: str) -> tuple[str, ...]:
    """Return the stop words of a language, composed and decomposed."""
    held = settings()[code]["stopwords"]
    return tuple(dict.fromkeys(f"{normalize('NFC', held)} {normalize('NFD', held)}".split()))


@cache
def _literals(code: str) -> Literals:
    return compile_literals(_forms(code))


@cache
def _hashes(code: str) -> npt.NDArray[np.uint64]:
    hashes: npt.NDArray[np.uint64] = np.unique(segment(pa.array(_forms(code))).hashes)
    return hashes


@kernel
def _count(doc_offsets: Any, hashes: Any, rows: Any, stops: Any, out: Any) -> None:
    table = np.full(256, -1, np.int64)  # the low bits of a hash -> the last stop word that has them
    after = np.full(len(stops), -1, np.int64)
    for k in range(len(stops)):
        slot = np.int64(stops[k] & np.uint64(255))
        after[k], table[slot] = table[slot], k
    for row in rows:
        seen = np.zeros(len(stops), np.bool_)
        for word in range(doc_offsets[row], doc_offsets[row + 1]):
            k = table[np.int64(hashes[word] & np.uint64(255))]
            while k >= 0:
                if stops[k] == hashes[word] and not seen[k]:
                    seen[k] = True
                    out[row] += 1
                k = after[k]


@kernel
def _search(body: Any, offsets: Any, rows: Any, stops: Literals, out: Any) -> None:
    """Count the stop words that stand anywhere in a row; what is found is not looked for again."""
    one = np.uint64(1)
    for row in rows:
        left = (one << np.uint64(len(stops.lengths))) - one
        batch = (offsets[row], offsets[row + 1])
        i, found = next_candidate(body, batch[0], batch[1], left, stops)
        while found:
            k = np.uint64(0)
            while found:
                if found & one and stands_at(body, batch, i, np.int64(k), stops):
                    left &= ~(one << k)
                    out[row] += 1
                found, k = found >> one, k + one
            if not left:
                break
            i, found = next_candidate(body, i + 1, batch[1], left, stops)
