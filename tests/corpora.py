"""Real pages for tests, from the same cache as the demo; loaded once a process."""

from functools import cache
from pathlib import Path

from pipelines import demo_input

PACKAGES = tuple(demo_input.PAGE_FOLDERS)


@cache
def pages(package: str) -> list[tuple[str, bytes]]:
    """Return (path relative to the manual, bytes) of every page of a package, sorted by path."""
    unpacked = demo_input.fetch_package(package)
    return [(path, (unpacked.page_folder / path).read_bytes()) for path in demo_input.page_paths(unpacked)]


def all_pages() -> list[tuple[str, bytes]]:
    """Return every page of every package; paths start with the package's name."""
    return [(f"{package}/{path}", payload) for package in PACKAGES for path, payload in pages(package)]


@cache
def unicode_data() -> Path:
    """Return the folder of the Unicode character database (auxiliary/WordBreakTest.txt ...)."""
    return demo_input.fetch_package("unicode-data").root / "usr/share/unicode"


@cache
def demo_warcs(full: bool) -> list[Path]:
    """Return the demo's WARC files in name order."""
    return sorted(demo_input.demo_input(full).glob("*.warc.gz"))
