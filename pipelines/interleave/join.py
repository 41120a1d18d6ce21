"""Join: parts meet records by address, then the records' measures by media id.

join     address range   parts and what is known of their address -> parts by media, and parts without media
attach   media range     parts and their media's measures and place -> parts by document
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from filters.clusters import id_words
from manifests.keys import key_range, keys_of
from manifests.reasons import Missing
from manifests.records import KEY
from manifests.runs import gather, load_runs, run_schema, write_run
from manifests.store import Store
from pipelines.interleave.read import ORDERS
from pipelines.interleave.records import ASKED, FOUND, KNOWN, LOCATED, LOST

JOIN_VERSION = 1
FOUND_ORDER = ("key", "media", "id", "position")
PART_ORDER = ("key", "id", "position")


class Join:
    """Worker: the parts of a range of addresses. config: {asked, known}: lists of runs."""

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        self.store = store
        self.asked, self.known = load_runs(store, config["asked"]), load_runs(store, config["known"])

    def close(self) -> None:
        """Nothing is held."""

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        low, high = key_range(arguments["partition"], arguments["partitions"])
        asked = gather(self.store, self.asked, ASKED, low, high, ORDERS["asked"])
        known = gather(self.store, self.known, KNOWN, low, high, ORDERS["known"])
        found, lost = join(asked, known)
        runs = {
            "found": write_run(self.store, f"{arguments['output']}-found", found, FOUND_ORDER),
            "lost": write_run(self.store, f"{arguments['output']}-lost", lost, PART_ORDER),
        }
        counts = {"joined": found.num_rows, "missing": lost.num_rows}
        return {"runs": {kind: run.as_json() for kind, run in runs.items()}, "counts": counts}


def join(asked: pa.Table, known: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Return (FOUND, LOST) rows: of what is known of an address the smallest (rank, media) counts.

    known: sorted by (key, address, rank, media).
    """
    addresses = known["address"].combine_chunks()
    first = np.ones(known.num_rows, bool)
    if known.num_rows > 1:
        first[1:] = pc.not_equal(addresses[1:], addresses[:-1]).to_numpy(zero_copy_only=False)
    best = known.filter(pa.array(first))
    place = _index_in(asked["address"], best["address"])
    media, reason = best["media"].take(place).combine_chunks(), best["reason"].take(place).combine_chunks()
    is_found = pc.is_valid(media)
    found = asked.filter(is_found)
    met = media.filter(is_found)
    lost = asked.filter(pc.invert(is_found))
    why = pc.fill_null(reason.filter(pc.invert(is_found)), str(Missing.NO_SUCH_MEDIA))
    columns = {"key": pa.array(keys_of(met), KEY), "media": met}
    missed = {"key": pa.array(keys_of(lost["id"].combine_chunks()), KEY), "reason": why}
    return (
        pa.table({name: columns[name] if name in columns else found[name] for name in FOUND.names}, FOUND),
        pa.table({name: missed[name] if name in missed else lost[name] for name in LOST.names}, LOST),
    )


class Attach:
    """Worker: the joined parts of a range of media. config: {found, media, located}: lists of runs."""

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        self.store = store
        self.found, self.media, self.located = (
            load_runs(store, config[name]) for name in ("found", "media", "located")
        )

    def close(self) -> None:
        """Nothing is held."""

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        low, high = key_range(arguments["partition"], arguments["partitions"])
        found = gather(self.store, self.found, FOUND, low, high, FOUND_ORDER)
        located = gather(self.store, self.located, LOCATED, low, high, ORDERS["located"])
        if self.media:
            schema = run_schema(self.store, self.media[0])
            media = gather(self.store, self.media, schema, low, high, ORDERS["media"])
            attached = attach(found, media, located)
        else:
            attached = found  # no record is kept, so none is found
        run = write_run(self.store, arguments["output"], attached, PART_ORDER)
        return {"run": run.as_json(), "counts": {"parts": run.rows}}


def attach(found: pa.Table, media: pa.Table, located: pa.Table) -> pa.Table:
    """Return found parts with the columns of their media, its place, and in how many documents it stands.

    found: sorted by (key, media, id, position). Raises RuntimeError where a record or its place is not there.
    """
    place, where = _index_in(found["media"], media["id"]), _index_in(found["media"], located["id"])
    if place.null_count or where.null_count:
        raise RuntimeError("the media snapshot names records as kept that it does not hold; run `corpusmill verify`")
    columns: dict[str, Any] = {"key": pa.array(keys_of(found["id"].combine_chunks()), KEY)}
    columns |= {name: found[name] for name in FOUND.names if name != "key"}
    columns["occurrence_count"] = pa.array(documents_of_media(found), pa.int64())
    columns |= {name: media[name].take(place) for name in media.column_names if name not in ("key", "id")}
    columns |= {name: located[name].take(where) for name in LOCATED.names if name not in ("key", "id")}
    return pa.table(columns)


def documents_of_media(found: pa.Table) -> np.ndarray:
    """Return for each row in how many documents its medium stands, int64[n]; sorted by media, then document."""
    count = found.num_rows
    if not count:
        return np.zeros(0, np.int64)
    medium, document = id_words(found["media"]), id_words(found["id"])
    new_medium = np.concatenate([[True], (medium[1:] != medium[:-1]).any(axis=1)])
    new_pair = new_medium | np.concatenate([[True], (document[1:] != document[:-1]).any(axis=1)])
    group = np.cumsum(new_medium) - 1
    spread: np.ndarray = np.bincount(group, weights=new_pair).astype(np.int64)[group]
    return spread


def _index_in(wanted: Any, there: Any) -> pa.Array:
    """Return the row of each wanted value among those that are there, null where it is not."""
    if not len(wanted):
        return pa.array([], pa.int32())
    return pc.index_in(wanted.combine_chunks(), there.combine_chunks())
