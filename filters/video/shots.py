"""Where one shot ends and the next begins: how much colour changes from frame to frame, and what counts as a cut.

The score is that of PySceneDetect's ContentDetector (mean absolute difference of hue, saturation and value, each in
OpenCV's 8-bit scale), taken over a grid of samples straight from the decoder's planes: no frame is converted whole.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

from filters.native import kernel

GRID_PX = 160  # samples along the longer side
CUT_THRESHOLD = 27.0  # ContentDetector's; Panda-70M takes 25, video2dataset 11.5
MIN_SHOT_FRAMES = 15
HUE, SATURATION, VALUE, LUMA = range(4)
CHANNELS = 4
SUMS = 7  # what `measure` fills: changes of the four channels, luma, dark samples, distance to the still picture
LUMA_SUM, DARK_COUNT, STILL_CHANGE = 4, 5, 6
BLACK_LUMA = 37  # of [16, 235]: ffmpeg's blackdetect, pixel_black_th=0.10

_BITS = np.int32(12)  # OpenCV's cvtColor: quotients from tables, in whole numbers of 2^-12
_HALF = np.int32(1 << 11)
_DIVISORS = np.maximum(np.arange(256), 1)
_HUE = np.where(np.arange(256), np.rint((180 << 12) / (6.0 * _DIVISORS)), 0).astype(np.int32)
_SATURATION = np.where(np.arange(256), np.rint((255 << 12) / _DIVISORS), 0).astype(np.int32)


def grid_shape(width: int, height: int) -> tuple[int, int]:
    """Return (rows, columns) of the samples of a frame: its own shape, the longer side at most GRID_PX."""
    longer = max(width, height)
    if longer <= GRID_PX:
        return height, width
    return max(1, height * GRID_PX // longer), max(1, width * GRID_PX // longer)


def sample_places(size: int, count: int) -> npt.NDArray[np.int32]:
    """Return int32[count]: the first of the two pixels that each sample averages, even where it can be."""
    places = (np.arange(count, dtype=np.int64) * size // count).astype(np.int32)
    if size >= 2 * count:
        places &= ~np.int32(1)
    return np.minimum(places, max(size - 2, 0)).astype(np.int32)


@kernel
def _gather(planes: Any, shape: Any, row: int, columns: Any, y: Any, u: Any, v: Any) -> None:
    """Fill int32[columns] with the mean luma of 2 x 2 pixels and with the chroma that stands there."""
    luma, blue, red = planes
    height, width, down, across = shape[0], shape[1], shape[2], shape[3]
    upper = luma[row * shape[5] : row * shape[5] + width]
    below = min(row + 1, height - 1) * shape[5]
    lower = luma[below : below + width]
    blue_row, red_row = blue[(row >> down) * shape[6] :], red[(row >> down) * shape[7] :]
    for j in range(len(columns)):
        column = columns[j]
        right = min(column + 1, width - 1)
        y[j] = (np.int32(upper[column]) + upper[right] + lower[column] + lower[right] + 2) >> 2
        u[j] = np.int32(blue_row[column >> across]) - 128
        v[j] = np.int32(red_row[column >> across]) - 128


@kernel
def _to_hsv(y: Any, u: Any, v: Any, is_full: int, now: Any) -> None:
    """Fill int32[CHANNELS, columns]: hue in [0, 180), saturation, value, luma in [0, 255].

    BT.601 in whole numbers of 2^-8, then OpenCV's cvtColor, RGB to HSV.
    """
    i32 = np.int32
    gain, base = (i32(256), i32(0)) if is_full else (i32(298), i32(16))
    rv, gu, gv, bu = (i32(359), i32(88), i32(183), i32(454)) if is_full else (i32(409), i32(100), i32(208), i32(516))
    none, most = i32(0), i32(255)
    for j in range(len(y)):
        grey = (y[j] - base) * gain + i32(128)
        r = min(max((grey + rv * v[j]) >> i32(8), none), most)
        g = min(max((grey - gu * u[j] - gv * v[j]) >> i32(8), none), most)
        b = min(max((grey + bu * u[j]) >> i32(8), none), most)
        value = max(r, g, b)
        spread = value - min(r, g, b)
        turn = r - g + i32(4) * spread
        turn = b - r + i32(2) * spread if value == g else turn
        turn = g - b if value == r else turn
        hue = (turn * _HUE[spread] + _HALF) >> _BITS
        now[0, j] = hue + i32(180) if hue < none else hue
        now[1, j] = (spread * _SATURATION[value] + _HALF) >> _BITS
        now[2, j] = value
        now[3, j] = y[j]


@kernel
def _compare(now: Any, before: Any, sums: Any) -> None:
    """Add one row's changes to `sums` and replace `before`, uint8[CHANNELS + 1, columns], but for the still picture."""
    for k in range(CHANNELS):
        change = np.int32(0)
        for j in range(now.shape[1]):
            change += abs(now[k, j] - np.int32(before[k, j]))
            before[k, j] = now[k, j]
        sums[k] += change
    luma, dark, distance = np.int32(0), np.int32(0), np.int32(0)
    for j in range(now.shape[1]):
        y = now[LUMA, j]
        luma += y
        dark += np.int32(1) if y <= BLACK_LUMA else np.int32(0)
        distance += abs(y - np.int32(before[CHANNELS, j]))
    sums[LUMA_SUM] += luma
    sums[DARK_COUNT] += dark
    sums[STILL_CHANGE] += distance


