"""Link: the records of any job that share a band become candidates of one cluster."""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from filters import clusters
from manifests.keys import key_range
from manifests.runs import gather, load_runs, sort_table, write_run
from manifests.store import Store
from pipelines.stages.duplicate_rows import BAND
from pipelines.stages.labels import labelled
from pipelines.stages.staged import Staged


class Link:
    """Worker: a spanning forest of the records that share a band of a band range.

    config: {staged}, and known: bands of what other snapshots keep; only those that a record shares are looked at.
    """

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        self.store, self.staged = store, Staged.load(store, config["staged"])
        self.known = load_runs(store, config["known"]) if "known" in config else []

    def close(self) -> None:
        """Nothing is held."""

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        low, high = key_range(arguments["partition"], arguments["partitions"])
        table = gather(self.store, self.staged.runs["bands"], BAND, low, high, ("key", "id"))
        if self.known:
            known = gather(self.store, self.known, BAND, low, high, order=())
            known = known.filter(pc.is_in(known["key"], table["key"].combine_chunks()))
            table = sort_table(pa.concat_tables([table, known]), ("key", "id"))
        links = clusters.link(table["key"].to_numpy(), clusters.id_words(table["id"]))
        run = write_run(self.store, arguments["output"], labelled(clusters.Forest.of(links)), ("key", "id"))
        counts = {"links": len(links.members), "hot_buckets": links.hot_buckets}
        return {"run": run.as_json(), "largest_bucket": links.largest_bucket, "counts": counts}
