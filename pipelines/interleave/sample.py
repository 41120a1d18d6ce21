"""A sample: one document as a trainer reads it, its parts in reading order (or, of a film, by time).

`json` holds where the document came from and its parts: `{"kind": "text", "text"}` with the offsets of its range,
`{"kind": "image", "member", "sha256", "width_px", ...}`, and `{"kind": "image", "dropped": reason}` where the image
went and the text stayed. Texts joined are the document's text. `member` is the full name of the file in the tar that
holds the bytes; of an image that stands twice, twice the same.
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
_OF_IMAGE = ("sha256", "digest", "media_type", "width_px", "height_px")


def field_name(number: int, extension: str) -> str:
    """Return the field of a sample's image: "0000.jpg"."""
    return f"{number:04d}.{extension}"


def numbered_images(media: Sequence[Row]) -> dict[bytes, str]:
    """Return media id -> field of the sample, of the kept parts, in the order in which images first stand."""
    fields: dict[bytes, str] = {}
    for part in media:
        if part["verdict"] == KEPT and part["media"] not in fields:
            fields[part["media"]] = field_name(len(fields), part["extension"])
    return fields


def sample_json(document: Row, media: Mapping[int, Row], fields: Mapping[bytes, str]) -> bytes:
    """Return the sample's `json`. media: judged parts by position; fields: of the images that the sample holds."""
    key = document["id"].hex()
    body = {
        "id": key,
        **{name: plain(document[name]) for name in DOCUMENT_FIELDS},
        "parts": [
            _text(part, document["text"]) if part["kind"] in TEXT_KINDS else _media(part, media[position], key, fields)
            for position, part in enumerate(document["parts"])
        ],
    }
    return json.dumps(body, ensure_ascii=False, sort_keys=True).encode("utf-8", "replace")


def _text(part: Row, text: str) -> dict[str, Any]:
    return {**_place(part), "text": text[part["start"] : part["end"]]}


def _media(part: Row, judged: Row, key: str, fields: Mapping[bytes, str]) -> dict[str, Any]:
    body = {**_place(part), "uri": judged["uri"], "alt": judged["alt"]}
    if judged["verdict"] != KEPT:
        return {**body, judged["verdict"]: judged["reason"], "reasons": judged["reasons"] or []}
    body |= {name: plain(judged[name]) for name in _OF_IMAGE}
    body["id"] = judged["media"].hex()
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
