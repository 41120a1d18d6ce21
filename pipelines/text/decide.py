"""Decide: rules on stored signals, and duplicate clusters from stored bands. No text is read here but to verify.

select   id range     signals -> a verdict for every record
link     band range   band rows -> a spanning forest of candidates
route    id range     clustered records that no rule dropped -> their shingles, keyed by cluster
verify   label range  members of a cluster -> who is merged into whom
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from filters import clusters, rules, segmentation, views
from filters.shingle_match import match_clusters, shingle_sets
from manifests.keys import key_range, keys_of
from manifests.reasons import Merged
from manifests.records import ID, KEY, RANGE
from manifests.runs import Run, gather, sort_table, write_run
from manifests.store import Store
from pipelines.text import judges
from pipelines.text.labels import LABELLED, labelled
from pipelines.text.stage import ORDER
from pipelines.text.staged import Staged

DECIDED = pa.schema(
    [
        ("key", KEY),
        ("id", ID),
        ("unit", pa.uint64()),
        ("ordinal", pa.int64()),
        ("first", pa.int16()),  # index of the first rule that objects, -1 = none
        ("failed", pa.uint64()),  # bit i: rule i objects
        ("repeated", pa.bool_()),  # the same record stands before it
    ]
)
BAND = pa.schema([("key", KEY), ("id", ID)])
ROUTED = pa.schema(
    [
        ("key", KEY),  # of the label
        ("label", ID),
        ("id", ID),
        ("digest", ID),  # of the view
        ("rank", pa.int64()),  # words of the view: the longest of a cluster stays
        ("shingles", pa.list_(pa.uint64())),  # sorted, unique
    ]
)
MERGED = pa.schema([("key", KEY), ("id", ID), ("kept_id", ID), ("reason", pa.string()), ("similarity", pa.float64())])
_SELECTED = pa.schema([("key", KEY), ("id", ID), ("unit", pa.uint64()), ("ordinal", pa.int64())])


class Select:
    """Worker: a verdict for every record of an id range. config: {staged, rules, languages, min_language_score}."""

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        self.store, self.staged = store, Staged.load(store, config["staged"])
        self.judges = judges.from_json(config["rules"])

    def close(self) -> None:
        """Nothing is held."""

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        low, high = key_range(arguments["partition"], arguments["partitions"])
        runs = self.staged.runs["signals"]
        table = gather(self.store, runs, self.staged.signal_schema(self.store), low, high, ORDER)
        batch = (
            table.combine_chunks().to_batches()[0] if table.num_rows else pa.RecordBatch.from_pylist([], table.schema)
        )
        verdicts = rules.judge(self.judges, batch, batch["language"])
        ids = batch["id"]
        columns = {name: batch[name] for name in _SELECTED.names}
        columns |= {
            "first": pa.array(verdicts.first, pa.int16()),
            "failed": pa.array(verdicts.failed, pa.uint64()),
            "repeated": pa.array(_equals_previous(ids)),
        }
        run = write_run(self.store, arguments["output"], pa.table(columns, schema=DECIDED), ORDER)
        return {"run": run.as_json(), "counts": {"dropped": int((verdicts.first >= 0).sum())}}


def _equals_previous(ids: pa.FixedSizeBinaryArray) -> np.ndarray:
    raw = np.frombuffer(ids.buffers()[1], np.uint8)[ids.offset * 16 : (ids.offset + len(ids)) * 16].reshape(-1, 16)
    return np.concatenate([np.zeros(min(1, len(raw)), bool), (raw[1:] == raw[:-1]).all(axis=1)])


class Link:
    """Worker: a spanning forest of the records that share a band of a band range. config: {staged, hot_bucket}."""

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        self.store, self.staged = store, Staged.load(store, config["staged"])

    def close(self) -> None:
        """Nothing is held."""

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        low, high = key_range(arguments["partition"], arguments["partitions"])
        table = gather(self.store, self.staged.runs["bands"], BAND, low, high, ("key", "id"))
        links = clusters.link(table["key"].to_numpy(), clusters.id_words(table["id"]))
        run = write_run(self.store, arguments["output"], labelled(clusters.Forest.of(links)), ("key", "id"))
        counts = {"links": len(links.members), "hot_buckets": links.hot_buckets}
        return {"run": run.as_json(), "largest_bucket": links.largest_bucket, "counts": counts}


def _one(column: pa.ChunkedArray, kind: pa.DataType) -> pa.Array:
    return column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)


class Route:
    """Worker: the clustered records of an id range with their shingles. config: {staged, decided, labels, ngram}."""

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        self.store, self.staged = store, Staged.load(store, config["staged"])
        self.decided = [Run(**run) for run in config["decided"]]
        self.labels = [Run(**run) for run in config["labels"]]
        self.ngram = config["ngram"]

    def close(self) -> None:
        """Nothing is held."""

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        low, high = key_range(arguments["partition"], arguments["partitions"])
        labels = gather(self.store, self.labels, LABELLED, low, high, ("key", "id"))
        table = self._members(labels, low, high)
        run = write_run(self.store, arguments["output"], table, ("key", "label", "id"))
        return {"run": run.as_json(), "counts": {"members": table.num_rows}}

    def _members(self, labels: pa.Table, low: int, high: int) -> pa.Table:
        if labels.num_rows == 0:
            return ROUTED.empty_table()
        decided = gather(self.store, self.decided, DECIDED, low, high, ORDER)
        stays = (decided["first"].to_numpy() < 0) & ~decided["repeated"].to_numpy()
        alive = decided.filter(pa.array(stays)).select(["id"])
        labels = labels.join(alive, "id", join_type="inner").select(["id", "label"])
        wanted = labels["id"].combine_chunks()
        columns = pa.schema(
            [
                ("key", KEY),
                ("id", ID),
                ("unit", pa.uint64()),
                ("ordinal", pa.int64()),
                ("text", pa.string()),
                ("kept", pa.list_(RANGE)),
            ]
        )
        texts = self.staged.rows_of(self.store, "documents", wanted, columns, low, high)
        signals = pa.schema(
            [
                ("key", KEY),
                ("id", ID),
                ("unit", pa.uint64()),
                ("ordinal", pa.int64()),
                ("view_digest", ID),
                ("view_word_count", pa.int64()),
            ]
        )
        measured = self.staged.rows_of(self.store, "signals", wanted, signals, low, high)
        order = sort_table(
            pa.table({"key": keys_of(wanted), "id": wanted, "label": labels["label"].combine_chunks()}),
            ("key", "id"),
        )
        assert texts["id"].equals(order["id"]) and measured["id"].equals(order["id"]), "runs of one unit disagree"
        label = order["label"].combine_chunks()
        return pa.table(
            {
                "key": keys_of(label),
                "label": label,
                "id": order["id"],
                "digest": measured["view_digest"],
                "rank": measured["view_word_count"],
                "shingles": shingle_lists(texts, self.ngram),
            },
            schema=ROUTED,
        )


def shingle_lists(texts: pa.Table, ngram: int) -> pa.ListArray:
    """Return the sorted unique shingle hashes of each row's view, shape (rows,)."""
    text, kept = _one(texts["text"], pa.string()), _one(texts["kept"], pa.list_(RANGE))
    words = segmentation.segment(text)
    inside = views.items_in_view(text, kept, words.doc_offsets, words.starts)
    hashes, offsets = shingle_sets(words, inside, ngram)
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pa.array(hashes, pa.uint64()))


