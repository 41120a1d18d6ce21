"""The limits of video, and the closed list of what can be wrong with it."""

from dataclasses import dataclass, replace
from enum import StrEnum

from manifests.limits import MIB, Limits


class VideoFailed(StrEnum):
    """Why a video brought no record."""

    EMPTY_PAYLOAD = "empty_payload"
    PAYLOAD_TOO_LARGE = "payload_too_large"
    NOT_A_VIDEO = "not_a_video"  # no container that this project reads
    PLAYLIST = "playlist"  # text that names other files: HLS, DASH, ffconcat, SMIL ...
    DAMAGED_CONTAINER = "damaged_container"
    NO_VIDEO_STREAM = "no_video_stream"
    TOO_MANY_STREAMS = "too_many_streams"
    TOO_MANY_PIXELS = "too_many_pixels"
    SIDE_TOO_LONG = "side_too_long"
    TOO_LONG = "too_long"  # duration, declared or decoded
    TOO_MANY_FRAMES = "too_many_frames"
    TOO_MUCH_WORK = "too_much_work"  # frames x pixels
    UNKNOWN_CODEC = "unknown_codec"
    DAMAGED_STREAM = "damaged_stream"  # more packets than the limit do not decode
    NO_FRAMES = "no_frames"
    TRUNCATED = "truncated"  # ends well before its declared duration


class VideoRefusedError(Exception):
    """A video that is not read; `reason` is of the closed list."""

    def __init__(self, reason: VideoFailed, detail: str = "", limit: str | None = None, observed: int = 0) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail, self.limit, self.observed = reason, detail[:256], limit, observed


@dataclass(frozen=True)
class VideoLimits:
    """Limits with their units in their names; `max` is inclusive.

    The work is bounded by numbers of pixels and frames, so a verdict is the same on every machine; the CPU limit
    of the guard (`guard_limits`) lies behind them.
    """

    max_media_bytes: int = 256 * MIB
    max_streams: int = 32
    max_frame_pixels: int = 33_177_600  # 7,680 x 4,320
    max_side_px: int = 16_384
    max_duration_s: float = 14_400.0
    max_decoded_frames: int = 1_000_000
    max_decoded_pixels: int = 200_000_000_000  # an hour of 1080p at 25 frames/s is 187e9: about 10 CPU minutes
    max_damaged_fraction: float = 0.01  # packets that do not decode / packets
    max_missing_fraction: float = 0.05  # of the declared duration, at the end
    max_missing_s: float = 1.0  # ... and at least this much
    max_frames_out: int = 3_600  # of one video
    max_subtitle_bytes: int = 16 * MIB
    max_cues: int = 100_000
    max_audio_bytes: int = 256 * MIB
    decode_cpu_s: float = 1_800.0  # far above what the limits above allow


def guard_limits(limits: Limits, video: VideoLimits) -> Limits:
    """Return the limits of a pool of video children: one record may take minutes of decoding."""
    return replace(limits, parse_cpu_s=max(limits.parse_cpu_s, video.decode_cpu_s))
