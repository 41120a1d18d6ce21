"""Write: each shard reads its key range, takes the bytes of what is kept out of the packs, and is published whole.

A sample is the segment (`flac`), its transcript (`txt`, where there is one), log-mel features (`npy`, where they are
asked for) and `json`: where it came from, what it measures. Beside the tar stand its index and a Parquet table of the
same records; what is dropped or merged is in `dropped/`, with the reasons.
"""

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa

from manifests.keys import key_range
from manifests.runs import gather, load_runs
from manifests.shards import Shard, write_shard
from manifests.store import Store
from manifests.tar_shards import Sample, write_tar_shard
from pipelines.audio.contact import contact_sheet
from pipelines.audio.records import LAYOUT
from pipelines.audio.rules import Judge
from pipelines.audio.statistics import shard_statistics
from pipelines.stages.duplicate_rows import MERGED
from pipelines.stages.published import Decided, paired, read_packed, row_json
from pipelines.stages.staged import Staged

PLACES = ("pack", "offset", "mel_offset")
NOT_TOLD = ("key", "unit", "ordinal", "fingerprint", "heard", "transcript", "transcript_parts", *PLACES)
JOB = LAYOUT.job


class WriteShard:
    """Worker of the write phase. config: {staged, transcripts, merged, rules, word_lists}."""

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
        stem, told = f"part-{shard:05d}-of-{shards:05d}", published(judged.signals)
        shards_made = [*self._kept(decided, told, stem), *decided.gone(self.store, f"{JOB}/dropped/{stem}", told)]
        sheet = contact_sheet(self.store, decided)
        if sheet.num_rows:
            shards_made.append(write_shard(self.store, f"{JOB}/contact/{stem}", "contact", sheet))
        return {
            "shards": [each.as_json() for each in shards_made],
            "accounts": decided.accounts(),
            "statistics": shard_statistics(decided, told),
            "counts": decided.counts(),
        }

    def _kept(self, decided: Decided, told: pa.Table, stem: str) -> Iterator[Shard]:
        kept = pa.array(decided.is_kept)
        table, places = told.filter(kept), decided.judged.rows.select(PLACES).filter(kept)
        if not table.num_rows:
            return
        with tempfile.TemporaryDirectory(prefix="corpusmill-") as scratch:
            samples = (self._sample(row, place) for row, place in paired(table, places))
            yield from write_tar_shard(self.store, f"{JOB}/data/{stem}", JOB, samples, Path(scratch) / "tar")
        yield write_shard(self.store, f"{JOB}/records/{stem}", "records", table)

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
