"""The first phase of a crawl, and of one whose seeds changed: URLs and lists of URLs become rows of the frontier."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from manifests.limits import CrawlLimits
from manifests.runs import write_run
from manifests.store import Store
from pipelines.crawl.block import Crawl
from pipelines.crawl.records import FRONTIER
from pipelines.crawl.seeds import SeedOptions, SeedSource, read_seeds

ORDER = ("key", "url_id")
ROWS_PER_RUN = 1 << 18


class AdmitSeeds:
    """Worker of the seeds phase. config: {block, limits}."""

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        self.store, self.limits = store, CrawlLimits(**config["limits"])
        self.options = SeedOptions.of(Crawl.model_validate_json(config["block"]))

    def close(self) -> None:
        """Nothing is held."""

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """arguments: {sources: seed sources as JSON, output: stem of the runs}."""
        sources = [SeedSource(**each) for each in arguments["sources"]]
        skipped, runs, held = Counter[str](), [], []
        rows = 0
        for batch in read_seeds(sources, self.options, self.limits):
            skipped.update({str(reason): count for reason, count in batch.skipped.items()})
            held.append(batch.rows)
            rows += batch.rows.num_rows
            if rows >= ROWS_PER_RUN:
                runs.append(self._store(held, arguments["output"]))
                held, rows = [], 0
        if held:
            runs.append(self._store(held, arguments["output"]))
        admitted = sum(run["rows"] for run in runs)
        return {"runs": runs, "links_skipped": dict(sorted(skipped.items())), "counts": {"seeds": admitted}}

    def _store(self, tables: list[pa.Table], stem: str) -> dict[str, Any]:
        return write_run(self.store, stem, pa.concat_tables(tables).cast(FRONTIER), ORDER).as_json()
