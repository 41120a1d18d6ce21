"""Duplicates: candidates that share a band become clusters, and clusters are verified on the shingles.

link     band range   band rows -> a spanning forest of candidates
route    id range     clustered records that no rule dropped -> their shingles, keyed by cluster
verify   label range  members of a cluster -> who is merged into whom
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from filters import clusters, segmentation, views
from filters.shingle_match import match_clusters, shingle_sets
from manifests.keys import key_range, keys_of
from manifests.reasons import Merged
from manifests.records import ID, KEY, RANGE, TIMESTAMP
from manifests.runs import gather, load_runs, sort_table, write_run
from manifests.store import Store
from pipelines.stages.duplicate_rows import BAND, MERGED, MERGED_TEXT, ROUTED, STANDS_FOR
from pipelines.stages.judges import one_batch
from pipelines.stages.labels import LABELLED
from pipelines.stages.staged import Staged
from pipelines.text.other_corpora import Others, node_ids, shingled, text_digests
from pipelines.text.part import ORDER
from pipelines.text.preferences import KNOWN, columns_of, preference
from pipelines.text.select import DECIDED, RECORD

TEXT = pa.schema([*RECORD, ("text", pa.string()), ("kept", pa.list_(RANGE))])
ROUTED_TEXT = pa.schema([*TEXT, ("fetched_at", TIMESTAMP), ("license", pa.string())])
MEASURED = pa.schema([*RECORD, ("view_digest", ID), ("view_word_count", pa.int64())])
__all__ = ["BAND", "MEASURED", "MERGED", "ROUTED", "TEXT", "Route", "Verify"]


class Route:
    """Worker: clustered records of an id range and their shingles, beside what other snapshots keep of the clusters.

    config: {staged, decided, labels, ngram, survivor}, and others with their places.
    """

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        self.store, self.staged = store, Staged.load(store, config["staged"])
        self.decided, self.labels = load_runs(store, config["decided"]), load_runs(store, config["labels"])
        self.ngram, self.survivor = config["ngram"], config["survivor"]
        self.others = Others.from_config(config)

    def close(self) -> None:
        """Nothing is held."""

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        table = self._members(*key_range(arguments["partition"], arguments["partitions"]))
        run = write_run(self.store, arguments["output"], table, ("key", "label", "id"))
        return {"run": run.as_json(), "counts": {"members": table.num_rows}}

    def _members(self, low: int, high: int) -> pa.Table:
        labels = gather(self.store, self.labels, LABELLED, low, high, ("key", "id"))
        if labels.num_rows == 0:
            return ROUTED.empty_table()
        decided = gather(self.store, self.decided, DECIDED, low, high, ORDER)
        stays = (decided["first"].to_numpy() < 0) & ~decided["repeated"].to_numpy()
        alive = decided.filter(pa.array(stays)).select(["key", "id", "unit", "ordinal"])
        copies = decided.filter(pc.less(decided["first"], 0))["id"].combine_chunks().value_counts()
        wanted = sort_table(alive.join(labels.select(["id", "label"]), "id", join_type="inner"), ORDER)
        texts = self.staged.rows_of(self.store, "documents", wanted, ROUTED_TEXT, low, high)
        measured = self.staged.rows_of(self.store, "signals", wanted, self._measured(), low, high)
        if not (texts["id"].equals(wanted["id"]) and measured["id"].equals(wanted["id"])):
            raise RuntimeError("runs of documents, signals and decisions do not hold the same records")
        label = wanted["label"].combine_chunks()
        columns = {"key": keys_of(label), "label": label, "id": wanted["id"]}
        columns |= {"digest": measured["view_digest"], "rank": measured["view_word_count"]}
        columns["preference"] = preference(texts, one_batch(measured), self.survivor)
        columns["other"] = pa.repeat(pa.scalar(-1, pa.int16()), wanted.num_rows)
        counted = copies.field("counts").take(pc.index_in(wanted["id"].combine_chunks(), copies.field("values")))
        columns["copies"] = counted.cast(pa.int32())
        own = pa.table({**columns, "shingles": shingle_lists(texts, self.ngram)}, schema=ROUTED)
        return pa.concat_tables([own, *self._known(labels, decided["id"].combine_chunks())])

    def _measured(self) -> pa.Schema:
        """Return the columns of signals that decide who stays."""
        wanted = [name for name in columns_of(self.survivor) if name not in MEASURED.names]
        if not wanted:
            return MEASURED
        known = self.staged.signal_schema(self.store)
        return pa.schema([*MEASURED, *(known.field(name) for name in wanted)])

    def _known(self, labels: pa.Table, own: pa.Array) -> Iterator[pa.Table]:
        """Yield what other snapshots keep of the clusters, with shingles of what they publish."""
        if not self.others.digests:
            return
        nodes = labels.filter(pc.invert(pc.is_in(labels["id"], own)))
        for number, digest in enumerate(self.others.digests):
            found = self.others.members(nodes["id"].combine_chunks(), number)
            ids = node_ids(found["id"].combine_chunks(), digest)
            label = nodes["label"].combine_chunks().take(pc.index_in(ids, nodes["id"].combine_chunks()))
            text = found["text"].combine_chunks()
            shingles, words = shingled(text, self.ngram)
            columns = {"key": keys_of(label), "label": label, "id": ids, "rank": words, "shingles": shingles}
            columns |= {"digest": text_digests(text), "preference": np.full(len(ids), KNOWN - number)}
            columns |= {"other": np.full(len(ids), number, np.int16), "copies": np.ones(len(ids), np.int32)}
            yield pa.table({name: columns[name] for name in ROUTED.names}, schema=ROUTED)


def shingle_lists(texts: pa.Table, ngram: int) -> pa.ListArray:
    """Return the sorted unique shingle hashes of each row's view, shape (rows,)."""
    text, kept = texts["text"].combine_chunks(), texts["kept"].combine_chunks()
    words = segmentation.segment(text)
    inside = views.items_in_view(text, kept, words.doc_offsets, words.starts)
    hashes, offsets = shingle_sets(words, inside, ngram)
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pa.array(hashes, pa.uint64()))


