"""Which rules an image fails, by its measurements, its captions, its scores and the lists of the user."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from filters.images.captions import caption_signals
from filters.images.known import KnownBad, parse_known
from filters.rules import Rule
from manifests.runs import gather, load_runs, run_schema
from manifests.store import Store
from pipelines.images.block import Images
from pipelines.images.captions import CAPTION_ORDER, first_captions
from pipelines.images.records import CAPTIONED, COUNTED, ORDER, SCORED
from pipelines.stages import published
from pipelines.stages.judges import from_json, one_batch
from pipelines.stages.staged import Staged

OCCURRENCES = "occurrence_count"


def known_column(kind: str) -> str:
    """Return the column that says whether an image stands on a list of known-bad ones, int8."""
    return f"is_known_{kind}"


def own_rules(block: Images) -> tuple[Rule, ...]:
    """Return the rules of the user's lists, which object first, and those of the bounds of the user's scorers."""
    kinds = sorted({each.kind for each in block.known_bad})
    listed = [Rule(f"known_bad_v1/{kind}", known_column(kind), max=0) for kind in kinds]
    bounded = [each for each in block.scorers if each.min is not None or each.max is not None]
    return (*listed, *(Rule(f"scorers/{each.name}", each.name, min=each.min, max=each.max) for each in bounded))


class Judged(published.Judged):
    """Rows of images with their captions, measurements and verdicts, in order of ids.

    captions   list<string>: of each image, the first of which is `caption`
    """

    def __init__(
        self, images: pa.Table, captions: pa.Table, more: Mapping[str, pa.Array], rules: Sequence[Rule]
    ) -> None:
        self.captions = lists_of(captions, images["id"].combine_chunks())
        self.caption = first_of(self.captions)
        measured = one_batch(images)
        told = caption_signals(self.caption)
        for name, column in [*more.items(), *zip(told.schema.names, told.columns, strict=True)]:
            measured = measured.append_column(name, column)
        super().__init__(images, measured, rules, measured["caption_language"])


def lists_of(captions: pa.Table, ids: pa.Array) -> pa.ListArray:
    """Return the captions of each id, best first, an empty list where there is none; captions: CAPTIONED rows."""
    ranked = first_captions(captions.select(["id", "caption", "rank"]), "id")
    found = ranked.group_by("id", use_threads=False).aggregate([("caption", "list")])
    place = pc.index_in(ids, found["id"].combine_chunks())
    lists = found["caption_list"].combine_chunks().take(place)
    return pc.if_else(pc.is_valid(lists), lists, pa.scalar([], lists.type))


def first_of(captions: pa.ListArray) -> pa.StringArray:
    """Return the first caption of each list, null where it is empty."""
    empty = pa.scalar([None], captions.type)
    return pc.list_element(pc.if_else(pc.equal(pc.list_value_length(captions), 0), empty, captions), 0)


class Judging:
    """Reads and judges images.

    config: {staged, captions, counts, scores: [[name, runs]], known: [[kind, distance, list]], rules}; captions, counts
    and runs are names of lists of runs.
    """

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        self.store, self.staged = store, Staged.load(store, config["staged"])
        self.captions, self.counts = load_runs(store, config["captions"]), load_runs(store, config["counts"])
        self.scores = {name: load_runs(store, runs) for name, runs in config["scores"]}
        self.known = [parse_known(store.read(name), kind, most) for kind, most, name in config["known"]]
        self.rules = from_json(config["rules"])
        self.schema = run_schema(store, self.staged.runs["images"][0])

    def read(self, low: int, high: int) -> Judged:
        """Return the images of a key range, judged."""
        rows = gather(self.store, self.staged.runs["images"], self.schema, low, high, ORDER)
        texts = gather(self.store, self.captions, CAPTIONED, low, high, CAPTION_ORDER)
        ids = rows["id"].combine_chunks()
        counted = gather(self.store, self.counts, COUNTED, low, high, ("key", "id"))
        more: dict[str, pa.Array] = {OCCURRENCES: _column_of(counted, OCCURRENCES, ids)}
        for name, runs in self.scores.items():
            more[name] = _column_of(gather(self.store, runs, SCORED, low, high, ("key", "id")), "score", ids)
        return Judged(rows, texts, more | known_columns(rows, self.known), self.rules)


def _column_of(table: pa.Table, name: str, ids: pa.Array) -> pa.Array:
    place = pc.index_in(ids, table["id"].combine_chunks())
    return table[name].combine_chunks().take(place)


def known_columns(images: pa.Table, lists: Iterable[KnownBad]) -> dict[str, pa.Array]:
    """Return {column: int8[n]}, 1 where an image stands on a list of that kind."""
    found: dict[str, np.ndarray] = {}
    for one in lists:
        digests = images["digest" if one.kind == "sha256" else one.kind].to_pylist()
        name = known_column(one.kind)
        found[name] = found.get(name, np.zeros(len(digests), bool)) | one.matches(digests)
    return {name: pa.array(column.astype(np.int8)) for name, column in found.items()}
