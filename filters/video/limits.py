"""The limits of video, as its pool of children takes them, and what is raised where a video is refused."""

from dataclasses import replace

from manifests.limits import Limits, VideoLimits
from manifests.reasons import VideoFailed

__all__ = ["VideoFailed", "VideoLimits", "VideoRefusedError", "guard_limits"]


class VideoRefusedError(Exception):
    """A video that is not read; `reason` is of the closed list."""

    def __init__(self, reason: VideoFailed, detail: str = "", limit: str | None = None, observed: int = 0) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason, self.detail, self.limit, self.observed = reason, detail[:256], limit, observed


def guard_limits(limits: Limits, video: VideoLimits) -> Limits:
    """Return the limits of a pool of video children: one packet may take seconds, a film (`decode_cpu_s`) minutes."""
    return replace(limits, parse_cpu_s=max(limits.parse_cpu_s, video.frame_cpu_s))
