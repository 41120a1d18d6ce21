"""Judge: rules give every image part and every document a verdict; no text and no pixel is read.

judge    document range    parts with their media, documents -> verdicts of both, and the sets of images
merge    range of sets     of documents with one set of images the longest stays
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from filters.interleave.signals import DOCUMENT_SIGNALS, PART_SIGNALS, part_signals
from filters.rules import Rule, Verdicts, judge, reasons
from manifests.keys import digest_of, key_range, keys_of
from manifests.reasons import Merged
from manifests.records import ID, KEY
from manifests.runs import gather, load_runs, run_schema, sort_table, write_run
from manifests.store import Store
from pipelines.interleave.join import LOST_ORDER, PART_ORDER
from pipelines.interleave.read import ORDERS
from pipelines.interleave.records import DOCUMENT, IMAGE_SET, JUDGED_PART, LOST, MEDIA_OF_PART, VERDICT
from pipelines.stages.duplicate_rows import MERGED
from pipelines.stages.judges import from_json, one_batch

JUDGE_VERSION = 2
KEPT, DROPPED, MISSING = "kept", "dropped", "missing"
NSFW, LARGEST_NSFW = "nsfw_score", "largest_nsfw_score"  # column of the media, and of the document
_STORED = {name: f"stored_{name}" for name in ("sha256", "media_type", "width_px", "height_px")}


class Judge:
    """Worker: verdicts of a document range.

    config: {attached, clips, lost, documents: lists of runs; image_rules, document_rules; merges: of sets of images}.
    Films and sounds have been judged by their own jobs.
    """

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        self.store, self.merges = store, config["merges"]
        self.attached, self.clips, self.lost, self.documents = (
            load_runs(store, config[name]) for name in ("attached", "clips", "lost", "documents")
        )
        self.image_rules, self.document_rules = from_json(config["image_rules"]), from_json(config["document_rules"])

    def close(self) -> None:
        """Nothing is held."""

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        low, high = key_range(arguments["partition"], arguments["partitions"])
        schemas = [run_schema(self.store, runs[0]) for runs in (self.documents, self.attached)]
        documents = gather(self.store, self.documents, schemas[0], low, high, ORDERS["documents"])
        attached = gather(self.store, self.attached, schemas[1], low, high, PART_ORDER)
        lost = gather(self.store, self.lost, LOST, low, high, LOST_ORDER)
        clips = gather(self.store, self.clips, JUDGED_PART, low, high, PART_ORDER)
        parts = self._parts(attached, documents)
        judged = self._documents(documents, parts, lost.filter(pc.equal(lost["kind"], "image")))
        images, sounds = parts.select(JUDGED_PART.names), clips.filter(pc.equal(clips["extension"], "flac"))
        whole = sort_table(pa.concat_tables([images, clips, missing(lost)]), PART_ORDER)
        found = {"parts": whole, "documents": judged, "sets": self._sets(judged, parts)}
        runs = {
            kind: write_run(self.store, f"{arguments['output']}-{kind}", table, order)
            for (kind, table), order in zip(found.items(), (PART_ORDER, ("key", "id"), ("key", "id")), strict=True)
        }
        return {
            "runs": {kind: run.as_json() for kind, run in runs.items()},
            "bytes": sample_bytes(judged, pa.concat_tables([images, sounds])),
            "counts": {"documents": judged.num_rows, "parts": whole.num_rows},
        }

    def _parts(self, attached: pa.Table, documents: pa.Table) -> pa.Table:
        """Return joined parts with JUDGED_PART's columns, and the NSFW score where there is one."""
        if "occurrence_count" not in attached.column_names or not attached.num_rows:
            return JUDGED_PART.empty_table()
        own = part_signals(attached)
        measured = attached
        for name in PART_SIGNALS.names:
            measured = measured.append_column(name, own[name])
        of = pc.index_in(attached["id"].combine_chunks(), documents["id"].combine_chunks())
        verdict = verdicts(self.image_rules, one_batch(measured), documents["language"].combine_chunks().take(of))
        columns = {name: attached[_STORED.get(name, name)] for name, _ in MEDIA_OF_PART} | verdict
        columns |= {name: attached[name] for name in (*LOST.names, "start_s", "end_s") if name != "reason"}
        table = pa.table({name: columns[name] for name in JUDGED_PART.names}).cast(JUDGED_PART)
        return table.append_column(NSFW, attached[NSFW]) if NSFW in attached.column_names else table

    def _documents(self, documents: pa.Table, parts: pa.Table, lost: pa.Table) -> pa.Table:
        """Return documents with their verdict, and DOCUMENT_SIGNALS; sorted by id."""
        measured = documents
        for name, column in document_columns(documents, parts, lost).items():
            measured = measured.append_column(name, column)
        batch = one_batch(measured)
        verdict = verdicts(self.document_rules, batch, batch["language"])
        columns = {name: batch[name] for name, _ in DOCUMENT} | verdict
        own = [name for name in (*DOCUMENT_SIGNALS.names, LARGEST_NSFW) if name in batch.schema.names]
        signals = pa.StructArray.from_arrays([batch[name] for name in own], own)
        text_bytes = batch["view_bytes"].cast(pa.int64())
        return pa.table({**columns, "signals": signals, "text_bytes": text_bytes})

    def _sets(self, judged: pa.Table, parts: pa.Table) -> pa.Table:
        """Return the set of images of each document that stays and has one; nothing where sets don't merge."""
        if not self.merges or not parts.num_rows:
            return IMAGE_SET.empty_table()
        kept = parts.filter(pc.equal(parts["verdict"], KEPT)).select(["id", "media"])
        grouped = kept.group_by("id", use_threads=False).aggregate([("media", "distinct")])
        alive = judged.filter(pc.equal(judged["verdict"], KEPT))
        place = pc.index_in(grouped["id"].combine_chunks(), alive["id"].combine_chunks())
        grouped, place = grouped.filter(pc.is_valid(place)), place.drop_null()
        names = [
            bytes.fromhex(digest_of(sorted(each.hex() for each in media)))[:16]
            for media in grouped["media_distinct"].to_pylist()
        ]
        images = pa.array(names, ID)
        columns = {
            "key": keys_of(images),
            "images": images,
            "id": grouped["id"],
            "rank": alive["text_bytes"].take(place),
        }
        return pa.table(columns, schema=IMAGE_SET)


