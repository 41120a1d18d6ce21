"""The films of the interleave job: read -> write. A video snapshot's films become documents beside the pages."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from filters.images.profiles import applicable
from filters.interleave.profiles import PROFILES
from filters.rules import Rule
from manifests.keys import digest_of
from manifests.ledger import Account
from manifests.limits import Limits
from manifests.manifest import Manifest
from manifests.runs import RUN_VERSION, Run, partitions_for, save_runs
from pipelines.interleave.block import Interleave
from pipelines.interleave.film_document import FRAME_SIGNALS
from pipelines.interleave.film_write import FILM_WRITE_VERSION
from pipelines.interleave.films import FILMS_VERSION
from pipelines.interleave.judge import NSFW
from pipelines.interleave.write import JOB
from pipelines.launcher import Launcher
from pipelines.stages.judges import to_json
from pipelines.stages.ranges import Ranges
from pipelines.tasks import Marker, Phase, Task

READ = ("films", "records", "dropped")
VERSIONS = {"films": FILMS_VERSION, "film_write": FILM_WRITE_VERSION}


@dataclass
class Films:
    """The films of one video snapshot. first_unit: number of its first shard of films in the ledger."""

    video: Manifest
    block: Interleave
    limits: Limits
    launcher: Launcher
    first_unit: int

    def __post_init__(self) -> None:
        rules = [rule for name in self.block.profiles for rule in PROFILES[name].images]
        is_scored = "nsfw" in self.video["settings"]["scorers"]
        columns = {*FRAME_SIGNALS.names, *({NSFW} if is_scored else ())}
        self.rules: tuple[Rule, ...]
        self.rules, self.not_of_films = applicable(rules, columns)

    def described(self) -> dict[str, Any]:
        """Return the rules that frames are judged by, and those of the profiles that say nothing of films."""
        documents = [rule.name for name in self.block.profiles for rule in PROFILES[name].documents]
        return {"image_rules": to_json(self.rules), "rules_not_of_films": [*self.not_of_films, *documents]}

    @property
    def _shards(self) -> list[dict[str, Any]]:
        return [shard for shard in self.video["shards"] if shard["kind"] == "films"]

    def accounts(self) -> dict[str, Account]:
        """Return an account for each shard of films, by its unit."""
        return {
            str(unit): Account(entry["name"], str(unit), entry["records"])
            for unit, entry in enumerate(self._shards, self.first_unit)
        }

    def read(self) -> list[Marker]:
        """Read the shards of the snapshot; return their markers."""
        tasks = [self._task(entry) for entry in self.video["shards"] if entry["kind"] in READ]
        return self.launcher.run(JOB, Phase("read_films", tasks, "pipelines.interleave.films:ReadFilms", {}))

    def _task(self, entry: dict[str, Any]) -> Task:
        arguments: dict[str, Any] = {"shard": entry}
        if entry["kind"] == "films":
            arguments["unit"] = self.first_unit + self._shards.index(entry)
        elif entry["kind"] == "records":
            arguments |= self._tar_of(entry)
        stem = f"{JOB}/read_films/{digest_of([arguments, FILMS_VERSION, RUN_VERSION])[:32]}"
        return Task(f"{stem}.json", {**arguments, "output": stem})

    def _tar_of(self, records: dict[str, Any]) -> dict[str, Any]:
        """Return the tar of the same range as a shard of records, and its index."""
        stem = _stem_of(records)
        same = [shard for shard in self.video["shards"] if _stem_of(shard) == stem]
        (index,) = (shard for shard in same if shard["kind"] == "index")
        (tar,) = (shard["name"] for shard in same if shard["name"].endswith(".tar"))
        return {"index": index, "tar": tar}

    def write(self, read: Sequence[Marker]) -> list[Marker]:
        """Write the documents; return the markers of the shards."""
        films, clips = (
            [Run(**marker["runs"][kind]) for marker in read if kind in marker["runs"]] for kind in ("films", "clips")
        )
        if not sum(run.rows for run in films):
            return []
        shards = self.block.shards
        if shards == "auto":
            size = sum(marker["bytes"] for marker in read)
            shards = partitions_for(size, max(1, 2 * self.limits.shard_bytes))
        config = {
            "films": save_runs(self.launcher.store, JOB, films),
            "clips": save_runs(self.launcher.store, JOB, clips),
            "image_rules": to_json(self.rules),
            "images": self.block.images,
        }
        version = f"{FILMS_VERSION} {FILM_WRITE_VERSION}"
        ranges = Ranges(self.launcher, JOB, version, self.limits.partition_bytes)
        return ranges.write("pipelines.interleave.film_write:WriteFilms", config, shards)


def _stem_of(shard: dict[str, Any]) -> str:
    """Return "part-00000-of-00002" of a shard's name: the tar, its index and its records share it."""
    return str(shard["name"]).rpartition("/")[2].rpartition("-")[0]
