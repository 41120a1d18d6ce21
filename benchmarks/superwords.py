"""Superwords: what they save in text that was held out, by language, what they cost, and a peer without word borders.

    python -m benchmarks.superwords FOLDER... [--megabytes 60] [--vocabulary 65536] [--shares 0 0.1 0.2]

FOLDERs hold HTML pages, plain text or Python files; a language is a folder's name in a path (`de`, `zh-CN`). A line
that stood before anywhere is left out. Files whose name has a digest of 1 in 12 are held out, so that all translations
of a page are. One vocabulary size, a share of it for pieces over several words, once of words alone and once of signs
too; each in a process of its own, one thread, CPU seconds by Beam with one worker, kernels compiled before. The peer is
Hugging Face's BPE on the same lines with no pre-tokenizer, which lets merges go over spaces, punctuation and digits
from the start (SuperBPE without its first stage).
"""

import os

for name in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "RAYON_NUM_THREADS"):
    os.environ[name] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import argparse  # noqa: E402
import hashlib  # noqa: E402
import json  # noqa: E402
import re  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable, Iterator  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import pyarrow as pa  # noqa: E402

from benchmarks.tokenizer_workers import cpu_s, peak_mb  # noqa: E402

LANGUAGE = re.compile(r"/([a-z]{2})(-[A-Za-z]{2})?(?=/)")
HELD_OUT = 12  # one in so many
SHOWN = ("en", "de", "fr", "ru", "ko", "ja", "zh", "km", "code")
BATCH_TEXTS = 256


def texts_of(folders: list[Path], wanted: int) -> Iterator[tuple[str, bool, str]]:
    """Give (language, whether it is held out, text) in the order of digests until the texts hold `wanted` bytes."""
    from resiliparse.extract.html2text import extract_plain_text

    files = [(f, path) for f in folders for path in f.rglob("*") if path.suffix in (".html", ".txt", ".py")]
    seen: set[bytes] = set()
    for folder, path in sorted(files, key=lambda each: _digest(str(each[1].relative_to(each[0])))):
        page = path.read_bytes().decode("utf-8", "replace")
        text = extract_plain_text(page) if path.suffix == ".html" else page
        lines = []
        for line in text.split("\n"):
            key = _digest(line.strip())[:8]
            if not line.strip() or key not in seen:
                lines.append(line)
            seen.add(key)
        text = "\n".join(lines)
        found = LANGUAGE.search(f"/{path.relative_to(folder)}")
        language = "code" if path.suffix == ".py" else found[1] if found else "und"
        wanted -= len(text.encode())
        yield language, _digest(path.name)[0] % HELD_OUT == 0, text
        if wanted < 0:
            return


def _digest(name: str) -> bytes:
    return hashlib.sha256(name.encode()).digest()


def snapshot(out: Path, texts: list[tuple[str, str]]) -> None:
    """Commit texts as the text job does."""
    from manifests.manifest import commit
    from manifests.records import ID
    from manifests.shards import write_shard
    from manifests.store import open_store

    store, shards = open_store(out), []
    schema = pa.schema([("id", ID), *((c, pa.string()) for c in ("source", "language", "media_type", "text"))])
    rows = sorted((_digest(f"{number}")[:16], *each) for number, each in enumerate(texts))
    for number, at in enumerate(range(0, len(rows), 2048)):
        table = [
            {"id": key, "source": "bench", "language": code, "text": text}
            | {"media_type": "text/x-python" if code == "code" else "text/html"}
            for key, code, text in rows[at : at + 2048]
        ]
        made = write_shard(store, f"text/data/{number:05d}", "documents", pa.Table.from_pylist(table, schema))
        shards.append(made.as_json())
    commit(store, "text", {"job": "text", "shards": shards, "parents": []})


