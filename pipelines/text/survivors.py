"""The records that no rule dropped and that are merged into no other: what late phases read."""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from manifests.runs import Run, gather
from manifests.store import Store
from pipelines.stages.staged import Staged
from pipelines.text.duplicates import MERGED
from pipelines.text.part import ORDER
from pipelines.text.select import DECIDED


def surviving(
    store: Store, staged: Staged, decided: Sequence[Run], merged: Sequence[Run], schema: pa.Schema, low: int, high: int
) -> pa.Table:
    """Return the documents of a key range that stay so far, one of each id, in the order of ids.

    schema: columns of STAGED_DOCUMENT, among them those of `pipelines.text.select.RECORD`.
    """
    verdicts = gather(store, decided, DECIDED, low, high, ORDER)
    gone = gather(store, merged, MERGED, low, high, ("key", "id"))["id"].combine_chunks()
    alive = pc.and_(pc.less(verdicts["first"], 0), pc.invert(verdicts["repeated"]))
    alive = pc.and_(alive, pc.invert(pc.is_in(verdicts["id"], gone)))
    wanted = verdicts.filter(alive).select(["id", "unit", "ordinal"])
    return staged.rows_of(store, "documents", wanted, schema, low, high)
