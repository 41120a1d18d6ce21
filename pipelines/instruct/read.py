"""Read: one shard in; its statements out, keyed by subject, and some passages, keyed by what they may meet under."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import pyarrow as pa

from filters.instruct.facts import Told
from filters.instruct.normal import name_key
from filters.instruct.passages import Stretch, as_passage, some_of, stretches
from filters.instruct.phrases import languages
from filters.instruct.record import Passage, Settings, Source, Statement, draw, evidence_of
from filters.instruct.relations import relations
from filters.instruct.source import subject_of
from filters.instruct.statements import contexts_of
from manifests.keys import canonical_json
from manifests.runs import Run, write_run
from manifests.store import Store
from pipelines.instruct.documents import sources_of
from pipelines.instruct.records import PASSAGE, PASSAGE_ORDER, STATEMENT, STATEMENT_ORDER

READ_VERSION = 2
MEETING_WORDS = 3  # of a title
MEETING_SHORTS = 4  # abbreviations of a document that it may meet others under
_WORD = re.compile(r"[^\W\d_]{3,}|[\u3040-\u30ff\u3400-\u9fff]{2,}")


class ReadShard:
    """Worker of the read phase. config: {settings, publishers, buckets, part_bytes}."""

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        self.store, self.config = store, config
        self.settings = Settings(**config["settings"])

    def close(self) -> None:
        """Nothing is held."""

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """arguments: {shard: its manifest entry, output}."""
        found: dict[str, list[dict[str, Any]]] = {"statements": [], "passages": []}
        runs: dict[str, list[Run]] = {"statements": [], "passages": []}
        counts = {"sources": 0, "bytes": 0}
        languages = Counter[str]()
        newest, held = "", 0
        for sources in sources_of(self.store, arguments["shard"], self.config["publishers"], stated=True):
            for source in sources:
                counts["sources"] += 1
                size = len(source.text.encode("utf-8", "surrogatepass"))
                counts["bytes"] += size
                languages[source.language] += size
                newest = max(newest, source.fetched_at or "")
                found["statements"] += statement_rows(source)
                found["passages"] += self._passages(source)
            held += sum(len(source.text) for source in sources)
            if held > self.config["part_bytes"]:
                self._flush(found, runs, arguments["output"])
                held = 0
        self._flush(found, runs, arguments["output"])
        return {
            "runs": {kind: [run.as_json() for run in each] for kind, each in runs.items()},
            "newest": newest,
            "languages": dict(sorted(languages.items())),
            "counts": {**counts, **{kind: sum(run.rows for run in each) for kind, each in runs.items()}},
        }

    def _flush(self, found: dict[str, list[dict[str, Any]]], runs: dict[str, list[Run]], stem: str) -> None:
        """Write what was found as runs, and forget it."""
        for kind, schema, order in (
            ("statements", STATEMENT, STATEMENT_ORDER),
            ("passages", PASSAGE, PASSAGE_ORDER),
        ):
            if found[kind]:
                table = pa.Table.from_pylist(found[kind], schema)
                runs[kind].append(write_run(self.store, f"{stem}-{kind}-{len(runs[kind]):04d}", table, order))
                found[kind] = []

    def _passages(self, source: Source) -> Iterator[dict[str, Any]]:
        """Yield a passage under each word of the title, under a bucket of the language, and under abbreviations."""
        if source.language not in languages():
            return
        found = stretches(source, self.settings)
        seed, passages = self.settings.seed, some_of(found, self.settings)
        bucket = draw(seed, "bucket", source.doc_id) % self.config["buckets"]
        keys = [(draw(0, "word", source.language, word), False) for word in meeting_words(source.title)]
        for number, (key, is_bucket) in enumerate([*keys, (draw(0, "bucket", source.language, bucket), True)]):
            if passages:
                yield self._row(key, passages[number % len(passages)], is_bucket=is_bucket)
        for each, stretch in spelt_in(source, found):
            yield self._row(draw(0, "short", source.language, each.subject_key), as_passage(stretch), each.value_key)

    def _row(self, key: int, passage: Passage, spelt: str = "", *, is_bucket: bool = False) -> dict[str, Any]:
        return {
            "key": key,
            "bucket": is_bucket,
            "spelt": spelt,
            "lot": draw(self.settings.seed, "passage", key, passage.doc_id),
            "id": bytes.fromhex(passage.doc_id),
            "cluster": passage.cluster,
            "passage": canonical_json(vars(passage)).decode(),
        }


def meeting_words(title: str) -> list[str]:
    """Return the longest words of a title, folded: pages that share one tell of like things."""
    words = sorted({name_key(word) for word in _WORD.findall(subject_of(title))}, key=lambda word: (-len(word), word))
    return words[:MEETING_WORDS]


def spelt_in(source: Source, found: Sequence[Stretch]) -> Iterator[tuple[Statement, Stretch]]:
    """Yield abbreviations that passages spell out, a few by hash, each once, with the passage."""
    spelt = {each.subject_key: each for each in reversed(source.facts) if each.method == "abbreviation"}
    order = sorted(spelt.values(), key=lambda each: (draw(0, "short", source.doc_id, each.subject_key), each.start))
    for each in order[:MEETING_SHORTS]:
        stretch = next((one for one in found if one.start <= each.start and each.end <= one.end), None)
        if stretch and each.view == "text":
            yield each, stretch


def statement_rows(source: Source) -> Iterator[dict[str, Any]]:
    """Yield a STATEMENT row for each statement of a source."""
    own = name_key(subject_of(source.title))
    for each in source.facts:
        told = Told(
            each.subject,
            each.value,
            each.value_key,
            each.method,
            source.language,
            source.publisher,
            source.cluster,
            contexts_of(_view(source, each), each),
            each.subject_key == own,
            evidence(source, each),
        )
        yield {
            "key": draw(0, "subject", each.subject_key),
            "subject_key": each.subject_key,
            "relation": each.relation,
            "as_of": each.as_of if relations()[each.relation].time_varying else None,
            "value_key": each.value_key,
            "id": bytes.fromhex(source.doc_id),
            "told": canonical_json(asdict(told)).decode(),
        }


def _view(source: Source, statement: Statement) -> str:
    if statement.view == "text":
        return source.text
    return source.markup[int(statement.view.partition("/")[2])]


def evidence(source: Source, statement: Statement) -> Any:
    """Return the evidence of a statement: in the text, or in the mark-up that its cell names."""
    from dataclasses import replace

    from filters.instruct.record import sha256_of

    if statement.view == "text":
        modality = "table" if statement.cell else source.modality
        return evidence_of(source, statement.start, statement.end, cell=statement.cell, modality=modality)
    view = _view(source, statement)
    marked = replace(source, text=view, text_sha256=sha256_of(view))
    return evidence_of(marked, statement.start, statement.end, cell=statement.cell, modality="table")
