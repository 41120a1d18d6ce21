"""Safety and quality measures: look-ups of URLs beside datatrove's filter, listed words, scorers, quality scores.

    python -m benchmarks.safety [--urls 200000] [--pages 400] [--without-peers]

CPU seconds of one core, the least of three. URLs: a twentieth of the listed domains under paths of real pages, the rest
of hosts that no list knows; datatrove 0.10.1 runs its own URLFilter with the same lists in its own environment.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa

from benchmarks import peers
from benchmarks.measure import say
from benchmarks.table import Row, render
from filters.lines import split_lines
from filters.models import fetch_model
from filters.safety import scorers, word_lists, word_signals
from filters.safety.assets import fineweb_lists
from filters.safety.url_lists import compiled
from filters.segmentation import segment
from pipelines import demo_input

REPEATS = 3
LISTED_SHARE = 20  # one URL in so many stands in a list
PEER = """
import json, sys, time
from datatrove.data import Document
from datatrove.pipeline.filters import URLFilter
from tldextract import TLDExtract
judge = URLFilter()
judge.tldextractor = TLDExtract(suffix_list_urls=())  # its own list: none is fetched
documents = [Document(text="", id="", metadata={"url": url}) for url in json.load(open(sys.argv[1]))]
judge.filter(documents[0])
best, said = 1e9, []
for _ in range(3):
    start = time.process_time()
    said = [judge.filter(document) for document in documents]
    best = min(best, time.process_time() - start)
memory = next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM"))
lists = {"domain", "subdomain", "url"}
blocked = [found is not True and found[1] in lists for found in said]
print(json.dumps({"seconds": best, "kib": memory, "blocked": blocked}))
"""


def cpu_s(work: Callable[[], object]) -> float:
    """Return the least CPU seconds of some runs; one before them compiles."""
    work()
    taken = []
    for _ in range(REPEATS):
        start = time.process_time()
        work()
        taken.append(time.process_time() - start)
    return min(taken)


def urls(count: int) -> list[str]:
    """Return URLs with the paths of real pages; the same each time."""
    package = demo_input.fetch_package("debian-handbook")
    paths = demo_input.page_paths(package)
    domains = Path(fineweb_lists(fetch=True)[0].path).read_text().split()
    found = []
    for n in range(count):
        path = paths[n * 7919 % len(paths)]
        host = domains[n * 104_729 % len(domains)] if n % LISTED_SHARE == 0 else f"site{n}.pages{n % 977}.example"
        found.append(f"https://{host}/docs/{path}")
    return [url for url in found if not url.split("/")[2].rpartition(".")[2].isdecimal()]


def url_rows(count: int, with_peers: bool) -> list[Row]:
    """Measure look-ups of URLs."""
    asked = urls(count)
    batch, table = pa.array(asked), compiled(fineweb_lists(fetch=True))
    say(f"{len(asked):,} URLs in {sum(table.counts):,} entries")
    ours = cpu_s(lambda: table.search(batch)) / len(asked) * 1e6
    mib = sum(array.nbytes for array in table.arrays[:-1]) >> 20
    rows = [Row("URLs in block lists", f"{ours:.2f} us, {mib} MiB mapped", ours, "us", ("<=", 2.0))]
    if with_peers:
        peer = _datatrove(asked)
        theirs = peer["seconds"] / len(asked) * 1e6
        told = f"{ours:.2f} and {theirs:.2f} us; its process takes {peer['kib'] >> 10} MiB"
        rows.append(Row("URLs in block lists: over datatrove", told, theirs / ours, "x"))
        both = np.array(peer["blocked"]), table.search(batch) != 0
        theirs_alone, ours_alone = int((both[0] & ~both[1]).sum()), int((both[1] & ~both[0]).sum())
        say(f"blocked by both {int((both[0] & both[1]).sum()):,}, by datatrove {theirs_alone}, here {ours_alone} more")
    return rows


def _datatrove(asked: list[str]) -> dict[str, list[bool] | float]:
    with tempfile.TemporaryDirectory() as folder:
        given = Path(folder) / "urls.json"
        given.write_text(json.dumps(asked))
        command = [str(peers.datatrove_python()), "-c", PEER, str(given)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr[-2000:])
    found: dict[str, list[bool] | float] = json.loads(done.stdout)
    return found


def text_rows(pages: int) -> list[Row]:
    """Measure listed words and the scorer, the segmentation given."""
    from resiliparse.extract.html2text import extract_plain_text

    package = demo_input.fetch_package("debian-handbook")
    rows = []
    for folder, language in (("en-US", "en"), ("ja-JP", "ja")):
        paths = [path for path in demo_input.page_paths(package) if path.startswith(f"{folder}/")][:pages]
        bodies = [(package.page_folder / path).read_text() for path in paths]
        text = pa.array([extract_plain_text(body, main_content=True) for body in bodies])
        words, lines, codes = segment(text), split_lines(text), pa.array([language] * len(text))
        lists = word_lists.load(word_lists.fetch_lists())
        megabytes = len(b"".join(value.as_py().encode() for value in text)) / 1e6
        taken = cpu_s(lambda t=text, c=codes, w=words, n=lines, s=lists: word_signals.word_signals(t, c, w, n, s))
        rows.append(Row(f"listed words, {language}", "the segmentation given", megabytes / taken, "MB/s", (">=", 60.0)))
        if language == "en":
            taken = cpu_s(lambda t=text, c=codes, n=lines: scorers.scorer_signals(t, c, n, [scorers.HATESONAR]))
            rows.append(Row("toxicity by line, en", "hatesonar, ONNX, one thread", megabytes / taken, "MB/s"))
    return rows


def main() -> int:
    """Measure and print the table; return 1 if a goal was missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--urls", type=int, default=200_000, help="(default 200,000)")
    parser.add_argument("--pages", type=int, default=400, help="(default 400)")
    parser.add_argument("--without-peers", action="store_true", help="corpusmill only")
    options = parser.parse_args()
    fetch_model(scorers.HATESONAR.path.removeprefix("model:"))
    rows = url_rows(options.urls, not options.without_peers) + text_rows(options.pages)
    print(render(rows))
    return int(any("missed" in row.verdict for row in rows))


if __name__ == "__main__":
    sys.exit(main())
