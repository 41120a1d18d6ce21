"""Encode: one published shard in; its documents' tokens as sorted runs, and a marker that accounts for every record."""

import hashlib
from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from manifests.integrity import IntegrityError, Problem
from manifests.keys import keys_of
from manifests.reasons import Quarantine, Skipped
from manifests.records import QUARANTINED
from manifests.runs import Run, write_run
from manifests.shards import write_shard
from manifests.store import Store
from pipelines.tokens.records import JOB, MASK, ORDER, staged_schema
from pipelines.tokens.sources import Read, Reading, read_shard
from tokenizer.encode import TokenEncoder, token_type
from tokenizer.encode_chat import TEMPLATES
from tokenizer.encode_documents import DocumentEncoder, Documents, Parts
from tokenizer.encode_policy import Policy

STAGE_VERSION = 2


class EncodeShard:
    """Worker of the encode phase. config: {model, sha256, policy, template, media_signs, part_bytes}."""

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        self.store, self.part_bytes = store, int(config["part_bytes"])
        self.documents = DocumentEncoder(load_encoder(store, config), Policy(**config["policy"]))
        sign = self.documents.sign
        media = {kind: sign(name) for kind, name in sorted(config["media_signs"].items())}
        self.reading = Reading(TEMPLATES[config["template"]], sign, media)

    def close(self) -> None:
        """Nothing is held."""

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """arguments: {corpus, job, shard, index where the shard is a tar, unit_key, output}."""
        part = Part(self.store, arguments, self.part_bytes, np.dtype(token_type(self.documents.encoder.vocabulary)))
        for read in read_shard(self.store, arguments, self.reading):
            part.add(read, self.documents.encode(read.parts))
        return part.marker()


def load_encoder(store: Store, config: Mapping[str, Any]) -> TokenEncoder:
    """Return the model of the job; raises IntegrityError where its bytes are others."""
    model = store.read(config["model"])
    if (found := hashlib.sha256(model).hexdigest()) != config["sha256"]:
        raise IntegrityError(Problem(config["model"], "sha256", config["sha256"], found))
    return TokenEncoder(model)


class Part:
    """The rows of a shard while they are gathered."""

    def __init__(self, store: Store, arguments: Mapping[str, Any], part_bytes: int, dtype: Any) -> None:
        self.store, self.arguments, self.part_bytes = store, arguments, part_bytes
        self.unit_key: int = arguments["unit_key"]
        self.dtype = dtype
        self.rows: list[pa.Table] = []
        self.runs: list[Run] = []
        self.reasons, self.read = Counter[str](), 0
        self.bad: list[dict[str, Any]] = []

    def add(self, read: Read, made: Documents) -> None:
        """Add a batch; an empty document is skipped, a bad one quarantined."""
        self.read += len(read.rows) + len(read.bad)
        self._quarantine(read)
        sizes = text_bytes(read.parts)
        there = sizes > 0
        self.reasons[f"skipped/{Skipped.NO_TEXT}"] += int((~there).sum())
        if there.any():
            rows = staged_rows(read, made, sizes, self.dtype, (self.arguments["corpus"], self.unit_key))
            self.rows.append(rows if there.all() else rows.filter(pa.array(there)))
        if sum(table.nbytes for table in self.rows) >= self.part_bytes:
            self._write()

    def _write(self) -> None:
        table = pa.concat_tables(self.rows)
        self.runs.append(write_run(self.store, f"{self.arguments['output']}-{len(self.runs):04d}", table, ORDER))
        self.rows = []

    def _quarantine(self, read: Read) -> None:
        shard = self.arguments["shard"]["name"]
        for row, why in read.bad:
            self.bad.append(
                {
                    "uri": f"{shard}#{row}",
                    "source": self.arguments["job"],
                    "unit": self.unit_key,
                    "ordinal": row,
                    "offset": -1,
                    "reason": str(Quarantine.MALFORMED_RECORD),
                    "detail": why[:512],
                }
            )
            self.reasons[f"quarantined/{Quarantine.MALFORMED_RECORD}"] += 1

    def marker(self) -> dict[str, Any]:
        """Write what is left and return the shard's done-marker."""
        if self.rows:
            self._write()
        shard, shards = self.arguments["shard"], []
        if self.bad:
            table = pa.Table.from_pylist(self.bad, QUARANTINED)
            shards.append(write_shard(self.store, f"{JOB}/quarantine/{self.unit_key:016x}", "quarantine", table))
        return {
            "unit": shard["name"],
            "unit_key": self.unit_key,
            "source": self.arguments["job"],
            "content": shard["sha256"],
            "read": self.read,
            "lost_bytes": 0,
            "reasons": {name: count for name, count in sorted(self.reasons.items()) if count},
            "runs": {"tokens": [run.as_json() for run in self.runs]},
            "shards": [each.as_json() for each in shards],
            "counts": {"documents": sum(run.rows for run in self.runs)},
        }


def text_bytes(parts: Parts) -> Any:
    """Return the UTF-8 bytes of each document, int64[documents]; a sign counts as one, for it is no empty document."""
    sizes = pc.binary_length(parts.texts).to_numpy(zero_copy_only=False).astype(np.int64)
    if parts.signs is not None:
        sizes = sizes + (parts.signs >= 0)
    ends = np.concatenate([[0], np.cumsum(sizes)])
    return ends[parts.first[1:]] - ends[parts.first[:-1]]


def staged_rows(read: Read, made: Documents, sizes: Any, dtype: Any, named: tuple[str, int]) -> pa.Table:
    """Return the staged rows of a batch; `named` is its corpus and unit."""
    schema = staged_schema(dtype.itemsize)
    count = len(read.rows)
    kept = np.array([not verdict for verdict in made.verdict], bool)
    columns: dict[str, Any] = {
        "key": pa.array(keys_of(read.ids)),
        "id": read.ids,
        "corpus": pa.array([named[0]] * count, pa.string()),
        "source": read.source,
        "language": read.language,
        "kind": read.kind,
        "bytes": pa.array(sizes),
        "cut_tokens": pa.array(made.cut_tokens),
        "unit": pa.array(np.full(count, named[1], np.uint64)),
        "ordinal": pa.array(read.rows.astype(np.int64)),
        "reason": pa.array([verdict or None for verdict in made.verdict], pa.string()),
        "token_count": pa.array(made.lengths),
        "ids": _lists(made.ids.astype(dtype), made.offsets, kept),
        "mask": pa.nulls(count, MASK) if made.mask is None else _lists(made.mask, made.offsets, kept),
    }
    return pa.table({name: columns[name] for name in schema.names}, schema=schema)


def _lists(values: Any, offsets: Any, kept: Any) -> pa.ListArray:
    """Return the values of each document as a list, null where it is not kept."""
    whole = pa.ListArray.from_arrays(pa.array(offsets.astype(np.int32)), pa.array(values))
    return whole if kept.all() else whole.take(pa.array(np.arange(len(kept)), mask=~kept))
