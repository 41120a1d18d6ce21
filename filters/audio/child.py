"""The guarded entry of sound: files in, speech segments as FLAC with their signals out.

A file may take minutes, so each step of it shows that it goes on: a quarter of a million decoded samples, 8 s of
detected speech, a second of DNSMOS, a segment. limits.parse_cpu_s holds between two of these, `row_cpu_s` of the pool
for a whole file (filters.guard).
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from filters.audio import FRAME, RATE_HZ, loudness, signals, vad
from filters.audio.decode import Sound, decode
from filters.audio.dnsmos import QualityScorer
from filters.audio.fingerprint import fingerprint
from filters.audio.flac import encode_flac
from filters.audio.limits import AudioError, AudioLimits
from filters.audio.mel import LogMel, log_mel
from filters.audio.segments import Segments, segment
from filters.audio.transcribe import Whisper
from filters.audio.vad import SpeechDetector, Vad
from filters.guard_child import WHOLE_BATCH, Outputs, Progress, Worker

Beat = Callable[[], None]
AS_IT_IS, EMILIA, R128 = "as_it_is", "emilia", "r128"

SOUNDS = pa.schema(
    [
        ("uri", pa.string()),  # its suffix names a format only where the bytes can't
        ("media_type", pa.string()),  # declared, or null
        ("payload", pa.large_binary()),
    ]
)
PIECE = pa.struct(
    [(name, pa.float64()) for name in ("start_s", "end_s")] + [(name, pa.string()) for name in ("text", "language")]
)
FILES = pa.schema(
    [
        ("row", pa.int32()),  # of the batch; every row stands here or among the failed
        ("source_format", pa.string()),
        ("source_codec", pa.string()),
        ("source_rate_hz", pa.int32()),
        ("source_channels", pa.int32()),
        ("source_bytes", pa.int64()),
        ("duration_s", pa.float64()),
        ("damaged_packets", pa.int32()),
        ("cut_short", pa.int8()),  # 1 where the file ends before its own structure says
        ("frames", pa.int32()),  # of 32 ms
        ("speech_frames", pa.int32()),  # probability at least the detector's threshold
        ("silent_frames", pa.int32()),  # below -60 dBFS
        ("clipped_frames", pa.int32()),  # with a flat top in the source
        ("rms_dbfs", pa.float64()),
        ("peak_dbfs", pa.float64()),
        ("speech_s", pa.float64()),  # in stretches of speech
        ("segments", pa.int32()),  # records made of this file
        ("segments_s", pa.float64()),  # their length together
    ]
)
RECORDS = pa.schema(
    [
        ("row", pa.int32()),
        ("part", pa.int32()),  # counts the records of a file
        ("start_s", pa.float64()),  # in the file
        ("end_s", pa.float64()),
        ("is_whole", pa.bool_()),  # it is the file, from its first sample to its last
        ("holds_all_speech", pa.bool_()),  # no speech of the file lies outside: the file's transcript is this record's
        ("samples", pa.int64()),
        ("duration_s", pa.float64()),
        ("sample_rate_hz", pa.int32()),
        ("source_format", pa.string()),
        ("source_codec", pa.string()),
        ("source_rate_hz", pa.int32()),
        ("source_channels", pa.int32()),
        ("cut_short", pa.int8()),  # of the file
        ("frames", pa.int32()),
        ("speech_frames", pa.int32()),
        ("silent_frames", pa.int32()),
        ("clipped_frames", pa.int32()),
        ("integrated_lufs", pa.float64()),  # before the gain, as all signals but the last two
        ("rms_dbfs", pa.float64()),
        ("peak_dbfs", pa.float64()),
        ("bandwidth_hz", pa.float64()),
        ("snr_db", pa.float64()),  # null without speech
        ("dnsmos_signal", pa.float64()),  # null where the scorer is off
        ("dnsmos_background", pa.float64()),
        ("dnsmos_overall", pa.float64()),
        ("gain_db", pa.float64()),  # applied to what was written
        ("heard", pa.list_(PIECE)),  # by the transcriber; null where it is off, as the two that follow
        ("spoken_language", pa.string()),
        ("spoken_language_score", pa.float64()),  # [0, 1]
        ("fingerprint", pa.large_binary()),  # little-endian uint32 words
        ("band_keys", pa.list_(pa.uint64())),  # 20, or none for a sound too short
        ("sha256", pa.binary(32)),  # of the payload
    ]
)
PAYLOADS = pa.schema(
    [
        ("row", pa.int32()),
        ("part", pa.int32()),
        ("bytes", pa.large_binary()),  # FLAC, 16 bits
        ("log_mel", pa.large_binary()),  # float16[frames, mels], little-endian, or null
    ]
)
FAILED = pa.schema(
    [
        ("row", pa.int32()),
        ("reason", pa.string()),  # filters.audio.limits.AudioFailed
        ("detail", pa.string()),
        ("limit", pa.string()),  # a field of AudioLimits, or null
        ("observed", pa.float64()),
    ]
)


@dataclass(frozen=True)
class Level:
    """How loud records are written: as they are, at a loudness (EBU R 128), or as Emilia levels a file."""

    mode: str = AS_IT_IS  # AS_IT_IS | EMILIA | R128
    target_lufs: float = -23.0

    def __post_init__(self) -> None:
        """Refuse a mode that there isn't, and loudness that no sound has."""
        if self.mode not in (AS_IT_IS, EMILIA, R128):
            raise ValueError(f"level: mode must be {AS_IT_IS!r}, {EMILIA!r} or {R128!r}, got {self.mode!r}")
        if not loudness.SILENT_LUFS < self.target_lufs < 0:
            raise ValueError(f"level: target_lufs must be in (-70, 0), got {self.target_lufs}")


