"""MinHash signatures: corpusmill against rensa and datasketch, on real pages, in CPU seconds of one thread.

    python benchmarks/minhash.py FOLDER [--megabytes 8]

FOLDER holds HTML pages in many languages (the unpacked packages of the demo). Everyone makes the same thing:
112 permutations over word 5-grams. Rates are slopes between a tenth of the pages and all of them, so that
start-up stands apart. Then all pairs of a sample are compared exactly, and the pairs that meet in a band are
counted against what the curve 1 - (1 - J^8)^14 expects of those similarities. Exit status 1 if ours is off.

Where a peer's words come from, by group:
  like words    made in Python to the same quality: a regular expression, and BudouX where a script has
                no spaces
  crude words   made in Python as fast as it goes: str.split in English, else a regular expression that
                takes each character of a script without spaces for a word
  words free    taken from our segmentation before the clock starts; the peer only joins, hashes and permutes
"""

import os

for name in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "RAYON_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[name] = "1"

import argparse  # noqa: E402
import hashlib  # noqa: E402
import re  # noqa: E402
import time  # noqa: E402
import zlib  # noqa: E402
from collections.abc import Callable, Sequence  # noqa: E402
from dataclasses import dataclass  # noqa: E402
from itertools import combinations, compress, pairwise  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import budoux  # noqa: E402
import datasketch  # noqa: E402
import numpy as np  # noqa: E402
import pyarrow as pa  # noqa: E402
import rensa  # noqa: E402
from resiliparse.extract.html2text import extract_plain_text  # noqa: E402

from filters.minhash import MinHash, band_keys, shingles, signatures  # noqa: E402
from filters.native import string_buffers  # noqa: E402
from filters.segmentation import segment  # noqa: E402

SETTINGS = MinHash()
PERMUTATIONS = SETTINGS.bands * SETTINGS.rows
LANGUAGES = {"en": {"en", "en-US"}, "ja": {"ja", "ja-JP"}}
UNSPACED = r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff"  # Thai ... Burmese, Khmer, kana, Han
CRUDE_WORDS = re.compile(rf"[{UNSPACED}]|\w+")
RUNS = re.compile(rf"[{UNSPACED}]+|[^\W{UNSPACED}]+")
PARSERS = {
    "ja": budoux.load_default_japanese_parser(),
    "zh": budoux.load_default_simplified_chinese_parser(),
    "th": budoux.load_default_thai_parser(),
}
ASIDE, SPLIT = "aside", "split"
SAMPLE = 400  # pages whose pairs are all compared


def pages(folder: Path, language: str) -> list[Path]:
    """Return the HTML pages of a language ("mixed": of all) in an order that is fixed and looks shuffled."""
    chosen = LANGUAGES.get(language)
    found = [
        path
        for path in folder.rglob("*.html*")
        if path.is_file() and (chosen is None or chosen & {*path.parts, *path.name.split(".")})
    ]
    return sorted(found, key=lambda path: hashlib.sha256(path.relative_to(folder).as_posix().encode()).digest())


def load(folder: Path, language: str, max_bytes: int) -> list[str]:
    """Return the text of pages until `max_bytes` of UTF-8 are together."""
    texts, size = [], 0
    for path in pages(folder, language):
        text = extract_plain_text(path.read_text("utf-8", "replace"))
        texts.append(text)
        size += len(text.encode())
        if size >= max_bytes:
            break
    return texts


def ngrams(words: Sequence[str]) -> list[str]:
    """Return the 5-grams of words as strings, the fastest way that plain Python has."""
    return list(map(" ".join, zip(words, words[1:], words[2:], words[3:], words[4:], strict=False)))


def split_ngrams(texts: Sequence[str]) -> list[list[str]]:
    """Return 5-grams between white space: no words at all where a script has no spaces."""
    return [ngrams(text.lower().split()) for text in texts]


def crude_ngrams(texts: Sequence[str]) -> list[list[str]]:
    """Return 5-grams of a regular expression's words."""
    return [ngrams(CRUDE_WORDS.findall(text.lower())) for text in texts]


def like_words(text: str) -> list[str]:
    """Return words of the quality of ours: BudouX cuts the runs of scripts without spaces."""
    language = "ja" if re.search(r"[\u3040-\u30ff]", text) else "th" if re.search(r"[\u0e00-\u0e7f]", text) else "zh"
    words: list[str] = []
    for run in RUNS.findall(text.lower()):
        words += PARSERS[language].parse(run) if run[0] >= "\u0e00" and CRUDE_WORDS.match(run).end() == 1 else (run,)
    return words


