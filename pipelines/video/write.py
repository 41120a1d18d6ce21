"""Write: each shard reads its key range, takes the bytes of what is kept out of the packs, and is published whole.

A sample is one clip: its frames (`0000.jpg`, `0001.jpg` ...), its sound (`flac`), the clip itself (`mp4` or `mkv`),
its caption or else its transcript (`txt`) and `json`: where it came from, what it measures, its parts on one time line.
Beside the tar stand its index and Parquet tables of the clips and of the films; what is dropped or merged is in
`dropped/`, with the reasons.
"""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from manifests.keys import key_range
from manifests.runs import gather, load_runs
from manifests.store import Store
from manifests.tar_shards import Sample
from pipelines.stages.duplicate_rows import MERGED
from pipelines.stages.published import (
    Decided,
    marker_of,
    paired,
    read_packed,
    row_json,
    stem_of_range,
    write_kept,
    write_rows,
)
from pipelines.stages.staged import Staged
from pipelines.video.contact import clips_of_films, contact_sheet, sampled_films
from pipelines.video.records import FILM_ROW, LAYOUT, ORDER
from pipelines.video.rules import Judge
from pipelines.video.statistics import shard_statistics

WRITE_VERSION = 2
PLACES = ("pack", "members")
NOT_TOLD = ("key", "unit", "ordinal", *PLACES)
JOB = LAYOUT.job


class WriteShard:
    """Worker of the write phase. config: {staged, told, merged}, and that of Judge."""

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        staged = Staged.load(store, config["staged"])
        self.store, self.merged, self.films = store, load_runs(store, config["merged"]), staged.runs["films"]
        self.judge = Judge(store, staged.runs["clips"], load_runs(store, config["told"]), config)

    def close(self) -> None:
        """Nothing is held."""

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """arguments: {shard, shards}."""
        shard, shards = arguments["shard"], arguments["shards"]
        low, high = key_range(shard, shards)
        judged = self.judge.read(low, high)
        decided = Decided(judged, gather(self.store, self.merged, MERGED, low, high, ("key", "id")))
        stem, told = stem_of_range(shard, shards), published(judged.signals)
        kept = pa.array(decided.is_kept)
        table, places = told.filter(kept), judged.rows.select(PLACES).filter(kept)
        samples = (self._sample(row, place) for row, place in paired(table, places))
        films = gather(self.store, self.films, FILM_ROW, low, high, ORDER).drop_columns(["key", "unit", "ordinal"])
        time_lines = clips_of_films(decided, sampled_films(self.store, self.films))
        made = [
            *write_kept(self.store, JOB, stem, table, samples),
            *decided.gone(self.store, f"{JOB}/dropped/{stem}", told),
            *write_rows(self.store, JOB, stem, "films", films),
            *write_rows(self.store, JOB, stem, "contact", contact_sheet(self.store, decided)),
            *write_rows(self.store, JOB, stem, "time_lines", time_lines),
        ]
        return marker_of(made, decided, shard_statistics(decided, told))

    def _sample(self, row: Mapping[str, Any], place: Mapping[str, Any]) -> Sample:
        files = {
            each["member"]: read_packed(self.store, place["pack"], each["offset"], each["bytes"], each["sha256"])
            for each in place["members"]
        }
        files["json"] = row_json(row)
        if said := row["caption"] or row["transcript"]:
            files["txt"] = said.encode()
        return row["id"].hex(), files


def published(signals: pa.RecordBatch) -> pa.Table:
    """Return the columns that are published: provenance, measurements, and last what is said and the time line."""
    table = pa.Table.from_batches([signals])
    parts = table["parts"]
    return table.drop_columns([*NOT_TOLD, "parts"]).append_column("parts", parts)
