"""Choose: a range of groups, hedges with their twins, -> the records that stay and why the others go.

The same record made twice is one, and so is the same question with the same reply, out of two pages; what an
evaluation set holds goes, a hedge with its twin; then of each stratum the share that the balance leaves stays, by a
lot; a hedge and its twin have one.
"""

import json
from collections import Counter
from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from filters.contamination import Grams, build_index, find
from filters.instruct.balance import Stratum
from filters.instruct.record import draw
from filters.instruct.splits import TRAIN
from manifests.keys import key_range
from manifests.objects import read_json
from manifests.runs import Run, gather, load_runs, read_run, write_run
from manifests.store import Store
from pipelines.instruct.finish import SAMPLE
from pipelines.instruct.records import CANDIDATE, CANDIDATE_ORDER, CHOSEN, REJECT, REJECT_ORDER, TRAINED

CHOOSE_VERSION = 2
Row = dict[str, Any]


class Choose:
    """Worker. config: {candidates, trained: names of lists of runs, shares, sets: names of lists, seed, grams}."""

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        self.store, self.seed = store, config["seed"]
        self.candidates = load_runs(store, config["candidates"])
        listed = read_json(store, config["shares"], kind=list, what="list of shares")
        self.shares = {Stratum(*words): share for *words, share in listed}
        self.trained = {row for run in load_runs(store, config["trained"]) for row in _column(store, run)}
        sets = read_json(store, config["sets"], kind=list, what="list of evaluation items") if config["sets"] else []
        self.places = [name for name, items in sets for _ in items]
        self.index = (
            build_index([item for _, items in sets for item in items], Grams(**config["grams"])) if sets else None
        )

    def close(self) -> None:
        """Nothing is held."""

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """arguments: {partition, partitions, output}."""
        low, high = key_range(arguments["partition"], arguments["partitions"])
        rows = gather(self.store, self.candidates, CANDIDATE, low, high, CANDIDATE_ORDER).to_pylist()
        gone: dict[int, tuple[str, str]] = {}  # row -> (stage, reason)
        first = _first_rows(rows, gone)
        self._decontaminate(rows, first, gone)
        self._hold_out(rows, first, gone)
        self._balance(rows, first, gone)
        kept = [row for at, row in enumerate(rows) if at not in gone]
        chosen = [{"key": _key(row["id"]), "id": row["id"], "body": row["body"]} for row in kept]
        rejects = [self._reject(rows[at], *why) for at, why in gone.items()]
        runs = {
            "chosen": self._write(arguments, "chosen", chosen, CHOSEN, ("key", "id")),
            "rejects": self._write(arguments, "rejects", rejects, REJECT, REJECT_ORDER),
        }
        return {"runs": runs, "accounts": _accounts(rows, gone), "counts": {"chosen": len(kept), "gone": len(gone)}}

    def _write(
        self, arguments: Mapping[str, Any], kind: str, rows: list[Row], schema: pa.Schema, order: tuple[str, ...]
    ) -> dict[str, Any]:
        table = pa.Table.from_pylist(rows, schema)
        return write_run(self.store, f"{arguments['output']}-{kind}", table, order).as_json()

    def _decontaminate(self, rows: list[Row], first: Mapping[bytes, int], gone: dict[int, tuple[str, str]]) -> None:
        """Find what holds an item of an evaluation set, and the hedges of such twins."""
        if self.index is None or not first:
            return
        places = sorted(first.values())
        texts = pa.array([_said(rows[at]["body"]) for at in places], pa.string())
        hits = find(texts, self.index)
        for row, item in zip(hits.rows.tolist(), hits.items.tolist(), strict=True):
            gone.setdefault(places[row], ("contamination", self.places[item]))
        lost = {rows[at]["id"] for at in gone if gone[at][0] == "contamination"}
        for at in places:
            if at not in gone and rows[at]["group"] in lost:
                gone[at] = ("contamination", "twin")

    def _hold_out(self, rows: list[Row], first: Mapping[bytes, int], gone: dict[int, tuple[str, str]]) -> None:
        """Leave out what is held out and about something that training is about."""
        for at in first.values():
            if rows[at]["split"] != TRAIN and at not in gone and not self.trained.isdisjoint(rows[at]["entities"]):
                gone[at] = ("split", "entity_in_training")
        lost = {rows[at]["id"] for at in gone if gone[at][0] == "split"}
        for at in first.values():
            if at not in gone and rows[at]["group"] in lost:
                gone[at] = ("split", "twin")

    def _balance(self, rows: list[Row], first: Mapping[bytes, int], gone: dict[int, tuple[str, str]]) -> None:
        """Leave out what no lot keeps: a record that was made twice has two."""
        staying = {row["id"] for row in rows if self._is_drawn(row)}
        for id_, at in first.items():
            if at not in gone and id_ not in staying:
                gone[at] = ("balance", "share")

    def _is_drawn(self, row: Row) -> bool:
        share = self.shares.get(Stratum(row["lang"], row["is_pair"], row["kind"], row["change"]), 0.0)
        return bool(row["lot"] < share * (1 << 64))

    def _reject(self, row: Row, stage: str, reason: str) -> Row:
        is_shown = draw(0, "sample", row["id"].hex()) < SAMPLE * (1 << 64)
        named = {name: row[name] for name in ("behaviour", "task", "lang", "template")}
        own = {"key": _key(row["id"]), "id": row["id"], "unit": row["unit"], "stage": stage, "reason": reason}
        return {**own, **named, "hedge_reason": row["reason"], "body": row["body"] if is_shown else None}


