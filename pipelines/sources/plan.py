"""From an input to its units, and from a unit to its chunks."""

import re
from collections.abc import Iterator
from contextlib import closing
from itertools import islice

from manifests.limits import Limits
from manifests.store import Store
from pipelines.sources.chunks import chunks
from pipelines.sources.dump_bytes import can_be_split
from pipelines.sources.dumps import dump_events, sniff
from pipelines.sources.files import file_events, pack_files
from pipelines.sources.jsonl import jsonl_events
from pipelines.sources.parquet import parquet_events, row_group_bytes
from pipelines.sources.tar import tar_events
from pipelines.sources.units import (
    DEFAULT_UNIT_BYTES,
    MAX_UNIT_FILES,
    MEDIA_TYPES,
    Columns,
    Event,
    Kind,
    RawChunk,
    Unit,
    shown,
)
from pipelines.sources.warc import warc_events
from pipelines.sources.withdrawn import withdrawing

SUFFIXES: dict[Kind, tuple[str, ...]] = {
    "warc": (".warc", ".warc.gz", ".wet", ".wet.gz"),
    "jsonl": (".jsonl", ".jsonl.gz", ".jsonl.zst", ".ndjson", ".ndjson.gz", ".ndjson.zst"),
    "parquet": (".parquet",),
    "tar": (".tar", ".tar.gz", ".tgz", ".tar.zst"),
}
KINDS: tuple[Kind, ...] = ("warc", "files", "jsonl", "parquet", "tar", "mediawiki", "stackexchange")
DUMPS: frozenset[Kind] = frozenset({"mediawiki", "stackexchange"})
# Posts.xml, jawiki-20260101-pages-articles.xml.bz2, enwiki-20260101-pages-articles1.xml-p1p41242.bz2
_XML = re.compile(r"\.xml(?:-[\w-]+)?(?:\.(?:bz2|gz|zst))?\Z", re.IGNORECASE)
Span = tuple[str, Kind, int, int, tuple[str, ...]]


def kind_of(name: str) -> Kind:
    """Return how an object is read, by its name; what is no known container is a file among files."""
    lower = name.lower()
    return next((kind for kind, suffixes in SUFFIXES.items() if lower.endswith(suffixes)), "files")


def plan_units(
    store: Store,
    source: str,
    kind: str = "auto",
    limits: Limits | None = None,
    unit_bytes: int = DEFAULT_UNIT_BYTES,
) -> list[Unit]:
    """Return the units of an input, rooted at `store`, in name order; `source` is the input's name.

    kind "auto": each object by its name, XML by what it begins with; otherwise only the objects of that kind, or an
    input's single object whatever it is called. Files that can't be split are one unit each. Nothing is read but
    Parquet's row group directories and the beginning of XML files.
    """
    limits = limits or Limits()
    if unit_bytes < 1:
        raise ValueError(f"unit_bytes must be at least 1, not {unit_bytes}")
    objects = sorted(store.list())
    kinds = [(name, size, _kind_in(store, name, size, limits)) for name, size in objects]
    if kind != "auto":
        forced = next((each for each in KINDS if each == kind), None)
        if forced is None:
            raise ValueError(f"input {source!r}: no kind {kind!r}; there are auto, {', '.join(KINDS)}")
        kinds = [(name, size, forced) for name, size, its in kinds if its == forced or len(objects) == 1]
    for name, _, its in kinds:
        if its != "files" and shown(name) != name:
            raise ValueError(f"input {source}: the name of {shown(name)!r} is not UTF-8; rename it")
    spans = [*_container_spans(store, kinds, unit_bytes), *_file_spans(kinds, unit_bytes)]
    return [Unit(index, source, *span) for index, span in enumerate(spans)]


def _kind_in(store: Store, name: str, size: int, limits: Limits) -> Kind:
    """Return how an object is read: XML by its first bytes, everything else by its name."""
    if _XML.search(name):
        with closing(store.open(name)) as file:
            return sniff(file, size, limits) or "files"
    return kind_of(name)


def _container_spans(store: Store, kinds: list[tuple[str, int, Kind]], unit_bytes: int) -> Iterator[Span]:
    for name, size, kind in kinds:
        if kind == "warc" or (kind in DUMPS | {"jsonl"} and can_be_split(name)):
            for start in range(0, max(size, 1), unit_bytes):
                yield name, kind, start, min(start + unit_bytes, size), ()
        elif kind == "parquet":
            for start, end in pack_sizes(row_group_bytes(store, name), unit_bytes):
                yield name, kind, start, end, ()
        elif kind != "files":
            yield name, kind, 0, size, ()


def _file_spans(kinds: list[tuple[str, int, Kind]], unit_bytes: int) -> Iterator[Span]:
    files = [(name, size) for name, size, kind in kinds if kind == "files"]
    for names, total in pack_files(files, unit_bytes, MAX_UNIT_FILES):
        yield "", "files", 0, total, tuple(names)


def pack_sizes(sizes: list[int], most: int) -> Iterator[tuple[int, int]]:
    """Yield ranges [start, end) of neighbours that hold at most `most` together, or one alone.

    (0, 0) for none.
    """
    start, total = 0, 0
    for index, size in enumerate(sizes):
        if index > start and total + size > most:
            yield start, index
            start, total = index, 0
        total += size
    yield start, len(sizes)


def read_unit(
    store: Store,
    unit: Unit,
    cursor: int,
    limits: Limits,
    media_types: frozenset[str] = MEDIA_TYPES,
    columns: Columns | None = None,
) -> Iterator[RawChunk]:
    """Yield the unit's chunks from `cursor` on (0, or a chunk's cursor): the same events however cut.

    Raises ObjectNotFound for an input that has gone since the plan was made, ValueError for Parquet without
    the text column; what is broken inside a file is quarantined.
    """
    yield from chunks(_events(store, unit, cursor, limits, media_types, columns or Columns()), unit, cursor, limits)


def _events(
    store: Store, unit: Unit, cursor: int, limits: Limits, media_types: frozenset[str], columns: Columns
) -> Iterator[Event]:
    if unit.kind == "files":
        yield from file_events(store, unit, limits, media_types, cursor)
        return
    size = store.size(unit.uri)
    if size is None:
        raise FileNotFoundError(f"{unit.source}:{unit.uri} was there when the job was planned and is gone")
    if unit.kind == "parquet":
        yield from islice(parquet_events(store, size, unit, limits, columns, media_types), cursor, None)
        return
    with closing(store.open(unit.uri)) as file:
        if unit.kind == "warc":
            events = withdrawing(warc_events(file, size, unit, limits, media_types), unit)
        elif unit.kind in DUMPS:
            events = dump_events(file, size, unit, limits, media_types)
        elif unit.kind == "tar":
            events = tar_events(file, size, unit, limits, media_types)
        else:
            events = jsonl_events(file, size, unit, limits, columns)
        yield from islice(events, cursor, None)
