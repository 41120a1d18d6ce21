"""What an images snapshot says of itself, for the report: counts, histograms, and small pictures of a few."""

from manifests.manifest import Manifest
from manifests.store import Store
from pipelines.report.contact import VERDICTS, Row, data_uri, histograms_of, of_verdict, reasons_of, sheets
from pipelines.report.counts import Funnel, RuleCount
from pipelines.report.media_data import ImagesData, Picture
from pipelines.stages.judges import from_json

SHOWN_OF_EACH = 24
COUNTED = ("formats", "kept_bytes", "kept_pixels", "captioned", "captions")


def images_data(store: Store, manifest: Manifest, funnel: Funnel, rules: tuple[RuleCount, ...]) -> ImagesData:
    """Return what the report shows of an images manifest; `funnel` and `rules` are of its ledger and statistics."""
    from pipelines.images.statistics import edges_of, measured

    stated, settings = manifest["statistics"], manifest["settings"]
    counted, found = stated.get("histograms", {}), sheets(store, manifest)
    return ImagesData(
        funnel=funnel,
        rules=rules,
        histograms=histograms_of(
            settings["rules"], counted, measured(from_json(settings["rules"]), list(counted)), edges_of
        ),
        **{name: stated[name] for name in COUNTED if name in stated},
        without_scorer=tuple(settings.get("rules_without_scorer", ())),
        models=manifest.get("models", {}),
        pictures={each: tuple(map(_picture, of_verdict(found, each, SHOWN_OF_EACH))) for each in VERDICTS},
    )


def _picture(row: Row) -> Picture:
    return Picture(
        uri=row["uri"],
        thumbnail=data_uri("image/jpeg", row["thumbnail"]),
        caption=row["caption"] or "",
        width_px=row["width_px"],
        height_px=row["height_px"],
        reasons=reasons_of(row),
    )
