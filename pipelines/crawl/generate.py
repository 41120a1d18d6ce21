"""Generate: what the next round fetches, chosen from each key range of the frontier."""

from collections.abc import Mapping
from typing import Any

from manifests.keys import key_range
from manifests.runs import gather, load_runs, write_run
from manifests.store import Store
from pipelines.crawl.frontier import Quota, select
from pipelines.crawl.records import FRONTIER


class GenerateRange:
    """Worker of the generate phase. config: {frontier: list of runs, quota: fields of Quota}."""

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        self.store, self.frontier = store, load_runs(store, config["frontier"])
        self.quota = Quota(**config["quota"])

    def close(self) -> None:
        """Nothing is held."""

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """arguments: {partition, partitions, output: stem of the run}."""
        low, high = key_range(arguments["partition"], arguments["partitions"])
        known = gather(self.store, self.frontier, FRONTIER, low, high, ("key", "url_id"))
        chosen = select(known, self.quota)
        run = write_run(self.store, arguments["output"], chosen, ("key", "url_id"))
        return {"run": run.as_json(), "counts": {"URLs": chosen.num_rows}}


def fair_shares(ready: list[int], whole: int) -> list[int]:
    """Share out `whole` pages: no range gets more than it has ready, and none less than another that wants more.

    >>> fair_shares([5, 100, 100], 25)
    [5, 10, 10]
    """
    shares, left = [0] * len(ready), whole
    for waiting, place in zip(range(len(ready), 0, -1), sorted(range(len(ready)), key=ready.__getitem__), strict=True):
        shares[place] = min(ready[place], left // waiting)
        left -= shares[place]
    for place, count in enumerate(ready):  # what the divisions left over
        more = min(left, count - shares[place])
        shares[place] += more
        left -= more
    return shares
