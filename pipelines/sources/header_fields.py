"""Header fields as WARC, HTTP and MIME write them: name, colon, value, continuation lines."""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache

Fields = tuple[tuple[str, str], ...]
_HEAD_END = re.compile(rb"\r?\n\r?\n")
_FOLD = re.compile(r"[ \t]*\r?\n[ \t]+")
_CHARSET = re.compile(r"""charset\s*=\s*["']?([^\s"';,]{1,64})""", re.IGNORECASE)
_MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]{0,126}/[a-z0-9][a-z0-9!#$&^_.+-]{0,126}")
_DATE = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(?:Z|\+00:00))?)?)?", re.ASCII
)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def head_end(data: bytes, start: int, max_bytes: int) -> int:
    """Return the position behind the blank line that ends the head at `start`, or -1 within `max_bytes`."""
    found = _HEAD_END.search(data, start, start + max_bytes)
    return found.end() if found else -1


def parse_fields(head: str) -> Fields:
    """Return (name as written, value without surrounding space) of each field after the first line.

    A line that starts with space or tab continues the value before it; a line without a colon is left out.
    """
    if "\n " in head or "\n\t" in head:
        head = _FOLD.sub(" ", head)
    lines = [line.partition(":") for line in head.split("\n")[1:]]
    return tuple([(name.strip(), value.strip()) for name, colon, value in lines if colon])


def first_of_each(fields: Fields) -> dict[str, str]:
    """Return the fields by name in lower case; of a repeated one, the first."""
    return {name.lower(): value for name, value in reversed(fields)}


@lru_cache(maxsize=1024)
def content_type(value: str | None) -> tuple[str | None, str | None]:
    """Return (media type in lower case, charset as declared) of a Content-Type value.

    Null for what is not there.
    """
    if not value:
        return None, None
    media_type = value.partition(";")[0].strip().lower()
    charset = _CHARSET.search(value)
    return (
        media_type if _MEDIA_TYPE.fullmatch(media_type) else None,
        charset.group(1) if charset else None,
    )


@lru_cache(maxsize=1024)
def parse_date(value: str | None) -> int | None:
    """Return a W3C-DTF date in UTC as microseconds since 1970 (WARC 1.1, section 5.4).

    Reduced precision counts from its start, digits beyond microseconds are dropped; None for anything else.
    """
    match = _DATE.fullmatch(value) if value else None
    if match is None:
        return None
    year, month, day, hour, minute, second, fraction = match.groups()
    microsecond = int((fraction or "0").ljust(6, "0")[:6])
    clock = int(hour or 0), int(minute or 0), int(second or 0)
    try:
        instant = datetime(int(year), int(month or 1), int(day or 1), *clock, microsecond, tzinfo=UTC)
    except ValueError:
        return None
    return (instant - _EPOCH) // timedelta(microseconds=1)
