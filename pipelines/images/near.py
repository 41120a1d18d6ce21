"""Near-duplicates: images that share a band become clusters, and in a cluster the perceptual hashes are compared.

link     band range    band rows -> a spanning forest of true pairs
route    id range      clustered images that no rule drops, keyed by cluster
verify   label range   members of a cluster -> who is merged into whom, and the captions that come along
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from filters.clusters import Forest, id_words
from filters.images.near import link_near, match_near
from manifests.keys import key_range, keys_of
from manifests.reasons import Merged
from manifests.records import DIGEST, ID, KEY
from manifests.runs import gather, load_runs, sort_table, write_run
from manifests.store import Store
from pipelines.images.captions import MAX_CAPTIONS
from pipelines.images.records import ADOPTED, BAND
from pipelines.images.rules import Judging
from pipelines.stages.duplicate_rows import MERGED
from pipelines.stages.labels import LABELLED, labelled
from pipelines.stages.staged import Staged

HASH_BITS = 64
ROUTED = pa.schema(
    [
        ("key", KEY),  # of the label
        ("label", ID),
        ("id", ID),
        ("digest", DIGEST),
        ("phash", pa.uint64()),
        ("pixel_count", pa.int64()),  # the largest of a cluster stays
        ("captions", pa.list_(pa.string())),
    ]
)


def likeness(phash: Any, color_range: Any, digest: Any) -> np.ndarray:
    """Return what images are compared by, uint64[n]: the perceptual hash, but of one colour all over the bytes' own.

    All pictures of one colour have one perceptual hash, and are no copies of each other.
    """
    own = np.array([int.from_bytes(each[:8]) for each in digest.to_pylist()], np.uint64)
    return np.where(color_range.to_numpy() == 0, own, phash.to_numpy())


class Link:
    """Worker: a spanning forest of the images of a band range. config: {staged, distance}."""

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        self.store, self.staged, self.distance = store, Staged.load(store, config["staged"]), config["distance"]

    def close(self) -> None:
        """Nothing is held."""

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        low, high = key_range(arguments["partition"], arguments["partitions"])
        rows = gather(self.store, self.staged.runs["bands"], BAND, low, high, ("key", "id", "phash"))
        links = link_near(rows["key"].to_numpy(), id_words(rows["id"]), rows["phash"].to_numpy(), self.distance)
        run = write_run(self.store, arguments["output"], labelled(Forest.of(links)), ("key", "id"))
        counts = {"links": len(links.members), "hot_buckets": links.hot_buckets}
        return {"run": run.as_json(), "largest_bucket": links.largest_bucket, "counts": counts}


class Route:
    """Worker: the clustered images of an id range. config: that of Judging, and {labels}."""

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        self.store, self.judging, self.labels = store, Judging(store, config), load_runs(store, config["labels"])

    def close(self) -> None:
        """Nothing is held."""

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        low, high = key_range(arguments["partition"], arguments["partitions"])
        labels = gather(self.store, self.labels, LABELLED, low, high, ("key", "id"))
        found = self.judging.read(low, high)
        alive = found.rows.append_column("captions", found.captions).filter(pa.array(found.stays))
        compared = pa.array(likeness(alive["phash"], alive["color_range"], alive["digest"]))
        alive = alive.select(["id", "digest", "pixel_count", "captions"]).append_column("phash", compared)
        place = pc.index_in(alive["id"], labels["id"].combine_chunks()).combine_chunks()
        routed = alive.append_column("label", labels["label"].combine_chunks().take(place)).filter(pc.is_valid(place))
        label = routed["label"].combine_chunks()
        columns = {"key": pa.array(keys_of(label), KEY), **{name: routed[name] for name in ROUTED.names[1:]}}
        run = write_run(self.store, arguments["output"], pa.table(columns, schema=ROUTED), ("key", "label", "id"))
        return {"run": run.as_json(), "counts": {"members": run.rows}}


class Verify:
    """Worker: the merges of the clusters of a label range. config: {routed, exact, near or null, max_leaders}."""

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        self.store, self.routed, self.config = store, load_runs(store, config["routed"]), config

    def close(self) -> None:
        """Nothing is held."""

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        low, high = key_range(arguments["partition"], arguments["partitions"])
        members = gather(self.store, self.routed, ROUTED, low, high, ())
        order = pa.array(-members["pixel_count"].to_numpy()) if members.num_rows else pa.array([], pa.int64())
        ranked = sort_table(members.append_column("order", order), ("key", "label", "order", "id"))
        pairs, uncompared = self._pairs(ranked)
        merges = pa.Table.from_pylist(_merges(ranked, pairs), MERGED)
        run = write_run(self.store, f"{arguments['output']}-merged", merges, ("key", "id"))
        adopted = write_run(self.store, f"{arguments['output']}-adopted", _adopted(ranked, pairs), ("key", "id"))
        body = {"run": run.as_json(), "adopted": adopted.as_json()}
        return {**body, "uncompared": uncompared, "counts": {"merged": run.rows}}

    def _pairs(self, ranked: pa.Table) -> tuple[list[tuple[int, int]], int]:
        """Return (member, leader) rows, and how many members were kept as their cluster has too many leaders."""
        if self.config["near"] is None:
            return list(_same_bytes(ranked["label"].to_pylist(), ranked["digest"].to_pylist())), 0
        hashes = ranked["phash"].to_numpy()
        found = match_near(_bounds(ranked), hashes, self.config["near"], self.config["max_leaders"])
        return list(zip(found[0].tolist(), found[1].tolist(), strict=True)), len(found[2])


def _merges(ranked: pa.Table, pairs: Sequence[tuple[int, int]]) -> list[dict[str, Any]]:
    ids, digests, hashes = ranked["id"].to_pylist(), ranked["digest"].to_pylist(), ranked["phash"].to_numpy()
    return [
        _merge(ids[row], ids[leader], hashes[row] ^ hashes[leader], digests[row] == digests[leader])
        for row, leader in pairs
    ]


def _adopted(ranked: pa.Table, pairs: Sequence[tuple[int, int]]) -> pa.Table:
    """Return ADOPTED rows: the captions of merged copies, for those that stay."""
    ids, captions = ranked["id"].to_pylist(), ranked["captions"].to_pylist()
    found: dict[bytes, set[str]] = {}
    for row, leader in pairs:
        found.setdefault(ids[leader], set()).update(captions[row])
    rows = [
        {"key": int.from_bytes(leader[:8]), "id": leader, "captions": sorted(said)[:MAX_CAPTIONS]}
        for leader, said in sorted(found.items())
        if said
    ]
    return pa.Table.from_pylist(rows, ADOPTED)


def _bounds(ranked: pa.Table) -> np.ndarray:
    """Return where each cluster begins, and the end, int64[clusters + 1]."""
    label = id_words(ranked["label"])
    starts = np.flatnonzero((label[1:] != label[:-1]).any(axis=1)) + 1
    return np.concatenate([[0], starts, [len(label)]]).astype(np.int64)


def _same_bytes(labels: Sequence[bytes], digests: Sequence[bytes]) -> Iterator[tuple[int, int]]:
    """Yield (member, leader) of files that are the same byte for byte."""
    first: dict[tuple[bytes, bytes], int] = {}
    for row, found in enumerate(zip(labels, digests, strict=True)):
        if (leader := first.setdefault(found, row)) != row:
            yield row, leader


def _merge(member: bytes, leader: bytes, differing: Any, is_exact: bool) -> dict[str, Any]:
    reason = Merged.EXACT_DUPLICATE if is_exact else Merged.NEAR_DUPLICATE
    similarity = 1.0 - int(np.bitwise_count(differing)) / HASH_BITS
    return {
        "key": int.from_bytes(member[:8]),
        "id": member,
        "kept_id": leader,
        "reason": str(reason),
        "similarity": similarity,
    }
