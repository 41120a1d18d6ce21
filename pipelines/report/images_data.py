"""What an images snapshot says of itself, for the report: counts, histograms, and small pictures of a few."""

import base64
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from manifests.manifest import Manifest
from manifests.store import Store, arrow_file
from pipelines.report.data import Funnel, Histogram, ImagesData, Picture, RuleCount, Threshold

SHARDS_LOOKED_AT = 8
SHOWN_OF_EACH = 24
COUNTED = ("formats", "kept_bytes", "kept_pixels", "captioned", "captions")


def images_data(store: Store, manifest: Manifest, funnel: Funnel, rules: tuple[RuleCount, ...]) -> ImagesData:
    """Return what the report shows of an images manifest; `funnel` and `rules` are of its ledger and statistics."""
    stated, settings = manifest["statistics"], manifest["settings"]
    return ImagesData(
        funnel=funnel,
        rules=rules,
        histograms=_histograms(settings["rules"], stated.get("histograms", {})),
        **{name: stated[name] for name in COUNTED if name in stated},
        without_scorer=tuple(settings.get("rules_without_scorer", ())),
        models=manifest.get("models", {}),
        pictures=_pictures(store, manifest),
    )


def _histograms(described: list[Mapping[str, Any]], counted: Mapping[str, Any]) -> tuple[Histogram, ...]:
    """Return a histogram for each signal, with the bounds of all rules that read it."""
    from pipelines.images.statistics import edges_of, measured
    from pipelines.stages.judges import from_json

    rules = from_json(described)
    found = []
    for signal, reader in measured(rules, list(counted)).items():
        bins = counted.get(signal)
        if bins and sum(bins["kept"]) + sum(bins["gone"]):
            readers = [rule for rule in rules if (rule.numerator, rule.per) == (reader.numerator, reader.per)]
            bounds = tuple(Threshold(rule.name, rule.min, rule.max) for rule in readers)
            counts = tuple(bins["kept"]), tuple(bins["gone"])
            found.append(Histogram(signal, tuple(map(float, edges_of(reader))), *counts, bounds))
    return tuple(found)


def _pictures(store: Store, manifest: Manifest) -> dict[str, tuple[Picture, ...]]:
    """Return some images of each verdict: the first of each shard, then the second of each, and so on."""
    import pyarrow.parquet as pq

    shards = [shard for shard in manifest["shards"] if shard["kind"] == "contact"]
    step = max(1, len(shards) // SHARDS_LOOKED_AT)
    sheets = []
    for shard in shards[::step][:SHARDS_LOOKED_AT]:
        with arrow_file(store, shard["name"]) as file:
            sheets.append(pq.read_table(file).to_pylist())
    return {
        verdict: tuple(_picture(row) for row in islice(_in_turn(sheets, verdict), SHOWN_OF_EACH))
        for verdict in ("kept", "dropped", "merged")
    }


def _in_turn(sheets: list[list[dict[str, Any]]], verdict: str) -> Iterator[dict[str, Any]]:
    columns = [[row for row in sheet if row["verdict"] == verdict] for sheet in sheets]
    for n in range(max(map(len, columns), default=0)):
        yield from (column[n] for column in columns if n < len(column))


def _picture(row: Mapping[str, Any]) -> Picture:
    small = row["thumbnail"]
    others = [reason for reason in row["reasons"] if not (row["reason"] or "").startswith(reason)]
    return Picture(
        uri=row["uri"],
        thumbnail=f"data:image/jpeg;base64,{base64.b64encode(small).decode()}" if small else "",
        caption=row["caption"] or "",
        width_px=row["width_px"],
        height_px=row["height_px"],
        reasons=(row["reason"], *others) if row["reason"] else (),
    )
