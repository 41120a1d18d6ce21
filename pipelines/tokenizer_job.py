"""The tokenizer job: counts of the whole corpus by Beam, a model from the counts, an evaluation by language.

count     shard of documents  -> its words, counted, as a run sorted by the words' keys
merge     key range           -> the words of the whole corpus, as one shard of the count table
train     one process, from the rows of the table
evaluate  shard of documents  -> bytes, tokens, round trips by language, on a sample by id
"""

import base64
import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from filters.segmentation import segment, segmentation_digest
from manifests.keys import canonical_json, digest_of, key_range, keys_of, sampled
from manifests.manifest import Manifest, commit, newest_version
from manifests.objects import read_json
from manifests.reader import open_shard, shard_of
from manifests.runs import Run, gather, load_runs, partitions_for, put_same, save_runs, write_run
from manifests.shards import Shard, write_shard
from manifests.store import Store
from pipelines.launcher import Launcher
from pipelines.recipe import Tokenizer
from pipelines.stages.statistics import merge_statistics
from pipelines.tasks import Phase, Task
from tokenizer.count import COUNTS, count_words, merge_counts
from tokenizer.evaluate import NUMBERS, Compression, Encoder, add_up, evaluate_batch
from tokenizer.gather import KEY_VERSION
from tokenizer.groups import KINDS, UNDETERMINED, Group
from tokenizer.ledger import CountLedger
from tokenizer.mix import Mixture, language_alphabets, mix
from tokenizer.model import parse_model
from tokenizer.train import train
from tokenizer.write import exports

JOB = "tokenizer"
VERSION = 3
MERGE_BATCHES = 16  # batches of counts that are held before they are added up
PARTITION_BYTES = 256 << 20
EVALUATED = 5000  # documents, about: all of a small corpus, a sample of a large one
_SALT = 0x6576616C
_CODE_TYPES = "^(text/x-|application/(javascript|ecmascript|typescript|x-sh|x-python|x-httpd-php)$)"


def shard_batches(store: Store, shard: Mapping[str, Any], columns: list[str]) -> Iterator[pa.RecordBatch]:
    """Yield the batches of a published Parquet shard, after its sha256 is checked."""
    with open_shard(store, shard_of(shard)) as file:
        yield from pq.ParquetFile(file, page_checksum_verification=True).iter_batches(columns=columns)


class CountShard:
    """Worker of the count phase."""

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        self.store = store

    def close(self) -> None:
        """Nothing is held."""

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        ledger, held, groups = CountLedger(), [pa.RecordBatch.from_pylist([], schema=COUNTS)], set()
        for batch in shard_batches(self.store, arguments["shard"], ["text", *_GROUPED]):
            for group, text in grouped(batch):
                counted = count_words(text, group=group.key)
                ledger += counted.ledger
                groups.add(group)
                held.append(counted.counts)
            if len(held) >= MERGE_BATCHES:
                held = [merge_counts(held)]
        counts = merge_counts(held)
        run = write_run(self.store, arguments["output"], pa.Table.from_batches([counts]), _ORDER)
        return {
            "run": run.as_json(),
            "ledger": asdict(ledger),
            "groups": sorted(groups),
            "counts": {"words": counts.num_rows},
        }


_GROUPED = ["source", "language", "media_type"]
_ORDER = ("key", "word", "group")


def grouped(batch: pa.RecordBatch) -> Iterator[tuple[Group, pa.StringArray]]:
    """Give each group of documents and its texts, in the order of the groups' names."""
    is_code: Any = pc.fill_null(pc.match_substring_regex(batch["media_type"], _CODE_TYPES), False)
    kind = pc.if_else(is_code, KINDS[1], KINDS[0])
    names = [pc.fill_null(batch["source"], ""), pc.fill_null(batch["language"], UNDETERMINED), kind]
    rows = pa.table([*names, pa.array(range(batch.num_rows))], names=[*Group._fields, "row"])
    by_group = (
        rows.group_by(list(Group._fields))
        .aggregate([("row", "list")])
        .sort_by([(n, "ascending") for n in Group._fields])
    )
    for *named, chosen in zip(
        *(column.to_pylist() for column in by_group.select([*Group._fields, "row_list"])), strict=True
    ):
        yield Group(*named), batch["text"].take(pa.array(sorted(chosen)))


