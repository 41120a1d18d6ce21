"""Records of a crawl whose owner said no after they were fetched: they are read with that no as their policy.

So whoever reads them refuses them for the reason that the owner gave, whatever its recipe refuses, and accounts for
them like any other refused record. The words are part of the unit: what was staged before is staged anew.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from filters import policy
from manifests.store import Store
from pipelines.sources.units import Event, Found, Unit

KIND = "withdrawn"  # of the crawl's shards that list such records


def with_withdrawn(units: Iterable[Unit], store: Store, crawled: Mapping[str, Any] | None) -> list[Unit]:
    """Return the units of an input that is a crawl, each with the withdrawn records that it holds.

    `crawled` is the manifest of the crawl's snapshot, None for any other input; `store` is rooted where its names are.
    """
    listed = _listed(store, crawled) if crawled else {}
    found = []
    for unit in units:
        own = tuple(each for each in listed.get(unit.uri, ()) if unit.start <= each[0] < unit.end)
        found.append(replace(unit, withdrawn=own) if own else unit)
    return found


def _listed(store: Store, crawled: Mapping[str, Any]) -> dict[str, list[tuple[int, str]]]:
    """Return (offset, line of the policy) of the withdrawn records of each file, by offset."""
    import pyarrow.parquet as pq

    listed: defaultdict[str, list[tuple[int, str]]] = defaultdict(list)
    for shard in crawled["shards"]:
        if shard["kind"] == KIND:
            with store.open(shard["name"]) as file:
                rows = pq.read_table(file).to_pylist()
            for row in rows:
                listed[row["file"]].append((row["offset"], policy.withdrawn(row["reason"], row["said"])))
    return {name: sorted(records) for name, records in listed.items()}


def withdrawing(events: Iterator[Event], unit: Unit) -> Iterator[Event]:
    """Yield the events of a unit; of its withdrawn records the owner's newest word comes first."""
    if not unit.withdrawn:
        return events
    return _marked(events, dict(unit.withdrawn))


def _marked(events: Iterator[Event], lines: Mapping[int, str]) -> Iterator[Event]:
    for event in events:
        if isinstance(event, Found) and (line := lines.get(event.offset)):
            event.policy = "\n".join(filter(None, (line, event.policy)))
        yield event
