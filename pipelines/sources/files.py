"""Folders of pages and texts: one file is one record, and a unit is a list of files worth its overhead."""

from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from manifests.limits import Limits
from manifests.reasons import Quarantine, Skipped
from manifests.store import Store
from pipelines.sources.units import BOOK_TYPES, Broken, Event, Found, Unit, shown

MEDIA_TYPE_OF = {
    ".html": "text/html",
    ".htm": "text/html",
    ".xhtml": "application/xhtml+xml",
    ".xht": "application/xhtml+xml",
    ".txt": "text/plain",
    ".text": "text/plain",
    ".md": "text/markdown",
    ".markdown": "text/markdown",
    ".epub": "application/epub+zip",
    ".pdf": "application/pdf",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
    ".gif": "image/gif",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
    ".bmp": "image/bmp",
    ".avif": "image/avif",
    ".flac": "audio/flac",
    ".wav": "audio/wav",
    ".mp3": "audio/mpeg",
    ".ogg": "audio/ogg",
    ".oga": "audio/ogg",
    ".opus": "audio/opus",
    ".m4a": "audio/mp4",
    ".aac": "audio/aac",
    ".aif": "audio/aiff",
    ".aiff": "audio/aiff",
    ".au": "audio/basic",
    ".caf": "audio/x-caf",
    ".amr": "audio/amr",
    ".gsm": "audio/gsm",
    ".g722": "audio/g722",
    ".srt": "application/x-subrip",
    ".vtt": "text/vtt",
    ".mp4": "video/mp4",
    ".m4v": "video/mp4",
    ".mov": "video/quicktime",
    ".mkv": "video/x-matroska",
    ".webm": "video/webm",
    ".avi": "video/x-msvideo",
    ".mpg": "video/mpeg",
    ".mpeg": "video/mpeg",
    ".m2ts": "video/mp2t",
    ".mts": "video/mp2t",
    ".ogv": "video/ogg",
    ".flv": "video/x-flv",
    ".wmv": "video/x-ms-wmv",
    ".asf": "video/x-ms-asf",
    ".3gp": "video/3gpp",
    ".json": "application/json",  # what stands beside an image of the same name
}


def media_type_of(name: str) -> str | None:
    """Return the media type that a file name's last suffix states, None for other files."""
    return MEDIA_TYPE_OF.get(PurePosixPath(name).suffix.lower())


def pack_files(files: Iterable[tuple[str, int]], unit_bytes: int, unit_files: int) -> Iterator[tuple[list[str], int]]:
    """Yield (names, bytes) of lists with at most `unit_files` files and `unit_bytes`, in the order given.

    A file larger than `unit_bytes` is a list of its own.
    """
    names: list[str] = []
    total = 0
    for name, size in files:
        if names and (len(names) == unit_files or total + size > unit_bytes):
            yield names, total
            names, total = [], 0
        names.append(name)
        total += size
    if names:
        yield names, total


def file_events(
    store: Store, unit: Unit, limits: Limits, media_types: frozenset[str], cursor: int = 0
) -> Iterator[Event]:
    """Yield one event for each member from number `cursor` on."""
    for name in unit.members[cursor:]:
        yield _event(store, unit.source, name, limits, media_types)


def _event(store: Store, source: str, name: str, limits: Limits, media_types: frozenset[str]) -> Event:
    media_type = media_type_of(name)
    if media_type not in media_types:
        return Skipped.FILE_TYPE
    limit = "max_book_bytes" if media_type in BOOK_TYPES else "max_record_bytes"
    size, largest = store.size(name) or 0, getattr(limits, limit)
    uri = f"{source}:{shown(name)}"
    if shown(name) != name:
        return Broken(Quarantine.MALFORMED_RECORD, "the file's name is not UTF-8", 0, uri, size)
    if size > largest:
        detail = "the file goes beyond the limit"
        return Broken(Quarantine.RECORD_TOO_LARGE, detail, 0, uri, size, 0, limit, largest, size)
    return Found(uri, store.read(name), 0, media_type)
