"""The text job from recipe to committed snapshot: which phases run, under which keys, and the balance at the end.

Each key digests exactly what its artifacts depend on, so a changed threshold runs decide and write again and
nothing else: stage_key <- unit, settings, versions; link_key <- staged runs; select_key <- staged runs, rules;
write_key <- everything decided, shard count. Workers, runner, memory and paths are in no key.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import version as version_of
from typing import Any

from filters import annotate, language
from filters.annotate import Settings
from filters.models import fetch_model
from manifests.limits import Limits
from manifests.manifest import Manifest, commit, newest_version
from manifests.runs import RUN_VERSION
from pipelines.launcher import Launcher
from pipelines.recipe import Recipe
from pipelines.sources import SOURCES_VERSION
from pipelines.stages import judges
from pipelines.stages.staged import Staged
from pipelines.stages.units import Inputs, Planned
from pipelines.tasks import Phase
from pipelines.text import decide
from pipelines.text.part import LAYOUT
from pipelines.text.snapshot import snapshot_body

JOB = "text"
PARSERS = ("fastwarc", "resiliparse", "fasttext")  # another release of these may read the same bytes differently


@cache
def versions() -> dict[str, Any]:
    """Return the version of every part that a staged row depends on; it is part of each stage key."""
    return {
        **annotate.versions(),
        "sources": SOURCES_VERSION,
        "runs": RUN_VERSION,
        **{name: version_of(name) for name in PARSERS},
    }


class QuarantineError(RuntimeError):
    """More of the input is broken than the recipe allows; nothing was committed."""


@dataclass
class TextJob:
    """A recipe's text block over its inputs."""

    recipe: Recipe
    launcher: Launcher
    crawled: Manifest | None = None  # the snapshot of the recipe's crawl block, which is an input then

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
        self.inputs = Inputs(self.recipe.inputs, self.launcher.store, self.crawled)

    def plan(self) -> list[Planned]:
        """Return the units of all inputs in a fixed order."""
        settings = {"settings": _without_running_limits(asdict(self.settings)), "versions": versions()}
        return self.inputs.plan(JOB, settings, self.limits)

    def described(self) -> dict[str, Any]:
        """Return the settings that decide the bytes of the snapshot, for the manifest."""
        text = self.recipe.text
        return {
            "stage": _without_running_limits(asdict(self.settings)),
            "versions": {**versions(), "decide": decide.VERSION},
            "rules": judges.to_json(self.rules),
            "dedup": {**text.dedup.model_dump(mode="json"), "max_leaders_compared": self.limits.max_leaders_compared},
            "shards": text.shards,
            "dropped_text_sample": text.dropped_text_sample,
        }

    def run(self) -> tuple[int, Manifest, bool]:
        """Run what is not done, commit, and return (version, manifest, whether it stood already)."""
        store = self.launcher.store
        planned = self.plan()
        before = newest_version(store, JOB)
        staged = self.stage(planned)
        deciding = decide.Decide(self.launcher, JOB, self.recipe.text, self.rules, self.limits)
        shards = deciding.shard_count(sum(marker["text_bytes"] for marker in staged))
        written, verified = deciding.run(Staged.from_markers(staged, LAYOUT.orders), shards)
        self.inputs.check_unchanged(planned)
        body = snapshot_body(store, {**self.described(), "shards": shards}, staged, written, verified)
        models = {language.MODEL: versions()["language_model"]}
        version, manifest = commit(store, JOB, {"job": JOB, "models": models, **body})
        return version, manifest, version <= before

    def stage(self, planned: Sequence[Planned]) -> list[dict[str, Any]]:
        """Stage every unit; raises QuarantineError where too much of the input is broken."""
        config = {"inputs": self.inputs.uris, "settings": asdict(self.settings)}
        tasks = [each.task for each in planned]
        fetch_model(language.MODEL)
        markers = self.launcher.run(JOB, Phase("stage", tasks, "pipelines.text.stage:StageText", config))
        reasons = Counter[str]()
        for marker in markers:
            reasons.update({name: n for name, n in marker["reasons"].items() if name.startswith("quarantined/")})
        read, broken = sum(marker["read"] for marker in markers), sum(reasons.values())
        if broken > self.limits.max_quarantined_fraction * read:
            most = ", ".join(f"{name.split('/')[1]} {count}" for name, count in reasons.most_common(3))
            raise QuarantineError(
                f"{broken} of {read} records are quarantined, more than text.max_quarantined_fraction = "
                f"{self.limits.max_quarantined_fraction}: {most}. See {JOB}/quarantine/ in the output."
            )
        return markers


def _without_running_limits(settings: dict[str, Any]) -> dict[str, Any]:
    """Leave out the limits that change no byte of what is staged: how work is cut, and what is decided later."""
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
    }
)
