"""The contact sheet of a shard: some of its segments as outlines of their sound, with what became of them.

The report shows it. Rows stand by id, a digest, so the first of each verdict are drawn by lot, and always the same. Of
the first of those that are kept the beginning is stored as well, short enough for a page to hold it.
"""

import io
from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from filters.audio import RATE_HZ
from filters.audio.flac import encode_flac
from manifests.records import ID
from manifests.store import Store
from pipelines.stages.published import Decided, read_packed

OF_EACH = 6  # segments of each verdict, and half as many with words
SOUNDS = 2  # kept ones that can be heard
SOUND_S = 5.0  # of each of them
POINTS = 240  # of an outline
TRANSCRIPT_CHARACTERS = 400
_TOLD = ("id", "uri", "duration_s", "transcript_kind", "transcript_language")
CONTACT = pa.schema(
    [
        ("id", ID),
        ("uri", pa.string()),
        ("duration_s", pa.float64()),  # null of a file of which nothing was made
        ("transcript", pa.string()),  # its beginning
        ("transcript_kind", pa.string()),
        ("transcript_language", pa.string()),
        ("verdict", pa.string()),
        ("reason", pa.string()),
        ("reasons", pa.list_(pa.string())),
        ("kept_id", ID),
        ("lows", pa.list_(pa.int8())),  # the least sample of each of POINTS even stretches, of [-127, 127]
        ("highs", pa.list_(pa.int8())),  # ... and the greatest
        ("sound", pa.binary()),  # FLAC of the first SOUND_S seconds, or null
    ]
)


def contact_sheet(store: Store, decided: Decided) -> pa.Table:
    """Return CONTACT rows of the first segments of each verdict, and of the first with words; by id."""
    silent = decided.judged.signals["transcript"].is_null().to_numpy(zero_copy_only=False)
    spoken = first_of_each(np.where(silent, "", decided.verdict), OF_EACH // 2)
    chosen = np.union1d(spoken, first_of_each(decided.verdict, OF_EACH))
    told = decided.judged.signals.take(pa.array(chosen)).select([*_TOLD, "transcript"]).to_pylist()
    places = decided.judged.rows.select(["pack", "offset", "stored_bytes", "stored_sha256"])
    fates = decided.fate(chosen)
    heard, rows = 0, []
    for own, place, fate in zip(told, places.take(pa.array(chosen)).to_pylist(), fates, strict=True):
        own["transcript"] = (own["transcript"] or "")[:TRANSCRIPT_CHARACTERS] or None
        row = {**own, **fate}
        if place["offset"] is not None:
            is_heard = fate["verdict"] == "kept" and heard < SOUNDS
            heard += is_heard
            row |= _drawn(store, place, is_heard)
        rows.append(row)
    return pa.Table.from_pylist(rows, CONTACT)


def first_of_each(verdict: np.ndarray, most: int) -> np.ndarray:
    """Return the places of the first rows of each verdict, ascending int64[n]."""
    firsts = [np.flatnonzero(verdict == each)[:most] for each in ("kept", "dropped", "merged")]
    return np.sort(np.concatenate(firsts))


def _drawn(store: Store, place: Mapping[str, Any], is_heard: bool) -> dict[str, Any]:
    flac = read_packed(store, place["pack"], place["offset"], place["stored_bytes"], place["stored_sha256"])
    pcm = decoded(flac)
    lows, highs = outline(pcm)
    start = pcm[: int(SOUND_S * RATE_HZ)]
    sound = encode_flac(start.astype(np.float32) / np.float32(32768)) if is_heard else None
    return {"lows": lows.tolist(), "highs": highs.tolist(), "sound": sound}


def decoded(flac: bytes) -> np.ndarray:
    """Return int16[samples] of a FLAC file that the job itself has written."""
    import av

    with av.open(io.BytesIO(flac), "r") as container:
        pieces = [frame.to_ndarray().reshape(-1) for frame in container.decode(audio=0)]
    return np.concatenate([np.zeros(0, np.int16), *pieces])


def outline(pcm: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return (least, greatest) sample of each of at most POINTS even stretches, int8 of [-127, 127]."""
    if not len(pcm):
        return np.zeros(0, np.int8), np.zeros(0, np.int8)
    starts = np.unique(np.arange(POINTS) * len(pcm) // POINTS)
    lows, highs = np.minimum.reduceat(pcm, starts), np.maximum.reduceat(pcm, starts)
    return _scaled(lows), _scaled(highs)


def _scaled(samples: np.ndarray) -> np.ndarray:
    whole = samples.astype(np.int32) * 127
    return np.clip(whole // 32767, -127, 127).astype(np.int8)
