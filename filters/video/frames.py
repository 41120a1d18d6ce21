"""Frames: decoded one after the other, measured on a grid, and some of them kept as pictures."""

import io
from collections.abc import Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any, NamedTuple

import av
import numpy as np
import numpy.typing as npt
from av.video.reformatter import Interpolation
from PIL import Image

from filters.video.clips import US
from filters.video.limits import VideoFailed, VideoLimits, VideoRefusedError
from filters.video.motion import FLOW_FPS, flow, flow_sum_milli
from filters.video.shots import CHANNELS, LUMA, LUMA_SUM, STILL_CHANGE, SUMS, grid_shape, measure, sample_places

STILL_LEVELS = 0.001 * 255  # mean luma distance of a frame that stands still: ffmpeg's freezedetect, noise=0.001
_FULL_RANGE = 2  # AVCOL_RANGE_JPEG
_PLANAR = {  # pixel format -> log2 of its chroma's subsampling (down, across)
    "yuv420p": (1, 1),
    "yuvj420p": (1, 1),
    "yuv422p": (0, 1),
    "yuvj422p": (0, 1),
    "yuv440p": (1, 0),
    "yuvj440p": (1, 0),
    "yuv444p": (0, 0),
    "yuvj444p": (0, 0),
}
_SCALING = Interpolation.AREA | Interpolation.ACCURATE_RND | Interpolation.BITEXACT | Interpolation.FULL_CHR_H_INT


class Moment(NamedTuple):
    """A decoded frame and when it is shown, in microseconds from the start of the container's time line."""

    frame: Any
    time_us: int
    duration_us: int  # of its own, 0 where the stream does not say


@dataclass
class FrameClock:
    """When each frame is shown: its own time stamp, or a frame's length after the one before where that is missing.

    Stamps that go backwards or stand still count as missing, so times rise by at least 1 microsecond.
    """

    time_base: Fraction | None
    origin_us: int
    step_us: int
    last_us: int | None = None

    def time_us(self, pts: int | None) -> int:
        """Return the time of the next frame."""
        stamp = None if pts is None or not self.time_base else microseconds(pts, self.time_base) - self.origin_us
        if self.last_us is None:
            self.last_us = 0 if stamp is None else stamp
        elif stamp is None or stamp <= self.last_us:
            self.last_us += self.step_us
        else:
            self.last_us = stamp
        return self.last_us


