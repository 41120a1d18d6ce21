"""Score: each range of images goes through one model of the user's, as they are stored and with their captions.

It stands behind the join of captions and before every decision, so a model that is added runs by itself: nothing is
decoded from the input again, and the scores of other models stay as they are.
"""

import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from filters.clusters import id_words
from filters.guard import GuardedPool
from filters.images.scoring import STORED
from manifests.keys import key_range
from manifests.limits import Limits
from manifests.runs import gather, load_runs, run_schema, write_run
from manifests.store import Store
from pipelines.images.captions import CAPTION_ORDER
from pipelines.images.packs import PLACE, chunks, read_payloads
from pipelines.images.records import CAPTIONED, ORDER, SCORED
from pipelines.images.rules import first_of, lists_of
from pipelines.stages.staged import Staged

BATCH_BYTES = 8 << 20
SCORES_VERSION = 1


class ScoreImages:
    """Worker of the score phase.

    config: {staged, captions: name of a list of runs or null, model: name of its object, scorer: Scorer.settings,
    limits, media_limits}. A model that breaks on an image gives it no score.
    """

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        self.store, self.staged = store, Staged.load(store, config["staged"])
        self.captions = load_runs(store, config["captions"]) if config["captions"] else []
        self.schema = run_schema(store, self.staged.runs["images"][0])
        self.folder = tempfile.TemporaryDirectory(prefix="corpusmill-model-")
        path = Path(self.folder.name) / "model.onnx"
        path.write_bytes(store.read(config["model"]))
        asked = dict(config["scorer"])
        scorer = {"column": asked.pop("name"), "path": str(path), **asked}
        child = {"scorer": scorer, "limits": config["media_limits"]}
        self.pool = GuardedPool("filters.images.scoring:factory", child, Limits(**config["limits"]))

    def close(self) -> None:
        self.pool.close()
        self.folder.cleanup()

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        low, high = key_range(arguments["partition"], arguments["partitions"])
        images = gather(self.store, self.staged.runs["images"], self.schema, low, high, ORDER)
        images = images.select(["key", *PLACE]).filter(pa.array(_each_once(images["id"])))
        texts = gather(self.store, self.captions, CAPTIONED, low, high, CAPTION_ORDER)
        captions = first_of(lists_of(texts, images["id"].combine_chunks()))
        scores = np.array([score for part in self._batches(images, captions) for score in part], object)
        columns = {"key": images["key"], "id": images["id"], "score": pa.array(scores.tolist(), pa.float64())}
        run = write_run(self.store, arguments["output"], pa.table(columns, schema=SCORED), ("key", "id"))
        return {"run": run.as_json(), "counts": {"images": run.rows, "scored": run.rows - columns["score"].null_count}}

    def _batches(self, images: pa.Table, captions: pa.Array) -> Iterator[list[float | None]]:
        for start, end in chunks(images["stored_bytes"].to_pylist(), BATCH_BYTES):
            payloads = read_payloads(self.store, images.slice(start, end - start))
            batch = pa.record_batch(
                [pa.array(payloads, pa.large_binary()), captions.slice(start, end - start)], schema=STORED
            )
            done = self.pool.run(batch)
            scores: list[float | None] = [None] * batch.num_rows
            found = done.outputs["scores"]
            assert isinstance(found, pa.RecordBatch)
            for row, score in zip(found["row"].to_pylist(), found["score"].to_pylist(), strict=True):
                scores[int(done.rows[row])] = score
            yield scores


def _each_once(ids: Any) -> np.ndarray:
    """Return which of sorted ids are the first of theirs, bool[n]."""
    words, first = id_words(ids), np.ones(len(ids), bool)
    first[1:] = (words[1:] != words[:-1]).any(axis=1)
    return first
