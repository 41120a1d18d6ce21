"""A model from a table of counts, and the files that other tools read it from. No text is read."""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from manifests.keys import canonical_json, digest_of
from manifests.objects import read_json
from manifests.runs import put_same
from manifests.shards import Shard
from manifests.store import Store
from pipelines.recipe import Tokenizer
from pipelines.tokenizer_jobs.count import Counts
from pipelines.tokenizer_jobs.phrases import SuperwordsJob
from tokenizer.groups import Group
from tokenizer.mix import Mixture, language_alphabets, mix, parts_by_kind, parts_by_language
from tokenizer.model import parse_model
from tokenizer.pieces_report import Usage, unreachable
from tokenizer.train import Trained, train
from tokenizer.write import KINDS, exports

JOB = "tokenizer"
VERSION = 5
WORDS_A_CHUNK = (
    4  # words that are read for each chunk that is trained on: a sample of chunks keeps more than one of words
)


@dataclass
class Training:
    """Trains the model of a recipe's block from counts, unless that model stands in the store."""

    block: Tokenizer
    store: Store

    def __post_init__(self) -> None:
        settings = self.block.train_settings()
        self.settings = settings
        self.parallel = parallel_texts(self.block.parity)
        self.named = settings.described

    def described(self) -> dict[str, Any]:
        """Return what decides the model's bytes beside the counts."""
        said = {code: hashlib.sha256(text.encode()).hexdigest() for code, text in self.parallel.items()}
        parity = {"parity": said} if said else {}
        return {"train": self.named, "mix": self.block.mix.model_dump(), "version": VERSION, **parity}

    def run(self, counts: Counts, job: SuperwordsJob | None = None) -> tuple[list[Shard], dict[str, Any]]:
        """Return the files, the .model first, and what mixing, training and counting say about it.

        `job` counts phrases, where the settings ask for superwords.
        """
        more = job.described() if job else {}
        key = digest_of({"table": [shard["sha256"] for shard in counts.shards], **self.described(), **more})
        stem = f"{JOB}/model/{key[:32]}"
        if self.store.size(f"{stem}.json") is None:
            said, model = self._superwords(stem, counts, job) if job else self._words(counts)
            for name, data in exports(model).items():
                put_same(self.store, f"{stem}{name}", data)
            put_same(self.store, f"{stem}.json", canonical_json(said))
        pieces = len(parse_model(self.store.read(f"{stem}.model")).pieces)
        names = [(suffix, kind) for suffix, kind in KINDS.items() if self.store.size(stem + suffix) is not None]
        files = [_file(self.store, f"{stem}{suffix}", kind, pieces) for suffix, kind in names]
        return files, read_json(self.store, f"{stem}.json", what="mixture")

    def _words(self, counts: Counts) -> tuple[dict[str, Any], bytes]:
        """Train the pieces within words; return what is said of them, and the model."""
        made, trained = self._train(counts)
        said = _described(made) | {"trained": asdict(trained.ledger)}
        if not self.settings.superwords:
            said["pieces"] = _pieces(trained.model, counts)
        said["chunks"] = trained.sampling._asdict() if trained.sampling else None
        return said, trained.model

    def _superwords(self, stem: str, counts: Counts, job: SuperwordsJob) -> tuple[dict[str, Any], bytes]:
        """Train both stages; the first one waits in the store, so that a killed job does not train it again."""
        first = f"{stem}.words"
        if self.store.size(f"{first}.json") is None:
            said, model = self._words(counts)
            put_same(self.store, f"{first}.model", model)
            put_same(self.store, f"{first}.json", canonical_json(said))
        said, model = read_json(self.store, f"{first}.json", what="mixture"), self.store.read(f"{first}.model")
        weights = {Group(*named): weight for *named, weight in said["weights"]}
        mix_block = self.block.mix
        grown, found = job.run(f"{first}.model", weights, mix_block.per_document_cap, mix_block.max_rows)
        if self.settings.hard_limit and len(found.superwords.pieces) < self.settings.superwords:
            raise TooFewPhrases(self.settings.superwords, len(found.superwords.pieces))
        pieces = _pieces(grown, counts, model, found.rows.batches())
        return said | {"superwords": found.as_json(), "pieces": pieces}, grown

    def _train(self, counts: Counts) -> tuple[Mixture, Trained]:
        def table() -> Iterator[pa.RecordBatch]:
            return counts.batches()

        block, settings = self.block, self.settings.first_stage
        parts = parts_by_kind(counts.groups) if self.settings.script_free == "code" else {}
        if self.parallel:
            parts = parts_by_language(counts.groups, [*self.parallel])
        most = block.mix.max_rows
        is_own = block.engine == "own" and self.settings.algorithm == "bpe"
        rows, made = mix(table, counts.groups, block.mix.balance(), most * WORDS_A_CHUNK if is_own else most, parts)
        coverage = self.settings.character_coverage
        letters = language_alphabets(table, counts.groups, coverage) if block.mix.alphabet_by_language else None
        return made, train(rows, settings, block.engine, letters, [*self.parallel.values()], most if is_own else None)


def parallel_texts(folder: str | None) -> dict[str, str]:
    """Return the text of each language, LANGUAGE.txt of a folder; {} where there is no folder.

    Raises ValueError where there is no English to compare with.
    """
    if folder is None:
        return {}
    texts = {path.stem: path.read_text("utf-8") for path in sorted(Path(folder).glob("*.txt"))}
    if "en" not in texts:
        raise ValueError(f"{folder} holds no en.txt: other languages are held against English")
    return texts


class TooFewPhrases(ValueError):
    """The corpus doesn't hold that many superwords."""

    def __init__(self, asked: int, largest: int) -> None:
        """Name both numbers."""
        super().__init__(
            f"superwords={asked} is more than the phrases of these texts make: the largest possible is {largest} "
            "(or set hard_limit=False to take what there is)"
        )


def _pieces(
    model: bytes, counts: Counts, words: bytes | None = None, phrases: Iterable[pa.RecordBatch] = ()
) -> dict[str, Any]:
    """Return what the pieces are worth on the words, and phrases, that were counted."""
    usage, lost = Usage(model, counts.manifest["characters"]["documents"], words), unreachable(model)
    for batch in counts.batches():
        usage.add(batch)
    for batch in phrases:
        usage.add_phrases(batch)
    return {**usage.found(), "unreachable": len(lost), "unreachable_pieces": lost[:24]}


def _described(made: Mixture) -> dict[str, Any]:
    """Return what mixing did, for the manifest."""
    weights = [[*group, weight] for group, weight in sorted(made.weights.items())]
    numbers = {name: value for name, value in vars(made).items() if name != "weights"}
    return {**numbers, "kept_fraction": made.kept_fraction, "weights": weights}


def _file(store: Store, name: str, kind: str, pieces: int) -> Shard:
    data = store.read(name)
    return Shard(name, kind, len(data), hashlib.sha256(data).hexdigest(), pieces, None, None)
