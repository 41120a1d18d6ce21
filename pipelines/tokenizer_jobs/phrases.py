"""Superwords of a model: phrases are counted in the texts of the whole corpus, twice, by Beam.

pairs     shard of texts  -> every pair of neighbouring words that are one token each, as runs sorted by key
merge     key range       -> the pairs of the whole corpus; of these the heaviest are kept
rows      shard of texts  -> the longest rows of kept pairs
merge     key range       -> the rows of the whole corpus, which superwords are learnt from

A merge can stand no more often than the pair of words at its seam. So if the last superword was made of more than the
heaviest pair that was left out, all pairs together would have given the same superwords. If it was not, more pairs are
kept and rows are counted again, TRIES times at most; the manifest says what came of it.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from manifests.keys import canonical_json, digest_of, key_range
from manifests.manifest import Manifest
from manifests.objects import read_json
from manifests.runs import Run, gather, load_runs, partitions_for, put_same, save_runs, write_run
from manifests.shards import write_shard
from manifests.store import Store, open_store
from pipelines.launcher import Launcher
from pipelines.tasks import Phase, Task
from pipelines.tokenizer_jobs.count import PARTITION_BYTES, Counts, table_batches
from pipelines.tokenizer_jobs.texts import grouped, shards_of, text_batches
from tokenizer.count import COUNTS, merge_counts
from tokenizer.gather import KEY_VERSION
from tokenizer.groups import Group
from tokenizer.ledger import PhraseLedger
from tokenizer.mix import Heaviest, Mixture, heaviest, mix_weighted
from tokenizer.phrases import PHRASES_VERSION, Counted, Phrases
from tokenizer.settings import TrainSettings
from tokenizer.superwords import SUPERWORDS_VERSION, Superwords, learn_superwords, phrase_rows, with_superwords

JOB = "tokenizer"
VERSION = 1
TEXT_BYTES = 16 << 20  # encoded at once
RUN_BYTES = 128 << 20  # of phrases that are held before they are stored
FIRST_PAIRS, MORE_PAIRS, TRIES = 4, 4, 3  # pairs kept for each superword; times as many in the next try
ROUNDING = 1 + 1 / 16  # weights become counts with an error of 3 % at most (tokenizer.mix)
_ORDER = ("key", "word", "group")
_HERE = "pipelines.tokenizer_jobs.phrases"
_VERSIONS = [VERSION, PHRASES_VERSION, KEY_VERSION]


class CountPhrases:
    """Worker of the pairs and rows phases. config: {model, settings, texts: the store's URI, kept: name or null}."""

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        self.store, self.texts = store, open_store(config["texts"])
        kept = None if config["kept"] is None else read_json(store, config["kept"], kind=list, what="list of pairs")
        self.phrases = Phrases(store.read(config["model"]), TrainSettings(**config["settings"]), kept)

    def close(self) -> None:
        """Nothing is held."""

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        ledger, held, size, runs = PhraseLedger(), list[pa.RecordBatch](), 0, list[Run]()
        for counted in self._counted(arguments):
            ledger += counted.ledger
            held, size = [*held, counted.counts], size + counted.counts.nbytes
            if size > RUN_BYTES:
                held = [merge_counts(held)]
                size = held[0].nbytes
            if size > RUN_BYTES // 2 and len(held) == 1:
                runs.append(self._written(arguments["output"], held))
                held, size = [], 0
        if held or not runs:
            runs.append(self._written(arguments["output"], held))
        return {
            "runs": [run.as_json() for run in runs],
            "ledger": asdict(ledger),
            "counts": {"phrases": sum(run.rows for run in runs)},
        }

    def _counted(self, arguments: dict[str, Any]) -> Iterator[Counted]:
        for batch in text_batches(self.texts, arguments["job"], arguments["shard"]):
            for group, text in grouped(batch):
                for part in _pieces(text):
                    yield self.phrases.count(part, group=group.key)

    def _written(self, stem: str, held: list[pa.RecordBatch]) -> Run:
        return write_run(self.store, stem, pa.Table.from_batches([merge_counts(held)]), _ORDER)


def _pieces(text: Any) -> Iterator[Any]:
    """Give texts in parts of about TEXT_BYTES."""
    size = max(1, len(text) * TEXT_BYTES // max(1, text.nbytes))
    for at in range(0, len(text), size):
        yield text.slice(at, size)


class MergePhrases:
    """Worker of the merge phases. config: {runs, stem}."""

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        self.store, self.stem, self.runs = store, config["stem"], load_runs(store, config["runs"])

    def close(self) -> None:
        """Nothing is held."""

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        part, parts = arguments["partition"], arguments["partitions"]
        rows = gather(self.store, self.runs, COUNTS, *key_range(part, parts), order=_ORDER)
        merged = merge_counts(rows.to_batches())
        name = f"{self.stem}/part-{part:05d}-of-{parts:05d}"
        shard = write_shard(self.store, name, "phrases", pa.Table.from_batches([merged]))
        occurrences = pc.sum(merged["count"]).as_py() or 0
        return {"shard": shard.as_json(), "counts": {"phrases": merged.num_rows, "occurrences": occurrences}}


@dataclass(frozen=True)
class Table:
    """Phrases of a corpus, and what became of its tokens."""

    store: Store
    shards: list[dict[str, Any]]
    ledger: PhraseLedger

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Yield all rows (schema COUNTS, ascending)."""
        return table_batches(self.store, self.shards)


@dataclass(frozen=True)
class Found:
    """Superwords, what they were learnt from, and whether more pairs could have given others."""

    superwords: Superwords
    pairs: Table
    rows: Table
    kept: Heaviest
    made: Mixture
    tries: int
    is_exact: bool

    def as_json(self) -> dict[str, Any]:
        made, words = self.made, self.superwords
        return {
            "superwords": len(words.pieces),
            "exact": self.is_exact,
            "last_merge": float(words.counts[-1]) / made.scale if len(words.pieces) else 0.0,
            "heaviest_pair_left_out": self.kept.left_out,
            "pairs": self.kept.all_words,
            "kept_pairs": len(self.kept.words),
            "tries": self.tries,
            "rows": made.rows,
            "kept_rows": made.kept_rows,
            "tau": made.tau,
            "scale": made.scale,
            "tokens": asdict(self.rows.ledger),
            "first": words.pieces[:24],
        }


@dataclass
class SuperwordsJob:
    """Adds superwords to models trained on `counts`, from the texts that these were counted in."""

    launcher: Launcher
    texts: Store
    manifests: Mapping[str, Manifest]
    settings: TrainSettings

    @property
    def shards(self) -> list[tuple[str, dict[str, Any]]]:
        """(job, shard) of all texts."""
        return shards_of(self.manifests)

    def check(self, counts: Counts) -> None:
        """Refuse counts of texts that are not here.

        Raises ValueError naming what is missing.
        """
        here = {self.manifests[job]["digest"] for job, _ in self.shards}
        if missing := sorted({*counts.manifest["parents"]} - here):
            raise ValueError(
                f"superwords are counted in the texts themselves, and {len(missing)} of the corpora in these counts "
                f"({missing[0]} for one) are not the newest in {self.texts.uri}: train where all texts are, count "
                "again, or set superwords to 0"
            )
        if more := sorted(here - {*counts.manifest["parents"]}):
            raise ValueError(f"{self.texts.uri} holds texts ({more[0]}) that these counts lack: count again")

    def described(self) -> dict[str, Any]:
        """Return what decides superwords beside counts, settings and mixture."""
        read = [[job, shard["sha256"]] for job, shard in self.shards]
        return {"texts": read, "superwords": [*_VERSIONS, SUPERWORDS_VERSION, FIRST_PAIRS, MORE_PAIRS, TRIES]}

    def run(self, model: str, weights: Mapping[Group, float], cap: bool, max_rows: int) -> tuple[bytes, Found]:
        """Return the model (name in the store) with superwords, and what they were learnt from."""
        plain = self.launcher.store.read(model)
        name = hashlib.sha256(plain).hexdigest()
        stem = f"{JOB}/superwords/{digest_of([name, self._settings(), *_VERSIONS])[:32]}"
        pairs, chosen = self._table(f"{stem}/pairs", model, None), dict(weights)
        most = FIRST_PAIRS * self.settings.superwords
        for attempt in range(1, TRIES + 1):
            kept = heaviest(pairs.batches, chosen, cap, most)
            rows = self._table(f"{stem}/rows-{digest_of(kept.words)[:32]}", model, kept.words)
            mixed, made = mix_weighted(rows.batches, chosen, cap, max_rows)
            learnt = learn_superwords(map(phrase_rows, mixed), plain, self.settings)
            found = Found(
                learnt, pairs, rows, kept, made, attempt, is_exact(learnt, kept, made, rows.ledger, cap, self.settings)
            )
            if found.is_exact or not kept.left_out:
                break
            most *= MORE_PAIRS
        return with_superwords(plain, learnt.pieces), found

    def _settings(self) -> dict[str, Any]:
        """Settings that phrases depend on: those of the words and signs, not how many superwords there are."""
        return {**self.settings.first_stage.described, "superword_signs": self.settings.superword_signs}

    def _table(self, stem: str, model: str, kept: list[str] | None) -> Table:
        named = None if kept is None else f"{stem}/kept.json"
        if named is not None:
            put_same(self.launcher.store, named, canonical_json(kept))
        phase = "pairs" if kept is None else "rows"
        config = {"model": model, "settings": self._settings(), "texts": self.texts.uri, "kept": named}
        tasks = [
            Task(
                f"{stem}/count/{job}-{shard['sha256'][:32]}.json",
                {"job": job, "shard": shard, "output": f"{stem}/count/{job}-{shard['sha256'][:32]}"},
            )
            for job, shard in self.shards
        ]
        counted = self.launcher.run(JOB, Phase(phase, tasks, f"{_HERE}:CountPhrases", config))
        ledger = sum((PhraseLedger(**marker["ledger"]) for marker in counted), PhraseLedger())
        return self._merged(stem, phase, [Run(**run) for marker in counted for run in marker["runs"]], ledger)

    def _merged(self, stem: str, phase: str, runs: Sequence[Run], ledger: PhraseLedger) -> Table:
        listed = save_runs(self.launcher.store, JOB, runs)
        parts = partitions_for(sum(run.memory_bytes for run in runs), PARTITION_BYTES)
        into = f"{stem}/table-{digest_of({'runs': listed})[:16]}"
        tasks = [
            Task(f"{into}/{part:05d}-of-{parts:05d}.json", {"partition": part, "partitions": parts})
            for part in range(parts)
        ]
        config = {"runs": listed, "stem": into}
        markers = self.launcher.run(JOB, Phase(f"merge {phase}", tasks, f"{_HERE}:MergePhrases", config))
        occurrences = sum(marker["counts"]["occurrences"] for marker in markers)
        if not ledger.balanced or occurrences != ledger.counted:
            raise RuntimeError(f"phrases are neither counted nor accounted for: {occurrences} of {ledger}")
        return Table(self.launcher.store, [marker["shard"] for marker in markers], ledger)


def is_exact(
    learnt: Superwords, kept: Heaviest, made: Mixture, ledger: PhraseLedger, cap: bool, settings: TrainSettings
) -> bool:
    """Say whether all pairs of words would have given the same superwords, up to the rounding of weights."""
    if made.tau or cap or ledger.over_long:  # a sample, or counts that don't add up
        return False
    if not kept.left_out:
        return True
    if len(learnt.pieces) < settings.superwords:
        return False
    last = float(learnt.counts[-1]) / made.scale
    return last > kept.left_out * (1.0 if made.scale == 1.0 else ROUNDING)
