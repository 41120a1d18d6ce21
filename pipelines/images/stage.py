"""Stage: one unit in; rows of measured images, their encoded bytes in packs, bands, captions, and a marker.

As in the text job a unit is written in parts, each with a marker and the cursor behind it, so a killed unit goes on
from its last part and memory does not grow with the unit.
"""

import hashlib
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from filters import policy
from filters.guard import Failure, GuardedPool
from filters.images.near import band_keys
from manifests.keys import canonical_json, keys_of, record_ids
from manifests.limits import Limits
from manifests.reasons import Refused
from manifests.records import QUARANTINED
from manifests.runs import Run, gather, put_same, write_run
from manifests.shards import write_shard
from manifests.store import Store, open_input
from pipelines.images.captions import TYPES, caption_rows, image_stems
from pipelines.images.near import likeness
from pipelines.images.records import BAND, CAPTION, KINDS, ORDERS, PLACED, REFUSED, STEM
from pipelines.sources import RawChunk, Unit, read_unit
from pipelines.text.part import content_of

IMAGE_TYPES = frozenset(f"image/{name}" for name in ("jpeg", "jpg", "png", "webp", "gif", "tiff", "bmp", "avif"))
STAGED_QUARANTINE = pa.schema([("key", pa.uint64()), *QUARANTINED])
MEASURED_ELSEWHERE = ("row", "sha256")  # the digest of what came is there already
SETTLED = {"quarantine": STAGED_QUARANTINE, "refused": REFUSED}


class StageImages:
    """Worker of the stage phase. config: {inputs: {name: uri}, child, limits, refuse, max_distance, pack_bytes}."""

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        self.store, self.config = store, config
        self.limits = Limits(**config["limits"])
        self.pool = GuardedPool("filters.images.child:factory", config["child"], self.limits)

    def close(self) -> None:
        self.pool.close()

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """arguments: {unit, unit_key, generation, prefix: where the unit's staged objects go}."""
        unit = Unit(**{**arguments["unit"], "members": tuple(arguments["unit"]["members"])})
        parts = list(self._finished(arguments["prefix"]))
        if not (parts and parts[-1]["last"]):
            cursor = parts[-1]["cursor"] if parts else 0
            parts.extend(self._stage(unit, arguments, cursor, len(parts)))
        runs = {kind: [part["runs"][kind] for part in parts if kind in part["runs"]] for kind in ORDERS}
        return self._summary(unit, arguments, parts, runs)

    def _finished(self, prefix: str) -> Iterator[dict[str, Any]]:
        number = 0
        while self.store.size(name := f"{prefix}/part-{number:04d}.json") is not None:
            yield json.loads(self.store.read(name))
            number += 1

    def _stage(self, unit: Unit, arguments: dict[str, Any], cursor: int, number: int) -> Iterator[dict[str, Any]]:
        part = ImagePart(unit, arguments["unit_key"], self.config)
        types = IMAGE_TYPES | TYPES
        for chunk in read_unit(open_input(self.config["inputs"][unit.source]), unit, cursor, self.limits, types):
            part.take(chunk, self.pool)
            if part.pack_bytes >= self.config["pack_bytes"]:
                yield self._finish(part, arguments["prefix"], number, last=False)
                part, number = ImagePart(unit, arguments["unit_key"], self.config), number + 1
        yield self._finish(part, arguments["prefix"], number, last=True)

    def _finish(self, part: "ImagePart", prefix: str, number: int, *, last: bool) -> dict[str, Any]:
        body = {**part.store(self.store, f"{prefix}/{number:04d}"), "last": last}
        put_same(self.store, f"{prefix}/part-{number:04d}.json", canonical_json(body))
        return body

    def _summary(
        self, unit: Unit, arguments: Mapping[str, Any], parts: list[dict[str, Any]], runs: dict[str, Any]
    ) -> dict[str, Any]:
        """Return the unit's done-marker; its quarantined and refused records are published here."""
        shards = []
        for kind, schema in SETTLED.items():
            if runs[kind]:
                rows = gather(self.store, [Run(**run) for run in runs[kind]], schema, order=ORDERS[kind])
                stem = f"images/{kind}/{arguments['unit_key']:016x}"
                shards.append(write_shard(self.store, stem, kind, rows.drop_columns(["key"])).as_json())
        reasons = sum((Counter(part["reasons"]) for part in parts), Counter[str]())
        return {
            "unit": unit.name,
            "unit_key": arguments["unit_key"],
            "source": unit.source,
            "generation": arguments["generation"],
            "runs": {kind: runs[kind] for kind in KINDS},
            "reasons": dict(sorted(reasons.items())),
            **{name: sum(part[name] for part in parts) for name in ("read", "lost_bytes", "encoded_bytes")},
            "content": f"{sum(int(part['content'], 16) for part in parts) % (1 << 256):064x}",
            "shards": shards,
            "counts": {"images": sum(run["rows"] for run in runs["images"])},
        }


