"""Write: each shard reads its key range, takes the bytes of what is kept out of the packs, and is published whole.

A sample of a shard is the image, its caption (`txt`, where there is one) and `json`: where it came from, what it
measures. Beside the tar stand its index and a Parquet table of the same records; what is dropped or merged is in
`dropped/`, with the reasons.
"""

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

from filters.images.captions import CAPTION_SIGNALS, caption_signals
from manifests.keys import key_range
from manifests.reasons import Merged
from manifests.runs import gather, load_runs
from manifests.shards import Shard, write_shard
from manifests.store import Store
from manifests.tar_shards import Sample, write_tar_shard
from pipelines.images.captions import MAX_CAPTIONS
from pipelines.images.contact import contact_sheet
from pipelines.images.packs import PLACE, chunks, read_payloads
from pipelines.images.records import ADOPTED
from pipelines.images.rules import Judged, Judging, first_of
from pipelines.images.statistics import shard_statistics
from pipelines.text.duplicates import MERGED

WRITE_VERSION = 2
NOT_TOLD = ("key", "unit", "ordinal", "pack", "offset")
EXTENSIONS = {"image/jpeg": "jpg", "image/webp": "webp", "image/png": "png"}


class WriteShard:
    """Worker of the write phase. config: that of Judging, and {merged, adopted}: names of lists of runs."""

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        self.store, self.judging = store, Judging(store, config)
        self.merged, self.adopted = (load_runs(store, config[name]) for name in ("merged", "adopted"))

    def close(self) -> None:
        """Nothing is held."""

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """arguments: {shard, shards}."""
        shard, shards = arguments["shard"], arguments["shards"]
        low, high = key_range(shard, shards)
        merged = gather(self.store, self.merged, MERGED, low, high, ("key", "id"))
        adopted = gather(self.store, self.adopted, ADOPTED, low, high, ("key", "id"))
        rows = Rows(self.judging.read(low, high), merged, adopted)
        stem = f"part-{shard:05d}-of-{shards:05d}"
        published = [*self._kept(rows, stem), *self._gone(rows, stem), *self._contact(rows, stem)]
        counts = Counter(rows.verdict.tolist())
        return {
            "shards": [each.as_json() for each in published],
            "accounts": rows.accounts(),
            "statistics": shard_statistics(rows.judged, rows.verdict, rows.captions),
            "counts": {str(verdict): count for verdict, count in sorted(counts.items())},
        }

    def _kept(self, rows: "Rows", stem: str) -> Iterator[Shard]:
        kept = rows.verdict == "kept"
        table = rows.told(kept)
        if not table.num_rows:
            return
        places = rows.judged.images.filter(pa.array(kept)).select(list(PLACE))
        with tempfile.TemporaryDirectory(prefix="corpusmill-") as scratch:
            samples = self._samples(table, places)
            yield from write_tar_shard(self.store, f"images/data/{stem}", "images", samples, Path(scratch) / "tar")
        yield write_shard(self.store, f"images/records/{stem}", "records", table)

    def _gone(self, rows: "Rows", stem: str) -> Iterator[Shard]:
        gone = rows.verdict != "kept"
        if gone.any():
            table = rows.told(gone)
            for name, column in rows.fate(gone).items():
                table = table.append_column(name, column)
            yield write_shard(self.store, f"images/dropped/{stem}", "dropped", table)

    def _contact(self, rows: "Rows", stem: str) -> Iterator[Shard]:
        everything = np.ones(len(rows.verdict), bool)
        sheet = contact_sheet(self.store, rows.judged, rows.fate(everything), rows.captions)
        if sheet.num_rows:
            yield write_shard(self.store, f"images/contact/{stem}", "contact", sheet)

    def _samples(self, table: pa.Table, places: pa.Table) -> Iterator[Sample]:
        for start, end in chunks(places["stored_bytes"].to_pylist()):
            payloads = read_payloads(self.store, places.slice(start, end - start))
            for record, content in zip(table.slice(start, end - start).to_pylist(), payloads, strict=True):
                parts = {EXTENSIONS[record["stored_media_type"]]: content, "json": _json(record)}
                if record["caption"]:
                    parts["txt"] = record["caption"].encode()
                yield record["id"].hex(), parts


