"""One small store with real pictures, sounds, a film and texts, and what was put into it."""

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from benchmarks import snapshots
from manifests.exports.source import Source, open_source
from manifests.store import Store, open_store

COUNT = 40


@dataclass(frozen=True)
class World:
    """A store, and the samples of each of its jobs as they were committed, by key."""

    store: Store
    samples: dict[str, dict[str, dict[str, bytes]]]

    def source(self, job: str) -> Source:
        return open_source(self.store, job)

    def in_order(self, job: str) -> list[tuple[str, dict[str, bytes]]]:
        """Return the samples in the order of the shards."""
        found = self.samples[job].items()
        return sorted(found, key=lambda sample: (int(sample[0], 16) % snapshots.SHARDS, sample[0]))


@cache
def world(root: Path) -> World:
    store = open_store(root)
    snapshots.commit_all(store, COUNT)
    media = [*snapshots.pictures(COUNT // 2), *snapshots.sounds(COUNT // 2 - 1), snapshots.film()]
    texts = [snapshots.document_sample(row) for row in snapshots.documents(COUNT)]
    committed = {"images": dict(snapshots.pictures(COUNT)), "media": dict(media), "text": dict(texts)}
    return World(store, committed)


def files(root: Path) -> dict[str, str]:
    """Return the sha256 of every file below a folder."""
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }
