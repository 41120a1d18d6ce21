"""What a crawl knows between two rounds, as its newest snapshot states it."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from manifests.ledger import Account
from manifests.manifest import Manifest
from manifests.runs import Run
from manifests.shards import Shard

JOB = "crawl"
MEND = "restore it, or go back to a snapshot from before these settings"  # what is made once for all rounds
PUBLISHED = ("warc", "diagnostics", "cdxj", "requests")  # kinds that every later snapshot lists too


@dataclass
class State:
    """The frontier, the hosts and the withdrawn URLs as runs, and everything that adds up over rounds."""

    digest: str = ""  # of the snapshot, "" before the first
    rounds: int = 0
    settings_key: str = ""
    rounds_of_settings: int = 0  # since the settings changed last
    finished: bool = False  # nothing is left that these settings would fetch
    seeds: str = ""  # the list of runs that these settings admitted
    frontier: list[Run] = field(default_factory=list)
    hosts: list[Run] = field(default_factory=list)
    withdrawn: list[Run] = field(default_factory=list)
    shards: list[dict[str, Any]] = field(default_factory=list)
    accounts: list[Account] = field(default_factory=list)
    statistics: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, manifest: Manifest) -> "State":
        """Return the state that a manifest of the crawl describes."""
        progress = manifest["progress"]
        return cls(
            digest=manifest["digest"],
            rounds=progress["rounds"],
            settings_key=progress["settings_key"],
            rounds_of_settings=progress["rounds_of_settings"],
            finished=progress["finished"],
            seeds=progress["seeds"],
            frontier=[Run(**run) for run in manifest["frontier"]],
            hosts=[Run(**run) for run in manifest["hosts"]],
            withdrawn=[Run(**run) for run in manifest.get("withdrawn", [])],
            shards=[shard for shard in manifest["shards"] if shard["kind"] in PUBLISHED],
            accounts=[_account(unit) for unit in manifest["units"]],
            statistics=manifest["statistics"],
        )

    @property
    def progress(self) -> dict[str, Any]:
        """Return what the manifest says of how far the crawl has come."""
        return {
            "rounds": self.rounds,
            "settings_key": self.settings_key,
            "rounds_of_settings": self.rounds_of_settings,
            "finished": self.finished,
            "seeds": self.seeds,
        }

    def kept(self) -> tuple[int, int]:
        """Return (records kept, their bytes as sent) of all rounds."""
        return self.statistics.get("kept", 0), self.statistics.get("bytes", 0)


@contextmanager
def advice_on_damage(newest: Callable[[], Manifest | None]) -> Iterator[None]:
    """Say what to do about a damaged run that the newest snapshot needs: no round makes it again."""
    try:
        yield
    except RuntimeError as error:
        manifest = newest()
        what = str(error).partition("; delete ")[0]
        runs = [run for name in ("frontier", "hosts", "withdrawn") for run in (manifest or {}).get(name, [])]
        for name in (run["name"] for run in runs if run["name"] in what):
            folder = name.rpartition("/")[0]
            mend = f"restore it, or delete the newest of {JOB}/manifests/ and {folder}/ and run the same command again"
            raise RuntimeError(f"{what}; the newest snapshot needs it: {mend}") from error
        raise


def _account(unit: Mapping[str, Any]) -> Account:
    return Account(unit["unit"], unit["unit_key"], unit["in"], Counter(unit["out"]), unit["lost_bytes"])


def run_shards(kind: str, runs: Iterable[Run]) -> list[dict[str, Any]]:
    """Return runs as entries of a manifest, so that `verify` looks at them too."""
    return [Shard(run.name, kind, run.bytes, run.sha256, run.rows, None, None).as_json() for run in runs]


def add_statistics(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """Return the sum of two statistics: numbers add, counts by name add by name; lists are left to the caller."""
    added: dict[str, Any] = {}
    for name in sorted(before.keys() | now.keys()):
        one, other = before.get(name), now.get(name)
        if one is None or other is None:
            added[name] = other if one is None else one
        elif isinstance(one, Mapping):
            added[name] = add_statistics(one, other)
        elif not isinstance(one, list):
            added[name] = one + other
    return added
