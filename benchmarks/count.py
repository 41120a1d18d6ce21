"""Counting words: corpusmill against Python's Counter, SentencePiece's and Hugging Face's own, on real pages.

    python benchmarks/count.py FOLDER [--megabytes 12]

FOLDER holds HTML pages in many languages (the unpacked packages of the demo). All count the words of the same
texts in one thread; rates are MB of UTF-8 to a CPU second, as slopes between a tenth of the texts and all of them,
so that start-up stands apart. Exit status 1 if our counts are not those of plain Python.

  ours            count_words over batches of 8 MB, merge_counts over the batches
  python          collections.Counter over words that a regular expression finds: the same words
  python, lossy   collections.Counter over str.split: no white space kept, so not the same words
  sentencepiece   reading and counting the raw lines, no merges (its word trainer does just that)
  hugging face    its word trainer, spaces before the word they lead to (only if `tokenizers` is installed)
"""

import os

for name in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "RAYON_NUM_THREADS"):
    os.environ[name] = "1"
os.environ["TOKENIZERS_PARALLELISM"] = "false"

import argparse  # noqa: E402
import io  # noqa: E402
import re  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
from collections import Counter  # noqa: E402
from collections.abc import Callable, Iterator  # noqa: E402
from importlib.util import find_spec  # noqa: E402
from pathlib import Path  # noqa: E402

import pyarrow as pa  # noqa: E402
import sentencepiece  # noqa: E402
from resiliparse.extract.html2text import extract_plain_text  # noqa: E402

from tokenizer.count import count_words, merge_counts  # noqa: E402

BATCH_BYTES = 8 << 20
WORD = re.compile(" *[^ \n]+| +")
LOCALES = {
    "English": {"en", "en-US", "en.utf8"},
    "Japanese": {"ja", "ja-JP", "ja.utf8"},
    "Russian": {"ru", "ru-RU"},
    "Arabic": {"ar-MA", "fa-IR"},
}

Texts = list[str]


def locale(path: Path) -> str:
    """Return the locale that a page's folder or its name's end states."""
    stated = {*path.parts[-4:-1], path.name.split(".html.")[-1]}
    return next((group for group, names in LOCALES.items() if stated & names), "other")


