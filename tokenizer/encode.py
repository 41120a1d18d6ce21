"""Encode texts with a trained model: the ids that SentencePiece gives, each distinct word asked for once.

Where a model's pieces allow it (tokenizer.encode_words), a batch is cut into words, known ones are looked up and only
new ones are encoded: by merges of our own (tokenizer.encode_merges), or by SentencePiece. Any other model (unigram,
whose sums of scores depend on what stands before; a normaliser that changes the text; no byte fallback, where
neighbouring unknowns become one; superwords beside a picky model's "unused" pieces) encodes whole texts. Pieces over
several words are merged afterwards (tokenizer.encode_late).
"""

import hashlib
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from filters.native import string_buffers
from tokenizer.encode_late import Late, late_pieces, without
from tokenizer.encode_merges import Merges
from tokenizer.encode_words import PADDING, Pairs, Table, cut, look_up, spread
from tokenizer.model import PIECE_TYPES, parse_model
from tokenizer.settings import SPACE_SYMBOL

ENCODE_VERSION = 1
MAX_WORDS = 1 << 21  # known at most; then a worker forgets them all
MAX_WORD_BYTES = 64 << 20
UINT16_BELOW = 65_500  # vocabularies: Megatron's own bound for two bytes a token
_BPE = 2  # TrainerSpec.ModelType
_TYPES = {name: number for number, name in PIECE_TYPES.items()}
_NOT_MADE = frozenset(_TYPES[name] for name in ("unknown", "control", "byte"))  # by no merge


@dataclass(frozen=True)
class Encoded:
    """Ids of texts: text i has ids[offsets[i]:offsets[i + 1]]."""

    ids: Any  # int32[n]
    offsets: Any  # int64[texts + 1]

    @property
    def lengths(self) -> Any:
        """Tokens of each text, int64[texts]."""
        return np.diff(self.offsets)


def token_type(vocabulary: int) -> Any:
    """Return the numpy type of a token on disk: uint16 below 65,500 pieces, else int32, as Megatron-LM has it."""
    return np.uint16 if vocabulary < UINT16_BELOW else np.int32


class TokenEncoder:
    """A loaded model. Equal texts give equal ids, whatever was encoded before."""

    def __init__(self, model: bytes) -> None:
        """Load a .model file's bytes; raises ValueError where they are none."""
        import sentencepiece

        self.sha256 = hashlib.sha256(model).hexdigest()
        read = _read(model)
        self.vocabulary, self.special, self.is_cut, self.prefix = (
            read.vocabulary,
            read.special,
            read.is_cut,
            read.prefix,
        )
        self.pairs, self.merges, self.late = read.pairs, read.merges, read.late
        self.processor: Any = sentencepiece.SentencePieceProcessor(model_proto=model)
        self._words = sentencepiece.SentencePieceProcessor(model_proto=read.plain) if read.plain else self.processor
        self._forget()

    def _forget(self) -> None:
        self._table, self._known = Table.empty(), 0
        self._ids, self._starts = np.zeros(1 << 12, np.int32), np.zeros(1, np.int64)

    def encode(self, text: pa.StringArray) -> Encoded:
        """Return the ids of each text; a null is an empty text."""
        if not self.is_cut or not len(text):
            return self._plain(text)
        if self._known > MAX_WORDS or int(self._table.spans[self._known]) > MAX_WORD_BYTES:
            self._forget()
        data, offsets = self.read(text)
        ends, first = cut(data, offsets, *self.pairs)
        known, bounds = self._known, np.concatenate([np.zeros(1, np.int32), ends])
        numbers, self._known, table = look_up(data, bounds, known, tuple(self._table))
        self._table = Table(*table)
        self._learn(known)
        words = Encoded(*spread(numbers, first, self._ids, self._starts))
        return words if self.late is None else self._with_late(self.late, words, text)

    def _with_late(self, late: Late, words: Encoded, text: pa.StringArray) -> Encoded:
        """Merge superwords; a text with too many in a row goes through SentencePiece."""
        ids, offsets, left = late.merge(words.ids, words.offsets)
        if not left.any():
            return Encoded(ids, offsets)
        whole = self._plain(text.filter(pa.array(left)))
        lengths = np.diff(offsets)
        kept = ids[np.repeat(~left, lengths)]
        lengths[left] = whole.lengths
        merged = np.empty(int(lengths.sum()), np.int32)
        is_left = np.repeat(left, lengths)
        merged[is_left], merged[~is_left] = whole.ids, kept
        return Encoded(merged, np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64))

    def read(self, text: pa.StringArray) -> tuple[Any, Any]:
        """Return the bytes that are encoded, PADDING behind them, and where each text begins, from 0 on."""
        body, offsets = string_buffers(self._spaced(text))
        return np.concatenate([body[offsets[0] : offsets[-1]], np.zeros(PADDING, np.uint8)]), offsets - offsets[0]

    def _spaced(self, text: pa.StringArray) -> pa.StringArray:
        """Return texts in which U+2581 is the space that the model takes it for, with the dummy prefix written out."""
        text = pc.fill_null(text, "")
        text = pc.replace_substring(text, SPACE_SYMBOL, " ") if _any_holds(text, SPACE_SYMBOL) else text
        if not self.prefix:
            return text
        return pc.if_else(pc.equal(pc.binary_length(text), 0), "", pc.binary_join_element_wise(" ", text, ""))

    def _learn(self, known: int) -> None:
        """Encode the words that are new since there were `known`."""
        if known == self._known:
            return
        flat, starts = self._new(known)
        at = int(self._starts[-1])
        if at + len(flat) > len(self._ids):
            self._ids = np.concatenate([self._ids[:at], np.zeros(max(at, len(flat)) + len(flat), np.int32)])
        self._ids[at : at + len(flat)] = flat
        self._starts = np.concatenate([self._starts, at + starts[1:]])

    def _new(self, known: int) -> tuple[Any, Any]:
        """Return ids and starts of the new words; what is not merged here goes through SentencePiece."""
        spans, arena, count = self._table.spans, self._table.arena, self._known - known
        if self.merges is None:
            flat, starts, left = np.zeros(0, np.int32), np.zeros(count + 1, np.int64), np.ones(count, bool)
        else:
            flat, starts, left = self.merges.encode(spans, arena, known, self._known)
        if not left.any():
            return flat, starts
        places = np.flatnonzero(left)
        words = [arena[spans[known + w] : spans[known + w + 1]].tobytes().decode() for w in places]
        found = self._words.encode(words, out_type="numpy", num_threads=1)
        lengths = np.diff(starts)
        lengths[places] = [len(each) for each in found]
        merged = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        ids = np.empty(int(merged[-1]), np.int32)
        is_left = np.repeat(left, lengths)
        ids[~is_left], ids[is_left] = flat, np.concatenate([np.zeros(0, np.int32), *found])
        return ids, merged

    def _plain(self, text: pa.StringArray) -> Encoded:
        texts = [each or "" for each in text.to_pylist()]
        found = self.processor.encode(texts, out_type="numpy", num_threads=1)
        offsets = np.concatenate([[0], np.cumsum([len(each) for each in found])]).astype(np.int64)
        return Encoded(np.concatenate([np.zeros(0, np.int32), *found]).astype(np.int32), offsets)


