"""Parquet files: units are row groups, page checksums are verified, and only the needed columns are read."""

from collections.abc import Iterator
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from manifests.limits import Limits
from manifests.reasons import Quarantine
from manifests.store import Store, arrow_file
from pipelines.sources.parquet_media import media_column, media_events, wanted_columns
from pipelines.sources.rows import row_event
from pipelines.sources.units import MEDIA_TYPES, Broken, Columns, Event, Unit

THRIFT_STRING_BYTES = 64 << 20
THRIFT_ITEMS = 1 << 20
DAMAGED = (pa.ArrowException, OSError)


def open_parquet(store: Store, name: str) -> pq.ParquetFile:
    """Open a file with checksums on and bounded metadata; raises one of DAMAGED."""
    return pq.ParquetFile(
        arrow_file(store, name),
        page_checksum_verification=True,
        thrift_string_size_limit=THRIFT_STRING_BYTES,
        thrift_container_size_limit=THRIFT_ITEMS,
    )


def row_group_bytes(store: Store, name: str) -> list[int]:
    """Return the bytes of each row group in the file; empty where the file's own directory can't be read."""
    try:
        metadata = open_parquet(store, name).metadata
    except DAMAGED:
        return []
    groups = (metadata.row_group(i) for i in range(metadata.num_row_groups))
    return [sum(group.column(i).total_compressed_size for i in range(group.num_columns)) for group in groups]


def parquet_events(
    store: Store, size: int, unit: Unit, limits: Limits, columns: Columns, media_types: frozenset[str] = MEDIA_TYPES
) -> Iterator[Event]:
    """Yield one event for each row of the unit's row groups, and one for what is left of a damaged group.

    Where `media_types` are those of a job of media and a column holds such bytes, that column is read
    (pipelines.sources.parquet_media). Raises ValueError for a file without it and without the text column.
    """
    try:
        file = open_parquet(store, unit.uri)
    except DAMAGED as error:
        reason = Quarantine.DAMAGED_CONTAINER
        yield Broken(reason, f"not a readable Parquet file: {_said(error)}", 0, size=size, lost_bytes=size)
        return
    medium = media_column(file.schema_arrow, media_types)
    if medium is None and columns.text not in file.schema_arrow.names:
        known = ", ".join(file.schema_arrow.names)
        raise ValueError(f"{unit.source}:{unit.uri} has no column {columns.text!r}; it has {known}")
    for group in range(unit.start, unit.end):
        if medium is None:
            yield from _group_events(file, group, unit, limits, columns)
        else:
            yield from _media_group_events(file, group, unit, limits, columns, medium, media_types)


def _media_group_events(
    file: pq.ParquetFile,
    group: int,
    unit: Unit,
    limits: Limits,
    columns: Columns,
    medium: str,
    media_types: frozenset[str],
) -> Iterator[Event]:
    """Yield the events of a row group with media, one row in memory at a time: a payload may be large."""
    metadata = file.metadata
    first = sum(metadata.row_group(i).num_rows for i in range(group))
    stated, number = metadata.row_group(group), first
    wanted = wanted_columns(file.schema_arrow, medium, columns)
    try:
        for batch in file.iter_batches(1, row_groups=[group], columns=wanted, use_threads=False):
            for row in batch.to_pylist():
                yield from media_events(row, medium, f"{unit.source}:{unit.uri}#{number}", columns, limits, media_types)
                number += 1
    except (*DAMAGED, UnicodeDecodeError) as error:
        yield _lost(stated, group, first + stated.num_rows - number, error)


def _lost(stated: Any, group: int, left: int, error: BaseException) -> Broken:
    """Return what is said of the rest of a row group that can't be read."""
    lost = sum(stated.column(i).total_compressed_size for i in range(stated.num_columns))
    detail = f"row group {group}: {left} rows lost: {_said(error)}"
    return Broken(Quarantine.DAMAGED_CONTAINER, detail, size=lost, lost_bytes=lost)


def _group_events(file: pq.ParquetFile, group: int, unit: Unit, limits: Limits, columns: Columns) -> Iterator[Event]:
    wanted = [name for name in (columns.text, columns.url, columns.id) if name in file.schema_arrow.names]
    metadata = file.metadata
    first = sum(metadata.row_group(i).num_rows for i in range(group))
    stated = metadata.row_group(group)
    number = first
    try:
        for batch in file.iter_batches(limits.batch_rows, row_groups=[group], columns=wanted, use_threads=False):
            for row in plain_rows(batch, columns.text):
                yield row_event(row, f"{unit.source}:{unit.uri}#{number}", -1, columns, limits)
                number += 1
    except DAMAGED as error:
        yield _lost(stated, group, first + stated.num_rows - number, error)


def plain_rows(batch: pa.RecordBatch, text: str) -> Iterator[dict[str, object]]:
    """Yield the rows of a batch; the text as the bytes in the file, which may not be UTF-8.

    Bytes of a name that are no UTF-8 become lone surrogates, which no record may have.
    """
    columns = {name: _as_bytes(batch.column(name)).to_pylist() for name in batch.schema.names}
    for name in columns.keys() - {text}:
        columns[name] = [_as_text(value) for value in columns[name]]
    for values in zip(*columns.values(), strict=True):
        yield dict(zip(columns, values, strict=True))


def _as_text(value: object) -> object:
    return value.decode(errors="surrogateescape") if isinstance(value, bytes) else value


def _as_bytes(column: Any) -> Any:
    kind = column.type
    if pa.types.is_dictionary(kind):
        column, kind = column.dictionary_decode(), kind.value_type
    return column.cast(pa.large_binary()) if pa.types.is_string(kind) or pa.types.is_large_string(kind) else column


def _is_text(kind: Any) -> bool:
    return any(test(kind) for test in (pa.types.is_string, pa.types.is_large_string, pa.types.is_string_view))


def _said(error: BaseException) -> str:
    """Return the first line of an error, which for Arrow names the page or field and holds no input bytes."""
    return str(error).partition("\n")[0][:200]
