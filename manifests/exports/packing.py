"""Cutting samples into files of a bounded size, as MDS and LitData both lay them: a count, offsets, samples."""

import struct
from collections.abc import Iterable, Iterator

MAX_FILE_BYTES = (1 << 32) - 1  # offsets are 32 bits wide in both formats
Encoded = tuple[str, bytes]  # key, bytes of the sample in the format


def cut(samples: Iterable[Encoded], max_bytes: int) -> Iterator[list[bytes]]:
    """Yield the samples in runs that hold at most `max_bytes` each, or one larger sample alone.

    Raises ValueError for a sample that no offset of 32 bits can reach past.
    """
    held: list[bytes] = []
    size = 0
    for key, encoded in samples:
        if len(encoded) > MAX_FILE_BYTES - (1 << 20):
            raise ValueError(f"sample {key}: {len(encoded)} bytes do not fit below the format's offsets of 32 bits")
        if held and size + len(encoded) + 4 > max_bytes:
            yield held
            held, size = [], 0
        held.append(encoded)
        size += len(encoded) + 4
    if held:
        yield held


def offset_table(samples: list[bytes], between: bytes = b"") -> bytes:
    """Return count, count + 1 offsets from the file's first byte (little-endian, 32 bits), then `between`."""
    at = 4 + 4 * (len(samples) + 1) + len(between)
    offsets = [at]
    for sample in samples:
        at += len(sample)
        offsets.append(at)
    if at > MAX_FILE_BYTES:
        raise ValueError(f"a file of {at} bytes is over the format's offsets of 32 bits; use smaller shards")
    return struct.pack(f"<{len(offsets) + 1}I", len(samples), *offsets) + between


def sized(values: list[bytes]) -> bytes:
    """Return the lengths of the values (little-endian, 32 bits), then the values."""
    return struct.pack(f"<{len(values)}I", *map(len, values)) + b"".join(values)
