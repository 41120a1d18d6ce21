"""Rules of all sets: how fast their signals are measured and judged, the segmentation given and apart, in en and ja.

    python -m benchmarks.rules [--megabytes 8] [--without-peer]

Texts are the demo's pages in one language. Rates are MB (10^6 bytes of UTF-8) a CPU second of one thread, the least
disturbed of some runs. `given`: our words and lines, and the tokens of peer_words, are there when the clock starts.
datatrove runs its Gopher, C4 and FineWeb filters, tokenizer included, on fewer of the same texts, in the same run.
"""

import os

for name in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "ARROW_NUM_THREADS"):
    os.environ[name] = "1"

import argparse  # noqa: E402
import json  # noqa: E402
import subprocess  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
from collections.abc import Callable  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

import pyarrow as pa  # noqa: E402

from benchmarks.peers import datatrove_python  # noqa: E402
from filters import (  # noqa: E402
    c4,
    c4_variants,
    fineweb,
    fineweb2,
    gopher,
    gopher_variants,
    line_corrections,
    mc4,
    peer_words,
    questionable,
)
from filters.lines import split_lines  # noqa: E402
from filters.rule_sets import RULE_SETS  # noqa: E402
from filters.rules import judge  # noqa: E402
from filters.segmentation import segment  # noqa: E402
from pipelines.demo_input import PAGE_FOLDERS, fetch_package, page_of, page_paths  # noqa: E402

LOCALES = {"en": ("en/", "en-US/"), "ja": ("ja/", "ja-JP/")}
REPEATS = 5
PEER_MEGABYTES = 1.0


def texts_of(language: str, megabytes: float) -> list[str]:
    """Return texts of the demo's pages in one language, again from the start when they end, of about that size."""
    from resiliparse.extract.html2text import extract_plain_text
    from resiliparse.parse.html import HTMLTree

    found: list[str] = []
    for package in map(fetch_package, PAGE_FOLDERS):
        for path in page_paths(package):
            if path.startswith(LOCALES[language]):
                tree = HTMLTree.parse_from_bytes(page_of(package, path).payload, "utf-8")
                found.append(str(extract_plain_text(tree, main_content=True)))
    size, out, at = 0, [], 0
    while size < megabytes * 1e6:
        out.append(found[at % len(found)])
        size, at = size + len(out[-1].encode()), at + 1
    return out


def least_cpu_s(work: Callable[[], Any]) -> tuple[float, Any]:
    """Return the least CPU time of some runs, in seconds, and what came out."""
    times = []
    for _ in range(REPEATS):
        start = time.process_time()
        result = work()
        times.append(time.process_time() - start)
    return min(times), result


class Clock:
    """What each part took, in CPU seconds, and the signals that parts gave, in order."""

    def __init__(self) -> None:
        self.parts: dict[str, float] = {}
        self.batches: list[pa.RecordBatch] = []

    def time(self, name: str, work: Callable[[], Any]) -> Any:
        """Measure a part and return what it gives."""
        self.parts[name], result = least_cpu_s(work)
        return result

    def signals(self, name: str, work: Callable[[], pa.RecordBatch]) -> None:
        """Measure a part that gives signals."""
        self.batches.append(self.time(name, work))

    def judge(self, name: str, sets: list[str], codes: pa.StringArray) -> None:
        """Measure rule sets on all signals."""
        held = {name: batch[name] for batch in self.batches for name in batch.schema.names}
        signals = pa.RecordBatch.from_pydict(held)
        self.time(name, lambda: [judge(RULE_SETS[each], signals, codes) for each in sets])


def measured(text: pa.StringArray, language: str) -> dict[str, float]:
    """Return what each part takes, in CPU seconds: "segmentation ..." first, then sets, then "judge"."""
    clock, codes = Clock(), pa.array([language] * len(text))
    own_sets(clock, text, codes)
    variants(clock, text)
    clock.judge("judge", [name for name in RULE_SETS if "@" not in name], codes)
    clock.judge("judge@..", [name for name in RULE_SETS if "@" in name], codes)
    return clock.parts


