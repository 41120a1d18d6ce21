"""Token shards: corpusmill against SentencePiece's batches, Hugging Face's and datatrove's step, on the same texts.

    python -m benchmarks.encode FOLDER [--megabytes 24] [--vocabulary 32000] [--model FILE]

FOLDER holds HTML pages, Python files or plain text (the unpacked packages of the demo). A model is trained on the
texts, or given (then Hugging Face's file of it is made as corpusmill writes it). Every contender runs in a process of
its own, in one thread, encodes the same texts with the same vocabulary and writes Megatron's `.bin` and `.idx`
(datatrove its own form, `.ds`); what counts are its CPU seconds between the loaded model and the written files,
kernels compiled before. Exit status 1 if the tokens are not the same.

  ours           tokenizer.encode, from Arrow
  ours, known    the same texts once more: what a worker does on its later shards, at best
  sentencepiece  SentencePieceProcessor.encode on lists of texts, as numpy
  hugging-face   Tokenizer.encode_batch_fast, as Megatron-LM's preprocess_data does with a Hugging Face tokenizer
  datatrove      MegatronDocumentTokenizer's kind of step (DocumentTokenizer), in an environment of its own
  the job        `corpusmill encode --workers 1` on a snapshot of the texts: reads Parquet, stages, sorts, writes all
"""

import os

for name in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "RAYON_NUM_THREADS"):
    os.environ[name] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import argparse  # noqa: E402
import hashlib  # noqa: E402
import json  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable, Iterator  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import numpy as np  # noqa: E402

BATCH_TEXTS = 512
ENGINES = ("ours", "ours, known", "sentencepiece", "hugging-face", "datatrove")
_DATATROVE = """
import json, sys, time
from pathlib import Path
from datatrove.data import Document
from datatrove.pipeline.tokens.tokenizer import DocumentTokenizer
work = Path(sys.argv[1])
texts = json.loads((work / "texts.json").read_text())
step = DocumentTokenizer(str(work / "out"), tokenizer_name_or_path=str(work / "m.tokenizer.json"), eos_token=None,
                         shuffle_documents=False, save_final_metadata=False, batch_size=512)
step.tokenizer
data = [Document(text=text, id=str(n)) for n, text in enumerate(texts)]
start = time.process_time()
step.run(iter(data))
print(json.dumps({"cpu_s": time.process_time() - start}))
"""


def texts_of(folder: Path, wanted: int) -> Iterator[str]:
    """Give the texts of a folder's files until they hold `wanted` bytes, in the order of the names' digests."""
    from resiliparse.extract.html2text import extract_plain_text

    files = [path for path in folder.rglob("*") if path.suffix in (".html", ".txt", ".py") and path.is_file()]
    for path in sorted(files, key=lambda path: hashlib.sha256(str(path.relative_to(folder)).encode()).digest()):
        page = path.read_bytes().decode("utf-8", "replace")
        text = extract_plain_text(page) if path.suffix == ".html" else page
        wanted -= len(text.encode())
        if text:
            yield text
        if wanted < 0:
            return


def chunks(texts: list[str]) -> Iterator[list[str]]:
    """Give the texts in batches."""
    for at in range(0, len(texts), BATCH_TEXTS):
        yield texts[at : at + BATCH_TEXTS]


class Files:
    """A pair of Megatron's files while they are written."""

    def __init__(self, prefix: Path, dtype: Any) -> None:
        self.prefix, self.dtype, self.lengths = prefix, dtype, list[int]()
        self.file = prefix.with_suffix(".bin").open("wb")

    def add(self, ids: Any, lengths: list[int]) -> None:
        """Add the tokens of some documents."""
        self.file.write(np.asarray(ids).astype(self.dtype).tobytes())
        self.lengths += lengths

    def close(self) -> None:
        """Write the index."""
        from tokenizer.megatron import index_bytes

        self.file.close()
        bounds = np.arange(len(self.lengths) + 1)
        self.prefix.with_suffix(".idx").write_bytes(index_bytes(self.lengths, bounds, self.dtype))


def ours(work: Path, texts: list[str], files: Files, *, known: bool = False) -> float:
    """Encode with our encoder; return when it began."""
    import pyarrow as pa

    from tokenizer.encode import TokenEncoder

    encoder = TokenEncoder((work / "m.model").read_bytes())
    batches = [pa.array(batch) for batch in chunks(texts)]  # as Parquet gives them
    TokenEncoder((work / "m.model").read_bytes()).encode(pa.array(["kernels are compiled"]))
    if known:
        for batch in batches:
            encoder.encode(batch)
    start = time.process_time()
    for batch in batches:
        found = encoder.encode(batch)
        files.add(found.ids, found.lengths.tolist())
    return start


def ours_known(work: Path, texts: list[str], files: Files) -> float:
    """Encode what was encoded before."""
    return ours(work, texts, files, known=True)


def sentencepiece(work: Path, texts: list[str], files: Files) -> float:
    """Encode lists of texts with SentencePiece."""
    from sentencepiece import SentencePieceProcessor

    processor: Any = SentencePieceProcessor(model_file=str(work / "m.model"))
    start = time.process_time()
    for batch in chunks(texts):
        for ids in processor.encode(batch, out_type="numpy", num_threads=1):
            files.add(ids, [len(ids)])
    return start


def hugging_face(work: Path, texts: list[str], files: Files) -> float:
    """Encode with Hugging Face's library."""
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(work / "m.tokenizer.json"))
    start = time.process_time()
    for batch in chunks(texts):
        for encoded in tokenizer.encode_batch_fast(batch, add_special_tokens=False):
            files.add(encoded.ids, [len(encoded.ids)])
    return start


