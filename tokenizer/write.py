"""The vocabulary as other libraries read it: Hugging Face's tokenizer.json and tiktoken's ranks beside the .model.

tokenizer.json is BPE on characters with the merges that SentencePiece's scores imply: of every way to cut a piece in
two, the rank is the piece's. It encodes as the .model does, but that with a dummy prefix it adds none to a text that
begins with a space. tiktoken merges bytes and cuts by a regular expression
first: the same pieces come out, under ids of its own.
"""

import base64
import json
import re
from typing import Any

from tokenizer.encode_late import reaches_over
from tokenizer.model import PIECE_TYPES, parse_model
from tokenizer.settings import SPACE_SYMBOL

KINDS = {".model": "model", ".tokenizer.json": "tokenizer_json", ".tiktoken": "tiktoken"}  # of a shard, by its ending
SYMBOL_SCORE = -0.1  # of a user-defined piece in SentencePiece's search: better than any other
_UNIGRAM = 1  # enum TrainerSpec.ModelType
_TYPES = {name: number for number, name in PIECE_TYPES.items()}


def exports(model: bytes) -> dict[str, bytes]:
    """Return the files of a vocabulary by their endings; all follow from the model's bytes.

    A picky model is a .model alone: other encoders would give out the pieces that only lead to others.
    """
    message = parse_model(model)
    if any(piece.type == _TYPES["unused"] for piece in message.pieces):
        return {".model": model}
    if message.trainer_spec.model_type == _UNIGRAM:
        return {".model": model, ".tokenizer.json": tokenizer_json(model)}
    return {".model": model, ".tokenizer.json": tokenizer_json(model), ".tiktoken": tiktoken_ranks(model)}


def _merges(listed: list[tuple[str, int]]) -> list[tuple[str, str]]:
    """Return the pairs that make a piece, by its rank, then where they are cut: `listed` is pieces by rank."""
    known = {piece for piece, _ in listed}
    return [
        (piece[:cut], piece[cut:])
        for piece, _ in listed
        for cut in range(1, len(piece))
        if piece[:cut] in known and piece[cut:] in known
    ]


def _normal(message: Any) -> list[tuple[str, int]]:
    """Return learnt pieces with their ids, by score, best first."""
    found = [(p.piece, i) for i, p in enumerate(message.pieces) if p.type in (0, _TYPES["normal"])]
    return sorted(found, key=lambda each: (-message.pieces[each[1]].score, each[1]))


def tokenizer_json(model: bytes) -> bytes:
    """Return Hugging Face's tokenizer.json of a model."""
    message = parse_model(model)
    spec = message.normalizer_spec
    is_unigram = message.trainer_spec.model_type == _UNIGRAM
    cut_out = {_TYPES["control"], _TYPES["unknown"]} | (set() if is_unigram else {_TYPES["user_defined"]})
    added = [
        {
            "id": i,
            "content": piece.piece,
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": piece.type == _TYPES["user_defined"],  # where spaces are U+2581 already
            "special": piece.type != _TYPES["user_defined"],
        }
        for i, piece in enumerate(message.pieces)
        if piece.type in cut_out
    ]
    unknown = next(p.piece for p in message.pieces if p.type == _TYPES["unknown"])
    scheme = "first" if spec.add_dummy_prefix else "never"
    strip = [{"type": "Strip", "content": " ", "start": 1, "stop": 0}] if spec.add_dummy_prefix else []
    back = {"type": "Replace", "pattern": {"String": SPACE_SYMBOL}, "content": " "}
    body = {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": {"type": "Replace", "pattern": {"String": " "}, "content": SPACE_SYMBOL},
        "pre_tokenizer": {"type": "Metaspace", "replacement": SPACE_SYMBOL, "prepend_scheme": scheme, "split": False},
        "post_processor": None,
        "decoder": {"type": "Sequence", "decoders": [back, {"type": "ByteFallback"}, {"type": "Fuse"}, *strip]},
        "model": _unigram(message) if is_unigram else _bpe(message, unknown),
    }
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()


def _bpe(message: Any, unknown: str) -> dict[str, Any]:
    return {
        "type": "BPE",
        "dropout": None,
        "unk_token": unknown,
        "continuing_subword_prefix": None,
        "end_of_word_suffix": None,
        "fuse_unk": True,
        "byte_fallback": any(p.type == _TYPES["byte"] for p in message.pieces),
        "ignore_merges": False,
        "vocab": {piece.piece: i for i, piece in enumerate(message.pieces)},
        "merges": _merges(_normal(message)),
    }


def _unigram(message: Any) -> dict[str, Any]:
    """Return the vocabulary with the scores that SentencePiece's search takes."""
    own = _TYPES["user_defined"]
    scores = [SYMBOL_SCORE if p.type == own else p.score for p in message.pieces]
    return {
        "type": "Unigram",
        "unk_id": next(i for i, p in enumerate(message.pieces) if p.type == _TYPES["unknown"]),
        "vocab": [[piece.piece, score] for piece, score in zip(message.pieces, scores, strict=True)],
        "byte_fallback": any(p.type == _TYPES["byte"] for p in message.pieces),
    }


def tiktoken_ranks(model: bytes) -> bytes:
    """Return tiktoken's file: base64 of a token's bytes, a space, its rank, which is its id for tiktoken alone.

    First the bytes, then the beginnings of characters of several bytes and these characters (so that they are made
    before all else), then merges by score, and user-defined pieces, which `tiktoken_pattern` cuts out before.
    """
    message = parse_model(model)
    learnt = [piece.replace(SPACE_SYMBOL, " ").encode() for piece, _ in _normal(message)]
    letters = [piece.encode() for piece, _ in _normal(message) if len(piece) == 1 and piece != SPACE_SYMBOL]
    begun = [letter[:size] for letter in sorted(letters) for size in range(2, len(letter) + 1)]
    own = [piece.replace(SPACE_SYMBOL, " ").encode() for piece in _user_defined(message)]
    ranked = dict.fromkeys([*(bytes([byte]) for byte in range(256)), *begun, *learnt, *own])
    return b"".join(base64.b64encode(token) + b" %d\n" % rank for rank, token in enumerate(ranked))


def tiktoken_pattern(model: bytes) -> str:
    """Return the regular expression that tiktoken cuts texts by: user-defined pieces, longest first; words.

    Where pieces reach over several words, what stands between user-defined pieces is not cut.
    """
    message = parse_model(model)
    own = sorted((p.replace(SPACE_SYMBOL, " ") for p in _user_defined(message)), key=lambda p: (-len(p), p))
    symbols = "|".join(re.escape(piece) for piece in own)
    if any(reaches_over(piece) for piece, _ in _normal(message)):
        return rf"{symbols}|(?:(?!{symbols})[\s\S])+" if own else r"[\s\S]+"
    if not own:
        return r" *[^ ]+| +"
    return rf"{symbols}| ?(?:(?!{symbols})[^ ])+| "


def _user_defined(message: Any) -> list[str]:
    return [piece.piece for piece in message.pieces if piece.type == _TYPES["user_defined"]]