class MergeCounts:
    """Worker of the merge phase. config: {runs}."""

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        self.store, self.runs = store, load_runs(store, config["runs"])

    def close(self) -> None:
        """Nothing is held."""

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        part, parts = arguments["partition"], arguments["partitions"]
        rows = gather(self.store, self.runs, COUNTS, *key_range(part, parts), order=_ORDER)
        merged = merge_counts(rows.to_batches())
        stem = f"{JOB}/counts/part-{part:05d}-of-{parts:05d}"
        shard = write_shard(self.store, stem, "counts", pa.Table.from_batches([merged]))
        return {"shard": shard.as_json(), "counts": {"words": merged.num_rows}}


class EvaluateShard:
    """Worker of the evaluate phase. config: {model, sample}."""

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        self.store, self.encoder, self.sample = store, Encoder(store.read(config["model"])), config["sample"]

    def close(self) -> None:
        """Nothing is held."""

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        languages: dict[str, Compression] = {}
        for batch in shard_batches(self.store, arguments["shard"], ["id", "text", "language"]):
            chosen = batch.filter(pa.array(sampled(keys_of(batch["id"]), self.sample, _SALT)))
            words = segment(chosen["text"])
            languages = add_up([languages, evaluate_batch(self.encoder, chosen["text"], chosen["language"], words)])
        whole = sum(languages.values(), start=Compression())
        numbers = {code: {name: getattr(each, name) for name in NUMBERS} for code, each in languages.items()}
        used = np.packbits(np.asarray(whole.uses) > 0)
        return {
            "languages": numbers,
            "used": base64.b64encode(used.tobytes()).decode(),
            "counts": {"documents": whole.documents},
        }


