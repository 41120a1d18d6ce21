"""What the tokenizer's benchmark runs in a process of its own: one trainer, one mixture or one count, on one thread.

    python -m benchmarks.tokenizer_workers NAME '{"argument": "value"}'

prints one line of JSON: CPU seconds, peak memory in MB, and what came out. Kernels are compiled before the clock runs.
"""

import os

for name in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "RAYON_NUM_THREADS"):
    os.environ[name] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import hashlib  # noqa: E402
import io  # noqa: E402
import json  # noqa: E402
import resource  # noqa: E402
import sys  # noqa: E402
from collections.abc import Callable  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import pyarrow as pa  # noqa: E402

from tokenizer.balance import Balance  # noqa: E402
from tokenizer.count import count_words  # noqa: E402
from tokenizer.groups import Group  # noqa: E402
from tokenizer.mix import mix  # noqa: E402
from tokenizer.settings import TrainSettings  # noqa: E402
from tokenizer.table import read_counts, write_counts  # noqa: E402

GROUPS = [Group(f"source-{i}", code, "text") for i, code in enumerate(("en", "ja", "zh", "und"))]


def peak_mb() -> float:
    """Return the peak of this process; getrusage's begins with that of the process which started it."""
    status = Path("/proc/self/status").read_text("ascii")
    return int(status.split("VmHWM:")[1].split()[0]) / 1024


def cpu_s() -> float:
    """Return the CPU seconds of this process and of its children that ended."""
    kinds = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(u.ru_utime + u.ru_stime for u in map(resource.getrusage, kinds))


def _told(model: bytes, started: float, out: str | None) -> dict[str, Any]:
    from tokenizer.model import pieces

    spent, listed = cpu_s() - started, pieces(model)
    if out:
        Path(out).write_bytes(model)
    columns = (listed[c].to_pylist() for c in listed.schema.names[1:])
    said = "\n".join(f"{p}\t{s}\t{t}" for p, s, t in zip(*columns, strict=True))
    digests = {"model": hashlib.sha256(model).hexdigest(), "pieces": hashlib.sha256(said.encode()).hexdigest()}
    return {"cpu_s": spent, "peak_mb": peak_mb(), "size": len(listed), **digests}


def train(table: str, vocabulary: int, engine: str = "own", out: str | None = None, **options: Any) -> dict[str, Any]:
    """Train from a table of counts; `max_rows` samples it first."""
    from tokenizer.train import train as train_from

    most = options.pop("max_rows", None)
    settings = TrainSettings(vocabulary, hard_limit=False, **options)
    train_from([count_words(pa.array(["the cat sat"])).counts], TrainSettings(900, hard_limit=False))
    rows: Any = table
    if most:
        rows = list(mix(lambda: read_counts(table), {GROUPS[0].key: GROUPS[0]}, Balance(), 4 * most)[0])
    started = cpu_s()
    trained = train_from(rows, settings, engine, max_chunks=most)  # type: ignore[arg-type]
    sampled = trained.sampling
    return _told(trained.model, started, out) | {"chunks": sampled.chunks if sampled else None}


def raw(text: str, vocabulary: int, out: str | None = None, **options: Any) -> dict[str, Any]:
    """Train SentencePiece on a file of lines."""
    import sentencepiece

    written, settings = io.BytesIO(), TrainSettings(vocabulary, hard_limit=False, **options)
    started = cpu_s()
    sentencepiece.SentencePieceTrainer.train(
        input=text, model_writer=written, add_dummy_prefix=False, **settings.trainer_arguments()
    )
    return _told(written.getvalue(), started, out)


def hugging_face(text: str, vocabulary: int) -> dict[str, Any]:
    """Train Hugging Face's byte-level BPE on a file of lines."""
    from tokenizers import Tokenizer, models, pre_tokenizers, trainers

    trained, started = Tokenizer(models.BPE()), cpu_s()
    trained.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)  # type: ignore[assignment]
    trained.train([text], trainers.BpeTrainer(vocab_size=vocabulary, show_progress=False))
    return {"cpu_s": cpu_s() - started, "peak_mb": peak_mb(), "size": trained.get_vocab_size()}


def gigabpe(text: str, vocabulary: int) -> dict[str, Any]:
    """Train gigabpe's byte-level BPE on a file of lines."""
    import gigabpe as peer  # type: ignore[import-not-found, unused-ignore]

    started = cpu_s()
    found, _ = peer.train_bpe([text], vocabulary, threads=1)
    return {"cpu_s": cpu_s() - started, "peak_mb": peak_mb(), "size": len(found)}


def remix(table: str, max_rows: int) -> dict[str, Any]:
    """Mix a table anew: temperature over languages, a cap on sources, a sample."""
    named = {group.key: group for group in GROUPS}
    mix(lambda: [count_words(pa.array(["the cat"]), group=GROUPS[0].key).counts], named, Balance())
    started = cpu_s()
    rows, made = mix(lambda: read_counts(table), named, Balance(by="temperature", source_cap=0.5), max_rows)
    kept = sum(batch.num_rows for batch in rows)
    return {"cpu_s": cpu_s() - started, "peak_mb": peak_mb(), "size": kept, "rows": made.rows}


def count(out: str) -> dict[str, Any]:
    """Count the texts of an output by Beam, one worker."""
    import pipelines.phases  # noqa: F401  (Beam's import is no counting)
    from pipelines.launcher import Launcher
    from pipelines.tokenizer_job import newest_texts
    from pipelines.tokenizer_jobs.count import CountJob

    launcher = Launcher(out, workers=1, quiet=True)
    count_words(pa.array(["the cat"]))
    started = cpu_s()
    _, manifest, _ = CountJob(launcher).run(newest_texts(launcher.store))
    size = sum(shard["records"] for shard in manifest["shards"])
    return {"cpu_s": cpu_s() - started, "peak_mb": peak_mb(), "size": size, "digest": manifest["digest"]}


def sampled(table: str, out: str, max_rows: int) -> dict[str, Any]:
    """Write a threshold sample of a table."""
    rows = list(mix(lambda: read_counts(table), {GROUPS[0].key: GROUPS[0]}, Balance(), max_rows)[0])
    zeros = pa.array([0] * max(batch.num_rows for batch in rows), pa.int64())
    write_counts(out, [b.set_column(3, "line_starts", zeros.slice(0, b.num_rows)) for b in rows])
    return {"cpu_s": 0.0, "peak_mb": peak_mb(), "size": sum(batch.num_rows for batch in rows)}


def scaled(table: str, out: str, factor: int) -> dict[str, Any]:
    """Write a table with all counts times a factor."""
    import pyarrow.compute as pc

    batches = [b.set_column(2, "count", pc.multiply(b["count"], factor)) for b in read_counts(table)]
    write_counts(out, batches)
    return {"cpu_s": 0.0, "peak_mb": peak_mb(), "size": max(pc.max(b["count"]).as_py() for b in batches)}


WORKERS: dict[str, Callable[..., dict[str, Any]]] = {
    each.__name__: each for each in (train, raw, hugging_face, gigabpe, remix, count, sampled, scaled)
}

if __name__ == "__main__":
    print(json.dumps(WORKERS[sys.argv[1]](**json.loads(sys.argv[2]))))
