"""How kernels are compiled: numba, without the GIL, cached on disk.

numba's cache looks at the file of the kernel only, and would go on with a stale copy of a function or constant that
another file defines. A digest of all sources that kernels stand in therefore names the cache folder.
"""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

F = TypeVar("F", bound=Callable[..., Any])


def cache_root() -> Path:
    """Return the folder for everything that can be made again: compiled kernels, models, test input."""
    if own := os.environ.get("CORPUSMILL_CACHE"):
        return Path(own)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "corpusmill"


def _source_digest() -> str:
    root = Path(__file__).parent
    sources = sorted([*root.rglob("*.py"), *(root.parent / "tokenizer").glob("*.py")])
    named = (str(path.relative_to(root.parent)).encode() + path.read_bytes() for path in sources)
    return hashlib.sha256(b"\0".join(named)).hexdigest()[:16]


os.environ.setdefault("NUMBA_CACHE_DIR", str(cache_root() / "kernels" / _source_digest()))

import numba  # noqa: E402  (reads NUMBA_CACHE_DIR when it is imported)
import numpy as np  # noqa: E402
import pyarrow as pa  # noqa: E402


def kernel(function: F) -> F:
    """Compile `function` to machine code on first call; integers wrap, floats keep IEEE order (no fastmath)."""
    compiled: Any = numba.njit(cache=True, nogil=True, error_model="numpy")(function)
    return cast("F", compiled)


@kernel
def decode_utf8(data: Any, i: int) -> tuple[int, int]:
    """Return (code point, byte length) of the character that starts at data[i]; `data` is valid UTF-8."""
    first = data[i]
    if first < 0x80:
        return int(first), 1
    if first < 0xE0:
        return ((first & 0x1F) << 6) | (data[i + 1] & 0x3F), 2
    if first < 0xF0:
        return ((first & 0x0F) << 12) | ((data[i + 1] & 0x3F) << 6) | (data[i + 2] & 0x3F), 3
    return (
        ((first & 0x07) << 18) | ((data[i + 1] & 0x3F) << 12) | ((data[i + 2] & 0x3F) << 6) | (data[i + 3] & 0x3F),
        4,
    )


@kernel
def mix64(x: Any) -> Any:
    """Scatter the bits of a uint64 (the finaliser of SplitMix64; Steele, Lea & Flood 2014)."""
    x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return x ^ (x >> np.uint64(31))


def string_buffers(text: pa.StringArray) -> tuple[Any, Any]:
    """Return (bytes: uint8[n], offsets: int32[len + 1]) of a string array without a copy.

    Offsets are absolute in the byte array, also where the array is a slice. A null is an empty text where it covers
    no bytes, as in every array that a builder made.
    """
    _, offsets, data = text.buffers()
    ends = np.frombuffer(offsets, np.int32)[text.offset : text.offset + len(text) + 1]
    body = np.frombuffer(data, np.uint8) if data is not None and data.size else np.zeros(0, np.uint8)
    for array in (body, ends):
        array.setflags(write=False)  # built arrays are writable, read ones are not: one type, one compilation
    return body, ends
