"""Clips: shots, cut to a length that a trainer can take. What is too short is left out, and counted."""

from bisect import bisect_right
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import numpy.typing as npt

US = 1_000_000  # microseconds of a second


@dataclass(frozen=True)
class Clip:
    """Frames [first, last) of one shot, shown in [start_us, end_us) of the video's time line."""

    first: int
    last: int
    shot: int  # 0-based
    start_us: int
    end_us: int


@dataclass(frozen=True)
class Cut:
    """The clips of a video, and the time that is in none."""

    clips: list[Clip]
    short_count: int  # shots below the minimum
    short_us: int


def clips_of(
    cuts: list[int], times_us: npt.NDArray[np.int64], end_us: int, min_s: float = 2.0, max_s: float = 60.0
) -> Cut:
    """Return the clips of the shots that `cuts` part.

    times_us: int64[frames], when each frame is shown, ascending. A shot longer than `max_s` is cut into the fewest
    pieces of about equal time; a shot or a piece below `min_s` is no clip.

    Raises ValueError unless 0 <= min_s <= max_s / 2: a long shot's pieces could all be too short.
    """
    if not 0 <= min_s <= max_s / 2:
        raise ValueError(f"clips: min_s must be in [0, max_s / 2], got min_s={min_s}, max_s={max_s}")
    bounds = np.append(times_us, end_us)
    clips: list[Clip] = []
    short_count = short_us = 0
    edges = [0, *cuts, len(times_us)]
    for shot, (first, last) in enumerate(pairwise(edges)):
        for a, b in _pieces(bounds, first, last, round(max_s * US)):
            piece = Clip(a, b, shot, int(bounds[a]), int(bounds[b]))
            if piece.end_us - piece.start_us >= min_s * US:
                clips.append(piece)
            else:
                short_count += 1
                short_us += piece.end_us - piece.start_us
    return Cut(clips, short_count, short_us)


def clip_at(clips: list[Clip], frame: int) -> int | None:
    """Return the index of the clip that holds a frame, or None."""
    at = bisect_right(clips, frame, key=lambda clip: clip.first) - 1
    return at if at >= 0 and frame < clips[at].last else None


def clip_of(clips: list[Clip], time_us: int) -> int | None:
    """Return the index of the clip that is shown at a time, or None."""
    at = bisect_right(clips, time_us, key=lambda clip: clip.start_us) - 1
    return at if at >= 0 and time_us < clips[at].end_us else None


def _pieces(bounds: npt.NDArray[np.int64], first: int, last: int, max_us: int) -> list[tuple[int, int]]:
    """Cut frames [first, last) into the fewest runs of at most `max_us` (a single frame may last longer)."""
    start, length = int(bounds[first]), int(bounds[last] - bounds[first])
    if length <= max_us or last - first < 2:
        return [(first, last)] if last > first else []
    for count in range(-(-length // max_us), last - first + 1):
        ends = [start + length * k // count for k in range(1, count)]
        edges = [first, *(int(e) for e in np.searchsorted(bounds[:last], ends)), last]
        pieces = [(a, b) for a, b in pairwise(edges) if b > a]
        if all(bounds[b] - bounds[a] <= max_us or b - a == 1 for a, b in pieces):
            return pieces
    return [(i, i + 1) for i in range(first, last)]
