"""Compose: a shard of documents or media, or a range of facts, -> candidates.

What a document needs of others, passages near it and the facts that it states, has been brought to it by key; so a task
reads one shard, a batch at a time, and the same range of two lists of runs.
"""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import pyarrow as pa

from filters.instruct.checks import CHECKS_VERSION
from filters.instruct.closed import CLOSED_VERSION, closed_book
from filters.instruct.facts import Facts, fact_of
from filters.instruct.generators import GENERATORS_VERSION, made
from filters.instruct.record import Evidence, Passage, Settings, Source, draw, sha256_of
from filters.instruct.splits import Splits
from manifests.keys import key_range
from manifests.objects import read_json
from manifests.runs import Run, gather, load_runs, write_run
from manifests.store import Store
from pipelines.instruct.documents import DOCUMENTS, sources_of
from pipelines.instruct.facts import facts_in
from pipelines.instruct.finish import FINISH_VERSION, Finished
from pipelines.instruct.records import (
    BODY,
    BODY_ORDER,
    CANDIDATE,
    CANDIDATE_ORDER,
    CONCERNS,
    CONCERNS_ORDER,
    ENTITY,
    ENTITY_ORDER,
    NEAR,
    NEAR_ORDER,
    REJECT,
    REJECT_ORDER,
)

COMPOSE_VERSION = 2
PIPELINE = (
    f"corpusmill.instruct {COMPOSE_VERSION}.{GENERATORS_VERSION}.{CLOSED_VERSION}.{CHECKS_VERSION}.{FINISH_VERSION}"
)
MAX_NEAR = 8
CHARS_A_ROW = 3000  # about, of a candidate: what is held is counted by it
KINDS = {
    "candidates": (CANDIDATE, CANDIDATE_ORDER),
    "bodies": (BODY, BODY_ORDER),
    "entities": (ENTITY, ENTITY_ORDER),
    "rejects": (REJECT, REJECT_ORDER),
}