class Verify:
    """Worker: the merges of the clusters of a label range. config: {routed, exact, threshold or null, max_leaders}."""

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        self.store, self.routed = store, [Run(**run) for run in config["routed"]]
        self.threshold, self.max_leaders = config["threshold"], config["max_leaders"]
        self.exact = config["exact"]

    def close(self) -> None:
        """Nothing is held."""

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        low, high = key_range(arguments["partition"], arguments["partitions"])
        members = gather(self.store, self.routed, ROUTED, low, high)
        merges, uncompared = self._merges(members)
        run = write_run(self.store, arguments["output"], merges, ("key", "id"))
        sizes = np.unique(np.unique(members["label"].to_pylist(), return_counts=True)[1], return_counts=True)
        cluster_sizes = {str(size): int(count) for size, count in zip(*sizes, strict=True)}
        return {
            "run": run.as_json(),
            "uncompared": uncompared,
            "cluster_sizes": cluster_sizes,
            "counts": {"merged": merges.num_rows},
        }

    def _merges(self, members: pa.Table) -> tuple[pa.Table, int]:
        """Equal views first, the rest by their shingles against kept leaders, in canonical order."""
        if members.num_rows == 0:
            return MERGED.empty_table(), 0
        ranked = members.append_column("order", pa.array(-members["rank"].to_numpy()))
        ranked = sort_table(ranked, ("key", "label", "order", "id"))
        exact = self._exact(ranked) if self.exact else MERGED.empty_table()
        if self.threshold is None:
            return exact, 0
        near, uncompared = self._near(ranked.filter(pc.invert(pc.is_in(ranked["id"], exact["id"].combine_chunks()))))
        return pa.concat_tables([_resolved(exact, near), near]), uncompared

    def _exact(self, ranked: pa.Table) -> pa.Table:
        first: dict[tuple[bytes, bytes], bytes] = {}
        merged: list[tuple[bytes, bytes]] = []
        for label, digest, member in zip(
            *(ranked[name].to_pylist() for name in ("label", "digest", "id")), strict=True
        ):
            leader = first.setdefault((label, digest), member)
            if leader != member:
                merged.append((member, leader))
        return _merged([m for m, _ in merged], [k for _, k in merged], Merged.EXACT_DUPLICATE, [1.0] * len(merged))

    def _near(self, ranked: pa.Table) -> tuple[pa.Table, int]:
        label = clusters.id_words(ranked["label"])
        starts = np.flatnonzero((label[1:] != label[:-1]).any(axis=1)) + 1
        bounds = np.concatenate([[0], starts, [len(label)]]).astype(np.int64)
        lists = _one(ranked["shingles"], pa.list_(pa.uint64()))
        offsets = (lists.offsets.to_numpy() - lists.offsets[0].as_py()).astype(np.int64)
        found = match_clusters(bounds, lists.flatten().to_numpy(), offsets, self.threshold, self.max_leaders)
        ids = _one(ranked["id"], ID)
        members, leaders = ids.take(pa.array(found.members)), ids.take(pa.array(found.leaders))
        return _merged(members, leaders, Merged.NEAR_DUPLICATE, found.similarities()), len(found.uncompared)


def _resolved(exact: pa.Table, near: pa.Table) -> pa.Table:
    """Point exact duplicates of a text that is itself merged at the record that stays."""
    at = pc.index_in(exact["kept_id"], near["id"].combine_chunks())
    further = near.take(at)
    columns = {name: pc.coalesce(further[name], exact[name]) for name in ("kept_id", "similarity")}
    return pa.table({name: columns.get(name, exact[name]) for name in MERGED.names}, schema=MERGED)


def _merged(members: Any, leaders: Any, reason: Merged, similarity: Sequence[float] | np.ndarray) -> pa.Table:
    ids, kept = pa.array(members, ID), pa.array(leaders, ID)
    return pa.table(
        {
            "key": pa.array(keys_of(ids), KEY),
            "id": ids,
            "kept_id": kept,
            "reason": pa.array([str(reason)] * len(ids), pa.string()),
            "similarity": pa.array(similarity, pa.float64()),
        },
        schema=MERGED,
    )
