"""Foreign audio bytes -> 16 kHz mono, in a guarded child only.

PyAV and not an ffmpeg process: its wheel carries the codecs (BSD bindings; FFmpeg under the LGPL, with x264 and x265,
which are GPL and never used, in the same wheel): no program to find on the machine, no pipe, no temporary file. A clip
of three seconds costs 1 ms instead of 40 ms for a process. The demuxer is named by `filters.audio.sniff`, reads from
memory and may open nothing else.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple

import av
import numpy as np

from filters.audio import FRAME, RATE_HZ
from filters.audio.limits import AudioError, AudioFailure, AudioLimits
from filters.audio.sniff import format_of, missing_wav_fraction
from filters.native import kernel

LIMITS = AudioLimits()
FULL_SCALE = 0.999
CLIP_RUN = 3  # source samples in a row at full scale: a flat top, not a single peak
_CHUNK = 1 << 18  # samples that the resampler takes at once
_SCALES = {"u8": 1 / 128, "s16": 1 / 32768, "s32": 1 / 2147483648, "s64": 1 / 9223372036854775808}
# Their headers say how long they are, and are right about it.
_LENGTH_IS_STATED = ("wav", "flac", "mov", "aiff", "au", "caf", "wv")
_QUICK = {"probesize": "4096", "analyzeduration": "0"}  # all is in the header: nothing to guess from packets
_OPTIONS = {"wav": {**_QUICK, "max_size": "65536"}, "gsm": _QUICK, "au": _QUICK, "aiff": _QUICK}

av.logging.set_level(None)


@dataclass(frozen=True)
class Sound:
    """A decoded sound; `samples` is float32[n] in [-1, 1], the mean of the channels at 16 kHz."""

    samples: Any
    format: str  # the demuxer's name
    codec: str
    rate_hz: int  # of the source
    channels: int  # of the source
    damaged_packets: int
    clipped_frames: Any  # bool[ceil(n / FRAME)]: 32 ms with CLIP_RUN source samples at full scale in a channel

    @property
    def duration_s(self) -> float:
        """Return the length in seconds."""
        return len(self.samples) / RATE_HZ


def decode(payload: bytes, uri: str = "", media_type: str | None = None, limits: AudioLimits = LIMITS) -> Sound:
    """Return the first (or default) sound track of a file that stands in memory.

    Channels are averaged before the rate is changed: libswresample's own mono mix of float input is 3 dB louder than
    of integer input, so the same clip as mp3 and as wav would differ. Raises AudioError.
    """
    if not payload:
        raise AudioError(AudioFailure.EMPTY_PAYLOAD)
    name = format_of(payload, uri, media_type)
    if name is None:
        raise AudioError(AudioFailure.UNKNOWN_FORMAT, f"first bytes {payload[:8].hex()}")
    if name == "wav" and (missing := missing_wav_fraction(payload)) > limits.max_missing_fraction:
        raise AudioError(AudioFailure.TRUNCATED, f"{missing:.0%} is missing", "max_missing_fraction", missing)
    try:
        with av.open(io.BytesIO(payload), format=name, options=_options(name), metadata_errors="replace") as container:
            return _decode(container, name, limits)
    except (av.FFmpegError, EOFError) as error:
        raise AudioError(AudioFailure.PARSE_ERROR, f"{name}: {type(error).__name__}: {error}") from error


def _options(name: str) -> dict[str, str]:
    return {"protocol_whitelist": "none", "format_whitelist": name, **_OPTIONS.get(name, {})}


def _decode(container: Any, name: str, limits: AudioLimits) -> Sound:
    stream = _stream(container, limits)
    pieces = _Pieces(stream, limits)
    frames = [np.zeros(0, np.float32)]
    clipped = [np.zeros(0, np.bool_)]
    for kind, run in groupby(pieces, key=lambda piece: piece.kind):
        channels = to_float(np.concatenate([piece.samples for piece in run], axis=1), kind.sample_type)
        clipped.append(clipped_frames(channels, kind.rate_hz))
        frames.append(resample(mono(channels), kind.rate_hz))
    samples = np.concatenate(frames)
    if not len(samples):
        raise AudioError(AudioFailure.NO_AUDIO, "no sample decodes")
    if name in _LENGTH_IS_STATED:
        _check_length(_stated_s(container, stream), len(samples) / RATE_HZ, limits)
    codec = stream.codec_context
    flags = np.zeros(-(-len(samples) // FRAME), np.bool_)
    found = np.concatenate(clipped)[: len(flags)]
    flags[: len(found)] = found
    first = pieces.first
    return Sound(samples, name, codec.name, first.rate_hz, first.channels, pieces.damaged, flags)


def _stream(container: Any, limits: AudioLimits) -> Any:
    if len(container.streams) > limits.max_streams:
        observed = len(container.streams)
        raise AudioError(AudioFailure.TOO_MANY_STREAMS, "", "max_streams", observed)
    stream = container.streams.best("audio")
    if stream is None or stream.codec_context is None:
        raise AudioError(AudioFailure.NO_AUDIO, "no sound track that a decoder knows")
    stream.thread_count = 1
    return stream


class _Kind(NamedTuple):
    rate_hz: int
    channels: int
    sample_type: str  # libavutil's name, without the "p" of planar ones


class _Piece(NamedTuple):
    kind: _Kind
    samples: Any  # [channels, n], as the decoder gave them


class _Pieces:
    """Iterates over the decoded frames of a stream."""

    def __init__(self, stream: Any, limits: AudioLimits) -> None:
        self.stream, self.limits = stream, limits
        self.packets = self.damaged = 0
        self.seconds = 0.0
        self._kinds: list[_Kind] = []

    def __iter__(self) -> Iterator[_Piece]:
        for packet in self.stream.container.demux(self.stream):
            try:
                frames = packet.decode()
            except av.InvalidDataError:
                self.damaged += 1
                continue
            finally:
                self.packets += 1
            for frame in frames:
                yield self._take(frame)
        if self.damaged > self.limits.max_damaged_fraction * self.packets:
            detail = f"{self.damaged} of {self.packets} packets"
            fraction = self.damaged / self.packets
            raise AudioError(AudioFailure.DAMAGED, detail, "max_damaged_fraction", fraction)

    def _take(self, frame: Any) -> _Piece:
        kind = _Kind(frame.sample_rate, frame.layout.nb_channels, frame.format.name.removesuffix("p"))
        if kind not in self._kinds:
            self._check(kind)
        self.seconds += frame.samples / kind.rate_hz
        if self.seconds > self.limits.max_duration_s:
            raise AudioError(AudioFailure.TOO_LONG, "", "max_duration_s", self.seconds)
        return _Piece(kind, _raw(frame, kind))

    def _check(self, kind: _Kind) -> None:
        if kind.channels > self.limits.max_channels:
            raise AudioError(AudioFailure.TOO_MANY_CHANNELS, "", "max_channels", kind.channels)
        if kind.rate_hz < self.limits.min_rate_hz:
            raise AudioError(AudioFailure.UNUSABLE_RATE, "", "min_rate_hz", kind.rate_hz)
        if kind.rate_hz > self.limits.max_rate_hz:
            raise AudioError(AudioFailure.UNUSABLE_RATE, "", "max_rate_hz", kind.rate_hz)
        self._kinds.append(kind)

    @property
    def first(self) -> _Kind:
        """Return the kind of the first frame; 0 Hz where none decoded."""
        return self._kinds[0] if self._kinds else _Kind(0, 0, "")


def _raw(frame: Any, kind: _Kind) -> Any:
    """Return a frame's samples, [channels, n], of the decoder's own type."""
    dtype = _DTYPES[kind.sample_type]
    if kind.channels == 1:
        return np.frombuffer(frame.planes[0], dtype, frame.samples)[None]
    if frame.format.is_planar:
        return np.stack([np.frombuffer(plane, dtype, frame.samples) for plane in frame.planes])
    return np.frombuffer(frame.planes[0], dtype, frame.samples * kind.channels).reshape(-1, kind.channels).T


_DTYPES: dict[str, Any] = {
    "u8": np.uint8,
    "s16": np.int16,
    "s32": np.int32,
    "s64": np.int64,
    "flt": np.float32,
    "dbl": np.float64,
}


def to_float(samples: Any, sample_type: str) -> Any:
    """Return float32 of the same shape, full scale at 1; 0x80 of "u8" is 0."""
    if sample_type == "u8":
        samples = samples.astype(np.int16) - 128
    elif sample_type in ("s32", "s64"):
        return (samples * _SCALES[sample_type]).astype(np.float32)
    return samples.astype(np.float32) * np.float32(_SCALES.get(sample_type, 1))


def mono(channels: Any) -> Any:
    """Return float32[n] in [-1, 1]: the mean of float32[channels, n]; what isn't finite is silence."""
    mixed = channels[0] if len(channels) == 1 else channels.mean(axis=0, dtype=np.float32)
    if not np.isfinite(mixed).all():
        mixed = np.nan_to_num(mixed, nan=0.0, posinf=0.0, neginf=0.0)
    return np.clip(mixed, -1.0, 1.0)


