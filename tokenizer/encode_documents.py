"""Documents of tokens: parts in order, with beginning and end, a mask where not all is learnt, and a length policy."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from filters.native import kernel
from tokenizer.encode import TokenEncoder
from tokenizer.encode_policy import Policy

KEPT, TOO_SHORT, OVER_LONG = "", "too_short", "over_long"


@dataclass(frozen=True)
class Parts:
    """Documents as parts: document d is the parts [first[d], first[d + 1]).

    A part is its text, or where `signs` is not -1 that piece of the vocabulary. `learnt` (bool) is None where all is.
    """

    texts: pa.StringArray
    first: Any  # int64[documents + 1]
    signs: Any = None  # int32[parts]
    learnt: Any = None  # bool[parts]

    @classmethod
    def whole(cls, texts: pa.StringArray) -> "Parts":
        """Return documents of one text each."""
        return cls(texts, np.arange(len(texts) + 1, dtype=np.int64))


@dataclass(frozen=True)
class Documents:
    """Encoded documents: d has ids[offsets[d]:offsets[d + 1]], in sequences of at most the policy's tokens."""

    ids: Any  # int32[n]
    offsets: Any  # int64[documents + 1]
    mask: Any  # uint8[n]: 1 is learnt; None where all is
    verdict: list[str]  # KEPT | TOO_SHORT | OVER_LONG
    cut_tokens: Any  # int64[documents]: that were cut off

    @property
    def lengths(self) -> Any:
        """Tokens of each document, int64[documents]."""
        return np.diff(self.offsets)


class DocumentEncoder:
    """Encodes documents by a policy.

    Raises ValueError where the model lacks a beginning or an end that the policy asks for.
    """

    def __init__(self, encoder: TokenEncoder, policy: Policy) -> None:
        self.encoder, self.policy = encoder, policy
        self.bos = self._special("bos", policy.bos)
        self.eos = self._special("eos", policy.eos)

    def _special(self, name: str, wanted: bool) -> int:
        if not wanted:
            return -1
        found = int(getattr(self.encoder.processor, f"{name}_id")())
        if found < 0:
            raise ValueError(f"{name}: true, but the model {self.encoder.sha256[:16]} has no such piece")
        return found

    def sign(self, name: str) -> int:
        """Return the id of a control or user-defined piece; raises ValueError where the vocabulary lacks it."""
        if name not in self.encoder.special:
            raise ValueError(
                f"the vocabulary {self.encoder.sha256[:16]} has no piece {name!r}; train it with that symbol "
                "(tokenizer.control_symbols or user_symbols)"
            )
        return self.encoder.special[name]

    def encode(self, parts: Parts) -> Documents:
        """Return the documents' tokens after the policy."""
        found = self.encoder.encode(parts.texts)
        signs = np.full(len(parts.texts), -1, np.int32) if parts.signs is None else parts.signs
        most = self.policy.max_tokens if self.policy.over_long == "cut" else None
        ends = (self.bos, self.eos)
        layout = (found.offsets, parts.first, signs)
        offsets, lost = _bounds(*layout, ends, np.int64(most or (1 << 62)))
        ids = _joined(found.ids, *layout, ends, offsets)
        mask = None if parts.learnt is None else _mask(*layout, parts.learnt.astype(np.uint8), ends, offsets)
        return Documents(ids, offsets, mask, self._verdicts(np.diff(offsets), mask is not None), lost)

    def _verdicts(self, lengths: Any, masked: bool) -> list[str]:
        most, how = self.policy.max_tokens, self.policy.over_long
        goes = how == "drop" or (how == "split" and masked)
        own = int(self.policy.bos) + int(self.policy.eos)
        return [
            TOO_SHORT
            if length < self.policy.min_tokens or length <= own
            else OVER_LONG
            if goes and most is not None and length > most
            else KEPT
            for length in lengths.tolist()
        ]


def sequences(lengths: Any, policy: Policy) -> tuple[Any, Any]:
    """Return the lengths of the sequences of documents (int64), and the bounds of the documents in them."""
    most = policy.max_tokens
    if policy.over_long != "split" or most is None:
        return lengths, np.arange(len(lengths) + 1, dtype=np.int64)
    counts = -(-lengths // most)
    bounds = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    made = np.full(int(bounds[-1]), most, np.int64)
    made[bounds[1:] - 1] = lengths - (counts - 1) * most
    return made, bounds


@kernel
def _bounds(offsets: Any, first: Any, signs: Any, ends: tuple[Any, Any], most: Any) -> tuple[Any, Any]:
    """Return where documents begin (int64[n + 1]), none longer than `most`, and how many tokens that cuts off each."""
    count = len(first) - 1
    bounds, lost = np.zeros(count + 1, np.int64), np.zeros(count, np.int64)
    own = np.int64(ends[0] >= 0) + np.int64(ends[1] >= 0)
    for d in range(count):
        size = np.int64(0)
        for part in range(first[d], first[d + 1]):
            size += np.int64(1) if signs[part] >= 0 else offsets[part + 1] - offsets[part]
        kept = min(size, most - own)
        lost[d] = size - kept
        bounds[d + 1] = bounds[d] + kept + own
    return bounds, lost


@kernel
def _joined(ids: Any, offsets: Any, first: Any, signs: Any, ends: tuple[Any, Any], bounds: Any) -> Any:
    """Return the tokens of all documents, int32[bounds[-1]]; what goes beyond a document's bound is cut off."""
    made = np.empty(bounds[-1], np.int32)
    for d in range(len(first) - 1):
        at, last = bounds[d], bounds[d + 1] - np.int64(ends[1] >= 0)
        if ends[0] >= 0:
            made[at] = ends[0]
            at += 1
        for part in range(first[d], first[d + 1]):
            if signs[part] >= 0 and at < last:
                made[at] = signs[part]
                at += 1
            elif signs[part] < 0:
                size = min(offsets[part + 1] - offsets[part], last - at)
                made[at : at + size] = ids[offsets[part] : offsets[part] + size]
                at += size
        if ends[1] >= 0:
            made[at] = ends[1]
    return made


@kernel
def _mask(offsets: Any, first: Any, signs: Any, learnt: Any, ends: tuple[Any, Any], bounds: Any) -> Any:
    """Return what of the same tokens is learnt, uint8[bounds[-1]]: parts as `learnt` says, beginning and end never."""
    mask = np.zeros(bounds[-1], np.uint8)
    for d in range(len(first) - 1):
        at, last = bounds[d] + np.int64(ends[0] >= 0), bounds[d + 1] - np.int64(ends[1] >= 0)
        for part in range(first[d], first[d + 1]):
            size = np.int64(1) if signs[part] >= 0 else offsets[part + 1] - offsets[part]
            size = min(size, last - at)
            mask[at : at + size] = learnt[part]
            at += size
    return mask
