"""Labels of clustered records: the stored form of a forest, and the one forest that all partitions' forests make."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from filters.clusters import Forest, id_column
from manifests.keys import digest_of, keys_of
from manifests.objects import read_json
from manifests.records import ID, KEY
from manifests.runs import Run, save_runs
from pipelines.launcher import Launcher

LABELLED = pa.schema([("key", KEY), ("id", ID), ("label", ID)])


def labelled(forest: Forest) -> pa.Table:
    """Return a forest as rows (id, label of its component)."""
    ids, labels = (id_column(words) for words in forest.labels())
    return pa.table({"key": pa.array(keys_of(ids), KEY), "id": ids, "label": labels}, schema=LABELLED)


def label_clusters(launcher: Launcher, job: str, key: str, forests: Sequence[Run]) -> list[Run]:
    """Return the runs of labels, made by one pipeline unless they stand already; one forest is its own answer."""
    if len(forests) == 1:
        return list(forests)
    listed = save_runs(launcher.store, job, forests)
    stem = f"{job}/components/{digest_of([key, listed])[:32]}"
    if launcher.store.size(f"{stem}.json") is None:
        launcher.run_pipeline(lambda pipeline: _labels(pipeline, launcher.store_uri, listed, stem))
    return [Run(**read_json(launcher.store, f"{stem}.json", what="marker")["run"])]


def _labels(pipeline: Any, store_uri: str, forests: str, stem: str) -> Any:
    from pipelines.stages.components import LabelClusters

    return pipeline | "components" >> LabelClusters(store_uri, forests, stem)
