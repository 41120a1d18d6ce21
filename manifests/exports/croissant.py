"""Croissant 1.1: the typed Parquet of the Hugging Face export and a `croissant.json` that describes it.

Every file is listed with its sha256 and size; a record set `samples` has a field for every column that
Croissant's types can say (text, numbers, times, media) and for lists of these; nested columns stay in the files alone.
"""

from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from manifests.exports.destination import Destination, File
from manifests.exports.hf import FEATURES, LISTS, export_hf
from manifests.exports.source import Source
from manifests.keys import canonical_json

VERSION = "http://mlcommons.org/croissant/1.1"
RECORD_SET, FILE_SET = "samples", "parquet-files"
_OBJECTS = {"Image": "sc:ImageObject", "Audio": "sc:AudioObject", "Video": "sc:VideoObject"}
_MEDIA = {  # column -> type of what it holds, or what each item of its list is
    **{extension: _OBJECTS[feature] for extension, feature in FEATURES.items()},
    **{name: _OBJECTS[feature] for feature, name in LISTS.items()},
}
# 1.1 says isArray and arrayShape; `repeated` is what its own reader casts items by.
_LIST = {"isArray": True, "arrayShape": "-1", "repeated": True}
_OWN = (
    "arrayShape",
    "citeAs",
    "column",
    "conformsTo",
    "containedIn",
    "equivalentProperty",
    "extract",
    "field",
    "fileObject",
    "fileProperty",
    "fileSet",
    "format",
    "includes",
    "isArray",
    "isLiveDataset",
    "jsonPath",
    "key",
    "md5",
    "parentField",
    "path",
    "recordSet",
    "references",
    "regex",
    "repeated",
    "replace",
    "samplingRate",
    "separator",
    "source",
    "subField",
    "transform",
)
CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "sc": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "dct": "http://purl.org/dc/terms/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    **{name: f"cr:{name}" for name in _OWN},
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "description": {"@container": "@language"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "name": {"@container": "@language"},
}


def export_croissant(source: Source, destination: Destination) -> dict[str, Any]:
    """Write the Hugging Face export and its description; return the settings that the bytes follow from."""
    settings = export_hf(source, destination)
    files = [file for file in destination.files if file.name.endswith(".parquet")]
    schema = pq.read_schema(destination.store.open(files[0].name))
    destination.put("croissant.json", canonical_json(describe(source, files, schema)))
    return settings


def describe(source: Source, files: list[File], schema: pa.Schema) -> dict[str, Any]:
    """Return the JSON-LD of a data set in these Parquet files."""
    file_set = {
        "@type": "cr:FileSet",
        "@id": FILE_SET,
        "name": FILE_SET,
        "encodingFormat": "application/x-parquet",
        "includes": "data/*.parquet",
    }
    fields = [made for column in schema if (made := _field(column)) is not None]
    return {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": VERSION,
        "name": source.kind,
        "description": f"{source.reader.records} {source.kind} of the snapshot with manifest digest {source.digest}.",
        "version": "1.0.0",
        "distribution": [*map(_file_object, files), file_set],
        "recordSet": [
            {
                "@type": "cr:RecordSet",
                "@id": RECORD_SET,
                "name": RECORD_SET,
                "key": {"@id": f"{RECORD_SET}/id"},
                "field": fields,
            }
        ],
    }


def _file_object(file: File) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": file.name,
        "name": file.name.rpartition("/")[2],
        "contentUrl": file.name,
        "contentSize": f"{file.bytes} B",
        "encodingFormat": "application/x-parquet",
        "sha256": file.sha256,
    }


def _field(column: pa.Field) -> dict[str, Any] | None:
    """Return a column as a Croissant field, None where its type has no name there."""
    is_list = pa.types.is_list(column.type)
    own = column.type.value_type if is_list else column.type
    is_media = column.name in _MEDIA and pa.types.is_struct(own)
    data_type = _MEDIA[column.name] if is_media else _data_type(own)
    if data_type is None:
        return None
    taken: dict[str, Any] = {"fileSet": {"@id": FILE_SET}, "extract": {"column": column.name}}
    if is_media:
        taken["transform"] = {"jsonPath": "bytes"}
    name = f"{RECORD_SET}/{column.name}"
    said = {"@type": "cr:Field", "@id": name, "name": column.name, "dataType": data_type, "source": taken}
    return said | (_LIST if is_list else {})


def _data_type(arrow: pa.DataType) -> str | None:
    kinds = (
        (pa.types.is_string, "sc:Text"),
        (pa.types.is_boolean, "sc:Boolean"),
        (pa.types.is_integer, "sc:Integer"),
        (pa.types.is_floating, "sc:Float"),
        (pa.types.is_timestamp, "sc:DateTime"),
    )
    return next((name for matches, name in kinds if matches(arrow)), None)
