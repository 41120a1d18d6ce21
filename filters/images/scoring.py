"""The guarded entry of a scorer, "filters.images.scoring:factory": stored images and captions in, one score each out.

Images come as the images job has stored them, so a model is added, or taken away, without a second look at the input.
"""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa

from filters.guard_child import WHOLE_BATCH, Outputs, Progress, Worker
from filters.images.decode import decode
from filters.images.scorers import Scorer, score
from manifests.limits import MediaLimits

STORED = pa.schema([("payload", pa.large_binary()), ("caption", pa.string())])  # caption: or null
SCORES = pa.schema([("row", pa.int32()), ("score", pa.float64())])  # score: or null, filters.images.scorers.score


def scorer_of(described: Mapping[str, Any]) -> Scorer:
    """Return the scorer of its JSON."""
    fields: dict[str, Any] = {
        name: tuple(value) if isinstance(value, list) else value for name, value in described.items()
    }
    return Scorer(**fields)


def factory(config: Mapping[str, Any]) -> Worker:
    """Return the worker of a guarded child: STORED in; "scores" out, a row each. config: {scorer, limits}.

    Raises ModelMissingError and ModelDamagedError (filters.models) before the first image.
    """
    import cv2
    import numpy as np

    cv2.setNumThreads(1)
    scorer, limits = scorer_of(config["scorer"]), MediaLimits(**config.get("limits", {}))
    score(scorer, np.full((scorer.side_px, scorer.side_px, 3), 128, np.uint8), "warm")

    def work(images: pa.RecordBatch, progress: Progress) -> Outputs:
        captions, found = images["caption"].to_pylist(), []
        for row in range(images.num_rows):
            progress(row)
            pixels = decode(images["payload"][row].as_buffer().to_pybytes(), limits).pixels
            found.append(score(scorer, pixels, captions[row]))
        progress(WHOLE_BATCH)
        return {"scores": pa.record_batch([pa.array(range(len(found)), pa.int32()), found], schema=SCORES)}

    return work
