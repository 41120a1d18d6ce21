"""Write: each shard reads its key range, takes the bytes of what is kept out of the packs, and is published whole.

A sample of a shard is the image, its caption (`txt`, where there is one) and `json`: where it came from, what it
measures. Beside the tar stand its index and a Parquet table of the same records; what is dropped or merged is in
`dropped/`, with the reasons.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from filters.images.captions import CAPTION_SIGNALS, caption_signals
from manifests.keys import key_range
from manifests.runs import gather, load_runs
from manifests.store import Store
from manifests.tar_shards import Sample
from pipelines.images.captions import MAX_CAPTIONS
from pipelines.images.contact import contact_sheet
from pipelines.images.packs import PLACE, chunks, read_payloads
from pipelines.images.records import ADOPTED
from pipelines.images.rules import Judged, Judging, first_of
from pipelines.images.statistics import shard_statistics
from pipelines.stages.duplicate_rows import MERGED
from pipelines.stages.published import Decided, marker_of, row_json, stem_of_range, write_kept, write_rows

WRITE_VERSION = 2
JOB = "images"
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
        stem, told = stem_of_range(shard, shards), rows.told()
        kept = pa.array(rows.is_kept)
        table, places = told.filter(kept), rows.judged.rows.filter(kept).select(list(PLACE))
        sheet = contact_sheet(self.store, rows.judged, rows.fate_columns(np.arange(len(rows.verdict))), rows.captions)
        published = [
            *write_kept(self.store, JOB, stem, table, self._samples(table, places)),
            *rows.gone(self.store, f"{JOB}/dropped/{stem}", told),
            *write_rows(self.store, JOB, stem, "contact", sheet),
        ]
        return marker_of(published, rows, shard_statistics(rows.judged, rows.verdict, rows.captions))

    def _samples(self, table: pa.Table, places: pa.Table) -> Iterator[Sample]:
        for start, end in chunks(places["stored_bytes"].to_pylist()):
            payloads = read_payloads(self.store, places.slice(start, end - start))
            for record, content in zip(table.slice(start, end - start).to_pylist(), payloads, strict=True):
                parts = {EXTENSIONS[record["stored_media_type"]]: content, "json": row_json(record)}
                if record["caption"]:
                    parts["txt"] = record["caption"].encode()
                yield record["id"].hex(), parts


class Rows(Decided):
    """The images of a shard's range with their verdicts, all in one order.

    captions   list<string>: an image's own, then those of the copies that were merged into it
    """

    judged: Judged

    def __init__(self, judged: Judged, merged: pa.Table, adopted: pa.Table) -> None:
        super().__init__(judged, merged)
        self.captions = self._with_adopted(adopted)

    def _with_adopted(self, adopted: pa.Table) -> pa.ListArray:
        more = dict(zip(adopted["id"].to_pylist(), adopted["captions"].to_pylist(), strict=True))
        own = self.judged.captions
        if not more:
            return own
        ids = self.judged.rows["id"].to_pylist()
        lists = [
            list(dict.fromkeys([*said, *(more.get(name, ()) if verdict == "kept" else ())]))[:MAX_CAPTIONS]
            for name, said, verdict in zip(ids, own.to_pylist(), self.verdict.tolist(), strict=True)
        ]
        return pa.array(lists, own.type)

    def told(self) -> pa.Table:
        """Return what is published of the images: provenance, captions, signals.

        An image without a caption of its own has the first of its copies'; rules have judged what it had itself.
        """
        table = pa.Table.from_batches([self.judged.signals]).drop_columns([*NOT_TOLD, *CAPTION_SIGNALS.names])
        caption = first_of(self.captions)
        measured = caption_signals(caption)
        for name, column in zip(CAPTION_SIGNALS.names, measured.columns, strict=True):
            table = table.append_column(name, column)
        return table.append_column("caption", caption).append_column("captions", self.captions)
