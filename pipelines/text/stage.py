"""Stage: one unit in; sorted runs of documents, signals and bands out, and a marker that accounts for the unit.

A part of a unit is written when its rows reach `limits.part_bytes`, with a marker of its own that holds the cursor
behind it: a killed unit goes on from its last part, and memory does not grow with the unit. How a unit was cut into
parts is seen in staged runs only, never in what is published.
"""

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from filters.annotate import Settings
from filters.guard import GuardedPool
from manifests.keys import canonical_json
from manifests.limits import Limits
from manifests.runs import Run, gather, put_same
from manifests.shards import write_shard
from manifests.store import Store, open_input
from pipelines.sources import Unit, read_unit
from pipelines.text.part import CONTENT_SPACE, ORDERS, STAGED_QUARANTINE, STAGED_REFUSED, Part

KINDS = ("documents", "signals", "bands")  # what later phases read
SETTLED = {"quarantine": STAGED_QUARANTINE, "refused": STAGED_REFUSED}  # what is published as it is


class StageUnit:
    """Worker of the stage phase. config: {inputs: {name: uri}, settings: Settings as JSON}."""

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        self.store, self.inputs = store, config["inputs"]
        self.limits = Limits(**Settings(**config["settings"]).limits)
        self.pool = GuardedPool("filters.annotate:factory", config["settings"], self.limits)

    def close(self) -> None:
        self.pool.close()

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """arguments: {unit, unit_key, generation, prefix: where the unit's staged objects go}."""
        unit = Unit(**{**arguments["unit"], "members": tuple(arguments["unit"]["members"])})
        parts = list(self._finished(arguments["prefix"]))
        if not (parts and parts[-1]["last"]):
            cursor = parts[-1]["cursor"] if parts else 0
            parts.extend(self._stage(unit, arguments, cursor, len(parts)))
        runs = {kind: [part["runs"][kind] for part in parts if kind in part["runs"]] for kind in ORDERS}
        return summarise(unit, arguments, parts, runs) | {"shards": self._settle(runs, arguments["unit_key"])}

    def _finished(self, prefix: str) -> Iterator[dict[str, Any]]:
        number = 0
        while self.store.size(name := f"{prefix}/part-{number:04d}.json") is not None:
            yield json.loads(self.store.read(name))
            number += 1

    def _stage(self, unit: Unit, arguments: dict[str, Any], cursor: int, number: int) -> Iterator[dict[str, Any]]:
        part = Part(unit, arguments["unit_key"])
        for chunk in read_unit(open_input(self.inputs[unit.source]), unit, cursor, self.limits):
            part.take(chunk, self.pool)
            if part.bytes >= self.limits.part_bytes:
                yield self._finish(part, arguments["prefix"], number, last=False)
                part, number = Part(unit, arguments["unit_key"]), number + 1
        yield self._finish(part, arguments["prefix"], number, last=True)

    def _finish(self, part: Part, prefix: str, number: int, *, last: bool) -> dict[str, Any]:
        body = {**part.store(self.store, f"{prefix}/{number:04d}"), "last": last}
        put_same(self.store, f"{prefix}/part-{number:04d}.json", canonical_json(body))
        return body

    def _settle(self, runs: Mapping[str, list[dict[str, Any]]], unit_key: int) -> list[dict[str, Any]]:
        """Publish the unit's quarantined and refused records, one file each, however many parts there were."""
        shards = []
        for kind, schema in SETTLED.items():
            if runs[kind]:
                rows = gather(self.store, [Run(**run) for run in runs[kind]], schema, order=ORDERS[kind])
                shard = write_shard(self.store, f"text/{kind}/{unit_key:016x}", kind, rows.drop_columns(["key"]))
                shards.append(shard.as_json())
        return shards


def summarise(
    unit: Unit, arguments: Mapping[str, Any], parts: list[dict[str, Any]], runs: Mapping[str, list[dict[str, Any]]]
) -> dict[str, Any]:
    """Return the unit's done-marker from its parts."""
    reasons = Counter[str]()
    for part in parts:
        reasons.update(part["reasons"])
    return {
        "unit": unit.name,
        "unit_key": arguments["unit_key"],
        "source": unit.source,
        "generation": arguments["generation"],
        "runs": {kind: runs[kind] for kind in KINDS},
        "reasons": dict(sorted(reasons.items())),
        **{name: sum(part[name] for part in parts) for name in ("read", "lost_bytes", "text_bytes")},
        "content": f"{sum(int(part['content'], 16) for part in parts) % CONTENT_SPACE:064x}",
        "counts": {
            "documents": sum(run["rows"] for run in runs["documents"]),
            "quarantined": sum(run["rows"] for run in runs["quarantine"]),
        },
    }
