"""Near-duplicates: sounds that share a band become clusters, and in a cluster the fingerprints are compared.

link     band range    band rows -> a spanning forest of candidates (pipelines.text.duplicates:Link)
route    id range      clustered sounds that no rule drops, keyed by cluster
verify   label range   members of a cluster -> who is merged into whom
"""

from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from filters.audio.fingerprint import NearDuplicate, is_same_recording, match
from manifests.keys import key_range, keys_of
from manifests.reasons import Merged
from manifests.records import DIGEST, ID, KEY
from manifests.runs import gather, load_runs, write_run
from manifests.store import Store
from pipelines.audio.rules import Judge
from pipelines.stages.labels import LABELLED
from pipelines.stages.staged import Staged
from pipelines.text.duplicate_rows import MERGED

MAX_LEADERS = 64  # kept sounds of a cluster that one member is compared with
ROUTED = pa.schema(
    [
        ("key", KEY),  # of the label
        ("label", ID),
        ("id", ID),
        ("stored_sha256", DIGEST),
        ("bandwidth_hz", pa.float64()),  # the widest of a cluster stays: telephones cut what studios keep
        ("samples", pa.int64()),  # ... then the longest
        ("fingerprint", pa.large_binary()),
    ]
)


class Route:
    """Worker: the clustered sounds of an id range. config: {staged, labels, transcripts, rules, word_lists}."""

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        staged = Staged.load(store, config["staged"])
        self.store, self.labels = store, load_runs(store, config["labels"])
        self.judge = Judge(store, staged.runs["audio"], load_runs(store, config["transcripts"]), config)

    def close(self) -> None:
        """Nothing is held."""

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        low, high = key_range(arguments["partition"], arguments["partitions"])
        labels = gather(self.store, self.labels, LABELLED, low, high, ("key", "id"))
        judged = self.judge.read(low, high)
        alive = judged.rows.filter(pa.array(judged.stays)).select(ROUTED.names[2:])
        place = pc.index_in(alive["id"], labels["id"].combine_chunks())
        clustered = pc.is_valid(place)
        alive, label = (
            alive.filter(clustered),
            labels["label"].combine_chunks().take(pc.drop_null(place).combine_chunks()),
        )
        columns = {"key": pa.array(keys_of(label), KEY), "label": label, **{n: alive[n] for n in ROUTED.names[2:]}}
        run = write_run(self.store, arguments["output"], pa.table(columns, schema=ROUTED), ("key", "label", "id"))
        return {"run": run.as_json(), "counts": {"members": run.rows}}


class Verify:
    """Worker: the merges of the clusters of a label range. config: {routed, exact, near or null}."""

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        self.store, self.routed = store, load_runs(store, config["routed"])
        self.exact, self.near = config["exact"], NearDuplicate(**config["near"]) if config["near"] else None

    def close(self) -> None:
        """Nothing is held."""

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        low, high = key_range(arguments["partition"], arguments["partitions"])
        members = gather(self.store, self.routed, ROUTED, low, high, ("key", "label", "id"))
        rows = sorted(members.to_pylist(), key=_canonical)
        found = [self._cluster(list(cluster)) for _, cluster in groupby(rows, itemgetter("label"))]
        merges = [merge for cluster, _ in found for merge in cluster]
        run = write_run(self.store, arguments["output"], pa.Table.from_pylist(merges, MERGED), ("key", "id"))
        return {"run": run.as_json(), "uncompared": sum(n for _, n in found), "counts": {"merged": run.rows}}

    def _cluster(self, members: Sequence[Mapping[str, Any]]) -> tuple[list[dict[str, Any]], int]:
        """Return the merges of a cluster, best member first, and how many were compared with too few leaders."""
        leaders: list[Mapping[str, Any]] = []
        first: dict[bytes, Mapping[str, Any]] = {}  # payload -> who was decided on with it, so equals cost nothing
        merges: dict[bytes, dict[str, Any]] = {}
        uncompared = 0
        for member in members:
            same = first.setdefault(member["stored_sha256"], member)
            if self.exact and same is not member:
                kept = merges.get(same["id"], {"kept_id": same["id"], "similarity": 1.0})
                merges[member["id"]] = _merge(member, kept["kept_id"], Merged.EXACT_DUPLICATE, kept["similarity"])
                continue
            found = self._leader(member, leaders[:MAX_LEADERS])
            if found is not None:
                merges[member["id"]] = _merge(member, found[0]["id"], Merged.NEAR_DUPLICATE, found[1])
                continue
            uncompared += len(leaders) > MAX_LEADERS
            leaders.append(member)
        return list(merges.values()), uncompared

    def _leader(
        self, member: Mapping[str, Any], leaders: Sequence[Mapping[str, Any]]
    ) -> tuple[Mapping[str, Any], float] | None:
        """Return the first leader that is the same recording, and the share of bits that agree."""
        if self.near is None:
            return None
        for leader in leaders:
            found = match(_words(leader), _words(member))
            if is_same_recording(found, self.near):
                return leader, 1.0 - found.error_fraction
        return None


def _canonical(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return row["label"], -(row["bandwidth_hz"] or 0.0), -row["samples"], row["id"]


def _words(row: Mapping[str, Any]) -> np.ndarray:
    return np.frombuffer(row["fingerprint"], "<u4").astype(np.uint32)


def _merge(member: Mapping[str, Any], kept: bytes, reason: Merged, similarity: float) -> dict[str, Any]:
    key = int.from_bytes(member["id"][:8])
    return {"key": key, "id": member["id"], "kept_id": kept, "reason": str(reason), "similarity": similarity}
