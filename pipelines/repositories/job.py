"""The code job from recipe to committed snapshot: which phases run, under which keys, and the balance at the end."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version as version_of
from typing import Any

from filters.code import ambiguous, child
from filters.code.child import Settings
from filters.code.license_classes import CLASSES
from filters.code.rule_sets import CODE_RULE_SETS, CODE_RULES_VERSION, license_rules
from filters.models import MODELS, fetch_model
from filters.rules import Rule, with_thresholds
from manifests.limits import CodeLimits, Limits
from manifests.manifest import Manifest, commit, newest_version
from manifests.runs import RUN_VERSION
from pipelines.launcher import Launcher
from pipelines.recipe import Input
from pipelines.repositories.block import Code
from pipelines.repositories.decide import DecideCode, decide_versions
from pipelines.repositories.names import OptOuts, opt_outs
from pipelines.repositories.plan import PLAN_VERSION, CodeInputs
from pipelines.repositories.read import READ_VERSION
from pipelines.repositories.rows import ROWS_VERSION
from pipelines.repositories.stage import LAYOUT
from pipelines.repositories.write import JOB
from pipelines.stages.broken import refuse_broken
from pipelines.stages.judges import LANGUAGE, to_json
from pipelines.stages.snapshot import cluster_statistics, snapshot_body
from pipelines.stages.staged import Staged
from pipelines.stages.units import Planned
from pipelines.tasks import Marker, Phase
from pipelines.url_list_block import UrlListBlock

PARSERS = ("dulwich", "pygments", "zstandard")  # another release of these may read the same bytes differently
RUNNING = frozenset(
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
        "archive_window_bytes",
    }
)  # limits that change no byte of what is staged


@dataclass
class CodeJob:
    """A recipe's code block over its inputs."""

    block: Code
    inputs: Sequence[Input]
    limits: Limits
    code_limits: CodeLimits
    launcher: Launcher
    opt_out: Sequence[UrlListBlock] = ()  # the recipe's lists of sites

    def __post_init__(self) -> None:
        near, licenses = self.block.dedup.near, self.block.licenses
        self.settings = Settings(
            limits=asdict(self.limits),
            code_limits=asdict(self.code_limits),
            near=None if near is None else {"bands": near.bands, "rows": near.rows, "ngram": near.ngram},
            mask=tuple(self.block.mask),
            treat_as=dict(licenses.treat_as),
            ambiguous=self.block.ambiguous,
        )
        self.rules = self._rules()
        self.sources = CodeInputs(self.inputs, self.launcher.store, opt_out=self.opt_out, layout=self.block.layout)

    def _rules(self) -> tuple[Rule, ...]:
        """Return licences first, then languages, then the recipe's sets."""
        first = list(license_rules(frozenset(self.block.licenses.keep), CLASSES))
        if self.block.languages != "all":
            wanted = dict.fromkeys(self.block.languages, (None, None))
            first.append(Rule(f"{LANGUAGE}unwanted", "language_score", max=-1.0, overrides=wanted))
        sets = [rule for name in self.block.rules for rule in CODE_RULE_SETS[name]]
        return (*first, *with_thresholds(sets, self.block.threshold_bounds()))

    def _opt_outs(self) -> OptOuts:
        said = self.block.opt_out
        return opt_outs(said.repositories, said.owners, said.files)

    def _stage_settings(self, said: OptOuts) -> dict[str, Any]:
        settings = asdict(self.settings)
        for name in ("limits", "code_limits"):
            settings[name] = {k: v for k, v in settings[name].items() if k not in RUNNING}
        return {
            **settings,
            "revision": self.block.revision,
            "opt_out": [sorted(said.repositories), sorted(said.owners)],
            "versions": {
                **child.versions(),
                "plan": PLAN_VERSION,
                "read": [READ_VERSION, ROWS_VERSION],
                "runs": RUN_VERSION,
                **({"model": MODELS[ambiguous.MODEL].sha256} if self.block.ambiguous else {}),
                **{name: version_of(name) for name in PARSERS},
            },
        }

    def described(self) -> dict[str, Any]:
        """Return the settings that decide the bytes of the snapshot."""
        return {
            **self.block.model_dump(mode="json", exclude={"max_quarantined_fraction"}),
            "stage": self._stage_settings(self._opt_outs()),
            "rules": to_json(self.rules),
            "versions": {**decide_versions(), "rules": CODE_RULES_VERSION},
            "max_leaders_compared": self.limits.max_leaders_compared,
        }

    def plan(self) -> list[Planned]:
        """Return the units of all inputs in a fixed order."""
        return self.sources.plan(JOB, {"settings": self._stage_settings(self._opt_outs())}, self.limits)

    def run(self) -> tuple[int, Manifest, bool]:
        """Run what is not done, commit, and return (version, manifest, whether it stood already)."""
        store = self.launcher.store
        planned = self.plan()
        before = newest_version(store, JOB)
        staged = self._stage(planned)
        deciding = DecideCode(self.launcher, self.block, self.rules, self.limits)
        shards = deciding.shard_count(sum(marker["text_bytes"] for marker in staged))
        written, verified = deciding.run(Staged.from_markers(staged, LAYOUT.orders), shards)
        self.sources.check_unchanged(planned)
        version, manifest = commit(store, JOB, self._body(staged, written, verified, shards))
        return version, manifest, version <= before

    def _stage(self, planned: Sequence[Planned]) -> list[Marker]:
        """Stage every unit; raises QuarantineError where too much of the input is broken."""
        said = self._opt_outs()
        if self.block.ambiguous:
            fetch_model(ambiguous.MODEL)
            fetch_model(ambiguous.CONFIG)
        config = {
            "inputs": self.sources.config,
            "settings": asdict(self.settings),
            "opt_out": [sorted(said.repositories), sorted(said.owners)],
            "revision": self.block.revision,
        }
        tasks = [each.task for each in planned]
        markers = self.launcher.run(JOB, Phase("stage", tasks, "pipelines.repositories.stage:StageCode", config))
        refuse_broken(JOB, markers, self.block.max_quarantined_fraction)
        return markers

    def _body(
        self, staged: Sequence[Marker], written: Sequence[Marker], verified: Sequence[Marker], shards: int
    ) -> Manifest:
        """Return the manifest's body; raises LedgerError unless every unit balances, RuntimeError unless files do."""
        settings = {**self.described(), "shards": shards}
        body = snapshot_body(self.launcher.store, JOB, settings, staged, written)
        return body | {"statistics": body["statistics"] | cluster_statistics(verified)}
