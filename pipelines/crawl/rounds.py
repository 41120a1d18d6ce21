"""One round of a crawl: generate -> fetch -> update and write -> commit, each phase a list of tasks over key ranges."""

import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from manifests.keys import canonical_json, digest_of
from manifests.ledger import Account, balance, total
from manifests.manifest import commit
from manifests.objects import read_json
from manifests.runs import Run, partitions_for, save_runs
from pipelines.crawl.compose import PartRef, compose
from pipelines.crawl.generate import fair_shares
from pipelines.crawl.part import FAMILIES
from pipelines.crawl.state import JOB, State, add_statistics, run_shards
from pipelines.crawl.update import MOST_HOSTS, MOST_SAMPLES, commonest
from pipelines.crawl.warc import warc_date
from pipelines.tasks import Marker, Phase, Task

if TYPE_CHECKING:
    from pipelines.crawl.job import CrawlJob

MERGE_FACTOR = 4  # bytes that merging a row takes, for each that it has


@dataclass
class Round:
    """What happens between two snapshots."""

    job: "CrawlJob"
    state: State

    @property
    def number(self) -> int:
        return self.state.rounds + 1

    @cached_property
    def stem(self) -> str:
        """Where the round's objects stand: it follows from the snapshot before it and from the settings."""
        key = digest_of({"after": self.state.digest, "settings": self.job.key, "seeds": self.state.seeds})
        return f"{JOB}/rounds/{self.number:04d}-{key[:24]}"

    @cached_property
    def plan(self) -> dict[str, Any]:
        """What whoever started the round has fixed for whoever goes on with it: how many ranges, how files begin."""
        store, name = self.job.launcher.store, f"{self.stem}/plan.json"
        plan = {
            "ranges": self.job.block.ranges or self.job.launcher.workers,
            "file_info": self._file_info(warc_date(time.time())),
        }
        store.put_new(name, canonical_json(plan))
        mend = f"delete {self.stem}/ and run the same command again, the round begins anew"
        fixed: dict[str, Any] = read_json(store, name, plan, what="plan of a round", mend=mend)
        return fixed

    @property
    def ranges(self) -> int:
        """How many workers share the hosts."""
        return int(self.plan["ranges"])

    @property
    def file_info(self) -> dict[str, str]:
        """The warcinfo record of the round's files."""
        return dict(self.plan["file_info"])

    def _file_info(self, date: str) -> dict[str, str]:
        """Return what the files of a round that starts now say of it (ISO 28500:2017, section 6.2)."""
        agent = self.job.block.user_agent
        return {
            "software": agent.partition(" ")[0],
            "conformsTo": "http://iipc.github.io/warc-specifications/specifications/warc-format/warc-1.1/",
            "robots": "obey",
            "http-header-user-agent": agent,
            "isPartOf": f"round {self.number}",
            "date": date,
        }

    def run(self) -> State:
        """Do what is not done of the round, commit its snapshot, and return the state after it."""
        chosen = self._generate()
        fetched = self._fetch(chosen)
        taken = [Run(**marker["run"]) for marker in chosen]
        merging = update_phase(self.job, f"{self.stem}/update", self.ranges, self.state, fetched, taken)
        updated, written = self.job.launcher.run_together(JOB, merging, self._writing(fetched))
        return self._commit(fetched, updated, written)

    def _generate(self) -> list[Marker]:
        partitions = self.ranges * partitions_for(
            sum(run.memory_bytes for run in self.state.frontier) // self.ranges, self.job.source_limits.partition_bytes
        )
        stem = f"{self.stem}/generate"
        tasks = [
            Task(
                f"{stem}/{n:05d}-of-{partitions:05d}.json",
                {"partition": n, "partitions": partitions, "output": f"{stem}/{n:05d}"},
            )
            for n in range(partitions)
        ]
        frontier = save_runs(self.job.launcher.store, JOB, self.state.frontier)
        config = {"frontier": frontier, "quota": self.job.quota(self.state)}
        return self.job.launcher.run(JOB, Phase("generate", tasks, "pipelines.crawl.generate:GenerateRange", config))

    def _fetch(self, chosen: Sequence[Marker]) -> list[Marker]:
        """Fetch each range; what the whole crawl may still fetch is shared out between them."""
        store = self.job.launcher.store
        lists = [
            chosen[n * len(chosen) // self.ranges : (n + 1) * len(chosen) // self.ranges] for n in range(self.ranges)
        ]
        ready = [sum(marker["run"]["rows"] for marker in some) for some in lists]
        kept, size = self.state.kept()
        pages = fair_shares(ready, max(0, self.job.block.max_pages - kept))
        most_bytes = max(0, self.job.block.max_bytes - size) // self.ranges
        tasks = [
            Task(
                f"{self.stem}/fetch/{n:05d}/done.json",
                {
                    "range": n,
                    "ranges": self.ranges,
                    "taken": save_runs(store, JOB, [Run(**marker["run"]) for marker in some]),
                    "pages": pages[n],
                    "bytes": most_bytes,
                    "prefix": f"{self.stem}/fetch/{n:05d}",
                },
            )
            for n, some in enumerate(lists)
            if pages[n]
        ]
        return self.job.launcher.run(
            JOB, Phase("fetch", tasks, "pipelines.crawl.fetch:FetchRange", self._fetch_config())
        )

    def _fetch_config(self) -> dict[str, Any]:
        store = self.job.launcher.store
        return {
            "block": self.job.block.model_dump_json(),
            "limits": asdict(self.job.limits),
            "source_limits": asdict(self.job.source_limits),
            "hosts": save_runs(store, JOB, self.state.hosts),
            "frontier": save_runs(store, JOB, self.state.frontier),
            "seeds": self.state.seeds,
            "quota": self.job.quota(self.state),
            "file_info": self.file_info,
        }

    def _writing(self, fetched: Sequence[Marker]) -> Phase:
        tasks = []
        for family in FAMILIES:
            parts = [PartRef(**part) for marker in fetched for part in marker[family]]
            folder = f"{JOB}/{'data' if family == 'warc' else family}/r{self.number:04d}"
            for plan in compose(parts, self.job.limits.warc_file_bytes):
                arguments = {
                    "index": plan.index,
                    "parts": [part.as_json() for part in plan.parts],
                    "folder": folder,
                    "kind": family,
                }
                tasks.append(Task(f"{self.stem}/write/{family}-{plan.index:05d}.json", arguments))
        config = {"file_info": self.file_info}
        return Phase("write", tasks, "pipelines.crawl.write:WriteWarc", config)

    def _withdrawn(self, state: State) -> list[dict[str, Any]]:
        """Return the shards that say which records of all rounds are withdrawn by now."""
        if not sum(run.rows for run in state.withdrawn):
            return []
        indexes = [shard["name"] for shard in state.shards if shard["kind"] == "cdxj" and "/data/" in shard["name"]]
        runs = save_runs(self.job.launcher.store, JOB, state.withdrawn)
        stem = f"{self.stem}/withdraw/{digest_of(runs)[:16]}"
        tasks = [Task(f"{stem}/{n:05d}.json", {"index": index}) for n, index in enumerate(indexes)]
        config = {"withdrawn": runs, "folder": f"{JOB}/withdrawn/r{self.number:04d}"}
        phase = Phase("withdraw", tasks, "pipelines.crawl.withdraw:FindWithdrawn", config)
        return [shard for marker in self.job.launcher.run(JOB, phase) for shard in marker["shards"]]

    def _commit(self, fetched: Sequence[Marker], updated: Sequence[Marker], written: Sequence[Marker]) -> State:
        state = self._next_state(fetched, updated, written)
        body = {
            "job": JOB,
            "settings": self.job.settings,
            "progress": state.progress,
            "frontier": [run.as_json() for run in state.frontier],
            "hosts": [run.as_json() for run in state.hosts],
            "withdrawn": [run.as_json() for run in state.withdrawn],
            "shards": [
                *state.shards,
                *run_shards("frontier", state.frontier),
                *run_shards("hosts", state.hosts),
                *run_shards("withdrawn_urls", state.withdrawn),
                *self._withdrawn(state),
            ],
            "units": balance(state.accounts),
            "ledger": total(state.accounts).as_json(),
            "statistics": state.statistics,
            "parents": [self.state.digest] if self.state.digest else [],
        }
        _, manifest = commit(self.job.launcher.store, JOB, body, after=self.state.digest)
        return State.of(manifest)

    def _next_state(self, fetched: Sequence[Marker], updated: Sequence[Marker], written: Sequence[Marker]) -> State:
        published = [shard for marker in written for shard in marker["shards"]]
        logs = [marker["requests"] for marker in updated if marker["requests"]]
        records = sum(shard["records"] for shard in published if shard["kind"] == "warc")
        kept = sum(marker["statistics"]["kept"] for marker in updated)
        if records != kept:
            raise RuntimeError(
                f"round {self.number}: {kept} URLs were kept, the WARC files hold {records}: nothing was committed"
            )
        statistics = self._statistics(fetched, updated)
        is_full = statistics["kept"] >= self.job.block.max_pages or statistics["bytes"] >= self.job.block.max_bytes
        return State(
            rounds=self.number,
            settings_key=self.job.key,
            rounds_of_settings=self.state.rounds_of_settings + 1,
            finished=is_full or not any(marker["ready"] for marker in updated),
            seeds=self.state.seeds,
            frontier=[Run(**marker["frontier"]) for marker in updated],
            hosts=[Run(**marker["hosts"]) for marker in updated],
            withdrawn=[Run(**marker["withdrawn"]) for marker in updated],
            shards=sorted([*self.state.shards, *published, *logs], key=lambda shard: str(shard["name"])),
            accounts=[*self.state.accounts, *self._accounts(updated)],
            statistics=statistics,
        )

    def _accounts(self, updated: Sequence[Marker]) -> list[Account]:
        accounts = []
        for n in range(self.ranges):
            some = updated[n * len(updated) // self.ranges : (n + 1) * len(updated) // self.ranges]
            out = sum((Counter(marker["account"]["out"]) for marker in some), Counter[str]())
            name = f"round {self.number:04d}, hosts {n + 1} of {self.ranges}"
            accounts.append(Account(name, f"{self.number * 65_536 + n}", sum(m["account"]["in"] for m in some), out))
        return accounts

    def _statistics(self, fetched: Sequence[Marker], updated: Sequence[Marker]) -> dict[str, Any]:
        own = ("hosts", "refusal_samples", "now")
        statistics = {name: value for name, value in self.state.statistics.items() if name not in own}
        samples = list(self.state.statistics.get("refusal_samples", []))
        now: dict[str, Any] = {}
        hosts: list[dict[str, Any]] = []
        for marker in updated:
            found = marker["statistics"]
            now = add_statistics(now, found["now"])
            hosts += found["hosts"]
            samples += found["refusal_samples"]
            statistics = add_statistics(statistics, {name: found[name] for name in found if name not in own})
            statistics = add_statistics(statistics, {"links_skipped": marker["links_skipped"]})
        for marker in fetched:
            statistics = add_statistics(statistics, {"links_skipped": marker["links_skipped"]})
        largest = sorted(hosts, key=lambda host: (-host["kept"], host["authority"]))[:MOST_HOSTS]
        return statistics | {
            "media_types": commonest(statistics.get("media_types", {})),
            "rounds": self.number,
            **now,
            "hosts": largest,
            "refusal_samples": samples[:MOST_SAMPLES],
        }


def update_phase(
    job: "CrawlJob",
    stem: str,
    ranges: int,
    state: State,
    fetched: Sequence[Marker] = (),
    taken: Sequence[Run] = (),
    discovered: Sequence[Run] = (),
) -> Phase:
    """Return the phase that merges what was found into the frontier, range by range."""
    brought = {
        name: [Run(**run) for marker in fetched for run in marker[name]] for name in ("outcomes", "discovered", "hosts")
    }
    lists = {
        "frontier": state.frontier,
        "outcomes": brought["outcomes"],
        "discovered": [*discovered, *brought["discovered"]],
        "old_hosts": state.hosts,
        "withdrawn": state.withdrawn,
        "new_hosts": brought["hosts"],
        "taken": taken,
    }
    memory = MERGE_FACTOR * sum(run.memory_bytes for runs in lists.values() for run in runs)
    partitions = ranges * partitions_for(memory // ranges, job.source_limits.partition_bytes)
    tasks = [
        Task(
            f"{stem}/{n:05d}-of-{partitions:05d}.json",
            {"partition": n, "partitions": partitions, "output": f"{stem}/{n:05d}"},
        )
        for n in range(partitions)
    ]
    config = {
        "lists": {name: save_runs(job.launcher.store, JOB, runs) for name, runs in lists.items()},
        "limits": asdict(job.limits),
        "quota": job.quota(state),
        "round": state.rounds + 1,
        "log": f"{JOB}/requests/r{state.rounds + 1:04d}",
    }
    return Phase("update", tasks, "pipelines.crawl.update:UpdateRange", config)
