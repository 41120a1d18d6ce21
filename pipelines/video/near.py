"""Near-duplicates: clips that share a picture become clusters, and in a cluster their pictures are compared in order.

link     band range    band rows -> a spanning forest of candidates (pipelines.stages.link:Link)
route    id range      clustered clips that no rule drops, keyed by cluster
verify   label range   members of a cluster -> who is merged into whom
"""

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from filters.video.near import clip_keys, match
from manifests.keys import digest_of, key_range, keys_of
from manifests.records import DIGEST, ID, KEY
from manifests.runs import gather, load_runs, write_run
from manifests.store import Store
from pipelines.stages.duplicate_rows import MERGED
from pipelines.stages.labels import LABELLED
from pipelines.stages.leaders import merges_of
from pipelines.stages.staged import Staged
from pipelines.video.rules import Judge

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
        merges, uncompared = merges_of(rows, _identity, self._likeness, exact=self.exact)
        run = write_run(self.store, arguments["output"], pa.Table.from_pylist(merges, MERGED), ("key", "id"))
        return {"run": run.as_json(), "uncompared": uncompared, "counts": {"merged": run.rows}}

    def _likeness(self, leader: Mapping[str, Any], member: Mapping[str, Any]) -> float | None:
        """Return the share of pictures that agree, None where the two do not show the same."""
        if self.near is None:
            return None
        found = match(leader["hashes"], member["hashes"])
        return found.matched / found.compared if found.is_duplicate(self.near) else None


def _identity(clip: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return what makes two clips the same: film and span."""
    return (clip["digest"], *clip["span"])
