"""Late edits of a shard's documents: passages that repeat others are cut, and what is left is measured and judged."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from filters import views
from filters.annotate import Settings, measure_again
from filters.rules import Rule, judge
from manifests.records import RANGE
from pipelines.stages import judges
from pipelines.stages.judges import one_batch

AFTER = "after_cuts/"  # before the reason of a rule that objects to what is left
EMPTY = f"{AFTER}empty"


@dataclass(frozen=True)
class Edited:
    """documents with their new views, signals of what is left, and why some go now (object[n], None for most)."""

    documents: pa.Table
    signals: pa.Table
    reason: np.ndarray
    failed: np.ndarray  # uint64[n]: rules that object now
    counts: dict[str, int]


@dataclass(frozen=True)
class Judging:
    """How what is left is measured and judged."""

    settings: Settings
    rules: Sequence[Rule]


def cut(documents: pa.Table, signals: pa.Table, stays: np.ndarray, cuts: pa.Table, judging: Judging) -> Edited:
    """Return the records of a shard after cuts: {id, start, end} in bytes of the stored text, by id and start."""
    count = documents.num_rows
    none = np.full(count, None, object), np.zeros(count, np.uint64)
    ids, lists = _by_id(cuts)
    at = pc.index_in(documents["id"], ids).combine_chunks().fill_null(-1).to_numpy() if count else np.zeros(0, int)
    chosen = np.flatnonzero(stays & (at >= 0))
    if not len(chosen):
        return Edited(documents, signals, *none, {"documents": 0, "bytes": 0})
    text = documents["text"].take(pa.array(chosen)).combine_chunks()
    before = documents["kept"].take(pa.array(chosen)).combine_chunks()
    view = views.without(text, before, lists.take(pa.array(at[chosen])))
    uri = documents["uri"].take(pa.array(chosen)).combine_chunks()
    again = _measured(uri, views.apply_view(text, view), signals.take(pa.array(chosen)), judging.settings)
    reason, failed = none
    verdicts = judge(judging.rules, one_batch(again), one_batch(again)["language"])
    said = judges.first_reasons(judging.rules, verdicts, one_batch(again))
    empty = again["view_bytes"].to_numpy() == 0
    reason[chosen] = [
        EMPTY if nothing else (None if why is None else f"{AFTER}{why}")
        for nothing, why in zip(empty, said, strict=True)
    ]
    failed[chosen] = verdicts.failed
    lost = signals["view_bytes"].to_numpy()[chosen] - again["view_bytes"].to_numpy()
    return Edited(
        _with(
            documents,
            chosen,
            documents.take(pa.array(chosen)).set_column(
                documents.column_names.index("kept"), documents.schema.field("kept"), view
            ),
        ),
        _with(signals, chosen, again),
        reason,
        failed,
        {"documents": len(chosen), "bytes": int(lost.sum())},
    )


def _by_id(cuts: pa.Table) -> tuple[pa.Array, pa.ListArray]:
    """Return the ids that something is cut from, and the ranges of each."""
    ids = cuts["id"].combine_chunks()
    runs = pc.run_end_encode(ids.cast(pa.binary()))
    ends = np.asarray(runs.run_ends)
    ranges = pa.StructArray.from_arrays([cuts[name].combine_chunks() for name in ("start", "end")], fields=list(RANGE))
    bounds = pa.array(np.concatenate([[0], ends]).astype(np.int32))
    return runs.values.cast(ids.type), pa.ListArray.from_arrays(bounds, ranges)


def _measured(uri: pa.Array, left: pa.StringArray, before: pa.Table, settings: Settings) -> pa.Table:
    """Return `before` with everything that is measured of a text measured of what is left."""
    found: dict[str, Any] = {}
    for batch in measure_again(uri, left, before["language"].combine_chunks(), settings):
        found.update(zip(batch.schema.names, batch.columns, strict=True))
    columns = [found.get(field.name, before[field.name]) for field in before.schema]
    return pa.table(columns, schema=before.schema)


def _with(table: pa.Table, rows: np.ndarray, changed: pa.Table) -> pa.Table:
    """Return `table` with the rows at `rows` replaced."""
    order = np.arange(table.num_rows)
    order[rows] = table.num_rows + np.arange(len(rows))
    return pa.concat_tables([table, changed]).take(pa.array(order)).combine_chunks()
