"""Real pages for tests, from the same cache as the demo, and what reads an input whole to compare it."""

import io
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO

from manifests.limits import Limits
from manifests.store import Store
from pipelines import demo_input
from pipelines.sources import RawChunk, plan_units, read_unit

LIMITS = Limits()

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


class MemoryStore:
    """An input held in memory: the part of the store's protocol that sources read by."""

    uri = "memory"

    def __init__(self, objects: Mapping[str, bytes]) -> None:
        self.objects = dict(objects)

    def size(self, name: str) -> int | None:
        return len(self.objects[name]) if name in self.objects else None

    def generation(self, name: str) -> str:
        return str(len(self.objects[name]))

    def read(self, name: str) -> bytes:
        return self.objects[name]

    def read_range(self, name: str, start: int, length: int) -> bytes:
        return self.objects[name][start : start + length]

    def open(self, name: str) -> BinaryIO:
        return io.BytesIO(self.objects[name])

    def list(self, prefix: str = "") -> Iterator[tuple[str, int]]:
        return iter([(name, len(data)) for name, data in sorted(self.objects.items()) if name.startswith(prefix)])

    def put_new(self, name: str, data: bytes | Path) -> bool:
        raise io.UnsupportedOperation("an input is only read")

    def delete(self, name: str) -> None:
        raise io.UnsupportedOperation("an input is only read")

    def sweep(self, older_than_s: float = 0.0) -> int:
        raise io.UnsupportedOperation("an input is only read")


@dataclass
class Outcome:
    """Everything that a reading of an input gave, in order."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)
    quarantined: list[dict[str, Any]] = field(default_factory=list)
    lost_bytes: int = 0
    cursors: list[int] = field(default_factory=list)

    @property
    def reasons(self) -> list[str]:
        return [row["reason"] for row in self.quarantined]

    @property
    def payloads(self) -> list[bytes]:
        return [row["payload"] for row in self.rows]

    def add(self, chunk: RawChunk) -> None:
        self.rows += chunk.batch.to_pylist()
        self.skipped.update({str(kind): count for kind, count in chunk.skipped.items()})
        self.quarantined += chunk.quarantined
        self.lost_bytes += chunk.lost_bytes
        self.cursors.append(chunk.cursor)

    @property
    def events(self) -> int:
        return len(self.rows) + sum(self.skipped.values()) + len(self.quarantined)


def read_input(store: Store, *, unit_bytes: int = 1 << 28, limits: Limits = LIMITS, **options: Any) -> Outcome:
    """Plan and read a whole input called "in"; each unit's cursor must end at its number of events."""
    outcome = Outcome()
    kind = options.pop("kind", "auto")
    for unit in plan_units(store, "in", kind, limits, unit_bytes):
        before, cursor = outcome.events, 0
        for chunk in read_unit(store, unit, 0, limits, **options):
            outcome.add(chunk)
            cursor = chunk.cursor
        assert outcome.events - before == cursor
    return outcome


def read_bytes(name: str, data: bytes, **options: Any) -> Outcome:
    """Read one object that holds `data`."""
    return read_input(MemoryStore({name: data}), **options)
