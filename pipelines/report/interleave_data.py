"""What an interleaved snapshot says of itself, for the report: its parts, its pictures, a few documents."""

from collections.abc import Mapping
from typing import Any

from manifests.manifest import Manifest
from manifests.store import Store
from pipelines.report.bins import COUNTS
from pipelines.report.contact import Row, data_uri, in_turn, sheets
from pipelines.report.counts import Funnel, Histogram, RuleCount, Threshold
from pipelines.report.media_data import IllustratedDocument, InterleaveData, Piece
from pipelines.stages.judges import from_json

DOCUMENTS = 3
SIGNALS = ("image_part_count", "joined_image_count", "image_count", "distinct_image_count")
FIRST = ("ja", "en")  # languages whose documents are shown first, where there are any


def interleave_data(store: Store, manifest: Manifest, funnel: Funnel) -> InterleaveData:
    """Return what the report shows of an interleave manifest; `funnel` is of its ledger."""
    stated, settings, parts = manifest["statistics"], manifest["settings"], manifest.get("parts", {})
    chosen = settings.get("rules", {})
    return InterleaveData(
        funnel=funnel,
        parts_read={kind: each["in"] for kind, each in parts.items()},
        parts={kind: each["out"] for kind, each in parts.items()},
        rules=tuple(_rules(chosen.get("document_rules", ()), funnel)),
        histograms=_histograms(stated.get("histograms", {}), chosen.get("document_rules", ())),
        languages=stated.get("languages", {}),
        without_scorer=tuple(settings.get("rules_without_scorer", ())),
        documents=_documents(store, manifest),
    )


def _rules(described: Any, funnel: Funnel) -> list[RuleCount]:
    """Return what each rule drops first; what it would drop alone is not counted here."""
    return [RuleCount(rule.name, 0, funnel.dropped.get(rule.name, 0), 0) for rule in from_json(described)]


def _histograms(counted: Mapping[str, Any], described: Any) -> tuple[Histogram, ...]:
    rules = from_json(described)
    found = []
    for signal in SIGNALS:
        bins = counted.get(signal, {"kept": (), "gone": ()})
        if sum(bins["kept"]) + sum(bins["gone"]):
            readers = [rule for rule in rules if rule.numerator == signal and rule.per is None]
            bounds = tuple(Threshold(rule.name, rule.min, rule.max) for rule in readers)
            found.append(Histogram(signal, COUNTS, tuple(bins["kept"]), tuple(bins["gone"]), bounds))
    return tuple(found)


def _documents(store: Store, manifest: Manifest) -> tuple[IllustratedDocument, ...]:
    """Return a few documents of different languages."""
    rows = list(in_turn([[row for row in sheet if "pieces" in row] for sheet in sheets(store, manifest)]))
    ranks = {code: rank for rank, code in enumerate(FIRST)}
    chosen: dict[str | None, Row] = {}
    for row in sorted(rows, key=lambda row: ranks.get(row["language"], len(FIRST))):
        chosen.setdefault(row["language"], row)
    return tuple(_document(row) for row in [*chosen.values()][:DOCUMENTS])


def _document(row: Row) -> IllustratedDocument:
    return IllustratedDocument(
        uri=row["uri"],
        title=row["title"] or "",
        language=row["language"] or "und",
        skipped_parts=row["skipped_parts"],
        part_count=row["part_count"],
        pieces=tuple(_piece(each) for each in row["pieces"]),
    )


def _piece(each: Row) -> Piece:
    return Piece(
        kind=each["kind"],
        text=each["text"] or "",
        characters=each["characters"] or 0,
        uri=each["uri"] or "",
        verdict=each["verdict"],
        reason=each["reason"] or "",
        thumbnail=data_uri("image/jpeg", each["thumbnail"]),
    )
