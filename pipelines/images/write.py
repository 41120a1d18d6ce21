"""Write: each shard reads its key range, takes the bytes of what is kept out of the packs, and is published whole.

A sample of a shard is the image, its caption (`txt`, where there is one) and `json`: where it came from, what it
measures. Beside the tar stand its index and a Parquet table of the same records; what is dropped or merged is in
`dropped/`, with the reasons.
"""

import hashlib
import json
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from manifests.integrity import IntegrityError, Problem
from manifests.keys import key_range
from manifests.reasons import Merged
from manifests.runs import gather, load_runs, run_schema
from manifests.shards import Shard, write_shard
from manifests.store import Store
from manifests.tar_shards import Sample, write_tar_shard
from pipelines.images.rules import Judged, read_judged
from pipelines.stages.judges import from_json
from pipelines.stages.staged import Staged
from pipelines.text.duplicates import MERGED

ROWS_AT_ONCE = 256
NOT_TOLD = ("key", "unit", "ordinal", "pack", "offset")
EXTENSIONS = {"image/jpeg": "jpg", "image/webp": "webp", "image/png": "png"}


class WriteShard:
    """Worker of the write phase. config: {staged, captions, merged, rules}."""

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        self.store, self.staged = store, Staged.load(store, config["staged"])
        self.captions, self.merged = load_runs(store, config["captions"]), load_runs(store, config["merged"])
        self.rules = from_json(config["rules"])
        self.schema = run_schema(store, self.staged.runs["images"][0])

    def close(self) -> None:
        """Nothing is held."""

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """arguments: {shard, shards}."""
        shard, shards = arguments["shard"], arguments["shards"]
        low, high = key_range(shard, shards)
        judged = read_judged(self.store, self.staged.runs["images"], self.captions, self.schema, self.rules, low, high)
        rows = Rows(judged, gather(self.store, self.merged, MERGED, low, high, ("key", "id")))
        stem = f"part-{shard:05d}-of-{shards:05d}"
        published = [*self._kept(rows, stem), *self._gone(rows, stem)]
        counts = Counter(rows.verdict.tolist())
        return {
            "shards": [each.as_json() for each in published],
            "accounts": rows.accounts(),
            "statistics": rows.statistics(),
            "counts": {str(verdict): count for verdict, count in sorted(counts.items())},
        }

    def _kept(self, rows: "Rows", stem: str) -> Iterator[Shard]:
        table = rows.told(rows.verdict == "kept")
        if not table.num_rows:
            return
        with tempfile.TemporaryDirectory(prefix="corpusmill-") as scratch:
            samples = self._samples(rows, table)
            yield from write_tar_shard(self.store, f"images/data/{stem}", "images", samples, Path(scratch) / "tar")
        yield write_shard(self.store, f"images/records/{stem}", "records", table)

    def _gone(self, rows: "Rows", stem: str) -> Iterator[Shard]:
        gone = rows.verdict != "kept"
        if gone.any():
            mask = pa.array(gone)
            table = rows.told(gone)
            columns = {
                "verdict": pa.array(rows.verdict[gone].tolist(), pa.string()),
                "reason": pa.array(rows.reason[gone].tolist(), pa.string()),
                "reasons": pa.array(rows.failed, pa.list_(pa.string())).filter(mask),
                "kept_id": rows.kept_id.filter(mask),
                "similarity": rows.similarity.filter(mask),
            }
            for name, column in columns.items():
                table = table.append_column(name, column)
            yield write_shard(self.store, f"images/dropped/{stem}", "dropped", table)

    def _samples(self, rows: "Rows", table: pa.Table) -> Iterator[Sample]:
        places = rows.judged.images.filter(pa.array(rows.verdict == "kept")).select(["pack", "offset"])
        for batch, where in zip(_pieces(table), _pieces(places), strict=True):
            for record, place in zip(batch.to_pylist(), where.to_pylist(), strict=True):
                content = self.store.read_range(place["pack"], place["offset"], record["stored_bytes"])
                _check(content, record, place["pack"])
                parts = {EXTENSIONS[record["stored_media_type"]]: content, "json": _json(record)}
                if record["caption"]:
                    parts["txt"] = record["caption"].encode()
                yield record["id"].hex(), parts


