"""Which rules of which profile an image fails, by its measurements and its caption."""

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from filters.clusters import id_words
from filters.images.captions import caption_signals
from filters.rules import Rule, Verdicts, judge, reasons
from manifests.runs import gather
from manifests.store import Store
from pipelines.images.records import CAPTIONED, ORDER
from pipelines.text.select import one_batch, repeated


class Judged:
    """Rows of images with their captions and verdicts, in order of ids."""

    def __init__(self, images: pa.Table, captions: pa.Table, rules: Sequence[Rule]) -> None:
        first = captions.group_by("id", use_threads=False).aggregate([("caption", "min")])
        place = pc.index_in(images["id"], first["id"].combine_chunks())
        self.caption = first["caption_min"].combine_chunks().take(place.combine_chunks())
        measured = one_batch(images)
        for name, column in zip(*_columns(caption_signals(self.caption)), strict=True):
            measured = measured.append_column(name, column)
        self.images, self.signals, self.rules = images, measured, rules
        language = measured["caption_language"]
        self.verdicts: Verdicts = judge(rules, measured, language)
        self.said = reasons(rules, self.verdicts, measured, language).to_pylist()
        alive = self.verdicts.first < 0
        self.repeated = repeated(id_words(images["id"]), alive)
        self.stays = alive & ~self.repeated

    def failed_rules(self) -> list[list[str]]:
        """Return the names of all rules that each image fails."""
        names = [rule.name for rule in self.rules]
        return [[names[i] for i in range(len(names)) if bits >> i & 1] for bits in self.verdicts.failed.tolist()]


def _columns(batch: pa.RecordBatch) -> tuple[list[str], list[Any]]:
    return batch.schema.names, batch.columns


def read_judged(
    store: Store,
    images: Sequence[Any],
    captions: Sequence[Any],
    schema: pa.Schema,
    rules: Sequence[Rule],
    low: int,
    high: int,
) -> Judged:
    """Return the images of a key range, judged."""
    rows = gather(store, images, schema, low, high, ORDER)
    texts = gather(store, captions, CAPTIONED, low, high, ("key", "id", "caption"))
    return Judged(rows, texts, rules)
