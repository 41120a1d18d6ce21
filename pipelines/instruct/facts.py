"""Facts: a range of subjects in; what the corpus says of them out, by subject and by the documents that say it.

Rows are read one stored batch at a time into tallies of a bounded size, so a subject that very many documents tell of
takes no more memory than another (docs/decisions, instruction sets).
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pyarrow as pa

from filters.instruct.facts import Accepting, Tally, Told, decide, evidence_from, fact_json, new_tally, smallest
from filters.instruct.record import Fact
from manifests.keys import canonical_json, key_range
from manifests.runs import Run, load_runs, read_run, write_run
from manifests.store import Store
from pipelines.instruct.records import CONCERNS, CONCERNS_ORDER, FACT, FACT_ORDER

FACTS_PHASE_VERSION = 2
MAX_OTHERS = 64  # values of a relation and language that stand for all
MAX_CONCERNED = 256  # documents that a fact is brought to
Key = tuple[int, str, str, str | None]


class Corroborate:
    """Worker of the facts phase. config: {statements: name of a list of runs, accepting, seed, part_bytes}."""

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        self.store, self.runs = store, load_runs(store, config["statements"])
        self.accepting, self.seed = Accepting(**config["accepting"]), config["seed"]
        self.part_bytes = config["part_bytes"]

    def close(self) -> None:
        """Nothing is held."""

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """arguments: {partition, partitions, output}."""
        low, high = key_range(arguments["partition"], arguments["partitions"])
        tallies, documents = self._tallies(low, high)
        facts, statuses, others = [], Counter[str](), dict[tuple[str, str], list[str]]()
        concerns: list[dict[str, Any]] = []
        brought: list[Run] = []
        held = 0
        for key in sorted(tallies, key=lambda key: (key[0], key[1], key[2], key[3] or "")):
            fact = decide(tallies.pop(key), self.accepting)
            statuses["too_many_values" if fact is None else fact.status] += 1
            if fact is None:
                continue
            body = canonical_json(fact_json(fact)).decode()
            facts.append({"key": key[0], "subject_key": key[1], "relation": key[2], "fact": body})
            concerns += [{"key": _key(each), "id": each, "fact": body} for each in sorted(documents[key])]
            held += len(body) * len(documents[key])  # a fact that many documents state is brought to each of them
            self._collect(fact, others)
            if held > self.part_bytes:
                brought.append(self._brought(arguments, len(brought), concerns))
                concerns, held = [], 0
        brought.append(self._brought(arguments, len(brought), concerns))
        return {
            "runs": {
                "facts": self._write(arguments, "facts", facts, FACT, FACT_ORDER).as_json(),
                "concerns": [run.as_json() for run in brought],
            },
            "others": [[*key, values] for key, values in sorted(others.items())],
            "statuses": dict(sorted(statuses.items())),
            "counts": {"facts": len(facts), "accepted": statuses["accepted"]},
        }

    def _brought(self, arguments: Mapping[str, Any], number: int, concerns: list[dict[str, Any]]) -> Run:
        return self._write(arguments, f"concerns-{number:04d}", concerns, CONCERNS, CONCERNS_ORDER)

    def _tallies(self, low: int, high: int) -> tuple[dict[Key, Tally], dict[Key, set[bytes]]]:
        tallies: dict[Key, Tally] = {}
        documents: dict[Key, set[bytes]] = {}
        for run in self.runs:
            for batch in read_run(self.store, run, low, high):
                for row in batch.to_pylist():
                    key = (row["key"], row["subject_key"], row["relation"], row["as_of"])
                    if key not in tallies:
                        tallies[key], documents[key] = new_tally(*key[1:]), set()
                    tallies[key].add(told_of(json.loads(row["told"])))
                    _keep_smallest(documents[key], row["id"])
        return tallies, documents

    def _collect(self, fact: Fact, others: dict[tuple[str, str], list[str]]) -> None:
        """Remember some values of each relation and language: what a wrong answer may look like."""
        for value in fact.values[:1]:
            for language in sorted({language for language, _ in value.statements}):
                key = (fact.relation, language)
                others[key] = smallest([*others.get(key, ()), value.value], self.seed, MAX_OTHERS)

    def _write(
        self,
        arguments: Mapping[str, Any],
        kind: str,
        rows: list[dict[str, Any]],
        schema: pa.Schema,
        order: tuple[str, ...],
    ) -> Run:
        return write_run(self.store, f"{arguments['output']}-{kind}", pa.Table.from_pylist(rows, schema), order)


def _key(id_: bytes) -> int:
    return int.from_bytes(id_[:8], "big")


def _keep_smallest(ids: set[bytes], each: bytes) -> None:
    ids.add(each)
    if len(ids) > MAX_CONCERNED:
        ids.discard(max(ids))


def told_of(body: Mapping[str, Any]) -> Told:
    """Return a statement from its JSON."""
    return Told(**{**body, "contexts": tuple(body["contexts"]), "evidence": evidence_from(body["evidence"])})


def merged_others(markers: Iterable[Mapping[str, Any]], seed: int) -> list[list[Any]]:
    """Return [relation, language, values] over all ranges, the smallest by lot."""
    found: dict[tuple[str, str], list[str]] = {}
    for marker in markers:
        for relation, language, values in marker["others"]:
            key = (relation, language)
            found[key] = smallest([*found.get(key, ()), *values], seed, MAX_OTHERS)
    return [[*key, values] for key, values in sorted(found.items())]


def facts_in(store: Store, runs: Iterable[Run], low: int, high: int) -> Iterator[dict[str, Any]]:
    """Yield FACT rows of a range of subjects, in order of each run."""
    for run in runs:
        for batch in read_run(store, run, low, high):
            yield from batch.to_pylist()
