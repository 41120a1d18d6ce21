"""The records that no rule dropped, that are merged into none and hold no evaluation item: what late phases read."""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from manifests.records import ID, KEY
from manifests.runs import gather, load_runs
from manifests.store import Store
from pipelines.stages.staged import Staged
from pipelines.text.part import ORDER
from pipelines.text.select import DECIDED

_GONE = pa.schema([("key", KEY), ("id", ID)])


class Survivors:
    """What is left of staged documents. config: {staged, decided, merged}, and hits of evaluation sets if sought."""

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        self.store, self.staged = store, Staged.load(store, config["staged"])
        self.decided = load_runs(store, config["decided"])
        self.gone = [run for name in ("merged", "hits") if name in config for run in load_runs(store, config[name])]

    def documents(self, schema: pa.Schema, low: int, high: int) -> pa.Table:
        """Return the documents of a key range that stay so far, one of each id, in the order of ids.

        schema: columns of STAGED_DOCUMENT, among them those of `pipelines.text.select.RECORD`.
        """
        verdicts = gather(self.store, self.decided, DECIDED, low, high, ORDER)
        gone = gather(self.store, self.gone, _GONE, low, high, ("key", "id"))["id"].combine_chunks()
        alive = pc.and_(pc.less(verdicts["first"], 0), pc.invert(verdicts["repeated"]))
        alive = pc.and_(alive, pc.invert(pc.is_in(verdicts["id"], gone)))
        wanted = verdicts.filter(alive).select(["id", "unit", "ordinal"])
        return self.staged.rows_of(self.store, "documents", wanted, schema, low, high)
