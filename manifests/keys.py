"""Names that follow from content: canonical JSON, digests, record ids, and the even cut of the key space."""

import hashlib
import json
from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

KEY_SPACE = 1 << 64

UInt64s = npt.NDArray[np.uint64]


def canonical_json(value: Any) -> bytes:
    """Serialise `value` in one way only: sorted keys, no spaces, UTF-8, no NaN (the profile of RFC 8785 we need)."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return text.encode("utf-8", "surrogatepass")  # a file's name need not be UTF-8; json.loads takes it back


def digest_of(value: Any) -> str:
    """Return the sha256 (64 hex digits) of the canonical JSON of `value`."""
    return hashlib.sha256(canonical_json(value)).hexdigest()


def record_id(uri: str, payload_digest: bytes) -> bytes:
    """Return the 16-byte id of a record: the same URI with the same bytes is the same record."""
    return hashlib.sha256(uri.encode("utf-8", "surrogatepass") + b"\0" + payload_digest).digest()[:16]


def record_ids(uris: Iterable[str], payload_digests: Iterable[bytes]) -> pa.FixedSizeBinaryArray:
    """Return `record_id` of each pair, shape (n,)."""
    return pa.array([record_id(*pair) for pair in zip(uris, payload_digests, strict=True)], pa.binary(16))


def keys_of(ids: pa.FixedSizeBinaryArray) -> UInt64s:
    """Return the first 8 bytes of each id as a big-endian number, shape (len(ids),): keys order as ids do."""
    width = ids.type.byte_width
    raw = np.frombuffer(ids.buffers()[1], np.uint8)[ids.offset * width : (ids.offset + len(ids)) * width]
    return np.ascontiguousarray(raw.reshape(-1, width)[:, :8]).view(">u8").ravel().astype(np.uint64)


def key_range(partition: int, partitions: int) -> tuple[int, int]:
    """Return the half-open key range [low, high) of one of `partitions` even pieces of the key space."""
    if not 0 <= partition < partitions:
        raise ValueError(f"partition {partition} is not one of {partitions}")
    return -(-partition * KEY_SPACE // partitions), -(-(partition + 1) * KEY_SPACE // partitions)


def sampled(keys: UInt64s, fraction: float, salt: int) -> npt.NDArray[np.bool_]:
    """Return a coin for each key, true with probability `fraction`, that depends on the key and `salt` only."""
    mixed = (keys ^ np.uint64(salt)) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
    coin: npt.NDArray[np.bool_] = (mixed >> np.uint64(11)).astype(np.float64) < fraction * float(1 << 53)
    return coin
