"""Write: each shard reads its key range, takes the bytes of what is kept out of the packs, and is published whole.

A sample is one clip: its frames (`0000.jpg`, `0001.jpg` ...), its sound (`flac`), the clip itself (`mp4` or `mkv`),
its caption or else its transcript (`txt`) and `json`: where it came from, what it measures, its parts on one time line.
Beside the tar stand its index and Parquet tables of the clips and of the films; what is dropped or merged is in
`dropped/`, with the reasons.
"""

import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from manifests.keys import key_range
from manifests.runs import gather, load_runs
from manifests.shards import Shard, write_shard
from manifests.store import Store
from manifests.tar_shards import Sample, write_tar_shard
from pipelines.stages.published import Decided, paired, read_packed, row_json
from pipelines.stages.staged import Staged
from pipelines.text.duplicates import MERGED
from pipelines.video.records import FILM_ROW, LAYOUT, ORDER
from pipelines.video.rules import Judge

WRITE_VERSION = 1
PLACES = ("pack", "members")
NOT_TOLD = ("key", "unit", "ordinal", *PLACES)
JOB = LAYOUT.job


class WriteShard:
    """Worker of the write phase. config: {staged, told, merged, rules, word_lists}."""

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
        stem, told = f"part-{shard:05d}-of-{shards:05d}", published(judged.signals)
        made = [*self._kept(decided, told, stem), *decided.gone(self.store, f"{JOB}/dropped/{stem}", told)]
        films = gather(self.store, self.films, FILM_ROW, low, high, ORDER).drop_columns(["key", "unit", "ordinal"])
        if films.num_rows:
            made.append(write_shard(self.store, f"{JOB}/films/{stem}", "films", films))
        return {
            "shards": [each.as_json() for each in made],
            "accounts": decided.accounts(),
            "statistics": statistics(told.filter(pa.array(decided.is_kept))),
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


def statistics(kept: pa.Table) -> dict[str, Any]:
    """Return what adds up over shards: counts and milliseconds."""
    kinds = Counter(kind for kinds in kept["parts"].to_pylist() for kind in (part["kind"] for part in kinds))
    return {
        "kept_ms": _milliseconds(kept["duration_s"]),
        "speech_ms": _milliseconds(kept["speech_s"]),
        "captioned": len(kept) - kept["caption"].null_count,
        "transcribed": len(kept) - kept["transcript"].null_count,
        "codecs": dict(sorted(Counter(kept["codec"].to_pylist()).items())),
        "languages": dict(sorted(Counter(kept["transcript_language"].to_pylist()).items())),
        "parts": dict(sorted(kinds.items())),
    }


def _milliseconds(seconds: pa.ChunkedArray) -> int:
    return int(pc.sum(pc.cast(pc.round(pc.multiply(seconds, 1000.0)), pa.int64())).as_py() or 0)
