"""The guarded child of the video job: one video in; its time line, clips, pictures and sound out.

`factory` is the entry ("filters.video.child:factory"), `read_video` its pure twin. A pool of these children wants
`filters.video.limits.guard_limits`: a film decodes for minutes.
"""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import pyarrow as pa

from filters.guard_child import WHOLE_BATCH, Outputs, Progress, Worker
from filters.images.phash import luma, phash64
from filters.video.audio_track import MEDIA_TYPE
from filters.video.clips import US, Clip, Cut, clip_at, clip_of, clips_of
from filters.video.frames import Meter, Moment, Track
from filters.video.limits import VideoFailed, VideoLimits, VideoRefusedError
from filters.video.probe import Probe, open_video, probe, video_stream
from filters.video.reader import Kept, Reader, VideoSettings
from filters.video.shots import content_scores, cuts
from filters.video.signals import SIGNALS, signals_of
from filters.video.subtitles import Subtitles, read_subtitles, transcript
from filters.video.timeline import RECORDS, Part, records_of, timeline

BATCH = pa.schema(
    [
        ("uri", pa.string()),
        ("media_type", pa.string()),  # declared; not believed
        ("payload", pa.large_binary()),
        ("subtitles", pa.large_binary()),  # a sidecar file (SRT, VTT), or null; the column may be missing
    ]
)
PAYLOADS = pa.schema([("row", pa.int32()), ("part", pa.int32()), ("bytes", pa.large_binary())])
FAILED = pa.schema(
    [
        ("row", pa.int32()),
        ("reason", pa.string()),  # VideoFailed
        ("detail", pa.string()),
        ("limit", pa.string()),  # a field of VideoLimits, or null
        ("observed", pa.int64()),
    ]
)
_PROBE = [
    ("container", pa.string()),
    ("codec", pa.string()),
    ("width_px", pa.int32()),
    ("height_px", pa.int32()),
    ("coded_width_px", pa.int32()),
    ("coded_height_px", pa.int32()),
    ("rotation_degrees", pa.int32()),
    ("declared_duration_s", pa.float64()),
    ("declared_fps", pa.float64()),
    ("stream_count", pa.int32()),
    ("audio_codec", pa.string()),
    ("audio_sample_rate_hz", pa.int32()),
    ("audio_channel_count", pa.int32()),
    ("subtitle_stream_count", pa.int32()),
]
VIDEOS = pa.schema(
    [
        ("row", pa.int32()),
        *_PROBE,
        *SIGNALS,
        ("shot_count", pa.int64()),
        ("clip_count", pa.int64()),
        ("short_shot_count", pa.int64()),  # shots and pieces too short for a clip
        ("short_shot_s", pa.float64()),
        ("damaged_packet_count", pa.int64()),
        ("frames_left_out", pa.int64()),  # beyond max_frames_out
        ("cues_skipped", pa.int64()),
        ("cues_left_out", pa.int64()),
        ("audio_failed", pa.string()),  # why the sound could not be copied, or null
        ("text", pa.string()),  # all that is said, a cue a line, or null
        ("key_hashes", pa.list_(pa.uint64())),
    ]
)
CLIPS = pa.schema(
    [
        ("row", pa.int32()),
        ("clip", pa.int32()),  # 0-based, of this video
        ("shot", pa.int32()),
        ("start_s", pa.float64()),
        ("end_s", pa.float64()),
        *SIGNALS,
        ("hashes", pa.list_(pa.uint64())),  # of its frames, by time; null for a flat one
    ]
)


@dataclass
class Video:
    """What one video came to."""

    summary: dict[str, Any]  # a row of VIDEOS
    clips: list[dict[str, Any]]  # rows of CLIPS
    parts: list[Part]  # the time line


@dataclass
class Watched:
    """A video that was read to its end; `reader` holds what was kept of it while its container is open."""

    reader: Reader
    told: Probe
    track: Track
    shot_count: int
    cut: Cut


@contextmanager
def watched(
    data: Any, settings: VideoSettings, limits: VideoLimits, beat: Callable[[], None] | None = None
) -> Iterator[Watched]:
    """Open a video, read it, cut it into clips. `beat` is called at every packet: a sign of life.

    Raises VideoRefusedError.
    """
    with open_video(data, limits) as container:
        stream = video_stream(container, limits)
        told = probe(container, stream)
        reader = Reader(container, stream, settings, limits)
        reader.read(beat)
        _check_end(reader, told, limits)
        track = reader.meter.track()
        found = cuts(content_scores(track.sums, track.sample_count), settings.cut_threshold, settings.min_shot_frames)
        cut = clips_of(found, track.times_us, track.end_us, settings.min_clip_s, settings.max_clip_s)
        yield Watched(reader, told, track, len(found) + 1, cut)


