"""A film as a document: its frames, sounds and words on one time line, in seconds of the film.

Each clip is a part of kind `video` where it starts, named by its place in the video snapshot's shards; of a clip that
the video job dropped or merged, that part says why, and nothing of what was in it is told. Between clips of a film may
be time that belongs to none: shots that were too short.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa

from filters.rules import Rule
from pipelines.interleave.film_records import IMAGE_OF, KIND_OF
from pipelines.interleave.judge import KEPT, NSFW, verdicts
from pipelines.interleave.sample import field_name, plain

Row = Mapping[str, Any]
ORDER = ("video", "audio", "text", "image")  # of parts that start together: what is heard and said before the picture
FIELDS = ("uri", "source", "fetched_at", "digest", "media_type", "policy", "duration_s")
MAX_INLINE_BYTES = 256 << 20  # of a film's frames and sounds; a longer film names them by digest
MEDIA_TYPES = {"mp4": "video/mp4", "mkv": "video/x-matroska"}
WEB_FORMATS = frozenset({"image/jpeg", "image/png", "image/webp"})
FRAME_SIGNALS = pa.schema(
    [
        ("is_web_format", pa.int8()),
        ("short_side_px", pa.int32()),
        ("long_side_px", pa.int32()),
        ("earlier_in_document_count", pa.int32()),  # frames of the film before it with the same bytes
    ]
)


def parts_of(clips: Sequence[Row]) -> list[dict[str, Any]]:
    """Return the parts of a film's clips by time: start, then ORDER, then end."""
    found = [part for clip in clips for part in _of_clip(clip)]
    return sorted(found, key=lambda part: (part["start_s"], ORDER.index(part["kind"]), part["end_s"]))


def _of_clip(clip: Row) -> Iterator[dict[str, Any]]:
    files = {each["member"]: each for each in clip["files"]}
    own = {"media": clip["id"], "shard": clip["shard"], NSFW: clip["max_nsfw_score"]}
    whole = {"kind": "video", **{name: clip[name] for name in ("start_s", "end_s", "uri", "verdict", "reason")}}
    named = clip["file_member"] if clip["verdict"] == KEPT else None
    yield {**own, **whole, **({**_file(files[named]), "media_type": MEDIA_TYPES[named]} if named else {})}
    for part in clip["parts"]:
        known = {name: part[name] for name in ("start_s", "end_s", "text", "language", "origin", "media_type")}
        seen = {name: part[name] for name in ("width_px", "height_px", "is_keyframe", "phash")}
        place = _file(files[part["member"]]) if part["member"] else {}
        if place and place["sha256"] != part["digest"]:
            raise RuntimeError(f"clip {clip['id'].hex()}: {part['member']} is not what its record says")
        yield {**own, **known, **seen, **place, "kind": KIND_OF[part["kind"]], "verdict": KEPT}


def _file(file: Row) -> dict[str, Any]:
    extension = file["member"].rpartition(".")[2]
    return {**{name: file[name] for name in ("offset", "bytes", "sha256")}, "stored": file["member"]} | {
        "extension": extension
    }


def judge_frames(rules: Sequence[Rule], documents: Sequence[list[dict[str, Any]]], language: Sequence[str]) -> None:
    """Give the frames of documents the verdicts of the rules. language: of each document."""
    frames, rows, languages = [], [], []
    for parts, spoken in zip(documents, language, strict=True):
        seen: dict[bytes, int] = {}
        for part in parts:
            if part["kind"] == "image":
                frames.append(part)
                rows.append(_measured(part, seen))
                languages.append(spoken)
    if not frames:
        return
    schema = FRAME_SIGNALS.append(pa.field(NSFW, pa.float64()))
    batch = pa.RecordBatch.from_pylist(rows, schema)
    judged = verdicts(rules, batch, pa.array(languages, pa.string()))
    columns = zip(*(column.to_pylist() for column in judged.values()), strict=True)
    for part, values in zip(frames, columns, strict=True):
        part.update(zip(judged, values, strict=True))


def _measured(part: Row, seen: dict[bytes, int]) -> dict[str, Any]:
    sides = sorted((part["width_px"], part["height_px"]))
    earlier = seen.get(part["sha256"], 0)
    seen[part["sha256"]] = earlier + 1
    values = (int(part["media_type"] in WEB_FORMATS), *sides, earlier)
    score = part[NSFW] if part[NSFW] is not None else float("nan")
    return dict(zip(FRAME_SIGNALS.names, values, strict=True)) | {NSFW: score}


def held(parts: Sequence[Row]) -> list[Row]:
    """Return the parts whose bytes a document may hold: kept frames and sounds."""
    return [part for part in parts if part["verdict"] == KEPT and part.get("extension") in IMAGE_OF]


def numbered(parts: Sequence[Row]) -> dict[bytes, str]:
    """Return sha256 -> field of the sample, by time; none where they are more than MAX_INLINE_BYTES."""
    fields: dict[bytes, str] = {}
    size = 0
    for part in held(parts):
        if part["sha256"] not in fields:
            fields[part["sha256"]] = field_name(len(fields), part["extension"])
            size += part["bytes"]
    return fields if size <= MAX_INLINE_BYTES else {}


def language_of(clips: Sequence[Row]) -> str | None:
    """Return the language in which most is said in the clips that stay, None where nothing is."""
    said: dict[str, int] = {}
    for clip in clips:
        if clip["verdict"] == KEPT and clip["said_chars"] and clip["transcript_language"]:
            language = clip["transcript_language"]
            said[language] = said.get(language, 0) + clip["said_chars"]
    return min(said, key=lambda language: (-said[language], language)) if said else None


def film_json(film: Row, clips: Sequence[Row], parts: Sequence[Row], fields: Mapping[bytes, str]) -> bytes:
    """Return the sample's `json`. parts: judged, by time; fields: of the files that the sample holds."""
    key = film["id"].hex()
    captions = [clip["caption"] for clip in clips if clip["verdict"] == KEPT and clip["caption"]]
    body = {
        "id": key,
        **{name: plain(film[name]) for name in FIELDS},
        "language": language_of(clips),
        "caption": captions[0] if captions else None,
        "parts": [_told(part, key, fields) for part in parts],
    }
    return json.dumps(body, ensure_ascii=False, sort_keys=True, allow_nan=False).encode("utf-8", "replace")


def _told(part: Row, key: str, fields: Mapping[bytes, str]) -> dict[str, Any]:
    body = {name: part[name] for name in ("kind", "start_s", "end_s")}
    if part["kind"] == "text":
        return body | {name: part[name] for name in ("text", "language", "origin")}
    body |= {"id": part["media"].hex()} | ({"uri": part["uri"]} if part["kind"] == "video" else {})
    if part["verdict"] != KEPT:
        return body | {part["verdict"]: part["reason"], "reasons": part.get("reasons") or []}
    if part["kind"] == "image":
        body |= {name: part[name] for name in ("width_px", "height_px", "is_keyframe")}
    if part.get("stored") is None:
        return body  # a clip without a film of its own
    body |= {"media_type": part["media_type"], "sha256": part["sha256"].hex(), "member": member_of(part, key, fields)}
    if part["sha256"] in fields:
        return body
    return body | {name: part[name] for name in ("shard", "offset", "bytes")}


def member_of(part: Row, key: str, fields: Mapping[bytes, str]) -> str:
    """Return the full name of the tar's file that holds a part: of the document's own tar, or of the clip's."""
    inline = fields.get(part["sha256"])
    return f"{key}.{inline}" if inline else f"{part['media'].hex()}.{part['stored']}"
