"""Inputs of any size from the demo's real pages, kept in the cache: WARC files, and the text that they hold as JSONL.

Pages come in an order that is fixed and looks shuffled, so every prefix has the same mix. A file holds the same number
of pages at each size: ten times the pages are ten times the units. Beyond the demo's 9,141 pages they come again under
other names.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from hashlib import sha256
from itertools import islice
from pathlib import Path

from filters.extract import extract
from filters.native import cache_root
from manifests.limits import Limits
from manifests.store import open_input
from pipelines.demo_input import FETCHED_AT, PAGE_FOLDERS, Package, fetch_package, page_of, page_paths
from pipelines.sources import plan_units, read_unit
from pipelines.sources.warc_writer import Page, write_warc

INFO = (("software", "corpusmill"), ("format", "WARC File Format 1.1"))


@cache
def _order() -> list[tuple[Package, str]]:
    packages = [fetch_package(name) for name in PAGE_FOLDERS]
    pages = [(package, path) for package in packages for path in page_paths(package)]
    return sorted(pages, key=lambda page: sha256(f"{page[0].name}/{page[1]}".encode()).digest())


def _pages(start: int, end: int) -> Iterator[Page]:
    """Yield pages [start, end) of the endless order; `page_of` gives each its identified payload type."""
    order = _order()
    for number in range(start, end):
        again, at = divmod(number, len(order))
        page = page_of(*order[at])
        yield replace(page, uri=f"{page.uri}?again={again}") if again else page


def folder() -> Path:
    """Return where inputs are kept; of other packages there is another one."""
    name = sha256(json.dumps([package.sha256 for package, _ in _order()[:64]]).encode()).hexdigest()[:12]
    return cache_root() / "benchmarks" / f"pages-{name}"


def warc(pages: int, pages_a_file: int) -> Path:
    """Return a folder of WARC files with `pages` pages."""
    return _linked("warc", pages, pages_a_file, ".warc.gz", _write_warc)


def jsonl(pages: int, pages_a_file: int) -> Path:
    """Return a folder of JSONL files with the extracted text of the same pages: id, url, text."""
    return _linked("jsonl", pages, pages_a_file, ".jsonl", _write_jsonl)


def _linked(kind, pages, pages_a_file, suffix, write) -> Path:  # type: ignore[no-untyped-def]
    """Return the set: hard links to files that all sets share."""
    stock, target = folder() / f"{kind}-{pages_a_file}", folder() / f"{kind}-{pages_a_file}-set-{pages}"
    stock.mkdir(parents=True, exist_ok=True)
    target.mkdir(exist_ok=True)
    for start in range(0, pages, pages_a_file):
        name = f"pages-{start:07d}-{min(start + pages_a_file, pages):07d}{suffix}"
        if not (stock / name).exists():
            part = stock / f"making-{name}"
            write(part, start, min(start + pages_a_file, pages), pages_a_file)
            part.rename(stock / name)
        if not (target / name).exists():
            os.link(stock / name, target / name)
    return target


def _write_warc(path: Path, start: int, end: int, _pages_a_file: int) -> None:
    write_warc(path, FETCHED_AT, INFO, _pages(start, end))


def _write_jsonl(path: Path, start: int, end: int, pages_a_file: int) -> None:
    source = warc(end, pages_a_file)
    units = [unit for unit in plan_units(open_input(str(source)), "bench") if f"-{end:07d}." in unit.uri]
    with path.open("wb") as out:
        for chunk in read_unit(open_input(str(source)), units[0], 0, Limits()):
            found = extract(chunk.batch, Limits(), lambda _: None, source="bench", unit=0).documents
            for uri, text in zip(found["uri"].to_pylist(), found["text"].to_pylist(), strict=True):
                out.write(json.dumps({"id": uri, "url": uri, "text": text}, ensure_ascii=False).encode() + b"\n")


def html_folders() -> list[Path]:
    """Return the folders of unpacked pages."""
    return [fetch_package(name).page_folder for name in islice(PAGE_FOLDERS, None)]
