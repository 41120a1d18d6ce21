"""Read: one shard of a text or media snapshot in; rows out, keyed by what they will meet under.

Each shard's rows depend on its bytes and the version alone, so another recipe, or a snapshot that shares shards with
the one before, reads nothing twice.

A page and a record meet by the address that each of them names. A medium that a crawl reached through redirects is
recorded under its last URL; the crawl's log of requests says where each redirect led ("hops").
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from filters.interleave.addresses import address_digest, named_by_bytes, part_address, record_address
from manifests.keys import keys_of
from manifests.reader import open_shard, shard_of
from manifests.reasons import Missing, SkippedMedia
from manifests.records import ID, KEY
from manifests.runs import write_run
from manifests.store import Store
from pipelines.interleave.records import (
    ASKED,
    CLIP_FILE,
    CLIP_MEDIA,
    DOCUMENT,
    HOP,
    KNOWN,
    LOCATED,
    LOST,
    MAX_ALT_CHARS,
    TEXT_KINDS,
)

READ_VERSION = 2
ROWS_AT_ONCE = 1024
ORDERS = {
    "documents": ("key", "id"),
    "asked": ("key", "address", "id", "position"),
    "lost": ("key", "id", "position"),
    "known": ("key", "address", "kind", "rank", "file", "start_s", "media"),
    "media": ("key", "id"),
    "located": ("key", "id", "extension"),
    "pieces": ("key", "id"),
    "piece_files": ("key", "id", "extension"),
    "hops": ("key", "address", "ended_s", "target"),
}
RANKS = {"kept": 0, "merged": 1, "dropped": 2, "refused": 3, "quarantined": 4, "skipped": 5}
KINDS = {"images": "image", "audio": "audio", "video": "video"}  # of parts, by the job that makes their media
FILES = {"audio": frozenset({"flac"}), "video": frozenset({"mp4", "mkv"})}  # extensions of what is a record as a whole
MAX_TARGET_CHARS = 512  # the log cuts what is longer
# What is no measure of the picture itself, is the document's own, or is counted here among these documents.
NOT_MEDIA = frozenset({"id", "uri", "source", "fetched_at", "media_type", "policy", "occurrence_count"})
_SPAN = re.compile(r"[#&]t=[0-9.,]+$")  # behind the URI of a file that a record is a piece of
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]+")


class ReadShard:
    """Worker of the read phase. config: {}."""

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        self.store = store

    def close(self) -> None:
        """Nothing is held."""

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """arguments: {shard: its manifest entry, job, unit: its number, tar: that an index is of, output}."""
        shard = shard_of(arguments["shard"])
        counts = Counter[str]()
        tables: dict[str, list[pa.Table]] = {kind: [] for kind in ORDERS}
        with open_shard(self.store, shard) as file:
            for batch in pq.ParquetFile(file, page_checksum_verification=True).iter_batches(
                ROWS_AT_ONCE, use_threads=False
            ):
                reader = CLIP_READERS.get(shard.kind) if arguments["job"] in FILES else None
                for kind, table in (reader or READERS[shard.kind])(batch, arguments, counts):
                    tables[kind].append(table)
        runs = {
            kind: write_run(self.store, f"{arguments['output']}-{kind}", pa.concat_tables(found), ORDERS[kind])
            for kind, found in tables.items()
            if found
        }
        return {
            "runs": {kind: run.as_json() for kind, run in runs.items()},
            "rows": shard.records,
            "parts": dict(sorted(counts.items())),
            "counts": {kind: run.rows for kind, run in runs.items()},
        }


Rows = Iterator[tuple[str, pa.Table]]


def _documents(batch: pa.RecordBatch, arguments: Mapping[str, Any], counts: Counter[str]) -> Rows:
    signals = batch["signals"]
    columns = {
        "key": pa.array(keys_of(batch["id"]), KEY),
        "unit": pa.array([arguments["unit"]] * batch.num_rows, pa.uint64()),
        **{name: batch[name] for name in ("id", "language", "language_score")},
    }
    table = pa.table({name: columns[name].cast(kind) for name, kind in DOCUMENT})
    for field in signals.type:
        table = table.append_column(field.name, pc.struct_field(signals, field.name))
    yield "documents", table
    yield from _parts(batch, counts)


def _parts(batch: pa.RecordBatch, counts: Counter[str]) -> Rows:
    """Give the media parts of documents: what they ask for, or that they can ask for nothing."""
    lists = batch["parts"]
    flat, sizes = lists.flatten(), pc.fill_null(pc.list_value_length(lists), 0).to_numpy()
    counts.update(flat.field("kind").to_pylist())
    owner = np.repeat(np.arange(len(sizes)), sizes)
    position = np.arange(len(owner)) - np.repeat(np.cumsum(sizes) - sizes, sizes)
    wanted = pc.invert(pc.is_in(flat.field("kind"), pa.array(sorted(TEXT_KINDS))))
    rows = pa.table(
        {
            "id": batch["id"].take(pa.array(owner)),
            "position": pa.array(position, pa.int32()),
            **{name: flat.field(name) for name in ("kind", "uri")},
            "alt": pa.array([_said(alt) for alt in flat.field("alt").to_pylist()], pa.string()),
        }
    ).filter(wanted)
    addresses = [part_address(uri) if uri else None for uri in rows["uri"].to_pylist()]
    there = pa.array([address is not None for address in addresses], pa.bool_())
    asked = rows.append_column("address", pa.array(addresses, pa.string())).filter(there)
    yield "asked", _of(ASKED, asked, key=address_keys(asked["address"]))
    lost = rows.filter(pc.invert(there))
    reason = pa.array([str(Missing.NO_ADDRESS)] * lost.num_rows, pa.string())
    yield "lost", _of(LOST, lost, key=keys_of(lost["id"].combine_chunks()), reason=reason)


def _said(alt: str | None) -> str | None:
    """Return an alternative text without control characters, at most MAX_ALT_CHARS of it; null where that is empty."""
    return (_CONTROL.sub(" ", alt).strip()[:MAX_ALT_CHARS] or None) if alt else None


def _records(batch: pa.RecordBatch, arguments: Mapping[str, Any], counts: Counter[str]) -> Rows:
    yield "known", _known(batch, arguments, ["kept"] * batch.num_rows, batch["id"], [None] * batch.num_rows)
    names = [name for name in batch.schema.names if name not in NOT_MEDIA and not name.startswith("caption")]
    own = pa.table({"key": pa.array(keys_of(batch["id"]), KEY), "id": batch["id"]})
    for name in names:
        own = own.append_column(name, batch[name])
    yield "media", own


def _clips(batch: pa.RecordBatch, arguments: Mapping[str, Any], counts: Counter[str]) -> Rows:
    yield "known", _known(batch, arguments, ["kept"] * batch.num_rows, batch["id"], [None] * batch.num_rows)
    nothing = pa.nulls(batch.num_rows, pa.int32())
    own = {name: batch[name] if name in batch.schema.names else nothing for name in CLIP_MEDIA.names[1:]}
    yield "pieces", _of(CLIP_MEDIA, pa.table(own), key=keys_of(batch["id"]))


def _films(batch: pa.RecordBatch, arguments: Mapping[str, Any], counts: Counter[str]) -> Rows:
    """Give the films of which nothing was made: no other shard speaks of them."""
    batch = batch.filter(pc.equal(batch["clip_count"], 0))
    reasons = [f"{Missing.SKIPPED}/{SkippedMedia.NO_CLIP}"] * batch.num_rows
    yield "known", _known(batch, arguments, ["skipped"] * batch.num_rows, pa.nulls(batch.num_rows, ID), reasons)


def _dropped(batch: pa.RecordBatch, arguments: Mapping[str, Any], counts: Counter[str]) -> Rows:
    """Merged records stand for their keeper; a copy of a record that stays says nothing of its own."""
    elsewhere = pc.fill_null(pc.not_equal(batch["id"], batch["kept_id"]), fill_value=True)
    batch = batch.filter(elsewhere)
    verdicts = batch["verdict"].to_pylist()
    reasons = [
        None if verdict == "merged" else f"{Missing.DROPPED}/{reason}"
        for verdict, reason in zip(verdicts, batch["reason"].to_pylist(), strict=True)
    ]
    yield "known", _known(batch, arguments, verdicts, batch["kept_id"], reasons)


def _refused(batch: pa.RecordBatch, arguments: Mapping[str, Any], counts: Counter[str]) -> Rows:
    reasons = [f"{Missing.REFUSED}/{reason}" for reason in batch["reason"].to_pylist()]
    yield "known", _known(batch, arguments, ["refused"] * batch.num_rows, pa.nulls(batch.num_rows, ID), reasons)


def _quarantine(batch: pa.RecordBatch, arguments: Mapping[str, Any], counts: Counter[str]) -> Rows:
    reasons = [f"{Missing.QUARANTINED}/{reason}" for reason in batch["reason"].to_pylist()]
    yield "known", _known(batch, arguments, ["quarantined"] * batch.num_rows, pa.nulls(batch.num_rows, ID), reasons)


def _index(batch: pa.RecordBatch, arguments: Mapping[str, Any], counts: Counter[str]) -> Rows:
    batch = batch.filter(pc.invert(pc.is_in(batch["extension"], pa.array(["json", "txt"]))))
    shard = pa.array([arguments["tar"]] * batch.num_rows, pa.string())
    table = pa.Table.from_batches([batch])
    yield "located", _of(LOCATED, table, key=keys_of(batch["id"]), shard=shard)


def _clip_index(batch: pa.RecordBatch, arguments: Mapping[str, Any], counts: Counter[str]) -> Rows:
    batch = batch.filter(pc.is_in(batch["extension"], pa.array(sorted(FILES[arguments["job"]]))))
    shard = pa.array([arguments["tar"]] * batch.num_rows, pa.string())
    yield "piece_files", _of(CLIP_FILE, pa.Table.from_batches([batch]), key=keys_of(batch["id"]), shard=shard)


def _requests(batch: pa.RecordBatch, arguments: Mapping[str, Any], counts: Counter[str]) -> Rows:
    """Give where redirects of media led, as the crawl's log of requests says."""
    is_hop = pc.and_(pc.equal(batch["verdict"], "redirected"), pc.is_in(batch["kind"], pa.array([*KINDS.values()])))
    is_whole = pc.fill_null(pc.less(pc.utf8_length(batch["detail"]), MAX_TARGET_CHARS), fill_value=False)
    rows = batch.filter(pc.and_(is_hop, is_whole))
    sides = [[record_address(uri) for uri in rows[name].to_pylist()] for name in ("uri", "detail")]
    address, target = (pa.array(side, pa.string()) for side in sides)
    table = pa.table({"address": address, "ended_s": rows["ended_s"], "target": target}).drop_null()
    yield "hops", _of(HOP, table, key=address_keys(table["address"]))