@dataclass(frozen=True)
class Settings:
    """All that decides what a sound comes to."""

    limits: AudioLimits = field(default_factory=AudioLimits)
    vad: Vad = field(default_factory=Vad)
    segments: Segments = field(default_factory=Segments)
    level: Level = field(default_factory=Level)
    log_mel: LogMel | None = None
    scorers: tuple[str, ...] = ()  # "dnsmos"
    transcriber: Whisper | None = None

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> "Settings":
        """Return the settings that a recipe's block means; a field that there isn't raises TypeError."""
        unknown = set(config.get("scorers", ())) - {"dnsmos"}
        if unknown:
            raise ValueError(f"audio: no scorer named {sorted(unknown)[0]!r}; there is: 'dnsmos'")
        mel, recogniser = config.get("log_mel"), config.get("transcriber")
        return cls(
            AudioLimits(**config.get("limits", {})),
            Vad(**config.get("vad", {})),
            Segments(**config.get("segments", {})),
            Level(**config.get("level", {})),
            None if mel is None else LogMel(**mel),
            tuple(sorted(config.get("scorers", ()))),
            None if recogniser is None else Whisper.of(recogniser),
        )


@dataclass
class Made:
    """What one file comes to: its row of FILES, rows of RECORDS and of PAYLOADS, without the row number."""

    file: dict[str, Any]
    records: list[dict[str, Any]]
    payloads: list[dict[str, Any]]


