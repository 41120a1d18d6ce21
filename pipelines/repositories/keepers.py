"""Which of several copies stays: the freest licence, then the most stars, then the smallest id."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from manifests.records import ID
from pipelines.text import route as text_route
from pipelines.text.duplicates import Verify
from pipelines.text.select import RECORD

__all__ = ["Route", "Verify"]

KEEPERS_VERSION = 1
MAX_STARS = (1 << 32) - 1
KNOWN = pa.schema([*RECORD, ("view_digest", ID), ("license_class", pa.string()), ("stars", pa.int64())])
# StarCoder2 (bigcode-v2, intra_dedup.py): permissive before none before the rest
LICENSE_RANK = {"permissive": 5, "none": 4, "weak_copyleft": 3, "copyleft": 2, "unknown": 1, "restricted": 0}


class Route(text_route.Route):
    """Worker: the clustered files of an id range, with shingles. config: {staged, decided, labels, ngram}."""

    def _measured(self) -> pa.Schema:
        return KNOWN

    def _wished(self, texts: pa.Table, measured: pa.Table) -> dict[str, Any]:
        return {"preference": preference(measured), "rank": np.zeros(measured.num_rows, np.int64)}


def preference(known: pa.Table) -> npt.NDArray[np.int64]:
    """Return how much each file is wished for, int64[n]: by licence, then by stars."""
    ranks = [LICENSE_RANK[name] for name in known["license_class"].to_pylist()]
    stars = np.clip(known["stars"].fill_null(0).to_numpy().astype(np.int64), 0, MAX_STARS)
    wished: npt.NDArray[np.int64] = np.array(ranks, np.int64) * (MAX_STARS + 1) + stars
    return wished
