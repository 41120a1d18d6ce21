"""Duplicates: candidates that share a band become clusters, and clusters are verified on the shingles.

link     band range   band rows -> a spanning forest of candidates
route    id range     clustered records that no rule dropped -> their shingles, keyed by cluster
verify   label range  members of a cluster -> who is merged into whom
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from filters import clusters
from filters.shingle_match import match_clusters
from manifests.keys import key_range, keys_of
from manifests.reasons import Merged
from manifests.records import ID, KEY
from manifests.runs import gather, load_runs, sort_table, write_run
from manifests.store import Store
from pipelines.stages.duplicate_rows import MERGED_TEXT, ROUTED, STANDS_FOR
from pipelines.text.other_corpora import Others, node_ids
from pipelines.text.route import Route

__all__ = ["Route", "Verify"]


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
