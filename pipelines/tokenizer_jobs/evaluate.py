"""What a model does to a sample of the corpus: by language, by source and kind, by Beam."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from filters.segmentation import segment, segmentation_digest
from manifests.keys import digest_of, keys_of, sampled
from manifests.manifest import Manifest
from manifests.shards import Shard
from manifests.store import Store
from pipelines.launcher import Launcher
from pipelines.stages.statistics import merge_statistics
from pipelines.tasks import Phase, Task
from pipelines.tokenizer_jobs.texts import shards_of, text_batches
from tokenizer.evaluate import NUMBERS, Compression, Encoder, add_up, evaluate_batch

VERSION = 4
EVALUATED = 5000  # texts, about: all of a small corpus, a sample of a large one
SALT = 0x6576616C
_BY = ("language", "source", "kind")


class EvaluateShard:
    """Worker of the evaluate phase. config: {model, sample}."""

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        self.store, self.encoder, self.sample = store, Encoder(store.read(config["model"])), config["sample"]

    def close(self) -> None:
        """Nothing is held."""

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        groups: dict[str, Compression] = {}
        for batch in text_batches(self.store, arguments["job"], arguments["shard"]):
            chosen: Any = batch.filter(pa.array(sampled(keys_of(batch["id"]), self.sample, SALT)))
            named = pc.binary_join_element_wise(*(chosen[name] for name in _BY), "\t")
            groups = add_up([groups, evaluate_batch(self.encoder, chosen["text"], named, segment(chosen["text"]))])
        whole = sum(groups.values(), start=Compression())
        return {
            "groups": {name: {number: getattr(each, number) for number in NUMBERS} for name, each in groups.items()},
            "used": base64.b64encode(np.packbits(np.asarray(whole.uses) > 0).tobytes()).decode(),
            "counts": {"documents": whole.documents},
        }


@dataclass
class Evaluation:
    """Measures a stored model on the texts of snapshots."""

    launcher: Launcher

    def run(self, manifests: Mapping[str, Manifest], model: Shard) -> dict[str, Any]:
        """Return {sampled_fraction, vocabulary, used_pieces, languages, sources, kinds}; {} where there is no text."""
        shards = shards_of(manifests)
        if not shards:
            return {}
        sample = min(1.0, EVALUATED / max(1, sum(shard["records"] for _, shard in shards)))
        key = digest_of({"model": model.sha256, "sample": sample, "words": segmentation_digest(), "version": VERSION})
        stem = f"tokenizer/evaluate/{key[:32]}"
        config = {"model": model.name, "sample": sample}
        tasks = [
            Task(f"{stem}/{job}-{shard['sha256'][:32]}.json", {"job": job, "shard": shard}) for job, shard in shards
        ]
        worker = "pipelines.tokenizer_jobs.evaluate:EvaluateShard"
        markers = self.launcher.run("tokenizer", Phase("evaluate", tasks, worker, config))
        groups = merge_statistics([marker["groups"] for marker in markers])
        used = np.bitwise_or.reduce([_bits(marker["used"], model.records) for marker in markers])
        folded = {f"{name}s": _folded(groups, place) for place, name in enumerate(_BY)}
        return {
            "sampled_fraction": sample,
            "vocabulary": model.records,
            "used_pieces": int(np.unpackbits(used).sum()),
            **folded,
        }


def _folded(groups: Mapping[str, Any], place: int) -> dict[str, Any]:
    """Return the sums by language, source or kind."""
    parts = [{name.split("\t")[place]: numbers} for name, numbers in groups.items()]
    return dict(sorted(merge_statistics(parts).items()))


def _bits(used: str, vocabulary: int) -> np.ndarray:
    """Return one bit a piece, uint8[ceil(vocabulary / 8)]; a shard without a sample used none."""
    bits = np.frombuffer(base64.b64decode(used), np.uint8)
    return bits if len(bits) else np.zeros(-(-vocabulary // 8), np.uint8)
