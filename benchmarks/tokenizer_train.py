"""Training a vocabulary: corpusmill from counts, SentencePiece from the same rows and from raw text, Hugging Face.

    python benchmarks/tokenizer_train.py FOLDER [--megabytes 140] [--vocabulary 262144] [--rows 1000000]

FOLDER holds HTML pages, Python files or plain text. Each trainer runs in a process of its own, one thread, and reports
its CPU seconds and its peak of memory, kernels compiled before. `--rows` adds made-up words (halves of real ones,
counts by Zipf's law) until the table holds so many; raw text is trained on without them. Exit status 1 if our model is
not SentencePiece's, byte for byte from the same rows, piece for piece from the raw text.
"""

import os

for name in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "RAYON_NUM_THREADS"):
    os.environ[name] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import argparse  # noqa: E402
import hashlib  # noqa: E402
import json  # noqa: E402
import resource  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
from collections.abc import Iterator  # noqa: E402
from pathlib import Path  # noqa: E402

import numpy as np  # noqa: E402
import pyarrow as pa  # noqa: E402

from tokenizer.count import COUNTS, count_words, merge_counts, word_keys  # noqa: E402
from tokenizer.settings import TrainSettings  # noqa: E402
from tokenizer.table import write_counts  # noqa: E402

BATCH_TEXTS = 512
ENGINES = ("own", "sentencepiece", "raw", "hugging-face")


def texts_of(folder: Path, wanted: int) -> Iterator[str]:
    """Give the texts of a folder's files until they hold `wanted` bytes, in the order of the names' digests."""
    from resiliparse.extract.html2text import extract_plain_text

    files = [path for path in folder.rglob("*") if path.suffix in (".html", ".txt", ".py") and path.is_file()]
    for path in sorted(files, key=lambda path: hashlib.sha256(str(path.relative_to(folder)).encode()).digest()):
        page = path.read_bytes().decode("utf-8", "replace")
        text = extract_plain_text(page) if path.suffix == ".html" else page
        wanted -= len(text.encode())
        yield text
        if wanted < 0:
            return


def counted(texts: list[str]) -> pa.RecordBatch:
    """Return the counts of all texts."""
    batches = (pa.array(texts[at : at + BATCH_TEXTS], pa.string()) for at in range(0, len(texts), BATCH_TEXTS))
    return merge_counts(count_words(batch).counts for batch in batches)


def enlarged(counts: pa.RecordBatch, rows: int) -> pa.RecordBatch:
    """Add made-up words until there are `rows`: halves of real words, counts by Zipf's law."""
    made, words = rows - counts.num_rows, counts["word"].to_pylist()
    if made <= 0:
        return counts
    first = [words[(7 * k) % len(words)] for k in range(made)]
    second = [words[(11 * k + 5 + k // len(words)) % len(words)].replace("▁", "") for k in range(made)]
    spelt = pa.array([a[: 1 + len(a) // 2] + b[len(b) // 2 :] for a, b in zip(first, second, strict=True)])
    number = (200_000 // np.arange(1, made + 1) + 1).astype(np.int64)
    zeros = np.zeros(made, np.int64)
    columns = [
        pa.array(word_keys(spelt)),
        spelt,
        *map(pa.array, (number, zeros, zeros, zeros, zeros.astype(np.uint64))),
    ]
    return merge_counts([counts, pa.RecordBatch.from_arrays(columns, schema=COUNTS)])


def run(engine: str, work: Path, vocabulary: int) -> dict[str, object]:
    """Train once in this process; return CPU seconds, peak memory in MB and digests."""
    from tokenizer.model import pieces
    from tokenizer.train import train

    settings = TrainSettings(vocabulary, hard_limit=False)
    if engine == "own":  # compile or load the kernels
        train([count_words(pa.array(["the cat sat"])).counts], TrainSettings(900, hard_limit=False))
    started = time.process_time()
    if engine == "hugging-face":
        return {"cpu_s": _hugging_face(work / "raw.txt", vocabulary) - started, "peak_mb": _peak()}
    model = (
        _raw(work / "raw.txt", settings)
        if engine == "raw"
        else train(work / "table", settings, "own" if engine == "own" else "sentencepiece").model
    )
    ended = time.process_time()
    listed = pieces(model)
    said = "\n".join(
        f"{p}\t{s}\t{t}" for p, s, t in zip(*(listed[c].to_pylist() for c in listed.schema.names[1:]), strict=True)
    )
    digests = {"model": hashlib.sha256(model).hexdigest(), "pieces": hashlib.sha256(said.encode()).hexdigest()}
    return {"cpu_s": ended - started, "peak_mb": _peak(), "size": len(listed), **digests}


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _raw(path: Path, settings: TrainSettings) -> bytes:
    import io

    import sentencepiece

    written = io.BytesIO()
    arguments = settings.trainer_arguments()
    sentencepiece.SentencePieceTrainer.train(input=str(path), model_writer=written, add_dummy_prefix=False, **arguments)
    return written.getvalue()


def _hugging_face(path: Path, vocabulary: int) -> float:
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    trained = Tokenizer(models.BPE())
    trained.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trained.train([str(path)], trainers.BpeTrainer(vocab_size=vocabulary, show_progress=False))
    return time.process_time()


def apart(engine: str, work: Path, vocabulary: int) -> dict[str, object]:
    """Run one trainer in a process of its own."""
    command = [sys.executable, __file__, str(work), "--only", engine, "--vocabulary", str(vocabulary)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    said: dict[str, object] = json.loads(done.stdout.splitlines()[-1])
    print(f"{engine:14} {said['cpu_s']:8.1f} CPU s {said['peak_mb']:8.0f} MB  {said.get('size', '')}", flush=True)
    return said


def compare(texts: list[str], rows: int, vocabulary: int, engines: tuple[str, ...]) -> bool:
    """Train on the same counts and texts by each engine; return whether the models agree."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        counts = counted(texts)
        table = enlarged(counts, rows)
        write_counts(work / "table", [table])
        (work / "raw.txt").write_text("\n".join(texts), "utf-8", newline="")
        size = sum(len(text.encode()) for text in texts) / 1e6
        print(f"{size:.0f} MB of text, {table.num_rows} rows ({counts.num_rows} real), vocabulary {vocabulary}")
        found = {engine: apart(engine, work, vocabulary) for engine in engines}
        same = found["own"]["model"] == found["sentencepiece"]["model"]
        if "raw" in found and table.num_rows == counts.num_rows:
            same = same and found["own"]["pieces"] == found["raw"]["pieces"]
        print("equal" if same else "NOT EQUAL")
        return same


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--megabytes", type=int, default=140)
    parser.add_argument("--vocabulary", type=int, default=262_144)
    parser.add_argument("--rows", type=int, default=0)
    parser.add_argument("--without", nargs="*", default=[], choices=ENGINES)
    parser.add_argument("--only", choices=ENGINES, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.only:
        print(json.dumps(run(given.only, given.folder, given.vocabulary)))
        return 0
    texts = list(texts_of(given.folder, given.megabytes * 1_000_000))
    engines = tuple(engine for engine in ENGINES if engine not in given.without)
    return 0 if compare(texts, given.rows, given.vocabulary, engines) else 1


if __name__ == "__main__":
    sys.exit(main())
