"""Select: rules on stored signals give every record a verdict. No text is read."""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from filters.clusters import id_words
from filters.rules import judge
from manifests.keys import key_range
from manifests.records import ID, KEY
from manifests.runs import gather, write_run
from manifests.store import Store
from pipelines.stages import judges
from pipelines.stages.judges import one_batch, repeated
from pipelines.stages.staged import Staged
from pipelines.text.part import ORDER

RECORD = [("key", KEY), ("id", ID), ("unit", pa.uint64()), ("ordinal", pa.int64())]
DECIDED = pa.schema(
    [
        *RECORD,
        ("first", pa.int16()),  # index of the first rule that objects, -1 = none
        ("failed", pa.uint64()),  # bit i: rule i objects
        ("repeated", pa.bool_()),  # a copy of the same record that no rule drops stands before it
    ]
)


class Select:
    """Worker: a verdict for every record of an id range. config: {staged, rules}."""

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        self.store, self.staged = store, Staged.load(store, config["staged"])
        self.rules = judges.from_json(config["rules"])

    def close(self) -> None:
        """Nothing is held."""

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        low, high = key_range(arguments["partition"], arguments["partitions"])
        schema = self.staged.signal_schema(self.store)
        batch = one_batch(gather(self.store, self.staged.runs["signals"], schema, low, high, ORDER))
        verdicts = judge(self.rules, batch, batch["language"])
        columns = {name: batch[name] for name, _ in RECORD}
        columns |= {
            "first": pa.array(verdicts.first, pa.int16()),
            "failed": pa.array(verdicts.failed, pa.uint64()),
            "repeated": pa.array(repeated(id_words(batch["id"]), verdicts.first < 0)),
        }
        run = write_run(self.store, arguments["output"], pa.table(columns, schema=DECIDED), ORDER)
        return {"run": run.as_json(), "counts": {"dropped": int((verdicts.first >= 0).sum())}}
