"""Near-duplicates: clips that share a picture become clusters, and in a cluster their pictures are compared in order.

link     band range    band rows -> a spanning forest of candidates (pipelines.text.duplicates:Link)
route    id range      clustered clips that no rule drops, keyed by cluster
verify   label range   members of a cluster -> who is merged into whom
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from filters.video.near import Match, clip_keys, match
from manifests.keys import digest_of, key_range, keys_of
from manifests.reasons import Merged
from manifests.records import DIGEST, ID, KEY
from manifests.runs import gather, load_runs, write_run
from manifests.store import Store
from pipelines.stages.labels import LABELLED
from pipelines.stages.staged import Staged
from pipelines.text.duplicate_rows import MERGED
from pipelines.video.rules import Judge

MAX_LEADERS = 64  # kept clips of a cluster that one member is compared with
US = 1_000_000
ROUTED = pa.schema(
    [
        ("key", KEY),  # of the label
        ("label", ID),
        ("id", ID),
        ("digest", DIGEST),  # of the film
        ("span", pa.list_(pa.float64())),  # of the clip, in the film
        ("pixel_us", pa.int64()),  # pixels of a frame x microseconds: the clip with most of them stays
        ("hashes", pa.list_(pa.uint64())),
    ]
)


def band_rows(clips: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return BAND rows of clips: those of their pictures, and one of film and span, so that equals meet."""
    owners, keys = clip_keys([clip["hashes"] for clip in clips])
    rows = [{"key": key, "id": clips[n]["id"]} for n, key in zip(owners.tolist(), keys.tolist(), strict=True)]
    return rows + [{"key": _exact_key(clip), "id": clip["id"]} for clip in clips]


def _exact_key(clip: Mapping[str, Any]) -> int:
    return int(digest_of([clip["digest"].hex(), clip["start_s"], clip["end_s"]])[:16], 16)


class Route:
    """Worker: the clustered clips of an id range. config: {staged, labels, told, rules, word_lists}."""

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        staged = Staged.load(store, config["staged"])
        self.store, self.labels = store, load_runs(store, config["labels"])
        self.judge = Judge(store, staged.runs["clips"], load_runs(store, config["told"]), config)

    def close(self) -> None:
        """Nothing is held."""

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        low, high = key_range(arguments["partition"], arguments["partitions"])
        labels = gather(self.store, self.labels, LABELLED, low, high, ("key", "id"))
        judged = self.judge.read(low, high)
        alive = judged.rows.filter(pa.array(judged.stays))
        place = pc.index_in(alive["id"], labels["id"].combine_chunks())
        alive = alive.filter(pc.is_valid(place))
        label = labels["label"].combine_chunks().take(pc.drop_null(place).combine_chunks())
        columns = {
            "key": pa.array(keys_of(label), KEY),
            "label": label,
            **{n: alive[n] for n in ("id", "digest", "hashes")},
        }
        told = alive.select(["start_s", "end_s", "width_px", "height_px"]).to_pylist()
        columns["span"] = pa.array([[one["start_s"], one["end_s"]] for one in told], ROUTED.field("span").type)
        columns["pixel_us"] = pa.array([_pixel_us(one) for one in told], pa.int64())
        table = pa.table({name: columns[name] for name in ROUTED.names}, schema=ROUTED)
        run = write_run(self.store, arguments["output"], table, ("key", "label", "id"))
        return {"run": run.as_json(), "counts": {"members": run.rows}}


def _pixel_us(clip: Mapping[str, Any]) -> int:
    length_us: int = round((clip["end_s"] - clip["start_s"]) * US)
    return int(clip["width_px"]) * int(clip["height_px"]) * length_us


class Verify:
    """Worker: the merges of the clusters of a label range. config: {routed, exact, near: a fraction or null}."""

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        self.store, self.routed = store, load_runs(store, config["routed"])
        self.exact, self.near = config["exact"], config["near"]

    def close(self) -> None:
        """Nothing is held."""

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        low, high = key_range(arguments["partition"], arguments["partitions"])
        members = gather(self.store, self.routed, ROUTED, low, high, ("key", "label", "id"))
        rows = sorted(members.to_pylist(), key=lambda row: (row["label"], -row["pixel_us"], row["id"]))
        found = [self._cluster(cluster) for _, cluster in groupby(rows, itemgetter("label"))]
        merges = [merge for cluster, _ in found for merge in cluster]
        run = write_run(self.store, arguments["output"], pa.Table.from_pylist(merges, MERGED), ("key", "id"))
        return {"run": run.as_json(), "uncompared": sum(n for _, n in found), "counts": {"merged": run.rows}}

    def _cluster(self, members: Iterable[Mapping[str, Any]]) -> tuple[list[dict[str, Any]], int]:
        """Return the merges of a cluster, best member first, and how many were compared with too few leaders."""
        leaders: list[Mapping[str, Any]] = []
        first: dict[tuple[Any, ...], Mapping[str, Any]] = {}  # film and span -> who was decided on with it
        merges: dict[bytes, dict[str, Any]] = {}
        uncompared = 0
        for member in members:
            same = first.setdefault((member["digest"], *member["span"]), member)
            if self.exact and same is not member:
                kept = merges.get(same["id"], {"kept_id": same["id"], "similarity": 1.0})
                merges[member["id"]] = _merge(member, kept["kept_id"], Merged.EXACT_DUPLICATE, kept["similarity"])
                continue
            found = self._leader(member, leaders[:MAX_LEADERS])
            if found is not None:
                similarity = found[1].matched / found[1].compared
                merges[member["id"]] = _merge(member, found[0]["id"], Merged.NEAR_DUPLICATE, similarity)
                continue
            uncompared += len(leaders) > MAX_LEADERS
            leaders.append(member)
        return list(merges.values()), uncompared

    def _leader(
        self, member: Mapping[str, Any], leaders: Sequence[Mapping[str, Any]]
    ) -> tuple[Mapping[str, Any], Match] | None:
        """Return the first leader that shows the same, and how both fit."""
        for leader in leaders if self.near is not None else ():
            found = match(leader["hashes"], member["hashes"])
            if found.is_duplicate(self.near):
                return leader, found
        return None


def _merge(member: Mapping[str, Any], kept: bytes, reason: Merged, similarity: float) -> dict[str, Any]:
    key = int.from_bytes(member["id"][:8])
    return {"key": key, "id": member["id"], "kept_id": kept, "reason": str(reason), "similarity": similarity}
