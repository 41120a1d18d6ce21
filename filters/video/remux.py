"""A clip as a film of its own: its packets are copied, nothing is encoded again.

A decoder can begin at a key frame only, so the file begins at the last one that is shown no later than the clip's
first frame: `start_us` says when that is. It may show a picture or two after the clip's end, which the last ones refer
to. MP4 where it takes the codec, Matroska otherwise; both are written by
FFmpeg in bit-exact mode, without the writer's name, a time or a random number.
"""

import io
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import numpy as np

from filters.video.clips import Clip
from filters.video.frames import microseconds

REMUX_VERSION = 1
_MP4_VIDEO = frozenset({"h264", "hevc", "av1", "mpeg4", "vp9"})
_MP4_AUDIO = frozenset({"aac", "mp3", "ac3", "eac3", "opus", "flac", "alac"})
_FORMATS = {"mp4": "mp4", "mkv": "matroska"}
MEDIA_TYPES = {"mp4": "video/mp4", "mkv": "video/x-matroska"}


@dataclass(frozen=True)
class ClipFile:
    """A clip's file."""

    extension: str  # mp4 | mkv
    payload: bytes
    start_us: int  # when its first picture is shown, on the film's time line


class Packets:
    """The packets of a film's picture and sound, in the order of the file; `origin_us` is the time line's zero."""

    def __init__(self, streams: list[Any], origin_us: int) -> None:
        self.streams, self.origin_us = streams, origin_us
        self.by_stream: list[list[Any]] = [[] for _ in streams]
        self._times: list[Any] = []  # int64[packets] of each stream, microseconds; made once all are there
        self._places = {stream.index: n for n, stream in enumerate(streams)}

    def add(self, packet: Any) -> None:
        """Keep a packet; one without a time stamp is left out."""
        if packet.dts is not None and packet.pts is not None and packet.size:
            self.by_stream[self._places[packet.stream.index]].append(packet)

    def cut(self, clip: Clip) -> ClipFile | str:
        """Return the file of a clip, or why there is none."""
        self._measure()
        picture, times = self.by_stream[0], self._times[0]
        at = np.flatnonzero(self._is_key & (times <= clip.start_us))
        if not len(at):
            return "no_key_frame"
        first, start_us = int(at[-1]), int(times[at[-1]])
        # references stand before what is shown, in decoding order: all up to the last picture of the clip are needed
        last = int(np.flatnonzero(times < clip.end_us)[-1])
        chosen = [picture[n] for n in range(first, last + 1) if times[n] >= start_us]
        for packets, heard in zip(self.by_stream[1:], self._times[1:], strict=True):
            chosen += [packets[n] for n in np.flatnonzero((heard >= start_us) & (heard < clip.end_us))]
        return self._written(chosen, start_us)

    def _measure(self) -> None:
        if not self._times:
            for stream, packets in zip(self.streams, self.by_stream, strict=True):
                self._times.append(np.array([self._us(one.pts, stream.time_base) for one in packets], np.int64))
            self._is_key = np.array([one.is_keyframe for one in self.by_stream[0]], np.bool_)

    def _us(self, ticks: int, base: Fraction) -> int:
        return microseconds(ticks, base) - self.origin_us

    def _written(self, packets: list[Any], start_us: int) -> ClipFile | str:
        names = [stream.codec_context.name for stream in self.streams]
        fits = names[0] in _MP4_VIDEO and all(name in _MP4_AUDIO for name in names[1:])
        extension = "mp4" if fits else "mkv"
        out = io.BytesIO()
        options = {"fflags": "+bitexact"}
        try:
            with av.open(out, "w", format=_FORMATS[extension], options=options) as target:
                made = {stream.index: target.add_stream_from_template(stream) for stream in self.streams}
                for packet in sorted(packets, key=self._order):
                    target.mux(self._copy(packet, made, start_us))
        except (av.error.FFmpegError, ValueError) as error:
            return type(error).__name__
        return ClipFile(extension, out.getvalue(), start_us)

    def _order(self, packet: Any) -> tuple[int, int]:
        return self._us(packet.dts, packet.time_base), self._places[packet.stream.index]

    def _copy(self, packet: Any, made: dict[int, Any], start_us: int) -> Any:
        base = packet.time_base
        shift = round(Fraction(start_us + self.origin_us, 1_000_000) / base)
        copy = av.Packet(bytes(packet))
        copy.time_base, copy.is_keyframe = base, packet.is_keyframe
        copy.pts, copy.dts, copy.duration = packet.pts - shift, packet.dts - shift, packet.duration or 0
        copy.stream = made[packet.stream.index]
        return copy
