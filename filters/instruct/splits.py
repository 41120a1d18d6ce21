"""Which split a record belongs to: by the duplicate clusters of its documents and by what it is about.

A cluster has one lot, and so one split; a record whose clusters do not agree is in none. What is held out and is about
something that training is about too goes (pipelines.instruct.choose), so no document and no entity is on two sides.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from filters.instruct.normal import name_key
from filters.instruct.record import Candidate, draw

TRAIN = "train"


@dataclass(frozen=True)
class Splits:
    """Shares of the held-out splits; what is left is for training."""

    seed: int
    shares: Mapping[str, float]  # validation, test

    def of_key(self, key: str) -> str:
        """Return the split of one cluster or entity."""
        lot, at = _lot(self.seed, key) / (1 << 64), 0.0
        for name, share in sorted(self.shares.items()):
            at += share
            if lot < at:
                return name
        return TRAIN

    def of(self, keys: Iterable[str]) -> str | None:
        """Return the split of all keys, None where they do not agree."""
        found = {self.of_key(key) for key in keys}
        return next(iter(found)) if len(found) == 1 else None if found else TRAIN


@lru_cache(1 << 14)
def _lot(seed: int, key: str) -> int:
    return draw(seed, "split", key)


def keys_of(candidates: Sequence[Candidate], clusters: Mapping[str, str]) -> tuple[str, ...]:
    """Return what decides the split of candidates that stay together; `clusters`: document -> duplicate cluster.

    What a prompt shows or an answer cites stands on its documents; a fact that is asked without any, on its subject.
    """
    if all(one.behaviour == "closed_book" for one in candidates):
        return tuple(sorted({f"entity {name}" for one in candidates for name in one.entities}))
    return tuple(sorted({f"cluster {clusters.get(e.doc_id, e.doc_id)}" for one in candidates for e in one.evidence}))


def entities_of(candidates: Sequence[Candidate]) -> list[int]:
    """Return 64-bit digests of what candidates are about, ascending."""
    return sorted({draw(0, "entity", name_key(name)) for one in candidates for name in one.entities})
