"""What a video is: its container by its first bytes, its streams, and whether the limits let it be decoded.

The container is chosen here, by signature, and FFmpeg is told to use that one reader: it never guesses, so a
playlist that is called .mp4 names no other file. All further opening of files is refused.
"""

import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av

from filters.video.limits import VideoFailed, VideoLimits, VideoRefusedError

SNIFF_BYTES = 4096
NANOS = 1_000_000_000

# (FFmpeg's name, offset of the signature, signature)
_SIGNATURES = (
    ("mov", 4, b"ftyp"),
    ("mov", 4, b"moov"),
    ("mov", 4, b"mdat"),
    ("mov", 4, b"wide"),
    ("mov", 4, b"free"),
    ("mov", 4, b"skip"),
    ("matroska", 0, b"\x1a\x45\xdf\xa3"),
    ("avi", 0, b"RIFF"),
    ("mpeg", 0, b"\x00\x00\x01\xba"),
    ("mpegvideo", 0, b"\x00\x00\x01\xb3"),
    ("ogg", 0, b"OggS"),
    ("flv", 0, b"FLV\x01"),
    ("asf", 0, b"\x30\x26\xb2\x75\x8e\x66\xcf\x11"),
)
MEDIA_TYPES = {
    "mov": "video/mp4",
    "matroska": "video/x-matroska",
    "avi": "video/x-msvideo",
    "mpeg": "video/mpeg",
    "mpegvideo": "video/mpeg",
    "mpegts": "video/mp2t",
    "ogg": "video/ogg",
    "flv": "video/x-flv",
    "asf": "video/x-ms-asf",
}
_TS_PACKETS = (188, 192, 204)  # bytes between sync bytes: plain, with time codes, with parity
_PLAYLIST = re.compile(
    rb"\A(?:\xef\xbb\xbf)?\s*(?:#EXTM3U|ffconcat\s+version|file\s+['\"/\w]|\[playlist\]|\[Reference\]|"
    rb"(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:MPD|smil|asx|playlist|SmoothStreamingMedia)\b|"
    rb"RTSPtext|SMILtext|v=0\s)",
    re.IGNORECASE | re.DOTALL,
)