class Studio:
    """The models and settings of one child; `make` is the pure step on one decoded sound."""

    def __init__(self, settings: Settings, models: Mapping[str, str] | None = None) -> None:
        given = {name: Path(path) for name, path in (models or {}).items()}
        self.settings = settings
        self.detector = SpeechDetector(given.get(vad.MODEL))
        self.quality = QualityScorer(given.get("dnsmos")) if "dnsmos" in settings.scorers else None
        self.transcriber = settings.transcriber.load() if settings.transcriber else None

    def make(self, sound: Sound, source_bytes: int, beat: Beat = lambda: None) -> Made:
        """Return the file's signals and its records; `beat` is called every few seconds of work."""
        heard = Heard.of(sound, self.detector, self.settings, beat)
        cuts = segment(heard.spans, heard.probabilities, len(sound.samples), self.settings.segments).tolist()
        parts = [self._part(heard, start, end, beat) for start, end in cuts]
        file = {
            **heard.source,
            "source_bytes": source_bytes,
            "duration_s": sound.duration_s,
            "damaged_packets": sound.damaged_packets,
            **heard.counts(0, len(sound.samples)),
            "rms_dbfs": heard.rms_dbfs,
            "peak_dbfs": heard.peak_dbfs,
            "speech_s": int((heard.spans[:, 1] - heard.spans[:, 0]).sum()) / RATE_HZ,
            "segments": len(cuts),
            "segments_s": sum(end - start for start, end in cuts) / RATE_HZ,
        }
        records, payloads = [one[0] for one in parts], [one[1] for one in parts]
        return Made(file, records, payloads)

    def _part(
        self, heard: "Heard", start: int, end: int, beat: Beat = lambda: None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        beat()
        samples = heard.sound.samples[start:end]
        record = heard.measure(start, end)
        gain_db = self._gain_db(record, heard)
        written = loudness.amplify(samples, gain_db)
        payload = encode_flac(written)
        print_ = fingerprint(samples)
        mos = self.quality.score(samples, beat) if self.quality else (None, None, None)
        record |= dict(zip(("dnsmos_signal", "dnsmos_background", "dnsmos_overall"), mos, strict=True))
        said = None if self.transcriber is None else self.transcriber.transcribe(samples, beat)
        record |= dict(zip(("heard", "spoken_language", "spoken_language_score"), said or (None,) * 3, strict=True))
        record |= {
            "gain_db": gain_db,
            "fingerprint": print_.words.astype("<u4").tobytes(),
            "band_keys": print_.keys.tolist(),
            "sha256": hashlib.sha256(payload).digest(),
        }
        mel = self.settings.log_mel
        features = None if mel is None else log_mel(written, mel).astype("<f2").tobytes()
        return record, {"bytes": payload, "log_mel": features}

    def _gain_db(self, record: Mapping[str, Any], heard: "Heard") -> float:
        level = self.settings.level
        if level.mode == EMILIA:
            return loudness.emilia_gain_db(heard.rms_dbfs, heard.peak_dbfs)
        if level.mode == R128:
            return loudness.r128_gain_db(record["integrated_lufs"], record["peak_dbfs"], level.target_lufs)
        return 0.0


@dataclass(frozen=True)
class Heard:
    """A sound with what is known of each of its 32 ms frames."""

    sound: Sound
    probabilities: Any  # float32[frames]
    powers: Any  # float64[frames]
    spans: Any  # int64[n, 2]
    is_speech: Any  # bool[frames]
    is_silent: Any  # bool[frames]
    noise_power: float | None
    rms_dbfs: float
    peak_dbfs: float

    @classmethod
    def of(cls, sound: Sound, detector: SpeechDetector, settings: Settings, beat: Beat = lambda: None) -> "Heard":
        """Return the sound, listened to."""
        probabilities, powers = detector.probabilities(sound.samples, beat), signals.frame_powers(sound.samples)
        return cls(
            sound,
            probabilities,
            powers,
            vad.speech_spans(probabilities, len(sound.samples), settings.vad),
            probabilities >= np.float32(settings.vad.threshold),
            signals.silent_frames(powers),
            signals.noise_of(powers, probabilities),
            signals.rms_dbfs(sound.samples),
            signals.peak_dbfs(sound.samples),
        )

    @property
    def source(self) -> dict[str, Any]:
        """Return what the file was."""
        sound = self.sound
        return {
            "source_format": sound.format,
            "source_codec": sound.codec,
            "source_rate_hz": sound.rate_hz,
            "source_channels": sound.channels,
            "cut_short": int(sound.is_cut),
        }

    def counts(self, start: int, end: int) -> dict[str, int]:
        """Return the counts of frames whose middle lies in start..end."""
        chosen = _frames(start, end)
        return {
            "frames": len(self.powers[chosen]),
            "speech_frames": int(self.is_speech[chosen].sum()),
            "silent_frames": int(self.is_silent[chosen].sum()),
            "clipped_frames": int(self.sound.clipped_frames[chosen].sum()),
        }

    def measure(self, start: int, end: int) -> dict[str, Any]:
        """Return the signals of samples start..end, before any gain."""
        samples, chosen = self.sound.samples[start:end], _frames(start, end)
        snr_db = signals.snr_db(self.powers[chosen], self.probabilities[chosen], self.noise_power)
        return {
            "start_s": start / RATE_HZ,
            "end_s": end / RATE_HZ,
            "is_whole": start == 0 and end == len(self.sound.samples),
            "holds_all_speech": not len(self.spans) or bool(start <= self.spans[0, 0] and self.spans[-1, 1] <= end),
            "samples": end - start,
            "duration_s": (end - start) / RATE_HZ,
            "sample_rate_hz": RATE_HZ,
            **self.source,
            **self.counts(start, end),
            "integrated_lufs": loudness.integrated_lufs(samples),
            "rms_dbfs": signals.rms_dbfs(samples),
            "peak_dbfs": signals.peak_dbfs(samples),
            "bandwidth_hz": signals.bandwidth_hz(samples),
            "snr_db": None if np.isnan(snr_db) else snr_db,
        }


def _frames(start: int, end: int) -> slice:
    """Return the frames whose middle lies in samples start..end; the last frame of a sound counts as whole."""
    return slice((start + FRAME // 2 - 1) // FRAME, max((end + FRAME // 2 - 1) // FRAME, start // FRAME + 1))


def factory(config: Mapping[str, Any]) -> Worker:
    """Return the worker: SOUNDS in; "files" (FILES), "records" (RECORDS), "payloads" (PAYLOADS), "failed" (FAILED) out.

    config: fields of Settings as mappings, all optional ("limits", "vad", "segments", "level", "log_mel", "scorers"),
    and "models": name -> path of a user's own file. The models must be in the cache (filters.models.fetch_model).
    Records and payloads lie side by side, ascending by (row, part). A file without speech has no records; its row in
    "files" says so. Other columns of the batch are ignored.
    """
    studio = Studio(Settings.of(config), config.get("models"))
    _warm(studio)

    def work(sounds: pa.RecordBatch, progress: Progress) -> Outputs:
        files: list[dict[str, Any]] = []
        records: list[dict[str, Any]] = []
        payloads: list[dict[str, Any]] = []
        failed: list[dict[str, Any]] = []
        column = sounds.column("payload")
        for row, about in enumerate(sounds.select(["uri", "media_type"]).to_pylist()):
            beat = partial(progress, row)
            beat()
            payload = b"" if not column[row].is_valid else column[row].as_buffer().to_pybytes()
            try:
                sound = decode(payload, about["uri"] or "", about["media_type"], studio.settings.limits, beat)
            except AudioError as error:
                failed.append(_failure(row, error))
                continue
            made = studio.make(sound, len(payload), beat)
            files.append({"row": row, **made.file})
            records += [{"row": row, "part": part, **one} for part, one in enumerate(made.records)]
            payloads += [{"row": row, "part": part, **one} for part, one in enumerate(made.payloads)]
        progress(WHOLE_BATCH)
        return {
            "files": pa.RecordBatch.from_pylist(files, FILES),
            "records": pa.RecordBatch.from_pylist(records, RECORDS),
            "payloads": pa.RecordBatch.from_pylist(payloads, PAYLOADS),
            "failed": pa.RecordBatch.from_pylist(failed, FAILED),
        }

    return work


def _failure(row: int, error: AudioError) -> dict[str, Any]:
    return {
        "row": row,
        "reason": str(error.reason),
        "detail": error.detail,
        "limit": error.limit or None,
        "observed": error.observed,
    }


def _warm(studio: Studio) -> None:
    """Compile the kernels and load the codecs before a record's clock runs."""
    tone = 0.5 * np.sin(np.arange(4 * RATE_HZ, dtype=np.float32))
    sound = decode(encode_flac(tone), "warm.flac")
    heard = Heard.of(sound, studio.detector, studio.settings)
    studio._part(heard, 0, len(tone))
