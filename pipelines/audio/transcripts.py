"""Transcripts: texts that stand beside sounds, and what of them a segment says.

A sound's text is the file of its name: `a.txt`, `a.json` (Whisper's, Emilia's or a plain field), `a.srt` and `a.vtt`
(also `a.fr.srt`). Tables name their sounds themselves: `core-sounds-en.txt` ("letters/a: A"), LibriSpeech's
`*.trans.txt` ("1089-134686-0000 HE HOPED"), and Tux Paint's captions ("fr.utf8=Un oiseau." is what `*_desc_fr.ogg`
says). What the crawl knew of a URL stands in the metadata record of its response.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa

from filters.video.subtitles import Cue, read_subtitles, without_repeats
from pipelines.audio.records import SUBTITLE_TYPES, TRANSCRIPT
from pipelines.sources.warc import WARC_FIELDS
from pipelines.stages.sidecars import key_of, stem_of, text_key

TRANSCRIPTS_VERSION = 1  # part of the stage key
TEXT_FIELDS = ("text", "transcript", "transcription", "sentence", "caption")  # of a JSON object, in this order
MAX_TEXT_CHARS = 200_000  # of a file's transcript; about four hours of speech
_TIMED, _JSON, _TEXT, _TABLE = range(4)  # ranks
_TABLE_NAME = re.compile(r"(?:^|[/#:])(?:core|extra)-sounds-([a-z]{2,3})(?:[_-][A-Za-z]{2})?\.txt$")
_TABLE_LINE = re.compile(r"^\s*([^;\s:][^:]*?)\s*:\s*(\S.*?)\s*$")
_STAMP_LINE = re.compile(r"^([a-z]{2,3}(?:_[A-Z]{2})?)(?:@[a-z]+)?\.utf8=(.*)$")
_LANGUAGE = re.compile(r"\.([a-z]{2,3})(?:[-_][A-Za-z]{2,4})?$")
_WARC_CAPTION = re.compile(rb"^caption: (.*?)\r?$", re.MULTILINE)


class Found(NamedTuple):
    """A text and whose it is."""

    key: int
    rank: int
    kind: str
    text: str
    language: str | None = None
    cues: Sequence[Mapping[str, Any]] | None = None

    def row(self) -> dict[str, Any]:
        """Return the TRANSCRIPT row."""
        return {**self._asdict(), "text": clean(self.text)}


def clean(text: str) -> str:
    """Return text on one line a cue, white space folded, without lone surrogates, at most MAX_TEXT_CHARS."""
    lines = (" ".join(line.split()) for line in text[:MAX_TEXT_CHARS].splitlines())
    return "\n".join(line for line in lines if line).encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def transcript_rows(batch: pa.RecordBatch) -> Iterator[dict[str, Any]]:
    """Yield the TRANSCRIPT rows of RAW records that may hold transcripts."""
    for uri, media_type, payload in zip(*(batch[name] for name in ("uri", "media_type", "payload")), strict=True):
        for found in texts_of(uri.as_py(), media_type.as_py(), payload.as_buffer().to_pybytes()):
            if (row := found.row())["text"]:
                yield row


def transcript_table(batch: pa.RecordBatch) -> pa.Table:
    """Return the TRANSCRIPT rows of RAW records."""
    return pa.Table.from_pylist(list(transcript_rows(batch)), TRANSCRIPT)


def texts_of(uri: str, media_type: str, payload: bytes) -> Iterator[Found]:
    """Yield the texts that a file holds, each with the key of its sound."""
    key = text_key(uri, media_type)
    if media_type == WARC_FIELDS:
        if line := _WARC_CAPTION.search(payload):
            yield Found(key, _TEXT, "crawl", line[1].decode("utf-8", "replace"))
    elif media_type == "application/json":
        yield from _of_json(key, payload)
    elif media_type in SUBTITLE_TYPES:
        yield from _of_subtitles(uri, payload)
    else:
        yield from _of_text(uri, key, payload.decode("utf-8-sig", "replace"))


def _of_subtitles(uri: str, payload: bytes) -> Iterator[Found]:
    cues = without_repeats(read_subtitles(payload).cues)
    if not cues:
        return
    stem, said = stem_of(uri), [_said(cue) for cue in cues]
    text = "\n".join(each["text"] for each in said)
    yield Found(key_of(stem), _TIMED, "subtitles", text, None, said)
    if named := _LANGUAGE.search(stem):
        yield Found(key_of(stem[: named.start()]), _TIMED, "subtitles", text, named[1], said)


def _said(cue: Cue) -> dict[str, Any]:
    return {"start_s": cue.start_us / 1e6, "end_s": cue.end_us / 1e6, "text": clean(cue.text).replace("\n", " ")}


def _of_json(key: int, payload: bytes) -> Iterator[Found]:
    try:
        body = json.loads(payload)
    except (ValueError, RecursionError):
        return
    timed = body if isinstance(body, list) else body.get("segments") if isinstance(body, dict) else None
    language = body.get("language") if isinstance(body, dict) else None
    language = language if isinstance(language, str) and re.fullmatch("[a-z]{2,3}", language) else None
    cues = [cue for cue in map(_json_cue, timed if isinstance(timed, list) else []) if cue]
    if cues:
        cues.sort(key=lambda cue: (cue["start_s"], cue["end_s"], cue["text"]))
        yield Found(key, _TIMED, "json", "\n".join(cue["text"] for cue in cues), language, cues)
    elif isinstance(body, dict):
        text = next((body[name] for name in TEXT_FIELDS if isinstance(body.get(name), str) and body[name]), None)
        if text:
            yield Found(key, _JSON, "json", text, language)


def _json_cue(each: Any) -> dict[str, Any] | None:
    """Return a piece as SAID, None for what is no piece of a transcript."""
    if not isinstance(each, dict) or not isinstance(each.get("text"), str):
        return None
    times: list[Any] = [each.get(name, each.get(f"{name}_s")) for name in ("start", "end")]
    if not all(isinstance(t, int | float) and not isinstance(t, bool) and math.isfinite(t) for t in times):
        return None
    text, language = clean(each["text"]).replace("\n", " "), each.get("language")
    if not text or not 0 <= times[0] < times[1]:
        return None
    spoken = language if isinstance(language, str) else None
    return {"start_s": float(times[0]), "end_s": float(times[1]), "text": text, "language": spoken}


def _of_text(uri: str, key: int, text: str) -> Iterator[Found]:
    folder = uri[: max(uri.rfind(mark) for mark in "/#:") + 1]
    if table := _TABLE_NAME.search(uri):
        for line in text.splitlines():
            if pair := _TABLE_LINE.match(line):
                yield Found(key_of(folder + pair[1]), _TABLE, "table", pair[2], table[1])
    elif uri.endswith(".trans.txt"):
        for line in text.splitlines():
            name, _, said = line.strip().partition(" ")
            if name and said:
                yield Found(key_of(folder + name), _TABLE, "table", said)
    elif captions := [pair for line in text.splitlines()[1:] if (pair := _STAMP_LINE.match(line))]:
        stem = stem_of(uri)
        yield Found(key_of(f"{stem}_desc"), _TABLE, "table", text.splitlines()[0], "en")
        for pair in captions:
            yield Found(key_of(f"{stem}_desc_{pair[1]}"), _TABLE, "table", pair[2], pair[1][:3].split("_")[0])
    else:
        yield Found(key, _TEXT, "text", text)


def spoken(row: Mapping[str, Any], transcript: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    """Return what a transcript says of a segment, times from its start; [] where it says nothing of it.

    row: {start_s, end_s, holds_all_speech}. A timed piece belongs to the segment in which its middle lies; a text of
    the whole file is that of a segment only where no speech of the file lies outside.
    """
    if transcript is None:
        return []
    if transcript["cues"] is None:
        whole = {"start_s": None, "end_s": None, "text": transcript["text"], "language": transcript["language"]}
        return [whole] if row["holds_all_speech"] else []
    length_s = row["end_s"] - row["start_s"]
    found = []
    for cue in transcript["cues"]:
        if row["start_s"] <= (cue["start_s"] + cue["end_s"]) / 2 < row["end_s"]:
            start_s, end_s = (min(max(cue[name] - row["start_s"], 0.0), length_s) for name in ("start_s", "end_s"))
            language = cue["language"] or transcript["language"]
            found.append(
                {"start_s": round(start_s, 6), "end_s": round(end_s, 6), "text": cue["text"], "language": language}
            )
    return found
