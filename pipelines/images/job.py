"""The images job from recipe to committed snapshot.

stage -> captions -> link -> components -> route -> verify -> write. Keys work as in the text job: a changed rule runs
route, verify and write again, a changed size or format everything.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version as version_of
from typing import Any

from filters.images.captions import CAPTION_SIGNALS
from filters.images.captions import CAPTIONS_VERSION as SIGNALS_OF_CAPTIONS
from filters.images.child import RECORDS
from filters.images.decode import DECODE_VERSION
from filters.images.encode import ENCODE_VERSION
from filters.images.near import NEAR_VERSION
from filters.images.phash import PHASH_VERSION
from filters.images.profiles import PROFILES, applicable
from filters.images.resize import RESIZE_VERSION
from filters.images.signals import SIGNALS_VERSION
from manifests.keys import digest_of
from manifests.ledger import Account, balance, total
from manifests.limits import Limits, MediaLimits
from manifests.manifest import Manifest, commit, newest_version
from manifests.runs import RUN_VERSION, partitions_for, save_runs
from pipelines.images.block import Images
from pipelines.images.captions import CAPTIONS_VERSION
from pipelines.images.records import LAYOUT
from pipelines.launcher import Launcher
from pipelines.recipe import Input
from pipelines.sources import SOURCES_VERSION
from pipelines.stages import judges
from pipelines.stages.compact import compact
from pipelines.stages.labels import label_clusters
from pipelines.stages.ranges import Ranges, runs_of
from pipelines.stages.staged import Staged
from pipelines.stages.statistics import merge_statistics
from pipelines.stages.units import Inputs, Planned
from pipelines.tasks import Marker, Phase

JOB = "images"
VERSION = 1
DECODERS = ("pillow", "opencv-python-headless")  # another release may give other pixels
MAX_LEADERS = 64


@dataclass
class ImagesJob:
    """A recipe's images block over its inputs."""

    block: Images
    inputs: Sequence[Input]
    limits: Limits
    media_limits: MediaLimits
    launcher: Launcher
    crawled: Manifest | None = None

    def __post_init__(self) -> None:
        rules = [rule for name in self.block.profiles for rule in PROFILES[name]]
        self.rules, self.without_scorer = applicable(rules, (*RECORDS.names, *CAPTION_SIGNALS.names))
        self.sources = Inputs(self.inputs, self.launcher.store, self.crawled)
        self.ranges = Ranges(self.launcher, JOB, VERSION, self.limits.partition_bytes)

    def described(self) -> dict[str, Any]:
        """Return the settings that decide the bytes of the snapshot."""
        return {
            "stage": self._stage_settings(),
            "rules": judges.to_json(self.rules),
            "rules_without_scorer": list(self.without_scorer),
            **self.block.model_dump(mode="json"),
        }

    def _stage_settings(self) -> dict[str, Any]:
        return {
            "resize": self.block.resize.model_dump(),
            "encode": self.block.encode.model_dump(),
            "limits": asdict(self.media_limits),
            "max_record_bytes": self.limits.max_record_bytes,
            "refuse": list(self.block.refuse),
            "near": self.block.dedup.near,
            "versions": {
                "decode": DECODE_VERSION,
                "resize": RESIZE_VERSION,
                "encode": ENCODE_VERSION,
                "phash": PHASH_VERSION,
                "signals": SIGNALS_VERSION,
                "captions": CAPTIONS_VERSION,
                "caption_signals": SIGNALS_OF_CAPTIONS,
                "near": NEAR_VERSION,
                "sources": SOURCES_VERSION,
                "runs": RUN_VERSION,
                **{name: version_of(name) for name in DECODERS},
            },
        }

    def plan(self) -> list[Planned]:
        """Return the units of all inputs in a fixed order."""
        return self.sources.plan(JOB, {"settings": self._stage_settings()}, self.limits)

    def run(self) -> tuple[int, Manifest, bool]:
        """Run what is not done, commit, and return (version, manifest, whether it stood already)."""
        before = newest_version(self.launcher.store, JOB)
        planned = self.plan()
        markers = self._stage(planned)
        staged = Staged.from_markers(markers, LAYOUT.orders)
        encoded_bytes = sum(marker["encoded_bytes"] for marker in markers)
        written = self._decide(staged, encoded_bytes) if staged.runs["images"] else []
        self.sources.check_unchanged(planned)
        version, manifest = commit(self.launcher.store, JOB, self._body(markers, written))
        return version, manifest, version <= before

    def _stage(self, planned: Sequence[Planned]) -> list[Marker]:
        tasks = [each.task for each in planned]
        child = {
            "resize": self.block.resize.model_dump(),
            "encode": self.block.encode.model_dump(),
            "limits": asdict(self.media_limits),
        }
        config = {
            "inputs": self.sources.uris,
            "child": child,
            "limits": asdict(self.limits),
            "refuse": list(self.block.refuse),
            "max_distance": self.block.dedup.near or 0,
            "pack_bytes": 2 * self.limits.part_bytes,
        }
        return self.launcher.run(JOB, Phase("stage", tasks, "pipelines.images.stage:StageImages", config))

    def _decide(self, staged: Staged, encoded_bytes: int) -> list[Marker]:
        shards = self.block.shards
        if shards == "auto":
            shards = partitions_for(encoded_bytes, max(1, 2 * self.limits.shard_bytes))
        staged = compact(self.launcher, LAYOUT, staged, self.limits, shards)
        name = staged.save(self.launcher.store, JOB)
        worker, size = "pipelines.images.captions:JoinCaptions", staged.memory_bytes("stems")
        met = self.ranges.run("captions", worker, {"staged": name}, size)
        common = {"staged": name, "captions": self.ranges.listed(met), "rules": judges.to_json(self.rules)}
        merged = self._deduplicate(name, staged, common)
        config = {**common, "merged": self.ranges.listed(merged)}
        return self.ranges.write("pipelines.images.write:WriteShard", config, shards)

    def _deduplicate(self, name: str, staged: Staged, common: Mapping[str, Any]) -> list[Marker]:
        dedup = self.block.dedup
        if not dedup.exact and dedup.near is None:
            return []
        config = {"staged": name, "distance": dedup.near or 0}
        links = self.ranges.run("link", "pipelines.images.near:Link", config, staged.memory_bytes("bands"))
        labels = label_clusters(self.launcher, JOB, digest_of([config, VERSION]), runs_of(links))
        if not sum(run.rows for run in labels):
            return []
        route = {**common, "labels": save_runs(self.launcher.store, JOB, labels)}
        routed = self.ranges.run("route", "pipelines.images.near:Route", route, staged.memory_bytes("images"))
        verify = {
            "routed": self.ranges.listed(routed),
            "exact": dedup.exact,
            "near": dedup.near,
            "max_leaders": MAX_LEADERS,
        }
        size = sum(run.memory_bytes for run in runs_of(routed))
        return self.ranges.run("verify", "pipelines.images.near:Verify", verify, size)

    def _body(self, staged: Sequence[Marker], written: Sequence[Marker]) -> Manifest:
        """Return the manifest's body; raises LedgerError unless every unit balances."""
        accounts = {
            str(marker["unit_key"]): Account(
                marker["unit"],
                str(marker["unit_key"]),
                marker["read"],
                Counter(marker["reasons"]),
                marker["lost_bytes"],
            )
            for marker in staged
        }
        for marker in written:
            for unit, counts in marker["accounts"].items():
                accounts[unit].reasons.update(counts)
        shards = [shard for marker in (*staged, *written) for shard in marker["shards"]]
        return {
            "job": JOB,
            "settings": self.described(),
            "inputs": [{name: marker[name] for name in ("unit", "source", "content")} for marker in staged],
            "shards": sorted(shards, key=lambda shard: str(shard["name"])),
            "units": balance(accounts.values()),
            "ledger": total(accounts.values()).as_json(),
            "statistics": merge_statistics([marker["statistics"] for marker in written]),
            "parents": [self.crawled["digest"]] if self.crawled else [],
        }
