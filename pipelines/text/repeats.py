"""Passages that stand in several documents are cut from all but the first.

passages  id range       documents that stay -> their lines or paragraphs, keyed by what they say
repeats   passage range  equal passages -> the ranges that are cut, keyed by record
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from filters.clusters import id_words
from filters.repeats import later_copies, passages
from manifests.keys import key_range, keys_of
from manifests.records import ID, KEY
from manifests.runs import gather, load_runs, write_run
from manifests.store import Store
from pipelines.text.route import TEXT
from pipelines.text.survivors import Survivors

PASSAGE = pa.schema([("key", KEY), ("id", ID), ("start", pa.int32()), ("end", pa.int32())])  # key: of what it says
CUT = pa.schema([("key", KEY), ("id", ID), ("start", pa.int32()), ("end", pa.int32())])  # bytes of the stored text
ORDER = ("key", "id", "start")


class FindPassages:
    """Worker of `passages`. config: {staged, decided, merged, unit, min_characters}."""

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        self.store, self.config, self.survivors = store, config, Survivors(store, config)

    def close(self) -> None:
        """Nothing is held."""

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        low, high = key_range(arguments["partition"], arguments["partitions"])
        rows = self.survivors.documents(TEXT, low, high)
        found = passages(
            rows["text"].combine_chunks(),
            rows["kept"].combine_chunks(),
            paragraphs=self.config["unit"] == "paragraph",
            min_characters=self.config["min_characters"],
        )
        ids = rows["id"].combine_chunks().take(pa.array(found.rows))
        columns = {"key": found.hashes, "id": ids, "start": found.starts, "end": found.ends}
        run = write_run(self.store, arguments["output"], pa.table(columns, schema=PASSAGE), ORDER)
        return {"run": run.as_json(), "counts": {"passages": run.rows}}


class FindRepeats:
    """Worker of `repeats`. config: {passages, min_documents}."""

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        self.store, self.passages = store, load_runs(store, config["passages"])
        self.min_documents = config["min_documents"]

    def close(self) -> None:
        """Nothing is held."""

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        low, high = key_range(arguments["partition"], arguments["partitions"])
        rows = gather(self.store, self.passages, PASSAGE, low, high, ORDER)
        ids = rows["id"].combine_chunks()
        gone = later_copies(rows["key"].to_numpy(), id_words(ids), self.min_documents)
        at = pa.array(np.flatnonzero(gone))
        cut = ids.take(at)
        columns = {"key": keys_of(cut), "id": cut, "start": rows["start"].take(at), "end": rows["end"].take(at)}
        run = write_run(self.store, arguments["output"], pa.table(columns, schema=CUT), ORDER)
        return {"run": run.as_json(), "counts": {"cuts": run.rows}}
