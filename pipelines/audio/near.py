"""Near-duplicates: sounds that share a band become clusters, and in a cluster the fingerprints are compared.

link     band range    band rows -> a spanning forest of candidates (pipelines.stages.link:Link)
route    id range      clustered sounds that no rule drops, keyed by cluster
verify   label range   members of a cluster -> who is merged into whom
"""

from collections.abc import Mapping
from operator import itemgetter
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from filters.audio.fingerprint import NearDuplicate, is_same_recording, match
from manifests.keys import key_range, keys_of
from manifests.records import DIGEST, ID, KEY
from manifests.runs import gather, load_runs, write_run
from manifests.store import Store
from pipelines.audio.rules import Judge
from pipelines.stages.duplicate_rows import MERGED
from pipelines.stages.labels import LABELLED
from pipelines.stages.leaders import merges_of
from pipelines.stages.staged import Staged

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
        merges, uncompared = merges_of(rows, itemgetter("stored_sha256"), self._likeness, exact=self.exact)
        run = write_run(self.store, arguments["output"], pa.Table.from_pylist(merges, MERGED), ("key", "id"))
        return {"run": run.as_json(), "uncompared": uncompared, "counts": {"merged": run.rows}}

    def _likeness(self, leader: Mapping[str, Any], member: Mapping[str, Any]) -> float | None:
        """Return the share of bits that agree, None where the two are not the same recording."""
        if self.near is None:
            return None
        found = match(_words(leader), _words(member))
        return 1.0 - found.error_fraction if is_same_recording(found, self.near) else None


def _canonical(row: Mapping[str, Any]) -> tuple[Any, ...]:
    return row["label"], -(row["bandwidth_hz"] or 0.0), -row["samples"], row["id"]


def _words(row: Mapping[str, Any]) -> np.ndarray:
    return np.frombuffer(row["fingerprint"], "<u4").astype(np.uint32)