def own_sets(clock: Clock, text: pa.StringArray, codes: pa.StringArray) -> None:
    """Measure the sets that count with the shared segmentation."""
    words = clock.time("segmentation: words", lambda: segment(text))
    lines = clock.time("segmentation: lines", lambda: split_lines(text))
    clock.signals("gopher_v1: quality", lambda: gopher.quality_signals(text, words, lines))
    clock.signals("gopher_v1: repetition", lambda: gopher.repetition_signals(text, words, lines))
    kept, edit = clock.time("c4_v1", lambda: c4.c4_edit(text, words, lines))
    clock.batches.append(edit)
    clock.signals("fineweb_v1", lambda: fineweb.fineweb_signals(text, words, lines, kept))
    clock.signals("refinedweb_lines_v1", lambda: line_corrections.correct_lines(text, words, lines)[1])
    clock.signals("mc4_v1", lambda: mc4.mc4_signals(text, lines))
    clock.signals("madlad_v1", lambda: questionable.questionable_signals(text, words, lines))
    clock.signals("fineweb2_v1", lambda: fineweb2.fineweb2_signals(text, words, lines, codes))


def variants(clock: Clock, text: pa.StringArray) -> None:
    """Measure the sets that count as a peer does."""
    stretches = clock.time("segmentation: white space", lambda: peer_words.split_words(text))
    tokens = clock.time("segmentation: peer words", lambda: peer_words.peer_words(text, stretches))
    rows = clock.time("c4@..: rows", lambda: c4_variants.clean_rows(text))
    row_tokens = peer_words.peer_words(rows.text)
    clock.signals("gopher@datatrove", lambda: gopher_variants.datatrove_signals(text, tokens))
    clock.signals("gopher@whitespace", lambda: gopher_variants.whitespace_signals(text, stretches))
    clock.signals("c4@paper", lambda: c4_variants.read_c4(rows, c4_variants.PAPER)[1])
    clock.signals("c4@code", lambda: c4_variants.read_c4(rows, c4_variants.CODE)[1])
    left, own = clock.time("c4@datatrove", lambda: c4_variants.read_c4(rows, c4_variants.DATATROVE, row_tokens))
    clock.batches.append(own)
    clock.signals("fineweb@datatrove", lambda: c4_variants.fineweb_signals(left, rows, row_tokens))


def peer_s(texts: list[str]) -> dict[str, float]:
    """Return datatrove's CPU seconds: words alone, and all four filters."""
    with tempfile.TemporaryDirectory(prefix="corpusmill-bench-") as folder:
        source, target = Path(folder) / "texts.json", Path(folder) / "out.json"
        source.write_text(json.dumps(texts))
        script = Path(__file__).with_name("datatrove_rules.py")
        subprocess.run([datatrove_python(), script, "time", source, target], check=True, capture_output=True)
        found: dict[str, float] = json.loads(target.read_text())
    return found


def main() -> None:
    """Print one table a language."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=float, default=8.0)
    parser.add_argument("--without-peer", action="store_true")
    options = parser.parse_args()
    for language in LOCALES:
        texts = texts_of(language, options.megabytes)
        size = sum(len(text.encode()) for text in texts) / 1e6
        parts = measured(pa.array(texts, pa.string()), language)
        show(language, size, parts)
        if not options.without_peer:
            few = texts_of(language, PEER_MEGABYTES)
            peer = peer_s(few)
            few_mb = sum(len(text.encode()) for text in few) / 1e6
            print(f"  datatrove: words {few_mb / peer['words']:.2f} MB/s, all four filters {few_mb / peer['all']:.2f}")


def show(language: str, size: float, parts: dict[str, float]) -> None:
    """Print the rate of each part, and of parts together."""
    print(f"{language}: {size:.1f} MB")
    for name, seconds in parts.items():
        print(f"  {name:28} {size / seconds:8.1f} MB/s")
    ruled = {name: seconds for name, seconds in parts.items() if not name.startswith("segmentation")}
    peers = sum(seconds for name, seconds in ruled.items() if "@" in name)
    total = sum(ruled.values())
    print(f"  {'sets of our own together':28} {size / (total - peers):8.1f} MB/s, segmentation given")
    print(f"  {'variants together':28} {size / peers:8.1f} MB/s, segmentation given")
    print(f"  {'all sets together':28} {size / total:8.1f} MB/s, segmentation given")


if __name__ == "__main__":
    main()
