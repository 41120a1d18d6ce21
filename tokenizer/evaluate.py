"""Measure what a model does to texts, by language and in all. Whole numbers are kept; ratios follow."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

ALL = "*"  # the row of all languages


class Words(Protocol):
    """The shared segmentation of a batch: words of text i are [doc_offsets[i], doc_offsets[i + 1])."""

    @property
    def doc_offsets(self) -> Any:
        """int64[len(text) + 1]."""


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
    "unknown_fraction",
    "byte_fallback_fraction",
    "lossless_fraction",
    "used_fraction",
)


class Encoder:
    """A loaded model that measures batches of texts."""

    def __init__(self, model: bytes) -> None:
        """Load a .model file's bytes."""
        import sentencepiece

        self.processor = sentencepiece.SentencePieceProcessor(model_proto=model)
        self.size = int(self.processor.get_piece_size())
        self.is_byte = np.array([self.processor.is_byte(i) for i in range(self.size)], np.bool_)
        self.unknown = int(self.processor.unk_id())

    def encode(self, texts: list[str]) -> list[Any]:
        """Return the ids of each text, int32 arrays."""
        ids: list[Any] = self.processor.encode(texts, out_type="numpy", num_threads=1)
        return ids

    def measure(self, text: pa.StringArray, words: int = 0) -> Compression:
        """Measure texts as one; a null is an empty text. `words` is how many a segmentation finds in them."""
        texts = [t or "" for t in text.to_pylist()]
        ids = self.encode(texts)
        flat = np.concatenate([np.zeros(0, np.int32), *ids])
        uses = np.bincount(flat, minlength=self.size)
        decoded = self.processor.decode([i.tolist() for i in ids], num_threads=1)
        return Compression(
            documents=len(texts),
            bytes=pc.sum(pc.binary_length(text)).as_py() or 0,
            characters=pc.sum(pc.utf8_length(text)).as_py() or 0,
            tokens=len(flat),
            words=words,
            unknown_tokens=int(uses[self.unknown]),
            byte_tokens=int(uses[self.is_byte].sum()),
            lossless_documents=sum(map(str.__eq__, decoded, texts)),
            uses=uses,
        )


def _by_language(language: Any) -> Iterator[tuple[str, Any]]:
    """Give each language and the indices of its texts; null is "und"."""
    codes = pc.fill_null(language, "und").to_numpy(zero_copy_only=False)
    for code in np.unique(codes).tolist():
        yield code, np.flatnonzero(codes == code)


def evaluate_batch(
    encoder: Encoder, text: pa.StringArray, language: pa.StringArray, words: Words | None = None
) -> dict[str, Compression]:
    """Measure one batch by language."""
    per_text: Any = np.diff(words.doc_offsets) if words is not None else np.zeros(len(text), np.int64)
    return {
        code: encoder.measure(text.take(pa.array(rows)), int(per_text[rows].sum()))
        for code, rows in _by_language(language)
    }


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
