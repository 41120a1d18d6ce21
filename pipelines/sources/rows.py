"""What makes a row of JSONL or Parquet a record: its text and the name it goes by."""

import hashlib
from typing import Any

from manifests.limits import Limits
from manifests.reasons import Quarantine
from pipelines.sources.units import Broken, Columns, Found

TEXT_TYPE, TEXT_CHARSET = "text/plain", "utf-8"


def row_event(row: dict[str, Any], place: str, offset: int, columns: Columns, limits: Limits) -> Found | Broken:
    """Return the record of a row that stands at `place` ("input-name:path#row").

    It goes by its `url`, else by "input-name:path#id", else by its place. Text is str or UTF-8 bytes.
    """
    text = row.get(columns.text)
    if text is None and columns.text in row:
        return Broken(Quarantine.EMPTY_PAYLOAD, f"{columns.text!r} is null", offset, place)
    if not isinstance(text, str | bytes):
        return Broken(Quarantine.MALFORMED_RECORD, f"no text in {columns.text!r}", offset, place)
    try:
        payload = text.encode() if isinstance(text, str) else text
        uri = record_uri(row, place, columns)
        uri_bytes = len(uri.encode())
    except UnicodeEncodeError:
        return Broken(Quarantine.MALFORMED_RECORD, "lone surrogate (half of a UTF-16 pair)", offset, place)
    digest = hashlib.sha256(payload).digest()
    if b"\0" in payload:
        detail = "U+0000 in the text"
        return Broken(Quarantine.MALFORMED_RECORD, detail, offset, place, len(payload), digest=digest)
    for limit, observed in (("max_record_bytes", len(payload)), ("max_uri_bytes", uri_bytes)):
        most = getattr(limits, limit)
        if observed > most:
            reason = Quarantine.RECORD_TOO_LARGE if limit == "max_record_bytes" else Quarantine.MALFORMED_RECORD
            detail = f"beyond {limit}"
            return Broken(reason, detail, offset, place, len(payload), 0, limit, most, observed, digest)
    return Found(uri, payload, offset, TEXT_TYPE, TEXT_CHARSET)


def record_uri(row: dict[str, Any], place: str, columns: Columns) -> str:
    """Return the name that a row goes by."""
    url, number = row.get(columns.url), row.get(columns.id)
    if isinstance(url, str) and url:
        return url
    if isinstance(number, str | int) and not isinstance(number, bool) and number != "":
        return f"{place.partition('#')[0]}#{number}"
    return place