def like_ngrams(texts: Sequence[str]) -> list[list[str]]:
    """Return 5-grams of words of the quality of ours."""
    return [ngrams(like_words(text)) for text in texts]


def our_words(texts: Sequence[str]) -> list[list[str]]:
    """Return the words of our segmentation, lower-cased, as Python strings."""
    column = pa.array(texts, pa.string())
    data, words = string_buffers(column)[0].tobytes(), segment(column)
    spans = list(zip(words.starts.tolist(), words.ends.tolist(), strict=True))
    return [
        [data[start:end].decode().lower() for start, end in spans[first:last]]
        for first, last in pairwise(words.doc_offsets.tolist())
    ]


def corpusmill(texts: pa.StringArray) -> Any:
    """Return signatures from Arrow text: segmentation, shingles, permutations."""
    return signatures(segment(texts), None, SETTINGS)


def rensa_r(grams: Sequence[Sequence[str]]) -> Any:
    """Return rensa's R-MinHash rows, in one batch call."""
    return rensa.RMinHash.digest_matrix_from_token_sets(grams, PERMUTATIONS, 1)


def rensa_c(grams: Sequence[Sequence[str]]) -> Any:
    """Return rensa's C-MinHash rows, in one batch call."""
    return rensa.CMinHash.digests_from_token_sets(grams, PERMUTATIONS, 1)


def rensa_hashed(hashed: tuple[Any, Any]) -> Any:
    """Return rensa's R-MinHash rows of shingles that are hashed already."""
    return rensa.RMinHash.digest_matrix_from_flat_token_hashes(*hashed, PERMUTATIONS, 1)


def sketch(grams: Sequence[Sequence[str]]) -> Any:
    """Return datasketch's signatures: bulk numpy batches, and CRC-32 instead of its slower SHA-1."""
    encoded = ([gram.encode() for gram in one] for one in grams)
    bulk = datasketch.MinHash.bulk(encoded, num_perm=PERMUTATIONS, seed=1, hashfunc=zlib.crc32)
    return [one.hashvalues for one in bulk]


def sign_words(words: Any) -> Any:
    """Return corpusmill's signatures of a segmentation."""
    return signatures(words, None, SETTINGS)


def hashed_shingles(texts: list[str]) -> Any:
    """Return (hashes, offsets) of our shingles."""
    return shingles(segment(arrow(texts)), None, SETTINGS.ngram)


@dataclass(frozen=True)
class Contender:
    """One way to signatures: `prepare` runs before the clock, `work` under it."""

    name: str
    group: str  # who with which words; ASIDE: not compared; SPLIT: crude words where words have spaces
    prepare: Callable[[list[str]], Any]
    work: Callable[[Any], Any]
    repeats: int = 3


def arrow(texts: list[str]) -> pa.StringArray:
    """Return the texts as a pipeline has them."""
    return pa.array(texts, pa.string())


CONTENDERS = (
    Contender("corpusmill", "corpusmill", arrow, corpusmill, 7),
    Contender("rensa R", "rensa, like words", list, lambda t: rensa_r(like_ngrams(t)), 1),
    Contender("rensa R", "rensa, crude words", list, lambda t: rensa_r(crude_ngrams(t))),
    Contender("rensa C", "rensa, crude words", list, lambda t: rensa_c(crude_ngrams(t))),
    Contender("rensa R, str.split", SPLIT, list, lambda t: rensa_r(split_ngrams(t))),
    Contender("rensa R", "rensa, words free", our_words, lambda w: rensa_r(list(map(ngrams, w)))),
    Contender("rensa C", "rensa, words free", our_words, lambda w: rensa_c(list(map(ngrams, w)))),
    Contender("datasketch", "datasketch, like words", list, lambda t: sketch(like_ngrams(t)), 1),
    Contender("datasketch", "datasketch, crude words", list, lambda t: sketch(crude_ngrams(t)), 2),
    Contender("datasketch, str.split", SPLIT, list, lambda t: sketch(split_ngrams(t)), 2),
    Contender("datasketch", "datasketch, words free", our_words, lambda w: sketch(list(map(ngrams, w))), 2),
    Contender("corpusmill, permutations alone", ASIDE, lambda t: segment(arrow(t)), sign_words, 7),
    Contender("rensa R, 5-gram strings free", ASIDE, lambda t: list(map(ngrams, our_words(t))), rensa_r),
    Contender("rensa R, hashed shingles free", ASIDE, hashed_shingles, rensa_hashed, 7),
)


def least_cpu_s(work: Callable[[Any], Any], prepared: Any, repeats: int) -> float:
    """Return the least CPU time of some runs, in seconds."""
    times = []
    for _ in range(repeats):
        start = time.process_time()
        work(prepared)
        times.append(time.process_time() - start)
    return min(times)


