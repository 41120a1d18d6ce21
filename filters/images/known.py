"""Known-bad images: lists of hashes that the user gives, and which images stand on them.

A list holds one hash a line in hexadecimal, of one kind: `sha256` and `md5` of the file as it came, `pdq` of what it
shows (Facebook's PDQ, 2019; 256 bits, its DCT sees the whole picture, so it survives scaling and pressing). What
follows a hash on its line is ignored, and so are empty lines, lines that begin with "#", and a first line that is a
header of a table.
"""

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from filters.images.near import bit_count
from filters.images.resize import shrunk
from filters.native import kernel

KNOWN_VERSION = 1  # part of the stage key
BYTES = {"sha256": 32, "md5": 16, "pdq": 32}
PDQ_BITS = 256
PDQ_SIDE_PX = 512  # a longer image is shrunk to this first, as PDQ's own tools do
PDQ_MAX_DISTANCE = 31  # of 256 bits: its authors' threshold (ThreatExchange, "Matching")
PDQ_MIN_QUALITY = 50  # of 100: below it, its authors say, a hash means nothing
_LINE = re.compile(rb"\s*[\"']?([0-9a-fA-F]+)(?![0-9A-Za-z])")


@dataclass(frozen=True)
class KnownBad:
    """A list that has been read."""

    kind: str
    max_distance: int  # bits; above 0 of `pdq` alone
    hashes: tuple[bytes, ...]  # sorted, each once

    def matches(self, digests: Sequence[bytes | None]) -> np.ndarray:
        """Return which digests of the list's kind stand on it, bool[n]; None stands on none.

        With a distance each is compared with each hash of the list: some nanoseconds a pair.
        """
        if self.max_distance == 0:
            listed = frozenset(self.hashes)
            return np.array([digest in listed for digest in digests], bool)
        there = np.array([digest is not None for digest in digests], bool)
        given = _words([digest for digest in digests if digest is not None])
        near = np.zeros(len(given), bool)
        _match(given, _words(self.hashes), self.max_distance, near)
        found = np.zeros(len(digests), bool)
        found[there] = near
        return found


def parse_known(content: bytes, kind: str, max_distance: int = 0) -> KnownBad:
    """Return the list of a file's bytes; raises ValueError where a line holds no hash of this kind."""
    if kind not in BYTES:
        raise ValueError(f"hashes are {', '.join(BYTES)}, got {kind!r}")
    found: set[bytes] = set()
    for number, line in enumerate(content.splitlines(), 1):
        told = _LINE.match(line)
        if told and len(told[1]) == 2 * BYTES[kind]:
            found.add(bytes.fromhex(told[1].decode()))
        elif line.strip() and not line.lstrip().startswith(b"#") and (told or number > 1):
            raise ValueError(f"line {number} does not begin with a {kind} of {2 * BYTES[kind]} hexadecimal digits")
    return KnownBad(kind, max_distance if kind == "pdq" else 0, tuple(sorted(found)))


def pdq_hash(pixels: Any) -> bytes | None:
    """Return the PDQ of uint8[H, W, 3], 32 bytes, first bit highest; None where it is too flat to mean anything."""
    import pdqhash

    height, width = pixels.shape[:2]
    scale = PDQ_SIDE_PX / max(height, width)
    if scale < 1:
        pixels = shrunk(pixels, max(1, round(height * scale)), max(1, round(width * scale)))
    bits, quality = pdqhash.compute(np.ascontiguousarray(pixels))
    return np.packbits(bits.astype(np.uint8)).tobytes() if quality >= PDQ_MIN_QUALITY else None


def md5_of(payload: bytes) -> bytes:
    """Return the MD5 of a file, as old lists have it."""
    return hashlib.md5(payload, usedforsecurity=False).digest()


def _words(hashes: Sequence[bytes]) -> Any:
    return np.frombuffer(b"".join(hashes), ">u8").astype(np.uint64).reshape(-1, PDQ_BITS // 64)


@kernel
def _match(given: Any, hashes: Any, distance: int, found: Any) -> None:
    """Compare each with each, uint64[n, 4]; most pairs end at their first two words."""
    for i in range(len(given)):
        for k in range(len(hashes)):
            differing = 0
            for word in range(given.shape[1]):
                differing += bit_count(given[i, word] ^ hashes[k, word])
                if differing > distance:
                    break
            if differing <= distance:
                found[i] = True
                break
