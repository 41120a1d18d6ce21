"""The text job from recipe to committed snapshot: which phases run, under which keys, and the balance at the end.

Each key digests exactly what its artifacts depend on, so a changed threshold runs decide and write again and
nothing else: stage_key <- unit, settings, versions; link_key <- staged runs; select_key <- staged runs, rules;
write_key <- everything decided, shard count. Workers, runner, memory and paths are in no key.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from filters import annotate, language
from filters.annotate import Settings
from filters.models import fetch_model
from manifests.keys import digest_of
from manifests.ledger import Account, balance, total
from manifests.limits import Limits
from manifests.manifest import Manifest, commit, newest_version
from manifests.runs import Run, partitions_for
from manifests.store import open_input
from pipelines.launcher import Launcher, Phase, Task
from pipelines.recipe import Recipe
from pipelines.sources import Unit, plan_units
from pipelines.text import judges
from pipelines.text.compact import compact
from pipelines.text.labels import label_clusters
from pipelines.text.staged import Staged
from pipelines.text.statistics import merge_statistics

JOB = "text"
DECIDE_VERSION = 1
WRITE_VERSION = 1


class QuarantineError(RuntimeError):
    """More of the input is broken than the recipe allows; nothing was committed."""


@dataclass(frozen=True)
class Planned:
    """A unit with the names that follow from it."""

    unit: Unit
    key: int  # of the unit alone: the same in every plan and place
    generation: str
    prefix: str  # where its staged objects stand

    @property
    def task(self) -> Task:
        arguments = {
            "unit": asdict(self.unit),
            "unit_key": self.key,
            "generation": self.generation,
            "prefix": self.prefix,
        }
        return Task(f"{self.prefix}/done.json", arguments)


@dataclass
class TextJob:
    """A recipe's text block over its inputs."""

    recipe: Recipe
    launcher: Launcher

    def __post_init__(self) -> None:
        text = self.recipe.text
        self.limits: Limits = self.recipe.limits()
        near = text.dedup.near
        self.settings = Settings(
            limits=asdict(self.limits),
            edits=tuple(text.edits),
            refuse=tuple(text.policy.refuse),
            near=None if near is None else {"bands": near.bands, "rows": near.rows, "ngram": near.ngram},
        )
        self.rules = judges.chosen(text.rules, text.threshold_bounds(), text.languages, text.min_language_score)
        self.inputs = {each.name: each.uri for each in self.recipe.inputs}

    def plan(self) -> list[Planned]:
        """Return the units of all inputs in a fixed order."""
        settings = {
            "settings": _without_running_limits(asdict(self.settings)),
            "versions": annotate.versions(),
        }
        planned = []
        for each in self.recipe.inputs:
            store = open_input(each.uri)
            units = plan_units(store, each.name, each.kind, unit_bytes=self.limits.unit_bytes)
            if not units:
                raise FileNotFoundError(f"input {each.name}: {each.uri} is not there, or holds nothing to read")
            for unit in units:
                identity = unit.identity()
                generation = digest_of([store.generation(name) for name in unit.files()])[:16]
                stage_key = digest_of({**settings, "unit": identity, "generation": generation})
                planned.append(
                    Planned(unit, int(digest_of(identity)[:16], 16), generation, f"{JOB}/staged/{stage_key[:32]}")
                )
        return planned

    def described(self) -> dict[str, Any]:
        """Return the settings that decide the bytes of the snapshot, for the manifest."""
        text = self.recipe.text
        return {
            "stage": _without_running_limits(asdict(self.settings)),
            "versions": {**annotate.versions(), "decide": DECIDE_VERSION, "write": WRITE_VERSION},
            "rules": judges.to_json(self.rules),
            "dedup": text.dedup.model_dump(mode="json"),
            "shards": text.shards,
            "dropped_text_sample": text.dropped_text_sample,
        }

    def run(self) -> tuple[int, Manifest, bool]:
        """Run what is not done, commit, and return (version, manifest, whether it stood already)."""
        planned = self.plan()
        before = newest_version(self.launcher.store, JOB)
        staged_markers = self.stage(planned)
        written = self.decide_and_write(Staged.from_markers(staged_markers), staged_markers)
        self._check_inputs(planned)
        body = self.body(staged_markers, written)
        version, manifest = commit(self.launcher.store, JOB, body)
        return version, manifest, version <= before

    def stage(self, planned: Sequence[Planned]) -> list[dict[str, Any]]:
        """Stage every unit; raises QuarantineError where too much of the input is broken."""
        config = {"inputs": self.inputs, "settings": asdict(self.settings)}
        tasks = [each.task for each in planned]
        fetch_model(language.MODEL)
        markers = self.launcher.run(JOB, Phase("stage", tasks, "pipelines.text.stage:StageUnit", config))
        reasons = Counter[str]()
        for marker in markers:
            reasons.update({name: n for name, n in marker["reasons"].items() if name.startswith("quarantined/")})
        read, broken = sum(marker["read"] for marker in markers), sum(reasons.values())
        if broken > self.limits.max_quarantined_fraction * read:
            most = ", ".join(f"{name.split('/')[1]} {count}" for name, count in reasons.most_common(3))
            raise QuarantineError(
                f"{broken} of {read} records are quarantined, more than max_quarantined_fraction = "
                f"{self.limits.max_quarantined_fraction}: {most}. See {JOB}/quarantine/ in the output."
            )
        return markers

    def decide_and_write(self, staged: Staged, markers: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        """Run compact, select, link, components, route, verify and write; return the markers of write."""
        if not staged.runs["documents"]:
            return []
        shards = self._shard_count(sum(marker["text_bytes"] for marker in markers))
        staged = compact(self.launcher, JOB, staged, self.limits, shards)
        name = staged.save(self.launcher.store, JOB)
        decided = self._select(name, staged)
        merged = self._deduplicate(name, staged, decided)
        return self._write(name, decided, merged, shards)

    def _shard_count(self, text_bytes: int) -> int:
        """Return the recipe's number of shards; auto gives each half of shard_bytes of text, so that it fits memory."""
        chosen = self.recipe.text.shards
        return partitions_for(text_bytes, self.limits.shard_bytes // 2) if chosen == "auto" else int(chosen)

    def _partitioned(
        self, phase: str, worker: str, config: dict[str, Any], key: str, size: int
    ) -> list[dict[str, Any]]:
        count = partitions_for(size, self.limits.partition_bytes)
        stem = f"{JOB}/{phase}/{key[:32]}"
        tasks = [
            Task(
                f"{stem}/{p:05d}-of-{count:05d}.json",
                {"partition": p, "partitions": count, "output": f"{stem}/{p:05d}-of-{count:05d}.arrow"},
            )
            for p in range(count)
        ]
        return self.launcher.run(JOB, Phase(phase, tasks, worker, config))

    def _select(self, staged_name: str, staged: Staged) -> list[Run]:
        config = {"staged": staged_name, "rules": judges.to_json(self.rules)}
        key = digest_of({**config, "version": DECIDE_VERSION})
        size = staged.bytes("signals")
        return _runs(self._partitioned("select", "pipelines.text.decide:Select", config, key, size))

    def _deduplicate(self, staged_name: str, staged: Staged, decided: list[Run]) -> list[Run]:
        dedup = self.recipe.text.dedup
        if not dedup.exact and dedup.near is None:
            return []
        link_key = digest_of({"staged": staged_name, "version": DECIDE_VERSION})
        links = self._partitioned(
            "link", "pipelines.text.decide:Link", {"staged": staged_name}, link_key, staged.bytes("bands")
        )
        labels = label_clusters(self.launcher, JOB, link_key, _runs(links))
        if not sum(run.rows for run in labels):
            return []
        config = {
            "staged": staged_name,
            "decided": _json(decided),
            "labels": _json(labels),
            "ngram": dedup.near.ngram if dedup.near else 1,
        }
        key = digest_of({**config, "version": DECIDE_VERSION})
        routed = _runs(
            self._partitioned("route", "pipelines.text.decide:Route", config, key, staged.bytes("documents"))
        )
        verify = {
            "routed": _json(routed),
            "exact": dedup.exact,
            "threshold": dedup.near.threshold if dedup.near else None,
            "max_leaders": self.limits.max_leaders_compared,
        }
        key = digest_of({**verify, "version": DECIDE_VERSION})
        markers = self._partitioned(
            "verify", "pipelines.text.decide:Verify", verify, key, sum(run.bytes for run in routed)
        )
        self.clusters = markers
        return _runs(markers)

    def _write(self, staged_name: str, decided: list[Run], merged: list[Run], shards: int) -> list[dict[str, Any]]:
        config = {
            "staged": staged_name,
            "decided": _json(decided),
            "merged": _json(merged),
            "rules": judges.to_json(self.rules),
            "sample": self.recipe.text.dropped_text_sample,
        }
        key = digest_of({**config, "shards": shards, "version": WRITE_VERSION})
        tasks = [
            Task(f"{JOB}/write/{key[:32]}/{shard:05d}-of-{shards:05d}.json", {"shard": shard, "shards": shards})
            for shard in range(shards)
        ]
        return self.launcher.run(JOB, Phase("write", tasks, "pipelines.text.write:WriteShard", config))

    def _check_inputs(self, planned: Sequence[Planned]) -> None:
        """Refuse to commit over inputs that changed while they were read."""
        stores = {name: open_input(uri) for name, uri in self.inputs.items()}
        for each in planned:
            store = stores[each.unit.source]
            if digest_of([store.generation(name) for name in each.unit.files()])[:16] != each.generation:
                raise RuntimeError(f"{each.unit.name}: the input changed while it was read; run the same command again")

    def body(self, staged: Sequence[dict[str, Any]], written: Sequence[dict[str, Any]]) -> Manifest:
        """Return the manifest's body; raises LedgerError unless every unit balances."""
        accounts = {str(marker["unit_key"]): _account(marker) for marker in staged}
        for marker in written:
            for unit, counts in marker["accounts"].items():
                for name, count in counts.items():
                    verdict, _, reason = name.partition("/")
                    accounts[unit].add(verdict, reason, count)
        shards = [shard for marker in (*staged, *written) for shard in marker["shards"]]
        self._check_files(shards, accounts.values())
        clusters = merge_statistics(
            [{"sizes": m["cluster_sizes"], "uncompared": m["uncompared"]} for m in getattr(self, "clusters", [])]
        )
        return {
            "job": JOB,
            "settings": self.described(),
            "inputs": [{"unit": m["unit"], "source": m["source"], "content": m["content"]} for m in staged],
            "shards": sorted(shards, key=lambda shard: str(shard["name"])),
            "units": balance(accounts.values()),
            "ledger": total(accounts.values()).as_json(),
            "statistics": merge_statistics([marker["statistics"] for marker in written]) | {"clusters": clusters},
            "models": {"lid.176.ftz": annotate.versions()["language_model"]},
            "parents": [],
        }

    def _check_files(self, shards: Sequence[dict[str, Any]], accounts: Any) -> None:
        """Hold the ledger against the rows that stand in the published files."""
        whole = total(accounts)
        rows = Counter[str]()
        for shard in shards:
            if self.launcher.store.size(shard["name"]) != shard["bytes"]:
                raise RuntimeError(f"{shard['name']}: not there with its {shard['bytes']} bytes; nothing was committed")
            rows[shard["kind"]] += shard["records"]
        expected = {
            "documents": whole.total("kept"),
            "dropped": whole.total("dropped") + whole.total("merged"),
            "quarantine": whole.total("quarantined"),
            "refused": whole.total("refused"),
        }
        for kind, count in expected.items():
            if rows[kind] != count:
                raise RuntimeError(f"the ledger has {count} records for {kind}, its files hold {rows[kind]}")


def _account(marker: dict[str, Any]) -> Account:
    account = Account(marker["unit"], str(marker["unit_key"]), marker["read"], lost_bytes=marker["lost_bytes"])
    for name, count in marker["reasons"].items():
        verdict, _, reason = name.partition("/")
        account.add(verdict, reason, count)
    return account


def _without_running_limits(settings: dict[str, Any]) -> dict[str, Any]:
    """Leave out the limits that change no byte of what is staged: sizes of partitions, shards, memory."""
    keep = dict(settings)
    keep["limits"] = {k: v for k, v in settings["limits"].items() if k not in _RUNNING}
    return keep


_RUNNING = frozenset(
    {
        "batch_rows",
        "batch_bytes",
        "part_bytes",
        "partition_bytes",
        "shard_bytes",
        "min_range_bytes",
        "compact_fan_in",
        "max_leaders_compared",
        "max_quarantined_fraction",
        "child_memory_bytes",
    }
)


def _runs(markers: Sequence[dict[str, Any]]) -> list[Run]:
    return [Run(**marker["run"]) for marker in markers]


def _json(runs: Sequence[Run]) -> list[dict[str, Any]]:
    return [run.as_json() for run in runs]
