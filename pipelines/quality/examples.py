"""Texts to learn from: the documents of a snapshot, or the texts, JSON lines and Parquet rows of files."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from filters.extract import extract
from manifests.limits import Limits
from manifests.manifest import newest_version
from manifests.reader import Reader, read_manifest
from manifests.store import open_input, open_store
from pipelines.sources.plan import plan_units, read_unit

MEDIA_TYPES = frozenset({"text/plain", "text/markdown"})
BATCH_ROWS = 256

_MANIFEST = re.compile(r"(?P<root>.+)/(?P<job>[^/]+)/manifests/v0*(?P<version>\d+)\.json")


@dataclass
class Examples:
    """The texts of some places, read once, and an account of what was no text.

    places   a root that holds a `text` snapshot (its newest counts), a manifest's file OUT/JOB/manifests/vN.json,
             or whatever a recipe's input may be
    sources  filled while reading: what was read, with the digest of each manifest
    skipped  records that are no plain text: pages go through `corpusmill text` first
    """

    places: Sequence[str]
    sources: list[dict[str, str]] = field(default_factory=list)
    skipped: Counter[str] = field(default_factory=Counter)

    def texts(self) -> Iterator[pa.StringArray]:
        """Yield batches of texts. Raises ValueError for a place without text, and what readers raise."""
        for place in self.places:
            found = 0
            for batch in self._of(place):
                found += len(batch)
                yield batch
            if not found:
                raise ValueError(f"{place} holds no text{self._hint()}")

    def _of(self, place: str) -> Iterator[pa.StringArray]:
        named = _MANIFEST.fullmatch(place)
        if named:
            yield from self._snapshot(named["root"], named["job"], int(named["version"]))
        elif newest_version(open_store(place), "text"):
            yield from self._snapshot(place, "text", None)
        else:
            yield from self._files(place)

    def _snapshot(self, root: str, job: str, version: int | None) -> Iterator[pa.StringArray]:
        store = open_store(root)
        reader = Reader(store, read_manifest(store, job, version))
        self.sources.append({"manifest": reader.digest})
        for batch in reader.batches(["text"], BATCH_ROWS):
            yield batch.column("text")

    def _files(self, place: str) -> Iterator[pa.StringArray]:
        store, limits = open_input(place), Limits()
        self.sources.append({"files": "texts are told by the digest of their class"})
        for unit in plan_units(store, "examples"):
            for chunk in read_unit(store, unit, 0, limits, MEDIA_TYPES):
                self.skipped.update({str(kind): count for kind, count in chunk.skipped.items()})
                found = extract(chunk.batch, limits, lambda row: None, source="examples", unit=0, refuse=())
                self.skipped.update(str(row["reason"]) for row in (*chunk.quarantined, *found.quarantined))
                yield found.documents["text"]

    def _hint(self) -> str:
        told = ", ".join(f"{kind} {count:,}" for kind, count in sorted(self.skipped.items()))
        return f" (left out: {told}; pages become text by `corpusmill text`)" if told else ""
