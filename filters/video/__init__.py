"""Video: what a film is, where its shots are, and a time line of frames, sound and text that a trainer can read.

`factory` is the entry of a guarded child ("filters.video:factory"); the modules are its pure parts.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from filters.guard_child import Worker

VIDEO_VERSION = 1  # of scores, cuts, signals and frames: raise it when the same bytes would give others


def factory(config: Mapping[str, Any]) -> "Worker":
    """Return the worker of `filters.video.child`; FFmpeg is loaded only here."""
    from filters.video.child import factory as make

    return make(config)