Reads = Callable[[pa.RecordBatch, Mapping[str, Any], Counter[str]], Rows]
READERS: dict[str, Reads] = {
    "documents": _documents,
    "records": _records,
    "dropped": _dropped,
    "refused": _refused,
    "quarantine": _quarantine,
    "index": _index,
    "requests": _requests,
}
CLIP_READERS: dict[str, Reads] = {"records": _clips, "index": _clip_index, "films": _films}  # of sounds and films


def _known(
    batch: pa.RecordBatch,
    arguments: Mapping[str, Any],
    verdicts: Sequence[str],
    media: pa.Array,
    reasons: Sequence[str | None],
) -> pa.Table:
    """Return what is known of records by their address, and by the name of their bytes where these are known.

    A piece of a file is known by the file's address.
    """
    count, names = batch.num_rows, batch.schema.names
    digests = batch["digest"].to_pylist() if "digest" in names else [None] * count
    uris, files = batch["uri"].to_pylist(), batch["id"].to_pylist() if "id" in names else [None] * count
    addresses, rows = [], []
    for row, parents in enumerate(batch["parents"].to_pylist() if "parents" in names else [None] * count):
        uri, digest = uris[row], digests[row]
        if parents:
            uri, files[row] = _SPAN.sub("", uri), parents[0]
        named = (record_address(uri) if uri else None, named_by_bytes(digest) if digest else None)
        addresses += [address for address in named if address]
        rows += [row for address in named if address]
    taken = pa.array(rows, pa.int64())
    columns = {
        "address": pa.array(addresses, pa.string()),
        "kind": pa.array([KINDS[arguments["job"]]] * len(rows), pa.string()),
        "rank": pa.array([RANKS[verdict] for verdict in verdicts], pa.int8()).take(taken),
        "file": pa.array(files, ID).take(taken),
        "media": media.take(taken),
        "reason": pa.array(reasons, pa.string()).take(taken),
    }
    for name in ("start_s", "end_s"):
        spans = batch[name] if name in names else pa.nulls(count, pa.float64())
        columns[name] = spans.take(taken)
    return _of(KNOWN, pa.table(columns), key=address_keys(columns["address"]))


def address_keys(addresses: Any) -> np.ndarray:
    """Return the keys of addresses, uint64[n]."""
    return keys_of(pa.array([address_digest(address) for address in addresses.to_pylist()], ID))


def _of(schema: pa.Schema, table: pa.Table, **more: Any) -> pa.Table:
    """Return the columns of `schema`, those of `more` before those of `table`."""
    return pa.table(
        {field.name: more[field.name] if field.name in more else table[field.name] for field in schema}, schema
    )
