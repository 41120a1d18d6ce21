"""`make demo`: real pages as WARC -> documents -> counts -> tokenizer -> report, on the machine at hand."""

import argparse
import sys
import time
from importlib.resources import files
from pathlib import Path

from pipelines.demo_input import InputUnavailable, demo_input


def main() -> int:
    """Build or take the input, run recipes/demo.yaml over it, say where everything lies."""
    parser = argparse.ArgumentParser(prog="make demo", description="Run recipes/demo.yaml on real input.")
    parser.add_argument("--out", default="out/demo")
    parser.add_argument("--input", help="a folder or WARC of your own instead of the manuals of Debian packages")
    chosen = parser.parse_args()
    try:
        source = Path(chosen.input) if chosen.input else demo_input(say=lambda text: print(text, file=sys.stderr))
    except InputUnavailable as error:
        print(f"make demo: {error}", file=sys.stderr)
        return 1
    from pipelines.cli import main as corpusmill

    start = time.perf_counter()
    recipe = files("recipes").joinpath("demo.yaml")
    command = [
        "run",
        str(recipe),
        "--out",
        chosen.out,
        "--set",
        f"inputs=[{{name: manuals, uri: {source.absolute()}}}]",
    ]
    print(f"corpusmill {' '.join(command)}", file=sys.stderr)
    status = corpusmill(command)
    print(f"{time.perf_counter() - start:.1f} s")
    return status


if __name__ == "__main__":
    sys.exit(main())
