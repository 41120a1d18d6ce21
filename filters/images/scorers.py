"""Scores by models that the user brings: aesthetics, watermarks, image-text similarity, as ONNX files.

No such model ships. A file is pinned by its sha256, runs on one thread, and names the column that it fills.
"""

import math
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

from filters.images.onnx import load
from filters.images.resize import Resize, resize

CLIP_MEAN, CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


@dataclass(frozen=True)
class Scorer:
    """A model of the user's.

    column         what it fills: aesthetic_score, image_text_similarity, ...; rules read it by this name
    path, sha256   the file, and what it must be
    side_px        of the square that it sees: scaled as `center_crop`
    mean, std      of red, green, blue in [0, 1]; CLIP's by default
    reads_caption  the graph takes the caption too: string[1], its second input

    The graph's first input is float32[1, 3, side_px, side_px]; its first output holds one number.
    """

    column: str
    path: str
    sha256: str
    side_px: int = 224
    mean: tuple[float, ...] = CLIP_MEAN
    std: tuple[float, ...] = CLIP_STD
    reads_caption: bool = False

    def __post_init__(self) -> None:
        if len(self.mean) != 3 or len(self.std) != 3 or min(self.std) <= 0:
            raise ValueError(f"{self.column}: mean and std are three numbers, std above 0, got {self.mean}, {self.std}")
        if not 1 <= self.side_px <= 4096:
            raise ValueError(f"{self.column}: side_px must be 1 to 4096, got {self.side_px}")


def score(scorer: Scorer, pixels: Any, caption: str | None) -> float | None:
    """Return the score of uint8[H, W, 3]; None where the graph needs a caption and there is none, or gives no number.

    Raises ModelMissingError and ModelDamagedError (filters.models) on first use.
    """
    if scorer.reads_caption and not (caption or "").strip():
        return None
    session = _session(scorer.path, scorer.sha256)
    names = [each.name for each in session.get_inputs()]
    given: dict[str, Any] = {names[0]: prepared(scorer, pixels)}
    if scorer.reads_caption:
        given[names[1]] = np.array([caption], object)
    found = float(np.asarray(session.run(None, given)[0]).reshape(-1)[0])
    return found if math.isfinite(found) else None


def prepared(scorer: Scorer, pixels: Any) -> Any:
    """Return float32[1, 3, side_px, side_px] of uint8[H, W, 3], normalised."""
    square = resize(_trimmed(pixels), Resize("center_crop", scorer.side_px)).astype(np.float32) / np.float32(255)
    normal = (square - np.array(scorer.mean, np.float32)) / np.array(scorer.std, np.float32)
    return np.ascontiguousarray(normal.transpose(2, 0, 1)[None])


def _trimmed(pixels: Any) -> Any:
    """Return the square in the middle: a long strip would otherwise be scaled to a huge one first."""
    height, width = pixels.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    return np.ascontiguousarray(pixels[top : top + side, left : left + side])


@cache
def _session(path: str, sha256: str) -> Any:
    return load(path, sha256)
