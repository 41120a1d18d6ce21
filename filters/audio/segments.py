"""Stretches of speech -> segments of 3 to 30 s, as Emilia cuts them (He et al. 2024, section 3; its `main.py`).

Emilia merges a short stretch into the segment before it over a gap below 2 s, cuts what is too long every 30 s, and
drops what stays too short. Here a long stretch is cut where speech is least likely, not in the middle of a word.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np

from filters.audio import FRAME, RATE_HZ

SEGMENTS_VERSION = 1
SPEECH, WHOLE = "speech", "whole"


@dataclass(frozen=True)
class Segments:
    """What becomes a record: stretches of speech, or each file as a whole (then its caption stays true)."""

    mode: str = SPEECH  # SPEECH | WHOLE
    min_s: float = 3.0
    max_s: float = 30.0
    merge_gap_s: float = 2.0  # exclusive

    def __post_init__(self) -> None:
        """Refuse settings that no segment could meet."""
        if self.mode not in (SPEECH, WHOLE):
            raise ValueError(f"segments: mode must be {SPEECH!r} or {WHOLE!r}, got {self.mode!r}")
        if not 0 < self.min_s * 2 <= self.max_s:
            raise ValueError(
                f"segments: max_s {self.max_s} must be at least twice min_s {self.min_s}, which must be > 0"
            )
        if self.merge_gap_s < 0:
            raise ValueError(f"segments: merge_gap_s must be at least 0, got {self.merge_gap_s}")


def segment(spans: Any, probabilities: Any, length: int, settings: Segments) -> Any:
    """Return int64[segments, 2], sample ranges, ascending and disjoint, of a sound of `length` samples.

    spans: int64[n, 2] of speech (`filters.audio.vad`). In mode "whole" the one segment is the file, whatever it
    holds; in mode "speech" each lasts min_s to max_s, and speech outside them was too short to join another.
    """
    if settings.mode == WHOLE:
        return np.array([[0, length]] if length else np.empty((0, 2)), np.int64).reshape(-1, 2)
    shortest, longest = int(settings.min_s * RATE_HZ), int(settings.max_s * RATE_HZ)
    gap = int(settings.merge_gap_s * RATE_HZ)
    merged: list[tuple[int, int]] = []
    for start, end in spans.tolist():
        if end - start > longest:
            merged += cut(start, end, probabilities, shortest, longest)
        elif merged and _joins(merged[-1], (start, end), shortest, longest, gap):
            merged[-1] = (merged[-1][0], end)
        else:
            merged.append((start, end))
    kept = [one for one in merged if one[1] - one[0] >= shortest]
    return np.array(kept, np.int64).reshape(-1, 2)


def _joins(last: tuple[int, int], new: tuple[int, int], shortest: int, longest: int, gap: int) -> bool:
    """Say whether `new` goes on with `last`: one of them is short, the gap is small and both fit."""
    is_short = min(last[1] - last[0], new[1] - new[0]) < shortest
    return is_short and new[0] - last[1] < gap and new[1] - last[0] <= longest


def cut(start: int, end: int, probabilities: Any, shortest: int, longest: int) -> list[tuple[int, int]]:
    """Return pieces of shortest..longest samples that cover start..end, cut at the least likely speech.

    A cut lies in the second half of what a piece may span, on a frame's border, the first of equals; so a piece is
    never shorter than half of `longest` but for the last one.
    """
    pieces = []
    while end - start > longest:
        low = max(start + longest // 2, start + shortest)
        high = min(start + longest, end - shortest)
        first, last = -(-low // FRAME), high // FRAME
        at = (first + int(np.argmin(probabilities[first:last]))) * FRAME if first < last else high
        pieces.append((start, at))
        start = at
    return [*pieces, (start, end)]
