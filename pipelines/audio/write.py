"""Write: each shard reads its key range, takes the bytes of what is kept out of the packs, and is published whole.

A sample is the segment (`flac`), its transcript (`txt`, where there is one), log-mel features (`npy`, where they are
asked for) and `json`: where it came from, what it measures. Beside the tar stand its index and a Parquet table of the
same records; what is dropped or merged is in `dropped/`, with the reasons.
"""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from manifests.keys import key_range
from manifests.runs import gather, load_runs
from manifests.store import Store
from manifests.tar_shards import Sample
from pipelines.audio.contact import contact_sheet
from pipelines.audio.records import LAYOUT
from pipelines.audio.rules import Judge
from pipelines.audio.statistics import shard_statistics
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

PLACES = ("pack", "offset", "mel_offset")
NOT_TOLD = ("key", "unit", "ordinal", "fingerprint", "heard", "transcript", "transcript_parts", *PLACES)
JOB = LAYOUT.job


class WriteShard:
    """Worker of the write phase. config: {staged, transcripts, merged}, and that of Judge."""

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        staged = Staged.load(store, config["staged"])
        self.store, self.merged = store, load_runs(store, config["merged"])
        self.judge = Judge(store, staged.runs["audio"], load_runs(store, config["transcripts"]), config)

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
        shards_made = [
            *write_kept(self.store, JOB, stem, table, samples),
            *decided.gone(self.store, f"{JOB}/dropped/{stem}", told),
            *write_rows(self.store, JOB, stem, "contact", contact_sheet(self.store, decided)),
        ]
        return marker_of(shards_made, decided, shard_statistics(decided, told))

    def _sample(self, row: Mapping[str, Any], place: Mapping[str, Any]) -> Sample:
        pack = place["pack"]
        flac = read_packed(self.store, pack, place["offset"], row["stored_bytes"], row["stored_sha256"])
        parts = {"flac": flac, "json": row_json(row)}
        if row["transcript"]:
            parts["txt"] = row["transcript"].encode()
        if row["mel_bytes"] is not None:
            parts["npy"] = read_packed(self.store, pack, place["mel_offset"], row["mel_bytes"], row["mel_sha256"])
        return row["id"].hex(), parts


def published(signals: pa.RecordBatch) -> pa.Table:
    """Return the columns that are published: provenance, measurements, and last what is said."""
    table = pa.Table.from_batches([signals])
    texts = [table[name] for name in ("transcript", "transcript_parts")]
    table = table.drop_columns([name for name in NOT_TOLD if name in table.column_names])
    return table.append_column("transcript", texts[0]).append_column("transcript_parts", texts[1])
