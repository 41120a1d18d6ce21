"""Join: parts meet records by address; what they measure is attached by media id (pipelines.interleave.attach).

join     address range   parts and what is known of their address -> parts by media, parts without media, and parts
                         whose address is a redirect: these are joined once more, by where it leads
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from manifests.keys import key_range, keys_of
from manifests.reasons import Missing
from manifests.records import KEY
from manifests.runs import gather, load_runs, write_run
from manifests.store import Store
from pipelines.interleave.read import ORDERS, address_keys
from pipelines.interleave.records import ASKED, FOUND, HOP, KNOWN, LOST

JOIN_VERSION = 2
MAX_HOPS = 10  # redirects behind an address that are followed
FOUND_ORDER = ("key", "media", "id", "position", "start_s")
PART_ORDER = ("key", "id", "position", "start_s")
LOST_ORDER = PART_ORDER[:3]
IMAGE = "image"


class Join:
    """Worker: the parts of a range of addresses. config: {asked, known, hops}: lists of runs."""

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        self.store = store
        self.asked, self.known, self.hops = (load_runs(store, config[name]) for name in ("asked", "known", "hops"))

    def close(self) -> None:
        """Nothing is held."""

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        low, high = key_range(arguments["partition"], arguments["partitions"])
        asked = gather(self.store, self.asked, ASKED, low, high, ORDERS["asked"])
        known = gather(self.store, self.known, KNOWN, low, high, ORDERS["known"])
        hops = gather(self.store, self.hops, HOP, low, high, ORDERS["hops"])
        joined = join(asked, known, hops)
        is_image = pc.equal(joined.met_kind, IMAGE)
        tables = {
            "found": (joined.found.filter(is_image), FOUND_ORDER),
            "found_clips": (joined.found.filter(pc.invert(is_image)), FOUND_ORDER),
            "lost": (joined.lost, LOST_ORDER),
            "asked": (joined.moved, ORDERS["asked"]),
        }
        runs = {
            kind: write_run(self.store, f"{arguments['output']}-{kind}", table, order)
            for kind, (table, order) in tables.items()
        }
        counts = {"joined": joined.found.num_rows, "missing": joined.lost.num_rows, "redirected": joined.moved.num_rows}
        return {"runs": {kind: run.as_json() for kind, run in runs.items()}, "counts": counts}


class Joined(NamedTuple):
    """What became of parts."""

    found: pa.Table  # FOUND
    met_kind: pa.Array  # image | audio | video, of the record of each row of `found`
    lost: pa.Table  # LOST
    moved: pa.Table  # ASKED, under the address to which a redirect led


def join(asked: pa.Table, known: pa.Table, hops: pa.Table) -> Joined:
    """Return what parts met. An image meets images; a film or sound its own kind first, then the other of the two.

    Of what is known of an address and kind the smallest (rank, file) counts. An image takes one record of it, a film
    or sound all that stand. known, hops: sorted as ORDERS says; of the hops of an address the latest counts.
    """
    names = pc.binary_join_element_wise(known["address"], known["kind"], "\0").combine_chunks()
    first = _changes(names)
    heads = known.filter(pa.array(first))
    group = _of_group(asked, names.filter(pa.array(first)))
    is_met = pc.is_valid(group)
    stands = _standing(known, first)
    starts = np.append(0, np.cumsum(np.bincount((np.cumsum(first) - 1)[stands], minlength=heads.num_rows)))
    groups = group.filter(is_met).to_numpy(zero_copy_only=False).astype(np.int64)
    counts = np.diff(starts)[groups]
    whose = np.repeat(np.arange(len(groups)), counts)
    which = np.repeat(starts[groups] - np.append(0, np.cumsum(counts))[:-1], counts) + np.arange(counts.sum())
    met, records = asked.filter(is_met), known.filter(pa.array(stands)).take(pa.array(which))
    found = met.take(pa.array(whose))
    gone = met.filter(pa.array(counts == 0))
    reasons = heads["reason"].take(pa.array(groups[counts == 0]))
    moved, unknown = follow(asked.filter(pc.invert(is_met)), hops)
    nowhere = pa.array([str(Missing.NO_SUCH_MEDIA)] * unknown.num_rows, pa.string())
    media = records["media"].combine_chunks()
    own = {
        "key": pa.array(keys_of(media), KEY),
        "media": media,
        "start_s": records["start_s"],
        "end_s": records["end_s"],
    }
    return Joined(
        pa.table({name: own[name] if name in own else found[name] for name in FOUND.names}, FOUND),
        records["kind"].combine_chunks(),
        pa.concat_tables([_lost(gone, reasons), _lost(unknown, nowhere)]),
        moved,
    )


def _of_group(asked: pa.Table, groups: pa.Array) -> pa.Array:
    """Return the number of the group of each part's address and kind, null where there is none."""
    kinds = asked["kind"].combine_chunks()
    other = pc.if_else(pc.equal(kinds, "video"), "audio", pc.if_else(pc.equal(kinds, "audio"), "video", kinds))
    addresses = asked["address"].combine_chunks()
    named = (pc.binary_join_element_wise(addresses, kind, "\0") for kind in (kinds, other))
    return pc.coalesce(*(index_in(each, groups) for each in named))


def _standing(known: pa.Table, first: np.ndarray) -> np.ndarray:
    """Return bool[known]: records that a part takes. first: where a group of rows begins."""
    is_record = pc.is_valid(known["media"]).to_numpy(zero_copy_only=False)
    is_image = pc.equal(known["kind"], IMAGE).to_numpy(zero_copy_only=False).astype(bool)
    if not known.num_rows:
        return np.zeros(0, bool)
    heads = (
        known["file"].combine_chunks().take(pa.array(np.maximum.accumulate(np.where(first, np.arange(len(first)), 0))))
    )
    same = pc.fill_null(pc.equal(known["file"].combine_chunks(), heads), fill_value=False)
    stands: np.ndarray = is_record & np.where(is_image, first, same.to_numpy(zero_copy_only=False))
    return stands


def follow(unknown: pa.Table, hops: pa.Table) -> tuple[pa.Table, pa.Table]:
    """Return (parts under the address to which a redirect led, the others), both ASKED."""
    addresses = hops["address"].combine_chunks()
    latest = hops.filter(pa.array(np.roll(_changes(addresses), -1)))  # the last of each: the first row is a change too
    place = index_in(unknown["address"], latest["address"])
    target = latest["target"].combine_chunks().take(place)
    moved = unknown.filter(pc.is_valid(target))
    target = target.drop_null()
    columns = {"key": pa.array(address_keys(target), KEY), "address": target}
    moved = pa.table({name: columns[name] if name in columns else moved[name] for name in ASKED.names}, ASKED)
    return moved, unknown.filter(pc.is_null(place))


def _lost(parts: pa.Table, reasons: pa.Array) -> pa.Table:
    own = {"key": pa.array(keys_of(parts["id"].combine_chunks()), KEY), "reason": reasons}
    return pa.table({name: own[name] if name in own else parts[name] for name in LOST.names}, LOST)


def _changes(values: pa.Array) -> np.ndarray:
    """Return bool[values]: those that differ from the one before; the first one does."""
    first = np.ones(len(values), bool)
    if len(values) > 1:
        first[1:] = pc.not_equal(values[1:], values[:-1]).to_numpy(zero_copy_only=False)
    return first


def index_in(wanted: Any, there: Any) -> pa.Array:
    """Return the row of each wanted value among those that are there, null where it is not."""
    if not len(wanted):
        return pa.array([], pa.int32())
    return pc.index_in(_one(wanted), _one(there))


def _one(column: Any) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