def share(out: str, vocabulary: int, number: int, signs: bool) -> dict[str, Any]:
    """Train with so many superwords, of words and signs or words alone, and measure; return figures."""
    import pipelines.phases  # noqa: F401  (Beam's import is no work)
    from pipelines.launcher import Launcher
    from pipelines.tokenizer_job import newest_texts
    from pipelines.tokenizer_jobs.count import CountJob, Counts
    from pipelines.tokenizer_jobs.phrases import SuperwordsJob
    from tokenizer.mix import MAX_ROWS
    from tokenizer.settings import TrainSettings
    from tokenizer.train import train

    launcher = Launcher(out, workers=1, quiet=True)
    settings = TrainSettings(vocabulary, superwords=number, superword_signs=signs)
    manifests = newest_texts(launcher.store)
    _warm()
    said: dict[str, Any] = {"superwords": number}

    def timed(what: str, work: Callable[[], Any]) -> Any:
        started = cpu_s()
        made = work()
        said[what] = cpu_s() - started
        return made

    _, manifest, _ = timed("count", lambda: CountJob(launcher).run(manifests))
    counts = Counts(launcher.store, manifest)
    model = timed("train", lambda: train(counts.batches(), settings.first_stage).model)
    if number:
        first = f"bench/{number}-{signs:d}.model"
        launcher.store.put_new(first, model)
        job = SuperwordsJob(launcher, launcher.store, manifests, settings)
        weights = dict.fromkeys(counts.groups.values(), 1.0)
        model, found = timed("phrases", lambda: job.run(first, weights, False, MAX_ROWS))
        said |= {"found": {**found.as_json(), "first": []}}
    return said | _measured(model, Path(out)) | {"peak_mb": peak_mb()}


def _warm() -> None:
    """Compile, or load, every kernel."""
    from tokenizer.count import count_words
    from tokenizer.encode import TokenEncoder
    from tokenizer.phrases import Phrases
    from tokenizer.settings import TrainSettings
    from tokenizer.superwords import learn_superwords, phrase_rows, with_superwords
    from tokenizer.train import train

    texts, settings = pa.array(["the cat of the cat of the dog"]), TrainSettings(378, superwords=2, hard_limit=False)
    model = train([count_words(texts).counts], settings.first_stage).model
    pairs = Phrases(model, settings).count(texts).counts
    rows = Phrases(model, settings, pairs["word"].to_pylist()).count(texts).counts
    TokenEncoder(with_superwords(model, learn_superwords([phrase_rows(rows)], model, settings).pieces)).encode(texts)


def _measured(model: bytes, out: Path) -> dict[str, Any]:
    import sentencepiece

    from tokenizer.encode import TokenEncoder

    held: dict[str, list[str]] = json.loads((out / "held.json").read_text())
    loaded = sentencepiece.SentencePieceProcessor(model_proto=model)
    sums, joint, ahead = {}, 0, 0
    for code, texts in held.items():
        ids = loaded.encode(texts)
        sums[code] = (sum(len(text.encode()) for text in texts), sum(map(len, ids)))
        over, cut = _heads(loaded, texts[:200])
        joint, ahead = joint + over, ahead + cut
    said: dict[str, Any] = {"sums": sums, "over_words": joint, "at_heads": ahead}
    batches = json.loads((out / "train.json").read_text())
    arrays = [pa.array(batches[at : at + BATCH_TEXTS]) for at in range(0, len(batches), BATCH_TEXTS)]
    encoder, size = TokenEncoder(model), sum(len(text.encode()) for text in batches) / 1e6
    for what in ("new", "known"):
        started = time.process_time()
        found = [encoder.encode(array) for array in arrays]
        said[what] = size / (time.process_time() - started)
    started = time.process_time()
    theirs = [len(ids) for array in arrays for ids in loaded.encode(array.to_pylist(), num_threads=1)]
    said["sentencepiece"] = size / (time.process_time() - started)
    said["same"] = sum(len(each.ids) for each in found) == sum(theirs)
    return said | _idle(model, found)


def _idle(model: bytes, found: list[Any]) -> dict[str, Any]:
    """Return how many learnt pieces, and superwords, the trained texts never use."""
    import numpy as np

    from tokenizer.encode_late import reaches_over
    from tokenizer.model import parse_model

    message = parse_model(model)
    uses: Any = sum(np.bincount(each.ids, minlength=len(message.pieces)) for each in found)
    idle = [p.piece for p, n in zip(message.pieces, uses, strict=True) if p.type in (0, 1) and not n]
    return {"idle": len(idle), "idle_over": sum(map(reaches_over, idle))}


def _heads(loaded: Any, texts: list[str]) -> tuple[int, int]:
    """Return how many tokens reach over words, and how many of these end within a word."""
    over = cut = 0
    for pieces in loaded.encode(texts, out_type=str):
        for piece, behind in zip(pieces, [*pieces[1:], "\n"], strict=True):
            if "▁" in piece.lstrip("▁"):
                over += 1
                cut += piece[-1].isalpha() and behind[0].isalpha()
    return over, cut


