"""Stage: one unit in; rows of measured images, their encoded bytes in packs, bands, captions, and a marker.

As in the text job a unit is written in parts, each with a marker and the cursor behind it, so a killed unit goes on
from its last part and memory does not grow with the unit.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from filters.guard import GuardedPool
from filters.images.near import band_keys
from manifests.keys import keys_of, record_ids
from manifests.limits import Limits
from manifests.reasons import Refused
from manifests.store import Store
from pipelines.images.captions import caption_rows, image_stems
from pipelines.images.near import likeness
from pipelines.images.records import BAND, CAPTION, LAYOUT, PLACED, SIDECAR_TYPES, STEM
from pipelines.sources import RawChunk, Unit
from pipelines.stages.media import Pack, allowed, crashed, failed
from pipelines.stages.parts import Rows, Staging

MEASURED_ELSEWHERE = ("row", "sha256")  # the digest of what came is there already


class StageImages:
    """Worker of the stage phase. config: {inputs: {name: uri}, child, limits, refuse, max_distance, pack_bytes}."""

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        limits = Limits(**config["limits"])
        self.pool = GuardedPool("filters.images.child:factory", config["child"], limits)
        self.staging = Staging(
            store, LAYOUT, config["inputs"], limits, lambda unit, key: ImagePart(unit, key, self.pool, config)
        )

    def close(self) -> None:
        self.pool.close()

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """arguments: {unit, unit_key, generation, prefix: where the unit's staged objects go}."""
        return self.staging.run(arguments)


class ImagePart:
    """Images of a unit, the bytes of its pack, and the texts that may be captions."""

    def __init__(self, unit: Unit, unit_key: int, pool: GuardedPool, config: Mapping[str, Any]) -> None:
        self.unit, self.unit_key = unit, unit_key
        self.pool, self.config = pool, config
        self.refuse = frozenset(Refused(name) for name in config["refuse"])
        self.rows, self.pack = Rows(unit, unit_key, LAYOUT), Pack()

    @property
    def is_full(self) -> bool:
        return self.pack.bytes >= int(self.config["pack_bytes"])

    def take(self, chunk: RawChunk) -> None:
        """Measure a chunk's images and add what came of them; its texts may be captions."""
        self.rows.count(chunk)
        if not chunk.batch.num_rows:
            return
        is_text = np.array([kind in SIDECAR_TYPES for kind in chunk.batch["media_type"].to_pylist()], bool)
        self._texts(chunk.batch.filter(pa.array(is_text)))
        self._images(allowed(self.rows, chunk.batch.filter(pa.array(~is_text)), self.refuse, "image"))

    def _texts(self, batch: pa.RecordBatch) -> None:
        rows = list(caption_rows(batch))
        if rows:
            self.rows.add("captions", pa.Table.from_pylist(rows, CAPTION))
        if batch.num_rows:
            self.rows.reasons["skipped/sidecar"] += batch.num_rows

    def _images(self, batch: pa.RecordBatch) -> None:
        if not batch.num_rows:
            return
        done = self.pool.run(batch.select(["uri", "media_type", "payload"]))
        given = batch.take(pa.array(done.rows))
        self.rows.quarantine(crashed(batch, done.failures))
        broken, records, payloads = (_table(done.outputs[name]) for name in ("failed", "records", "payloads"))
        self.rows.quarantine(failed(given, broken.to_pylist()))
        if records.num_rows:
            self._place(given.take(records["row"].combine_chunks()), records, payloads)

    def _place(self, given: pa.RecordBatch, records: pa.Table, payloads: pa.Table) -> None:
        """Add image rows; `records` and `payloads` are in the order of `given`. Offsets count in the part's pack."""
        offsets = self.pack.add(payloads["bytes"])
        ids, count = record_ids(given["uri"].to_pylist(), given["digest"].to_pylist()), given.num_rows
        columns: dict[str, Any] = {
            "key": keys_of(ids),
            "id": ids,
            "unit": [self.unit_key] * count,
            "source": [self.unit.source] * count,
            "pack": [""] * count,  # named when the part is stored
            "offset": offsets,
            **{name: given[name] for name in ("ordinal", "uri", "fetched_at", "digest", "media_type", "policy")},
        }
        placed = pa.table({name: pa.array(columns[name], kind) for name, kind in PLACED})
        for name in records.column_names:
            if name not in MEASURED_ELSEWHERE:
                placed = placed.append_column(name, records[name])
        self.rows.add("images", placed)
        self._keys(ids, given, records)

    def _keys(self, ids: pa.Array, given: pa.RecordBatch, records: pa.Table) -> None:
        """Add the bands under which near-duplicates meet, and the names under which captions do."""
        hashes = likeness(records["phash"], records["color_range"], given["digest"])
        bands = band_keys(hashes, int(self.config["max_distance"]))
        each = np.repeat(np.arange(len(ids)), bands.shape[1])
        rows = {"key": bands.ravel(), "id": ids.take(pa.array(each)), "phash": hashes[each]}
        self.rows.add("bands", pa.table(rows, schema=BAND))
        told = zip(given["uri"].to_pylist(), given["digest"].to_pylist(), strict=True)
        stems = [(*stem, row) for row, (uri, digest) in enumerate(told) for stem in image_stems(uri, digest).items()]
        places = pa.array([row for *_, row in stems], pa.int64())
        named = {
            "key": [key for key, *_ in stems],
            "id": ids.take(places),
            "digest": given["digest"].take(places),
            "kind": [kind for _, kind, _ in stems],
        }
        self.rows.add("stems", pa.table(named, schema=STEM))

    def store(self, store: Store, stem: str) -> dict[str, Any]:
        """Write the part's pack and runs; return what its marker says."""
        name = self.pack.store(store, LAYOUT.job)
        self.rows.tables["images"] = [_in_pack(table, name) for table in self.rows.tables["images"]]
        return self.rows.store(store, stem, encoded_bytes=self.pack.bytes)


def _in_pack(table: pa.Table, name: str) -> pa.Table:
    place = table.column_names.index("pack")
    return table.set_column(place, "pack", pa.array([name] * table.num_rows, pa.string()))


def _table(batch: Any) -> pa.Table:
    return pa.Table.from_batches([batch])