HERE: dict[str, Callable[[Path, list[str], Files], float]] = {
    "ours": ours,
    "ours, known": ours_known,
    "sentencepiece": sentencepiece,
    "hugging-face": hugging_face,
}


def run(engine: str, work: Path) -> dict[str, Any]:
    """Encode once in this process; return CPU seconds, tokens and the digest of the token file."""
    from tokenizer.encode import token_type
    from tokenizer.model import parse_model

    texts = json.loads((work / "texts.json").read_text())
    dtype = token_type(len(parse_model((work / "m.model").read_bytes()).pieces))
    files = Files(work / engine.replace(", ", "-"), dtype)
    start = HERE[engine](work, texts, files)
    files.close()
    cpu_s = time.process_time() - start
    data = files.prefix.with_suffix(".bin").read_bytes()
    return {"cpu_s": cpu_s, "tokens": sum(files.lengths), "sha256": hashlib.sha256(data).hexdigest()}


def apart(engine: str, work: Path) -> dict[str, Any]:
    """Run one contender in a process of its own."""
    if engine == "datatrove":
        return datatrove(work)
    command = [sys.executable, "-m", "benchmarks.encode", str(work), "--only", engine]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return said


def datatrove(work: Path) -> dict[str, Any]:
    """Run datatrove's step."""
    from benchmarks.peers import datatrove_python

    command = [datatrove_python(), "-c", _DATATROVE, str(work)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    (made,) = (work / "out").glob("*.ds")
    data = made.read_bytes()
    made.unlink()
    return said | {"sha256": hashlib.sha256(data).hexdigest(), "tokens": None}


def the_job(work: Path, texts: list[str]) -> float:
    """Return the CPU seconds of `corpusmill encode` on a snapshot of the texts."""
    import pyarrow as pa

    from benchmarks import measure
    from manifests.manifest import commit
    from manifests.records import ID
    from manifests.shards import Shard, write_shard
    from manifests.store import open_store

    store = open_store(work / "corpus")
    rows = sorted((hashlib.sha256(f"{n}".encode()).digest()[:16], text) for n, text in enumerate(texts))
    schema = pa.schema([("id", ID), *((c, pa.string()) for c in ("source", "language", "media_type", "text"))])
    shards = []
    for number, at in enumerate(range(0, len(rows), 2048)):
        table = [
            {"id": key, "source": "bench", "language": "und", "media_type": "text/plain", "text": text}
            for key, text in rows[at : at + 2048]
        ]
        shards.append(
            write_shard(store, f"text/data/{number}", "documents", pa.Table.from_pylist(table, schema)).as_json()
        )
    commit(store, "text", {"job": "text", "shards": shards})
    model = (work / "m.model").read_bytes()
    store.put_new("tokenizer/m.model", model)
    named = Shard("tokenizer/m.model", "model", len(model), hashlib.sha256(model).hexdigest(), 1, None, None)
    commit(store, "tokenizer", {"job": "tokenizer", "shards": [named.as_json()]})
    script = Path(sys.executable).with_name("corpusmill")
    options = ["--set", "encode.formats=[megatron]", "--quiet", "--workers", "1"]
    return measure.run([script, "encode", "--out", str(work / "corpus"), *options]).cpu_s


def trained(texts: list[str], vocabulary: int) -> bytes:
    """Return a model of the texts."""
    import pyarrow as pa

    from tokenizer.count import count_words, merge_counts
    from tokenizer.settings import TrainSettings
    from tokenizer.train import train

    counts = merge_counts(count_words(pa.array(batch)).counts for batch in chunks(texts))
    return train([counts], TrainSettings(vocabulary, hard_limit=False)).model


def compare(texts: list[str], model: bytes, engines: tuple[str, ...]) -> bool:
    """Encode by each contender; return whether all found the same tokens."""
    from tokenizer.write import tokenizer_json

    size = sum(len(text.encode()) for text in texts) / 1e6
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        (work / "texts.json").write_text(json.dumps(texts))
        (work / "m.model").write_bytes(model)
        (work / "m.tokenizer.json").write_bytes(tokenizer_json(model))
        found = {engine: apart(engine, work) for engine in engines}
        job_s = the_job(work, texts)
    best = found["ours"]["cpu_s"]
    print(f"{size:.1f} MB in {len(texts)} texts, {found['ours']['tokens']:,} tokens")
    for engine, said in found.items():
        same = "" if said["sha256"] == found["ours"]["sha256"] else "  OTHER TOKENS"
        print(f"{engine:16}{size / said['cpu_s']:7.1f} MB/s {said['cpu_s'] / best:6.2f} x the time of ours{same}")
    print(f"{'the job':16}{size / job_s:7.1f} MB/s, {job_s:.1f} CPU s with its start-up")
    return len({said["sha256"] for said in found.values()}) == 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--megabytes", type=int, default=24)
    parser.add_argument("--vocabulary", type=int, default=32_000)
    parser.add_argument("--model", type=Path, help="a SentencePiece .model in place of one that is trained here")
    parser.add_argument("--without", nargs="*", default=[], choices=ENGINES)
    parser.add_argument("--only", choices=ENGINES, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.only:
        print(json.dumps(run(given.only, given.folder)))
        return 0
    texts = list(texts_of(given.folder, given.megabytes * 1_000_000))
    model = given.model.read_bytes() if given.model else trained(texts, given.vocabulary)
    engines = tuple(engine for engine in ENGINES if engine not in given.without)
    return 0 if compare(texts, model, engines) else 1


if __name__ == "__main__":
    sys.exit(main())
