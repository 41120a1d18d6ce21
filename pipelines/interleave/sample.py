"""A sample: one document as a trainer reads it, its parts in reading order (or, of a film, by time).

`json` holds where the document came from and its parts: `{"kind": "text", "text"}` with the offsets of its range,
`{"kind": "image", "member", "sha256", "width_px", ...}`, and `{"kind": "image", "dropped": reason}` where the image
went and the text stayed. Texts joined are the document's text. `member` is the full name of the file in the tar that
holds the bytes; of an image that stands twice, twice the same. A film or sound that a page shows is a part for each
clip or segment of it, with `start_s` and `end_s`: sounds stand in the sample, films in the shards of the video job.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from pipelines.interleave.judge import KEPT
from pipelines.interleave.records import TEXT_KINDS

Row = Mapping[str, Any]
DOCUMENT_FIELDS = (
    "uri",
    "source",
    "fetched_at",
    "digest",
    "media_type",
    "language",
    "language_score",
    "license",
    "policy",
    "title",
)
_OF_MEDIA = ("sha256", "digest", "media_type", "width_px", "height_px")
INLINE = frozenset({"jpg", "png", "webp", "flac"})  # extensions of what stands in a sample: images and sounds
MAX_INLINE_BYTES = 256 << 20  # of a document's media; one that has more names them by digest


def field_name(number: int, extension: str) -> str:
    """Return the field of a sample's image: "0000.jpg"."""
    return f"{number:04d}.{extension}"


def numbered_media(media: Sequence[Row]) -> dict[bytes, str]:
    """Return media id -> field of the sample, of the kept images and sounds, in the order in which they first stand.

    None where they are more than MAX_INLINE_BYTES.
    """
    fields: dict[bytes, str] = {}
    size = 0
    for part in media:
        if part["verdict"] == KEPT and part["extension"] in INLINE and part["media"] not in fields:
            fields[part["media"]] = field_name(len(fields), part["extension"])
            size += part["bytes"]
    return fields if size <= MAX_INLINE_BYTES else {}


def sample_json(document: Row, media: Mapping[int, Sequence[Row]], fields: Mapping[bytes, str]) -> bytes:
    """Return the sample's `json`.

    media: judged rows by the position of their part, a film's by time; fields: of the files that the sample holds.
    """
    key = document["id"].hex()
    parts: list[dict[str, Any]] = []
    for position, part in enumerate(document["parts"]):
        if part["kind"] in TEXT_KINDS:
            parts.append(_text(part, document["text"]))
        else:
            parts += [_media(part, judged, key, fields) for judged in media[position]]
    body = {"id": key, **{name: plain(document[name]) for name in DOCUMENT_FIELDS}, "parts": parts}
    return json.dumps(body, ensure_ascii=False, sort_keys=True).encode("utf-8", "replace")


def _text(part: Row, text: str) -> dict[str, Any]:
    return {**_place(part), "text": text[part["start"] : part["end"]]}


def _media(part: Row, judged: Row, key: str, fields: Mapping[bytes, str]) -> dict[str, Any]:
    span = {name: judged[name] for name in ("start_s", "end_s") if judged.get(name) is not None}
    body = {**_place(part), **span, "uri": judged["uri"], "alt": judged["alt"]}
    if judged["verdict"] != KEPT:
        return {**body, judged["verdict"]: judged["reason"], "reasons": judged["reasons"] or []}
    body["id"] = judged["media"].hex()
    if judged["extension"] is None:
        return body  # a clip without a film of its own
    body |= {name: plain(judged[name]) for name in _OF_MEDIA if judged[name] is not None}
    if judged["media"] in fields:
        return {**body, "member": f"{key}.{fields[judged['media']]}"}
    stored = f"{judged['media'].hex()}.{judged['extension']}"
    return {**body, "member": stored, **{name: judged[name] for name in ("shard", "offset", "bytes")}}


def _place(part: Row) -> dict[str, Any]:
    """Return kind and place of a part: code points of the text, and seconds where it is on a time line."""
    seconds = {name: part[name] for name in ("start_s", "end_s") if part.get(name) is not None}
    return {"kind": part["kind"], "start": part["start"], "end": part["end"], **seconds}


def plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    return value.isoformat() if isinstance(value, datetime) else value
