"""`make demo`: a crawl of real pages -> documents -> counts -> tokenizer -> report, on the machine at hand.

The pages are served by a process of this machine, on loopback; nothing else is ever asked.
"""

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

from pipelines.demo_input import PAGE_FOLDERS, InputUnavailable, fetch_package

SITE_MAX_S = 3600.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve the demo's site and run recipes/demo.yaml over it, or over an input of the caller's; return the status."""
    parser = argparse.ArgumentParser(prog="make demo", description="Run recipes/demo.yaml on real input.")
    parser.add_argument("--out", default="out/demo")
    parser.add_argument("--input", help="a folder or WARC of your own instead of a crawl of Debian's manuals")
    parser.add_argument("--small", action="store_true", help="crawl about 360 pages, not 9,141")
    chosen = parser.parse_args(arguments)
    try:
        with _own(chosen.input) if chosen.input else _crawled(full=not chosen.small) as settings:
            return _run(chosen.out, settings)
    except InputUnavailable as error:
        print(f"make demo: {error}", file=sys.stderr)
        return 1


@contextmanager
def _own(place: str) -> Iterator[list[str]]:
    """Yield the settings that put an input of the caller's in the place of the crawl."""
    yield ["crawl=null", f"inputs=[{{name: own, uri: {Path(place).absolute()}}}]"]


@contextmanager
def _crawled(*, full: bool) -> Iterator[list[str]]:
    """Serve the site as long as the block runs; yield the setting that leads the crawl to it.

    Raises InputUnavailable where the site's pages can't be had.
    """
    from pipelines.demo_site.process import running_site

    for name in PAGE_FOLDERS:
        fetch_package(name, say=lambda text: print(text, file=sys.stderr))
    with running_site(full, max_s=SITE_MAX_S) as port:
        print(f"serving the demo's site at 127.0.0.1:{port}", file=sys.stderr)
        yield [f"crawl.test_only_loopback={port}"]


def _run(out: str, settings: Sequence[str]) -> int:
    from pipelines.cli import main as corpusmill

    start = time.perf_counter()
    command = ["run", str(files("recipes").joinpath("demo.yaml")), "--out", out]
    for setting in settings:
        command += ["--set", setting]
    print(f"corpusmill {' '.join(command)}", file=sys.stderr)
    status = corpusmill(command)
    print(f"{time.perf_counter() - start:.1f} s")
    return status


if __name__ == "__main__":
    sys.exit(main())
