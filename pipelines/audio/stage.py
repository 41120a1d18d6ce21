"""Stage: one unit in; rows of measured segments, their FLAC in packs, bands, transcripts, and a marker.

As in the other jobs a unit is written in parts, each with a marker and the cursor behind it, so a killed unit goes on
from its last part and memory does not grow with the unit.
"""

import hashlib
import io
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa

from filters.guard import GuardedPool
from manifests.keys import keys_of, record_ids
from manifests.limits import Limits
from manifests.reasons import Refused, SkippedMedia
from manifests.records import KEY
from manifests.store import Store
from pipelines.audio.records import BAND, LAYOUT, MEASURED, SIDECAR_TYPES, STAGED
from pipelines.audio.transcripts import transcript_table
from pipelines.sources import RawChunk, Unit
from pipelines.stages import speech
from pipelines.stages.media import Pack, allowed, crashed, failed
from pipelines.stages.parts import Rows, Staging
from pipelines.stages.sidecars import stem_rows

FLAC = "audio/flac"
GIVEN = ("ordinal", "source", "fetched_at", "digest", "media_type", "policy")


class StageAudio:
    """Worker of the stage phase. config: {inputs: {name: uri}, child, transcriber, limits, file_cpu_s, refuse, mels,
    pack_bytes}.
    """

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        limits = Limits(**config["limits"])
        child = {**config["child"], "transcriber": speech.brought(store, config["transcriber"])}
        self.pool = GuardedPool("filters.audio:factory", child, limits, config["file_cpu_s"])
        sources = replace(limits, max_record_bytes=config["max_file_bytes"])
        self.staging = Staging(
            store, LAYOUT, config["inputs"], sources, lambda unit, key: AudioPart(unit, key, self.pool, config)
        )

    def close(self) -> None:
        self.pool.close()

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """arguments: {unit, unit_key, generation, prefix: where the unit's staged objects go}."""
        return self.staging.run(arguments)


class AudioPart:
    """Segments of a unit's files, the bytes of its pack, and the texts that may be transcripts."""

    def __init__(self, unit: Unit, unit_key: int, pool: GuardedPool, config: Mapping[str, Any]) -> None:
        self.unit, self.unit_key = unit, unit_key
        self.pool, self.config = pool, config
        self.refuse = frozenset(Refused(name) for name in config["refuse"])
        self.rows, self.pack = Rows(unit, unit_key, LAYOUT), Pack()
        self.expanded = self.expanded_into = 0

    @property
    def is_full(self) -> bool:
        return self.pack.bytes >= int(self.config["pack_bytes"]) or self.rows.bytes >= int(self.config["pack_bytes"])

    def take(self, chunk: RawChunk) -> None:
        """Measure a chunk's sounds and add what came of them; its texts may be transcripts."""
        self.rows.count(chunk)
        if not chunk.batch.num_rows:
            return
        is_text = np.array([kind in SIDECAR_TYPES for kind in chunk.batch["media_type"].to_pylist()], bool)
        texts = chunk.batch.filter(pa.array(is_text))
        if texts.num_rows:
            self.rows.add("transcripts", transcript_table(texts))
            self.rows.reasons[f"skipped/{SkippedMedia.SIDECAR}"] += texts.num_rows
        self._sounds(allowed(self.rows, chunk.batch.filter(pa.array(~is_text)), self.refuse, "audio"))

    def _sounds(self, batch: pa.RecordBatch) -> None:
        if not batch.num_rows:
            return
        done = self.pool.run(batch.select(["uri", "media_type", "payload"]))
        given = batch.take(pa.array(done.rows))
        self.rows.quarantine(crashed(batch, done.failures))
        files, records, payloads, broken = (
            _rows(done.outputs[name]) for name in ("files", "records", "payloads", "failed")
        )
        self.rows.quarantine(failed(given, broken))
        self._place(_facts(given, self.unit.source), files, records, payloads)

    def _place(
        self,
        facts: Sequence[Mapping[str, Any]],
        files: Sequence[dict[str, Any]],
        records: Sequence[dict[str, Any]],
        payloads: Sequence[dict[str, Any]],
    ) -> None:
        """Add the rows of segments, and of files of which nothing was made; `row` points into `facts`."""
        of = {file["row"]: file for file in files}
        made = [
            {**_about(facts[each["row"]], of[each["row"]]), **each, **self._packed(payload)}
            for each, payload in zip(records, payloads, strict=True)
        ]
        made += [_nothing(facts[file["row"]], file) for file in files if not file["segments"]]
        pieces = [each for each in made if each["segments"] and not each["is_whole"]]
        self.expanded += len({each["row"] for each in pieces})
        self.expanded_into += len(pieces)
        if made:
            self._add(made)

    def _packed(self, payload: Mapping[str, Any]) -> dict[str, Any]:
        """Put a record's payloads into the pack and return where they stand there."""
        flac, mel = payload["bytes"], payload["log_mel"]
        bodies = [flac] if mel is None else [flac, npy(mel, self.config["mels"])]
        offsets = self.pack.add(pa.array(bodies, pa.large_binary())).tolist()
        sha256 = [hashlib.sha256(body).digest() for body in bodies]
        placed = {
            "offset": offsets[0],
            "stored_bytes": len(flac),
            "stored_sha256": sha256[0],
            "stored_media_type": FLAC,
        }
        if mel is not None:
            placed |= {"mel_offset": offsets[1], "mel_bytes": len(bodies[1]), "mel_sha256": sha256[1]}
        return placed

    def _add(self, made: Sequence[dict[str, Any]]) -> None:
        """Add staged rows, the bands under which copies meet, and the names under which transcripts do."""
        names = [_name(each) for each in made]
        files = record_ids((each["uri"] for each in made), (each["digest"] for each in made))
        ids = record_ids(names, (each["digest"] for each in made))
        own = {"unit": self.unit_key, "pack": ""}  # named when the part is stored
        for each, name, file, key, id_ in zip(
            made, names, files.to_pylist(), keys_of(ids).tolist(), ids.to_pylist(), strict=True
        ):
            parents = [] if name == each["uri"] else [file]
            each |= {**own, "key": key, "id": id_, "parents": parents}
        self.rows.add("stems", stem_rows((each["uri"] for each in made), ids))
        self.rows.add("bands", _bands(made))
        staged = [{**each, "uri": name} for each, name in zip(made, names, strict=True)]
        self.rows.add("audio", pa.Table.from_pylist(staged, STAGED))

    def store(self, store: Store, stem: str) -> dict[str, Any]:
        """Write the part's pack and runs; return what its marker says."""
        name = self.pack.store(store, LAYOUT.job)
        place = STAGED.get_field_index("pack")
        self.rows.tables["audio"] = [
            table.set_column(place, "pack", pa.array([name] * table.num_rows, pa.string()))
            for table in self.rows.tables["audio"]
        ]
        sums = {"expanded": self.expanded, "expanded_into": self.expanded_into}
        return self.rows.store(store, stem, encoded_bytes=self.pack.bytes, **sums)


