"""What an audio snapshot says of itself, for the report: counts, histograms, and the outlines of a few sounds."""

from collections.abc import Mapping

from manifests.manifest import Manifest
from manifests.store import Store
from pipelines.report.contact import VERDICTS, Row, data_uri, histograms_of, of_verdict, reasons_of, sheets
from pipelines.report.counts import Funnel, RuleCount
from pipelines.report.media_data import AudioData, Sound
from pipelines.stages.judges import from_json

SHOWN_OF_EACH = 8
HEARD = 4  # with their sound, of about 100 KB each
COUNTED = ("kept_ms", "kept_bytes", "transcribed", "transcripts", "languages", "language_ms")


def audio_data(store: Store, manifest: Manifest, funnel: Funnel, rules: tuple[RuleCount, ...]) -> AudioData:
    """Return what the report shows of an audio manifest; `funnel` and `rules` are of its ledger and statistics."""
    from pipelines.audio.statistics import edges_of, measured

    stated, settings = manifest["statistics"], manifest["settings"]
    return AudioData(
        funnel=funnel,
        rules=rules,
        histograms=histograms_of(
            settings["rules"], stated.get("histograms", {}), measured(from_json(settings["rules"])), edges_of
        ),
        without_scorer=tuple(settings.get("rules_without_scorer", ())),
        models=settings["stage"].get("models", {}),
        scorers=settings.get("scored_by", {}),
        **{name: stated[name] for name in COUNTED if name in stated},
        codecs=stated.get("source_codecs", {}),
        sounds=_sounds(store, manifest),
    )


def _sounds(store: Store, manifest: Manifest) -> Mapping[str, tuple[Sound, ...]]:
    found = [sorted(sheet, key=lambda row: row["transcript"] is None) for sheet in sheets(store, manifest)]
    heard = 0
    sounds: dict[str, tuple[Sound, ...]] = {}
    for verdict in VERDICTS:
        shown = []
        for row in of_verdict(found, verdict, SHOWN_OF_EACH):
            is_heard = row["sound"] is not None and heard < HEARD
            heard += is_heard
            shown.append(_sound(row, is_heard))
        sounds[verdict] = tuple(shown)
    return sounds


def _sound(row: Row, is_heard: bool) -> Sound:
    return Sound(
        uri=row["uri"],
        duration_s=row["duration_s"],
        transcript=row["transcript"] or "",
        origin=row["transcript_kind"] or "",
        language=row["transcript_language"] or "und",
        reasons=reasons_of(row),
        lows=tuple(row["lows"] or ()),
        highs=tuple(row["highs"] or ()),
        sound=data_uri("audio/flac", row["sound"]) if is_heard else "",
    )
