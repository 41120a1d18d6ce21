"""The images job from recipe to committed snapshot.

stage -> captions -> link -> components -> route -> verify -> write. Keys work as in the text job: a changed rule runs
route, verify and write again, a changed size or format everything.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
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
from manifests.runs import RUN_VERSION, Run, partitions_for, save_runs
from manifests.store import Listed, Store, open_input
from pipelines.images.block import Images
from pipelines.images.captions import CAPTIONS_VERSION
from pipelines.images.records import KINDS
from pipelines.launcher import Launcher
from pipelines.recipe import CRAWLED, Input
from pipelines.sources import SOURCES_VERSION, Unit, plan_units
from pipelines.tasks import Marker, Phase, Task
from pipelines.text import judges
from pipelines.text.labels import label_clusters
from pipelines.text.nesting import refuse_nested
from pipelines.text.staged import Staged
from pipelines.text.statistics import merge_statistics

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
        self.uris = {each.name: each.uri for each in self.inputs}
        if self.crawled is not None:
            self.uris[CRAWLED] = self.launcher.store.uri

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

    def plan(self) -> list[tuple[Unit, str, int, str]]:
        """Return (unit, generation, key, prefix of its staged objects) of all units in a fixed order."""
        settings, planned = self._stage_settings(), []
        for name, store, kind in self._sources():
            for unit in plan_units(store, name, kind, unit_bytes=self.limits.unit_bytes):
                identity = unit.identity()
                generation = digest_of([store.generation(file) for file in unit.files()])[:16]
                key = digest_of({"settings": settings, "unit": identity, "generation": generation})
                planned.append((unit, generation, int(digest_of(identity)[:16], 16), f"{JOB}/staged/{key[:32]}"))
        if not planned:
            raise FileNotFoundError(f"there is nothing to read: {', '.join(self.uris.values()) or 'no input'}")
        return planned

    def _sources(self) -> Iterator[tuple[str, Store, str]]:
        for each in self.inputs:
            store = open_input(each.uri)
            refuse_nested(each.name, store, self.launcher.store.uri)
            yield each.name, store, each.kind
        if self.crawled is not None:
            names = tuple(shard["name"] for shard in self.crawled["shards"] if shard["kind"] == "warc")
            yield CRAWLED, Listed(self.launcher.store, names), "warc"

    def run(self) -> tuple[int, Manifest, bool]:
        """Run what is not done, commit, and return (version, manifest, whether it stood already)."""
        before = newest_version(self.launcher.store, JOB)
        staged = self._stage()
        runs = {kind: [Run(**run) for marker in staged for run in marker["runs"][kind]] for kind in KINDS}
        written = (
            self._decide(Staged(runs), sum(marker["encoded_bytes"] for marker in staged)) if runs["images"] else []
        )
        version, manifest = commit(self.launcher.store, JOB, self._body(staged, written))
        return version, manifest, version <= before

    def _stage(self) -> list[Marker]:
        tasks = [
            Task(
                f"{prefix}/done.json",
                {"unit": asdict(unit), "generation": generation, "unit_key": key, "prefix": prefix},
            )
            for unit, generation, key, prefix in self.plan()
        ]
        child = {
            "resize": self.block.resize.model_dump(),
            "encode": self.block.encode.model_dump(),
            "limits": asdict(self.media_limits),
        }
        config = {
            "inputs": self.uris,
            "child": child,
            "limits": asdict(self.limits),
            "refuse": list(self.block.refuse),
            "max_distance": self.block.dedup.near or 0,
            "pack_bytes": 2 * self.limits.part_bytes,
        }
        return self.launcher.run(JOB, Phase("stage", tasks, "pipelines.images.stage:StageImages", config))

    def _decide(self, staged: Staged, encoded_bytes: int) -> list[Marker]:
        module, name = "pipelines.images", staged.save(self.launcher.store, JOB)
        met = self._partitioned(
            "captions", f"{module}.captions:JoinCaptions", {"staged": name}, staged.memory_bytes("stems")
        )
        common = {"staged": name, "captions": self._listed(met), "rules": judges.to_json(self.rules)}
        merged = self._deduplicate(name, staged, common)
        shards = self.block.shards
        if shards == "auto":
            shards = partitions_for(encoded_bytes, max(1, 2 * self.limits.shard_bytes))
        config = {**common, "merged": self._listed(merged)}
        stem = f"{JOB}/write/{digest_of({**config, 'shards': shards, 'version': VERSION})[:32]}"
        tasks = [
            Task(f"{stem}/{shard:05d}-of-{shards:05d}.json", {"shard": shard, "shards": shards})
            for shard in range(shards)
        ]
        return self.launcher.run(JOB, Phase("write", tasks, f"{module}.write:WriteShard", config))

    def _deduplicate(self, name: str, staged: Staged, common: Mapping[str, Any]) -> list[Marker]:
        dedup = self.block.dedup
        if not dedup.exact and dedup.near is None:
            return []
        config = {"staged": name, "distance": dedup.near or 0}
        links = self._partitioned("link", "pipelines.images.near:Link", config, staged.memory_bytes("bands"))
        labels = label_clusters(self.launcher, JOB, digest_of([config, VERSION]), _runs(links))
        if not sum(run.rows for run in labels):
            return []
        route = {**common, "labels": save_runs(self.launcher.store, JOB, labels)}
        routed = self._partitioned("route", "pipelines.images.near:Route", route, staged.memory_bytes("images"))
        verify = {"routed": self._listed(routed), "exact": dedup.exact, "near": dedup.near, "max_leaders": MAX_LEADERS}
        size = sum(run.memory_bytes for run in _runs(routed))
        return self._partitioned("verify", "pipelines.images.near:Verify", verify, size)

    def _listed(self, markers: Sequence[Marker]) -> str:
        return save_runs(self.launcher.store, JOB, _runs(markers))

    def _partitioned(self, phase: str, worker: str, config: dict[str, Any], size: int) -> list[Marker]:
        """Run a phase over even key ranges, as many as `size` bytes of rows ask for."""
        count = partitions_for(size, self.limits.partition_bytes)
        stem = f"{JOB}/{phase}/{digest_of({**config, 'version': VERSION})[:32]}"
        names = [f"{stem}/{part:05d}-of-{count:05d}" for part in range(count)]
        tasks = [
            Task(f"{name}.json", {"partition": part, "partitions": count, "output": name})
            for part, name in enumerate(names)
        ]
        return self.launcher.run(JOB, Phase(phase, tasks, worker, config))

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


def _runs(markers: Sequence[Marker]) -> list[Run]:
    return [Run(**marker["run"]) for marker in markers]