class Composer:
    """What both workers share. config: {settings, splits, part_bytes}, and what each says."""

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        self.store, self.config = store, config
        self.settings = Settings(**{**config["settings"], "languages": tuple(config["settings"]["languages"])})
        self.splits = Splits(self.settings.seed, config["splits"])

    def close(self) -> None:
        """Nothing is held."""

    def _finished(self, unit: int) -> Finished:
        return Finished(unit, PIPELINE, self.splits)

    def _marker(self, finished: Finished, runs: Mapping[str, Sequence[Run]]) -> dict[str, Any]:
        strata = [[*words, count] for words, count in sorted(finished.strata.items())]
        counts = {"made": finished.made, **{kind: sum(run.rows for run in each) for kind, each in runs.items()}}
        listed = {kind: [run.as_json() for run in each] for kind, each in runs.items()}
        return {
            "unit": finished.unit,
            "made": finished.made,
            "rejected": dict(sorted(finished.rejected.items())),
            "runs": listed,
            "strata": strata,
            "counts": counts,
        }

    def _flush(self, finished: Finished, runs: dict[str, list[Run]], stem: str, *, least: int = 0) -> None:
        """Write what waits as runs once it is at least `least` rows."""
        if len(finished.rows) + len(finished.rejects) < least:
            return
        finished.merge()
        entities = entities_of_part(finished) if any(self.config["splits"].values()) else []
        for kind, rows in (
            ("candidates", finished.rows),
            ("bodies", list(finished.bodies.values())),
            ("entities", entities),
            ("rejects", finished.rejects),
        ):
            if rows:
                schema, order = KINDS[kind]
                name = f"{stem}-{kind}-{len(runs[kind]):04d}"
                runs[kind].append(write_run(self.store, name, pa.Table.from_pylist(rows, schema), order))
        finished.forget()

    @property
    def _rows_at_once(self) -> int:
        return max(1, int(self.config["part_bytes"]) // CHARS_A_ROW)


def entities_of_part(finished: Finished) -> list[dict[str, Any]]:
    """Return the ENTITY rows of what waits."""
    none = bytes(16)
    training = ({"key": each, "is_training": True, "of": 0, "id": none} for each in sorted(finished.training))
    return [*training, *finished.held_out]


class ComposeShard(Composer):
    """Worker: a shard of documents or media. config: also {publishers, near, concerns: lists of runs, others}."""

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        super().__init__(store, config)
        self.near, self.concerns = load_runs(store, config["near"]), load_runs(store, config["concerns"])
        listed = read_json(store, config["others"], kind=list, what="list of values")
        self.others = {(relation, language): tuple(values) for relation, language, values in listed}

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """arguments: {shard: its manifest entry, unit, output}."""
        finished = self._finished(arguments["unit"])
        runs: dict[str, list[Run]] = {kind: [] for kind in KINDS}
        brought = self._of_documents if arguments["shard"]["kind"] == DOCUMENTS else self._of_media
        for sources in sources_of(self.store, arguments["shard"], self.config["publishers"], stated=False):
            near, facts = brought(sources)
            for source in sources:
                beside = self._same_split(source, near.get(source.doc_id, ()))
                texts = _texts(source, beside, facts)
                table = facts.get(source.doc_id) or Facts({}, self.others)
                for each in made(source, beside, table, self.settings):
                    finished.add(each, texts)
            self._flush(finished, runs, arguments["output"], least=self._rows_at_once)
        self._flush(finished, runs, arguments["output"])
        return self._marker(finished, runs)

    def _of_documents(self, sources: Sequence[Source]) -> tuple[dict[str, list[Passage]], dict[str, Facts]]:
        """Return the passages near documents, and their facts, by document."""
        low, high = _keys(sources)
        wanted = {source.doc_id for source in sources}
        near: dict[str, list[Passage]] = {}
        for row in gather(self.store, self.near, NEAR, low, high, NEAR_ORDER).to_pylist():
            if (name := row["id"].hex()) in wanted:
                near.setdefault(name, []).append(Passage(**json.loads(row["passage"])))
        stated: dict[str, list[Any]] = {}
        for row in gather(self.store, self.concerns, CONCERNS, low, high, CONCERNS_ORDER).to_pylist():
            if (name := row["id"].hex()) in wanted:
                stated.setdefault(name, []).append(fact_of(json.loads(row["fact"])))
        return near, {name: Facts.of_facts(facts, self.others) for name, facts in stated.items()}

    def _of_media(self, sources: Sequence[Source]) -> tuple[dict[str, list[Passage]], dict[str, Facts]]:
        """Return what other media of the same language say, by medium; chosen by hash of those that lie beside it."""
        by_language: dict[str, list[Passage]] = {}
        for source in sources:
            by_language.setdefault(source.language, []).append(_whole(source))
        near = {}
        for source in sources:
            others = [each for each in by_language[source.language] if each.text != source.text]
            others.sort(key=lambda each: draw(self.settings.seed, "near", source.doc_id, each.doc_id))
            near[source.doc_id] = others[:MAX_NEAR]
        return near, {}

    def _same_split(self, source: Source, near: Iterable[Passage]) -> tuple[Passage, ...]:
        """Return passages of documents that are in the split of this one, each document once."""
        own = self.splits.of_key(f"cluster {source.cluster}")
        found: dict[str, Passage] = {}
        for each in near:
            if each.cluster != source.cluster and self.splits.of_key(f"cluster {each.cluster}") == own:
                found.setdefault(each.doc_id, each)
        return tuple(found.values())[:MAX_NEAR]


class ComposeFacts(Composer):
    """Worker: closed-book records of a range of subjects. config: also {facts: name of a list of runs, unit}."""

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        super().__init__(store, config)
        self.facts = load_runs(store, config["facts"])

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """arguments: {partition, partitions, output}."""
        finished = self._finished(self.config["unit"])
        runs: dict[str, list[Run]] = {kind: [] for kind in KINDS}
        low, high = key_range(arguments["partition"], arguments["partitions"])
        for row in facts_in(self.store, self.facts, low, high):
            for each in closed_book(fact_of(json.loads(row["fact"])), self.settings):
                finished.add(each, lambda evidence: " " * evidence.start + evidence.quote)  # located when it was read
            self._flush(finished, runs, arguments["output"], least=self._rows_at_once)
        self._flush(finished, runs, arguments["output"])
        return self._marker(finished, runs)


def _keys(sources: Sequence[Source]) -> tuple[int, int]:
    """Return the range of keys of sources that are in the order of their ids."""
    if not sources:
        return 0, 0
    return int(sources[0].doc_id[:16], 16), int(sources[-1].doc_id[:16], 16) + 1


def _whole(source: Source) -> Passage:
    found = (source.doc_id, source.text_sha256, source.url, source.domain, source.licence, source.language)
    return Passage(*found, source.cluster, source.title, 0, len(source.text), source.text, source.modality)


def _texts(source: Source, near: Sequence[Passage], facts: Mapping[str, Facts]) -> Callable[[Evidence], str | None]:
    """Return how evidence finds its text: the source's own, its mark-up, or the passages that were beside it."""
    whole = {source.text_sha256: source.text, **{sha256_of(content): content for content in source.markup}}
    passages = {each.text_sha256: each for each in near}
    own = facts.get(source.doc_id)
    known = {
        (evidence.text_sha256, evidence.start, evidence.quote)
        for stated in (own.by_subject.values() if own else ())
        for fact in stated
        for value in fact.values
        for _, evidence in value.statements
    }

    def text_of(evidence: Evidence) -> str | None:
        if evidence.text_sha256 in whole:
            return whole[evidence.text_sha256]
        if (evidence.text_sha256, evidence.start, evidence.quote) in known:
            return " " * evidence.start + evidence.quote
        passage = passages.get(evidence.text_sha256)
        return None if passage is None else " " * passage.start + passage.text

    return text_of
