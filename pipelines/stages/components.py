"""Components: the spanning forests of all band ranges become one label for each clustered record.

Union of forests is associative and commutative, so it is a Beam Combine; only its canonical result (label = the
smallest id of the component) is stored. The forest of all clustered ids must fit one worker (24 bytes an id).
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import apache_beam as beam
import numpy as np
from apache_beam.pvalue import PBegin, PCollection
from apache_beam.transforms.util import Reshuffle

from filters.clusters import Forest, id_words
from manifests.keys import canonical_json
from manifests.runs import Run, gather, load_runs, put_same, write_run
from manifests.store import open_store
from pipelines.stages.labels import LABELLED, labelled


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


class ReadRuns(beam.DoFn):
    """The name of a list of runs -> its runs, as JSON."""

    def __init__(self, store_uri: str) -> None:
        self.store_uri = store_uri

    def process(self, name: str) -> Iterator[str]:
        for run in load_runs(open_store(self.store_uri), name):
            yield json.dumps(run.as_json())


class WriteLabels(beam.DoFn):
    """The whole forest -> its stored labels and their marker."""

    def __init__(self, store_uri: str, stem: str) -> None:
        self.store_uri, self.stem = store_uri, stem

    def process(self, forest: Forest) -> Iterator[str]:
        store = open_store(self.store_uri)
        run = write_run(store, self.stem, labelled(forest), ("key", "id"))
        sizes, counts = np.unique(forest.sizes(), return_counts=True)
        body: dict[str, Any] = {
            "run": run.as_json(),
            "sizes": {str(s): int(n) for s, n in zip(sizes, counts, strict=True)},
        }
        put_same(store, f"{self.stem}.json", canonical_json(body))
        yield f"{self.stem}.json"


@dataclass
class LabelClusters(beam.PTransform[PBegin, "PCollection[str]"]):
    """The name of a list of forests -> the name of the marker of their labels."""

    store_uri: str
    forests: str
    stem: str

    def expand(self, begin: PBegin) -> "PCollection[str]":
        labels: PCollection[str] = (
            begin
            | "List" >> beam.Create([self.forests])
            | "Forests" >> beam.ParDo(ReadRuns(self.store_uri)).with_output_types(str)
            | "Spread" >> Reshuffle()
            | "Union" >> beam.CombineGlobally(UnionForests(self.store_uri))
            | "Labels" >> beam.ParDo(WriteLabels(self.store_uri, self.stem)).with_output_types(str)
        )
        return labels