def _pieces(table: pa.Table) -> Iterator[pa.Table]:
    return (table.slice(start, ROWS_AT_ONCE) for start in range(0, table.num_rows, ROWS_AT_ONCE))


def _check(content: bytes, record: Mapping[str, Any], pack: str) -> None:
    if (found := hashlib.sha256(content).digest()) != record["stored_sha256"]:
        what = f"sha256 of {record['id'].hex()}"
        raise IntegrityError(Problem(pack, what, record["stored_sha256"].hex(), found.hex()))


def _json(record: Mapping[str, Any]) -> bytes:
    told = {name: _plain(value) for name, value in record.items()}
    return json.dumps(told, ensure_ascii=False, sort_keys=True).encode()


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    return value.isoformat() if isinstance(value, datetime) else value


class Rows:
    """The images of a shard's range with their verdicts, all in one order."""

    def __init__(self, judged: Judged, merged: pa.Table) -> None:
        self.judged = judged
        images = judged.images
        place = pc.index_in(images["id"], merged["id"].combine_chunks()).combine_chunks()
        merge = merged.take(place)
        clustered = np.array([reason is not None for reason in merge["reason"].to_pylist()], bool)
        dropped = judged.verdicts.first >= 0
        self.verdict = np.select([dropped, judged.repeated | clustered], ["dropped", "merged"], "kept")
        self.failed = judged.failed_rules()
        said = np.array([*judged.said, None], object)[:-1]
        near = np.array([*merge["reason"].to_pylist(), None], object)[:-1]
        self.reason = np.where(dropped, said, np.where(judged.repeated, str(Merged.SAME_RECORD), near))
        is_merged = pa.array(self.verdict == "merged")
        ids = pc.coalesce(merge["kept_id"].combine_chunks(), images["id"].combine_chunks())
        self.kept_id = pc.if_else(is_merged, ids, pa.scalar(None, ids.type))
        likeness = pc.coalesce(merge["similarity"].combine_chunks(), pa.scalar(1.0))
        self.similarity = pc.if_else(is_merged, likeness, pa.scalar(None, pa.float64()))

    def told(self, chosen: np.ndarray) -> pa.Table:
        """Return what is published of the chosen images: provenance, caption, signals."""
        table = pa.Table.from_batches([self.judged.signals]).append_column("caption", self.judged.caption)
        return table.drop_columns(list(NOT_TOLD)).filter(pa.array(chosen))

    def accounts(self) -> dict[str, dict[str, int]]:
        """Return {unit key: {"verdict/reason": images}}."""
        out: dict[str, Counter[str]] = defaultdict(Counter)
        units = self.judged.images["unit"].to_pylist()
        for unit, verdict, reason in zip(units, self.verdict.tolist(), self.reason.tolist(), strict=True):
            out[str(unit)][verdict if verdict == "kept" else f"{verdict}/{reason}"] += 1
        return {unit: dict(sorted(counts.items())) for unit, counts in sorted(out.items())}

    def statistics(self) -> dict[str, Any]:
        """Return what adds up over shards."""
        kept = self.judged.images.filter(pa.array(self.verdict == "kept"))
        captions = self.judged.caption.filter(pa.array(self.verdict == "kept"))
        formats = Counter(kept["format"].to_pylist())
        return {
            "formats": dict(sorted(formats.items())),
            "kept_pixels": int(pc.sum(kept["pixel_count"]).as_py() or 0),
            "kept_bytes": int(pc.sum(kept["stored_bytes"]).as_py() or 0),
            "captioned": len(captions) - captions.null_count,
        }
