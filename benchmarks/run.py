"""All comparisons of the text job in one go, and one table: `make bench`, or

    python -m benchmarks.run [--pages 400] [--repeats 3] [--without-peers] [--out benchmarks/RESULTS.md]

Sizes are N and 10 N pages, and 100 N for growth; about 15 minutes at the default. Everything is CPU time of one
core's work, least of some runs, taken in turn. Kernels are compiled and files are in the cache before the first
figure is taken.
"""

import argparse
import os
import re
import subprocess
import sys
from pathlib import Path

from benchmarks import bare, end_to_end, growth, inputs, peers
from benchmarks.measure import Contender, Series, measure, run, say
from benchmarks.report import render_report
from benchmarks.table import Row, render
from filters.models import fetch_model
from pipelines.demo_input import input_root

PAGES_A_FILE = 400
HELP_RUNS = 7


def startup_row() -> Row:
    """Return what `corpusmill --help` takes."""
    script = Path(sys.executable).with_name("corpusmill")
    runs = [run([script, "--help"]) for _ in range(HELP_RUNS)]
    cpu_s, wall_s = min(one.cpu_s for one in runs), min(one.wall_s for one in runs)
    return Row("start-up of `corpusmill --help`", f"{wall_s:.2f} s by the clock", cpu_s, "CPU-s", ("<=", 0.3))


def minhash_rows(megabytes: float) -> list[Row]:
    """Return the lines that benchmarks/minhash.py ends its tables in."""
    command = [sys.executable, "-m", "benchmarks.minhash", str(input_root()), "--megabytes", str(megabytes)]
    path = os.pathsep.join([str(peers.rensa_folder()), *filter(None, [os.environ.get("PYTHONPATH")])])
    say("signatures against rensa and datasketch")
    done = subprocess.run(command, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"benchmarks.minhash: status {done.returncode}\n{done.stdout[-500:]}{done.stderr[-1500:]}")
    return parse_minhash(done.stdout)


def parse_minhash(printed: str) -> list[Row]:
    """Return a row a line like "en: 12.1 x the best of rensa, like words (goal 8 x)".

    The goals are for words of the same quality; a peer with cruder words, or with ours for nothing, is told only.
    """
    pattern = re.compile(
        r"^(\w+): ([\d.]+) x the best of (\w+), (\w+ words|words free) \(goal (\d+) x\)$", re.MULTILINE
    )
    return [
        Row(
            f"MinHash of {language} text, segmentation included: over {peer}, {words}",
            "MB of text per CPU-second",
            float(figure),
            "x",
            (">=", float(goal)) if words == "like words" else None,
        )
        for language, figure, peer, words, goal in pattern.findall(printed)
    ]


def warm_up(contenders: list[Contender]) -> None:
    """Compile kernels and byte code, make inputs, install peers: none of it is measured."""
    say("warming up")
    fetch_model("lid.176.ftz")
    measure(contenders, [PAGES_A_FILE], 1, {})


def parse_options() -> argparse.Namespace:
    """Return the command line's options."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=PAGES_A_FILE, help="N (default 400)")
    parser.add_argument("--repeats", type=int, default=3, help="runs of everything that is quick (default 3)")
    parser.add_argument("--megabytes", type=float, default=4, help="text a language for MinHash (default 4)")
    parser.add_argument("--without-peers", action="store_true", help="corpusmill and the bare libraries only")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("RESULTS.md"))
    return parser.parse_args()


def main() -> int:
    """Measure, print and write the table; return 1 if a goal was missed."""
    options = parse_options()
    low, high = options.pages, 10 * options.pages
    outcomes: end_to_end.Outcomes = {}
    ours = [end_to_end.corpusmill(kind, PAGES_A_FILE, outcomes) for kind in end_to_end.KINDS]
    plain = Contender(
        bare.NAME, lambda pages, _: [sys.executable, "-m", "benchmarks.bare", inputs.warc(pages, PAGES_A_FILE)]
    )
    series: Series = {}
    warm_up([*ours, plain])
    rows, differences = [], ""
    measure([ours[0], plain, ours[1]], [low, high], options.repeats, series)
    if not options.without_peers:
        theirs = [end_to_end.datatrove(kind, PAGES_A_FILE, outcomes) for kind in end_to_end.KINDS]
        measure(theirs, [low], 2, series)
        measure(theirs, [high], 1, series)
        rows += [row for kind in end_to_end.KINDS for row in end_to_end.rows(series, kind, low, high)]
        differences = end_to_end.differences(outcomes, high)
        rows += minhash_rows(options.megabytes)
    measure([ours[0]], [100 * options.pages], 1, series)
    rows += bare.rows(series, ours[0].name, low, high) + growth.rows(series, ours[0].name, low) + [startup_row()]
    options.out.write_text(render_report(rows, differences, options.pages))
    print(render(rows))
    return int(any("missed" in row.verdict for row in rows))


if __name__ == "__main__":
    sys.exit(main())