def slope(contender: Contender, texts: list[str]) -> float:
    """Return megabytes of UTF-8 text a CPU second, between a tenth of the texts and all of them."""
    few, all_of_them = contender.prepare(texts[: len(texts) // 10]), contender.prepare(texts)
    contender.work(few)
    spent = [least_cpu_s(contender.work, one, contender.repeats) for one in (few, all_of_them)]
    return sum(len(text.encode()) for text in texts[len(texts) // 10 :]) / 1e6 / (spent[1] - spent[0])


def group_of(contender: Contender, language: str) -> str:
    """Return the group; str.split makes words in English only."""
    if contender.group == SPLIT and language == "en":
        return contender.name.split(" ")[0].rstrip(",") + ", crude words"
    return contender.group


def compare(language: str, texts: list[str]) -> None:
    """Print one table: rate of each contender and how many times faster corpusmill is."""
    size = sum(len(text.encode()) for text in texts) / 1e6
    print(f"\n### {language}: {len(texts)} pages, {size:.1f} MB of text\n")
    print("| contender | group | MB/s | corpusmill is faster by |\n|---|---|---:|---:|")
    rates = {contender: slope(contender, texts) for contender in CONTENDERS}
    ours = next(rate for contender, rate in rates.items() if contender.group == "corpusmill")
    for contender, rate in rates.items():
        print(f"| {contender.name} | {contender.group} | {rate:.1f} | {ours / rate:.1f} x |")
    for group in dict.fromkeys(contender.group for contender in CONTENDERS):
        if group in ("corpusmill", ASIDE, SPLIT):
            continue
        best = max(rate for one, rate in rates.items() if group_of(one, language) == group)
        goal = 8 if group.startswith("rensa") else 25
        print(f"{language}: {ours / best:.1f} x the best of {group} (goal {goal} x)")


def bands_met(rows: Any) -> Any:
    """Return bool[n, n]: whether two signatures agree in all rows of a band."""
    cut = np.asarray(rows).reshape(len(rows), SETTINGS.bands, SETTINGS.rows)
    met = np.zeros((len(cut), len(cut)), bool)
    for band in range(SETTINGS.bands):
        _, same = np.unique(cut[:, band], axis=0, return_inverse=True)
        met |= same.reshape(-1, 1) == same.reshape(1, -1)
    return met


def agree(language: str, texts: list[str]) -> bool:
    """Count the pairs that meet against exact similarities; say whether corpusmill's count is likely."""
    enough = [len(words) >= SETTINGS.ngram for words in our_words(texts)]
    texts = list(compress(texts, enough))[:SAMPLE]
    words = our_words(texts)
    grams = [ngrams(one) for one in words]
    sets = [set(one) for one in grams]
    pairs = [(i, j, len(sets[i] & sets[j])) for i, j in combinations(range(len(sets)), 2)]
    exact = np.array([shared / (len(sets[i]) + len(sets[j]) - shared) for i, j, shared in pairs])
    chance = np.array([SETTINGS.probability(one) for one in exact.tolist()])
    expected, spread = chance.sum(), max(1.0, float(np.sqrt((chance * (1 - chance)).sum())))
    keys = band_keys(corpusmill(arrow(texts)), SETTINGS)
    ours = (keys[:, None, :] == keys[None, :, :]).any(axis=2)
    upper = np.triu_indices(len(sets), 1)
    theirs = {"rensa": rensa_r(grams).to_rows(), "datasketch": sketch(grams)}
    counts = {"corpusmill": ours, **{who: bands_met(rows) for who, rows in theirs.items()}}
    print(f"\n{language}: {len(sets)} pages, {len(exact)} pairs; expected {expected:.1f} +- {spread:.1f}")
    for who, met in counts.items():
        found = met[upper]
        near, far = exact >= 0.9, exact < 0.5
        print(f"  {who}: {found.sum()} pairs, {found[near].sum()} of the {near.sum()} with J >= 0.9", end="")
        print(f", {found[far].sum()} with J < 0.5")
    return bool(abs(ours[upper].sum() - expected) <= 4 * spread)


def main() -> int:
    """Run everything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--megabytes", type=float, default=8, help="text of each language at most (default 8)")
    parser.add_argument("--only", choices=["en", "ja", "mixed"], help="one of the three")
    chosen = parser.parse_args()
    right = True
    for language in ("en", "ja", "mixed") if chosen.only is None else (chosen.only,):
        texts = load(chosen.folder, language, int(chosen.megabytes * 1e6))
        compare(language, texts)
        right &= agree(language, texts)
    return 0 if right else 1


if __name__ == "__main__":
    raise SystemExit(main())
