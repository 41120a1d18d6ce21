"""The images job from recipe to committed snapshot.

stage, shown -> captions -> count -> score -> link -> components -> route -> verify -> write. Keys work as in the text
job: a changed rule runs route, verify and write again, another scorer its own scores as well, a changed size or format
everything.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version as version_of
from typing import Any

from filters import language
from filters.images.captions import CAPTION_SIGNALS
from filters.images.captions import CAPTIONS_VERSION as SIGNALS_OF_CAPTIONS
from filters.images.child import Settings
from filters.images.decode import DECODE_VERSION
from filters.images.encode import ENCODE_VERSION
from filters.images.faces import FACES_VERSION
from filters.images.known import KNOWN_VERSION
from filters.images.near import NEAR_VERSION
from filters.images.nsfw import NSFW_VERSION
from filters.images.phash import PHASH_VERSION
from filters.images.profiles import PROFILES, applicable
from filters.images.resize import RESIZE_VERSION
from filters.images.signals import SIGNALS_VERSION
from manifests.limits import MediaLimits
from manifests.manifest import Manifest
from manifests.runs import RUN_VERSION, Run, save_runs
from pipelines.images.block import Images, Scorer
from pipelines.images.captions import CAPTIONS_VERSION
from pipelines.images.documents import document_tasks
from pipelines.images.models import bring, measures_nsfw, model_name, read_lists, shipped
from pipelines.images.records import LAYOUT
from pipelines.images.rules import OCCURRENCES, known_column, own_rules
from pipelines.images.scores import SCORES_VERSION
from pipelines.sources import SOURCES_VERSION
from pipelines.stages import judges
from pipelines.stages.clusters import Clustering, verified
from pipelines.stages.media_job import MediaJob
from pipelines.stages.ranges import runs_of
from pipelines.stages.staged import Staged
from pipelines.tasks import Marker, Phase

JOB = "images"
VERSION = 2
DECODERS = ("pillow", "opencv-python-headless")  # another release may give other pixels
MAX_LEADERS = 64


@dataclass
class ImagesJob(MediaJob):
    """A recipe's images block over its inputs."""

    block: Images
    media_limits: MediaLimits
    text: Manifest | None = None  # its documents' alternative texts are captions

    LAYOUT = LAYOUT
    ROWS = "images"
    VERSION = VERSION

    def __post_init__(self) -> None:
        super().__post_init__()
        rules = [*own_rules(self.block), *(rule for name in self.block.profiles for rule in PROFILES[name])]
        self.with_nsfw = measures_nsfw(self.block, rules)
        self.rules, self.without_scorer = applicable(rules, self._columns())
        self.lists = read_lists(self.block)
        self.models = shipped(self.block, with_nsfw=self.with_nsfw)

    def _columns(self) -> tuple[str, ...]:
        """Return what rules can read."""
        known = [known_column(each.kind) for each in self.block.known_bad]
        scored = [scorer.name for scorer in self.block.scorers]
        measured = Settings.of(self._child()).records.names
        return (*measured, OCCURRENCES, *known, *scored, *CAPTION_SIGNALS.names)

    def _child(self) -> dict[str, Any]:
        """Return the settings of the guarded child (filters.images.child.Settings)."""
        faces = {"none": "no", "count": "find", "blur": "blur"}[self.block.faces]
        return {
            "resize": self.block.resize.model_dump(),
            "encode": self.block.encode.model_dump(),
            "limits": asdict(self.media_limits),
            "nsfw": self.with_nsfw,
            "faces": faces,
            "hashes": sorted({each.kind for each in self.block.known_bad} - {"sha256"}),
        }

    def described(self) -> dict[str, Any]:
        """Return the settings that decide the bytes of the snapshot."""
        return {
            "stage": self._stage_settings(),
            "rules": judges.to_json(self.rules),
            "rules_without_scorer": list(self.without_scorer),
            **self.block.model_dump(mode="json"),
            "scorers": [scorer.settings for scorer in self.block.scorers],
            "known_bad": [each.as_json() for each in self.lists],
        }

    def _stage_settings(self) -> dict[str, Any]:
        return {
            **self._child(),
            "models": self._stage_models(),
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
                **({"nsfw": NSFW_VERSION} if self.with_nsfw else {}),
                **({"faces": FACES_VERSION} if self.block.faces != "none" else {}),
                **({"known": KNOWN_VERSION} if self.block.known_bad else {}),
                **{name: version_of(name) for name in DECODERS},
            },
        }

    def _stage_models(self) -> dict[str, str]:
        """Return the models that measure pictures; captions are measured later."""
        return {name: sha256 for name, sha256 in self.models.items() if name != language.MODEL}

    def _bring(self) -> None:
        bring(self.launcher.store, self.block, self.lists, sorted(self.models))

    def _stage_config(self) -> dict[str, Any]:
        return {"child": self._child(), "max_distance": self.block.dedup.near or 0}

    def _decisions(self, name: str, staged: Staged) -> dict[str, Any]:
        common = self._known_of_images(name, staged)
        merged, adopted = self._deduplicate(staged, common)
        return {**common, "merged": self._listed(merged), "adopted": self._listed(adopted)}

    def _known_of_images(self, name: str, staged: Staged) -> dict[str, Any]:
        """Return what images are judged by (pipelines.images.rules.Judging), all of it stored."""
        shown = self.launcher.run(
            JOB, Phase("shown", document_tasks(JOB, self.text), "pipelines.images.documents:ReadDocuments", {})
        )
        config = {"staged": name, "shown": self.ranges.listed(shown)}
        size = staged.memory_bytes("stems") + sum(run.memory_bytes for run in runs_of(shown))
        met = self.ranges.run("captions", "pipelines.images.captions:JoinCaptions", config, size)
        captions = self._listed([Run(**marker["runs"]["captions"]) for marker in met])
        seen = [Run(**marker["runs"]["seen"]) for marker in met]
        counts = self.ranges.run(
            "count",
            "pipelines.images.captions:CountOccurrences",
            {"seen": self._listed(seen)},
            sum(run.memory_bytes for run in seen),
        )
        return {
            "staged": name,
            "captions": captions,
            "counts": self.ranges.listed(counts),
            "scores": [[each.name, self._scored(each, name, captions, staged)] for each in self.block.scorers],
            "known": [[each.kind, each.max_distance, each.name] for each in self.lists],
            "rules": judges.to_json(self.rules),
        }

    def _scored(self, scorer: Scorer, staged: str, captions: str, rows: Staged) -> str:
        config = {
            "staged": staged,
            "captions": captions if scorer.reads_caption else None,
            "model": model_name(scorer),
            "scorer": scorer.settings,
            "limits": asdict(self.limits),
            "media_limits": asdict(self.media_limits),
            "version": SCORES_VERSION,
        }
        size = rows.memory_bytes("images")
        return self.ranges.listed(self.ranges.run("score", "pipelines.images.scores:ScoreImages", config, size))

    def _listed(self, runs: Sequence[Run]) -> str:
        return save_runs(self.launcher.store, JOB, runs)

    def _deduplicate(self, staged: Staged, common: Mapping[str, Any]) -> tuple[list[Run], list[Run]]:
        """Return the runs of merges, and those of captions that go with them."""
        dedup = self.block.dedup
        if not dedup.exact and dedup.near is None:
            return [], []
        verify = {"exact": dedup.exact, "near": dedup.near, "max_leaders": MAX_LEADERS}
        near = "pipelines.images.near"
        how = Clustering(near, "images", verify, f"{near}:Link", {"distance": dedup.near or 0})
        done = verified(self.ranges, staged, common, how)
        return runs_of(done), [Run(**marker["adopted"]) for marker in done]

    def _parents(self) -> list[str]:
        return [*super()._parents(), *([self.text["digest"]] if self.text else [])]

    def _body(self, staged: Sequence[Marker], written: Sequence[Marker]) -> Manifest:
        body = super()._body(staged, written)
        return body | {"models": {**self.models, **{each.name: each.sha256 for each in self.block.scorers}}}