class ImagePart:
    """Rows of a unit by kind, the bytes of its pack, and the counts that account for what was read."""

    def __init__(self, unit: Unit, unit_key: int, config: Mapping[str, Any]) -> None:
        self.unit, self.unit_key = unit, unit_key
        self.refuse = frozenset(Refused(name) for name in config["refuse"])
        self.distance = config["max_distance"]
        self.tables: dict[str, list[pa.Table]] = {kind: [] for kind in ORDERS}
        self.pack: list[bytes] = []
        self.reasons: Counter[str] = Counter()
        self.read = self.lost_bytes = self.cursor = self.pack_bytes = self.content = 0

    def take(self, chunk: RawChunk, pool: GuardedPool) -> None:
        """Measure a chunk's images and add what came of them; its texts may be captions."""
        self.read += chunk.batch.num_rows + sum(chunk.skipped.values()) + len(chunk.quarantined)
        self.reasons.update({f"skipped/{kind}": count for kind, count in chunk.skipped.items()})
        self.lost_bytes += chunk.lost_bytes
        self.cursor = chunk.cursor
        self._quarantine(chunk.quarantined)
        if not chunk.batch.num_rows:
            return
        self.content += content_of(chunk.batch)
        is_text = np.array([kind in TYPES for kind in chunk.batch["media_type"].to_pylist()], bool)
        self._texts(chunk.batch.filter(pa.array(is_text)))
        self._images(self._allowed(chunk.batch.filter(pa.array(~is_text))), pool)

    def _texts(self, batch: pa.RecordBatch) -> None:
        rows = list(caption_rows(batch))
        if rows:
            self.tables["captions"].append(pa.Table.from_pylist(rows, CAPTION))
        if batch.num_rows:
            self.reasons["skipped/sidecar"] += batch.num_rows

    def _allowed(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Put aside what its owner refuses, before anything looks at it."""
        said = [policy.directives(lines.split("\n")) if lines else () for lines in batch["policy"].to_pylist()]
        refusals = [policy.refusal(words, self.refuse, "image") for words in said]
        gone = np.array([refusal is not None for refusal in refusals], bool)
        if gone.any():
            self._refuse(batch.filter(pa.array(gone)), [str(each) for each in refusals if each])
        return batch.filter(pa.array(~gone))

    def _refuse(self, batch: pa.RecordBatch, reasons: Sequence[str]) -> None:
        ids = record_ids(batch["uri"].to_pylist(), batch["digest"].to_pylist())
        count = batch.num_rows
        columns = {
            "key": keys_of(ids),
            "id": ids,
            "uri": batch["uri"],
            "source": [self.unit.source] * count,
            "unit": [self.unit_key] * count,
            "ordinal": batch["ordinal"],
            "reason": list(reasons),
            "policy": batch["policy"],
        }
        self.tables["refused"].append(pa.table(columns, schema=REFUSED))
        self.reasons.update(f"refused/{reason}" for reason in reasons)

    def _images(self, batch: pa.RecordBatch, pool: GuardedPool) -> None:
        if not batch.num_rows:
            return
        captions = pa.nulls(batch.num_rows, pa.string())  # they meet their images later
        done = pool.run(batch.select(["uri", "media_type", "payload"]).append_column("caption", captions))
        given = batch.take(pa.array(done.rows))
        self._quarantine([_crashed(batch, failure) for failure in done.failures])
        failed, records, payloads = (_table(done.outputs[name]) for name in ("failed", "records", "payloads"))
        self._quarantine([_failed(given, row) for row in failed.to_pylist()])
        if records.num_rows:
            self._place(given.take(records["row"].combine_chunks()), records, payloads)

    def _place(self, given: pa.RecordBatch, records: pa.Table, payloads: pa.Table) -> None:
        """Add image rows; `records` and `payloads` are in the order of `given`. Offsets count in the part's pack."""
        sizes = records["stored_bytes"].to_numpy()
        offsets = self.pack_bytes + np.cumsum(sizes) - sizes
        self.pack += [payload.as_buffer().to_pybytes() for payload in payloads["bytes"]]
        self.pack_bytes += int(sizes.sum())
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
        self.tables["images"].append(placed)
        self._keys(ids, given, records)

    def _keys(self, ids: pa.Array, given: pa.RecordBatch, records: pa.Table) -> None:
        """Add the bands under which near-duplicates meet, and the names under which captions do."""
        hashes = likeness(records["phash"], records["color_range"], given["digest"])
        bands = band_keys(hashes, self.distance)
        each = np.repeat(np.arange(len(ids)), bands.shape[1])
        rows = {"key": bands.ravel(), "id": ids.take(pa.array(each)), "phash": hashes[each]}
        self.tables["bands"].append(pa.table(rows, schema=BAND))
        stems = [(key, place) for place, uri in enumerate(given["uri"].to_pylist()) for key in image_stems(uri)]
        places = pa.array([place for _, place in stems], pa.int64())
        self.tables["stems"].append(pa.table({"key": [key for key, _ in stems], "id": ids.take(places)}, schema=STEM))

    def _quarantine(self, rows: Sequence[Mapping[str, Any]]) -> None:
        own = {"source": self.unit.source, "unit": self.unit_key}
        if rows:
            table = pa.Table.from_pylist([{**row, **own, "key": row["ordinal"]} for row in rows], STAGED_QUARANTINE)
            self.tables["quarantine"].append(table)
            self.reasons.update(f"quarantined/{row['reason']}" for row in rows)

    def store(self, store: Store, stem: str) -> dict[str, Any]:
        """Write the part's pack and runs; return what its marker says."""
        pack = b"".join(self.pack)
        name = f"images/packs/{hashlib.sha256(pack).hexdigest()[:32]}.pack"
        if pack:
            put_same(store, name, pack)
        runs = {}
        for kind, tables in self.tables.items():
            if tables:
                table = pa.concat_tables(tables)
                if kind == "images":
                    place = table.column_names.index("pack")
                    table = table.set_column(place, "pack", pa.array([name] * table.num_rows, pa.string()))
                runs[kind] = write_run(store, f"{stem}-{kind}", table, ORDERS[kind]).as_json()
        return {
            "runs": runs,
            "read": self.read,
            "reasons": dict(sorted(self.reasons.items())),
            "lost_bytes": self.lost_bytes,
            "encoded_bytes": self.pack_bytes,
            "cursor": self.cursor,
            "content": f"{self.content % (1 << 256):064x}",
        }


def _table(batch: Any) -> pa.Table:
    return pa.Table.from_batches([batch])


def _where(batch: pa.RecordBatch, row: int) -> dict[str, Any]:
    found = batch.slice(row, 1)
    size = found["payload"][0].as_buffer().size
    return {**{name: found[name][0].as_py() for name in ("uri", "ordinal", "offset", "digest")}, "bytes": size}


def _crashed(batch: pa.RecordBatch, failure: Failure) -> dict[str, Any]:
    """Return the quarantine row of an image that its decoder's process could not survive."""
    told = {"reason": str(failure.reason), "detail": failure.detail, "limit": None, "limit_value": None}
    return {**_where(batch, failure.row), **told, "observed": None}


def _failed(given: pa.RecordBatch, row: Mapping[str, Any]) -> dict[str, Any]:
    """Return the quarantine row of an image that its decoder refused."""
    told = {"reason": row["reason"], "detail": row["detail"], "limit": None, "limit_value": row["limit"]}
    return {**_where(given, row["row"]), **told, "observed": row["observed"]}