def microseconds(ticks: int, time_base: Fraction) -> int:
    """Return ticks x time_base in microseconds, halves rounded up."""
    scaled, per = ticks * time_base.numerator * US * 2, time_base.denominator * 2
    return (scaled + per // 2) // per


@dataclass
class Decoder:
    """Decodes one video stream packet by packet, within the limits; counts what does not decode."""

    stream: Any
    limits: VideoLimits
    origin_us: int
    frame_count: int = 0
    pixel_count: int = 0
    packet_count: int = 0
    damaged_count: int = 0
    clock: FrameClock = field(init=False)

    def __post_init__(self) -> None:
        """Set the decoder to one thread: what it costs is then this process's CPU time, and no more."""
        context = self.stream.codec_context
        context.thread_count = 1
        context.thread_type = "NONE"
        rate = self.stream.average_rate or Fraction(25)
        self.clock = FrameClock(self.stream.time_base, self.origin_us, max(1, round(US / rate)))

    def decode(self, packet: Any) -> Iterator[Moment]:
        """Yield the frames that a packet completes; the packet without bytes, at the end, flushes.

        Raises VideoRefusedError at a limit.
        """
        self.packet_count += 1
        try:
            frames = packet.decode()
        except av.error.MemoryError:
            raise MemoryError from None
        except (av.error.FFmpegError, ValueError):
            self.damaged_count += 1
            return
        for frame in frames:
            self._count(frame)
            time_us = self.clock.time_us(frame.pts)
            if time_us > self.limits.max_video_s * US:
                raise VideoRefusedError(VideoFailed.TOO_LONG, "decoded", "max_video_s", time_us // US)
            yield Moment(frame, time_us, self._own_us(frame.duration))

    def _own_us(self, ticks: int | None) -> int:
        """Return how long a frame says that it is shown, 0 where it says nothing."""
        base = self.stream.time_base
        return microseconds(ticks, base) if ticks and base else 0

    def _count(self, frame: Any) -> None:
        self.frame_count += 1
        self.pixel_count += frame.width * frame.height
        limits = self.limits
        if frame.width * frame.height > limits.max_frame_pixels:
            observed = frame.width * frame.height
            raise VideoRefusedError(VideoFailed.TOO_MANY_PIXELS, "decoded", "max_frame_pixels", observed)
        if self.frame_count > limits.max_decoded_frames:
            raise VideoRefusedError(VideoFailed.TOO_MANY_FRAMES, limit="max_decoded_frames", observed=self.frame_count)
        if self.pixel_count > limits.max_decoded_pixels:
            raise VideoRefusedError(VideoFailed.TOO_MUCH_WORK, limit="max_decoded_pixels", observed=self.pixel_count)


class Track(NamedTuple):
    """What was measured of every frame, in order."""

    times_us: npt.NDArray[np.int64]  # [frames]
    end_us: int  # of the last frame
    sums: npt.NDArray[np.int64]  # [frames, SUMS], see filters.video.shots.measure
    is_still: npt.NDArray[np.bool_]  # [frames]: equal to an earlier frame, and to all between them
    sample_count: int  # of one frame
    flows: npt.NDArray[np.int64]  # [pairs, 4]: numbers of both frames, flow_sum_milli, blocks


class Meter:
    """Measures frames on a grid of samples. The grid is that of the first frame, whatever sizes follow."""

    def __init__(self) -> None:
        self._times: list[int] = []
        self._sums: list[npt.NDArray[np.int64]] = []
        self._is_still: list[bool] = []
        self._size = (0, 0)
        self._state: Any = None
        self._end_us = 0
        self._flows: list[tuple[int, int, int, int]] = []
        self._flow_from: tuple[int, int, Any] | None = None  # slot, number and luma of the last frame looked at

    @property
    def frame_count(self) -> int:
        """Return how many frames were measured."""
        return len(self._times)

    def add(self, moment: Moment) -> None:
        """Measure the next frame."""
        channels, shape = planes(moment.frame)
        height, width = int(shape[0]), int(shape[1])
        if self._state is None:
            self._state = np.zeros((CHANNELS + 1, *grid_shape(width, height)), np.uint8)
        if self._size != (height, width):
            self._size = height, width
            self._rows = sample_places(height, self._state.shape[1])
            self._columns = sample_places(width, self._state.shape[2])
        sums = np.empty(SUMS, np.int64)
        measure(channels, shape, self._rows, self._columns, self._state, sums)
        still = bool(self._times) and int(sums[STILL_CHANGE]) <= STILL_LEVELS * self._state[0].size
        if not still:
            self._state[CHANNELS] = self._state[LUMA]
        self._is_still.append(still)
        self._sums.append(sums)
        step = moment.time_us - self._times[-1] if self._times else 40_000
        self._times.append(moment.time_us)
        self._end_us = moment.time_us + (moment.duration_us or step)
        self._move(len(self._times) - 1)

    def _move(self, number: int) -> None:
        """Look, of each half second's first frame, where its blocks stood in the one before."""
        slot = (self._times[-1] - self._times[0]) * FLOW_FPS // US
        if self._flow_from is not None and slot == self._flow_from[0]:
            return
        now = self._state[LUMA].copy()
        if self._flow_from is not None:
            moves = flow(self._flow_from[2], now)
            blocks = moves.shape[0] * moves.shape[1]
            self._flows.append((self._flow_from[1], number, flow_sum_milli(moves, max(now.shape)), blocks))
        self._flow_from = slot, number, now

    def track(self) -> Track:
        """Return what was measured so far; at least one frame must have been added."""
        sums = np.stack(self._sums)
        sums[0, :LUMA_SUM] = sums[0, STILL_CHANGE] = 0
        return Track(
            np.array(self._times, np.int64),
            self._end_us,
            sums,
            np.array(self._is_still),
            self._state[0].size,
            np.array(self._flows, np.int64).reshape(-1, 4),
        )


def planes(frame: Any) -> tuple[tuple[Any, Any, Any], Any]:
    """Return (planes, shape) as `shots.measure` takes them; what is not 8-bit planar is converted."""
    name = frame.format.name
    if name not in _PLANAR:
        frame = frame.reformat(format="yuv420p", interpolation=Interpolation.FAST_BILINEAR | Interpolation.BITEXACT)
        name = "yuv420p"
    is_full = name.startswith("yuvj") or frame.color_range == _FULL_RANGE
    luma, blue, red = frame.planes
    lines = (luma.line_size, blue.line_size, red.line_size)
    shape = np.array([frame.height, frame.width, *_PLANAR[name], is_full, *lines], np.int64)
    return (np.frombuffer(luma, np.uint8), np.frombuffer(blue, np.uint8), np.frombuffer(red, np.uint8)), shape


def picture(scaler: Any, frame: Any, size: tuple[int, int], turn_degrees: int = 0) -> npt.NDArray[np.uint8]:
    """Return uint8[height, width, 3], RGB, as the frame is shown; `size` is (width, height) before it is turned.

    scaler: an av.video.reformatter.VideoReformatter, which keeps from frame to frame what it set up. Scaled by
    area, in FFmpeg's bit-exact arithmetic; the matrix is the frame's own (BT.601 where it says none).
    """
    scaled = scaler.reformat(frame, width=size[0], height=size[1], format="rgb24", interpolation=_SCALING)
    pixels = np.rot90(scaled.to_ndarray(), k=-(turn_degrees // 90) % 4)
    return np.ascontiguousarray(pixels, np.uint8)


def fitted(width: int, height: int, max_side: int) -> tuple[int, int]:
    """Return (width, height) with the longer side at most `max_side`, never enlarged, at least 1 x 1."""
    longer = max(width, height)
    if longer <= max_side:
        return width, height
    return max(1, round(width * max_side / longer)), max(1, round(height * max_side / longer))


def encode_jpeg(pixels: npt.NDArray[np.uint8], quality: int) -> bytes:
    """Return a baseline JPEG (4:2:0) without any metadata; the same pixels give the same bytes."""
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=quality, subsampling="4:2:0")
    return out.getvalue()


def turn_of(frame: Any) -> int:
    """Return by how many degrees, clockwise, the frame is to be turned to be shown: 0, 90, 180 or 270.

    From its display matrix (phones write one); FFmpeg's angle is counter-clockwise.
    """
    return int(round(-frame.rotation / 90) * 90) % 360
