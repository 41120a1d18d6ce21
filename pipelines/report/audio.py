"""Audio: what came of sounds, in which languages, by which bounds, and outlines of what stays and what goes."""

from collections.abc import Sequence

from pipelines.report import media
from pipelines.report.formats import data_size, percent, plural, short, whole
from pipelines.report.language_names import language_name
from pipelines.report.media_data import AudioData, Sound
from pipelines.report.outlines import outline
from pipelines.report.samples import shortened
from pipelines.report.tables import bar, count_cell, table
from pipelines.report.tags import Html, foreign, tag

TEXT_SHOWN = 220  # characters
URI_SHOWN = 110
LANGUAGES_SHOWN = 24
SEGMENTS, FILES = media.Noun("segment", "segments"), media.Noun("file", "files")
SHEETS = {
    "kept": (
        "In the shards, those with words first. Outlines are the least and the greatest sample of 240 even stretches, "
        "on one scale."
    ),
    "dropped": "With every rule that objects, the first being the reason that is counted.",
    "merged": "Copies of a segment that stays, by their fingerprints.",
}
FUNNEL = "Every file that was read, in exactly one place, by its one reason; texts beside sounds are skipped/sidecar."
ORIGINS = {
    "subtitles": "subtitles beside the file",
    "json": "a JSON file beside it",
    "text": "a text beside it",
    "table": "a table of the folder",
    "crawl": "what the crawl knew",
    "transcriber": "the transcriber",
}


def audio_section(audio: AudioData | None) -> Html | None:
    """Return what came of sounds; None where no job has read any."""
    if audio is None:
        return None
    return tag(
        "div",
        tag("p", _summary(audio)),
        media.unbalanced(audio.funnel, SEGMENTS),
        media.figures(_figures(audio)),
        media.funnel_table(audio.funnel, SEGMENTS, FILES, FUNNEL),
        _languages(audio),
        media.rules_table(audio.rules, SEGMENTS),
        media.models_table(audio.models, audio.scorers, audio.without_scorer),
        media.histograms(audio.histograms, SEGMENTS, "a"),
        [
            media.sheet(verdict, [_cell(each, verdict) for each in audio.sounds.get(verdict, ())], words, "sounds")
            for verdict, words in SHEETS.items()
        ],
    )


def _summary(audio: AudioData) -> list[str | Html]:
    judged = audio.funnel.judged
    return [
        tag("strong", whole(judged)), f" {plural(judged, 'segment or file was', 'segments and files were')} judged, ",
        tag("strong", whole(audio.funnel.kept)), " ", plural(audio.funnel.kept, "is", "are"), " in the shards (",
        tag("strong", percent(audio.funnel.kept, judged)), "). A file without speech is judged as a whole.",
    ]  # fmt: skip


def _figures(audio: AudioData) -> list[tuple[str, str, str]]:
    kept = audio.funnel.kept
    found = [("segments kept", short(kept), f"of {whole(audio.funnel.judged)}")]
    if kept:
        found.append(("sound kept", media.long_time(audio.kept_ms), f"{media.long_time(audio.kept_ms // kept)} each"))
        found.append(("bytes", data_size(audio.kept_bytes), "of FLAC, 16 kHz, one channel"))
        found.append(("with words", percent(audio.transcribed, kept), f"{whole(audio.transcribed)} transcripts"))
    found += [(codec, whole(count), "kept, as it came") for codec, count in sorted(audio.codecs.items())]
    return found


def _languages(audio: AudioData) -> Html | None:
    if not audio.languages:
        return None
    ranked = sorted(audio.languages.items(), key=lambda each: (-sum(each[1].values()), each[0]))
    most = max(1, *(sum(counts.values()) for _, counts in ranked))
    rows = [
        tag(
            "tr",
            tag("th", _language(code), " ", tag("small", code), scope="row"),
            bar(*((verdict, counts.get(verdict, 0) / most) for verdict in ("kept", "merged", "dropped"))),
            [count_cell(counts.get(verdict, 0)) for verdict in ("kept", "merged", "dropped")],
            tag("td", media.long_time(audio.language_ms.get(code, 0)), class_="number"),
        )
        for code, counts in ranked[:LANGUAGES_SHOWN]
    ]
    columns = ("language", "", ">kept", ">merged", ">dropped", ">sound kept")
    body = table("languages", columns, rows, "Segments by language")
    return tag("figure", tag("h3", "Languages"), body, tag("figcaption", _of_languages(audio, len(ranked))))


def _language(code: str) -> str:
    return "no words" if code == "und" else language_name(code)


def _of_languages(audio: AudioData, count: int) -> str:
    said = ", ".join(
        f"{whole(n)} from {ORIGINS.get(kind, kind)}" for kind, n in sorted(audio.transcripts.items()) if kind != "None"
    )
    silent = audio.transcripts.get("None", 0)
    left = f" The largest {LANGUAGES_SHOWN} of {count}." if count > LANGUAGES_SHOWN else ""
    hears = audio.scorers.get("transcriber", "none") != "none"
    heard = "what the transcriber hears is in the records" if hears else "nobody listens to the sound for it"
    return (
        f"The language is that of the transcript; {heard}. "
        f"Transcripts: {said or 'none'}; {whole(silent)} {SEGMENTS.more if silent != 1 else SEGMENTS.one} and files "
        f"without any.{left}"
    )


def _cell(sound: Sound, verdict: str) -> Html:
    text = shortened(" ".join(sound.transcript.split()), TEXT_SHOWN)
    return tag(
        "li",
        _drawn(sound, verdict),
        _heard(sound),
        foreign("blockquote", text, sound.language) if text else None,
        media.chips(sound.reasons),
        tag("p", shortened(sound.uri, URI_SHOWN), class_="uri", dir="ltr"),
        tag("p", " · ".join(_facts(sound)), class_="facts"),
    )


def _drawn(sound: Sound, verdict: str) -> Html:
    if not sound.highs:
        return tag("div", "no segment", class_="no-sound")
    return outline(sound.lows, sound.highs, verdict, f"Outline of {verdict} sound, {sound.duration_s or 0:.1f} s")


def _heard(sound: Sound) -> Html | None:
    if not sound.sound:
        return None
    return tag("audio", src=sound.sound, controls=True, preload="none", aria_label=f"The first seconds of {sound.uri}")


def _facts(sound: Sound) -> Sequence[str]:
    facts = [f"{sound.duration_s:.1f} s"] if sound.duration_s is not None else []
    if not sound.transcript:
        return [*facts, "no transcript"]
    return [*facts, _language(sound.language), f"words: {ORIGINS.get(sound.origin, sound.origin)}"]
