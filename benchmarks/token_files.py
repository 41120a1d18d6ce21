"""Token files of a snapshot's texts, made by the real command, and what stands in them by SentencePiece itself."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from manifests.manifest import load_manifest, newest_version
from manifests.store import open_store
from manifests.tar_shards import Sample
from tokenizer.count import count_words
from tokenizer.settings import TrainSettings
from tokenizer.train import train

VOCABULARY = 2000
MAX_TOKENS = 24  # so that many documents are several sequences
MODEL = "peers.model"


def encode_texts(root: Path, texts: list[str]) -> None:
    """Train a model of the texts and run `corpusmill encode` on the snapshot of `root`."""
    counts = [count_words(pa.array(texts)).counts]
    (root / MODEL).write_bytes(train(counts, TrainSettings(VOCABULARY, hard_limit=False)).model)
    options = {"model": str(root / MODEL), "max_tokens": MAX_TOKENS, "over_long": "split", "shards": 2}
    asked = [word for name, value in options.items() for word in ("--set", f"encode.{name}={value}")]
    script = Path(sys.executable).with_name("corpusmill")
    command = [str(script), "encode", "--out", str(root), "--quiet", "--workers", "1", *asked]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"corpusmill encode: status {done.returncode}\n{done.stderr[-3000:]}")


def token_samples(root: Path, texts: dict[bytes, str]) -> list[Sample]:
    """Return each document by its file and place in it: its tokens (int64), the lengths of its sequences.

    `texts` are by id. Where a document stands is what the index says; what stands there is what SentencePiece gives.
    """
    from sentencepiece import SentencePieceProcessor

    processor: Any = SentencePieceProcessor(model_file=str(root / MODEL))
    store = open_store(root)
    version = newest_version(store, "tokens")
    if version is None:
        raise RuntimeError(f"no snapshot of tokens in {root}")
    shards = [s for s in load_manifest(store, "tokens", version)["shards"] if s["kind"] == "tokens"]
    rows = [row for shard in shards for row in pq.read_table(root / shard["name"]).to_pylist()]
    samples, places = list[Sample](), dict[str, int]()
    for row in sorted(rows, key=lambda row: (row["prefix"], row["sequence"])):
        number = places[row["prefix"]] = places.get(row["prefix"], -1) + 1
        ids = np.array([*processor.encode(texts[row["id"]]), processor.eos_id()], np.int64)
        lengths = [min(MAX_TOKENS, len(ids) - at) for at in range(0, len(ids), MAX_TOKENS)]
        fields = {"tokens": ids.tobytes(), "lengths": json.dumps(lengths).encode()}
        samples.append((f"{Path(row['prefix']).as_posix()}#{number}", fields))
    return samples
