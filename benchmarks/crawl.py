"""The crawl against Scrapy and against the bare libraries, and its memory over many pages.

    python -m benchmarks.crawl [--pages 400] [--repeats 2] [--without-peers]
    python -m benchmarks.crawl --memory 100000

A loopback server (benchmarks/crawl_site.py) gives 20 KB pages on as many hosts as it takes; its CPU time is nobody's.
corpusmill runs as its users run it, `corpusmill crawl SEEDS --out OUT --workers 1`; Scrapy, in an environment of its
own, as `crawl_scrapy.py` says; the bare libraries as `crawl_bare.py` says. Both crawlers obey robots.txt; all ask one
thing at a time of a host and 64 hosts at once, without a delay, and must hold every page once. Figures are CPU time a
page of the whole process tree, as slopes between N and 10 N pages, so that start-up and rounds stand apart.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

from fastwarc.warc import ArchiveIterator, WarcRecordType

from benchmarks import peers
from benchmarks.crawl_site import PAGES_A_HOST, host_name
from benchmarks.measure import ONE_THREAD, Contender, Series, measure, say, slope_ms, startup_s, tree
from benchmarks.table import Row, render
from pipelines.crawl.warc import TEXT_LEVEL

OURS = "corpusmill crawl"
SCRAPY = ("scrapy==2.19.*", "warcio==1.8.*", "isal", "uvloop")
MODES = {"best": "at its best", "stock": "as it ships"}
BARE = {"libraries": "aiohttp, Resiliparse and warcio alone", "aiohttp": "aiohttp alone, pages only fetched"}
SETTINGS = {
    "delay_s": 0,
    "delay_factor": 0,
    "rounds": 4,  # the site's tree has three levels; the last round finds nothing new
    "connections": 64,
    "connections_per_address": 64,  # every host has the same one here
}
SAMPLE_S = 0.2
WARM_FRACTION = 0.2  # of the pages: what memory is held against


class Site:
    """A running server of `pages` pages, and the file of its seeds."""

    def __init__(self, pages: int, folder: Path) -> None:
        self.pages, self.hosts = pages, pages // PAGES_A_HOST
        command = [sys.executable, "-m", "benchmarks.crawl_site", "--hosts", str(self.hosts)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())
        self.seeds = self._seeds(folder / f"seeds-{pages}.txt", "")
        self.seeds_with_port = self._seeds(folder / f"seeds-{pages}-port.txt", f":{self.port}")

    def _seeds(self, path: Path, port: str) -> Path:
        path.write_text("".join(f"http://{host_name(number)}{port}/p/0\n" for number in range(self.hosts)))
        return path

    def counts(self) -> dict[str, int]:
        """Return what was asked for so far."""
        with urlopen(f"http://127.0.0.1:{self.port}/counts", timeout=10) as response:
            return json.load(response)  # type: ignore[no-any-return]

    def end(self) -> None:
        """End the server."""
        self.process.communicate("")


@contextmanager
def sites() -> Iterator[Callable[[int], Site]]:
    """Give a function that returns the site of a size, started when it is first asked for."""
    running: dict[int, Site] = {}
    with tempfile.TemporaryDirectory(prefix="corpusmill-bench-") as folder:

        def site(pages: int) -> Site:
            if pages not in running:
                running[pages] = Site(pages, Path(folder))
            return running[pages]

        try:
            yield site
        finally:
            for each in running.values():
                each.end()


def command_of_ours(site: Site, out: Path, settings: Sequence[str] = ()) -> list[str | Path]:
    """Return the command that crawls a site."""
    given = {**SETTINGS, "test_only_loopback": site.port, "max_pages": 2 * site.pages}
    said = [f"--set=crawl.{name}={value}" for name, value in given.items()] + [f"--set={each}" for each in settings]
    script = Path(sys.executable).with_name("corpusmill")
    contact = ["--contact", "https://corpusmill.example/benchmark"]
    return [script, "crawl", site.seeds, *contact, "--out", out, "--workers", "1", "--quiet", *said]


def scrapy_python() -> Path:
    """Return the Python of a virtual environment that holds Scrapy, made when there is none."""
    return peers.environment("scrapy-2.19", SCRAPY)


def ours(site: Callable[[int], Site], settings: Sequence[str] = ()) -> Contender:
    """Return corpusmill."""
    return Contender(OURS, lambda pages, out: command_of_ours(site(pages), out, settings), look=check)


def scrapy(site: Callable[[int], Site], mode: str) -> Contender:
    """Return Scrapy in one of MODES."""
    script = Path(__file__).with_name("crawl_scrapy.py")
    return Contender(
        f"scrapy {mode}",
        lambda pages, out: [scrapy_python(), script, site(pages).seeds_with_port, out, mode, str(TEXT_LEVEL)],
        look=check,
    )


def bare(site: Callable[[int], Site], how: str) -> Contender:
    """Return one of BARE."""
    command: list[str | Path] = [sys.executable, "-m", "benchmarks.crawl_bare", how]
    return Contender(
        f"bare {how}",
        lambda pages, out: [*command, site(pages).seeds, out, str(site(pages).port)],
        look=check if how == "libraries" else None,
    )


def check(pages: int, out: Path) -> None:
    """Raise RuntimeError unless the WARC files below `out` hold every page once, and nothing that is forbidden."""
    found = list(responses(out))
    urls = [url for url in found if "/p/" in url]
    if len(urls) != pages or len(set(urls)) != pages:
        raise RuntimeError(f"{out}: {len(urls)} pages, {len(set(urls))} different ones, not {pages}")
    if any("/private/" in url for url in found):
        raise RuntimeError(f"{out}: a page that robots.txt forbids")


def responses(out: Path) -> Iterator[str]:
    """Yield the URL of each response; of corpusmill those of the committed files."""
    committed = out / "crawl" / "data"
    for path in sorted((committed if committed.exists() else out).rglob("*.warc.gz")):
        with path.open("rb") as file:
            for record in ArchiveIterator(file, record_types=WarcRecordType.response, parse_http=False):
                yield record.headers["WARC-Target-URI"]


def whole_hosts(pages: int) -> int:
    """Return the pages of as many hosts as `pages` fill, at least one."""
    return max(1, pages // PAGES_A_HOST) * PAGES_A_HOST


def rows(pages: int, repeats: int, *, with_peers: bool = True, settings: Sequence[str] = ()) -> list[Row]:
    """Measure at `pages` and ten times that; return how the crawl compares."""
    pages = whole_hosts(pages)
    series: Series = {}
    with sites() as site:
        contenders = [ours(site, settings), *(bare(site, how) for how in BARE)]
        contenders += [scrapy(site, mode) for mode in MODES] if with_peers else []
        measure(contenders, [pages], 1, {})  # byte code, servers, environments: warm
        measure(contenders, [pages, 10 * pages], repeats, series)
    return compared(series, pages, 10 * pages)


def compared(series: Series, low: int, high: int) -> list[Row]:
    """Return the rows of a series: pages a CPU second over Scrapy's, cost over the bare libraries'."""
    mine, started = slope_ms(series[OURS], low, high), startup_s(series[OURS], low, high)
    found = []
    for mode, words in MODES.items():
        if theirs := series.get(f"scrapy {mode}"):
            other = slope_ms(theirs, low, high)
            measured = f"{mine:.2f} against {other:.2f} ms a page (start-up {started:.1f} against "
            measured += f"{startup_s(theirs, low, high):.1f} CPU-s)"
            work = f"crawl: 20 KB pages -> links -> WARC, on loopback: over Scrapy 2.19 {words}"
            found.append(Row(work, measured, other / mine, "x", (">=", 1.5) if mode == "best" else None))
    for how, words in BARE.items():
        other = slope_ms(series[f"bare {how}"], low, high)
        measured = f"{mine:.2f} against {other:.2f} ms a page"
        found.append(Row(f"crawl: total cost over {words}", measured, mine / other, "x"))
    return found


Sample = tuple[int, int, int]  # pages served so far, peak bytes of the worker, of its largest child


def memory(pages: int, settings: Sequence[str] = ()) -> Row:
    """Crawl `pages` pages; return the peak memory of all of it over that of its first fifth."""
    pages = whole_hosts(pages)
    with sites() as site, tempfile.TemporaryDirectory(prefix="corpusmill-bench-") as out:
        its = site(pages)
        samples = list(watched(command_of_ours(its, Path(out), settings), its))
        check(pages, Path(out))
    return flat(samples, pages)


def watched(command: Sequence[str | Path], site: Site) -> Iterator[Sample]:
    """Run a command to its end and yield samples of it; VmHWM never falls, so no peak is missed."""
    with tempfile.TemporaryFile() as output:
        environment = {**os.environ, **ONE_THREAD}
        process = subprocess.Popen(list(map(str, command)), stdout=output, stderr=output, env=environment)
        peaks: dict[int, int] = {}
        told = -1
        while process.poll() is None:
            served = site.counts().get("pages", 0)
            peaks |= {pid: max(peaks.get(pid, 0), peak_bytes(pid)) for pid in tree(process.pid)}
            worker, child = peaks[process.pid], max((v for k, v in peaks.items() if k != process.pid), default=0)
            yield served, worker, child
            if (tenth := served * 10 // site.pages) != told:
                say(f"{served} pages: worker {worker >> 20} MiB, largest child {child >> 20} MiB")
                told = tenth
            time.sleep(SAMPLE_S)
        if process.returncode:
            output.seek(0)
            raise RuntimeError(f"status {process.returncode}: {output.read().decode(errors='replace')[-2000:]}")


def peak_bytes(pid: int) -> int:
    """Return the peak resident memory of a process, 0 where it has ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return sum(int(line.split()[1]) << 10 for line in status.splitlines() if line.startswith("VmHWM:"))