def verdicts(rules: Sequence[Rule], signals: pa.RecordBatch, language: pa.StringArray) -> dict[str, pa.Array]:
    """Return the columns of VERDICT: kept, or dropped with the first reason and the names of all rules that fail."""
    found: Verdicts = judge(rules, signals, language)
    names = [rule.name for rule in rules]
    failed = [[names[i] for i in range(len(names)) if bits >> i & 1] for bits in found.failed.tolist()]
    columns = {
        "verdict": pa.array(np.where(found.first >= 0, DROPPED, KEPT).tolist(), pa.string()),
        "reason": reasons(rules, found, signals, language),
        "reasons": pa.array(failed, pa.list_(pa.string())),
    }
    return {name: columns[name] for name, _ in VERDICT}


def missing(lost: pa.Table) -> pa.Table:
    """Return parts without media as JUDGED_PART."""
    count = lost.num_rows
    columns: dict[str, Any] = {name: lost[name] for name in LOST.names}
    columns["verdict"] = pa.array([MISSING] * count, pa.string())
    return pa.table(
        {field.name: columns.get(field.name, pa.nulls(count, field.type)) for field in JUDGED_PART}, JUDGED_PART
    )


def document_columns(documents: pa.Table, parts: pa.Table, lost: pa.Table) -> dict[str, pa.Array]:
    """Return DOCUMENT_SIGNALS of documents (sorted by id), and the largest NSFW score where images have one."""
    ids, count = documents["id"].combine_chunks(), documents.num_rows

    def rows_of(table: pa.Table) -> np.ndarray:
        places: np.ndarray = pc.index_in(table["id"].combine_chunks(), ids).to_numpy(zero_copy_only=False)
        return places.astype(np.int64)

    joined, gone = rows_of(parts), rows_of(lost)
    kept = pc.equal(parts["verdict"], KEPT).to_numpy().astype(bool)
    shown = parts.filter(pa.array(kept))
    distinct = shown.group_by(["id", "media"], use_threads=False).aggregate([])
    counts = [np.concatenate([joined, gone]), joined, joined[kept], rows_of(distinct)]
    columns = {
        field.name: pa.array(np.bincount(rows, minlength=count).astype(np.int32))
        for field, rows in zip(DOCUMENT_SIGNALS, counts, strict=True)
    }
    if NSFW in parts.column_names:
        largest = np.zeros(count)
        np.maximum.at(largest, joined, parts[NSFW].to_numpy())
        columns[LARGEST_NSFW] = pa.array(largest)
    return columns


def sample_bytes(judged: pa.Table, parts: pa.Table) -> int:
    """Return about how many bytes the samples of documents that stay have with their images in them."""
    alive = judged.filter(pc.equal(judged["verdict"], KEPT))
    shown = parts.filter(pc.and_(pc.equal(parts["verdict"], KEPT), pc.is_in(parts["id"], alive["id"].combine_chunks())))
    each = shown.group_by(["id", "media"], use_threads=False).aggregate([("bytes", "max")])
    return int(pc.sum(alive["text_bytes"]).as_py() or 0) + int(pc.sum(each["bytes_max"]).as_py() or 0)


class Merge:
    """Worker: the merges of a range of sets of images. config: {sets: list of runs}."""

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        self.store, self.sets = store, load_runs(store, config["sets"])

    def close(self) -> None:
        """Nothing is held."""

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        low, high = key_range(arguments["partition"], arguments["partitions"])
        merged = same_images(gather(self.store, self.sets, IMAGE_SET, low, high, ()))
        run = write_run(self.store, arguments["output"], merged, ("key", "id"))
        return {"run": run.as_json(), "counts": {"merged": run.rows}}


def same_images(sets: pa.Table) -> pa.Table:
    """Return MERGED rows: of the documents of one set the one with most text stays, then the one with smallest id."""
    if not sets.num_rows:
        return MERGED.empty_table()
    ranked = sort_table(sets.append_column("order", pc.negate(sets["rank"])), ("key", "images", "order", "id"))
    leaders: dict[bytes, bytes] = {}
    pairs = [
        (each, leader)
        for images, each in zip(ranked["images"].to_pylist(), ranked["id"].to_pylist(), strict=True)
        if (leader := leaders.setdefault(images, each)) != each
    ]
    ids = pa.array([each for each, _ in pairs], ID)
    columns = {
        "key": pa.array(keys_of(ids), KEY),
        "id": ids,
        "kept_id": pa.array([leader for _, leader in pairs], ID),
        "reason": pa.array([str(Merged.SAME_IMAGES)] * len(pairs), pa.string()),
        "similarity": pa.array([1.0] * len(pairs), pa.float64()),
    }
    return pa.table(columns, schema=MERGED)