def extracted(folder: Path, wanted: int) -> dict[str, Texts]:
    """Return up to `wanted` bytes of text a group, and as much of every page in "all", in a mixed order."""
    groups: dict[str, Texts] = {name: [] for name in (*LOCALES, "all")}
    sizes = dict.fromkeys(groups, 0)
    pages = sorted(folder.rglob("*.htm*"), key=lambda p: hash_of(p.relative_to(folder)))
    for path in pages:
        group = locale(path)
        open_groups = [g for g in (group, "all") if sizes.get(g, wanted) < wanted]
        if not open_groups or path.is_symlink() or not path.is_file():
            continue
        text = extract_plain_text(path.read_bytes().decode("utf-8", "replace"))
        for open_group in open_groups:
            groups[open_group].append(text)
            sizes[open_group] += len(text.encode())
    return {name: texts for name, texts in groups.items() if sizes[name] > wanted // 8}


def hash_of(path: Path) -> int:
    """Return a number that puts pages in an order without order."""
    return int.from_bytes(path.as_posix().encode(), "big") * 0x9E3779B97F4A7C15 % (1 << 61)


def batches(texts: Texts) -> Iterator[pa.StringArray]:
    """Give the texts in batches of about BATCH_BYTES."""
    held: Texts = []
    size = 0
    for text in texts:
        held.append(text)
        size += len(text.encode())
        if size >= BATCH_BYTES:
            yield pa.array(held)
            held, size = [], 0
    yield pa.array(held, pa.string())


def seconds(count: Callable[[], object], rounds: int = 3) -> float:
    """Return the least CPU seconds of some rounds."""
    best = float("inf")
    for _ in range(rounds):
        start = time.process_time()
        count()
        best = min(best, time.process_time() - start)
    return best


def ours(texts: Texts) -> Callable[[], pa.RecordBatch]:
    """Count from Arrow, in which the texts come to us."""
    arrays = list(batches(texts))
    return lambda: merge_counts(count_words(array).counts for array in arrays)


def python(texts: Texts) -> Callable[[], Counter[str]]:
    """Count the same words."""

    def count() -> Counter[str]:
        counts: Counter[str] = Counter()
        for text in texts:
            counts.update(WORD.findall(text))
        return counts

    return count


def python_lossy(texts: Texts) -> Callable[[], Counter[str]]:
    """Count what str.split gives."""

    def count() -> Counter[str]:
        counts: Counter[str] = Counter()
        for text in texts:
            counts.update(text.split())
        return counts

    return count


def sentencepiece_words(texts: Texts) -> Callable[[], None]:
    """Count with SentencePiece, from a file of lines."""
    folder = tempfile.mkdtemp()
    path = Path(folder) / "lines.txt"
    path.write_text("\n".join(texts), "utf-8", newline="")
    settings = {"normalization_rule_name": "identity", "remove_extra_whitespaces": False, "add_dummy_prefix": False}

    def count() -> None:
        sentencepiece.SentencePieceTrainer.train(
            input=str(path),
            model_writer=io.BytesIO(),
            model_type="word",
            vocab_size=8000,
            hard_vocab_limit=False,
            allow_whitespace_only_pieces=True,
            max_sentence_length=1 << 30,
            num_threads=1,
            minloglevel=2,
            **settings,
        )

    return count


def hugging_face(texts: Texts) -> Callable[[], None]:
    """Count with tokenizers' word trainer."""
    from tokenizers import Regex, Tokenizer, models, pre_tokenizers, trainers

    def count() -> None:
        tokenizer = Tokenizer(models.WordLevel())
        tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(" *[^ \n]+| +"), "isolated")
        tokenizer.train_from_iterator(texts, trainers.WordLevelTrainer(vocab_size=8000, show_progress=False))

    return count


COUNTERS = {
    "ours": ours,
    "python": python,
    "python, lossy": python_lossy,
    "sentencepiece": sentencepiece_words,
    **({"hugging face": hugging_face} if find_spec("tokenizers") else {}),
}


def equal(texts: Texts) -> bool:
    """Say whether our counts are those of plain Python."""
    counts = ours(texts)()
    words = [word.replace("▁", " ") for word in counts["word"].to_pylist()]
    return dict(zip(words, counts["count"].to_pylist(), strict=True)) == python([t.replace("▁", " ") for t in texts])()


def rate(texts: Texts, counter: Callable[[Texts], Callable[[], object]]) -> float:
    """Return MB to a CPU second between a tenth of the texts and all of them."""
    few = texts[::10]
    counter(few)()  # compiles
    size = sum(len(text.encode()) for text in texts) - sum(len(text.encode()) for text in few)
    return size / 1e6 / (seconds(counter(texts)) - seconds(counter(few)))


def main() -> int:
    """Print a table; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--megabytes", type=int, default=12, help="text a group (default 12)")
    options = parser.parse_args()
    groups = extracted(options.folder, options.megabytes * 1_000_000)
    print(
        f"MB to a CPU second of one core\n{'':10}{'MB':>6}" + "".join(f"{name:>15}" for name in COUNTERS) + "   counts"
    )
    wrong = 0
    for group, texts in groups.items():
        rates = {name: rate(texts, counter) for name, counter in COUNTERS.items()}
        same = equal(texts)
        wrong += not same
        size = sum(len(text.encode()) for text in texts) / 1e6
        row = "".join(f"{r:>7.1f}{rates['ours'] / r:>6.1f} x" for r in rates.values())
        print(f"{group:10}{size:6.1f}{row}   {'equal' if same else 'DIFFER'}", flush=True)
    return min(wrong, 1)


if __name__ == "__main__":
    sys.exit(main())
