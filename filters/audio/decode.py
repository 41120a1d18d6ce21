"""Foreign audio bytes -> 16 kHz mono, in a guarded child only.

PyAV and not an ffmpeg process: its wheel carries the codecs (BSD bindings; FFmpeg under the LGPL, with x264 and x265,
which are GPL and never used, in the same wheel): no program to find on the machine, no pipe, no temporary file. A clip
of three seconds costs 1 ms instead of 40 ms for a process. The demuxer is named by `filters.audio.sniff`, reads from
memory and may open nothing else.
"""

import io
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Any, NamedTuple

import av
import numpy as np

from filters.audio import FRAME, RATE_HZ
from filters.audio.endings import GSM_FRAME, ends_early, stated_mp3_s
from filters.audio.limits import AudioError, AudioFailed, AudioLimits
from filters.audio.sniff import format_of, missing_wav_fraction
from filters.native import kernel

LIMITS = AudioLimits()
DECODE_VERSION = 1
SHORT_S = 0.1  # less than stated by more than this: the end is missing
FULL_SCALE = 0.999
CLIP_RUN = 3  # source samples in a row at full scale: a flat top, not a single peak
_CHUNK = 1 << 18  # samples that the resampler takes at once
_SCALES = {"u8": 1 / 128, "s16": 1 / 32768, "s32": 1 / 2147483648, "s64": 1 / 9223372036854775808}
# Their headers say how long they are, and are right about it.
_LENGTH_IS_STATED = ("wav", "flac", "mov", "aiff", "au", "caf", "wv", "matroska")
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
    is_cut: bool  # ends before its own structure says (filters.audio.endings)
    clipped_frames: Any  # bool[ceil(n / FRAME)]: 32 ms with CLIP_RUN source samples at full scale in a channel

    @property
    def duration_s(self) -> float:
        """Return the length in seconds."""
        return len(self.samples) / RATE_HZ


def decode(
    payload: bytes,
    uri: str = "",
    media_type: str | None = None,
    limits: AudioLimits = LIMITS,
    beat: Callable[[], None] = lambda: None,
) -> Sound:
    """Return the first (or default) sound track of a file that stands in memory.

    Channels are averaged before the rate is changed: libswresample's own mono mix of float input is 3 dB louder than
    of integer input, so the same clip as mp3 and as wav would differ. `beat` is called while it goes on, about every
    quarter of a million source samples. Raises AudioError.
    """
    if not payload:
        raise AudioError(AudioFailed.EMPTY_PAYLOAD)
    name = format_of(payload, uri, media_type)
    if name is None:
        raise AudioError(AudioFailed.UNKNOWN_FORMAT, f"first bytes {payload[:8].hex()}")
    if name == "wav" and (missing := missing_wav_fraction(payload)) > limits.max_audio_missing_fraction:
        raise AudioError(AudioFailed.TRUNCATED, f"{missing:.0%} is missing", "max_audio_missing_fraction", missing)
    if name == "gsm" and len(payload) % GSM_FRAME:  # libavformat gives nothing of such a file
        raise AudioError(AudioFailed.TRUNCATED, f"{len(payload)} bytes are no whole number of frames")
    try:
        with av.open(io.BytesIO(payload), format=name, options=_options(name), metadata_errors="replace") as container:
            return _decode(container, name, payload, limits, beat)
    except (av.FFmpegError, EOFError) as error:
        raise AudioError(AudioFailed.PARSE_ERROR, f"{name}: {type(error).__name__}: {error}") from error


def _options(name: str) -> dict[str, str]:
    return {"protocol_whitelist": "none", "format_whitelist": name, **_OPTIONS.get(name, {})}