class Verify:
    """Worker: the merges of the clusters of a label range, and how many records each that stays stands for then.

    config: {routed, exact, threshold or null, max_leaders}, and others.
    """

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        self.store, self.routed = store, load_runs(store, config["routed"])
        self.threshold, self.max_leaders = config["threshold"], config["max_leaders"]
        self.exact, self.others = config["exact"], Others.from_config(config)

    def close(self) -> None:
        """Nothing is held."""

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        low, high = key_range(arguments["partition"], arguments["partitions"])
        members = gather(self.store, self.routed, ROUTED, low, high, order=())
        merges, uncompared = self._merges(members)
        run = write_run(self.store, arguments["output"], merges, ("key", "id"))
        stands_for = write_run(self.store, f"{arguments['output']}-for", _stands_for(merges, members), ("key", "id"))
        sizes = np.unique(np.unique(members["label"].to_pylist(), return_counts=True)[1], return_counts=True)
        cluster_sizes = {str(size): int(count) for size, count in zip(*sizes, strict=True)}
        return {
            "run": run.as_json(),
            "stands_for": stands_for.as_json(),
            "uncompared": uncompared,
            "cluster_sizes": cluster_sizes,
            "counts": {"merged": merges.num_rows},
        }

    def _merges(self, members: pa.Table) -> tuple[pa.Table, int]:
        """Equal views first, the rest by their shingles against kept leaders, in canonical order."""
        if members.num_rows == 0:
            return MERGED_TEXT.empty_table(), 0
        light = members.drop_columns(["shingles"]).append_column("order", pa.array(-members["rank"].to_numpy()))
        light = light.append_column("wish", pa.array(-members["preference"].to_numpy()))
        light = light.append_column("row", pa.array(np.arange(members.num_rows)))
        ranked = sort_table(light, ("key", "label", "wish", "order", "id"))
        exact = self._exact(ranked) if self.exact else MERGED_TEXT.empty_table()
        if self.threshold is None:
            return self._placed(exact, members), 0
        left = ranked.filter(pc.invert(pc.is_in(ranked["id"], exact["id"].combine_chunks())))
        near, uncompared = self._near(left, members["shingles"].take(left["row"]).combine_chunks())
        return self._placed(pa.concat_tables([_resolved(exact, near), near]), members), uncompared

    def _placed(self, merges: pa.Table, members: pa.Table) -> pa.Table:
        """Say of records that another snapshot keeps what they are called there, and where that is."""
        if not self.others.digests or not merges.num_rows:
            return merges
        kept = merges["kept_id"].combine_chunks()
        other = members["other"].take(pc.index_in(kept, members["id"].combine_chunks()))
        named, places = kept, pa.nulls(len(kept), pa.string())
        for number, digest in enumerate(self.others.digests):
            there = pc.equal(other, number).combine_chunks()
            named = pc.if_else(there, node_ids(kept, digest), named)
            places = pc.if_else(there, pa.scalar(digest), places)
        columns = {"kept_id": named, "kept_in": places}
        return pa.table({name: columns.get(name, merges[name]) for name in MERGED_TEXT.names}, schema=MERGED_TEXT)

    def _exact(self, ranked: pa.Table) -> pa.Table:
        first: dict[tuple[bytes, bytes], bytes] = {}
        merged: list[tuple[bytes, bytes]] = []
        for label, digest, member, other in zip(
            *(ranked[name].to_pylist() for name in ("label", "digest", "id", "other")), strict=True
        ):
            leader = first.setdefault((label, digest), member)
            if leader != member and other < 0:
                merged.append((member, leader))
        return _merged([m for m, _ in merged], [k for _, k in merged], Merged.EXACT_DUPLICATE, [1.0] * len(merged))

    def _near(self, ranked: pa.Table, lists: pa.ListArray) -> tuple[pa.Table, int]:
        label = clusters.id_words(ranked["label"])
        starts = np.flatnonzero((label[1:] != label[:-1]).any(axis=1)) + 1
        bounds = np.concatenate([[0], starts, [len(label)]]).astype(np.int64)
        offsets = (lists.offsets.to_numpy() - lists.offsets[0].as_py()).astype(np.int64)
        known = ranked["other"].to_numpy() >= 0
        found = match_clusters(bounds, lists.flatten().to_numpy(), offsets, self.threshold, self.max_leaders, known)
        ids = ranked["id"].combine_chunks()
        members, leaders = ids.take(pa.array(found.members)), ids.take(pa.array(found.leaders))
        return _merged(members, leaders, Merged.NEAR_DUPLICATE, found.similarities()), len(found.uncompared)


