"""All comparisons of the text job and of the crawl in one go, and one table: `make bench`, or

    python -m benchmarks.run [--pages 400] [--repeats 3] [--without-peers] [--out benchmarks/RESULTS.md]

Sizes are N and 10 N pages, 100 N for growth, and 250 N for the crawl's memory; about 25 minutes at the default.
Everything is CPU time of one core's work, least of some runs, taken in turn. Kernels are compiled and files are in the
cache before the first figure is taken.
"""

import argparse
import shlex
import sys
from pathlib import Path

from benchmarks import bare, crawl, end_to_end, growth, inputs, signatures, startup
from benchmarks.measure import Contender, Series, measure, say
from benchmarks.report import render_report
from benchmarks.table import render
from filters.models import fetch_model

PAGES_A_FILE = 400


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
    parser.add_argument("--set", action="append", default=[], metavar="FIELD=VALUE", help="passed to `corpusmill text`")
    parser.add_argument("--out", type=Path, default=Path(__file__).with_name("RESULTS.md"))
    return parser.parse_args()


def _command(options: argparse.Namespace) -> str:
    """Return the command that measures the same."""
    said = [f"--pages {options.pages}", f"--repeats {options.repeats}", f"--megabytes {options.megabytes:g}"]
    said += [f"--set {shlex.quote(each)}" for each in options.set]
    return " ".join(["python -m benchmarks.run", *said, *(["--without-peers"] if options.without_peers else [])])


def main() -> int:
    """Measure, print and write the table; return 1 if a goal was missed."""
    options = parse_options()
    low, high = options.pages, 10 * options.pages
    outcomes: end_to_end.Outcomes = {}
    ours = [end_to_end.corpusmill(kind, PAGES_A_FILE, options.set, outcomes) for kind in end_to_end.KINDS]
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
        differences = end_to_end.differences(outcomes, high, PAGES_A_FILE)
        rows += signatures.rows(options.megabytes)
    rows += crawl.rows(low, options.repeats, with_peers=not options.without_peers)
    rows += [crawl.memory(250 * low)]
    measure([ours[0]], [100 * options.pages], 1, series)
    rows += bare.rows(series, ours[0].name, low, high) + growth.rows(series, ours[0].name, low) + [startup.row()]
    options.out.write_text(render_report(rows, differences, low, _command(options)))
    print(render(rows))
    return int(any("missed" in row.verdict for row in rows))


if __name__ == "__main__":
    sys.exit(main())
