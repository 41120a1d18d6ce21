"""Route: clustered records that no rule dropped go to their cluster, with their shingles."""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from filters import segmentation, views
from filters.shingle_match import shingle_sets
from manifests.keys import key_range, keys_of
from manifests.records import ID, RANGE, TIMESTAMP
from manifests.runs import gather, load_runs, sort_table, write_run
from manifests.store import Store
from pipelines.stages.duplicate_rows import ROUTED
from pipelines.stages.judges import one_batch
from pipelines.stages.labels import LABELLED
from pipelines.stages.staged import Staged
from pipelines.text.other_corpora import Others, node_ids, shingled, text_digests
from pipelines.text.part import ORDER
from pipelines.text.preferences import KNOWN, columns_of, preference
from pipelines.text.select import DECIDED, RECORD

TEXT = pa.schema([*RECORD, ("text", pa.string()), ("kept", pa.list_(RANGE))])
ROUTED_TEXT = pa.schema([*TEXT, ("fetched_at", TIMESTAMP), ("license", pa.string())])
MEASURED = pa.schema([*RECORD, ("view_digest", ID), ("view_word_count", pa.int64())])


class Route:
    """Worker: clustered records of an id range and their shingles, beside what other snapshots keep of the clusters.

    config: {staged, decided, labels, ngram, survivor}, and others with their places.
    """

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        self.store, self.staged = store, Staged.load(store, config["staged"])
        self.decided, self.labels = load_runs(store, config["decided"]), load_runs(store, config["labels"])
        self.ngram: int = config["ngram"]
        self.survivor: Any = config.get("survivor")  # who stays where texts are judged by their signals
        self.others = Others.from_config(config)

    def close(self) -> None:
        """Nothing is held."""

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        table = self._members(*key_range(arguments["partition"], arguments["partitions"]))
        run = write_run(self.store, arguments["output"], table, ("key", "label", "id"))
        return {"run": run.as_json(), "counts": {"members": table.num_rows}}

    def _members(self, low: int, high: int) -> pa.Table:
        labels = gather(self.store, self.labels, LABELLED, low, high, ("key", "id"))
        if labels.num_rows == 0:
            return ROUTED.empty_table()
        decided = gather(self.store, self.decided, DECIDED, low, high, ORDER)
        stays = (decided["first"].to_numpy() < 0) & ~decided["repeated"].to_numpy()
        alive = decided.filter(pa.array(stays)).select(["key", "id", "unit", "ordinal"])
        copies = decided.filter(pc.less(decided["first"], 0))["id"].combine_chunks().value_counts()
        wanted = sort_table(alive.join(labels.select(["id", "label"]), "id", join_type="inner"), ORDER)
        texts = self.staged.rows_of(self.store, "documents", wanted, ROUTED_TEXT, low, high)
        measured = self.staged.rows_of(self.store, "signals", wanted, self._measured(), low, high)
        if not (texts["id"].equals(wanted["id"]) and measured["id"].equals(wanted["id"])):
            raise RuntimeError("runs of documents, signals and decisions do not hold the same records")
        label = wanted["label"].combine_chunks()
        columns = {"key": keys_of(label), "label": label, "id": wanted["id"], "digest": measured["view_digest"]}
        columns |= self._wished(texts, measured)
        columns["other"] = pa.repeat(pa.scalar(-1, pa.int16()), wanted.num_rows)
        counted = copies.field("counts").take(pc.index_in(wanted["id"].combine_chunks(), copies.field("values")))
        columns["copies"] = counted.cast(pa.int32())
        own = pa.table({**columns, "shingles": shingle_lists(texts, self.ngram)}, schema=ROUTED)
        return pa.concat_tables([own, *self._known(labels, decided["id"].combine_chunks())])

    def _wished(self, texts: pa.Table, measured: pa.Table) -> dict[str, Any]:
        """Return how much each record is wished for, and what decides between those that are wished for alike."""
        wish = preference(texts, one_batch(measured), self.survivor)
        return {"preference": wish, "rank": measured["view_word_count"]}

    def _measured(self) -> pa.Schema:
        """Return the columns of signals that decide who stays."""
        wanted = [name for name in columns_of(self.survivor) if name not in MEASURED.names]
        if not wanted:
            return MEASURED
        known = self.staged.signal_schema(self.store)
        return pa.schema([*MEASURED, *(known.field(name) for name in wanted)])

    def _known(self, labels: pa.Table, own: pa.Array) -> Iterator[pa.Table]:
        """Yield what other snapshots keep of the clusters, with shingles of what they publish."""
        if not self.others.digests:
            return
        nodes = labels.filter(pc.invert(pc.is_in(labels["id"], own)))
        for number, digest in enumerate(self.others.digests):
            found = self.others.members(nodes["id"].combine_chunks(), number)
            ids = node_ids(found["id"].combine_chunks(), digest)
            label = nodes["label"].combine_chunks().take(pc.index_in(ids, nodes["id"].combine_chunks()))
            text = found["text"].combine_chunks()
            shingles, words = shingled(text, self.ngram)
            columns = {"key": keys_of(label), "label": label, "id": ids, "rank": words, "shingles": shingles}
            columns |= {"digest": text_digests(text), "preference": np.full(len(ids), KNOWN - number)}
            columns |= {"other": np.full(len(ids), number, np.int16), "copies": np.ones(len(ids), np.int32)}
            yield pa.table({name: columns[name] for name in ROUTED.names}, schema=ROUTED)


def shingle_lists(texts: pa.Table, ngram: int) -> pa.ListArray:
    """Return the sorted unique shingle hashes of each row's view, shape (rows,)."""
    text, kept = texts["text"].combine_chunks(), texts["kept"].combine_chunks()
    words = segmentation.segment(text)
    inside = views.items_in_view(text, kept, words.doc_offsets, words.starts)
    hashes, offsets = shingle_sets(words, inside, ngram)
    return pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pa.array(hashes, pa.uint64()))
