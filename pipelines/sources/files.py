"""Folders of pages and texts: one file is one record, and a unit is a list of files worth its overhead."""

from collections.abc import Iterable, Iterator
from pathlib import PurePosixPath

from manifests.limits import Limits
from manifests.reasons import Quarantine, Skipped
from manifests.store import Store
from pipelines.sources.units import Broken, Event, Found, Unit, shown

MEDIA_TYPE_OF = {
    ".html": "text/html",
    ".htm": "text/html",
    ".xhtml": "application/xhtml+xml",
    ".xht": "application/xhtml+xml",
    ".txt": "text/plain",
    ".text": "text/plain",
    ".md": "text/markdown",
    ".markdown": "text/markdown",
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
    ".gif": "image/gif",
    ".tif": "image/tiff",
    ".tiff": "image/tiff",
    ".bmp": "image/bmp",
    ".avif": "image/avif",
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
    size, largest = store.size(name) or 0, limits.max_record_bytes
    uri = f"{source}:{shown(name)}"
    if shown(name) != name:
        return Broken(Quarantine.MALFORMED_RECORD, "the file's name is not UTF-8", 0, uri, size)
    if size > largest:
        detail = "the file goes beyond the limit"
        return Broken(Quarantine.RECORD_TOO_LARGE, detail, 0, uri, size, 0, "max_record_bytes", largest, size)
    return Found(uri, store.read(name), 0, media_type)
