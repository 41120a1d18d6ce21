"""`make demo`: a crawl of real pages, real media and real source code -> shards of every job, a tokenizer and a report.

The pages are served by a process of this machine, on loopback; nothing else is ever asked.
"""

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

from pipelines.demo_code import SOURCES, source_folder
from pipelines.demo_input import PAGE_FOLDERS, InputUnavailable, fetch_package
from pipelines.demo_media import Size, media_folders
from pipelines.demo_texts import quality_examples, text_folders, wiki_folder, word_lists

SITE_MAX_S = 3600.0


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve the demo's site and run recipes/demo.yaml over it, or over an input of the caller's; return the status."""
    parser = argparse.ArgumentParser(prog="make demo", description="Run recipes/demo.yaml on real input.")
    parser.add_argument("--out", default="out/demo")
    parser.add_argument("--input", help="a folder or WARC of your own instead of a crawl of Debian's manuals")
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--small", dest="size", action="store_const", const="small", help="about 360 pages, not 9,141")
    size.add_argument("--all-media", dest="size", action="store_const", const="all", help="all media, not a sample")
    parser.set_defaults(size="sample")
    chosen = parser.parse_args(arguments)
    try:
        with _own(chosen.input) if chosen.input else _crawled(chosen.size, chosen.out) as settings:
            return _run(chosen.out, settings)
    except InputUnavailable as error:
        print(f"make demo: {error}", file=sys.stderr)
        return 1


@contextmanager
def _own(place: str) -> Iterator[list[str]]:
    """Yield the settings that put an input of the caller's in the place of the crawl."""
    yield ["crawl=null", "code=null", f"inputs=[{{name: own, uri: {Path(place).absolute()}}}]"]


@contextmanager
def _crawled(size: Size, out: str) -> Iterator[list[str]]:
    """Serve the site as long as the block runs; yield the settings that lead the crawl to it and say where inputs lie.

    Raises InputUnavailable where the site's pages, the media or the source code can't be had.
    """
    from pipelines.demo_site.process import running_site

    for name in PAGE_FOLDERS:
        fetch_package(name, say=_say)
    folders = {**text_folders(size, _say), **media_folders(size, _say), SOURCES: source_folder(size, _say)}
    inputs = [f"inputs.{name}.uri={folder}" for name, folder in folders.items()]
    inputs += _made_before(size, Path(f"{out}-earlier").absolute())
    with running_site(size != "small", max_s=SITE_MAX_S) as port:
        _say(f"serving the demo's site at 127.0.0.1:{port}")
        yield [f"crawl.test_only_loopback={port}", *inputs]


def _made_before(size: Size, place: Path) -> list[str]:
    """Make a snapshot of an earlier dump and a quality model; return the settings that bring them into the recipe.

    What the model has learnt is one manual from another: it drops nothing, and says who stays of duplicates.
    """
    from filters.quality.model import file_sha256
    from pipelines.cli import main as corpusmill

    good, poor = quality_examples(size, _say)
    model = place / "quality.bin"
    _say("an earlier snapshot, and a quality model")
    made = [
        corpusmill(
            ["text", str(wiki_folder(_say, earlier=True)), "--out", str(place), "--quiet", "--set", "text.shards=1"]
        ),
        corpusmill(["quality", "train", "--positive", str(good), "--negative", str(poor), "--out", str(model)]),
    ]
    if any(made):
        raise InputUnavailable(f"no earlier snapshot and model could be made in {place}")
    quality = f"{{model: {model}, sha256: {file_sha256(model)}, threshold: null}}"
    return [
        f"text.listed_words={{path: {word_lists()}}}",
        f"text.quality={quality}",
        "text.dedup.survivor=best_quality",
        f"text.dedup.against=[{{uri: {place}}}]",
    ]


def _say(text: str) -> None:
    print(text, file=sys.stderr)


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
