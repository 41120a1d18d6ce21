"""One pass over the packets of a video: frames are measured and some kept, sound and cues are copied."""

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

from av.error import FFmpegError
from av.video.reformatter import VideoReformatter

from filters.images.nsfw import nsfw_score
from filters.images.phash import luma, phash64
from filters.video.audio_track import AudioCopy
from filters.video.clips import US
from filters.video.frames import Decoder, Meter, Moment, encode_jpeg, fitted, microseconds, picture, turn_of
from filters.video.limits import VideoLimits
from filters.video.near import is_flat
from filters.video.probe import shown_size
from filters.video.shots import CUT_THRESHOLD, MIN_SHOT_FRAMES
from filters.video.subtitles import Cue, plain_text


@dataclass(frozen=True)
class VideoSettings:
    """What is made of a video."""

    cut_threshold: float = CUT_THRESHOLD
    min_shot_frames: int = MIN_SHOT_FRAMES
    min_clip_s: float = 2.0
    max_clip_s: float = 60.0
    frame_fps: float = 1.0  # frames kept, 0 for none
    keyframes: bool = False  # keep the stream's key frames as well
    frame_max_side_px: int = 512
    frame_quality: int = 95  # of JPEG
    audio: bool = True  # copy the sound
    nsfw: bool = False  # score every kept frame (filters.images.nsfw); its model must be there

    def __post_init__(self) -> None:
        """Refuse settings that could not be followed."""
        if not 0 <= self.frame_fps <= 240:
            raise ValueError(f"video: frame_fps must be in [0, 240], got {self.frame_fps}")
        if not 16 <= self.frame_max_side_px <= 16384:
            raise ValueError(f"video: frame_max_side_px must be in [16, 16384], got {self.frame_max_side_px}")
        if not 1 <= self.frame_quality <= 100:
            raise ValueError(f"video: frame_quality must be in [1, 100], got {self.frame_quality}")
        if not 0 <= self.min_clip_s <= self.max_clip_s / 2:
            raise ValueError(f"video: min_clip_s must be in [0, max_clip_s / 2], got {self.min_clip_s}")


@dataclass
class Kept:
    """A frame that is kept: where it stands, and its picture."""

    index: int  # of the frames that were measured
    time_us: int
    is_keyframe: bool
    values: dict[str, Any]
    payload: bytes


@dataclass
class Reader:
    """One pass over the packets of a video: frames are measured and some kept, sound and cues are copied."""

    container: Any
    stream: Any
    settings: VideoSettings
    limits: VideoLimits
    meter: Meter = field(default_factory=Meter)
    kept: list[Kept] = field(default_factory=list)
    cues: list[tuple[Cue, str | None]] = field(default_factory=list)
    left_out: int = 0
    cues_left_out: int = 0
    turn_degrees: int = 0
    next_frame: int = 0

    def __post_init__(self) -> None:
        """Choose the streams that are read."""
        # the container counts in microseconds; its start may be that of the sound
        self.origin_us = self.container.start_time or 0
        self.decoder = Decoder(self.stream, self.limits, self.origin_us)
        self.scaler = VideoReformatter()
        self.rate = Fraction(self.settings.frame_fps).limit_denominator(1000)
        sound = next(iter(self.container.streams.audio), None) if self.settings.audio else None
        self.sound = sound if sound is not None and sound.codec_context is not None else None
        self.copy = AudioCopy(self.sound, self.limits.max_audio_bytes) if self.sound is not None else None
        self.captions = [s for s in self.container.streams.subtitles if s.codec_context is not None]

    def read(self, beat: Callable[[], None] | None = None) -> None:
        """Read to the end; `beat` is called at every packet.

        Raises VideoRefusedError.
        """
        streams = [self.stream, *([self.sound] if self.sound is not None else []), *self.captions]
        handlers: dict[int, Callable[[Any], None]] = {one.index: self._caption for one in self.captions}
        if self.copy is not None and self.sound is not None:
            handlers[self.sound.index] = self.copy.add
        for packet in packets(self.container, streams):
            if beat is not None:
                beat()
            if packet.stream.index == self.stream.index:
                for moment in self.decoder.decode(packet):
                    try:
                        self._frame(moment)
                    except (FFmpegError, ValueError):  # colours or sizes that no conversion takes
                        self.decoder.damaged_count += 1
            else:
                handlers[packet.stream.index](packet)

    def _frame(self, moment: Moment) -> None:
        self.meter.add(moment)
        if self.meter.frame_count == 1:
            self.turn_degrees = turn_of(moment.frame)
            self.start_us = moment.time_us
        is_due = self._is_due(moment.time_us)
        is_key = bool(moment.frame.key_frame)
        if not is_due and not (self.settings.keyframes and is_key):
            return
        if len(self.kept) >= self.limits.max_frames_out:
            self.left_out += 1
            return
        self.kept.append(self._keep(moment, is_key))

    def _is_due(self, time_us: int) -> bool:
        """Say whether this is the first frame at or after the next multiple of 1 / frame_fps."""
        if not self.rate:
            return False
        passed = (time_us - self.start_us) * self.rate.numerator // (US * self.rate.denominator)
        if passed < self.next_frame:
            return False
        self.next_frame = passed + 1
        return True

    def _keep(self, moment: Moment, is_key: bool) -> Kept:
        frame = moment.frame
        shown = shown_size(frame.width, frame.height, self.stream.sample_aspect_ratio)
        pixels = picture(self.scaler, frame, fitted(*shown, self.settings.frame_max_side_px), self.turn_degrees)
        grey = luma(pixels)
        payload = encode_jpeg(pixels, self.settings.frame_quality)
        values = {
            "media_type": "image/jpeg",
            "digest": hashlib.sha256(payload).digest(),
            "width_px": pixels.shape[1],
            "height_px": pixels.shape[0],
            "is_keyframe": is_key,
            "phash": None if is_flat(grey) else phash64(grey),
        }
        if self.settings.nsfw:
            values["nsfw_score"] = nsfw_score(pixels)
        return Kept(self.meter.frame_count - 1, moment.time_us, is_key, values, payload)

    def _caption(self, packet: Any) -> None:
        if packet.pts is None or not packet.duration or packet.size == 0:
            return
        try:
            found = packet.decode()
        except (UnicodeDecodeError, ValueError, OSError):  # av's errors are OSError or ValueError
            return
        said = [plain_text(text) for one in found if (text := _caption_text(one))]
        start_us = microseconds(packet.pts, packet.time_base) - self.origin_us
        end_us = start_us + microseconds(packet.duration, packet.time_base)
        for text in filter(None, said):
            if len(self.cues) >= self.limits.max_cues:
                self.cues_left_out += 1
            else:
                self.cues.append((Cue(start_us, end_us, text), packet.stream.language))


def packets(container: Any, streams: list[Any]) -> Iterator[Any]:
    """Yield the packets of the streams; a container that breaks in the middle ends there, as `child` finds out.

    MPEG streams may begin in the middle: PyAV then fails with an IndexError, and goes on when it is asked again.
    """
    found = container.demux(*streams)
    while True:
        try:
            yield next(found)
        except IndexError:
            found = container.demux(*streams)
        except (StopIteration, FFmpegError, ValueError):
            return


def _caption_text(one: Any) -> str:
    """Return the words of a decoded caption; bitmaps (DVD, DVB) have none."""
    raw = getattr(one, "dialogue", b"") or getattr(one, "text", b"")
    text: str = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw)
    return text.replace("\\N", "\n").replace("\\n", "\n").replace("\\h", " ")
