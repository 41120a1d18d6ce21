"""The crawl from seeds to committed WARC files: rounds of generate, fetch, update, write, and a snapshot after each.

A round's names follow from the snapshot before it and the settings, so a killed crawl finds its own parts again. What a
crawl brings depends on the world and on when it is asked; from the WARC files on, the same input gives the same bytes.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any

from filters.scope import Scope
from manifests.keys import digest_of
from manifests.limits import CrawlLimits, Limits
from manifests.manifest import Manifest, load_manifest, newest_version
from manifests.runs import Run, save_runs
from pipelines.crawl.block import Crawl
from pipelines.crawl.claims import sole_crawl
from pipelines.crawl.rounds import Round, update_phase
from pipelines.crawl.seeds import SeedOptions, SeedSource, plan_seeds
from pipelines.crawl.state import JOB, State, add_statistics, advice_on_damage
from pipelines.launcher import Launcher
from pipelines.tasks import Phase, Task

VERSION = 1
# What changes how fast or how far this run goes, and not what a URL means to the crawl.
RUNNING = frozenset({"rounds", "connections", "ranges", "max_round_s", "max_host_s", "test_only_loopback"})
SOURCES_PER_TASK = 1000


@dataclass
class CrawlJob:
    """A recipe's crawl block."""

    block: Crawl
    limits: CrawlLimits
    source_limits: Limits
    launcher: Launcher

    def __post_init__(self) -> None:
        self.scope = Scope.of(self.block.scope, (), self.block.exclude, self.block.max_depth)  # wrong prefixes end here

    @cached_property
    def sources(self) -> list[SeedSource]:
        """The seeds, looked at once."""
        return plan_seeds(self.block.seeds, SeedOptions.of(self.block), self.limits)

    @cached_property
    def settings(self) -> dict[str, Any]:
        """What decides which URLs are fetched, and what is kept of them."""
        given = {name: value for name, value in self.block.model_dump(mode="json").items() if name not in RUNNING}
        seeds = [[each.root, each.name, each.generation] for each in self.sources]
        return {"block": given, "seeds": digest_of(seeds), "limits": asdict(self.limits), "version": VERSION}

    def newest(self) -> Manifest | None:
        """Return the newest snapshot, if there is one."""
        version = newest_version(self.launcher.store, JOB)
        return load_manifest(self.launcher.store, JOB, version) if version else None

    def state(self) -> State:
        """Return where the crawl stands."""
        manifest = self.newest()
        return State.of(manifest) if manifest else State()

    def plan(self) -> dict[str, Any]:
        """Return the resolved job as JSON."""
        state = self.state()
        return {
            "settings": self.settings,
            "user_agent": self.block.user_agent,
            "seeds": [each.as_json() for each in self.sources],
            "rounds_done": state.rounds_of_settings if state.settings_key == self.key else 0,
            "known_urls": sum(run.rows for run in state.frontier),
            "kept": state.kept()[0],
        }

    @cached_property
    def key(self) -> str:
        """The settings as a name."""
        return digest_of(self.settings)

    def quota(self, state: State) -> dict[str, Any]:
        """Return what a round may take, as pipelines.crawl.frontier.Quota has it."""
        block = self.block
        return {
            "pages": max(0, block.max_pages - state.kept()[0]),
            "per_host_and_round": block.pages_per_host_and_round,
            "per_host": block.max_pages_per_host,
            "visits": block.visits,
            "exclude": self.scope.exclude,
        }

    def run(self) -> tuple[int, Manifest, bool]:
        """Run the rounds that are not done; return (version, manifest of the newest, whether it stood already).

        Raises RuntimeError where another crawl is at work in the same output.
        """
        state, stood = self.state(), True
        if self._is_open(state):
            with sole_crawl(self.launcher.store, f"{JOB}/claims/job"):
                state, stood = self._run_rounds(self.state())  # another may have gone on until it was ours
        version = newest_version(self.launcher.store, JOB)
        if not version:
            raise ValueError(f"there is nothing to crawl: the seeds hold no URL that may be fetched{_why(state)}")
        return version, load_manifest(self.launcher.store, JOB, version), stood

    def _is_open(self, state: State) -> bool:
        """Return whether anything is left to do."""
        is_far = state.finished or state.rounds_of_settings >= self.block.rounds
        return state.settings_key != self.key or not is_far

    def _run_rounds(self, state: State) -> tuple[State, bool]:
        """Return the state after the last round, and whether there was none to run."""
        from pipelines.crawl.fetch import link_readers

        stood = True
        with advice_on_damage(self.newest):
            if state.settings_key != self.key:
                state = self._admit(state)
            with link_readers(self.block, asdict(self.limits), asdict(self.source_limits)):  # not new ones every round
                while self._is_open(state):
                    state, stood = Round(self, state).run(), False
        return state, stood

    def _admit(self, state: State) -> State:
        """Merge the seeds of these settings into the frontier; they say too what is in scope."""
        stem = f"{JOB}/seeds/{digest_of({'after': state.digest, 'settings': self.key})[:32]}"
        tasks = [
            Task(f"{stem}/{n:05d}.json", {"sources": [each.as_json() for each in some], "output": f"{stem}/{n:05d}"})
            for n, some in enumerate(_by(self.sources, SOURCES_PER_TASK))
        ]
        config = {"block": self.block.model_dump_json(), "limits": asdict(self.limits)}
        markers = self.launcher.run(JOB, Phase("seeds", tasks, "pipelines.crawl.admit:AdmitSeeds", config))
        seeds = [Run(**run) for marker in markers for run in marker["runs"]]
        updated = self.launcher.run(JOB, update_phase(self, f"{stem}/update", 1, state, discovered=seeds))
        skipped: dict[str, Any] = {}
        for marker in (*markers, *updated):
            skipped = add_statistics(skipped, marker["links_skipped"])
        return replace(
            state,
            settings_key=self.key,
            rounds_of_settings=0,
            finished=not any(marker["ready"] for marker in updated),
            seeds=save_runs(self.launcher.store, JOB, seeds),
            frontier=[Run(**marker["frontier"]) for marker in updated],
            hosts=[Run(**marker["hosts"]) for marker in updated],
            withdrawn=[Run(**marker["withdrawn"]) for marker in updated],
            statistics=add_statistics(state.statistics, {"links_skipped": skipped}),
        )


def _why(state: State) -> str:
    """Return the reasons for which seeds were skipped, with how often each, or nothing."""
    counts = state.statistics.get("links_skipped", {})
    return " (skipped: " + ", ".join(f"{count:,} {reason}" for reason, count in counts.items()) + ")" if counts else ""


def _by(sources: Sequence[SeedSource], count: int) -> Iterator[Sequence[SeedSource]]:
    """Yield the sources `count` at a time; a list of URLs is a task of its own."""
    urls = [each for each in sources if each.format == "url"]
    yield from (urls[n : n + count] for n in range(0, len(urls), count))
    yield from ([each] for each in sources if each.format != "url")