def read_video(
    data: Any,
    sidecar: bytes | None = None,
    settings: VideoSettings | None = None,
    limits: VideoLimits | None = None,
    beat: Callable[[], None] | None = None,
) -> Video:
    """Return what a video comes to.

    data: the file, any buffer of bytes. sidecar: an SRT or VTT file that belongs to it.

    Raises VideoRefusedError.
    """
    settings, limits = settings or VideoSettings(), limits or VideoLimits()
    with watched(data, settings, limits, beat) as seen:
        return _video(seen, read_sidecar(sidecar, limits))


def read_sidecar(payload: bytes | None, limits: VideoLimits) -> Subtitles:
    """Return the cues of a sidecar within the limits; one that is too large has none, and counts as left out."""
    if payload is None or len(payload) > limits.max_subtitle_bytes:
        return Subtitles([], 0, int(payload is not None))
    return read_subtitles(payload, limits.max_cues)


def _check_end(reader: Reader, told: Probe, limits: VideoLimits) -> None:
    """Refuse a video of which too much did not decode, or that ends too early."""
    decoder = reader.decoder
    if not reader.meter.frame_count:
        reason = VideoFailed.DAMAGED_STREAM if decoder.damaged_count else VideoFailed.NO_FRAMES
        raise VideoRefusedError(reason, "no frame decodes", observed=decoder.damaged_count)
    if decoder.damaged_count > limits.max_video_damaged_fraction * decoder.packet_count:
        raise VideoRefusedError(
            VideoFailed.DAMAGED_STREAM, limit="max_video_damaged_fraction", observed=decoder.damaged_count
        )
    missing_s = _missing_us(reader, told) / US
    if missing_s > max(limits.max_video_missing_s, limits.max_video_missing_fraction * told.declared_duration_s):
        raise VideoRefusedError(VideoFailed.TRUNCATED, limit="max_video_missing_s", observed=round(missing_s))


def _missing_us(reader: Reader, told: Probe) -> int:
    """Return how much of the declared duration is not there.

    A container that gives one duration for all its streams means the longest; where the sound isn't read, nobody
    can tell.
    """
    track = reader.meter.track()
    start_us, end_us = int(track.times_us[0]), track.end_us
    if not reader.stream.duration and told.audio_codec is not None:
        if reader.copy is None or reader.copy.failed:
            return 0
        start_us, end_us = min(start_us, 0), max(end_us, reader.copy.span_us()[1] - reader.origin_us)
    return round(told.declared_duration_s * US) - (end_us - start_us)


def _video(seen: Watched, sidecar: Subtitles) -> Video:
    reader, track, clips = seen.reader, seen.track, seen.cut.clips
    parts = [*frame_parts(reader, track, clips), *cue_parts(reader, sidecar, clips), *_sound(reader)]
    cues = [cue for cue, _ in reader.cues] or sidecar.cues
    told = summary(seen) | {
        "cues_skipped": sidecar.skipped,
        "cues_left_out": sidecar.left_out + reader.cues_left_out,
        "audio_failed": reader.copy.failed if reader.copy is not None else None,
        "text": transcript(cues) or None,
    }
    return Video(told, [clip_row(n, clip, track, reader.kept) for n, clip in enumerate(clips)], timeline(parts))


def summary(seen: Watched) -> dict[str, Any]:
    """Return what is told of a whole video: the columns of VIDEOS but those of its words and sound."""
    reader, track, cut = seen.reader, seen.track, seen.cut
    width, height = seen.told.width_px, seen.told.height_px
    if reader.turn_degrees % 180:
        width, height = height, width
    return {
        **asdict(seen.told),
        "width_px": width,
        "height_px": height,
        "rotation_degrees": reader.turn_degrees,
        **signals_of(track, 0, len(track.times_us)),
        "shot_count": seen.shot_count,
        "clip_count": len(cut.clips),
        "short_shot_count": cut.short_count,
        "short_shot_s": cut.short_us / US,
        "damaged_packet_count": reader.decoder.damaged_count,
        "frames_left_out": reader.left_out,
        "key_hashes": [kept.values["phash"] for kept in reader.kept],
    }