def resample(samples: Any, rate_hz: int) -> Any:
    """Return float32 samples at 16 kHz by libswresample's default filter, the delay of the filter taken out.

    The length is that of the input to within a sample. Peaks may pass 1 a little, and are clipped there.
    """
    if rate_hz == RATE_HZ:
        return samples
    resampler = av.AudioResampler(format="flt", layout="mono", rate=RATE_HZ)
    out = []
    for start in range(0, len(samples), _CHUNK):
        frame = av.AudioFrame.from_ndarray(samples[None, start : start + _CHUNK], format="flt", layout="mono")
        frame.sample_rate, frame.pts = rate_hz, start
        out += resampler.resample(frame)
    out += resampler.resample(None)
    whole = np.concatenate([np.frombuffer(memoryview(one.planes[0]), np.float32, one.samples) for one in out])
    return np.clip(whole, -1.0, 1.0)


def clipped_frames(channels: Any, rate_hz: int) -> Any:
    """Return bool[frames]: which 32 ms hold CLIP_RUN or more samples in a row at full scale, in any channel."""
    flags = np.zeros(-(-channels.shape[1] * RATE_HZ // (rate_hz * FRAME)), np.bool_)
    if channels.size and max(channels.max(), -channels.min()) >= FULL_SCALE:
        for channel in channels:
            _mark_clipped(np.ascontiguousarray(channel), rate_hz, flags)
    return flags


@kernel
def _mark_clipped(samples: Any, rate_hz: int, flags: Any) -> None:
    run = 0
    for i in range(len(samples)):
        run = run + 1 if abs(samples[i]) >= FULL_SCALE else 0
        if run >= CLIP_RUN:
            flags[i * RATE_HZ // (rate_hz * FRAME)] = True


def _stated_s(container: Any, stream: Any) -> float:
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return (container.duration or 0) / av.time_base


def _check_length(stated_s: float, decoded_s: float, limits: AudioLimits) -> None:
    missing_s = stated_s - decoded_s
    if missing_s > 0.5 + limits.max_missing_fraction * stated_s:
        detail = f"{decoded_s:.2f} s of {stated_s:.2f} s"
        raise AudioError(AudioFailure.TRUNCATED, detail, "max_missing_fraction", missing_s / stated_s)
