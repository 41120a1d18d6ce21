"""Components: the spanning forests of all band ranges become one label for each clustered record.

Union of forests is associative and commutative, so it is a Beam Combine; only its canonical result (label = the
smallest id of the component) is stored. The forest of all clustered ids must fit one worker (24 bytes an id).
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import apache_beam as beam
import numpy as np
import pyarrow as pa
from apache_beam.transforms.util import Reshuffle

from filters.clusters import Forest, id_column, id_words
from manifests.keys import canonical_json, digest_of, keys_of
from manifests.records import ID, KEY
from manifests.runs import Run, gather, put_same, write_run
from manifests.store import open_store
from pipelines.phases import Launcher

LABELLED = pa.schema([("key", KEY), ("id", ID), ("label", ID)])


def labelled(forest: Forest) -> pa.Table:
    """Return a forest as rows (id, label of its component)."""
    ids, labels = (id_column(words) for words in forest.labels())
    return pa.table({"key": pa.array(keys_of(ids), KEY), "id": ids, "label": labels}, schema=LABELLED)


class UnionForests(beam.CombineFn):
    """Stored forests -> their union."""

    def __init__(self, store_uri: str) -> None:
        self.store_uri = store_uri

    def create_accumulator(self) -> Forest:
        return Forest.empty()

    def add_input(self, accumulator: Forest, run: str) -> Forest:
        table = gather(open_store(self.store_uri), [Run(**json.loads(run))], LABELLED)
        return accumulator.merge(Forest.of_edges(id_words(table["id"]), id_words(table["label"])))

    def merge_accumulators(self, accumulators: Iterable[Forest]) -> Forest:
        whole = Forest.empty()
        for forest in accumulators:
            whole = whole.merge(forest)
        return whole

    def extract_output(self, accumulator: Forest) -> Forest:
        return accumulator


class WriteLabels(beam.DoFn):
    """The whole forest -> its stored labels and their marker."""

    def __init__(self, store_uri: str, stem: str) -> None:
        self.store_uri, self.stem = store_uri, stem

    def process(self, forest: Forest) -> Iterator[str]:
        store = open_store(self.store_uri)
        run = write_run(store, f"{self.stem}.arrow", labelled(forest), ("key", "id"))
        sizes, counts = np.unique(forest.sizes(), return_counts=True)
        body: dict[str, Any] = {
            "run": run.as_json(),
            "sizes": {str(s): int(n) for s, n in zip(sizes, counts, strict=True)},
        }
        put_same(store, f"{self.stem}.json", canonical_json(body))
        yield f"{self.stem}.json"


def label_clusters(launcher: Launcher, job: str, key: str, forests: Sequence[Run]) -> list[Run]:
    """Return the runs of labels, made by one pipeline unless they stand already; one forest is its own answer."""
    if len(forests) == 1:
        return list(forests)
    stem = f"{job}/components/{digest_of([key, [run.as_json() for run in forests]])[:32]}"
    uri = launcher.store_uri
    if launcher.store.size(f"{stem}.json") is None:
        launcher.run_pipeline(
            lambda pipeline: (
                pipeline
                | "Forests" >> beam.Create([json.dumps(run.as_json()) for run in forests])
                | "Spread" >> Reshuffle()
                | "Union" >> beam.CombineGlobally(UnionForests(uri))
                | "Labels" >> beam.ParDo(WriteLabels(uri, stem)).with_output_types(str)
            )
        )
    return [Run(**json.loads(launcher.store.read(f"{stem}.json"))["run"])]