def _rows(batch: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = batch.to_pylist()
    return found


def _facts(given: pa.RecordBatch, source: str) -> list[dict[str, Any]]:
    """Return what is known of each file before it was heard."""
    names = ("uri", "ordinal", "fetched_at", "digest", "media_type", "policy")
    return [{**row, "source": source} for row in given.select(names).to_pylist()]


def _about(facts: Mapping[str, Any], file: Mapping[str, Any]) -> dict[str, Any]:
    """Return what every record of a file says of the file."""
    told = ("segments", "source_bytes", "damaged_packets")
    return {**facts, **{name: file[name] for name in told}, "file_duration_s": file["duration_s"]}


def _nothing(facts: Mapping[str, Any], file: Mapping[str, Any]) -> dict[str, Any]:
    """Return the row of a file of which nothing was made: it stands for itself, and has no payload."""
    measured = {field.name: file.get(field.name) for field in MEASURED}
    whole = {"start_s": 0.0, "end_s": file["duration_s"], "is_whole": True, "row": file["row"], "band_keys": []}
    return {**measured, **_about(facts, file), **whole}


def _name(row: Mapping[str, Any]) -> str:
    """Return a record's URI: its file's, and for a piece of it the span in seconds (Media Fragments URI, 4.2.1)."""
    uri: str = row["uri"]
    return uri if row["is_whole"] else f"{uri}{'&' if '#' in uri else '#'}t={row['start_s']:.3f},{row['end_s']:.3f}"


def _bands(made: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Return the bands of rows with a payload: those of the fingerprint, and one of the payload, so equals meet."""
    pairs = [
        (key, each["id"])
        for each in made
        if each["segments"]
        for key in (*each["band_keys"], int.from_bytes(each["stored_sha256"][:8]))
    ]
    columns = {
        "key": pa.array([key for key, _ in pairs], KEY),
        "id": pa.array([id_ for _, id_ in pairs], BAND.field(1).type),
    }
    return pa.table(columns, schema=BAND)


def npy(features: bytes, mels: int) -> bytes:
    """Return float16[frames, mels] as a NumPy file, version 1.0 (numpy.lib.format)."""
    sink = io.BytesIO()
    np.lib.format.write_array(sink, np.frombuffer(features, "<f2").reshape(-1, mels), (1, 0), allow_pickle=False)
    return sink.getvalue()
