"""The sound of a film, listened to by the audio part: cut to its clips as FLAC, with where somebody speaks."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from filters.audio import RATE_HZ
from filters.audio.child import Heard, Settings
from filters.audio.decode import Sound, decode
from filters.audio.flac import encode_flac
from filters.audio.limits import AudioError
from filters.audio.transcribe import Transcriber
from filters.audio.vad import SpeechDetector
from filters.video.clips import US, Clip

SOUND_VERSION = 2
MIN_SOUND_S = 0.1  # less of it is no part of a clip
SPAN = pa.struct([("start_s", pa.float64()), ("end_s", pa.float64())])
SIGNALS = pa.schema(
    [
        ("audio_s", pa.float64()),  # 0 for a silent film
        ("speech", pa.list_(SPAN)),  # on the film's time line, within the clip
        ("speech_s", pa.float64()),
        ("audio_frame_count", pa.int32()),  # of 32 ms
        ("speech_frame_count", pa.int32()),
        ("silent_frame_count", pa.int32()),
        ("clipped_frame_count", pa.int32()),
        ("integrated_lufs", pa.float64()),  # this and what follows: null without sound
        ("bandwidth_hz", pa.float64()),
        ("snr_db", pa.float64()),  # null without speech
        ("spoken_language", pa.string()),  # as the transcriber hears it; null without one, and without speech
        ("spoken_language_score", pa.float64()),  # [0, 1]
    ]
)
SPOKEN = ("spoken_language", "spoken_language_score")
HEARD = "transcriber"  # origin of what it heard
NO_SOUND: dict[str, Any] = {
    **dict.fromkeys(SIGNALS.names),
    "audio_s": 0.0,
    "speech": [],
    "speech_s": 0.0,
    **dict.fromkeys([name for name in SIGNALS.names if name.endswith("_frame_count")], 0),
}


@dataclass(frozen=True)
class ClipSound:
    """The sound of a clip: its file, and where that stands on the film's time line."""

    payload: bytes
    digest: bytes
    start_us: int
    end_us: int
    signals: dict[str, Any]
    heard: tuple[dict[str, Any], ...]  # {start_us, end_us, text, language} on the film's time line


class Listener:
    """Decodes and measures sound tracks; the detector's model must be in the cache (filters.models.fetch_model)."""

    def __init__(self, transcriber: Transcriber | None = None) -> None:
        self.settings, self.detector, self.transcriber = Settings(), SpeechDetector(), transcriber

    def hear(self, track: bytes, start_us: int, on_models: Callable[[], None]) -> "Track | str":
        """Return the track, listened to, or why it can't be.

        track: a sound file; start_us: where it starts on the film's time line; on_models is called between decoding,
        which may hang, and the models, which take long and are ours.
        """
        try:
            sound: Sound = decode(track, "track.mka", None, self.settings.limits)
        except AudioError as error:
            return str(error.reason)
        on_models()
        return Track(Heard.of(sound, self.detector, self.settings), start_us, self.transcriber)


@dataclass(frozen=True)
class Track:
    """A film's sound; sample 0 is heard at `start_us` of the film's time line."""

    heard: Heard
    start_us: int
    transcriber: Transcriber | None = None

    def cut(self, clip: Clip, on_models: Callable[[], None] = lambda: None) -> ClipSound | None:
        """Return the sound of a clip, None where there is (nearly) none; on_models is called as in `Listener.hear`."""
        samples = self.heard.sound.samples
        first, last = (min(max(self._sample(us), 0), len(samples)) for us in (clip.start_us, clip.end_us))
        if last - first < MIN_SOUND_S * RATE_HZ:
            return None
        payload = encode_flac(samples[first:last])
        start_us, end_us = self._us(first), self._us(last)
        signals, said = self._signals(first, last), None
        if self.transcriber is not None and signals["speech_frame_count"]:
            on_models()
            said = self.transcriber.transcribe(samples[first:last], on_models)
        spoken = (said.language, said.language_score) if said else (None, None)
        signals |= dict(zip(SPOKEN, spoken, strict=True))
        pieces = tuple(self._piece(each, start_us) for each in (said.pieces if said else ()))
        return ClipSound(payload, hashlib.sha256(payload).digest(), start_us, end_us, signals, pieces)

    @staticmethod
    def _piece(heard: Mapping[str, Any], start_us: int) -> dict[str, Any]:
        times = {f"{name}_us": start_us + round(heard[f"{name}_s"] * US) for name in ("start", "end")}
        return {**times, "text": heard["text"], "language": heard["language"]}

    def _signals(self, first: int, last: int) -> dict[str, Any]:
        measured = self.heard.measure(first, last)
        spans = [(max(a, first), min(b, last)) for a, b in self.heard.spans.tolist() if b > first and a < last]
        return {
            "audio_s": measured["duration_s"],
            "speech": [{"start_s": self._us(a) / US, "end_s": self._us(b) / US} for a, b in spans],
            "speech_s": sum(b - a for a, b in spans) / RATE_HZ,
            "audio_frame_count": measured["frames"],
            "speech_frame_count": measured["speech_frames"],
            "silent_frame_count": measured["silent_frames"],
            "clipped_frame_count": measured["clipped_frames"],
            **{name: measured[name] for name in ("integrated_lufs", "bandwidth_hz", "snr_db")},
        }

    def _sample(self, us: int) -> int:
        return ((us - self.start_us) * RATE_HZ + US // 2) // US

    def _us(self, sample: int) -> int:
        return self.start_us + (sample * US + RATE_HZ // 2) // RATE_HZ
