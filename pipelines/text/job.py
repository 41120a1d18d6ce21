"""The text job from recipe to committed snapshot: which phases run, under which keys, and the balance at the end.

Each key digests exactly what its artifacts depend on, so a changed threshold runs decide and write again and
nothing else: stage_key <- unit, settings, versions; link_key <- staged runs; select_key <- staged runs, rules;
write_key <- everything decided, shard count. Workers, runner, memory and paths are in no key.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import version as version_of
from typing import Any

from filters import annotate, language, line_corrections
from filters.annotate import Settings
from filters.models import fetch_model
from filters.rule_signals import families_of
from filters.rules import MAX_RULES
from filters.safety.watch import Watch
from manifests.limits import Limits
from manifests.manifest import Manifest, commit, newest_version
from manifests.runs import RUN_VERSION
from pipelines.launcher import Launcher
from pipelines.recipe import Recipe
from pipelines.sources import SOURCES_VERSION
from pipelines.stages import judges
from pipelines.stages.broken import refuse_broken
from pipelines.stages.snapshot import cluster_statistics, snapshot_body
from pipelines.stages.staged import Staged
from pipelines.stages.units import Inputs, Planned
from pipelines.tasks import Phase
from pipelines.text import decide
from pipelines.text.block import Decontaminate
from pipelines.text.other_corpora import Others
from pipelines.text.part import LAYOUT
from pipelines.text.watch import local_watch, watch_settings, without_bounds

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
            families=families_of(text.rules),
            watch=watch_settings(self.launcher.store, text),
        )
        before, after = Watch.of(local_watch(self.launcher.store, self.settings.watch)).rules()
        sets = judges.chosen(text.rules, text.threshold_bounds(), text.languages, text.min_language_score)
        self.rules = (*before, *sets, *after)
        if len(self.rules) > MAX_RULES:
            raise ValueError(f"text: {len(self.rules)} rules with those of lists and scorers, at most {MAX_RULES} fit")
        self.others = Others.find(text.dedup.against, self.launcher.store)
        self.inputs = Inputs(self.recipe.inputs_of("text"), self.launcher.store, self.crawled, self.recipe.opt_out)

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
            "dedup": {
                **text.dedup.model_dump(mode="json"),
                "against": list(self.others.digests),
                "max_leaders_compared": self.limits.max_leaders_compared,
            },
            "shards": text.shards,
            "dropped_text_sample": text.dropped_text_sample,
            **_evaluation_sets(text.decontaminate),
        }

    def run(self) -> tuple[int, Manifest, bool]:
        """Run what is not done, commit, and return (version, manifest, whether it stood already)."""
        store = self.launcher.store
        planned = self.plan()
        before = newest_version(store, JOB)
        staged = self.stage(planned)
        own = self.recipe.text, self.rules, self.limits, self._measured(), self.others
        deciding = decide.Decide(self.launcher, JOB, *own)
        shards = deciding.shard_count(sum(marker["text_bytes"] for marker in staged))
        written, verified = deciding.run(Staged.from_markers(staged, LAYOUT.orders), shards)
        self.inputs.check_unchanged(planned)
        settings = {**self.described(), "shards": shards}
        body = snapshot_body(store, JOB, settings, staged, written, parents=self.others.digests)
        body |= {
            "models": {language.MODEL: versions()["language_model"]},
            "statistics": body["statistics"] | cluster_statistics(verified),
        }
        version, manifest = commit(store, JOB, body)
        return version, manifest, version <= before

    def _measured(self) -> dict[str, Any]:
        """Return what is measured beside the usual signals."""
        given = {"families": list(self.settings.families), "watch": self.settings.watch}
        return {name: value for name, value in given.items() if value}

    def stage(self, planned: Sequence[Planned]) -> list[dict[str, Any]]:
        """Stage every unit; raises QuarantineError where too much of the input is broken."""
        config = {"inputs": self.inputs.config, "settings": asdict(self.settings)}
        tasks = [each.task for each in planned]
        fetch_model(language.MODEL)
        markers = self.launcher.run(JOB, Phase("stage", tasks, "pipelines.text.stage:StageText", config))
        refuse_broken(JOB, markers, self.limits.max_quarantined_fraction)
        return markers


def _evaluation_sets(block: Decontaminate | None) -> dict[str, Any]:
    """Return what is looked for, by name; where it lies decides no byte."""
    if block is None:
        return {}
    return {"decontaminate": {**block.model_dump(mode="json", exclude={"sets"}), "sets": [s.name for s in block.sets]}}


def _without_running_limits(settings: dict[str, Any]) -> dict[str, Any]:
    """Leave out the limits that change no byte of what is staged: how work is cut, and what is decided later."""
    keep = {**settings, "watch": without_bounds(settings["watch"])}
    keep["limits"] = {k: v for k, v in settings["limits"].items() if k not in _RUNNING}
    for name in ("families", "watch"):  # keys of recipes without them stay as they were
        if not keep[name]:
            del keep[name]
    if "refinedweb_lines_v1" in settings["edits"]:
        keep["line_corrections"] = line_corrections.VERSION
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
        "max_anchor_pieces",
        "max_quarantined_fraction",
    }
)
