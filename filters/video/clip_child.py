"""The guarded child of the video job: films in; clips with all their parts out.

`factory` is the entry ("filters.video.clip_child:factory"). A clip is a row with its parts on one time line (that of
the film), and the files that they name: frames, the clip's sound, and the clip itself, copied without encoding.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from typing import Any

import pyarrow as pa

from filters.audio.transcribe import Whisper
from filters.guard_child import WHOLE_BATCH, Outputs, Progress, Worker
from filters.images.nsfw import nsfw_score
from filters.video import child, sound
from filters.video.clips import US, Clip, clip_of
from filters.video.limits import VideoLimits, VideoRefusedError
from filters.video.probe import open_video, video_stream
from filters.video.reader import VideoSettings, packets
from filters.video.remux import ClipFile, Packets
from filters.video.sound import HEARD, ClipSound, Listener, Track
from filters.video.subtitles import Cue, transcript
from filters.video.timeline import Part, timeline

PART = pa.struct(
    [
        ("kind", pa.string()),  # frame | audio | text
        ("start_s", pa.float64()),  # on the film's time line
        ("end_s", pa.float64()),
        ("digest", pa.binary(32)),  # sha256 of the file, null for text
        ("text", pa.string()),  # of a cue
        ("language", pa.string()),  # that the film or its file declares, or null
        ("origin", pa.string()),  # of text: embedded | sidecar | transcriber
        ("media_type", pa.string()),
        ("member", pa.string()),  # the file's name in the sample: 0000.jpg, flac
        ("width_px", pa.int32()),
        ("height_px", pa.int32()),
        ("is_keyframe", pa.bool_()),
        ("phash", pa.uint64()),
    ]
)
NSFW = [("max_nsfw_score", pa.float64()), ("mean_nsfw_score", pa.float64())]  # of its frames; null: not scored
FILM = pa.schema(
    [(one.name, one.type) for one in child.VIDEOS if one.name not in {"row", "key_hashes", "text", "cues_skipped"}]
)
CLIPS = pa.schema(
    [
        *((one.name, one.type) for one in child.CLIPS),
        ("container", pa.string()),
        ("codec", pa.string()),
        ("width_px", pa.int32()),
        ("height_px", pa.int32()),
        ("rotation_degrees", pa.int32()),
        *((one.name, one.type) for one in sound.SIGNALS),
        *NSFW,
        ("text", pa.string()),  # the film's own subtitles: what is said in the clip, a cue a line, or null
        ("file_member", pa.string()),  # mp4 | mkv: the clip as a film of its own, or null
        ("file_start_s", pa.float64()),  # ... when its first picture is shown, on the film's time line
        ("file_failed", pa.string()),  # ... or why there is none
        ("parts", pa.list_(PART)),
    ]
)
FILMS = pa.schema([("row", pa.int32()), *((one.name, one.type) for one in FILM)])
MEMBERS = pa.schema(
    [
        ("row", pa.int32()),
        ("clip", pa.int32()),
        ("member", pa.string()),
        ("sha256", pa.binary(32)),
        ("bytes", pa.large_binary()),
    ]
)
OUTPUTS = {"clips": CLIPS, "members": MEMBERS, "films": FILMS, "failed": child.FAILED}
Rows = dict[str, list[dict[str, Any]]]
ORIGIN = {"origin": HEARD}


@dataclass
class Maker:
    """Turns films into clips. `files`: whether clips come as films of their own as well."""

    settings: VideoSettings
    limits: VideoLimits
    files: bool = True
    transcriber: Whisper | None = None
    listener: Listener | None = field(init=False)

    def __post_init__(self) -> None:
        hears = self.transcriber.load() if self.transcriber else None
        self.listener = Listener(hears) if self.settings.audio else None

    def make(self, row: int, data: Any, found: Rows, beat: Callable[[int], None]) -> None:
        """Add what a film comes to; raises VideoRefusedError, and then nothing is added."""
        alive = partial(beat, row)
        with child.watched(data, self.settings, self.limits, alive) as seen, ExitStack() as open_ones:
            reader, clips = seen.reader, seen.cut.clips
            track = self._listen(seen, partial(beat, WHOLE_BATCH))
            alive()
            files = self._packets(open_ones, data, reader.origin_us, alive) if self.files and clips else None
            parts: dict[int | None, list[Part]] = defaultdict(list)
            for part in (*child.frame_parts(reader, seen.track, clips), *_cues(reader.cues, clips)):
                parts[part.values["clip"]].append(part)
            film = child.summary(seen) | {"audio_failed": track if isinstance(track, str) else None}
            found["films"].append({"row": row, **film, "cues_left_out": reader.cues_left_out})
            for n, clip in enumerate(clips):
                alive()
                heard = track.cut(clip, partial(beat, WHOLE_BATCH)) if isinstance(track, Track) else None
                alive()
                row_of, members = _clip(clip, parts[n], heard, files.cut(clip) if files else None)
                base = child.clip_row(n, clip, seen.track, reader.kept)
                of_film = {name: film[name] for name in CLIPS.names if name in film and name not in base}
                found["clips"].append({"row": row, **base, **of_film, **row_of})
                found["members"] += [
                    {"row": row, "clip": n, "member": name, "sha256": sha256(payload).digest(), "bytes": payload}
                    for name, payload in members.items()
                ]

    def _listen(self, seen: child.Watched, on_models: Callable[[], None]) -> Track | str | None:
        """Return the film's sound, why it can't be heard, or None where there is none (or nobody asks)."""
        copy = seen.reader.copy
        if copy is None or self.listener is None:
            return None
        payload = copy.finish()
        if payload is None:
            return copy.failed or "no_audio"
        return self.listener.hear(payload, copy.span_us()[0] - seen.reader.origin_us, on_models)

    def _packets(self, open_ones: ExitStack, data: Any, origin_us: int, beat: Callable[[], None]) -> Packets:
        """Return the film's packets; they live as long as their container, which `open_ones` closes."""
        container = open_ones.enter_context(open_video(data, self.limits))
        picture = video_stream(container, self.limits)
        heard = next(iter(container.streams.audio), None) if self.settings.audio else None
        streams = [picture, *([heard] if heard is not None and heard.codec_context is not None else [])]
        kept = Packets(streams, origin_us)
        for packet in packets(container, streams):
            beat()
            kept.add(packet)
        return kept


