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
from pathlib import Path

from filters.extract import EXTRACTION_VERSION, extract
from filters.native import cache_root
from manifests.limits import Limits
from manifests.store import open_input
from pipelines.demo_input import FETCHED_AT, PAGE_FOLDERS, Package, fetch_package, page_of, page_paths
from pipelines.sources import plan_units, read_unit
from pipelines.sources.warc_writer import Page, write_warc

SUFFIXES = {"warc": ".warc.gz", "jsonl": ".jsonl"}
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
    name = sha256(json.dumps([fetch_package(name).sha256 for name in PAGE_FOLDERS]).encode()).hexdigest()[:12]
    return cache_root() / "benchmarks" / f"pages-{name}"


def warc(pages: int, pages_a_file: int) -> Path:
    """Return a folder of WARC files with `pages` pages."""
    return _linked("warc", pages, pages_a_file)


def jsonl(pages: int, pages_a_file: int) -> Path:
    """Return a folder of JSONL files with the extracted text of the same pages: id, url, text."""
    return _linked("jsonl", pages, pages_a_file)


def _linked(kind: str, pages: int, pages_a_file: int) -> Path:
    """Return the set: hard links to files that all sets share."""
    target = folder() / f"{_label(kind)}-{pages}-by-{pages_a_file}"
    target.mkdir(parents=True, exist_ok=True)
    for start in range(0, pages, pages_a_file):
        file = _stocked(kind, start, min(start + pages_a_file, pages))
        if not (target / file.name).exists():
            os.link(file, target / file.name)
    return target


def _label(kind: str) -> str:
    return kind if kind == "warc" else f"{kind}-extraction{EXTRACTION_VERSION}"


def _stocked(kind: str, start: int, end: int) -> Path:
    """Return the file with pages [start, end), written when there is none."""
    file = folder() / f"{_label(kind)}-stock" / f"pages-{start:07d}-{end:07d}{SUFFIXES[kind]}"
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        part = file.with_name(f"part-{os.getpid()}-{file.name}")
        if kind == "warc":
            write_warc(part, FETCHED_AT, INFO, _pages(start, end))
        else:
            _write_texts(part, _stocked("warc", start, end))
        part.rename(file)
    return file


def _write_texts(path: Path, source: Path) -> None:
    store = open_input(source)
    with path.open("wb") as out:
        for chunk in read_unit(store, plan_units(store, "pages")[0], 0, Limits()):
            found = extract(chunk.batch, Limits(), lambda _: None, source="pages", unit=0).documents
            for uri, text in zip(found["uri"].to_pylist(), found["text"].to_pylist(), strict=True):
                out.write(json.dumps({"id": uri, "url": uri, "text": text}, ensure_ascii=False).encode() + b"\n")
