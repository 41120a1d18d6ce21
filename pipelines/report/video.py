"""Video: films and their clips, what came of them, time lines of a few films, frames of what stays and what goes."""

from pipelines.report import media
from pipelines.report.formats import percent, plural, short, whole
from pipelines.report.language_names import language_name
from pipelines.report.media_data import Clip, Film, VideoData
from pipelines.report.outlines import time_line
from pipelines.report.samples import shortened
from pipelines.report.tags import Html, foreign, tag

TEXT_SHOWN = 140  # characters
URI_SHOWN = 110
CUES_SHOWN = 4
CLIPS, FILES = media.Noun("clip", "clips"), media.Noun("file", "files")
SHEETS = {
    "kept": "In the shards: up to four frames of each clip, and what is said in it.",
    "dropped": (
        "With every rule that objects, the first being the reason that is counted. Frames of what the NSFW score drops "
        "are not shown."
    ),
    "merged": "Copies of a clip that stays: the pictures of their frames are the same, or nearly.",
}
FUNNEL = (
    "Every file that was read, in exactly one place, by its one reason; subtitles and captions beside films are "
    "skipped/sidecar, a film of which no shot is long enough is skipped/no_clip."
)


def video_section(video: VideoData | None) -> Html | None:
    """Return what came of films; None where no job has read any."""
    if video is None:
        return None
    return tag(
        "div",
        tag("p", _summary(video)),
        media.unbalanced(video.funnel, CLIPS),
        media.figures(_figures(video)),
        media.funnel_table(video.funnel, CLIPS, FILES, FUNNEL),
        media.rules_table(video.rules, CLIPS),
        media.models_table(video.models, video.scorers, video.without_scorer),
        media.histograms(video.histograms, CLIPS, "v"),
        _films(video.films),
        [
            media.sheet(verdict, [_cell(each) for each in video.clips.get(verdict, ())], words, "clips")
            for verdict, words in SHEETS.items()
        ],
    )


def _summary(video: VideoData) -> list[str | Html]:
    funnel = video.funnel
    return [
        tag("strong", whole(funnel.expanded)), f" {plural(funnel.expanded, 'film was', 'films were')} cut into ",
        tag("strong", whole(funnel.expanded_into)), f" {plural(funnel.expanded_into, 'clip', 'clips')}, ",
        tag("strong", whole(funnel.kept)), " ", plural(funnel.kept, "is", "are"), " in the shards (",
        tag("strong", percent(funnel.kept, funnel.judged)), ").",
    ]  # fmt: skip


def _figures(video: VideoData) -> list[tuple[str, str, str]]:
    kept = video.funnel.kept
    found = [("clips kept", short(kept), f"of {whole(video.funnel.judged)}")]
    if kept:
        speech = f"{media.long_time(video.speech_ms)} of speech"
        found.append(("film kept", media.long_time(video.kept_ms), speech))
        found.append(("captioned", percent(video.captioned, kept), CLIPS.of(video.captioned)))
        found.append(("with words", percent(video.transcribed, kept), _spoken(video)))
    parts = {"frame": "frames", "audio": "sounds", "text": "things said"}
    found += [(parts.get(kind, kind), short(count), "in kept clips") for kind, count in sorted(video.parts.items())]
    found += [(codec, whole(count), "clips kept, as they came") for codec, count in sorted(video.codecs.items())]
    return found


def _spoken(video: VideoData) -> str:
    names = [language_name(code) for code in sorted(video.languages) if code != "und"]
    return ", ".join(names[:4]) + (" …" if len(names) > 4 else "") if names else "of kept clips"


def _films(films: tuple[Film, ...]) -> Html | None:
    if not films:
        return None
    caption = (
        "Boxes are clips where they stand in their film: tall ones stay, low ones at the top are merged into a copy, "
        "low ones at the bottom are dropped. Between them lie shots too short for a clip. Marks below the line are "
        "things said. Films drawn by their ids."
    )
    return tag(
        "figure",
        tag("h3", "Time lines"),
        [_film(each) for each in films],
        tag("figcaption", caption),
    )


def _film(film: Film) -> Html:
    verdicts = [clip.verdict for clip in film.clips]
    counts = ", ".join(f"{verdicts.count(each)} {each}" for each in ("kept", "merged", "dropped") if each in verdicts)
    missing = film.clip_count - len(film.clips)
    facts = [
        media.short_time(film.duration_s),
        f"{whole(film.shot_count)} {plural(film.shot_count, 'shot', 'shots')}",
        f"{CLIPS.of(film.clip_count)}{': ' + counts if counts else ''}",
        *([f"{whole(missing)} of them not drawn"] if missing > 0 else []),
    ]
    return tag(
        "div",
        tag("p", shortened(film.uri, URI_SHOWN), class_="uri", dir="ltr"),
        time_line(film, f"Time line of {film.uri}: {'; '.join(facts)}"),
        tag("p", " · ".join(facts), class_="facts"),
        class_="film",
    )


def _cell(clip: Clip) -> Html:
    return tag(
        "li",
        _pictures(clip),
        foreign("p", shortened(clip.caption, TEXT_SHOWN)) if clip.caption else None,
        _said(clip),
        media.chips(clip.reasons),
        tag("p", shortened(clip.uri, URI_SHOWN), class_="uri", dir="ltr"),
        tag("p", " · ".join(_facts(clip)), class_="facts"),
    )


def _pictures(clip: Clip) -> Html:
    if clip.is_hidden or not clip.frames:
        return tag("div", "not shown" if clip.is_hidden else "no frame", class_="hidden-picture")
    shown = [
        tag("img", src=each.thumbnail, alt=f"Frame at {media.short_time(each.start_s)}", loading="lazy")
        for each in clip.frames
    ]
    return tag("div", shown, class_="frames")


def _said(clip: Clip) -> Html | None:
    if not clip.cues:
        return None
    lines = [
        tag(
            "div",
            tag("dt", media.short_time(cue.start_s)),
            foreign("dd", shortened(" ".join(cue.text.split()), TEXT_SHOWN)),
        )
        for cue in clip.cues[:CUES_SHOWN]
    ]
    return tag("dl", lines, class_="cues")


def _facts(clip: Clip) -> list[str]:
    facts = [f"{media.short_time(clip.start_s)} – {media.short_time(clip.end_s)}"]
    if clip.width_px:
        facts.append(f"{whole(clip.width_px)} × {whole(clip.height_px)} px")
    return facts if clip.language == "und" else [*facts, language_name(clip.language)]
