"""The instruct job: the newest snapshots of OUT to a committed snapshot of instruction sets.

read -> meet and facts -> compose -> choose -> write. Each key digests what its phase reads: another balance composes
nothing again, another number of shards chooses nothing again, a shard of text that did not change is not read again.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from filters.contamination import VERSION as CONTAMINATION_VERSION
from filters.contamination import Grams
from filters.instruct.balance import Stratum, quotas
from filters.instruct.checks import CHECKS_VERSION
from filters.instruct.closed import CLOSED_VERSION
from filters.instruct.facts import FACTS_VERSION
from filters.instruct.generators import GENERATORS_VERSION
from filters.instruct.normal import NORMAL_VERSION
from filters.instruct.publishers import PUBLISHERS_VERSION
from filters.instruct.record import SCHEMA_NAME, Settings
from filters.instruct.relations import RELATIONS_VERSION
from filters.instruct.source import SOURCE_VERSION
from filters.instruct.statements import STATEMENTS_VERSION
from manifests.keys import canonical_json, digest_of
from manifests.ledger import Account, LedgerError, balance, total
from manifests.limits import Limits
from manifests.manifest import Manifest, commit, newest_version
from manifests.reader import ManifestError, read_manifest
from manifests.runs import RUN_VERSION, Run, partitions_for, put_same, save_runs
from pipelines.instruct.block import Instruct
from pipelines.instruct.choose import CHOOSE_VERSION
from pipelines.instruct.compose import COMPOSE_VERSION, PIPELINE
from pipelines.instruct.facts import FACTS_PHASE_VERSION, merged_others
from pipelines.instruct.media import MEDIA_JOBS, MEDIA_VERSION, media_tasks
from pipelines.instruct.meet import MEET_VERSION
from pipelines.instruct.read import READ_VERSION
from pipelines.instruct.records import JOB, KIND
from pipelines.instruct.write import WRITE_VERSION
from pipelines.launcher import Launcher
from pipelines.stages.ranges import Ranges, runs_of
from pipelines.stages.statistics import merge_statistics
from pipelines.tasks import Marker, Phase, Task
from pipelines.text.contamination import store_sets

TEXT = "text"
BUCKET_DOCUMENTS = 256  # of one language, that may be shown beside each other whatever they are about
FACT_UNIT = "facts"
AS_OBJECTS = 6  # bytes of memory for each byte of a run, about, where a phase holds rows as objects
VERSIONS = {
    "normal": NORMAL_VERSION,
    "relations": RELATIONS_VERSION,
    "source": SOURCE_VERSION,
    "statements": STATEMENTS_VERSION,
    "publishers": PUBLISHERS_VERSION,
    "facts": FACTS_VERSION,
    "generators": GENERATORS_VERSION,
    "closed": CLOSED_VERSION,
    "checks": CHECKS_VERSION,
    "media": MEDIA_VERSION,
    "read": READ_VERSION,
    "meet": MEET_VERSION,
    "facts_phase": FACTS_PHASE_VERSION,
    "compose": COMPOSE_VERSION,
    "choose": CHOOSE_VERSION,
    "write": WRITE_VERSION,
    "runs": RUN_VERSION,
}


@dataclass
class InstructJob:
    """A recipe's instruct block over the newest snapshots of OUT."""

    block: Instruct
    limits: Limits
    launcher: Launcher

    def run(self) -> tuple[int, Manifest, bool]:
        """Run what is not done, commit, and return (version, manifest, whether it stood already)."""
        parents = self.parents()
        before = newest_version(self.launcher.store, JOB)
        documents = [shard for shard in parents[TEXT]["shards"] if shard["kind"] == "documents"]
        media = self._media(parents)
        sources = [marker["shard"] for marker in media]
        read = self._read(documents)
        settings = self._settings(read)
        facts, near = self._facts(read), self._meet(read)
        composed = self._compose([*documents, *sources], settings, facts, near)
        picked = self._choose(composed, settings, _bytes_by_language([*read, *media]))
        written = self._write(composed, picked)
        body = self._body(parents, composed, picked, written, sources, facts)
        version, manifest = commit(self.launcher.store, JOB, body)
        return version, manifest, version <= before

    def parents(self) -> dict[str, Manifest]:
        """Return the manifests that are read; raises ManifestError where there is no text snapshot."""
        store = self.launcher.store
        if not newest_version(store, TEXT):
            raise ManifestError(
                f"{store.uri}/{TEXT}: there are no documents to make instruction sets of; run text first"
            )
        media = [job for job in MEDIA_JOBS if self.block.media and newest_version(store, job)]
        return {job: read_manifest(store, job) for job in (TEXT, *media)}

    def described(self, parents: Mapping[str, Manifest]) -> dict[str, Any]:
        """Return the settings that decide the bytes of the snapshot."""
        snapshots = {job: manifest["digest"] for job, manifest in parents.items()}
        stated = self.block.model_dump(mode="json", exclude={"audit"})  # auditing changes no record
        if self.block.endpoint is not None:
            stated["endpoint"] = self.block.endpoint.decisive()  # where it is and how fast it is decides nothing
        return {**stated, "snapshots": snapshots, "versions": VERSIONS}

    def _media(self, parents: Mapping[str, Manifest]) -> list[Marker]:
        tasks = [task for job in MEDIA_JOBS if job in parents for task in media_tasks(job, parents[job])]
        markers = (
            self.launcher.run(JOB, Phase("media", tasks, "pipelines.instruct.media:ReadMedia", {})) if tasks else []
        )
        return [marker for marker in markers if marker["shard"]["records"]]

    def _settings(self, read: Sequence[Marker]) -> dict[str, Any]:
        """Return what generators are told; the newest date of the corpus is where the future begins."""
        newest = max((marker["newest"] for marker in read), default="") or None
        options = {
            "hedge_fraction": self.block.hedge_fraction,
            "records_per_10_kb": self.block.records_per_10_kb,
            "masks": list(self.block.masks),
        }
        given = Settings(self.block.seed, crawl_date=newest, languages=self.block.languages, options=options)
        return asdict(given)

    def _ranges(self, *versions: int | str) -> Ranges:
        return Ranges(self.launcher, JOB, digest_of([*versions, RUN_VERSION]), self.limits.partition_bytes)

    def _read(self, documents: Sequence[Mapping[str, Any]]) -> list[Marker]:
        count = sum(shard["records"] for shard in documents)
        buckets = 1 << max(0, (count // BUCKET_DOCUMENTS).bit_length() - 1)
        config = {
            "settings": asdict(Settings(self.block.seed)),
            "publishers": dict(self.block.publishers),
            "buckets": buckets,
            "part_bytes": self.limits.part_bytes,
        }
        versions = [
            VERSIONS[name] for name in ("normal", "relations", "source", "statements", "publishers", "generators")
        ]
        key = [config, READ_VERSION, *versions, RUN_VERSION]
        tasks = []
        for shard in documents:
            stem = f"{JOB}/read/{digest_of([shard, key])[:32]}"
            tasks.append(Task(f"{stem}.json", {"shard": shard, "output": stem}))
        return self.launcher.run(JOB, Phase("read", tasks, "pipelines.instruct.read:ReadShard", config))

    def _runs(self, markers: Iterable[Marker], kind: str) -> list[Run]:
        found = []
        for marker in markers:
            runs = marker["runs"][kind]
            found += [Run(**run) for run in (runs if isinstance(runs, list) else [runs])]
        return found

    def _saved(self, runs: Sequence[Run]) -> str:
        return save_runs(self.launcher.store, JOB, runs)

    def _facts(self, read: Sequence[Marker]) -> list[Marker]:
        runs = self._runs(read, "statements")
        config = {
            "statements": self._saved(runs),
            "accepting": self.block.facts.model_dump(),
            "seed": self.block.seed,
            "part_bytes": self.limits.part_bytes,
        }
        ranges = self._ranges(FACTS_PHASE_VERSION, FACTS_VERSION, RELATIONS_VERSION)
        return ranges.run("facts", "pipelines.instruct.facts:Corroborate", config, AS_OBJECTS * _size(runs))

    def _meet(self, read: Sequence[Marker]) -> list[Run]:
        runs = self._runs(read, "passages")
        config = {"passages": self._saved(runs), "seed": self.block.seed, "part_bytes": self.limits.part_bytes}
        markers = self._ranges(MEET_VERSION).run("meet", "pipelines.instruct.meet:Meet", config, _size(runs))
        return [Run(**run) for marker in markers for run in marker["runs"]]

    def _compose(
        self,
        shards: Sequence[Mapping[str, Any]],
        settings: Mapping[str, Any],
        facts: Sequence[Marker],
        near: Sequence[Run],
    ) -> list[Marker]:
        store = self.launcher.store
        others = merged_others(facts, self.block.seed)
        listed = f"{JOB}/plans/values-{digest_of(others)[:32]}.json"
        put_same(store, listed, canonical_json(others))
        common = {
            "settings": dict(settings),
            "splits": self.block.held_out.model_dump(),
            "part_bytes": self.limits.part_bytes,
        }
        concerns, stated = self._runs(facts, "concerns"), self._runs(facts, "facts")
        config = {
            **common,
            "publishers": dict(self.block.publishers),
            "near": self._saved(near),
            "concerns": self._saved(concerns),
            "others": listed,
        }
        key = [config, PIPELINE, *VERSIONS.values()]
        tasks = []
        for unit, shard in enumerate(shards):
            stem = f"{JOB}/compose/{digest_of([shard, unit, key])[:32]}"
            tasks.append(Task(f"{stem}.json", {"shard": dict(shard), "unit": unit, "output": stem}))
        composed = self.launcher.run(JOB, Phase("compose", tasks, "pipelines.instruct.compose:ComposeShard", config))
        asked = {**common, "facts": self._saved(stated), "unit": len(shards)}
        ranges = self._ranges(PIPELINE, RELATIONS_VERSION)
        closed = ranges.run("ask", "pipelines.instruct.compose:ComposeFacts", asked, _size(stated))
        return [*composed, *closed, *self._generated(shards, common)]

    def _generated(self, shards: Sequence[Mapping[str, Any]], common: Mapping[str, Any]) -> list[Marker]:
        """Return what the user's endpoint writes of the documents, nothing where the recipe names none."""
        if self.block.endpoint is None:
            return []
        from pipelines.instruct.generate import generated

        documents = [shard for shard in shards if shard["kind"] == "documents"]  # they come first: their units hold
        config = {**common, "publishers": dict(self.block.publishers)}
        return generated(self.launcher, self.block.endpoint, documents, config)

    def _choose(
        self, composed: Sequence[Marker], settings: Mapping[str, Any], corpus_bytes: Mapping[str, int]
    ) -> list[Marker]:
        store = self.launcher.store
        counts = Counter[Stratum]()
        for marker in composed:
            for *words, count in marker["strata"]:
                counts[Stratum(*words)] += count
        plan = quotas(counts, corpus_bytes, Settings(**settings))
        fractions = {one: 1.0 if one.kind == "closed_book" else share for one, share in plan.fractions.items()}
        shares = sorted([*stratum, fraction] for stratum, fraction in fractions.items())  # all facts stay: they are few
        listed = f"{JOB}/plans/shares-{digest_of(shares)[:32]}.json"
        put_same(store, listed, canonical_json(shares))
        runs = self._runs(composed, "candidates")
        config = {
            "candidates": self._saved(runs),
            "held_in": self._saved(self._held_in(composed)),
            "tainted": self._saved(self._tainted(composed)),
            "shares": listed,
        }
        size = AS_OBJECTS * _size(runs)
        return self._ranges(CHOOSE_VERSION).run("choose", "pipelines.instruct.choose:Choose", config, size)

    def _held_in(self, composed: Sequence[Marker]) -> list[Run]:
        """Return the candidates that hold an item of an evaluation set, as runs."""
        block = self.block.decontaminate
        if block is None:
            return []
        runs = self._runs(composed, "bodies")
        grams = Grams(block.words, block.characters, min_fraction=block.min_fraction)
        sets = store_sets(self.launcher.store, JOB, block)
        config = {"bodies": self._saved(runs), "sets": sets, "grams": asdict(grams)}
        ranges = self._ranges(CHOOSE_VERSION, CONTAMINATION_VERSION)
        return runs_of(ranges.run("held_in", "pipelines.instruct.choose:FindHeldIn", config, _size(runs)))

    def _tainted(self, composed: Sequence[Marker]) -> list[Run]:
        """Return the held-out candidates that are about something that training is about too, as runs."""
        runs = self._runs(composed, "entities")
        if not runs:
            return []
        config = {"entities": self._saved(runs)}
        ranges = self._ranges(CHOOSE_VERSION)
        return runs_of(ranges.run("tainted", "pipelines.instruct.choose:FindTainted", config, _size(runs)))

    def _write(self, composed: Sequence[Marker], picked: Sequence[Marker]) -> list[Marker]:
        kept, gone = self._runs(picked, "chosen"), [*self._runs(picked, "rejects"), *self._runs(composed, "rejects")]
        bodies = self._runs(composed, "bodies")
        shards = self.block.shards
        if shards == "auto":
            shards = partitions_for(_kept_size(bodies, kept) + _size(gone), self.limits.shard_bytes)
        config = {"chosen": self._saved(kept), "rejects": self._saved(gone), "bodies": self._saved(bodies)}
        return self._ranges(WRITE_VERSION, SCHEMA_NAME).write("pipelines.instruct.write:WriteShard", config, shards)

    def _body(
        self,
        parents: Mapping[str, Manifest],
        composed: Sequence[Marker],
        picked: Sequence[Marker],
        written: Sequence[Marker],
        sources: Sequence[dict[str, Any]],
        facts: Sequence[Marker],
    ) -> Manifest:
        """Return the manifest's body; raises LedgerError unless every candidate is somewhere."""
        names = [shard["name"] for shard in parents[TEXT]["shards"] if shard["kind"] == "documents"]
        names += [*(shard["name"] for shard in sources), FACT_UNIT]
        accounts = {str(unit): Account(name, str(unit)) for unit, name in enumerate(names)}
        for marker in composed:
            account = accounts[str(marker["unit"])]
            account.read += marker["made"]
            account.reasons.update(marker["rejected"])
        for marker in picked:
            for unit, counts in marker["accounts"].items():
                accounts[unit].reasons.update(counts)
        shards = [*(shard for marker in written for shard in marker["shards"]), *sources]
        whole = total(accounts.values())
        _check_files(whole, shards)
        statistics = merge_statistics([marker["statistics"] for marker in written])
        statuses = sum((Counter(marker["statuses"]) for marker in facts), Counter[str]())
        return {
            "job": JOB,
            "settings": self.described(parents),
            "inputs": [{"job": job, "digest": manifest["digest"]} for job, manifest in parents.items()],
            "shards": sorted(shards, key=lambda shard: str(shard["name"])),
            "units": balance(accounts.values()),
            "ledger": whole.as_json(),
            "statistics": {**statistics, "facts": dict(sorted(statuses.items()))},
            "parents": [manifest["digest"] for manifest in parents.values()],
        }


def _size(runs: Iterable[Run]) -> int:
    return sum(run.memory_bytes for run in runs)


def _kept_size(bodies: Sequence[Run], kept: Sequence[Run]) -> int:
    """Return about how many bytes the bodies of what stays have."""
    of, stay = (sum(run.rows for run in runs) for runs in (bodies, kept))
    return _size(bodies) * stay // max(1, of)


def _bytes_by_language(markers: Iterable[Marker]) -> dict[str, int]:
    """Return the bytes of all sources by language."""
    found = sum((Counter(marker["languages"]) for marker in markers), Counter[str]())
    return dict(sorted(found.items()))


def _check_files(whole: Account, shards: Sequence[Mapping[str, Any]]) -> None:
    """Raise LedgerError unless the published files hold what the accounts say."""
    rows = Counter[str]()
    for shard in shards:
        rows[shard["kind"]] += shard["records"]
    gone = whole.total("dropped") + whole.total("merged")
    for kind, count in ((KIND, whole.total("kept")), ("lines", whole.total("kept")), ("dropped", gone)):
        if rows[kind] != count:
            raise LedgerError(f"the ledger has {count} records for {kind}, its files hold {rows[kind]}")
