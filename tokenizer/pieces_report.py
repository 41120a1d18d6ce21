"""What is wrong with pieces: never used, hardly used, not to be reached, seen often in few texts; inequality."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from tokenizer.encoders import SentencePiece
from tokenizer.model import parse_model, serialize_model

RARE = 10  # uses
GLITCH_RATIO = 16  # uses to texts
SHOWN = 24
_BATCH = 1 << 14


def gini(values: Iterable[float]) -> float:
    """Return the Gini coefficient, in [0, 1): 0 where all are equal or there are none."""
    ordered = np.sort(np.array([*values], np.float64))
    if not len(ordered) or not ordered.sum():
        return 0.0
    ranks = np.arange(1, len(ordered) + 1)
    return float((2 * ranks - len(ordered) - 1).dot(ordered) / (len(ordered) * ordered.sum()))


def premiums(tokens: Mapping[str, int], over: str = "en") -> dict[str, float]:
    """Return tokens of each language to those of `over`, on parallel texts (Petrov et al. 2023)."""
    return {code: count / tokens[over] for code, count in sorted(tokens.items())}


def without_prefix(model: bytes) -> bytes:
    """Return the model that encodes a piece as it stands, with no space before it."""
    message = parse_model(model)
    message.normalizer_spec.add_dummy_prefix = False
    return serialize_model(message)


def unreachable(model: bytes) -> list[str]:
    """Return the learnt pieces that their own text does not encode to, by id."""
    encoder, message = SentencePiece(without_prefix(model)), parse_model(model)
    learnt = [i for i, piece in enumerate(message.pieces) if piece.type in (0, 1)]
    ids = encoder.encode([encoder.pieces[i].replace("\u2581", " ") for i in learnt])
    return [encoder.pieces[i] for i, found in zip(learnt, ids, strict=True) if found.tolist() != [i]]


def _spaced(counts: pa.RecordBatch) -> Iterator[tuple[pa.RecordBatch, list[str]]]:
    """Give parts of a table and their words, a space for each U+2581."""
    for at in range(0, counts.num_rows, _BATCH):
        part = counts.slice(at, _BATCH)
        yield part, [word.replace("\u2581", " ") for word in part["word"].to_pylist()]


class Usage:
    """How often each piece stands in the counted words: uses, and in how many texts at most.

    Counts of words can't see pieces over several of them: give the model as it was before these came as `words`, and
    the rows of phrases in which they were found. What is used across the head of a longer word is not seen.
    """

    def __init__(self, model: bytes, documents: int, words: bytes | None = None) -> None:
        self.documents = documents  # texts that were counted
        self.whole = SentencePiece(without_prefix(model))
        self.encoder = self.whole if words is None else SentencePiece(without_prefix(words))
        self.message = parse_model(model)
        self.uses = np.zeros(self.whole.size, np.int64)
        self.texts = np.zeros(self.whole.size, np.int64)

    def add(self, counts: pa.RecordBatch) -> None:
        """Add the words of a table (schema COUNTS), each encoded once."""
        for part, words in _spaced(counts):
            self._tally(self.encoder.encode(words), part["count"].to_numpy(), part["documents"].to_numpy())

    def add_phrases(self, counts: pa.RecordBatch) -> None:
        """Add the phrases of a table: what they encode to stands in the place of their words, which `add` counted."""
        for part, phrases in _spaced(counts):
            count, documents = part["count"].to_numpy(), part["documents"].to_numpy()
            self._tally(self.whole.encode(phrases), count, documents)
            self._tally(self.encoder.encode(phrases), -count, np.zeros_like(documents))

    def _tally(self, ids: list[Any], count: Any, documents: Any) -> None:
        sizes = np.array([len(i) for i in ids], np.int64)
        flat = np.concatenate([np.zeros(0, np.int32), *ids])
        np.add.at(self.uses, flat, np.repeat(count, sizes))
        np.add.at(self.texts, flat, np.repeat(documents, sizes))

    def found(self) -> dict[str, Any]:
        """Return how many learnt pieces are never or hardly used, and those of many uses in very few texts."""
        learnt = np.array([p.type in (0, 1) for p in self.message.pieces], np.bool_)
        is_loud = (self.uses > GLITCH_RATIO * np.maximum(self.texts, 1)) & (
            self.texts <= max(2, self.documents // 1000)
        )
        glitches = np.flatnonzero(learnt & is_loud)
        ratios = self.uses[glitches] / np.maximum(self.texts[glitches], 1)
        worst = glitches[np.argsort(-ratios, kind="stable")].tolist()
        return {
            "learnt": int(learnt.sum()),
            "never_used": int((learnt & (self.uses == 0)).sum()),
            "rarely_used": int((learnt & (self.uses > 0) & (self.uses < RARE)).sum()),
            "bursty": len(glitches),
            "burstiest": [self.whole.pieces[i] for i in worst[:SHOWN]],
        }
