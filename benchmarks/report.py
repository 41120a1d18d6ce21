"""RESULTS.md: the table, what it was measured on, and who keeps what."""

import os
import platform
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from benchmarks import crawl, peers
from benchmarks.table import Row, render

OURS = ("apache-beam", "pyarrow", "numpy", "numba", "fastwarc", "resiliparse", "fasttext")
CRAWLER = ("aiohttp", "ada-url", "protego", "warcio", "isal")
SCRAPY = ("scrapy", "twisted", "lxml", "protego", "warcio", "isal", "uvloop")
THEIRS = ("datatrove", "trafilatura", "spacy", "fasttext-numpy2-wheel", "warcio", "orjson", "xxhash")
HOW = """\
CPU seconds (user + system) of the whole process tree, the least of some runs taken in turn. Figures a page are slopes
between {low} and {high} pages, so start-up stands apart. Input: real manuals of the demo in 40 locales, sampled by
name, 400 pages a file; beyond 9,141 pages they come again under other names. Kernels were compiled before."""
COMMANDS = """\
- corpusmill: `corpusmill text FOLDER --out OUT --workers 1 --quiet`, the default recipe.
- datatrove: `python benchmarks/datatrove_chain.py warc|jsonl FOLDER OUT lid.176.ftz` in an environment of its own. One
  task and one worker, no compression, no writers for what is dropped; the same rules in the same order, with the
  English word tokenizer for all languages; MinHash 14 x 8 over word 5-grams. Pages carry
  `WARC-Identified-Payload-Type`, so its reader takes them all. What one of its rules drops costs it no further rule and
  no signature; corpusmill measures every text in full, so thresholds can change without reading it again.
- bare: `python -m benchmarks.bare FOLDER`. MinHash: `python -m benchmarks.minhash FOLDER`; judged are words of the same
  quality, told are cruder words, and words that a peer is given for nothing.
- crawl: `corpusmill crawl SEEDS --contact URL --out OUT --workers 1 --quiet` without delays, 64 connections, 4 rounds,
  against the pages of `python -m benchmarks.crawl_site` on loopback, 50 a host, whose CPU time is nobody's. Scrapy:
  `python benchmarks/crawl_scrapy.py SEEDS OUT best|stock LEVEL` in an environment of its own, `best` with uvloop, the
  compressor and level that corpusmill has, a set of URLs before its own filter. Bare: `python -m benchmarks.crawl_bare
  aiohttp|libraries SEEDS OUT PORT`. Both crawlers obey robots.txt; the WARC files must hold each page once and nothing
  that is forbidden. Beside Scrapy's work, corpusmill reads pages in a process apart, writes metadata records and
  sha-256 digests, and keeps its frontier on disk. Memory: `python -m benchmarks.crawl --memory PAGES`."""


def machine() -> str:
    """Return processor, cores, load and Python."""
    info = Path("/proc/cpuinfo").read_text() if Path("/proc/cpuinfo").exists() else ""
    model = next((line.partition(":")[2].strip() for line in info.splitlines() if line.startswith("model name")), "")
    load = " ".join(f"{one:.1f}" for one in os.getloadavg())
    return f"{model or platform.processor()}, {os.cpu_count()} cores, load {load}, Python {platform.python_version()}"


def render_report(rows: Sequence[Row], differences: str, pages: int, command: str) -> str:
    """Return RESULTS.md; `differences` is empty where no peer was asked."""
    used = {"corpusmill": {name: version(name) for name in ("corpusmill", *OURS, *CRAWLER)}}
    if differences:
        used["peer"] = peers.versions(peers.datatrove_python(), THEIRS)
        used["crawling peer"] = peers.versions(crawl.scrapy_python(), SCRAPY)
    parts = [
        "# Measured",
        f"`{command}`, {time.strftime('%Y-%m-%d')}, {machine()}.",
        HOW.format(low=pages, high=10 * pages),
        render(rows),
        COMMANDS,
        *(f"Versions, {who}: {', '.join(f'{n} {v}' for n, v in found.items())}." for who, found in used.items()),
    ]
    return "\n\n".join([*parts, *(["## Who keeps what", differences] if differences else [])]) + "\n"