def _json(record: Mapping[str, Any]) -> bytes:
    told = {name: _plain(value) for name, value in record.items()}
    return json.dumps(told, ensure_ascii=False, sort_keys=True).encode()


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    return value.isoformat() if isinstance(value, datetime) else value


class Rows:
    """The images of a shard's range with their verdicts, all in one order.

    captions   list<string>: an image's own, then those of the copies that were merged into it
    """

    def __init__(self, judged: Judged, merged: pa.Table, adopted: pa.Table) -> None:
        self.judged = judged
        images = judged.images
        place = pc.index_in(images["id"], merged["id"].combine_chunks()).combine_chunks()
        merge = merged.take(place)
        clustered = np.array([reason is not None for reason in merge["reason"].to_pylist()], bool)
        dropped = judged.verdicts.first >= 0
        self.verdict = np.select([dropped, judged.repeated | clustered], ["dropped", "merged"], "kept")
        said = np.array([*judged.said, None], object)[:-1]
        near = np.array([*merge["reason"].to_pylist(), None], object)[:-1]
        self.reason = np.where(dropped, said, np.where(judged.repeated, str(Merged.SAME_RECORD), near))
        is_merged = pa.array(self.verdict == "merged")
        ids = pc.coalesce(merge["kept_id"].combine_chunks(), images["id"].combine_chunks())
        self.kept_id = pc.if_else(is_merged, ids, pa.scalar(None, ids.type))
        likeness = pc.coalesce(merge["similarity"].combine_chunks(), pa.scalar(1.0))
        self.similarity = pc.if_else(is_merged, likeness, pa.scalar(None, pa.float64()))
        self.captions = self._with_adopted(adopted)

    def _with_adopted(self, adopted: pa.Table) -> pa.ListArray:
        more = dict(zip(adopted["id"].to_pylist(), adopted["captions"].to_pylist(), strict=True))
        own = self.judged.captions
        if not more:
            return own
        ids = self.judged.images["id"].to_pylist()
        lists = [
            list(dict.fromkeys([*said, *(more.get(name, ()) if verdict == "kept" else ())]))[:MAX_CAPTIONS]
            for name, said, verdict in zip(ids, own.to_pylist(), self.verdict.tolist(), strict=True)
        ]
        return pa.array(lists, own.type)

    def told(self, chosen: np.ndarray) -> pa.Table:
        """Return what is published of the chosen images: provenance, captions, signals.

        An image without a caption of its own has the first of its copies'; rules have judged what it had itself.
        """
        table = pa.Table.from_batches([self.judged.signals]).drop_columns([*NOT_TOLD, *CAPTION_SIGNALS.names])
        table = table.filter(pa.array(chosen))
        captions = self.captions.filter(pa.array(chosen))
        caption = first_of(captions)
        measured = caption_signals(caption)
        for name, column in zip(CAPTION_SIGNALS.names, measured.columns, strict=True):
            table = table.append_column(name, column)
        return table.append_column("caption", caption).append_column("captions", captions)

    def fate(self, chosen: np.ndarray) -> dict[str, pa.Array]:
        """Return what became of the chosen images, and why."""
        mask = pa.array(chosen)
        return {
            "verdict": pa.array(self.verdict[chosen].tolist(), pa.string()),
            "reason": pa.array(self.reason[chosen].tolist(), pa.string()),
            "reasons": pa.array(self.judged.failed_rules, pa.list_(pa.string())).filter(mask),
            "kept_id": self.kept_id.filter(mask),
            "similarity": self.similarity.filter(mask),
        }

    def accounts(self) -> dict[str, dict[str, int]]:
        """Return {unit key: {"verdict/reason": images}}."""
        out: dict[str, Counter[str]] = defaultdict(Counter)
        units = self.judged.images["unit"].to_pylist()
        for unit, verdict, reason in zip(units, self.verdict.tolist(), self.reason.tolist(), strict=True):
            out[str(unit)][verdict if verdict == "kept" else f"{verdict}/{reason}"] += 1
        return {unit: dict(sorted(counts.items())) for unit, counts in sorted(out.items())}