_SPECIAL_TYPES = frozenset(_TYPES[name] for name in ("control", "user_defined"))


def _any_holds(text: pa.StringArray, pattern: str) -> bool:
    return bool(pc.any(pc.match_substring(text, pattern)).as_py())


def _or(message: Any, name: str, default: bool) -> bool:
    """Return a field, or SentencePiece's own default where it is not set."""
    return bool(getattr(message, name)) if message.HasField(name) else default


class _Read(NamedTuple):
    """What is needed of a model, made once for all encoders of a process; nobody changes it."""

    vocabulary: int
    special: dict[str, int]  # control and user-defined pieces
    is_cut: bool  # texts are cut into words
    prefix: bool  # a space goes before each text
    pairs: Pairs
    merges: Merges | None
    late: Late | None  # pieces over several words, where they merge last
    plain: bytes  # the same model without late pieces, and a space before each text; empty where it has neither


@lru_cache(maxsize=2)
def _read(model: bytes) -> _Read:
    message = parse_model(model)
    special = {piece.piece: i for i, piece in enumerate(message.pieces) if piece.type in _SPECIAL_TYPES}
    prefix, last = _or(message.normalizer_spec, "add_dummy_prefix", True), late_pieces(message)
    is_cut, late = _is_cut(message) and last is not None, last or frozenset()
    plain = without(message, late) if prefix or late else b""
    merges = Merges.of(message, late) if is_cut else None
    pairs = Pairs.of(_made(message, late) if is_cut else [])
    superwords = _late(message, late, plain) if is_cut and late else None
    return _Read(len(message.pieces), special, is_cut, prefix, pairs, merges, superwords, plain)


def _made(message: Any, late: frozenset[int]) -> list[str]:
    """Return the pieces that words are made of, a space for each U+2581."""
    own = (p.piece for i, p in enumerate(message.pieces) if p.type not in _NOT_MADE and i not in late)
    return [piece.replace(SPACE_SYMBOL, " ") for piece in own]


def _late(message: Any, late: frozenset[int], plain: bytes) -> Late:
    import sentencepiece

    return Late.of(message, late, sentencepiece.SentencePieceProcessor(model_proto=plain))


def _is_cut(message: Any) -> bool:
    """Say whether a model's words encode by themselves, wherever they stand."""
    spec, trainer = message.normalizer_spec, message.trainer_spec
    return (
        trainer.model_type == _BPE
        and trainer.byte_fallback
        and any(piece.type == _TYPES["byte"] for piece in message.pieces)
        and not spec.precompiled_charsmap
        and not _or(spec, "remove_extra_whitespaces", True)
        and _or(spec, "escape_whitespaces", True)
        and not trainer.treat_whitespace_as_suffix
    )
