"""What clips say and how the rules judge them: by their pictures, their sound and their words."""

from collections.abc import Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

import pyarrow as pa

from filters.rules import Rule
from filters.video.clip_child import PART
from filters.video.clips import US
from filters.video.sound import HEARD
from filters.video.subtitles import Cue, transcript
from filters.video.timeline import KINDS
from manifests.runs import Run, gather
from manifests.store import Store
from pipelines.stages.judges import from_json, one_batch
from pipelines.stages.published import Judged
from pipelines.stages.speech import Safety
from pipelines.video.records import CLIP_ROW, ORDER, TOLD
from pipelines.video.told import TOLD_ORDER


class Judge:
    """Reads clips of a key range and judges them. config: {rules, and that of Safety}."""

    def __init__(self, store: Store, clips: Sequence[Run], told: Sequence[Run], config: Mapping[str, Any]) -> None:
        self.store, self.clips, self.told = store, clips, told
        self.rules: tuple[Rule, ...] = from_json(config["rules"])
        self.safety = Safety(store, config)

    def read(self, low: int, high: int) -> Judged:
        """Return the clips with low <= key < high, with their words on the time line and the verdicts of the rules."""
        rows = gather(self.store, self.clips, CLIP_ROW, low, high, ORDER)
        told = gather(self.store, self.told, TOLD, low, high, TOLD_ORDER)
        rows = with_words(rows, told)
        signals = one_batch(rows)
        measured = self.safety.measure(rows["transcript"].combine_chunks())
        for name, column in zip(measured.schema.names, measured.columns, strict=True):
            signals = signals.append_column(name, column)
        return Judged(rows, signals, self.rules, signals["transcript_language"])


def with_words(rows: pa.Table, told: pa.Table) -> pa.Table:
    """Put sidecars' cues on the time lines; append `caption`, `transcript`, its `stated_language` and its origin.

    A clip's transcript is that of the film's own subtitles, else of the first text beside it: first the one whose name
    states no language (`film.srt`), then by language; where nobody gave one, what the transcriber heard.
    """
    of = {id_: list(some) for id_, some in groupby(told.to_pylist(), itemgetter("id"))}
    captions: list[str | None] = []
    transcripts: list[str | None] = []
    origins: list[str | None] = []
    stated: list[str | None] = []
    parts: list[list[Any]] = []
    for row in rows.select(["id", "text", "parts", "spoken_language"]).to_pylist():
        texts = of.get(row["id"], [])
        captions.append(next((each["text"] for each in texts if each["cues"] is None), None))
        timed = sorted((each for each in texts if each["cues"]), key=lambda each: each["language"] or "")
        own, beside = row["text"], _said(timed[0]["cues"]) if timed else None
        heard = "\n".join(part["text"] for part in row["parts"] if part["origin"] == HEARD) or None
        language = _own_language(row["parts"]) if own else timed[0]["language"] if beside else None
        transcripts.append(own or beside or heard)
        stated.append(language if own or beside else row["spoken_language"] if heard else None)
        origins.append("embedded" if own else "sidecar" if beside else HEARD if heard else None)
        parts.append(sorted([*row["parts"], *_cue_parts(timed)], key=_time))
    place = rows.column_names.index("parts")
    rows = rows.set_column(place, "parts", pa.array(parts, pa.list_(PART))).drop_columns(["text"])
    columns = {"caption": captions, "transcript": transcripts, "transcript_origin": origins, "stated_language": stated}
    for name, values in columns.items():
        rows = rows.append_column(name, pa.array(values, pa.string()))
    return rows


def _own_language(parts: Sequence[Mapping[str, Any]]) -> str | None:
    """Return the language that the film declares of its subtitles: of those that the transcript is made of."""
    return next((part["language"] for part in parts if part["origin"] == "embedded"), None)


def _said(cues: Sequence[Mapping[str, Any]]) -> str | None:
    return transcript([Cue(cue["start_us"], cue["end_us"], cue["text"]) for cue in cues]) or None


def _cue_parts(timed: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [
        {
            **dict.fromkeys(field.name for field in PART),
            "kind": "text",
            "start_s": cue["start_us"] / US,
            "end_s": cue["end_us"] / US,
            "text": cue["text"],
            "language": each["language"],
            "origin": "sidecar",
        }
        for each in timed
        for cue in each["cues"]
    ]


def _time(part: Mapping[str, Any]) -> tuple[float, int, float]:
    return part["start_s"], KINDS.index(part["kind"]), part["end_s"]
