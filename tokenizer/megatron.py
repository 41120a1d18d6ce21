"""Megatron's indexed dataset: `.bin`, the tokens of all sequences one behind the other, and `.idx`, where they stand.

Layout of `.idx` (Megatron-LM, megatron/core/datasets/indexed_dataset.py), little-endian: the 9 bytes MMIDIDX 0 0;
version 1, uint64; code of the token type, uint8; sequences, uint64; document bounds, uint64; then int32 lengths of
sequences in tokens, int64 places of sequences in bytes, int64 bounds of documents in sequences, from 0 to the end.
"""

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np

MAGIC = b"MMIDIDX\x00\x00"
VERSION = 1
CODES = {1: np.uint8, 2: np.int8, 3: np.int16, 4: np.int32, 5: np.int64, 6: np.float64, 7: np.float32, 8: np.uint16}
_HEADER = struct.Struct("<9sQBQQ")
MAX_SEQUENCE_TOKENS = (1 << 31) - 1


class BadIndexError(ValueError):
    """A file is no index of Megatron's, or one of other tokens."""


@dataclass(frozen=True)
class Index:
    """What an `.idx` says. Document d is the sequences [documents[d], documents[d + 1])."""

    dtype: Any
    lengths: Any  # int32[sequences]: tokens
    places: Any  # int64[sequences]: bytes
    documents: Any  # int64[documents + 1]

    @property
    def tokens(self) -> int:
        """Tokens of all sequences."""
        return int(self.lengths.astype(np.int64).sum())

    def starts(self) -> Any:
        """Return the first token of each sequence among all, int64[sequences + 1]."""
        return np.concatenate([[0], np.cumsum(self.lengths, dtype=np.int64)])


def index_bytes(lengths: Any, documents: Any, dtype: Any) -> bytes:
    """Return an `.idx`: lengths of the sequences in tokens, bounds of the documents in sequences, the tokens' type."""
    lengths, documents = np.asarray(lengths, np.int64), np.asarray(documents, np.int64)
    if len(lengths) and not 0 <= int(lengths.min()) <= int(lengths.max()) <= MAX_SEQUENCE_TOKENS:
        raise ValueError(f"a sequence of {int(lengths.max())} tokens: an index holds at most {MAX_SEQUENCE_TOKENS}")
    code = next(number for number, each in CODES.items() if np.dtype(each) == np.dtype(dtype))
    places = np.concatenate([[0], np.cumsum(lengths)])[:-1] * np.dtype(dtype).itemsize
    head = _HEADER.pack(MAGIC, VERSION, code, len(lengths), len(documents))
    return b"".join(
        [head, lengths.astype("<i4").tobytes(), places.astype("<i8").tobytes(), documents.astype("<i8").tobytes()]
    )


def read_index(data: bytes, size: int) -> Index:
    """Return what an `.idx` says of a `.bin` of `size` bytes.

    Raises BadIndexError where it is none, is cut or longer, or speaks of other bytes.
    """
    if len(data) < _HEADER.size:
        raise BadIndexError(f"{len(data)} bytes are no index")
    magic, version, code, sequences, bounds = _HEADER.unpack_from(data)
    if magic != MAGIC or version != VERSION or code not in CODES:
        raise BadIndexError(f"magic {magic!r}, version {version}, type {code}: not an index of Megatron's")
    expected = _HEADER.size + 12 * sequences + 8 * bounds
    if len(data) != expected:
        raise BadIndexError(f"the index has {len(data)} bytes, its header promises {expected}")
    lengths = np.frombuffer(data, "<i4", sequences, _HEADER.size)
    places = np.frombuffer(data, "<i8", sequences, _HEADER.size + 4 * sequences)
    documents = np.frombuffer(data, "<i8", bounds, _HEADER.size + 12 * sequences)
    found = Index(np.dtype(CODES[code]), lengths, places, documents)
    _check(found, size)
    return found


def _check(index: Index, size: int) -> None:
    width = index.dtype.itemsize
    if index.tokens * width != size or not np.array_equal(index.places, index.starts()[:-1] * width):
        raise BadIndexError(f"the index speaks of {index.tokens * width} bytes in a row, the tokens have {size}")
    bounds = index.documents
    if not len(bounds) or bounds[0] != 0 or bounds[-1] != len(index.lengths) or (np.diff(bounds) < 0).any():
        raise BadIndexError(f"the documents do not part the {len(index.lengths)} sequences")
