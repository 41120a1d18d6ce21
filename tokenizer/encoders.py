"""Vocabularies that can be measured side by side: SentencePiece's, Hugging Face's, tiktoken's, each from its own file.

All say what bytes a token stands for, so that tokens can be held against words whatever library cuts them.
"""

import base64
import json
import re
from typing import Any, Protocol

import numpy as np

from tokenizer.settings import SPACE_SYMBOL

_BYTE_PIECE = re.compile(r"<0x([0-9A-F]{2})>")
# Llama 3's (llama-models, llama3/tokenizer.py), for files of ranks that name none
RANKS_PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|"
    r"\s*[\r\n]+|\s+(?!\S)|\s+"
)


class Encoder(Protocol):
    """A vocabulary that encodes and decodes texts."""

    size: int
    lengths: Any  # int32[size]: UTF-8 bytes of a token, -1 where it stands for no text of its own
    is_byte: Any  # bool[size]: one byte of a character that the vocabulary lacks
    unknown: int  # id, or -1
    prefix: int  # spaces that encoding puts before a text

    def encode(self, texts: list[str]) -> list[Any]:
        """Return the ids of each text, integer arrays."""

    def decode(self, ids: list[Any]) -> list[str]:
        """Return the text of each."""


def _spelt(piece: str) -> bytes | None:
    found = _BYTE_PIECE.fullmatch(piece)
    return bytes([int(found[1], 16)]) if found else piece.replace(SPACE_SYMBOL, " ").encode()


class SentencePiece:
    """A .model file."""

    def __init__(self, model: bytes) -> None:
        """Load a .model file's bytes."""
        import sentencepiece

        self.processor: Any = sentencepiece.SentencePieceProcessor(model_proto=model)
        self.size = int(self.processor.get_piece_size())
        ids = range(self.size)
        self.is_byte = np.array([self.processor.is_byte(i) for i in ids], np.bool_)
        self.unknown = int(self.processor.unk_id())
        self.pieces = [self.processor.id_to_piece(i) for i in ids]
        silent = [self.processor.is_control(i) or i == self.unknown for i in ids]
        spelt = [1 if b else len(_spelt(p) or b"") for p, b in zip(self.pieces, self.is_byte, strict=True)]
        self.lengths = np.where(silent, -1, spelt).astype(np.int32)
        self.prefix = len(self.processor.encode("a", out_type=str)[0].rstrip("a"))

    def encode(self, texts: list[str]) -> list[Any]:
        """Return the ids of each text, int32 arrays."""
        ids: list[Any] = self.processor.encode(texts, out_type="numpy", num_threads=1)
        return ids

    def decode(self, ids: list[Any]) -> list[str]:
        """Return the text of each."""
        texts: list[str] = self.processor.decode([i.tolist() for i in ids], num_threads=1)
        return texts


class HuggingFace:
    """A tokenizer.json file; special tokens in a text are text."""

    def __init__(self, data: bytes) -> None:
        """Load a tokenizer.json's bytes."""
        tokenizers: Any = _imported("tokenizers", "a tokenizer.json")
        self.tokenizer = tokenizers.Tokenizer.from_str(data.decode("utf-8"))
        self.tokenizer.encode_special_tokens = True
        self.size = int(self.tokenizer.get_vocab_size())
        named = sorted(self.tokenizer.get_vocab().items(), key=lambda each: each[1])
        self.size = max(self.size, named[-1][1] + 1)
        in_bytes = b'"ByteLevel"' in data[-20_000:] or b'"ByteLevel"' in data[:200_000]
        self.lengths = np.full(self.size, -1, np.int32)
        self.is_byte = np.zeros(self.size, np.bool_)
        for piece, i in named:
            self.lengths[i] = len(piece) if in_bytes else len(_spelt(piece) or b"")
            self.is_byte[i] = not in_bytes and bool(_BYTE_PIECE.fullmatch(piece))
        self.unknown = -1
        first = self.tokenizer.encode("a", add_special_tokens=False).tokens[0]
        self.prefix = len(first) - len(first.lstrip(SPACE_SYMBOL)) if not in_bytes else 0

    def encode(self, texts: list[str]) -> list[Any]:
        """Return the ids of each text."""
        found = self.tokenizer.encode_batch(texts, add_special_tokens=False)
        return [np.array(each.ids, np.int32) for each in found]

    def decode(self, ids: list[Any]) -> list[str]:
        """Return the text of each."""
        texts: list[str] = self.tokenizer.decode_batch([i.tolist() for i in ids], skip_special_tokens=False)
        return texts


class Tiktoken:
    """Ranks of tokens in bytes, cut first by a pattern: tiktoken's files, and Mistral's tekken.json."""

    def __init__(self, ranks: dict[bytes, int], pattern: str) -> None:
        """Take the ranks and the regular expression that texts are cut by."""
        tiktoken: Any = _imported("tiktoken", "a file of ranks")
        self.encoding = tiktoken.Encoding("ranks", pat_str=pattern, mergeable_ranks=ranks, special_tokens={})
        self.size = max(ranks.values()) + 1
        self.lengths = np.full(self.size, -1, np.int32)
        for token, rank in ranks.items():
            self.lengths[rank] = len(token)
        self.is_byte = np.zeros(self.size, np.bool_)  # every token is bytes
        self.unknown, self.prefix = -1, 0

    def encode(self, texts: list[str]) -> list[Any]:
        """Return the ids of each text."""
        return [np.array(ids, np.int32) for ids in self.encoding.encode_ordinary_batch(texts, num_threads=1)]

    def decode(self, ids: list[Any]) -> list[str]:
        """Return the text of each."""
        return [self.encoding.decode(i.tolist()) for i in ids]


def _imported(name: str, what: str) -> Any:
    import importlib

    try:
        return importlib.import_module(name)
    except ImportError:
        raise ValueError(f"{what} is read by the package {name}, which is not installed: pip install {name}") from None


def load_encoder(data: bytes, name: str) -> Encoder:
    """Return the vocabulary of a file's bytes: what it is shows in them, not in its name.

    Raises ValueError where it is none of the known kinds.
    """
    if data[:1] in (b"{", b"[", b" "):
        return _of_json(data, name)
    if re.match(rb"[A-Za-z0-9+/]+={0,2} \d+\r?\n", data):
        return Tiktoken(_ranks(data), RANKS_PATTERN)
    from tokenizer.model import parse_model

    try:
        parse_model(data)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    return SentencePiece(data)


def _ranks(data: bytes) -> dict[bytes, int]:
    lines = (line.split() for line in data.splitlines() if line)
    return {base64.b64decode(token): int(rank) for token, rank in lines}


def _of_json(data: bytes, name: str) -> Encoder:
    try:
        body = json.loads(data)
    except ValueError as error:
        raise ValueError(f"{name} is no vocabulary: {error}") from None
    if isinstance(body, dict) and "model" in body and "added_tokens" in body:
        return HuggingFace(data)
    if isinstance(body, dict) and {"config", "vocab"} <= body.keys() and "pattern" in body["config"]:
        config = body["config"]
        room = config["default_vocab_size"] - config["default_num_special_tokens"]
        ranks = {base64.b64decode(token["token_bytes"]): token["rank"] for token in body["vocab"][:room]}
        return Tiktoken(ranks, config["pattern"])
    raise ValueError(f"{name} is no vocabulary: neither a tokenizer.json nor a tekken.json")