@kernel
def measure(planes: Any, shape: Any, rows: Any, columns: Any, state: Any, sums: Any) -> None:
    """Fill `sums`, int64[SUMS], with what a frame's samples come to, and replace the frame before in `state`.

    planes         (luma, blue, red), uint8[line size x lines] each, chroma subsampled
    shape          int64[8]: height, width, log2 of the chroma's subsampling down and across, 1 for full range,
                   and the bytes of a line of each plane
    rows, columns  of the samples' first pixels; each sample is the mean luma of 2 x 2 pixels and one chroma
    state          uint8[CHANNELS + 1, len(rows), len(columns)]: the frame before, and the still picture
    """
    size = len(columns)
    y, u, v = np.empty(size, np.int32), np.empty(size, np.int32), np.empty(size, np.int32)
    now = np.empty((CHANNELS, size), np.int32)
    sums[:] = 0
    for i in range(len(rows)):
        _gather(planes, shape, rows[i], columns, y, u, v)
        _to_hsv(y, u, v, shape[4], now)
        _compare(now, state[:, i], sums)


def content_scores(sums: npt.NDArray[np.int64], sample_count: int) -> npt.NDArray[np.float64]:
    """Return float64[frames] in [0, 255]: the mean change of hue, saturation and value since the frame before.

    sums: int64[frames, SUMS]. The first frame's score is 0.
    """
    scores = sums[:, [HUE, SATURATION, VALUE]].sum(axis=1) / (3.0 * max(sample_count, 1))
    scores[:1] = 0.0
    return np.asarray(scores, np.float64)


def cuts(
    scores: npt.NDArray[np.float64], threshold: float = CUT_THRESHOLD, min_frames: int = MIN_SHOT_FRAMES
) -> list[int]:
    """Return the frames with which a new shot starts, ascending; the first shot starts at 0, which isn't listed.

    A frame whose score reaches the threshold is a cut, if `min_frames` lie between it and the frame before that
    reached it. Nearer ones (a flash, a fast montage) are merged into one cut at the last of them, once
    `min_frames` have passed without another: PySceneDetect's FlashFilter, mode MERGE.
    """
    found: list[int] = []
    last, merged_from = 0, -1
    for i in range(len(scores)):
        is_above, is_far = scores[i] >= threshold, i - last >= min_frames
        if is_above:
            last = i
        if merged_from >= 0:
            if is_far and not is_above and last - merged_from >= min_frames:
                found.append(last)
                merged_from = -1
        elif is_above and is_far:
            found.append(i)
        elif is_above and found:
            merged_from = i
    return found
