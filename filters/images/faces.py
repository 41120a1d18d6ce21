"""Faces: where they are, and the same image with them blurred.

The detector is BlazeFace (Bazarevsky et al. 2019; Google's "back camera" model, Apache-2.0) out of a package that
carries it, read by OpenCV. It sees the image at 256 x 256, so faces below about 1/12 of the longer side are missed:
larger images are looked at in overlapping quarters as well. A detector is no guarantee.
"""

from functools import cache
from typing import Any

import numpy as np

from filters.models import model_path

FACES_VERSION = 1  # part of the stage key
MODEL = "face_detection_back.tflite"
SIDE = 256
MIN_SCORE = 0.6
SAME_FACE = 0.3  # intersection over union
TILED_FROM_PX = 384  # longer side from which quarters are looked at
_GRIDS = ((16, 2), (8, 6))  # cells a side, anchors a cell (strides 16 and 32)
_SCORE_LIMIT = 80.0
_MARGIN, _SIGMA = 0.1, 0.1  # of a face's longer side, as in ImageNet's obfuscation (Yang et al. 2022)


def find_faces(pixels: Any, most: int = 100) -> Any:
    """Return float32[faces, 5]: left, top, right, bottom in [0, 1] of the image, score in [0.6, 1]; best first.

    pixels: uint8[H, W, 3].
    """
    height, width = pixels.shape[:2]
    found = [_look(pixels, place) for place in _views(height, width)]
    boxes = np.concatenate(found)
    boxes[:, [0, 2]] = np.clip(boxes[:, [0, 2]] / width, 0, 1)
    boxes[:, [1, 3]] = np.clip(boxes[:, [1, 3]] / height, 0, 1)
    return _best(boxes)[:most].astype(np.float32)


def blur_faces(pixels: Any, faces: Any) -> Any:
    """Return uint8[H, W, 3] with every face blurred; the same array where there is none.

    Each box grows by a tenth of its longer side, and is blurred by a Gaussian of sigma a tenth of that side.
    """
    import cv2

    if not len(faces):
        return pixels
    out = pixels.copy()
    height, width = pixels.shape[:2]
    for left, top, right, bottom in (faces[:, :4] * [width, height, width, height]).tolist():
        side = max(right - left, bottom - top)
        x0, x1 = max(int(left - _MARGIN * side), 0), min(int(np.ceil(right + _MARGIN * side)), width)
        y0, y1 = max(int(top - _MARGIN * side), 0), min(int(np.ceil(bottom + _MARGIN * side)), height)
        if x0 < x1 and y0 < y1:
            sigma = max(_SIGMA * side, 1.0)
            out[y0:y1, x0:x1] = cv2.GaussianBlur(np.ascontiguousarray(out[y0:y1, x0:x1]), (0, 0), sigma)
    return out


def _views(height: int, width: int) -> list[tuple[int, int, int, int]]:
    """Return (top, left, bottom, right) of what is looked at: the whole, and quarters that overlap by a third."""
    views = [(0, 0, height, width)]
    if max(height, width) >= TILED_FROM_PX:
        tall, wide = -(-height * 3 // 5), -(-width * 3 // 5)
        views += [(y, x, y + tall, x + wide) for y in (0, height - tall) for x in (0, width - wide)]
    return views


def _look(pixels: Any, view: tuple[int, int, int, int]) -> Any:
    """Return float64[faces, 5]: left, top, right, bottom in pixels of the whole image, score."""
    import cv2

    from filters.images.resize import scaled

    top, left, bottom, right = view
    part = pixels[top:bottom, left:right]
    longest = max(part.shape[:2])
    small = scaled(part, *(max(1, round(side * SIDE / longest)) for side in part.shape[:2]))
    square = np.zeros((SIDE, SIDE, 3), np.uint8)
    square[: small.shape[0], : small.shape[1]] = small
    net = _network()
    net.setInput(cv2.dnn.blobFromImage(square, 1 / 127.5, mean=(127.5, 127.5, 127.5)))
    scores, raw = net.forward(("classificators", "regressors"))
    boxes = _boxes(scores.reshape(-1), raw.reshape(-1, 16))
    boxes[:, :4] = boxes[:, :4] * longest + [left, top, left, top]
    return boxes


def _boxes(raw_scores: Any, raw: Any) -> Any:
    """Return float64[faces, 5] in [0, 1] of the square, of anchors whose score is enough."""
    scores = 1.0 / (1.0 + np.exp(-np.clip(raw_scores.astype(np.float64), -_SCORE_LIMIT, _SCORE_LIMIT)))
    good = (scores >= MIN_SCORE) & (raw[:, 2] > 0) & (raw[:, 3] > 0)
    center = raw[good, :2] / SIDE + _anchors()[good]
    half = raw[good, 2:4] / SIDE / 2
    return np.concatenate([center - half, center + half, scores[good, None]], axis=1)


def _best(boxes: Any) -> Any:
    """Return the boxes that no better one covers, best first; equal scores from left to right."""
    order = np.lexsort((boxes[:, 1], boxes[:, 0], -boxes[:, 4]))
    kept: list[Any] = []
    for box in boxes[order]:
        if all(_overlap(box, other) < SAME_FACE for other in kept):
            kept.append(box)
    return np.array(kept).reshape(-1, 5)


def _overlap(a: Any, b: Any) -> float:
    """Return the intersection over the union, or over the smaller box where that is nearly all of it."""
    wide, tall = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
    if wide <= 0 or tall <= 0:
        return 0.0
    sizes = (a[2] - a[0]) * (a[3] - a[1]), (b[2] - b[0]) * (b[3] - b[1])
    shared = wide * tall
    return float(max(shared / (sum(sizes) - shared), shared / min(sizes) - 0.5))


@cache
def _anchors() -> Any:
    """Return float64[896, 2]: the centre of each anchor, row by row."""
    grids = []
    for cells, repeats in _GRIDS:
        middle = (np.arange(cells) + 0.5) / cells
        grid = np.stack(np.meshgrid(middle, middle), axis=-1).reshape(-1, 2)
        grids.append(np.repeat(grid, repeats, axis=0))
    return np.concatenate(grids)


@cache
def _network() -> Any:
    """Return the checked model, loaded once a process, on one thread."""
    import cv2

    cv2.setNumThreads(1)
    return cv2.dnn.readNetFromTFLite(np.frombuffer(model_path(MODEL).read_bytes(), np.uint8))
