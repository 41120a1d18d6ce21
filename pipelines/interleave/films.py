"""Read: one shard of a video snapshot in; its films and their clips out, keyed by the film.

A clip that stays comes with its parts and the place of each of its files in the tar; of one that is gone, only its
span and the reason come: what was shown and said in it is not told.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from filters.video.clip_child import PART
from manifests.keys import keys_of
from manifests.reader import open_shard, shard_of
from manifests.records import ID, KEY
from manifests.runs import write_run
from manifests.store import Store
from pipelines.interleave.film_records import CLIP, CLIP_FILE, FILM, IMAGE_OF, KIND_OF

FILMS_VERSION = 1
ROWS_AT_ONCE = 64  # clips, with their parts
ORDERS = {"films": ("key", "id"), "clips": ("key", "film", "start_s", "id")}
WANTED = (
    *("id", "parents", "uri", "start_s", "end_s", "caption", "transcript", "transcript_language", "file_member"),
    *("max_nsfw_score", "parts"),
)


class ReadFilms:
    """Worker of the read phase over a video snapshot. config: {}."""

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        self.store = store

    def close(self) -> None:
        """Nothing is held."""

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """arguments: {shard: its manifest entry, unit: its number, index, tar: of the clips that stay, output}."""
        shard = shard_of(arguments["shard"])
        kind = "films" if shard.kind == "films" else "clips"
        counts = Counter[str]()
        table = self._films(arguments) if shard.kind == "films" else self._clips(arguments, counts)
        run = write_run(self.store, f"{arguments['output']}-{kind}", table, ORDERS[kind])
        body = {"runs": {kind: run.as_json()}, "rows": shard.records, "parts": dict(sorted(counts.items()))}
        return body | {"bytes": _file_bytes(table) if kind == "clips" else 0, "counts": {kind: run.rows}}

    def _films(self, arguments: Mapping[str, Any]) -> pa.Table:
        columns = [name for name in FILM.names if name not in ("key", "unit")]
        with open_shard(self.store, shard_of(arguments["shard"])) as file:
            films = pq.read_table(file, columns=columns, use_threads=False)
        films = films.append_column("key", pa.array(keys_of(films["id"].combine_chunks()), KEY))
        films = films.append_column("unit", pa.array([arguments["unit"]] * films.num_rows, pa.uint64()))
        return films.select(FILM.names).cast(FILM)

    def _clips(self, arguments: Mapping[str, Any], counts: Counter[str]) -> pa.Table:
        """Return CLIP rows of a shard of records, or of what was dropped or merged."""
        places = self._places(arguments["index"]) if "index" in arguments else {}
        tables = [CLIP.empty_table()]
        with open_shard(self.store, shard_of(arguments["shard"])) as file:
            parquet = pq.ParquetFile(file, page_checksum_verification=True)
            fate = [name for name in ("verdict", "reason", "kept_id") if name in parquet.schema_arrow.names]
            for batch in parquet.iter_batches(ROWS_AT_ONCE, columns=[*WANTED, *fate], use_threads=False):
                tables.append(_of_clips(batch, places, arguments.get("tar"), counts))
        return pa.concat_tables(tables)

    def _places(self, entry: Mapping[str, Any]) -> dict[bytes, list[dict[str, Any]]]:
        """Return id -> CLIP_FILE rows of the members of a tar."""
        with open_shard(self.store, shard_of(entry)) as file:
            rows = pq.read_table(file, use_threads=False).to_pylist()
        found: dict[bytes, list[dict[str, Any]]] = {}
        for row in rows:
            if row["extension"] not in ("json", "txt"):
                own = {name: row[name] for name in ("offset", "bytes", "sha256")}
                found.setdefault(row["id"], []).append({"member": row["extension"], **own})
        return found


def _of_clips(
    batch: pa.RecordBatch, places: Mapping[bytes, list[dict[str, Any]]], tar: str | None, counts: Counter[str]
) -> pa.Table:
    """Return CLIP rows; a copy of a clip that stays says nothing of its own."""
    if "kept_id" in batch.schema.names:
        batch = batch.filter(pc.fill_null(pc.not_equal(batch["id"], batch["kept_id"]), fill_value=True))
    count = batch.num_rows
    is_kept = "verdict" not in batch.schema.names
    parts = batch["parts"] if is_kept else pa.array([[]] * count, pa.list_(PART))
    counts.update(KIND_OF[kind] for kind in parts.flatten().field("kind").to_pylist())
    counts["video"] += count
    film = pc.list_element(batch["parents"], 0) if count else pa.array([], ID)
    own = {name: batch[name] for name in WANTED if name not in ("parts", "parents", "transcript")}
    columns: dict[str, Any] = own | {
        "key": pa.array(keys_of(film), KEY),
        "film": film,
        "verdict": pa.array(["kept"] * count) if is_kept else batch["verdict"],
        "reason": pa.nulls(count, pa.string()) if is_kept else batch["reason"],
        "kept_id": pa.nulls(count, ID) if is_kept else batch["kept_id"],
        "said_chars": pc.fill_null(pc.utf8_length(batch["transcript"]), 0),
        "shard": pa.array([tar] * count, pa.string()),
        "files": pa.array([places.get(each, []) for each in batch["id"].to_pylist()], pa.list_(CLIP_FILE)),
        "parts": parts,
    }
    return pa.table({name: columns[name] for name in CLIP.names}).cast(CLIP)


def _file_bytes(clips: pa.Table) -> int:
    """Return the bytes of the files of clips that documents hold: frames and sound."""
    files = clips["files"].combine_chunks().flatten()
    if not len(files):
        return 0
    inside = np.array([is_inside(name) for name in files.field("member").to_pylist()], bool)
    return int(files.field("bytes").to_numpy()[inside].sum())


def is_inside(member: str) -> bool:
    """Return whether a clip's file stands in a document that holds its media: all but the clip itself."""
    return member.rpartition(".")[2] in IMAGE_OF
