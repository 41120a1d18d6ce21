"""Exports: one committed snapshot, laid out as a trainer's own loader reads it, without that loader.

Every format is a projection of the shards and their index: same ids, same bytes, same text. Energon and Croissant
take the shards as they are; the others are written anew from samples that have been checked.
"""

import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from manifests.exports.destination import Destination
from manifests.exports.source import CONVERSATIONS, Source
from manifests.local_store import TEMPORARY_PREFIX, LocalStore
from manifests.store import Store

OF_CONVERSATIONS = ("alpaca", "gemma", "llama", "messages", "preference", "prompt-completion", "sharegpt")
FORMATS = ("arrayrecord", "croissant", "energon", "hf", "litdata", "mds")
SHARD_BYTES = 64 << 20


@dataclass(frozen=True)
class Options:
    """What a caller may choose: the size of a written file (MDS, LitData), MDS encodings by field."""

    shard_bytes: int = SHARD_BYTES
    encodings: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not 1 << 10 <= self.shard_bytes < 1 << 32:
            raise ValueError(f"shard_bytes {self.shard_bytes} is not between 1 KiB and 4 GiB, the formats' own bounds")


def export(source: Source, store: Store, format_name: str, options: Options | None = None) -> dict[str, Any]:
    """Write a snapshot into `store` in a format and return what `export.json`, written last, says of it.

    The same snapshot and options give the same files; an export that was killed is finished by the same call.

    Raises ValueError for a format or an option that does not fit the data, RuntimeError where the store holds
    another export's files, IntegrityError for a damaged shard.
    """
    if format_name not in (*FORMATS, *OF_CONVERSATIONS):
        raise ValueError(f"format {format_name!r} is none of {', '.join((*FORMATS, *OF_CONVERSATIONS))}")
    fitting = (*OF_CONVERSATIONS, "hf") if source.kind == CONVERSATIONS else FORMATS
    if format_name not in fitting:
        raise ValueError(f"format {format_name!r} is not for {source.kind}, but one of {', '.join(fitting)} is")
    with tempfile.TemporaryDirectory(dir=_scratch_root(store), prefix=TEMPORARY_PREFIX) as scratch:
        destination = Destination(store, Path(scratch))
        settings = _write(source, destination, format_name, options or Options())
        return destination.finish(format_name, source, settings)


def _scratch_root(store: Store) -> Path | None:
    """Return a folder on the file system of a local store, so that shards can be linked; else None."""
    if not isinstance(store, LocalStore):
        return None
    store.root.mkdir(parents=True, exist_ok=True)
    return store.root


def _write(source: Source, destination: Destination, format_name: str, options: Options) -> dict[str, Any]:
    """Call the format's writer; its module is imported here, so that help and other formats do not pay for it."""
    match format_name:
        case _ if format_name in OF_CONVERSATIONS:
            from manifests.exports.conversations import export_conversations

            return export_conversations(source, destination, format_name)
        case "arrayrecord":
            from manifests.exports.arrayrecord import export_arrayrecord

            return export_arrayrecord(source, destination)
        case "croissant":
            from manifests.exports.croissant import export_croissant

            return export_croissant(source, destination)
        case "energon":
            from manifests.exports.energon import export_energon

            return export_energon(source, destination)
        case "hf":
            from manifests.exports.hf import export_hf

            return export_hf(source, destination)
        case "litdata":
            from manifests.exports.litdata import export_litdata

            return export_litdata(source, destination, options.shard_bytes)
        case _:
            from manifests.exports.mds import export_mds

            return export_mds(source, destination, options.shard_bytes, options.encodings)