def _decode(container: Any, name: str, payload: bytes, limits: AudioLimits, beat: Callable[[], None]) -> Sound:
    stream = _stream(container, limits)
    stated_s = stated_mp3_s(payload) if name == "mp3" else _stated_s(container, stream, name)
    pieces = _Pieces(stream, limits)
    mixed = [_mixed(kind, run, beat) for kind, run in groupby(pieces, key=lambda piece: piece.kind)]
    samples = np.concatenate([np.zeros(0, np.float32), *(part for part, _ in mixed)])
    if not len(samples):
        raise AudioError(AudioFailed.NO_AUDIO, "no sample decodes")
    if name == "wav":  # what libavformat states is what is there
        stated_s = len(samples) / RATE_HZ / (1 - missing_wav_fraction(payload))
    missing_s = _missing_s(stated_s, len(samples) / RATE_HZ, limits)
    flags = np.zeros(-(-len(samples) // FRAME), np.bool_)
    found = np.concatenate([part for _, part in mixed])[: len(flags)]
    flags[: len(found)] = found
    is_cut = missing_s > SHORT_S or ends_early(payload, name, pieces.last)
    first, codec = pieces.first, stream.codec_context.name
    return Sound(samples, name, codec, first.rate_hz, first.channels, pieces.damaged, is_cut, flags)


def _mixed(kind: "_Kind", pieces: Iterable["_Piece"], beat: Callable[[], None]) -> tuple[Any, Any]:
    """Return (float32 mono at 16 kHz, bool[frames]: which clip) of pieces of one kind, a block at a time."""
    resampler, clipping = Resampler(kind.rate_hz), Clipping(kind.rate_hz, kind.channels)
    held: list[Any] = []
    count = 0
    for piece in pieces:
        held.append(piece.samples)
        count += piece.samples.shape[1]
        if count >= _CHUNK:
            _mix(held, kind, resampler, clipping)
            held, count = [], 0
            beat()
    if held:
        _mix(held, kind, resampler, clipping)
    return resampler.finish(), clipping.flags()


def _mix(held: list[Any], kind: "_Kind", resampler: "Resampler", clipping: "Clipping") -> None:
    channels = to_float(held[0] if len(held) == 1 else np.concatenate(held, axis=1), kind.sample_type)
    clipping.add(channels)
    resampler.add(mono(channels))


def _stream(container: Any, limits: AudioLimits) -> Any:
    if len(container.streams) > limits.max_audio_streams:
        observed = len(container.streams)
        raise AudioError(AudioFailed.TOO_MANY_STREAMS, "", "max_audio_streams", observed)
    stream = container.streams.best("audio")
    if stream is None or stream.codec_context is None:
        raise AudioError(AudioFailed.NO_AUDIO, "no sound track that a decoder knows")
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
    """Iterates over what the frames of a stream decode to, _CHUNK samples or a little more at a time.

    Frames of 20 ms come fifty a second; libavutil joins them, since an array of each costs more than its decoding.
    """

    def __init__(self, stream: Any, limits: AudioLimits) -> None:
        self.stream, self.limits = stream, limits
        self.packets = self.damaged = 0
        self.seconds = 0.0
        self._kinds: list[_Kind] = []
        self._kind, self._joined = _Kind(0, 0, ""), av.AudioFifo()
        self._last: Any = None

    def __iter__(self) -> Iterator[_Piece]:
        for packet in self.stream.container.demux(self.stream):
            if packet.size:
                self._last = packet
            try:
                frames = packet.decode()
            except av.InvalidDataError:
                self.damaged += 1
                continue
            finally:
                self.packets += 1
            for frame in frames:
                yield from self._take(frame)
        yield from self._rest()
        if self.damaged > self.limits.max_audio_damaged_fraction * self.packets:
            detail = f"{self.damaged} of {self.packets} packets"
            fraction = self.damaged / self.packets
            raise AudioError(AudioFailed.DAMAGED, detail, "max_audio_damaged_fraction", fraction)

    def _take(self, frame: Any) -> Iterable[_Piece]:
        """Join a frame to those before it; return what is enough for a piece, or ends with another kind of frame."""
        done: list[_Piece] = []
        frame.pts = None
        if not self._kinds:
            self._begin(frame)
        try:
            self._joined.write(frame)
        except ValueError:  # of another rate, layout or type
            done += self._rest()
            self._begin(frame)
            self._joined.write(frame)
        self.seconds += frame.samples / self._kind.rate_hz
        if self.seconds > self.limits.max_audio_s:
            raise AudioError(AudioFailed.TOO_LONG, "", "max_audio_s", self.seconds)
        return done + self._rest() if self._joined.samples >= _CHUNK else done

    def _begin(self, frame: Any) -> None:
        kind = _Kind(frame.sample_rate, frame.layout.nb_channels, frame.format.name.removesuffix("p"))
        if kind not in self._kinds:
            self._check(kind)
        self._kind, self._joined = kind, av.AudioFifo()

    def _rest(self) -> list[_Piece]:
        """Return what was joined so far."""
        whole = self._joined.read(self._joined.samples) if self._joined.samples else None
        return [] if whole is None else [_Piece(self._kind, _raw(whole, self._kind, whole.samples))]

    def _check(self, kind: _Kind) -> None:
        if kind.channels > self.limits.max_audio_channels:
            raise AudioError(AudioFailed.TOO_MANY_CHANNELS, "", "max_audio_channels", kind.channels)
        if kind.rate_hz < self.limits.min_audio_rate_hz:
            raise AudioError(AudioFailed.UNUSABLE_RATE, "", "min_audio_rate_hz", kind.rate_hz)
        if kind.rate_hz > self.limits.max_audio_rate_hz:
            raise AudioError(AudioFailed.UNUSABLE_RATE, "", "max_audio_rate_hz", kind.rate_hz)
        self._kinds.append(kind)

    @property
    def last(self) -> bytes:
        """Return the last packet."""
        return b"" if self._last is None else bytes(self._last)

    @property
    def first(self) -> _Kind:
        """Return the kind of the first frame; 0 Hz where none decoded."""
        return self._kinds[0] if self._kinds else _Kind(0, 0, "")


def _raw(frame: Any, kind: _Kind, count: int) -> Any:
    """Return a frame's samples, [channels, n], of the decoder's own type."""
    dtype = _DTYPES[kind.sample_type]
    if kind.channels == 1:
        return np.frombuffer(frame.planes[0], dtype, count)[None]
    if frame.format.is_planar:
        return np.stack([np.frombuffer(plane, dtype, count) for plane in frame.planes])
    return np.frombuffer(frame.planes[0], dtype, count * kind.channels).reshape(-1, kind.channels).T


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


class Resampler:
    """libswresample's default filter to 16 kHz, the delay of the filter taken out, a block at a time.

    The length is that of the input to within a sample. Peaks may pass 1 a little, and are clipped there.
    """

    def __init__(self, rate_hz: int) -> None:
        self.rate_hz, self._out, self._given = rate_hz, [np.zeros(0, np.float32)], 0
        same = rate_hz == RATE_HZ
        self._resampler = None if same else av.AudioResampler(format="flt", layout="mono", rate=RATE_HZ)

    def add(self, samples: Any) -> None:
        """Take float32[n]."""
        if self._resampler is None:
            self._out.append(samples)
            return
        frame = av.AudioFrame.from_ndarray(samples[None], format="flt", layout="mono")
        frame.sample_rate, frame.pts = self.rate_hz, self._given
        self._given += len(samples)
        self._keep(self._resampler.resample(frame))

    def finish(self) -> Any:
        """Return float32[m] of all that was added."""
        if self._resampler is None:
            return self._out[-1] if len(self._out) == 2 else np.concatenate(self._out)
        if self._given:
            self._keep(self._resampler.resample(None))
        whole = np.concatenate(self._out)
        return np.clip(whole, -1.0, 1.0, out=whole)

    def _keep(self, frames: Any) -> None:
        self._out += [np.frombuffer(memoryview(one.planes[0]), np.float32, one.samples).copy() for one in frames]


def resample(samples: Any, rate_hz: int) -> Any:
    """Return float32 samples at 16 kHz."""
    resampler = Resampler(rate_hz)
    for start in range(0, len(samples), _CHUNK):
        resampler.add(samples[start : start + _CHUNK])
    return resampler.finish()


class Clipping:
    """Marks the 32 ms that hold CLIP_RUN or more samples in a row at full scale, in any channel."""

    def __init__(self, rate_hz: int, channels: int) -> None:
        self.rate_hz, self._given = rate_hz, 0
        self._runs, self._flags = np.zeros(channels, np.int64), np.zeros(64, np.bool_)

    def add(self, channels: Any) -> None:
        """Take float32[channels, n]."""
        count = channels.shape[1]
        needed = -(-(self._given + count) * RATE_HZ // (self.rate_hz * FRAME))
        if needed > len(self._flags):
            self._flags = np.concatenate([self._flags, np.zeros(max(needed, len(self._flags)), np.bool_)])
        if channels.size and max(channels.max(), -channels.min()) >= FULL_SCALE:
            for i, channel in enumerate(channels):
                samples = np.ascontiguousarray(channel)
                self._runs[i] = _mark_clipped(samples, self.rate_hz, self._given, self._runs[i], self._flags)
        else:
            self._runs[:] = 0
        self._given += count

    def flags(self) -> Any:
        """Return bool[frames]."""
        return self._flags[: -(-self._given * RATE_HZ // (self.rate_hz * FRAME))]


def clipped_frames(channels: Any, rate_hz: int) -> Any:
    """Return bool[frames]: which 32 ms hold CLIP_RUN or more samples in a row at full scale, in any channel."""
    clipping = Clipping(rate_hz, len(channels))
    clipping.add(channels)
    return clipping.flags()


@kernel
def _mark_clipped(samples: Any, rate_hz: int, given: int, run: int, flags: Any) -> int:
    for i in range(len(samples)):
        run = run + 1 if abs(samples[i]) >= FULL_SCALE else 0
        if run >= CLIP_RUN:
            flags[(given + i) * RATE_HZ // (rate_hz * FRAME)] = True
    return run


def _stated_s(container: Any, stream: Any, name: str) -> float | None:
    """Return the seconds that a header states, None for formats that state nothing, or guess."""
    if name == "matroska" and len(container.streams) > 1:
        return None  # that of the longest track
    if name not in _LENGTH_IS_STATED:
        return None
    if stream.duration and stream.time_base:
        return float(stream.duration * stream.time_base)
    return (container.duration or 0) / av.time_base


def _missing_s(stated_s: float | None, decoded_s: float, limits: AudioLimits) -> float:
    """Return how much less than stated decodes; raises AudioError where that is beyond the limit."""
    if stated_s is None or stated_s <= decoded_s:
        return 0.0
    missing_s = stated_s - decoded_s
    if missing_s > 0.5 + limits.max_audio_missing_fraction * stated_s:
        detail = f"{decoded_s:.2f} s of {stated_s:.2f} s"
        raise AudioError(AudioFailed.TRUNCATED, detail, "max_audio_missing_fraction", missing_s / stated_s)
    return missing_s
