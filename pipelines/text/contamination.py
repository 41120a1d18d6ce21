"""Which documents hold items of evaluation sets.

contamination  id range  documents that stay -> (record, item) pairs, keyed by record
"""

import gzip
import json
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

import pyarrow as pa

from filters import contamination, views
from filters.contamination import Grams, build_index
from manifests.keys import canonical_json, digest_of, key_range, keys_of
from manifests.objects import read_json
from manifests.records import ID, KEY
from manifests.runs import put_same, write_run
from manifests.store import Store, open_input
from pipelines.stages.ranges import Ranges
from pipelines.stages.staged import Staged
from pipelines.text.block import Decontaminate, EvaluationSet
from pipelines.text.route import TEXT
from pipelines.text.survivors import Survivors

HIT = pa.schema(
    [
        ("key", KEY),
        ("id", ID),
        ("evaluation_set", pa.string()),
        ("item", pa.int32()),  # 0-based number in the set
        ("shared_gram_count", pa.int32()),  # distinct n-grams that document and item share
    ]
)
ORDER = ("key", "id", "evaluation_set", "item")


class FindContamination:
    """Worker. config: {staged, decided, merged, sets: name of the stored items, grams: Grams as JSON}."""

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        self.store, self.survivors = store, Survivors(store, config)
        sets = read_json(store, config["sets"], kind=list, what="list of evaluation items")
        self.places = [(name, number) for name, items in sets for number in range(len(items))]
        self.index = build_index([item for _, items in sets for item in items], Grams(**config["grams"]))

    def close(self) -> None:
        """Nothing is held."""

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        low, high = key_range(arguments["partition"], arguments["partitions"])
        rows = self.survivors.documents(TEXT, low, high)
        left = views.apply_view(rows["text"].combine_chunks(), rows["kept"].combine_chunks())
        hits = contamination.find(left, self.index)
        ids = rows["id"].combine_chunks().take(pa.array(hits.rows))
        places = [self.places[item] for item in hits.items.tolist()]
        columns = {
            "key": keys_of(ids),
            "id": ids,
            "evaluation_set": [name for name, _ in places],
            "item": [number for _, number in places],
            "shared_gram_count": hits.grams,
        }
        run = write_run(self.store, arguments["output"], pa.table(columns, schema=HIT), ORDER)
        return {"run": run.as_json(), "counts": {"hits": run.rows}, "too_short": len(self.index.too_short)}


def find_contamination(
    ranges: Ranges, survivors: Mapping[str, str], staged: Staged, block: Decontaminate
) -> dict[str, str]:
    """Run the phase over the documents that stay; return {hits: name of what was found}."""
    grams = Grams(words=block.words, characters=block.characters, min_fraction=block.min_fraction)
    sets = store_sets(ranges.launcher.store, ranges.job, block)
    config = {**survivors, "sets": sets, "grams": asdict(grams), "version": contamination.VERSION}
    size = staged.memory_bytes("documents")
    return {"hits": ranges.listed(ranges.run("contamination", f"{__name__}:FindContamination", config, size))}


def store_sets(store: Store, job: str, block: Decontaminate) -> str:
    """Keep the items of the sets in the output and return the name of what was stored: workers read no other place."""
    body = [[each.name, _items(each)] for each in block.sets]
    name = f"{job}/plans/evaluation-{digest_of(body)[:32]}.json"
    put_same(store, name, canonical_json(body))
    return name


def _items(each: EvaluationSet) -> list[str]:
    source = open_input(each.uri)
    names = sorted(name for name, _ in source.list(""))
    items = [item for name in names for item in contamination.items_of(_objects(source, name), each.fields)]
    if not any(items):
        asked = f" in {', '.join(each.fields)}" if each.fields else ""
        raise ValueError(f"evaluation set {each.name}: {each.uri} holds no text{asked}")
    return items


def _objects(source: Store, name: str) -> Iterator[dict[str, Any]]:
    data = source.read(name)
    if name.endswith(".gz"):
        try:
            data = gzip.decompress(data)
        except (OSError, EOFError, zlib.error) as error:
            raise ValueError(f"evaluation set {name}: {error}") from error
    for number, line in enumerate(data.splitlines(), 1):
        if line.strip():
            yield _object(name, number, line)


def _object(name: str, number: int, line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except ValueError as error:
        raise ValueError(f"evaluation set {name}, line {number}: {error}") from error
    if not isinstance(value, dict):
        raise ValueError(f"evaluation set {name}, line {number}: not a JSON object")
    return value