class ByteSource:
    """Bytes in memory as a file that FFmpeg reads, without a copy; it may look beyond the end, as in any file."""

    def __init__(self, data: Any) -> None:
        self._data = memoryview(data)
        self._at = 0

    def read(self, size: int = -1) -> bytes:
        """Return up to `size` bytes, fewer at the end, b"" beyond it."""
        end = len(self._data) if size < 0 else self._at + size
        found = bytes(self._data[self._at : end])
        self._at += len(found)
        return found

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to an offset from the start (0), from here (1) or from the end (2); before the start is the start."""
        self._at = max(0, offset + (0, self._at, len(self._data))[whence])
        return self._at

    def tell(self) -> int:
        """Return the offset of the next byte."""
        return self._at

    def __len__(self) -> int:
        return len(self._data)


@dataclass(frozen=True)
class Probe:
    """What the container says of itself, before a frame is decoded; 0 where it does not say.

    width_px, height_px are those of a frame as it is shown: pixels made square, then turned by `rotation_degrees`.
    """

    container: str
    codec: str
    width_px: int
    height_px: int
    coded_width_px: int
    coded_height_px: int
    rotation_degrees: int  # clockwise, as it is to be shown: 0, 90, 180, 270
    declared_duration_s: float
    declared_fps: float
    stream_count: int
    audio_codec: str | None
    audio_sample_rate_hz: int
    audio_channel_count: int
    subtitle_stream_count: int


def container_of(head: bytes) -> str:
    """Return FFmpeg's name for the container that starts with `head` (its first 4,096 bytes).

    Raises VideoRefusedError (PLAYLIST, NOT_A_VIDEO, EMPTY_PAYLOAD).
    """
    if not head:
        raise VideoRefusedError(VideoFailed.EMPTY_PAYLOAD)
    if _PLAYLIST.match(head):
        raise VideoRefusedError(VideoFailed.PLAYLIST, "text that names other files")
    for name, offset, signature in _SIGNATURES:
        if head.startswith(signature, offset) and (name != "avi" or head[8:12] in (b"AVI ", b"AVIX")):
            return name
    if any(_has_sync(head, size) for size in _TS_PACKETS):
        return "mpegts"
    raise VideoRefusedError(VideoFailed.NOT_A_VIDEO, "no signature of a known container")


def open_video(data: Any, limits: VideoLimits) -> Any:
    """Return the opened av container of a video that lies within the limits; `data` is any buffer of bytes.

    Raises VideoRefusedError. Whoever opens it closes it.
    """
    source = ByteSource(data)
    if len(source) > limits.max_media_bytes:
        raise VideoRefusedError(VideoFailed.PAYLOAD_TOO_LARGE, limit="max_media_bytes", observed=len(source))
    name = container_of(source.read(SNIFF_BYTES))
    source.seek(0)
    options = {
        "max_pixels": str(limits.max_frame_pixels),
        "protocol_whitelist": "none",
        "format_whitelist": _listed(name),
    }
    try:
        return av.open(source, format=name, options=options, io_open=_refuse, metadata_errors="replace")
    except (av.error.FFmpegError, ValueError, OSError) as error:
        raise VideoRefusedError(VideoFailed.DAMAGED_CONTAINER, _said(error)) from error


def video_stream(container: Any, limits: VideoLimits) -> Any:
    """Return the stream that is the picture: the first video stream that is no cover art.

    Raises VideoRefusedError where there is none, or it lies beyond the limits.
    """
    if len(container.streams) > limits.max_video_streams:
        raise VideoRefusedError(
            VideoFailed.TOO_MANY_STREAMS, limit="max_video_streams", observed=len(container.streams)
        )
    for stream in container.streams.video:
        if not stream.disposition & av.stream.Disposition.attached_pic:
            _check(stream, container, limits)
            return stream
    raise VideoRefusedError(VideoFailed.NO_VIDEO_STREAM)


def probe(container: Any, stream: Any) -> Probe:
    """Return what the container says of the stream and of its neighbours.

    rotation_degrees is 0 here; it comes with the first frame (`turned`).
    """
    context = stream.codec_context
    audio = next(iter(container.streams.audio), None)
    width, height = shown_size(context.width, context.height, stream.sample_aspect_ratio)
    known = audio is not None and audio.codec_context is not None
    return Probe(
        container=container_of_format(container.format.name),
        codec=context.name,
        width_px=width,
        height_px=height,
        coded_width_px=context.width,
        coded_height_px=context.height,
        rotation_degrees=0,
        declared_duration_s=declared_duration_s(container, stream),
        declared_fps=float(stream.average_rate or 0),
        stream_count=len(container.streams),
        audio_codec=audio.codec_context.name if known and audio is not None else None,
        audio_sample_rate_hz=int(audio.codec_context.sample_rate or 0) if known and audio is not None else 0,
        audio_channel_count=int(audio.codec_context.channels or 0) if known and audio is not None else 0,
        subtitle_stream_count=len(container.streams.subtitles),
    )


def shown_size(width: int, height: int, pixel_aspect: Fraction | None) -> tuple[int, int]:
    """Return the size with square pixels: the width is stretched or shrunk, the height stays.

    Aspects outside [1/4, 4] are taken for damage and ignored.
    """
    if not pixel_aspect or not Fraction(1, 4) <= pixel_aspect <= 4:
        return width, height
    return max(1, round(width * pixel_aspect)), height


def declared_duration_s(container: Any, stream: Any) -> float:
    """Return how long the picture is said to be, in seconds; 0.0 where nothing is said."""
    if stream.duration and stream.time_base and stream.duration > 0:
        return float(stream.duration * stream.time_base)
    if container.duration and container.duration > 0:
        return float(container.duration) / av.time_base
    return 0.0


def container_of_format(name: str) -> str:
    """Return our name of a container from FFmpeg's list of synonyms ("mov,mp4,m4a,...")."""
    return "matroska" if name.startswith("matroska") else name.partition(",")[0]


def _check(stream: Any, container: Any, limits: VideoLimits) -> None:
    context = stream.codec_context
    if context is None:
        raise VideoRefusedError(VideoFailed.UNKNOWN_CODEC)
    pixels = context.width * context.height
    if pixels > limits.max_frame_pixels:
        raise VideoRefusedError(VideoFailed.TOO_MANY_PIXELS, limit="max_frame_pixels", observed=pixels)
    if max(context.width, context.height) > limits.max_frame_side_px:
        side = max(context.width, context.height)
        raise VideoRefusedError(VideoFailed.SIDE_TOO_LONG, limit="max_frame_side_px", observed=side)
    duration_s = declared_duration_s(container, stream)
    if duration_s > limits.max_video_s:
        raise VideoRefusedError(VideoFailed.TOO_LONG, "declared", "max_video_s", int(duration_s))


def _has_sync(head: bytes, size: int) -> bool:
    start = 4 if size == 192 else 0
    at = range(start, min(len(head), start + 5 * size), size)
    return len(head) > start + 4 * size and all(head[i] == 0x47 for i in at)


def _listed(name: str) -> str:
    return {"mov": "mov,mp4,m4a,3gp,3g2,mj2", "matroska": "matroska,webm"}.get(name, name)


def _refuse(url: str, flags: int, options: dict[str, str]) -> Any:
    raise PermissionError("a video may not open another file")


def _said(error: Exception) -> str:
    """Return FFmpeg's own words, without bytes of the input."""
    return str(getattr(error, "strerror", None) or type(error).__name__)
