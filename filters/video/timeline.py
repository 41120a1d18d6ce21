"""One time line of a video: what is seen, heard and said, by when it starts."""

from typing import Any, NamedTuple

import pyarrow as pa

from filters.video.clips import US

KINDS = ("audio", "text", "frame")  # order among parts that start together: sound and words before the picture

RECORDS = pa.schema(
    [
        ("row", pa.int32()),  # of the batch
        ("part", pa.int32()),  # 0-based position on the video's time line
        ("kind", pa.string()),  # audio | text | frame
        ("start_s", pa.float64()),
        ("end_s", pa.float64()),  # of a frame: when the next kept frame starts
        ("text", pa.string()),  # of a cue
        ("declared_language", pa.string()),  # of the stream, ISO 639-2, or null
        ("origin", pa.string()),  # of text: embedded | sidecar
        ("media_type", pa.string()),  # of the bytes in "payloads", or null
        ("digest", pa.binary(32)),  # sha256 of them
        ("width_px", pa.int32()),
        ("height_px", pa.int32()),
        ("is_keyframe", pa.bool_()),
        ("phash", pa.uint64()),  # null: too flat to tell it apart
        ("clip", pa.int32()),  # of this video, or null: in none
    ]
)


class Part(NamedTuple):
    """A part of the time line; `values` are further columns of RECORDS, `payload` its bytes."""

    kind: str
    start_us: int
    end_us: int
    values: dict[str, Any]
    payload: bytes | None = None


def timeline(parts: list[Part]) -> list[Part]:
    """Return the parts ordered by start, then by KINDS, then by end; equal ones keep the order they came in."""
    return sorted(parts, key=lambda part: (part.start_us, KINDS.index(part.kind), part.end_us))


def records_of(row: int, parts: list[Part]) -> list[dict[str, Any]]:
    """Return the rows of RECORDS for a time line."""
    return [
        {"row": row, "part": n, "kind": part.kind, "start_s": part.start_us / US, "end_s": part.end_us / US}
        | part.values
        for n, part in enumerate(parts)
    ]