def _resolved(exact: pa.Table, near: pa.Table) -> pa.Table:
    """Point exact duplicates of a text that is itself merged at the record that stays."""
    at = pc.index_in(exact["kept_id"], near["id"].combine_chunks())
    further = near.take(at)
    columns = {name: pc.coalesce(further[name], exact[name]) for name in ("kept_id", "similarity")}
    return pa.table({name: columns.get(name, exact[name]) for name in MERGED_TEXT.names}, schema=MERGED_TEXT)


def _stands_for(merges: pa.Table, members: pa.Table) -> pa.Table:
    """Return how many records are merged into each that stays here, as STANDS_FOR."""
    here = merges.filter(pc.is_null(merges["kept_in"]))
    copies = members["copies"].take(pc.index_in(here["id"], members["id"].combine_chunks()))
    counted = pa.table({"id": here["kept_id"], "records": copies.cast(pa.int64())})
    sums = counted.group_by("id", use_threads=False).aggregate([("records", "sum")])
    columns = {"key": keys_of(sums["id"].combine_chunks()), "id": sums["id"], "records": sums["records_sum"]}
    return pa.table(columns, schema=STANDS_FOR)


def _merged(members: Any, leaders: Any, reason: Merged, similarity: Sequence[float] | np.ndarray) -> pa.Table:
    ids, kept = pa.array(members, ID), pa.array(leaders, ID)
    return pa.table(
        {
            "key": pa.array(keys_of(ids), KEY),
            "id": ids,
            "kept_id": kept,
            "reason": pa.array([str(reason)] * len(ids), pa.string()),
            "similarity": pa.array(similarity, pa.float64()),
            "kept_in": pa.nulls(len(ids), pa.string()),
        },
        schema=MERGED_TEXT,
    )
