"""Why a sound is refused, and from where on."""

from dataclasses import dataclass
from enum import StrEnum


class AudioFailure(StrEnum):
    """A sound that can't be used; the closed list of this part."""

    EMPTY_PAYLOAD = "empty_payload"  # no bytes
    UNKNOWN_FORMAT = "unknown_format"  # no format of the list, playlists among them
    NO_AUDIO = "no_audio"  # a container without a sound track, or a track without a sample
    TOO_MANY_STREAMS = "too_many_streams"  # beyond limits.max_streams
    TOO_MANY_CHANNELS = "too_many_channels"  # beyond limits.max_channels
    UNUSABLE_RATE = "unusable_rate"  # outside limits.min_rate_hz .. max_rate_hz
    TOO_LONG = "too_long"  # decoded, beyond limits.max_duration_s
    TRUNCATED = "truncated"  # the header promises more than decodes
    DAMAGED = "damaged"  # packets that don't decode, beyond limits.max_damaged_fraction
    PARSE_ERROR = "parse_error"  # the demuxer or the decoder refused it


@dataclass(frozen=True)
class AudioLimits:
    """Limits of one sound; `max` is inclusive."""

    max_duration_s: float = 7200.0  # decoded; 460 MB as 16 kHz float32
    max_streams: int = 32
    max_channels: int = 16
    min_rate_hz: int = 4000
    max_rate_hz: int = 384_000
    max_damaged_fraction: float = 0.01  # packets
    max_missing_fraction: float = 0.02  # of the duration that the header promises, past the first half second


class AudioError(ValueError):
    """A sound is refused: `reason`, and where a limit was hit, its name and what was seen."""

    def __init__(self, reason: AudioFailure, detail: str = "", limit: str = "", observed: float | None = None) -> None:
        super().__init__(f"{reason}: {detail}" if detail else str(reason))
        self.reason, self.detail, self.limit, self.observed = reason, detail[:512], limit, observed
