"""Measure what a model does to texts, by language and in all. Whole numbers are kept; ratios follow."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from filters.native import string_buffers
from tokenizer import encoders
from tokenizer.encoders import SentencePiece

ALL = "*"  # the row of all languages
RENYI_ALPHA = 2.5


class Words(Protocol):
    """The shared segmentation of a batch: words of text i are [doc_offsets[i], doc_offsets[i + 1])."""

    @property
    def doc_offsets(self) -> Any:
        """int64[len(text) + 1]."""

    @property
    def starts(self) -> Any:
        """int32[words]: first byte of each, absolute in the buffer of the texts."""

    @property
    def ends(self) -> Any:
        """int32[words]: the byte behind each."""


def _ratio(numerator: int, denominator: int) -> float:
    return numerator / denominator if denominator else 0.0


@dataclass(frozen=True)
class Compression:
    """What a model did to some texts; adds up in any order. `words` is 0 where no segmentation was given."""

    documents: int = 0
    bytes: int = 0  # UTF-8
    characters: int = 0  # code points
    tokens: int = 0
    words: int = 0  # of the shared segmentation
    placed_words: int = 0  # of these, in texts whose tokens spell their bytes
    single_words: int = 0  # of the placed ones, within one token
    spaced_words: int = 0  # what white space parts
    unknown_tokens: int = 0
    byte_tokens: int = 0  # pieces <0x00> to <0xFF>: characters outside the alphabet
    lossless_documents: int = 0  # decode(encode(text)) == text
    uses: Any = field(default_factory=lambda: np.zeros(0, np.int64))  # int64[vocabulary]: tokens by piece

    def __add__(self, other: "Compression") -> "Compression":
        """Return the sum."""
        numbers = {name: getattr(self, name) + getattr(other, name) for name in NUMBERS}
        if not len(self.uses) or not len(other.uses):  # one of them measured nothing
            return Compression(**numbers, uses=self.uses if len(self.uses) else other.uses)
        return Compression(**numbers, uses=self.uses + other.uses)

    @property
    def bytes_per_token(self) -> float:
        """UTF-8 bytes a token stands for; 0.0 without tokens."""
        return _ratio(self.bytes, self.tokens)

    @property
    def tokens_per_character(self) -> float:
        """Tokens a code point costs."""
        return _ratio(self.tokens, self.characters)

    @property
    def fertility(self) -> float:
        """Tokens (of the whole text) to a word of the shared segmentation."""
        return _ratio(self.tokens, self.words)

    @property
    def single_word_fraction(self) -> float:
        """Share of words that lie within one token, in [0, 1] (STRR; arXiv 2510.09947)."""
        return _ratio(self.single_words, self.placed_words)

    @property
    def renyi_efficiency(self) -> float:
        """Renyi entropy of the tokens at alpha 2.5 to that of a uniform vocabulary, in [0, 1] (arXiv 2306.16842)."""
        used = np.asarray(self.uses, np.float64)
        if self.tokens < 1 or len(used) < 2:
            return 0.0
        shares = used[used > 0] / used.sum()
        return float(np.log((shares**RENYI_ALPHA).sum()) / (1 - RENYI_ALPHA) / np.log(len(used)))

    @property
    def unknown_fraction(self) -> float:
        """Share of tokens that are the unknown piece, in [0, 1]."""
        return _ratio(self.unknown_tokens, self.tokens)

    @property
    def byte_fallback_fraction(self) -> float:
        """Share of tokens that are bytes, in [0, 1]."""
        return _ratio(self.byte_tokens, self.tokens)

    @property
    def lossless_fraction(self) -> float:
        """Share of texts that decode to themselves, in [0, 1]."""
        return _ratio(self.lossless_documents, self.documents)

    @property
    def used_fraction(self) -> float:
        """Share of the vocabulary that these texts use, in [0, 1]."""
        return _ratio(self.used_pieces, len(self.uses))

    @property
    def used_pieces(self) -> int:
        """Pieces that these texts use."""
        return int(np.count_nonzero(self.uses))


NUMBERS = tuple(Compression.__dataclass_fields__)[:-1]
RATIOS = (
    "bytes_per_token",
    "tokens_per_character",
    "fertility",
    "single_word_fraction",
    "renyi_efficiency",
    "unknown_fraction",
    "byte_fallback_fraction",
    "lossless_fraction",
    "used_fraction",
)


Encoder = SentencePiece  # the one that jobs measure with


def measure(encoder: encoders.Encoder, text: Any, words: Words | None = None, rows: Any = None) -> Compression:
    """Measure texts as one, or only those at `rows`; a null is an empty text."""
    chosen: Any = text if rows is None else text.take(pa.array(rows))
    texts = [t or "" for t in chosen.to_pylist()]
    ids = encoder.encode(texts)
    flat = np.concatenate([np.zeros(0, np.int32), *ids])
    uses = np.bincount(flat, minlength=encoder.size)
    is_lossless = np.array([*map(str.__eq__, encoder.decode(ids), texts)], np.bool_)
    numbers = np.arange(len(text)) if rows is None else np.asarray(rows)
    found = (0, 0, 0) if words is None else _words_in_one(encoder, text, words, ids, numbers, is_lossless)
    return Compression(
        documents=len(texts),
        bytes=pc.sum(pc.binary_length(chosen)).as_py() or 0,
        characters=pc.sum(pc.utf8_length(chosen)).as_py() or 0,
        tokens=len(flat),
        words=found[0],
        placed_words=found[1],
        single_words=found[2],
        spaced_words=sum(len(t.split()) for t in texts),
        unknown_tokens=int(uses[encoder.unknown]) if encoder.unknown >= 0 else 0,
        byte_tokens=int(uses[encoder.is_byte].sum()),
        lossless_documents=int(is_lossless.sum()),
        uses=uses,
    )


def _words_in_one(
    encoder: encoders.Encoder, text: Any, words: Words, ids: list[Any], numbers: Any, is_lossless: Any
) -> tuple[int, int, int]:
    """Return how many words there are, how many can be held against tokens, and how many of these lie in one token.

    They can where a text comes back as it was and its tokens spell its bytes.
    """
    _, offsets = string_buffers(text)
    total = placed = single = 0
    for i, number in enumerate(numbers.tolist()):
        first, last = int(words.doc_offsets[number]), int(words.doc_offsets[number + 1])
        total += last - first
        lengths = encoder.lengths[ids[i]]
        ends = np.cumsum(lengths) - encoder.prefix + offsets[number]
        if last == first or not is_lossless[i] or (lengths < 0).any() or ends[-1] != offsets[number + 1]:
            continue
        begins = np.searchsorted(ends, words.starts[first:last], "right")
        closes = np.searchsorted(ends, words.ends[first:last], "left")
        placed += last - first
        single += int((begins == closes).sum())
    return total, placed, single


def _by_language(language: Any) -> Iterator[tuple[str, Any]]:
    """Give each language and the indices of its texts; null is "und"."""
    codes = pc.fill_null(language, "und").to_numpy(zero_copy_only=False)
    for code in np.unique(codes).tolist():
        yield code, np.flatnonzero(codes == code)


def evaluate_batch(
    encoder: encoders.Encoder, text: pa.StringArray, language: pa.StringArray, words: Words | None = None
) -> dict[str, Compression]:
    """Measure one batch by language."""
    return {code: measure(encoder, text, words, rows) for code, rows in _by_language(language)}


def add_up(parts: Iterable[dict[str, Compression]]) -> dict[str, Compression]:
    """Add measures up by language; associative, in any order."""
    total: dict[str, Compression] = {}
    for part in parts:
        for code, measured in part.items():
            total[code] = total.get(code, Compression()) + measured
    return dict(sorted(total.items()))


def evaluate(
    model: bytes, batches: Iterable[tuple[pa.StringArray, pa.StringArray, Words | None]]
) -> dict[str, Compression]:
    """Measure (text, language, segmentation or None) batches: an entry a language, and ALL for all."""
    encoder = Encoder(model)
    languages = add_up(evaluate_batch(encoder, *batch) for batch in batches)
    return {**languages, ALL: sum(languages.values(), start=Compression())}


def as_table(measured: dict[str, Compression]) -> pa.Table:
    """Return a row a language: language, the whole numbers, used_pieces, vocabulary, the ratios (float64)."""
    rows = [
        {
            "language": code,
            **{name: getattr(c, name) for name in NUMBERS},
            "used_pieces": c.used_pieces,
            "vocabulary": len(c.uses),
            **{name: getattr(c, name) for name in RATIOS},
        }
        for code, c in measured.items()
    ]
    return pa.Table.from_pylist(rows)
