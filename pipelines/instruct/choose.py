"""Choose: a range of groups, hedges with their twins, -> the records that stay and why the others go.

The same record made twice is one, and so is the same question with the same reply, out of two pages; what an
evaluation set holds goes, a hedge with its twin; then of each stratum the share that the balance leaves stays, by a
lot; a hedge and its twin have one. What was said is not read here: rows hold digests of it, and what stands in an
evaluation set, or on two sides, was found before and meets its candidate by key.
"""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from filters.contamination import Grams, build_index, find
from filters.instruct.balance import Stratum
from manifests.keys import key_range
from manifests.objects import read_json
from manifests.reasons import CandidateLeftOut, CandidateStage
from manifests.runs import Run, gather, load_runs, read_run, write_run
from manifests.store import Store
from pipelines.instruct.finish import merged, reject_row, verdict
from pipelines.instruct.records import (
    CANDIDATE,
    CANDIDATE_ORDER,
    CHOSEN,
    ENTITY,
    MARKED,
    MARKED_ORDER,
    REJECT,
    REJECT_ORDER,
)

CHOOSE_VERSION = 3
Row = dict[str, Any]
Why = tuple[CandidateStage, str]


class Choose:
    """Worker. config: {candidates, held_in, tainted: names of lists of runs, shares: name of a list}."""

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        self.store = store
        self.candidates = load_runs(store, config["candidates"])
        self.held_in, self.tainted = load_runs(store, config["held_in"]), load_runs(store, config["tainted"])
        listed = read_json(store, config["shares"], kind=list, what="list of shares")
        self.shares = {Stratum(*words): share for *words, share in listed}

    def close(self) -> None:
        """Nothing is held."""

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """arguments: {partition, partitions, output}."""
        low, high = key_range(arguments["partition"], arguments["partitions"])
        rows = gather(self.store, self.candidates, CANDIDATE, low, high, CANDIDATE_ORDER).to_pylist()
        gone: dict[int, Why] = {at: (CandidateStage.MERGE, why) for at, why in merged(rows).items()}
        first = {row["id"]: at for at, row in enumerate(rows) if at not in gone}
        self._mark(rows, first, gone, CandidateStage.CONTAMINATION, self._marked(self.held_in, low, high))
        self._mark(rows, first, gone, CandidateStage.SPLIT, self._marked(self.tainted, low, high))
        self._balance(rows, first, gone)
        chosen = [{"key": _key(row["id"]), "id": row["id"]} for at, row in enumerate(rows) if at not in gone]
        rejects = [reject_row(rows[at], *why) for at, why in gone.items()]
        runs = {
            "chosen": self._write(arguments, "chosen", chosen, CHOSEN, ("key", "id")),
            "rejects": self._write(arguments, "rejects", rejects, REJECT, REJECT_ORDER),
        }
        return {"runs": runs, "accounts": _accounts(rows, gone), "counts": {"chosen": len(chosen), "gone": len(gone)}}

    def _write(
        self, arguments: Mapping[str, Any], kind: str, rows: list[Row], schema: pa.Schema, order: tuple[str, ...]
    ) -> dict[str, Any]:
        table = pa.Table.from_pylist(rows, schema)
        return write_run(self.store, f"{arguments['output']}-{kind}", table, order).as_json()

    def _marked(self, runs: list[Run], low: int, high: int) -> dict[bytes, str]:
        """Return id -> why, of candidates that an earlier phase has found something of."""
        table = gather(self.store, runs, MARKED, low, high, MARKED_ORDER)
        return dict(zip(table["id"].to_pylist(), table["why"].to_pylist(), strict=True))

    def _mark(
        self,
        rows: list[Row],
        first: Mapping[bytes, int],
        gone: dict[int, Why],
        stage: CandidateStage,
        marked: Mapping[bytes, str],
    ) -> None:
        """Leave out what is marked, and the hedges of such twins."""
        for id_, why in marked.items():
            if id_ in first:
                gone.setdefault(first[id_], (stage, why))
        lost = {rows[at]["id"] for at, (where, _) in gone.items() if where == stage}
        for at in first.values():
            if at not in gone and rows[at]["group"] in lost:
                gone[at] = (stage, CandidateLeftOut.TWIN)

    def _balance(self, rows: list[Row], first: Mapping[bytes, int], gone: dict[int, Why]) -> None:
        """Leave out what no lot keeps: a record that was made twice has two."""
        staying = {row["id"] for row in rows if self._is_drawn(row)}
        for id_, at in first.items():
            if at not in gone and id_ not in staying:
                gone[at] = (CandidateStage.BALANCE, CandidateLeftOut.SHARE)

    def _is_drawn(self, row: Row) -> bool:
        share = self.shares.get(Stratum(row["lang"], row["is_pair"], row["kind"], row["change"]), 0.0)
        return bool(row["lot"] < share * (1 << 64))