@dataclass
class TokenizerJob:
    """A recipe's tokenizer block over a text snapshot."""

    block: Tokenizer
    launcher: Launcher

    def __post_init__(self) -> None:
        self.settings = self.block.train_settings()
        self.named = {name: value for name, value in asdict(self.settings).items() if name != "num_threads"}

    def described(self, text: Manifest) -> dict[str, Any]:
        """Return what decides the model's bytes."""
        return {
            "text": text["digest"],
            "train": self.named,
            "mix": self.block.mix.model_dump(),
            "version": VERSION,
            "keys": KEY_VERSION,
        }

    def run(self, text: Manifest) -> tuple[int, Manifest, bool]:
        """Count, train, evaluate, commit; return (version, manifest, whether it stood already)."""
        before = newest_version(self.launcher.store, JOB)
        shards = [shard for shard in text["shards"] if shard["kind"] == "documents"]
        if not shards:
            raise ValueError("the text snapshot holds no document: there is nothing to count")
        counted, table = self._count(shards)
        groups = {group.key: group for marker in counted for group in (Group(*each) for each in marker["groups"])}
        files, mixture = self._train(table, groups)
        model = files[0]
        evaluation = self._evaluate(shards, model)
        ledger = sum((CountLedger(**marker["ledger"]) for marker in counted), CountLedger())
        if not ledger.balanced:
            raise RuntimeError(f"characters are neither counted nor accounted for: {ledger}")
        body = {
            "job": JOB,
            "settings": self.described(text),
            "shards": [*table, *(file.as_json() for file in files)],
            "characters": asdict(ledger),
            "statistics": {"evaluation": evaluation, "mixture": mixture},
            "parents": [text["digest"]],
        }
        version, manifest = commit(self.launcher.store, JOB, body)
        return version, manifest, version <= before

    def _count(self, shards: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        stem = f"{JOB}/count-v{VERSION}.{KEY_VERSION}"
        tasks = [
            Task(
                f"{stem}/{shard['sha256'][:32]}.json",
                {"shard": shard, "output": f"{stem}/{shard['sha256'][:32]}"},
            )
            for shard in shards
        ]
        counted = self.launcher.run(JOB, Phase("count", tasks, "pipelines.tokenizer_job:CountShard", {}))
        runs = [Run(**marker["run"]) for marker in counted]
        listed = save_runs(self.launcher.store, JOB, runs)
        parts = partitions_for(sum(run.memory_bytes for run in runs), PARTITION_BYTES)
        key = digest_of({"runs": listed, "version": VERSION})[:32]
        tasks = [
            Task(f"{JOB}/merge/{key}/{part:05d}-of-{parts:05d}.json", {"partition": part, "partitions": parts})
            for part in range(parts)
        ]
        merged = self.launcher.run(JOB, Phase("merge", tasks, "pipelines.tokenizer_job:MergeCounts", {"runs": listed}))
        return counted, [marker["shard"] for marker in merged]

    def _train(self, table: list[dict[str, Any]], groups: dict[int, Group]) -> tuple[list[Shard], dict[str, Any]]:
        """Mix, train and write what other tools read, unless the model of this table and these settings stands."""
        store, balance = self.launcher.store, self.block.mix.balance()
        key = digest_of(
            {
                "table": [part["sha256"] for part in table],
                "settings": self.named,
                "mix": self.block.mix.model_dump(),
                "version": VERSION,
            }
        )
        stem = f"{JOB}/model/{key[:32]}"
        if store.size(f"{stem}.json") is None:

            def counts() -> Iterator[pa.RecordBatch]:
                return (batch for part in table for batch in shard_batches(store, part, COUNTS.names))

            rows, made = mix(counts, groups, balance, self.block.mix.max_rows)
            coverage = self.settings.character_coverage
            letters = language_alphabets(counts, groups, coverage) if self.block.mix.alphabet_by_language else None
            trained = train(rows, self.settings, self.block.engine, letters)
            for name, data in exports(trained.model).items():
                put_same(store, f"{stem}{name}", data)
            put_same(store, f"{stem}.json", canonical_json(_described(made) | {"trained": asdict(trained.ledger)}))
        pieces = len(parse_model(store.read(f"{stem}.model")).pieces)
        kinds = {".model": "model", ".tokenizer.json": "tokenizer_json", ".tiktoken": "tiktoken"}
        files = [_file(store, f"{stem}{suffix}", kind, pieces) for suffix, kind in kinds.items()]
        return files, read_json(store, f"{stem}.json", what="mixture")

    def _evaluate(self, shards: list[dict[str, Any]], model: Shard) -> dict[str, Any]:
        sample = min(1.0, EVALUATED / sum(shard["records"] for shard in shards))
        key = digest_of({"model": model.sha256, "sample": sample, "words": segmentation_digest(), "version": VERSION})
        stem = f"{JOB}/evaluate/{key[:32]}"
        config = {"model": model.name, "sample": sample}
        tasks = [Task(f"{stem}/{shard['sha256'][:32]}.json", {"shard": shard}) for shard in shards]
        markers = self.launcher.run(JOB, Phase("evaluate", tasks, "pipelines.tokenizer_job:EvaluateShard", config))
        languages = merge_statistics([marker["languages"] for marker in markers])
        used = np.bitwise_or.reduce([_bits(marker["used"], model.records) for marker in markers])
        return {
            "sampled_fraction": sample,
            "vocabulary": model.records,
            "used_pieces": int(np.unpackbits(used).sum()),
            "languages": dict(sorted(languages.items())),
        }


def _bits(used: str, vocabulary: int) -> np.ndarray:
    """Return one bit a piece, uint8[ceil(vocabulary / 8)]; a shard without a sample used none."""
    bits = np.frombuffer(base64.b64decode(used), np.uint8)
    return bits if len(bits) else np.zeros(-(-vocabulary // 8), np.uint8)


def _described(made: Mixture) -> dict[str, Any]:
    """Return what mixing did, for the manifest."""
    weights = [[*group, weight] for group, weight in sorted(made.weights.items())]
    numbers = {name: value for name, value in vars(made).items() if name != "weights"}
    return {**numbers, "kept_fraction": made.kept_fraction, "weights": weights}


def _file(store: Store, name: str, kind: str, pieces: int) -> Shard:
    data = store.read(name)
    return Shard(name, kind, len(data), hashlib.sha256(data).hexdigest(), pieces, None, None)
