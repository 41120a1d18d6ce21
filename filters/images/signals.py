"""What an image's pixels measure: whole numbers, and two float64 that follow from whole numbers alone."""

import math
from typing import Any, NamedTuple

import numpy as np

from filters.native import kernel

SIGNALS_VERSION = 1  # part of the stage key
DARK, BRIGHT = 16, 240  # grey levels below, and from here on
_STRETCH = 4096  # pixels whose squared edges, (4 x 255)^2 at most, fit 32 bits together
_LANES = 96  # of 8 bits: whole pixels, whole vector registers


class Signals(NamedTuple):
    """Signals of one upright image at its own size.

    width_px, height_px, pixel_count
    long_side_px, short_side_px   their ratio is the aspect ratio, at least 1
    color_range                   0 to 255: widest range of a channel; 0 where all pixels have one colour
    luma_sum                      sum of grey levels; divided by pixel_count the brightness, 0 to 255
    dark_pixel_count              grey level below 16
    bright_pixel_count            grey level 240 and more
    entropy_bits                  0 to 8: Shannon entropy of the grey levels
    sharpness                     >= 0: variance of the Laplacian (4 neighbours, edges mirrored as OpenCV's default)
    """

    width_px: int
    height_px: int
    pixel_count: int
    long_side_px: int
    short_side_px: int
    color_range: int
    luma_sum: int
    dark_pixel_count: int
    bright_pixel_count: int
    entropy_bits: float
    sharpness: float


def measure(pixels: Any, gray: Any) -> Signals:
    """Return the signals of uint8[H, W, 3] and its `filters.images.phash.luma`, uint8[H, W]."""
    height, width = gray.shape
    levels = np.zeros(256, np.int64)
    _count_levels(gray.reshape(-1), levels)
    total, squares = _edges(gray)
    count = height * width
    return Signals(
        width,
        height,
        count,
        max(width, height),
        min(width, height),
        int(_range(pixels.reshape(-1))),
        int(np.arange(256) @ levels),
        int(levels[:DARK].sum()),
        int(levels[BRIGHT:].sum()),
        _entropy(levels.tolist(), count),
        (count * int(squares) - int(total) ** 2) / (count * count),
    )


def _entropy(levels: list[int], count: int) -> float:
    return max(0.0, -math.fsum(n / count * math.log2(n / count) for n in levels if n))


@kernel
def _range(values: Any) -> int:
    """Return the widest range of a channel of uint8[n * 3]; lanes side by side, so they run in vector registers."""
    low, high = np.full(_LANES, 255, np.uint8), np.zeros(_LANES, np.uint8)
    whole = len(values) // _LANES * _LANES
    for start in range(0, whole, _LANES):
        some = values[start : start + _LANES]
        for i in range(_LANES):
            low[i] = min(low[i], some[i])
            high[i] = max(high[i], some[i])
    for i in range(whole, len(values)):
        low[i - whole] = min(low[i - whole], values[i])
        high[i - whole] = max(high[i - whole], values[i])
    widest = 0
    for c in range(3):
        widest = max(widest, int(high[c::3].max()) - int(low[c::3].min()))
    return widest


@kernel
def _mirrored(i: int, size: int) -> int:
    """Return the row that stands for row i of `size`, -1 <= i <= size, mirrored at the outer rows."""
    if size == 1:
        return 0
    return 1 if i < 0 else size - 2 if i == size else i


@kernel
def _count_levels(gray: Any, levels: Any) -> None:
    """Count grey levels of uint8[n] in four tables: in one, a run of equal levels waits for itself."""
    tables = np.zeros((4, 256), np.int64)
    whole = len(gray) // 4 * 4
    for i in range(0, whole, 4):
        for k in range(4):
            tables[k, gray[i + k]] += 1
    for i in range(whole, len(gray)):
        tables[0, gray[i]] += 1
    for level in range(256):
        levels[level] = tables[0, level] + tables[1, level] + tables[2, level] + tables[3, level]


@kernel
def _edges(gray: Any) -> tuple[int, int]:
    """Return (sum, sum of squares) of the Laplacian over all pixels."""
    height, width = gray.shape
    total: Any = 0
    squares: Any = 0
    for y in range(height):
        line = gray[y]
        above, below = gray[_mirrored(y - 1, height)], gray[_mirrored(y + 1, height)]
        for x in range(0, width, max(width - 1, 1)):
            edge = int(line[_mirrored(x - 1, width)]) + int(line[_mirrored(x + 1, width)])
            edge += int(above[x]) + int(below[x]) - 4 * int(line[x])
            total += edge
            squares += edge * edge
        for start in range(1, width - 1, _STRETCH):
            stop = min(start + _STRETCH, width - 1)
            near, some = line[start - 1 : stop + 1], slice(start, stop)
            part, part_squares = _inner_edges(near, above[some], below[some])
            total += part
            squares += part_squares
    return total, squares


@kernel
def _inner_edges(line: Any, above: Any, below: Any) -> tuple[int, int]:
    """Return the same of len(above) pixels, at most _STRETCH; `line` has one more at either end."""
    middle, left, right = line[1:-1], line[:-2], line[2:]
    total: Any = np.int32(0)
    squares: Any = np.uint32(0)
    for x in range(len(above)):
        around = np.int32(left[x]) + np.int32(right[x]) + np.int32(above[x]) + np.int32(below[x])
        edge: Any = np.int32(around - np.int32(4) * np.int32(middle[x]))
        total = np.int32(total + edge)
        squares = np.uint32(squares + np.uint32(np.int32(edge * edge)))
    return int(total), int(squares)