def flat(samples: Sequence[Sample], pages: int) -> Row:
    """Return how much the peak grows after the first fifth of the pages: the worse of worker and child."""
    warm = [sample for sample in samples if sample[0] <= WARM_FRACTION * pages]
    peaks: Mapping[str, tuple[int, int]] = {
        who: (max(sample[at] for sample in warm), max(sample[at] for sample in samples))
        for at, who in ((1, "worker"), (2, "child"))
    }
    told = ", ".join(f"{who} {before >> 20} -> {after >> 20} MiB" for who, (before, after) in peaks.items())
    figure = max(after / max(before, 1) for before, after in peaks.values())
    work = f"crawl of {pages} pages: peak memory of all over that of the first {WARM_FRACTION:.0%}"
    return Row(work, told, figure, "x", ("<=", 1.1))


def main() -> int:
    """Measure and print a table; return 1 if a goal was missed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pages", type=int, default=400, help="N (default 400)")
    parser.add_argument("--repeats", type=int, default=2)
    parser.add_argument("--without-peers", action="store_true")
    parser.add_argument("--memory", type=int, metavar="PAGES", help="watch the memory of one crawl, and nothing else")
    parser.add_argument(
        "--set", action="append", default=[], metavar="FIELD=VALUE", help="passed to `corpusmill crawl`"
    )
    options = parser.parse_args()
    if options.memory:
        found = [memory(options.memory, options.set)]
    else:
        with_peers = not options.without_peers
        found = rows(options.pages, options.repeats, with_peers=with_peers, settings=options.set)
    print(render(found))
    return int(any("missed" in row.verdict for row in found))


if __name__ == "__main__":
    sys.exit(main())
