"""Write: films as documents, a shard a key range, beside the shards of pages and in the same form."""

import io
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from manifests.keys import key_range
from manifests.reasons import Merged, SkippedMedia
from manifests.records import ID
from manifests.runs import gather, load_runs
from manifests.shards import Shard, write_shard
from manifests.store import Store
from manifests.tar_shards import Sample, write_tar_shard
from pipelines.interleave.film_document import (
    film_json,
    held,
    judge_frames,
    language_of,
    member_of,
    numbered,
    parts_of,
)
from pipelines.interleave.film_records import CLIP, FILM
from pipelines.interleave.films import ORDERS
from pipelines.interleave.judge import KEPT
from pipelines.interleave.records import PART_ROW
from pipelines.interleave.write import INLINE, JOB
from pipelines.stages.judges import from_json
from pipelines.stages.published import read_packed

FILM_WRITE_VERSION = 1
DROPPED, MERGED, SKIPPED = "dropped", "merged", "skipped"
GONE = pa.schema(
    [
        ("id", ID),
        *((name, pa.string()) for name in ("uri", "source", "language", "title", "verdict", "reason")),
        ("reasons", pa.list_(pa.string())),
        ("kept_id", ID),
        ("unit", pa.uint64()),
    ]
)


class WriteFilms:
    """Worker of the write phase. config: {films, clips: lists of runs; image_rules; images: inline | by_digest}."""

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        self.store, self.is_inline = store, config["images"] == INLINE
        self.films, self.clips = (load_runs(store, config[name]) for name in ("films", "clips"))
        self.rules = from_json(config["image_rules"])

    def close(self) -> None:
        """Nothing is held."""

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """arguments: {shard, shards}."""
        shard, shards = arguments["shard"], arguments["shards"]
        films = FilmsOfRange(self, *key_range(shard, shards))
        stem = f"film-{shard:05d}-of-{shards:05d}"
        published = [*films.write(stem)]
        if films.gone:
            gone = pa.Table.from_pylist(films.gone, GONE)
            published.append(write_shard(self.store, f"{JOB}/dropped/{stem}", "dropped", gone))
        return {
            "shards": [each.as_json() for each in published],
            "accounts": {str(unit): dict(sorted(counts.items())) for unit, counts in sorted(films.accounts.items())},
            "statistics": {"parts": {kind: dict(sorted(n.items())) for kind, n in sorted(films.counts.items())}},
            "counts": {"films": len(films.documents)},
        }


class FilmsOfRange:
    """The films of a key range: those that become documents, and what stays out."""

    def __init__(self, worker: WriteFilms, low: int, high: int) -> None:
        self.store, self.is_inline = worker.store, worker.is_inline
        clips = gather(self.store, worker.clips, CLIP, low, high, ORDERS["clips"]).to_pylist()
        self.clips = {film: list(some) for film, some in groupby(clips, itemgetter("film"))}
        self.accounts: dict[int, Counter[str]] = defaultdict(Counter)
        self.counts: dict[str, Counter[str]] = defaultdict(Counter)
        self.gone: list[dict[str, Any]] = []
        self.rows: list[dict[str, Any]] = []
        films = gather(self.store, worker.films, FILM, low, high, ORDERS["films"]).to_pylist()
        self.documents = [next(some) for _, some in groupby(self._accounted(films), itemgetter("id"))]
        self.parts = [parts_of(self.clips[film["id"]]) for film in self.documents]
        spoken = [language_of(self.clips[film["id"]]) or "und" for film in self.documents]
        judge_frames(worker.rules, self.parts, spoken)

    def _accounted(self, films: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """Account for every film; yield those that become documents."""
        last = None
        for film in films:
            clips = self.clips.get(film["id"], [])
            verdict, reason = (MERGED, str(Merged.SAME_RECORD)) if film["id"] == last else _fate(clips)
            self.accounts[film["unit"]][verdict if reason is None else f"{verdict}/{reason}"] += 1
            if verdict == KEPT:
                yield film
            elif verdict != SKIPPED:
                self._leave_out(film, verdict, reason)
            if film["id"] != last and verdict != KEPT:
                self.counts["video"][f"gone/{verdict}"] += len(clips)
            last = film["id"]

    def _leave_out(self, film: Mapping[str, Any], verdict: str, reason: str | None) -> None:
        kept_id = film["id"] if verdict == MERGED else None
        own = {name: film[name] for name in ("id", "uri", "source", "unit")}
        self.gone.append({**own, "verdict": verdict, "reason": reason, "reasons": [], "kept_id": kept_id})

    def write(self, stem: str) -> Iterator[Shard]:
        """Write the documents as a tar, its index, and the rows of their parts."""
        if not self.documents:
            return
        with tempfile.TemporaryDirectory(prefix="corpusmill-") as scratch:
            path = Path(scratch) / "tar"
            tar, index = write_tar_shard(self.store, f"{JOB}/data/{stem}", "interleaved", self._samples(), path)
        yield tar
        yield index
        found = pq.read_table(io.BytesIO(self.store.read(index.name))).to_pylist()
        places = {f"{row['id'].hex()}.{row['extension']}": (row["offset"], row["bytes"]) for row in found}
        rows = [_placed(row, tar.name, places) for row in self.rows]
        yield write_shard(self.store, f"{JOB}/parts/{stem}", "parts", pa.Table.from_pylist(rows, PART_ROW))

    def _samples(self) -> Iterator[Sample]:
        for film, parts in zip(self.documents, self.parts, strict=True):
            key, fields = film["id"].hex(), numbered(parts) if self.is_inline else {}
            self._account(film, parts, fields)
            body = {"json": film_json(film, self.clips[film["id"]], parts, fields)}
            places = {part["sha256"]: part for part in held(parts)} if fields else {}
            for sha256, name in fields.items():
                place = places[sha256]
                body[name] = read_packed(self.store, place["shard"], place["offset"], place["bytes"], sha256)
            yield key, body

    def _account(self, film: Mapping[str, Any], parts: list[dict[str, Any]], fields: Mapping[bytes, str]) -> None:
        key = film["id"].hex()
        for position, part in enumerate(parts):
            verdict, reason = part["verdict"], part.get("reason")
            self.counts[part["kind"]][verdict if reason is None else f"{verdict}/{reason}"] += 1
            row = {name: part.get(name) for name in PART_ROW.names} | {"id": film["id"], "position": position}
            is_stored = verdict == KEPT and part.get("stored") is not None
            row["member"] = member_of(part, key, fields) if is_stored else None
            if part["kind"] == "text":
                row["media"] = None
            self.rows.append(row if is_stored else row | {"shard": None, "offset": None, "bytes": None})


def _fate(clips: list[dict[str, Any]]) -> tuple[str, str | None]:
    """Return the verdict on a film by its clips, and the reason: that of its first clip where none stays."""
    if not clips:
        return SKIPPED, str(SkippedMedia.NO_CLIP)
    if any(clip["verdict"] == KEPT for clip in clips):
        return KEPT, None
    return DROPPED, f"{SkippedMedia.NO_CLIP}/{clips[0]['reason']}"


def _placed(row: dict[str, Any], tar: str, places: Mapping[str, tuple[int, int]]) -> dict[str, Any]:
    """Return a part's row with the place of its bytes in the document's own tar, where they stand there."""
    if row["member"] not in places:
        return row
    offset, size = places[row["member"]]
    return {**row, "shard": tar, "offset": offset, "bytes": size}
