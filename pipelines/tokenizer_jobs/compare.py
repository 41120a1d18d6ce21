"""Vocabularies side by side: the same sample of a corpus, the same parallel texts, one after another."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from filters.segmentation import Segmentation, segment
from manifests.keys import keys_of, sampled
from manifests.reader import read_manifest
from manifests.store import open_store
from pipelines.tokenizer_job import newest_texts
from pipelines.tokenizer_jobs.evaluate import EVALUATED, SALT
from pipelines.tokenizer_jobs.texts import shards_of, text_batches
from pipelines.tokenizer_jobs.train import parallel_texts
from tokenizer.encoders import Encoder, SentencePiece, load_encoder
from tokenizer.evaluate import NUMBERS, Compression, add_up, evaluate_batch
from tokenizer.pieces_report import gini, premiums, unreachable

RATIOS = (
    "bytes_per_token",
    "tokens_per_character",
    "fertility",
    "single_word_fraction",
    "byte_fallback_fraction",
    "lossless_fraction",
    "renyi_efficiency",
)
_BY = ("language", "source", "kind")
_HEADS = ("bytes/token", "tokens/char", "tokens/word", "one-token words", "bytes alone", "lossless", "Renyi")

Sample = tuple[Any, Any, Segmentation]  # texts, their groups ("language<TAB>source<TAB>kind"), their words


@dataclass
class Measured:
    """One vocabulary: sums by group, tokens by language of the parallel texts, pieces that can't be reached."""

    size: int
    groups: dict[str, Compression]
    parallel: dict[str, int] = field(default_factory=dict)
    unreachable: int | None = None  # of a .model

    def by(self, name: str) -> dict[str, Compression]:
        """Return the sums by language, source or kind."""
        place = _BY.index(name)
        return add_up({group.split("\t")[place]: each} for group, each in self.groups.items())

    @property
    def whole(self) -> Compression:
        """All texts."""
        return sum(self.groups.values(), start=Compression())

    def as_json(self) -> dict[str, Any]:
        over = "en" if "en" in self.parallel else None
        return {
            "vocabulary": self.size,
            "all": _figures(self.whole),
            **{f"{by}s": {name: _figures(each) for name, each in self.by(by).items()} for by in _BY},
            "used_pieces": self.whole.used_pieces,
            "unreachable_pieces": self.unreachable,
            "parallel_tokens": self.parallel,
            "gini": gini(self.parallel.values()),
            "premium_over_english": premiums(self.parallel, over) if over else {},
        }


@dataclass
class Comparison:
    """Vocabularies by name, in the order they were given."""

    measured: dict[str, Measured]

    def as_json(self) -> dict[str, Any]:
        return {name: each.as_json() for name, each in self.measured.items()}


def _figures(each: Compression) -> dict[str, Any]:
    numbers = {name: getattr(each, name) for name in NUMBERS}
    return numbers | {name: round(getattr(each, name), 6) for name in RATIOS}


def newest_model(uri: str) -> bytes:
    """Return the .model of the newest tokenizer of an output; raises ManifestError where there is none."""
    store = open_store(uri)
    shards = read_manifest(store, "tokenizer")["shards"]
    return store.read(next(shard["name"] for shard in shards if shard["kind"] == "model"))


def sample_of(uri: str) -> list[Sample]:
    """Return a sample by id, about EVALUATED texts, of all that an output's newest snapshots hold."""
    store = open_store(uri)
    shards = shards_of(newest_texts(store))
    if not shards:
        raise FileNotFoundError(f"{uri} holds no snapshot of texts: there is nothing to measure on")
    fraction = min(1.0, EVALUATED / max(1, sum(shard["records"] for _, shard in shards)))
    batches = (batch for job, shard in shards for batch in text_batches(store, job, shard))
    return [*_sampled(batches, fraction)]


def _sampled(batches: Iterator[Any], fraction: float) -> Iterator[Sample]:
    for each in batches:
        batch = each.filter(pa.array(sampled(keys_of(each["id"]), fraction, SALT)))
        if batch.num_rows:
            named = pc.binary_join_element_wise(*(batch[name] for name in _BY), "\t")
            yield batch["text"], named, segment(batch["text"])


def measured(encoder: Encoder, samples: Sequence[Sample], parallel: Mapping[str, str]) -> Measured:
    """Measure one vocabulary."""
    groups = add_up(evaluate_batch(encoder, *each) for each in samples)
    tokens = {code: len(ids) for code, ids in zip(parallel, encoder.encode([*parallel.values()]), strict=True)}
    return Measured(encoder.size, groups, tokens)


def compare_on(uri: str, files: Mapping[str, bytes], parallel: str | None) -> Comparison:
    """Measure vocabularies (bytes of their files by name) on the texts of an output and on parallel ones."""
    encoders = {name: load_encoder(data, name) for name, data in files.items()}
    samples, texts = sample_of(uri), parallel_texts(parallel)
    found = {name: measured(encoder, samples, texts) for name, encoder in encoders.items()}
    for name, encoder in encoders.items():
        if isinstance(encoder, SentencePiece):
            found[name].unreachable = len(unreachable(files[name]))
    return Comparison(found)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    first = cells[0].ljust(widths[0])
    return "  ".join([first, *(cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True))]).rstrip()


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(len(row[i]) for row in [head, *rows]) for i in range(len(head))]
    return "\n".join(_line(row, widths) for row in [head, *rows])


def _cells(each: Compression) -> list[str]:
    return [f"{getattr(each, name):.3f}" for name in RATIOS]


def show_one(compared: Comparison) -> str:
    """Return one vocabulary's figures by language, source and kind, as text."""
    ((name, found),) = compared.measured.items()
    parts = [f"{name}: {found.size} pieces, {found.whole.used_pieces} of them used in {found.whole.documents} texts"]
    if found.unreachable is not None:
        parts[0] += f", {found.unreachable} never reached"
    for by in _BY:
        rows = [[code, *_cells(each)] for code, each in found.by(by).items()]
        parts.append(_table([by, *_HEADS], [*rows, ["all", *_cells(found.whole)]]))
    if found.parallel:
        parts.append(_premiums(compared))
    return "\n\n".join(parts)


def show_all(compared: Comparison) -> str:
    """Return the vocabularies side by side: all texts, bytes a token by language, premium over English."""
    each = compared.measured.items()
    whole = _table(
        ["vocabulary", "pieces", *_HEADS], [[name, str(found.size), *_cells(found.whole)] for name, found in each]
    )
    codes = sorted({code for found in compared.measured.values() for code in found.by("language")})
    rows = [
        [code, *(f"{found.by('language')[code].bytes_per_token:.3f}" for found in compared.measured.values())]
        for code in codes
    ]
    parts = [whole, "bytes a token, by language\n" + _table(["language", *compared.measured], rows)]
    if any(found.parallel for found in compared.measured.values()):
        parts.append(_premiums(compared))
    return "\n\n".join(parts)


def _premiums(compared: Comparison) -> str:
    found = {name: premiums(each.parallel) for name, each in compared.measured.items()}
    codes = sorted(next(iter(found.values())))
    rows = [[code, *(f"{each[code]:.2f}" for each in found.values())] for code in codes]
    unequal = ["Gini", *(f"{gini(each.parallel.values()):.3f}" for each in compared.measured.values())]
    return "tokens of parallel texts, English = 1\n" + _table(["language", *found], [*rows, unequal])
