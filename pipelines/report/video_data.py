"""What a video snapshot says of itself, for the report: counts, histograms, a few films and clips."""

from collections.abc import Mapping
from itertools import islice
from operator import attrgetter
from typing import Any

from manifests.manifest import Manifest
from manifests.store import Store, arrow_file
from pipelines.report.contact import VERDICTS, Row, data_uri, histograms_of, of_verdict, reasons_of, sheets
from pipelines.report.counts import Funnel, RuleCount
from pipelines.report.media_data import Clip, Cue, Film, Frame, VideoData
from pipelines.stages.judges import from_json

SHOWN_OF_EACH = 6
COUNTED = ("kept_ms", "speech_ms", "captioned", "transcribed", "codecs", "languages", "parts")
FILM_COLUMNS = ("id", "uri", "duration_s", "shot_count", "clip_count")
TIME_LINES_LOOKED_AT = 64


def video_data(store: Store, manifest: Manifest, funnel: Funnel, rules: tuple[RuleCount, ...]) -> VideoData:
    """Return what the report shows of a video manifest; `funnel` and `rules` are of its ledger and statistics."""
    from pipelines.video.statistics import edges_of, measured

    stated, settings = manifest["statistics"], manifest["settings"]
    found = sheets(store, manifest)
    return VideoData(
        funnel=funnel,
        rules=rules,
        histograms=histograms_of(
            settings["rules"], stated.get("histograms", {}), measured(from_json(settings["rules"])), edges_of
        ),
        without_scorer=tuple(settings.get("rules_without_scorer", ())),
        models=settings["stage"].get("models", {}),
        scorers=settings.get("scored_by", {}),
        **{name: stated[name] for name in COUNTED if name in stated},
        films=_films(store, manifest),
        clips={each: tuple(map(_clip, of_verdict(found, each, SHOWN_OF_EACH))) for each in VERDICTS},
    )


def _films(store: Store, manifest: Manifest) -> tuple[Film, ...]:
    """Return the films with the smallest ids, and their clips by time."""
    from pipelines.video.contact import FILMS

    clips: dict[bytes, list[Clip]] = {}
    for sheet in sheets(store, manifest, "time_lines", TIME_LINES_LOOKED_AT):
        for row in sheet:
            clips.setdefault(row["film"], []).append(_clip(row))
    return tuple(
        Film(
            film["uri"],
            film["duration_s"] or 0.0,
            film["shot_count"] or 0,
            film["clip_count"] or 0,
            tuple(sorted(clips.get(film["id"], ()), key=attrgetter("start_s", "uri"))),
        )
        for film in _first_films(store, manifest, FILMS)
    )


def _first_films(store: Store, manifest: Manifest, most: int) -> list[Mapping[str, Any]]:
    import pyarrow.parquet as pq

    found: list[Mapping[str, Any]] = []
    for shard in sorted((s for s in manifest["shards"] if s["kind"] == "films"), key=lambda s: str(s["min_id"])):
        if len(found) >= most:
            break
        with arrow_file(store, shard["name"]) as file:
            batches = pq.ParquetFile(file).iter_batches(most, columns=list(FILM_COLUMNS))
            found += [row for batch in islice(batches, 1) for row in batch.to_pylist()]
    return found[:most]


def _clip(row: Row) -> Clip:
    return Clip(
        uri=row["uri"],
        start_s=row["start_s"],
        end_s=row["end_s"],
        verdict=row["verdict"],
        reasons=reasons_of(row),
        frames=tuple(Frame(f["start_s"], data_uri("image/jpeg", f["thumbnail"])) for f in row.get("frames", ())),
        cues=tuple(Cue(cue["start_s"], cue["end_s"], cue["text"] or "") for cue in row["cues"] or ()),
        caption=row["caption"] or "",
        language=row["transcript_language"] or "und",
        width_px=row["width_px"] or 0,
        height_px=row["height_px"] or 0,
        is_hidden=row["is_hidden"],
    )