def no_border(out: str, vocabulary: int) -> dict[str, Any]:
    """Train Hugging Face's BPE on lines with no pre-tokenizer; measure."""
    from tokenizers import Tokenizer, decoders, models, normalizers, trainers

    held = json.loads((Path(out) / "held.json").read_text())
    lines = [line for text in json.loads((Path(out) / "train.json").read_text()) for line in text.split("\n") if line]
    trained = Tokenizer(models.BPE(byte_fallback=False, unk_token="<unk>"))
    trained.normalizer = normalizers.Replace(" ", "▁")
    trained.decoder = decoders.Replace("▁", " ")
    started = cpu_s()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary, special_tokens=["<unk>"], max_token_length=32, show_progress=False
    )
    trained.train_from_iterator(lines, trainer)
    said: dict[str, Any] = {"train": cpu_s() - started, "peak_mb": peak_mb(), "sums": {}}
    for code, texts in held.items():
        rows = [line for text in texts for line in text.split("\n") if line]
        tokens = sum(len(each.ids) for each in trained.encode_batch_fast(rows, add_special_tokens=False))
        breaks = sum(len(re.findall("\n+", text)) for text in texts)  # a run of newlines is a token for the others
        said["sums"][code] = (sum(len(text.encode()) for text in texts), tokens + breaks)
    return said


def show(named: dict[str, dict[str, Any]]) -> None:
    """Print tables for RESULTS.md."""
    shown = [code for code in SHOWN if all(code in each["sums"] for each in named.values())]
    print("\n| bytes a token, held out | all | " + " | ".join(shown) + " |\n|---|" + "---:|" * (len(shown) + 1))
    for name, each in named.items():
        totals = [sum(column) for column in zip(*each["sums"].values(), strict=True)]
        cells = [totals, *(each["sums"][code] for code in shown)]
        print(f"| {name} | " + " | ".join(f"{size / tokens:.3f}" for size, tokens in cells) + " |")
    print("\n| | " + " | ".join(named) + " |\n|---|" + "---:|" * len(named))
    rows = {
        "CPU s: counting words, by Beam": "count",
        "CPU s: training": "train",
        "CPU s: phrases twice, and superwords": "phrases",
        "MB/s encoded, words new": "new",
        "MB/s encoded, known": "known",
        "MB/s encoded by the library itself": "sentencepiece",
        "peak MB": "peak_mb",
        "learnt pieces never used in the texts": "idle",
        "of these over several words": "idle_over",
        "pieces over several words in held-out texts": "over_words",
        "of these ending within a word": "at_heads",
    }
    for what, key in rows.items():
        print(f"| {what} | " + " | ".join(_figure(each.get(key)) for each in named.values()) + " |")


def _figure(number: float | None) -> str:
    return "" if number is None else f"{number:,}" if isinstance(number, int) else f"{number:.1f}"


def main(arguments: list[str]) -> int:
    """Run all; return 1 where encoders disagree or superwords are not exact."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--megabytes", type=float, default=60)
    parser.add_argument("--vocabulary", type=int, default=65_536)
    parser.add_argument("--shares", type=float, nargs="+", default=[0, 0.1, 0.2])
    parser.add_argument("--no-peer", action="store_true")
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        held: dict[str, list[str]] = {}
        kept: list[tuple[str, str]] = []
        for code, is_held, text in texts_of(given.folders, int(given.megabytes * 1e6)):
            if is_held:
                held.setdefault(code, []).append(text)
            else:
                kept.append((code, text))
        snapshot(Path(folder), kept)
        (Path(folder) / "held.json").write_text(json.dumps(held))
        (Path(folder) / "train.json").write_text(json.dumps([text for _, text in kept]))
        size, languages = sum(len(text.encode()) for _, text in kept) / 1e6, len({code for code, _ in kept})
        print(f"{size:.1f} MB to train from, in {languages} languages", flush=True)
        named = {}
        for each, signs in [(each, signs) for signs in (False, True) for each in given.shares if each or not signs]:
            asked = {"vocabulary": given.vocabulary, "number": round(each * given.vocabulary), "signs": signs}
            name = f"{each:.0%}, signs too" if signs else f"{each:.0%}"
            named[name] = _apart("share", out=folder, **asked)
            print(json.dumps(named[name]), flush=True)
        if not given.no_peer:
            named["no border, Hugging Face"] = _apart("no_border", out=folder, vocabulary=given.vocabulary)
        show(named)
    return int(
        any(not each.get("same", True) or not each.get("found", {}).get("exact", True) for each in named.values())
    )


def _apart(worker: str, **arguments: Any) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.superwords", "--worker", worker, json.dumps(arguments)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    said: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return said


WORKERS: dict[str, Callable[..., dict[str, Any]]] = {"share": share, "no_border": no_border}

if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        print(json.dumps(WORKERS[sys.argv[2]](**json.loads(sys.argv[3])), default=int))
    else:
        sys.exit(main(sys.argv[1:]))
