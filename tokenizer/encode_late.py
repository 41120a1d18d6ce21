"""Superwords in native code: merges that come after all others, on the tokens that these leave.

A vocabulary with pieces over several words joins almost any two words in some piece, so a text could hardly be cut
(tokenizer.encode_words). But such pieces have the lowest scores: SentencePiece begins to merge them when nothing else
is left to merge, and then neither end of one lies within a token. So texts are cut and encoded by the other pieces, and
a superword replaces just those tokens that its own text encodes to without it. Two tokens that stand side by side in no
superword's tokens are never joined: what lies between two such places merges by itself.

That holds where no earlier piece is made of a late one, which `late_pieces` checks.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from filters.native import kernel
from tokenizer.encode_merges import halves_of, made_of, merge_symbols, table_of
from tokenizer.model import PIECE_TYPES, serialize_model
from tokenizer.settings import SPACE_SYMBOL

MAX_RUN = 512  # tokens that may merge with one another; a text with more of them in a row is left to SentencePiece
_TYPES = {name: number for number, name in PIECE_TYPES.items()}
_MADE = frozenset((0, _TYPES["normal"], _TYPES["unused"]))


def reaches_over(piece: str) -> bool:
    """Say whether a piece holds a space behind something else."""
    return SPACE_SYMBOL in piece.lstrip(SPACE_SYMBOL)


def late_pieces(message: Any) -> frozenset[int] | None:
    """Return the ids of pieces that merge after all others: those that reach over a space, and what scores no better.

    None where there are such and yet no last stage: an earlier piece is made of a late one, or pieces are "unused".
    """
    longer = [(i, p) for i, p in enumerate(message.pieces) if p.type in _MADE and len(p.piece) > 1]
    over = [p.score for _, p in longer if reaches_over(p.piece)]
    if not over:
        return frozenset()
    best = max(over)
    late = {p.piece: i for i, p in longer if p.score <= best}
    early = [p.piece for _, p in longer if p.score > best]
    if any(p.type == _TYPES["unused"] for _, p in longer):
        return None
    if any(piece[:cut] in late or piece[cut:] in late for piece in early for cut in range(1, len(piece))):
        return None
    return frozenset(late.values())


def without(message: Any, late: frozenset[int]) -> bytes:
    """Return the model with the same ids that never makes these pieces, and puts no space before a text."""
    plain = type(message)()
    plain.CopyFrom(message)
    for i in late:
        plain.pieces[i].type = _TYPES["control"]
    plain.normalizer_spec.add_dummy_prefix = False
    return serialize_model(plain)


@dataclass(frozen=True)
class Late:
    """What tokens make."""

    beside: Any  # table of tokens that stand side by side in a superword
    pairs: Any  # table of what two tokens or superwords make
    scores: Any  # float32[pieces]

    @classmethod
    def of(cls, message: Any, late: frozenset[int], plain: Any) -> "Late":
        """Return the merges of late pieces; `plain` is a SentencePiece processor of the model without these."""
        texts = [piece.piece.replace(SPACE_SYMBOL, " ") for piece in message.pieces]
        found = plain.encode([texts[i] for i in sorted(late)], out_type="numpy", num_threads=1)
        beside = np.concatenate([np.stack([ids[:-1], ids[1:]], axis=1) for ids in found])
        beside = np.unique(beside, axis=0).astype(np.int32)
        normal = [i for i, piece in enumerate(message.pieces) if piece.type in (0, _TYPES["normal"]) and texts[i]]
        both, made = halves_of(texts, np.array(normal, np.int32))
        is_late = np.isin(made, np.array([*late], np.int32))
        scores = np.array([piece.score for piece in message.pieces], np.float32)
        return cls(table_of(beside, np.zeros(len(beside))), table_of(both[is_late], made[is_late]), scores)

    def merge(self, ids: Any, offsets: Any) -> tuple[Any, Any, Any]:
        """Return the ids (int32), offsets (int64[texts + 1]) and which texts are left as they were (bool[texts])."""
        merged, bounds, left = _merge_all(ids, offsets, self.beside, self.pairs, self.scores)
        return merged, bounds, left.astype(bool)


@kernel
def _merge_all(ids: Any, offsets: Any, beside: Any, pairs: Any, scores: Any) -> tuple[Any, Any, Any]:
    merged, bounds = np.empty(len(ids), np.int32), np.zeros(len(offsets), np.int64)
    left, at = np.zeros(len(offsets) - 1, np.uint8), 0
    symbols, places = np.empty(MAX_RUN, np.int64), np.zeros(MAX_RUN + 1, np.int64)
    made = np.empty(MAX_RUN, np.int64)
    for text in range(len(offsets) - 1):
        token, end, begin = offsets[text], offsets[text + 1], at
        while token < end:
            behind = token + 1
            while behind < end and made_of(beside, ids[behind - 1], ids[behind]) >= 0:
                behind += 1
            count = behind - token
            if count > MAX_RUN:
                left[text] = 1
                break
            if count == 1:
                merged[at] = ids[token]
                at += 1
            else:
                for k in range(count):
                    symbols[k] = ids[token + k]
                for k in range(merge_symbols(count, symbols, places, made, pairs, scores)):
                    merged[at] = symbols[k]
                    at += 1
            token = behind
        if left[text]:
            at = begin
            for k in range(offsets[text], end):
                merged[at] = ids[k]
                at += 1
        bounds[text + 1] = at
    return merged[:at].copy(), bounds, left
