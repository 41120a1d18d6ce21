"""The limits of sounds, and what is raised where one is refused."""

from manifests.limits import AudioLimits
from manifests.reasons import AudioFailed

__all__ = ["AudioError", "AudioFailed", "AudioLimits"]


class AudioError(ValueError):
    """A sound is refused: `reason`, and where a limit was hit, its name and what was seen."""

    def __init__(self, reason: AudioFailed, detail: str = "", limit: str = "", observed: float | None = None) -> None:
        super().__init__(f"{reason}: {detail}" if detail else str(reason))
        self.reason, self.detail, self.limit, self.observed = reason, detail[:512], limit, observed
