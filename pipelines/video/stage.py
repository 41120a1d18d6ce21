"""Stage: one unit in; rows of measured clips, their files in packs, bands, texts, and a marker.

As in the other jobs a unit is written in parts, each with a marker and the cursor behind it, so a killed unit goes on
from its last part and memory does not grow with the unit. A film is the least that a part holds.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import groupby
from operator import itemgetter
from typing import Any

import numpy as np
import pyarrow as pa

from filters.guard import GuardedPool
from filters.video.limits import guard_limits
from manifests.keys import keys_of, record_id, record_ids
from manifests.limits import Limits, VideoLimits
from manifests.reasons import Refused, SkippedMedia
from manifests.store import Store
from pipelines.audio.records import SIDECAR_TYPES
from pipelines.audio.transcripts import transcript_table
from pipelines.sources import RawChunk, Unit
from pipelines.stages import speech
from pipelines.stages.media import Pack, allowed, crashed, failed
from pipelines.stages.parts import Rows, Staging
from pipelines.video.near import band_rows
from pipelines.video.records import BAND, CLIP_ROW, FILM_ROW, LAYOUT, STEM
from pipelines.video.told import stem_rows

GIVEN = ("ordinal", "uri", "fetched_at", "digest", "media_type", "policy")
CLIP_BYTES, PART_BYTES = 4096, 1024  # what rows take in memory, about
ENTRY = "filters.video.clip_child:factory"


class StageVideo:
    """Worker of the stage phase. config: {inputs: {name: uri}, child, limits, refuse, pack_bytes}."""

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        limits, video = Limits(**config["limits"]), VideoLimits(**config["child"]["limits"])
        child = {**config["child"], "transcriber": speech.brought(store, config["transcriber"])}
        self.pool = GuardedPool(ENTRY, child, guard_limits(limits, video), video.decode_cpu_s)
        sources = replace(limits, max_record_bytes=video.max_media_bytes)
        self.staging = Staging(
            store, LAYOUT, config["inputs"], sources, lambda unit, key: VideoPart(unit, key, self.pool, config)
        )

    def close(self) -> None:
        self.pool.close()

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """arguments: {unit, unit_key, generation, prefix: where the unit's staged objects go}."""
        return self.staging.run(arguments)


class VideoPart:
    """Clips of a unit's films, the bytes of their pack, and the texts that belong to films."""

    def __init__(self, unit: Unit, unit_key: int, pool: GuardedPool, config: Mapping[str, Any]) -> None:
        self.unit, self.unit_key = unit, unit_key
        self.pool, self.config = pool, config
        self.refuse = frozenset(Refused(name) for name in config["refuse"])
        self.rows, self.pack = Rows(unit, unit_key, LAYOUT), Pack()
        self.clips: list[dict[str, Any]] = []
        self.expanded = self.row_bytes = 0

    @property
    def is_full(self) -> bool:
        return self.pack.bytes + self.row_bytes >= int(self.config["pack_bytes"])

    def take(self, chunk: RawChunk) -> None:
        """Cut a chunk's films into clips and add what came of them; its texts may belong to films."""
        self.rows.count(chunk)
        if not chunk.batch.num_rows:
            return
        is_text = np.array([kind in SIDECAR_TYPES for kind in chunk.batch["media_type"].to_pylist()], bool)
        texts = chunk.batch.filter(pa.array(is_text))
        if texts.num_rows:
            self.rows.add("transcripts", transcript_table(texts))
            self.rows.reasons[f"skipped/{SkippedMedia.SIDECAR}"] += texts.num_rows
        self._films(allowed(self.rows, chunk.batch.filter(pa.array(~is_text)), self.refuse, "video"))

    def _films(self, batch: pa.RecordBatch) -> None:
        if not batch.num_rows:
            return
        done = self.pool.run(batch.select(["uri", "media_type", "payload"]))
        given = batch.take(pa.array(done.rows))
        self.rows.quarantine(crashed(batch, done.failures))
        self.rows.quarantine([self._limited(row) for row in failed(given, _rows(done.outputs["failed"]))])
        films, clips, members = (_rows(done.outputs[name]) for name in ("films", "clips", "members"))
        if films:
            self._place(self._sources(given), films, clips, members)

    def _limited(self, row: dict[str, Any]) -> dict[str, Any]:
        """Return a quarantine row with the limit's value beside its name, where that is a whole number."""
        value = self.config["child"]["limits"].get(row["limit"])
        return {**row, "limit_value": value if isinstance(value, int) else None}

    def _sources(self, given: pa.RecordBatch) -> list[dict[str, Any]]:
        ids = record_ids(given["uri"].to_pylist(), given["digest"].to_pylist()).to_pylist()
        own = {"unit": self.unit_key, "source": self.unit.source}
        return [{**row, **own, "id": id_} for row, id_ in zip(given.select(GIVEN).to_pylist(), ids, strict=True)]

    def _place(
        self,
        sources: Sequence[dict[str, Any]],
        films: Sequence[dict[str, Any]],
        clips: Sequence[dict[str, Any]],
        members: Sequence[dict[str, Any]],
    ) -> None:
        """Add the rows of films and clips; `row` points into `sources`."""
        self.rows.add("films", _keyed([{**film, **sources[film["row"]]} for film in films], FILM_ROW))
        files = {place: list(some) for place, some in groupby(members, itemgetter("row", "clip"))}
        made = [self._clip(sources[clip["row"]], clip, files.get((clip["row"], clip["clip"]), [])) for clip in clips]
        self.clips += made
        self.row_bytes += sum(CLIP_BYTES + PART_BYTES * len(clip["parts"]) for clip in made)
        whole = {clip["row"] for clip in clips}
        self.expanded += len(whole)
        if without := len(films) - len(whole):
            self.rows.reasons[f"skipped/{SkippedMedia.NO_CLIP}"] += without
        stems = [
            stem
            for row, some in groupby(zip(clips, made, strict=True), lambda pair: pair[0]["row"])
            for stem in stem_rows(sources[row]["uri"], [clip for _, clip in some])
        ]
        self.rows.add("stems", pa.Table.from_pylist(stems, STEM))
        self.rows.add("bands", pa.Table.from_pylist(band_rows(made), BAND))

    def _clip(
        self, film: Mapping[str, Any], clip: Mapping[str, Any], members: Sequence[Mapping[str, Any]]
    ) -> dict[str, Any]:
        """Return a clip's row; its files go into the pack."""
        uri = f"{film['uri']}{'&' if '#' in film['uri'] else '#'}t={clip['start_s']:.6f},{clip['end_s']:.6f}"
        offsets = self.pack.add(pa.array([each["bytes"] for each in members], pa.large_binary())).tolist()
        placed = [
            {"member": each["member"], "offset": offset, "bytes": len(each["bytes"]), "sha256": each["sha256"]}
            for each, offset in zip(members, offsets, strict=True)
        ]
        own = {"uri": uri, "id": record_id(uri, film["digest"]), "parents": [film["id"]], "members": placed}
        return {**clip, **film, **own}

    def store(self, store: Store, stem: str) -> dict[str, Any]:
        """Write the part's pack and runs; return what its marker says."""
        name = self.pack.store(store, LAYOUT.job)
        if self.clips:
            self.rows.add("clips", _keyed([{**clip, "pack": name} for clip in self.clips], CLIP_ROW))
        sums = {"expanded": self.expanded, "expanded_into": len(self.clips)}
        return self.rows.store(store, stem, encoded_bytes=self.pack.bytes, **sums)


def _rows(batch: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = batch.to_pylist()
    return found


def _keyed(rows: Sequence[dict[str, Any]], schema: pa.Schema) -> pa.Table:
    """Return rows with the key of their id."""
    table = pa.Table.from_pylist([{**row, "key": 0} for row in rows], schema)
    return table.set_column(0, schema.field("key"), pa.array(keys_of(table["id"].combine_chunks())))
