"""Parquet rows with media in them, as Hugging Face datasets and img2dataset write them: bytes, and a caption.

A column called image, audio or video holds bytes, or `{bytes, path}` whose path names their type. A row is one record,
and a second one where there is a caption: a text of the same name, as if it stood beside a file.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa

from manifests.limits import Limits
from manifests.reasons import Quarantine
from pipelines.sources.files import media_type_of
from pipelines.sources.rows import record_uri
from pipelines.sources.units import Broken, Columns, Event, Found

MEDIA = ("audio", "image", "video")
CAPTIONS = ("caption", "text", "transcription", "sentence")  # the first that is there
TEXT_TYPE = "text/plain"


def media_column(schema: pa.Schema, media_types: frozenset[str]) -> str | None:
    """Return the column that holds media of the types that a job reads, None where there is none."""
    kinds = {media_type.partition("/")[0] for media_type in media_types}
    return next((name for name in MEDIA if name in kinds and name in schema.names and _holds_bytes(schema, name)), None)


def _holds_bytes(schema: pa.Schema, name: str) -> bool:
    kind = schema.field(name).type
    if pa.types.is_struct(kind):
        kind = next((field.type for field in kind if field.name == "bytes"), pa.null())
    return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))


def wanted_columns(schema: pa.Schema, column: str, columns: Columns) -> list[str]:
    """Return what is read of such a file."""
    caption = [name for name in CAPTIONS if name in schema.names][:1]
    return [column, *(name for name in (columns.url, columns.id) if name in schema.names), *caption]


def media_events(
    row: Mapping[str, Any], column: str, place: str, columns: Columns, limits: Limits, media_types: frozenset[str]
) -> Iterator[Event]:
    """Yield the events of a row that stands at `place` ("input-name:path#row")."""
    given = row[column]
    payload, path = (given.get("bytes"), given.get("path")) if isinstance(given, Mapping) else (given, None)
    uri = record_uri(dict(row), place, columns)
    if not payload:
        yield Broken(Quarantine.EMPTY_PAYLOAD, f"no bytes in {column!r}", -1, place)
        return
    if len(payload) > limits.max_record_bytes:
        most, observed = limits.max_record_bytes, len(payload)
        detail = "beyond max_record_bytes"
        yield Broken(Quarantine.RECORD_TOO_LARGE, detail, -1, place, observed, 0, "max_record_bytes", most, observed)
        return
    stated = media_type_of(path) if isinstance(path, str) else None
    yield Found(uri, payload, -1, stated if stated in media_types else None)
    caption = next((row[name] for name in CAPTIONS if isinstance(row.get(name), str)), "").strip()
    if caption and TEXT_TYPE in media_types:
        yield Found(uri, caption.encode("utf-8", "replace"), -1, TEXT_TYPE, "utf-8")