def _clip(
    clip: Clip, parts: list[Part], heard: ClipSound | None, file: ClipFile | str | None
) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Return the columns of a clip's parts, and its files by their names."""
    members: dict[str, bytes] = {}
    rows, scores, frames = [], [], 0
    if heard is not None:
        own = {"digest": heard.digest, "media_type": "audio/flac", "member": "flac"}
        parts = [*parts, Part("audio", heard.start_us, heard.end_us, own, heard.payload)]
        parts += [
            Part("text", each["start_us"], each["end_us"], {name: each[name] for name in ("text", "language")} | ORIGIN)
            for each in heard.heard
        ]
    for part in timeline(parts):
        values = {name: value for name, value in part.values.items() if name != "clip"}
        if part.kind == "frame":
            values["member"], frames = f"{frames:04d}.jpg", frames + 1
            scores.append(values.get("nsfw_score"))
        if part.payload is not None:
            members[values["member"]] = part.payload
        end_us = min(part.end_us, clip.end_us) if part.kind == "frame" else part.end_us
        rows.append({"kind": part.kind, "start_s": part.start_us / US, "end_s": end_us / US, **values})
    if isinstance(file, ClipFile):
        members[file.extension] = file.payload
    scored = [one for one in scores if one is not None]
    return {
        **(sound.NO_SOUND if heard is None else heard.signals),
        "max_nsfw_score": max(scored, default=None),
        "mean_nsfw_score": sum(scored) / len(scored) if scored else None,
        "text": said_in(parts),
        "file_member": file.extension if isinstance(file, ClipFile) else None,
        "file_start_s": file.start_us / US if isinstance(file, ClipFile) else None,
        "file_failed": file if isinstance(file, str) else None,
        "parts": rows,
    }, members


def said_in(parts: list[Part]) -> str | None:
    """Return the transcript of a clip's cues, in the language of the first of them; None where nothing is said."""
    cues = [part for part in parts if part.kind == "text" and part.values.get("origin") != HEARD]
    language = cues[0].values.get("language") if cues else None
    same = [part for part in cues if part.values.get("language") == language]
    return transcript([Cue(part.start_us, part.end_us, part.values["text"]) for part in same]) or None


def _cues(found: list[tuple[Cue, str | None]], clips: list[Clip]) -> list[Part]:
    """Return the film's own cues, each with the clip in which it starts."""
    return [
        Part(
            "text",
            cue.start_us,
            cue.end_us,
            {"text": cue.text, "language": language, "origin": "embedded", "clip": clip_of(clips, cue.start_us)},
        )
        for cue, language in found
    ]


def factory(config: Mapping[str, Any]) -> Worker:
    """Return the worker: {uri, media_type, payload} in; OUTPUTS out.

    config: {"settings": fields of VideoSettings, "limits": fields of VideoLimits, "files": bool, "transcriber": fields
    of Whisper or null}; each may be missing.
    A film stands once in "films" or once in "failed".
    """
    recogniser = config.get("transcriber")
    maker = Maker(
        VideoSettings(**config.get("settings", {})),
        VideoLimits(**config.get("limits", {})),
        config.get("files", True),
        Whisper.of(recogniser) if recogniser else None,
    )
    _warm(maker)

    def work(batch: pa.RecordBatch, progress: Progress) -> Outputs:
        found: Rows = {name: [] for name in OUTPUTS}
        for row, payload in enumerate(batch["payload"]):
            progress(row)
            data = payload.as_buffer() if payload.is_valid else pa.py_buffer(b"")
            try:
                maker.make(row, data, found, progress)
            except VideoRefusedError as why:
                found["failed"].append(child.failed_row(row, why))
        progress(WHOLE_BATCH)
        return {name: pa.RecordBatch.from_pylist(rows, schema=OUTPUTS[name]) for name, rows in found.items()}

    return work


def _warm(maker: Maker) -> None:
    """Compile the kernels and load the models before any film's clock runs."""
    import numpy as np

    from filters.audio.flac import encode_flac

    child._warm()
    if maker.settings.nsfw:
        nsfw_score(np.zeros((64, 64, 3), np.uint8))
    if maker.listener is not None:
        tone = encode_flac(0.5 * np.sin(np.arange(64_000, dtype=np.float32)))
        track = maker.listener.hear(tone, 0, lambda: None)
        if isinstance(track, Track):
            track.cut(Clip(0, 1, 0, 0, 3 * US))
