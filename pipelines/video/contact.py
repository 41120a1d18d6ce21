"""The contact sheet of a shard: some of its clips with a few frames and what is said; all clips of a few films beside.

The report shows them. Rows stand by id, a digest, so the first of each verdict are drawn by lot, and always the same.
Frames of a clip that is dropped for its NSFW score are not shown.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from manifests.keys import key_range
from manifests.records import ID
from manifests.runs import Run, gather
from manifests.store import Store
from pipelines.audio.contact import first_of_each
from pipelines.images.contact import thumbnail
from pipelines.stages.published import Decided, read_packed
from pipelines.video.records import FILM_ROW, ORDER

OF_EACH = 4  # clips of each verdict
FRAMES = 4  # of a clip
FILMS = 6  # whose clips are all listed, for their time lines
CLIPS_OF_FILMS = 400  # of a shard, at most
CUES = 6
TEXT_CHARACTERS = 300
_TOLD = ("id", "uri", "start_s", "end_s", "shot", "width_px", "height_px", "caption", "transcript_language")
FRAME = pa.struct([("start_s", pa.float64()), ("thumbnail", pa.binary())])
CUE = pa.struct([(name, pa.float64()) for name in ("start_s", "end_s")] + [("text", pa.string())])
CONTACT = pa.schema(
    [
        ("id", ID),
        ("film", ID),
        ("uri", pa.string()),
        ("start_s", pa.float64()),
        ("end_s", pa.float64()),
        ("shot", pa.int32()),
        ("width_px", pa.int32()),
        ("height_px", pa.int32()),
        ("caption", pa.string()),
        ("transcript_language", pa.string()),
        ("verdict", pa.string()),
        ("reason", pa.string()),
        ("reasons", pa.list_(pa.string())),
        ("kept_id", ID),
        ("is_hidden", pa.bool_()),
        ("cues", pa.list_(CUE)),
        ("frames", pa.list_(FRAME)),  # none where they must not be shown
    ]
)
TIME_LINE = pa.schema(list(CONTACT)[:-1])


def sampled_films(store: Store, films: Sequence[Run]) -> list[bytes]:
    """Return the ids of up to FILMS films, the smallest of all: every shard chooses the same ones."""
    wanted = 8 * FILMS  # keys are even, so that many of them lie in the first of so many ranges
    _, high = key_range(0, max(1, sum(run.rows for run in films) // wanted))
    rows = gather(store, films, FILM_ROW, 0, high, ORDER)
    found: list[bytes] = rows["id"].to_pylist()[:FILMS]
    return found


def contact_sheet(store: Store, decided: Decided) -> pa.Table:
    """Return CONTACT rows of the first clips of each verdict, by id."""
    chosen = first_of_each(decided.verdict, OF_EACH)
    places = decided.judged.rows.select(["pack", "members", "parts"]).take(pa.array(chosen)).to_pylist()
    rows = _rows(decided, chosen)
    for row, place in zip(rows, places, strict=True):
        row["frames"] = [] if row["is_hidden"] else frames(store, place)
    return pa.Table.from_pylist(rows, CONTACT)


def clips_of_films(decided: Decided, films: Sequence[bytes]) -> pa.Table:
    """Return rows of all clips of these films, CONTACT without frames: what their time lines are drawn from."""
    film = [parents[0] for parents in decided.judged.rows["parents"].to_pylist()]
    chosen = np.flatnonzero(np.array([each in films for each in film], bool))[:CLIPS_OF_FILMS]
    return pa.Table.from_pylist(_rows(decided, chosen), TIME_LINE)


def _rows(decided: Decided, chosen: np.ndarray) -> list[dict[str, Any]]:
    places = pa.array(chosen)
    told = decided.judged.signals.take(places).select([*_TOLD, "parents", "parts"]).to_pylist()
    hidden = {rule.name for rule in decided.judged.rules if rule.numerator.endswith("nsfw_score")}
    rows = []
    for own, fate in zip(told, decided.fate(chosen), strict=True):
        is_hidden = not hidden.isdisjoint(fate["reasons"])
        rows.append({**own, **fate, "film": own["parents"][0], "is_hidden": is_hidden, "cues": cues(own["parts"])})
    return rows


def frames(store: Store, place: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return a few frames of a clip, evenly spread, as thumbnails."""
    at = {each["member"]: each for each in place["members"]}
    parts = [part for part in place["parts"] if part["kind"] == "frame" and part["member"] in at]
    count = min(FRAMES, len(parts))
    spread = [parts[(2 * i + 1) * len(parts) // (2 * count)] for i in range(count)]
    return [
        {"start_s": part["start_s"], "thumbnail": thumbnail(_read(store, place["pack"], at[part["member"]]))}
        for part in spread
    ]


def _read(store: Store, pack: str, member: Mapping[str, Any]) -> bytes:
    return read_packed(store, pack, member["offset"], member["bytes"], member["sha256"])


def cues(parts: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the first things said on a clip's time line."""
    said = [part for part in parts if part["kind"] == "text"][:CUES]
    return [{**{name: part[name] for name in ("start_s", "end_s")}, "text": _begun(part["text"])} for part in said]


def _begun(text: str) -> str:
    return text[:TEXT_CHARACTERS]
