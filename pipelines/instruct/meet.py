"""Meet: passages of pages that share a word of their title, or a bucket of their language, are put beside each other.

What a prompt needs besides its own document: near misses of hedges, and what stands around a gold passage. A word that
thousands of titles share says nothing and brings nobody together. Pages that spell an abbreviation out meet those that
spell it out otherwise.
"""

import heapq
from collections.abc import Iterator, Mapping
from typing import Any

import pyarrow as pa

from filters.instruct.record import draw
from manifests.keys import key_range
from manifests.runs import Run, load_runs, read_run, write_run
from manifests.store import Store
from pipelines.instruct.records import NEAR, NEAR_ORDER

MEET_VERSION = 2
MAX_SHARING = 4096  # documents that a word brings together
RESERVOIR = 16  # passages of a key that are shown to its documents
SHOWN_OF_A_WORD = 2
SHOWN_OF_A_BUCKET = 4
WANTED = ("key", "bucket", "spelt", "lot", "id", "cluster", "passage")
Item = tuple[int, str, str]  # lot, cluster, passage
Kept = dict[int, list[Item]]


class Meet:
    """Worker: the passages of a range of keys. config: {passages: name of a list of runs, seed, part_bytes}."""

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        self.store, self.runs, self.seed = store, load_runs(store, config["passages"]), config["seed"]
        self.part_bytes = config["part_bytes"]

    def close(self) -> None:
        """Nothing is held."""

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """arguments: {partition, partitions, output}."""
        low, high = key_range(arguments["partition"], arguments["partitions"])
        counts: dict[int, int] = {}
        kept: Kept = {}  # the largest lot first, negated: heaps of the smallest
        spelt: dict[int, dict[str, Item]] = {}  # of an abbreviation, one passage a long form
        for row in self._rows(low, high):
            key = row["key"]
            if row["spelt"]:
                self._keep_spelt(spelt.setdefault(key, {}), row)
                continue
            counts[key] = counts.get(key, 0) + 1
            heap = kept.setdefault(key, [])
            item = (-row["lot"], row["cluster"], row["passage"])
            if len(heap) < RESERVOIR:
                heapq.heappush(heap, item)
            elif item > heap[0]:
                heapq.heapreplace(heap, item)
        runs = list(self._write(arguments["output"], low, high, (counts, kept, spelt)))
        return {"runs": [run.as_json() for run in runs], "counts": {"near": sum(run.rows for run in runs)}}

    def _rows(self, low: int, high: int) -> Iterator[dict[str, Any]]:
        for run in self.runs:
            for batch in read_run(self.store, run, low, high):
                yield from batch.select(list(WANTED)).to_pylist()

    def _write(
        self,
        stem: str,
        low: int,
        high: int,
        found: tuple[Mapping[int, int], Kept, Mapping[int, dict[str, Item]]],
    ) -> Iterator[Run]:
        """Yield runs of NEAR rows, each of about part_bytes; found: rows of keys, and what is kept of them."""
        counts, kept, spelt = found
        rows: list[dict[str, Any]] = []
        held = number = 0
        for row in self._rows(low, high):
            if row["spelt"]:
                shown = self._spelt_otherwise(row, spelt[row["key"]])
            elif not row["bucket"] and counts[row["key"]] > MAX_SHARING:
                continue
            else:
                shown = self._shown(row, kept[row["key"]])
            for lot, passage in shown:
                key = int.from_bytes(row["id"][:8], "big")
                rows.append({"key": key, "id": row["id"], "bucket": row["bucket"], "lot": lot, "passage": passage})
                held += len(passage)
            if held > self.part_bytes:
                yield self._part(stem, number, rows)
                rows, held, number = [], 0, number + 1
        yield self._part(stem, number, rows)

    def _keep_spelt(self, kept: dict[str, Item], row: Mapping[str, Any]) -> None:
        """Keep the passage with the smallest lot of each long form, of the RESERVOIR long forms with the smallest."""
        item = (row["lot"], row["cluster"], row["passage"])
        kept[row["spelt"]] = min(kept.get(row["spelt"], item), item)
        if len(kept) > RESERVOIR:
            del kept[max(kept, key=lambda long: (draw(self.seed, "long", long), long))]

    def _spelt_otherwise(self, row: Mapping[str, Any], kept: Mapping[str, Item]) -> list[tuple[int, str]]:
        """Return (lot, passage) of pages that spell an abbreviation out in other words; their lots come first."""
        others = [item for long, item in kept.items() if long != row["spelt"] and item[1] != row["cluster"]]
        lots = sorted((draw(self.seed, "shown", row["id"].hex(), each[2]) >> 32, each[2]) for each in others)
        return lots[:SHOWN_OF_A_WORD]

    def _part(self, stem: str, number: int, rows: list[dict[str, Any]]) -> Run:
        return write_run(self.store, f"{stem}-{number:04d}", pa.Table.from_pylist(rows, NEAR), NEAR_ORDER)

    def _shown(self, row: Mapping[str, Any], heap: list[Item]) -> list[tuple[int, str]]:
        """Return (lot, passage) of others that a document is shown, the same whatever the order of the rows."""
        others = [passage for _, cluster, passage in sorted(heap, reverse=True) if cluster != row["cluster"]]
        lots = sorted((draw(self.seed, "shown", row["id"].hex(), passage), passage) for passage in others)
        return lots[: SHOWN_OF_A_BUCKET if row["bucket"] else SHOWN_OF_A_WORD]