def clip_row(index: int, clip: Clip, track: Track, kept: list[Kept]) -> dict[str, Any]:
    """Return a row of CLIPS, without the row of its video."""
    return {
        "clip": index,
        "shot": clip.shot,
        "start_s": clip.start_us / US,
        "end_s": clip.end_us / US,
        **signals_of(track, clip.first, clip.last),
        "hashes": [one.values["phash"] for one in kept if clip.first <= one.index < clip.last],
    }


def frame_parts(reader: Reader, track: Track, clips: list[Clip]) -> list[Part]:
    """Return the kept frames, each shown until the next one is, the last until the video ends."""
    ends = [*(one.time_us for one in reader.kept[1:]), track.end_us][: len(reader.kept)]
    return [
        Part("frame", one.time_us, end, one.values | {"clip": clip_at(clips, one.index)}, one.payload)
        for one, end in zip(reader.kept, ends, strict=True)
    ]


def cue_parts(reader: Reader, sidecar: Subtitles, clips: list[Clip]) -> list[Part]:
    """Return the text parts: embedded cues and the sidecar's, each within the clip in which it starts."""
    said = [(cue, language, "embedded") for cue, language in reader.cues]
    said += [(cue, None, "sidecar") for cue in sidecar.cues]
    return [
        Part(
            "text",
            cue.start_us,
            cue.end_us,
            {
                "text": cue.text,
                "declared_language": language,
                "origin": origin,
                "clip": clip_of(clips, cue.start_us),
            },
        )
        for cue, language, origin in said
    ]


def _sound(reader: Reader) -> list[Part]:
    payload = reader.copy.finish() if reader.copy is not None else None
    if payload is None or reader.copy is None or reader.sound is None:
        return []
    values = {
        "media_type": MEDIA_TYPE,
        "digest": hashlib.sha256(payload).digest(),
        "declared_language": reader.sound.language,
    }
    start_us, end_us = reader.copy.span_us()
    return [Part("audio", start_us - reader.origin_us, end_us - reader.origin_us, values, payload)]


def factory(config: Mapping[str, Any]) -> Worker:
    """Return the worker: BATCH in; "records" (RECORDS), "payloads", "videos", "clips" and "failed" out.

    config: {"settings": fields of VideoSettings, "limits": fields of VideoLimits}; each may be missing. A row of the
    batch stands once in "videos" or once in "failed".
    """
    settings, limits = VideoSettings(**config.get("settings", {})), VideoLimits(**config.get("limits", {}))
    _warm()

    def work(batch: pa.RecordBatch, progress: Progress) -> Outputs:
        payloads = batch.column("payload")
        sidecars = batch.column("subtitles") if "subtitles" in batch.schema.names else None
        found: dict[str, list[dict[str, Any]]] = {name: [] for name in _OUTPUTS}
        for row in range(batch.num_rows):
            progress(row)
            sidecar = sidecars[row].as_py() if sidecars is not None else None
            buffer = payloads[row].as_buffer() if payloads[row].is_valid else pa.py_buffer(b"")
            try:
                video = read_video(buffer, sidecar, settings, limits, partial(progress, row))
            except VideoRefusedError as why:
                found["failed"].append(failed_row(row, why))
                continue
            _add(found, row, video)
        progress(WHOLE_BATCH)
        return {name: pa.RecordBatch.from_pylist(rows, schema=_OUTPUTS[name]) for name, rows in found.items()}

    return work


_OUTPUTS = {"records": RECORDS, "payloads": PAYLOADS, "videos": VIDEOS, "clips": CLIPS, "failed": FAILED}


def _add(found: dict[str, list[dict[str, Any]]], row: int, video: Video) -> None:
    found["records"] += records_of(row, video.parts)
    found["payloads"] += [
        {"row": row, "part": n, "bytes": part.payload} for n, part in enumerate(video.parts) if part.payload is not None
    ]
    found["videos"].append({"row": row} | video.summary)
    found["clips"] += [{"row": row} | clip for clip in video.clips]


def failed_row(row: int, why: VideoRefusedError) -> dict[str, Any]:
    return {
        "row": row,
        "reason": str(why.reason),
        "detail": why.detail,
        "limit": why.limit,
        "observed": why.observed,
    }


def _warm() -> None:
    """Compile the kernels before any record's clock runs."""
    import av
    import numpy as np

    phash64(luma(np.zeros((64, 64, 3), np.uint8)))
    frame = av.VideoFrame.from_ndarray(np.zeros((96, 64), np.uint8), format="yuv420p")
    meter = Meter()
    for number in range(2):
        meter.add(Moment(frame, number * US, 0))
