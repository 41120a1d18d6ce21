"""Media: the records of images, audio and video -> the stored texts that evidence about them counts in.

Of a picture its caption, of a sound or clip its transcript, with the times of each piece.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from filters.instruct.record import sha256_of
from manifests.keys import digest_of
from manifests.manifest import Manifest
from manifests.reader import open_shard, shard_of
from manifests.shards import write_shard
from manifests.store import Store
from pipelines.instruct.documents import day
from pipelines.instruct.records import JOB, SOURCE
from pipelines.tasks import Task

MEDIA_VERSION = 1
MEDIA_JOBS = ("images", "audio", "video")
ROWS_AT_ONCE = 1024
MODALITY = {"images": "image", "audio": "audio", "video": "video"}
WANTED = {
    "images": ("caption", "captions", "caption_language"),
    "audio": ("transcript", "transcript_parts", "transcript_language", "stated_language", "duration_s"),
    "video": ("transcript", "parts", "transcript_language", "stated_language", "start_s", "duration_s"),
}
Row = Mapping[str, Any]


def media_tasks(job: str, manifest: Manifest) -> list[Task]:
    """Return a task for each shard of records."""
    tasks = []
    for entry in manifest["shards"]:
        if entry["kind"] == "records":
            name = digest_of([entry, job, MEDIA_VERSION])[:32]
            arguments = {"shard": entry, "job": job, "output": f"{JOB}/sources/{job}-{name[:8]}"}
            tasks.append(Task(f"{JOB}/media/{name}.json", arguments))
    return tasks


class ReadMedia:
    """Worker: one shard of media records -> a published shard of SOURCE rows. config: {}."""

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        self.store = store

    def close(self) -> None:
        """Nothing is held."""

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """arguments: {shard: its manifest entry, job, output}."""
        job, rows = arguments["job"], []
        with open_shard(self.store, shard_of(arguments["shard"])) as file:
            parquet = pq.ParquetFile(file, page_checksum_verification=True)
            there = set(parquet.schema_arrow.names)
            columns = [name for name in ("id", "uri", "fetched_at", *WANTED[job]) if name in there]
            for batch in parquet.iter_batches(ROWS_AT_ONCE, columns=columns, use_threads=False):
                rows += [made for row in batch.to_pylist() if (made := source_row(job, row))]
        rows.sort(key=lambda row: row["id"])
        shard = write_shard(self.store, arguments["output"], "sources", pa.Table.from_pylist(rows, SOURCE))
        languages = Counter[str]()
        for row in rows:
            languages[row["language"]] += len(row["text"].encode("utf-8", "surrogatepass"))
        return {
            "shard": shard.as_json(),
            "languages": dict(sorted(languages.items())),
            "counts": {"sources": len(rows)},
        }


def source_row(job: str, row: Row) -> dict[str, Any] | None:
    """Return the SOURCE row of a media record, None where nothing is said of it."""
    text = row.get("caption" if job == "images" else "transcript")
    if not text:
        return None
    language = row.get("stated_language") or row.get("caption_language") or row.get("transcript_language") or "und"
    return {
        "id": row["id"],
        "job": job,
        "uri": row["uri"],
        "modality": MODALITY[job],
        "language": language,
        "licence": None,
        "text": text,
        "text_sha256": bytes.fromhex(sha256_of(text)),
        "title": None,
        "fetched_at": day(row.get("fetched_at")),
        "mentions": [each for each in row.get("captions") or () if each != text],
        "cues": list(_cues(text, _pieces(job, row))),
    }


def _pieces(job: str, row: Row) -> Iterator[tuple[str, float, float]]:
    """Yield (text, start_s, end_s) of what is said, times from the start of the record's own sound."""
    whole = float(row.get("duration_s") or 0)
    if job == "audio":
        for part in row["transcript_parts"] or ():
            start, end = part["start_s"], part["end_s"]
            yield part["text"], 0.0 if start is None else start, whole if end is None else end
    elif job == "video":
        for part in row["parts"] or ():
            if part["kind"] == "text" and part["text"]:
                yield part["text"], part["start_s"] - row["start_s"], part["end_s"] - row["start_s"]


def _cues(text: str, pieces: Iterator[tuple[str, float, float]] | Sequence[tuple[str, float, float]]) -> Iterator[Row]:
    """Yield where each piece stands in the text; one that is not there as it is said is left out."""
    at = 0
    for said, start_s, end_s in pieces:
        place = text.find(said, at)
        if place >= 0 and said:
            times = {"t0_ms": round(1000 * max(start_s, 0.0)), "t1_ms": round(1000 * end_s)}
            yield {"start": place, "end": place + len(said), **times}
            at = place + len(said)
