"""Which of several copies stays: the freest licence, then the most stars, then the smallest id."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from manifests.keys import key_range, keys_of
from manifests.records import ID
from manifests.runs import gather, load_runs, sort_table, write_run
from manifests.store import Store
from pipelines.stages.duplicate_rows import ROUTED
from pipelines.stages.labels import LABELLED
from pipelines.stages.staged import Staged
from pipelines.text.duplicates import TEXT, shingle_lists
from pipelines.text.part import ORDER
from pipelines.text.select import DECIDED, RECORD

KEEPERS_VERSION = 1
MAX_STARS = (1 << 32) - 1
KNOWN = pa.schema([*RECORD, ("view_digest", ID), ("license_class", pa.string()), ("stars", pa.int64())])
# StarCoder2 (bigcode-v2, intra_dedup.py): permissive before none before the rest
LICENSE_RANK = {"permissive": 5, "none": 4, "weak_copyleft": 3, "copyleft": 2, "unknown": 1, "restricted": 0}


class RouteCode:
    """Worker: the clustered files of an id range, with shingles. config: {staged, decided, labels, ngram}."""

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        self.store, self.staged = store, Staged.load(store, config["staged"])
        self.decided, self.labels = load_runs(store, config["decided"]), load_runs(store, config["labels"])
        self.ngram = config["ngram"]

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
        texts = self.staged.rows_of(self.store, "documents", wanted, TEXT, low, high)
        known = self.staged.rows_of(self.store, "signals", wanted, KNOWN, low, high)
        if not (texts["id"].equals(wanted["id"]) and known["id"].equals(wanted["id"])):
            raise RuntimeError("runs of documents, signals and decisions do not hold the same records")
        label = wanted["label"].combine_chunks()
        columns = {"key": keys_of(label), "label": label, "id": wanted["id"], "digest": known["view_digest"]}
        columns |= {"preference": pa.array(preference(known)), "rank": pa.array(np.zeros(wanted.num_rows, np.int64))}
        columns |= {"other": pa.array(np.full(wanted.num_rows, -1, np.int16))}  # of this job, and of no other snapshot
        counted = copies.field("counts").take(pc.index_in(wanted["id"].combine_chunks(), copies.field("values")))
        columns["copies"] = counted.cast(pa.int32())
        return pa.table({**columns, "shingles": shingle_lists(texts, self.ngram)}, schema=ROUTED)


def preference(known: pa.Table) -> npt.NDArray[np.int64]:
    """Return how much each file is wished for, int64[n]: by licence, then by stars."""
    ranks = [LICENSE_RANK[name] for name in known["license_class"].to_pylist()]
    stars = np.clip(known["stars"].fill_null(0).to_numpy().astype(np.int64), 0, MAX_STARS)
    wished: npt.NDArray[np.int64] = np.array(ranks, np.int64) * (MAX_STARS + 1) + stars
    return wished
