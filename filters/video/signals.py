"""What is measured of a clip and of a whole video: whole numbers, and seconds as float64. Nothing is dropped here."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from filters.rules import Rule
from filters.video.clips import US
from filters.video.frames import Track
from filters.video.shots import DARK_COUNT, LUMA, LUMA_SUM, content_scores

BLACK_PER_MILLE = 980  # of a frame's samples: ffmpeg's blackdetect, picture_black_ratio_th=0.98

SIGNALS = pa.schema(
    [
        ("duration_s", pa.float64()),
        ("frame_count", pa.int64()),
        ("black_frame_count", pa.int64()),
        ("still_frame_count", pa.int64()),  # like an earlier frame and all between
        ("longest_black_s", pa.float64()),
        ("longest_still_s", pa.float64()),
        ("luma_sum_levels", pa.int64()),  # over all samples of all frames, 0 to 255 each
        ("sample_count", pa.int64()),
        ("change_sum_levels", pa.int64()),  # |luma - luma of the frame before|; a clip's first frame has none
        ("change_sample_count", pa.int64()),
        ("flow_sum_milli", pa.int64()),  # how far blocks move in 0.5 s, in 1/1000 of the longer side, added up
        ("flow_block_count", pa.int64()),  # ... over so many blocks; 0 for a clip below half a second
        ("max_content_score", pa.float64()),  # [0, 255], without the first frame's
    ]
)


def signals_of(track: Track, first: int, last: int) -> dict[str, Any]:
    """Return the SIGNALS of frames [first, last) of a video, last > first."""
    sums = track.sums[first:last]
    bounds = np.append(track.times_us, track.end_us)[first : last + 1]
    is_black = is_black_frame(track)[first:last]
    is_still = track.is_still[first:last].copy()
    is_still[0] = False
    scores = content_scores(sums, track.sample_count)
    inside = (track.flows[:, 0] >= first) & (track.flows[:, 1] < last)
    return {
        "duration_s": float(bounds[-1] - bounds[0]) / US,
        "frame_count": last - first,
        "black_frame_count": int(is_black.sum()),
        "still_frame_count": int(is_still.sum()),
        "longest_black_s": longest_us(is_black, bounds) / US,
        "longest_still_s": longest_us(is_still, bounds) / US,
        "luma_sum_levels": int(sums[:, LUMA_SUM].sum()),
        "sample_count": (last - first) * track.sample_count,
        "change_sum_levels": int(sums[1:, LUMA].sum()),
        "change_sample_count": (last - first - 1) * track.sample_count,
        "flow_sum_milli": int(track.flows[inside, 2].sum()),
        "flow_block_count": int(track.flows[inside, 3].sum()),
        "max_content_score": float(scores.max()),
    }


def is_black_frame(track: Track) -> npt.NDArray[np.bool_]:
    """Return bool[frames]: at least 98 % of the samples are black (luma up to 37 of [16, 235])."""
    return np.asarray(track.sums[:, DARK_COUNT] * 1000 >= BLACK_PER_MILLE * track.sample_count)


def longest_us(holds: npt.NDArray[np.bool_], bounds: npt.NDArray[np.int64]) -> int:
    """Return the length of the longest run of frames that hold; bounds: int64[frames + 1], microseconds."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], holds, [False]]).astype(np.int8)))
    if not len(edges):
        return 0
    return int((bounds[edges[1::2]] - bounds[edges[::2]]).max())


# Ours; a rule reads the signals of one clip. Lengths are those of Panda-70M and Cosmos-Curate (2 to 60 s).
CORPUSMILL_VIDEO_V1 = (
    Rule("corpusmill_video_v1/duration_s", "duration_s", min=2.0, max=60.0),
    Rule("corpusmill_video_v1/black_frame_fraction", "black_frame_count", per="frame_count", max=0.5),
    Rule("corpusmill_video_v1/still_s", "longest_still_s", max=5.0),
    Rule("corpusmill_video_v1/still_frame_fraction", "still_frame_count", per="frame_count", max=0.9),
)
# Ours: somebody speaks in a tenth of the clip at least.
SPOKEN_VIDEO_V1 = (Rule("spoken_video_v1/speech_fraction", "speech_s", per="duration_s", min=0.1),)
# The bound of OmniCorpus (Li et al. 2024, section 3.2) for images, here for a clip's worst frame.
SAFE_VIDEO_V1 = (Rule("safe_video_v1/max_nsfw_score", "max_nsfw_score", max=0.8),)
PROFILES = {
    "corpusmill_video_v1": CORPUSMILL_VIDEO_V1,
    "spoken_video_v1": SPOKEN_VIDEO_V1,
    "safe_video_v1": SAFE_VIDEO_V1,
}
