"""The 64-bit perceptual hash of an image: which of its 64 lowest cosine waves stand above their median.

The method of imagehash.phash (Zauner 2010, section 3.2.1): grey, 32 x 32 by Pillow's Lanczos filter, DCT-II, median
of the 8 x 8 lowest coefficients. Pillow's filter is computed here as Pillow computes it, in whole numbers of 2^-22,
so both see the same 32 x 32 grey levels. Coefficients are rounded to 2^-16 before the comparison: those that are
nothing but rounding errors (flat or mirrored pictures) are equal here, and of any order there.
"""

from functools import lru_cache
from typing import Any

import numpy as np

from filters.native import kernel

PHASH_VERSION = 1  # part of the stage key
SIDE, LOW = 32, 8
TALL = 100  # heights by width from which Pillow shrinks the height first
SUPPORT = 3.0  # of Lanczos, in output pixels
PRECISION_BITS = 22  # Pillow's, for 8-bit channels
_HALF = 1 << (PRECISION_BITS - 1)
_GRAIN = 65536.0


def phash64(gray: Any) -> int:
    """Return the hash of uint8[H, W], an unsigned 64-bit number: imagehash.phash's, first bit highest.

    Grey as Pillow's "L" (`luma`). H, W >= 1.
    """
    if gray.ndim != 2 or gray.dtype != np.uint8 or 0 in gray.shape:
        raise ValueError(f"phash64 takes uint8[H, W] with a pixel, got {gray.dtype}{list(gray.shape)}")
    small = shrink(np.ascontiguousarray(gray))
    return int(_hash(small, _waves()))


def luma(pixels: Any) -> Any:
    """Return uint8[H, W] of uint8[H, W, 3] RGB: ITU-R 601-2 luma as Pillow rounds it."""
    import cv2

    gray = np.empty(pixels.shape[:2], np.uint8)
    words = cv2.cvtColor(pixels, cv2.COLOR_RGB2RGBA).view("<u4")
    _fill_luma(words.reshape(-1), gray.reshape(-1))
    return gray


def shrink(gray: Any) -> Any:
    """Return uint8[32, 32]: Pillow's resize((32, 32), LANCZOS) of uint8[H, W], to the bit."""
    height, width = gray.shape
    if height > TALL * width:
        return _narrowed(_lowered(gray))
    return _lowered(_narrowed(gray))


def _narrowed(gray: Any) -> Any:
    if gray.shape[1] == SIDE:
        return gray
    out = np.empty((gray.shape[0], SIDE), np.uint8)
    _across(gray, *_taps(gray.shape[1]), out)
    return out


def _lowered(gray: Any) -> Any:
    if gray.shape[0] == SIDE:
        return gray
    out = np.empty((SIDE, gray.shape[1]), np.uint8)
    _down(gray, *_taps(gray.shape[0]), out)
    return out


@lru_cache(maxsize=128)
def _taps(size: int) -> tuple[Any, Any]:
    """Return (first: int32[32], weights: int32[32, taps]) of Pillow's Lanczos filter from `size` to 32 samples."""
    scale = size / SIDE
    reach = SUPPORT * max(scale, 1.0)
    first = np.zeros(SIDE, np.int32)
    weights = np.zeros((SIDE, int(np.ceil(reach)) * 2 + 1), np.int32)
    for x in range(SIDE):
        center = (x + 0.5) * scale
        start, end = max(int(center - reach + 0.5), 0), min(int(center + reach + 0.5), size)
        place = (np.arange(start, end) - center + 0.5) / max(scale, 1.0)
        wave = np.where(np.abs(place) < SUPPORT, np.sinc(place) * np.sinc(place / SUPPORT), 0.0)
        whole = wave / wave.sum() * (1 << PRECISION_BITS)
        first[x] = min(start, size - 1)
        weights[x, : end - start] = np.trunc(whole + np.copysign(0.5, whole))
    return first, weights


@lru_cache(maxsize=1)
def _waves() -> Any:
    """Return float64[8, 32]: the 8 lowest cosine waves over 32 samples, unnormalised as scipy's DCT-II."""
    k, n = np.arange(LOW)[:, None], np.arange(SIDE)[None, :]
    return 2.0 * np.cos(np.pi * k * (2 * n + 1) / (2 * SIDE))


@kernel
def _fill_luma(pixels: Any, gray: Any) -> None:
    """Fill uint8[n] from uint32[n]: red in the lowest byte, then green, then blue."""
    byte = np.uint32(255)
    for i in range(len(gray)):
        r, g, b = pixels[i] & byte, (pixels[i] >> np.uint32(8)) & byte, (pixels[i] >> np.uint32(16)) & byte
        weighted = r * np.uint32(19595) + g * np.uint32(38470) + b * np.uint32(7471)
        gray[i] = (weighted + np.uint32(0x8000)) >> np.uint32(16)


@kernel
def _clipped(total: Any) -> Any:
    return np.uint8(min(max(total >> PRECISION_BITS, 0), 255))


@kernel
def _across(gray: Any, first: Any, weights: Any, out: Any) -> None:
    width = gray.shape[1]
    for y in range(gray.shape[0]):
        line = gray[y]
        for x in range(SIDE):
            count = min(weights.shape[1], width - first[x])
            seen, weight = line[first[x] : first[x] + count], weights[x, :count]
            total = np.int32(_HALF)
            for k in range(count):
                total += np.int32(seen[k]) * weight[k]
            out[y, x] = _clipped(total)


@kernel
def _down(rows: Any, first: Any, weights: Any, out: Any) -> None:
    width = rows.shape[1]
    total = np.empty(width, np.int32)
    for y in range(SIDE):
        start = first[y]
        total[:] = _HALF
        for k in range(min(weights.shape[1], rows.shape[0] - start)):
            weight = weights[y, k]
            for x in range(width):
                total[x] += np.int32(rows[start + k, x]) * weight
        for x in range(width):
            out[y, x] = _clipped(total[x])


@kernel
def _hash(small: Any, waves: Any) -> Any:
    """Return the uint64 hash of uint8[32, 32]; sums are taken in a fixed order."""
    half = np.zeros((LOW, SIDE))
    for k in range(LOW):
        for y in range(SIDE):
            for x in range(SIDE):
                half[k, x] += waves[k, y] * small[y, x]
    low = np.zeros(LOW * LOW)
    for k in range(LOW):
        for j in range(LOW):
            total = 0.0
            for x in range(SIDE):
                total += half[k, x] * waves[j, x]
            low[k * LOW + j] = np.floor(total * _GRAIN + 0.5) / _GRAIN
    ordered = np.sort(low)
    median = (ordered[LOW * LOW // 2 - 1] + ordered[LOW * LOW // 2]) / 2.0
    bits = np.uint64(0)
    for i in range(LOW * LOW):
        bits = (bits << np.uint64(1)) | np.uint64(low[i] > median)
    return bits
