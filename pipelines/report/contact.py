"""Samples of media jobs: rows of the small `contact` shards, which hold a few records of each verdict."""

import base64
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any

from filters.rules import Rule
from manifests.manifest import Manifest
from manifests.store import Store, arrow_file
from pipelines.report.counts import Histogram, Threshold
from pipelines.stages.judges import from_json

SHARDS_LOOKED_AT = 8
VERDICTS = ("kept", "dropped", "merged")
Row = Mapping[str, Any]


def sheets(
    store: Store, manifest: Manifest, kind: str = "contact", most: int = SHARDS_LOOKED_AT
) -> list[list[dict[str, Any]]]:
    """Return the rows of a few shards of a kind whose shards are small, evenly chosen."""
    import pyarrow.parquet as pq

    shards = [shard for shard in manifest["shards"] if shard["kind"] == kind]
    step = max(1, len(shards) // most)
    found = []
    for shard in shards[::step][:most]:
        with arrow_file(store, shard["name"]) as file:
            found.append(pq.read_table(file).to_pylist())
    return found


def in_turn(columns: Sequence[Sequence[dict[str, Any]]]) -> Iterator[dict[str, Any]]:
    """Yield the first of each, then the second of each, and so on."""
    for n in range(max(map(len, columns), default=0)):
        yield from (column[n] for column in columns if n < len(column))


def of_verdict(found: Sequence[Sequence[dict[str, Any]]], verdict: str, most: int) -> list[dict[str, Any]]:
    """Return at most `most` rows of a verdict, from all sheets in turn."""
    return list(islice(in_turn([[row for row in sheet if row["verdict"] == verdict] for sheet in found]), most))


def reasons_of(row: Row) -> tuple[str, ...]:
    """Return the reason that is counted, then the other rules that object."""
    others = [reason for reason in row["reasons"] if not (row["reason"] or "").startswith(reason)]
    return (row["reason"], *others) if row["reason"] else ()


def data_uri(media_type: str, content: bytes | None) -> str:
    """Return a data: URI, empty where there is nothing."""
    return f"data:{media_type};base64,{base64.b64encode(content).decode()}" if content else ""


def histograms_of(
    described: list[Mapping[str, Any]],
    counted: Mapping[str, Any],
    measured: Mapping[str, Rule],
    edges_of: Callable[[Rule], Sequence[float]],
) -> tuple[Histogram, ...]:
    """Return a histogram for each signal that was counted, with the bounds of all rules that read it.

    described: the rules of the job's settings; measured: {signal: rule that reads it}, in the order of the page.
    """
    rules = from_json(described)
    found = []
    for signal, reader in measured.items():
        bins = counted.get(signal)
        if bins and sum(bins["kept"]) + sum(bins["gone"]):
            readers = [rule for rule in rules if (rule.numerator, rule.per) == (reader.numerator, reader.per)]
            bounds = tuple(Threshold(rule.name, rule.min, rule.max) for rule in readers)
            counts = tuple(bins["kept"]), tuple(bins["gone"])
            found.append(Histogram(signal, tuple(map(float, edges_of(reader))), *counts, bounds))
    return tuple(found)
