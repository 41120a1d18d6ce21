"""Attach: joined parts get their media's measures and place.

attach   media range     parts and their media's measures and place -> parts by document
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from filters.clusters import id_words
from manifests.keys import key_range, keys_of
from manifests.records import KEY
from manifests.runs import gather, load_runs, run_schema, write_run
from manifests.store import Store
from pipelines.interleave.join import FOUND_ORDER, PART_ORDER, index_in
from pipelines.interleave.read import ORDERS
from pipelines.interleave.records import CLIP_FILE, CLIP_MEDIA, FOUND, JUDGED_PART, LOCATED

MEDIA_TYPES = {"flac": "audio/flac", "mp4": "video/mp4", "mkv": "video/x-matroska"}


class Attach:
    """Worker: the joined parts of a range of media.

    config: {found, media, located} of images and {found_clips, pieces, piece_files} of films and sounds: lists of runs.
    """

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        self.store = store
        self.runs = {name: load_runs(store, listed) for name, listed in config.items()}

    def close(self) -> None:
        """Nothing is held."""

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        low, high = key_range(arguments["partition"], arguments["partitions"])

        def read(name: str, schema: pa.Schema, order: tuple[str, ...]) -> pa.Table:
            return gather(self.store, self.runs[name], schema, low, high, order)

        attached = read("found", FOUND, FOUND_ORDER)
        if self.runs["media"]:  # else no image is kept, so none is found
            schema = run_schema(self.store, self.runs["media"][0])
            media, located = read("media", schema, ORDERS["media"]), read("located", LOCATED, ORDERS["located"])
            attached = attach(attached, media, located)
        pieces = read("pieces", CLIP_MEDIA, ORDERS["pieces"])
        files = read("piece_files", CLIP_FILE, ORDERS["piece_files"])
        shown = attach_clips(read("found_clips", FOUND, FOUND_ORDER), pieces, files)
        runs = {
            name: write_run(self.store, f"{arguments['output']}-{name}", table, PART_ORDER)
            for name, table in (("attached", attached), ("clips", shown))
        }
        return {
            "runs": {name: run.as_json() for name, run in runs.items()},
            "counts": {"parts": sum(run.rows for run in runs.values())},
        }


def attach(found: pa.Table, media: pa.Table, located: pa.Table) -> pa.Table:
    """Return found parts with the columns of their media, its place, and in how many documents it stands.

    found: sorted by (key, media, id, position). Raises RuntimeError where a record or its place is not there.
    """
    place, where = index_in(found["media"], media["id"]), index_in(found["media"], located["id"])
    _all_there(place, where)
    columns: dict[str, Any] = {"key": pa.array(keys_of(found["id"].combine_chunks()), KEY)}
    columns |= {name: found[name] for name in FOUND.names if name != "key"}
    columns["occurrence_count"] = pa.array(documents_of_media(found), pa.int64())
    columns |= {name: media[name].take(place) for name in media.column_names if name not in ("key", "id")}
    columns |= {name: located[name].take(where) for name in LOCATED.names if name not in ("key", "id")}
    return pa.table(columns)


def attach_clips(found: pa.Table, clips: pa.Table, files: pa.Table) -> pa.Table:
    """Return what pages show of films and sounds as JUDGED_PART: their own jobs have judged them.

    A clip that is no film of its own has no place. Raises RuntimeError where a record is not there.
    """
    place, where = index_in(found["media"], clips["id"]), index_in(found["media"], files["id"])
    _all_there(place)
    count = found.num_rows
    extension = files["extension"].take(where)
    columns: dict[str, Any] = {name: found[name] for name in FOUND.names if name not in ("key", "address")}
    columns |= {name: clips[name].take(place) for name in ("digest", "width_px", "height_px")}
    columns |= {name: files[name].take(where) for name in ("sha256", "shard", "offset", "bytes")}
    columns |= {
        "key": pa.array(keys_of(found["id"].combine_chunks()), KEY),
        "verdict": pa.array(["kept"] * count, pa.string()),
        "extension": extension,
        "media_type": pa.array([MEDIA_TYPES.get(each) for each in extension.to_pylist()], pa.string()),
        "occurrence_count": pa.array(documents_of_media(found), pa.int64()),
    }
    return pa.table(
        {field.name: columns.get(field.name, pa.nulls(count, field.type)) for field in JUDGED_PART}, JUDGED_PART
    )


def _all_there(*places: pa.Array) -> None:
    if any(each.null_count for each in places):
        raise RuntimeError("the media snapshot names records as kept that it does not hold; run `corpusmill verify`")


def documents_of_media(found: pa.Table) -> np.ndarray:
    """Return for each row in how many documents its medium stands, int64[n]; sorted by media, then document."""
    count = found.num_rows
    if not count:
        return np.zeros(0, np.int64)
    medium, document = id_words(found["media"]), id_words(found["id"])
    new_medium = np.concatenate([[True], (medium[1:] != medium[:-1]).any(axis=1)])
    new_pair = new_medium | np.concatenate([[True], (document[1:] != document[:-1]).any(axis=1)])
    group = np.cumsum(new_medium) - 1
    spread: np.ndarray = np.bincount(group, weights=new_pair).astype(np.int64)[group]
    return spread
