"""Words beside films: captions, subtitles and transcripts meet the clips of the film of their name.

`film.srt`, `film.ja.vtt` and `film.json` (Whisper's) are on the film's time line, and each clip takes the cues that
start in it, one text a language; `film.txt`, or what the crawl knew of the URL, is a caption of all its clips.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from operator import itemgetter
from typing import Any

import pyarrow as pa

from filters.video.clips import US
from manifests.keys import key_range, keys_of
from manifests.records import KEY
from manifests.runs import gather, write_run
from manifests.store import Store
from pipelines.audio.records import TRANSCRIPT, TRANSCRIPT_ORDER
from pipelines.stages.sidecars import media_keys
from pipelines.stages.staged import Staged
from pipelines.video.records import STEM, TOLD

TOLD_VERSION = 1
TOLD_ORDER = ("key", "id", "rank", "language", "text")
Row = Mapping[str, Any]


def stem_rows(uri: str, clips: Iterable[Row]) -> list[dict[str, Any]]:
    """Return STEM rows of a film's clips: {id, start_s, end_s} each."""
    spans = [(each["id"], round(each["start_s"] * US), round(each["end_s"] * US)) for each in clips]
    return [
        {"key": key, "id": id_, "start_us": start_us, "end_us": end_us}
        for key in media_keys(uri)
        for id_, start_us, end_us in spans
    ]


class JoinTexts:
    """Worker: the texts of a range of stems -> TOLD rows of clips. config: {staged}."""

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        self.store, self.staged = store, Staged.load(store, config["staged"])

    def close(self) -> None:
        """Nothing is held."""

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        low, high = key_range(arguments["partition"], arguments["partitions"])
        texts = gather(self.store, self.staged.runs["transcripts"], TRANSCRIPT, low, high, TRANSCRIPT_ORDER)
        stems = gather(self.store, self.staged.runs["stems"], STEM, low, high, ("key", "id"))
        of = {key: list(some) for key, some in groupby(texts.to_pylist(), itemgetter("key"))}
        met = stems.filter(pa.array([key in of for key in stems["key"].to_pylist()], pa.bool_()))
        rows = [told for stem in met.to_pylist() for told in clip_texts(stem, of[stem["key"]])]
        table = pa.Table.from_pylist([{"key": 0, **row} for row in rows], TOLD)
        keys = pa.array(keys_of(table["id"].combine_chunks()), KEY)
        run = write_run(self.store, arguments["output"], table.set_column(0, "key", keys), TOLD_ORDER)
        return {"run": run.as_json(), "counts": {"texts": run.rows}}


def clip_texts(stem: Row, texts: Iterable[Row]) -> Iterator[dict[str, Any]]:
    """Yield what the texts of a film, the best first, say of one of its clips: one caption, cues once a language."""
    seen: set[str | None] = set()
    for text in texts:
        what = "caption" if text["cues"] is None else text["language"] or ""
        if what in seen:
            continue
        seen.add(what)
        cues = None if text["cues"] is None else list(cues_in(text["cues"], stem["start_us"], stem["end_us"]))
        if cues is None or cues:
            told = text["text"] if cues is None else None
            yield {"id": stem["id"], "rank": text["rank"], "text": told, "language": text["language"], "cues": cues}


def cues_in(cues: list[Row], start_us: int, end_us: int) -> Iterator[dict[str, Any]]:
    """Yield the cues, sorted by start, that start in [start_us, end_us)."""
    starts = [round(cue["start_s"] * US) for cue in cues]
    for cue, first in zip(cues[bisect_left(starts, start_us) :], starts[bisect_left(starts, start_us) :], strict=True):
        if first >= end_us:
            return
        yield {"start_us": first, "end_us": round(cue["end_s"] * US), "text": cue["text"]}
