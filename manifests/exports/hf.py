"""Hugging Face `datasets`: typed Parquet below `data/`, and a `README.md` that names it.

Media become structs {bytes, path} that `datasets` decodes as Image, Audio or Video; texts and JSON become strings.
The numbered files of a sample (`0000.jpg`, `0001.jpg` ...) become one list for each kind of media, in their order, for
samples hold any number of them; `path` names the file. Documents keep their columns; ids and digests become hex.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from manifests.exports.destination import Destination, scratch_file
from manifests.exports.source import TEXTS, Source, numbered_extension
from manifests.reader import open_shard
from manifests.shards import Shard
from manifests.tar_shards import Sample

KEY = "id"
GROUP_ROWS = 1000  # at most; a row group holds one chunk of media in memory
GROUP_BYTES = 64 << 20  # of media in a row group, unless one sample is larger
FEATURES = {
    **dict.fromkeys(("jpg", "png", "webp", "gif", "avif", "tif", "bmp"), "Image"),
    **dict.fromkeys(("flac", "wav", "mp3", "ogg", "opus", "m4a"), "Audio"),
    **dict.fromkeys(("mp4", "webm", "mkv"), "Video"),
}
LISTS = {"Image": "images", "Audio": "audios", "Video": "videos"}  # columns of numbered files
_MEDIA = pa.struct([("bytes", pa.binary()), ("path", pa.string())])


def export_hf(source: Source, destination: Destination) -> dict[str, Any]:
    """Write one Parquet file a shard and the README, and return the settings that the bytes follow from."""
    names = []
    for number, shard in enumerate(source.shards):
        name = f"data/train-{number:05d}-of-{len(source.shards):05d}.parquet"
        with scratch_file(destination, Path(name).name) as path:
            write_parquet(source, shard, path)
            destination.put_file(name, path, shard.records)
        names.append(name)
    destination.put("README.md", _readme(source).encode())
    return {"group_rows": GROUP_ROWS, "group_bytes": GROUP_BYTES}


def write_parquet(source: Source, shard: Shard, path: Path) -> None:
    """Write one shard as Parquet with the features in its schema."""
    if source.has_tars:
        schema, tables = sample_schema(source.fields), _sample_tables(source, shard)
    else:
        schema, tables = _document_schema(source, shard), _document_tables(source, shard)
    with pq.ParquetWriter(path, schema, compression="zstd", write_page_checksum=True, write_page_index=True) as file:
        for table in tables:
            file.write_table(table, GROUP_ROWS)


def sample_schema(fields: dict[str, bool]) -> pa.Schema:
    """Return the schema of media samples: the id, then every field by name, with `datasets`' features."""
    columns: list[tuple[str, pa.DataType]] = [(KEY, pa.string())]
    features: dict[str, Any] = {KEY: {"dtype": "string", "_type": "Value"}}
    for field in sorted(name for name in fields if numbered_extension(name) is None):
        kind, features[field] = _feature(field)
        columns.append((field, kind))
    for feature in sorted({FEATURES[extension] for name in fields if (extension := numbered_extension(name))}):
        columns.append((LISTS[feature], pa.list_(_MEDIA)))
        features[LISTS[feature]] = {"feature": {"_type": feature}, "_type": "Sequence"}
    return pa.schema(columns, {"huggingface": json.dumps({"info": {"features": features}})})


def _feature(field: str) -> tuple[pa.DataType, dict[str, Any]]:
    """Return a field's column and what `datasets` calls it: a text, a medium, or bytes (features in NumPy's format)."""
    if field in TEXTS:
        return pa.string(), {"dtype": "string", "_type": "Value"}
    if field in FEATURES:
        return _MEDIA, {"_type": FEATURES[field]}
    return pa.binary(), {"dtype": "binary", "_type": "Value"}


def _sample_tables(source: Source, shard: Shard) -> Iterator[pa.Table]:
    schema = sample_schema(source.fields)
    for samples in _groups(source.samples_of(shard)):
        yield pa.Table.from_pylist([_row(sample, source.fields) for sample in samples], schema)


def _groups(samples: Iterator[Sample]) -> Iterator[list[Sample]]:
    """Yield runs of at most GROUP_ROWS samples and GROUP_BYTES of content, or one larger sample alone."""
    group: list[Sample] = []
    size = 0
    for sample in samples:
        added = sum(map(len, sample[1].values()))
        if group and (len(group) == GROUP_ROWS or size + added > GROUP_BYTES):
            yield group
            group, size = [], 0
        group.append(sample)
        size += added
    if group:
        yield group


def _row(sample: Sample, fields: dict[str, bool]) -> dict[str, Any]:
    """Return a sample as a row: null where it has no such field, an empty list where it has no such files."""
    key, contents = sample
    row: dict[str, Any] = {KEY: key}
    for field in fields:
        content, extension = contents.get(field), numbered_extension(field)
        media = None if content is None else {"bytes": content, "path": f"{key}.{field}"}
        if extension is not None:
            row.setdefault(LISTS[FEATURES[extension]], []).extend([media] if media else [])
        elif content is not None and field in TEXTS:
            row[field] = content.decode()
        else:
            row[field] = media if field in FEATURES else content
    return row


def _document_schema(source: Source, shard: Shard) -> pa.Schema:
    """Return a shard's schema with strings for ids and digests; a shard without documents has one too."""
    with open_shard(source.store, shard) as file:
        schema = pq.read_schema(file).remove_metadata()
    return pa.schema([(column.name, _as_hex(pa.array([], column.type)).type) for column in schema])


def _document_tables(source: Source, shard: Shard) -> Iterator[pa.Table]:
    for batch in source.reader_of(shard).batches(batch_rows=GROUP_ROWS):
        columns = [_as_hex(column) for column in batch.columns]
        yield pa.Table.from_arrays(columns, batch.schema.names)


def _as_hex(column: "pa.Array[Any]") -> "pa.Array[Any]":
    """Return ids and digests as strings of hex digits, every other column as it is."""
    if not pa.types.is_fixed_size_binary(column.type):
        return column
    return pa.array([None if value is None else value.hex() for value in column.to_pylist()], pa.string())


def _readme(source: Source) -> str:
    """Return the dataset card's head: where the data lies, of what snapshot it is."""
    head = ["configs:", "- config_name: default", "  data_files:", "  - split: train", "    path: data/*.parquet"]
    about = f"{source.reader.records} {source.kind} of the snapshot with manifest digest `{source.digest}`."
    return "\n".join(["---", *head, "---", "", about, ""])