class FindHeldIn:
    """Worker: which candidates of a range of ids hold an item of an evaluation set.

    config: {bodies: name of a list of runs, sets: name of a list of (set, items), grams}.
    """

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        self.store, self.bodies = store, load_runs(store, config["bodies"])
        sets = read_json(store, config["sets"], kind=list, what="list of evaluation items")
        self.places = [name for name, items in sets for _ in items]
        self.index = build_index([item for _, items in sets for item in items], Grams(**config["grams"]))

    def close(self) -> None:
        """Nothing is held."""

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """arguments: {partition, partitions, output}."""
        low, high = key_range(arguments["partition"], arguments["partitions"])
        found: dict[tuple[int, bytes], str] = {}
        for run in self.bodies:
            for batch in read_run(self.store, run, low, high):
                texts = pa.array([_said(body) for body in batch["body"].to_pylist()], pa.string())
                hits = find(texts, self.index)
                for row, item in zip(hits.rows.tolist(), hits.items.tolist(), strict=True):
                    name = (batch["of"][row].as_py(), batch["id"][row].as_py())
                    found.setdefault(name, self.places[item])
        return _marking(self.store, arguments["output"], found)


class FindTainted:
    """Worker: which held-out candidates are about something of a range of entities that training is about too.

    config: {entities: name of a list of runs}.
    """

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        self.store, self.entities = store, load_runs(store, config["entities"])

    def close(self) -> None:
        """Nothing is held."""

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """arguments: {partition, partitions, output}."""
        low, high = key_range(arguments["partition"], arguments["partitions"])
        held_out = self._of_side(low, high, is_training=False)
        wanted = held_out["key"].combine_chunks().unique()
        trained = pa.array([], pa.uint64())
        for run in self.entities:
            for batch in read_run(self.store, run, low, high):
                there = batch.filter(pc.and_(batch["is_training"], pc.is_in(batch["key"], wanted)))["key"]
                trained = pa.concat_arrays([trained, there]).unique()
        tainted = held_out.filter(pc.is_in(held_out["key"], trained))
        names = zip(tainted["of"].to_pylist(), tainted["id"].to_pylist(), strict=True)
        found = dict.fromkeys(names, CandidateLeftOut.ENTITY_IN_TRAINING)
        return _marking(self.store, arguments["output"], found)

    def _of_side(self, low: int, high: int, *, is_training: bool) -> pa.Table:
        batches = [
            batch.filter(pc.equal(batch["is_training"], is_training))
            for run in self.entities
            for batch in read_run(self.store, run, low, high)
        ]
        return pa.Table.from_batches(batches, ENTITY)


def _marking(store: Store, stem: str, found: Mapping[tuple[int, bytes], str]) -> dict[str, Any]:
    """Write MARKED rows: (key, id) of candidates -> why."""
    rows = [{"key": key, "id": id_, "why": why} for (key, id_), why in found.items()]
    run = write_run(store, stem, pa.Table.from_pylist(rows, MARKED), MARKED_ORDER)
    return {"run": run.as_json(), "counts": {"found": run.rows}}


def _key(id_: bytes) -> int:
    return int.from_bytes(id_[:8], "big")


def _said(body: str) -> str:
    from json import loads

    return "\n".join(message["content"] for message in loads(body)["messages"])


def _accounts(rows: list[Row], gone: Mapping[int, Why]) -> dict[str, dict[str, int]]:
    """Return {unit: {"verdict/reason": candidates}}."""
    counts: dict[str, Counter[str]] = {}
    for at, row in enumerate(rows):
        counts.setdefault(str(row["unit"]), Counter())[verdict(*gone[at]) if at in gone else "kept"] += 1
    return {unit: dict(sorted(each.items())) for unit, each in sorted(counts.items())}