class FindTrained:
    """Worker: which held-out entities a range of candidates for training is about. config: {candidates, held_out}."""

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        self.store, self.candidates = store, load_runs(store, config["candidates"])
        listed = read_json(store, config["held_out"], kind=list, what="list of entities")
        self.held_out = pa.array(listed, pa.uint64())

    def close(self) -> None:
        """Nothing is held."""

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """arguments: {partition, partitions, output}."""
        low, high = key_range(arguments["partition"], arguments["partitions"])
        found: set[int] = set()
        for run in self.candidates:
            for batch in read_run(self.store, run, low, high):
                entities = batch.filter(pc.equal(batch["split"], TRAIN))["entities"].flatten()
                found.update(entities.filter(pc.is_in(entities, self.held_out)).unique().to_pylist())
        table = pa.table({"key": sorted(found)}, TRAINED)
        run = write_run(self.store, arguments["output"], table)
        return {"run": run.as_json(), "counts": {"entities": run.rows}}


def _column(store: Store, run: Run) -> list[int]:
    return [key for batch in read_run(store, run) for key in batch["key"].to_pylist()]


def _first_rows(rows: list[Row], gone: dict[int, tuple[str, str]]) -> dict[bytes, int]:
    """Return id -> its first row; the same record or the same words again are merged into it, a hedge with its twin."""
    first: dict[bytes, int] = {}
    said: set[str] = set()
    for at, row in enumerate(rows):
        if row["id"] in first:
            gone[at] = ("merge", "same_record")
        elif (words := _said(row["body"])) in said:
            gone[at] = ("merge", "same_words")
        else:
            said.add(words)
            first[row["id"]] = at
    for id_ in [id_ for id_, at in first.items() if rows[at]["group"] not in first]:
        gone[first.pop(id_)] = ("merge", "same_words")
    return first


def _key(id_: bytes) -> int:
    return int.from_bytes(id_[:8], "big")


def _said(body: str) -> str:
    return "\n".join(message["content"] for message in json.loads(body)["messages"])


def verdict(stage: str, reason: str) -> str:
    """Return how the ledger calls it."""
    return f"merged/{reason}" if stage == "merge" else f"dropped/{stage}/{reason}"


def _accounts(rows: list[Row], gone: Mapping[int, tuple[str, str]]) -> dict[str, dict[str, int]]:
    """Return {unit: {"verdict/reason": candidates}}."""
    counts: dict[str, Counter[str]] = {}
    for at, row in enumerate(rows):
        counts.setdefault(str(row["unit"]), Counter())[verdict(*gone[at]) if at in gone else "kept"] += 1
    return {unit: dict(sorted(each.items())) for unit, each in sorted(counts.items())}
