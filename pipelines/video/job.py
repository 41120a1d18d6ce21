"""The video job from recipe to committed snapshot.

stage -> told -> link -> components -> route -> verify -> write. Keys work as in the text job: a changed rule runs
route, verify and write again, another cut or frame rate everything.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version as version_of
from typing import Any

from filters import language
from filters.audio import signals as sound_signals
from filters.audio.decode import DECODE_VERSION
from filters.audio.flac import FLAC_VERSION
from filters.audio.transcript_signals import TRANSCRIPT_SIGNALS
from filters.audio.transcript_signals import TRANSCRIPTS_VERSION as SIGNALS_OF_TRANSCRIPTS
from filters.audio.vad import MODEL as VAD_MODEL
from filters.audio.vad import VAD_VERSION
from filters.images import nsfw
from filters.images.phash import PHASH_VERSION
from filters.images.profiles import applicable
from filters.models import MODELS, fetch_model
from filters.video import VIDEO_VERSION
from filters.video.clip_child import CLIPS
from filters.video.clip_child import NSFW as NSFW_COLUMNS
from filters.video.near import NEAR_VERSION
from filters.video.remux import REMUX_VERSION
from filters.video.signals import PROFILES
from filters.video.sound import SIGNALS as SOUND
from filters.video.sound import SOUND_VERSION, SPOKEN
from manifests.limits import VideoLimits
from manifests.runs import RUN_VERSION
from pipelines.audio.transcripts import TRANSCRIPTS_VERSION
from pipelines.sources import SOURCES_VERSION
from pipelines.stages import judges, speech
from pipelines.stages.clusters import Clustering, verified
from pipelines.stages.media_job import MediaJob
from pipelines.stages.sidecars import SIDECARS_VERSION
from pipelines.stages.staged import Staged
from pipelines.tasks import Marker
from pipelines.video.block import Video
from pipelines.video.records import LAYOUT
from pipelines.video.told import TOLD_VERSION
from pipelines.video.write import WRITE_VERSION

JOB = LAYOUT.job
VERSION = 1
SOUND_VERSIONS = {
    "decode": DECODE_VERSION,
    "flac": FLAC_VERSION,
    "signals": sound_signals.SIGNALS_VERSION,
    "vad": VAD_VERSION,
    "sound": SOUND_VERSION,
}
VERSIONS = {
    "video": VIDEO_VERSION,
    "remux": REMUX_VERSION,
    "phash": PHASH_VERSION,
    "near": NEAR_VERSION,
    "transcripts": TRANSCRIPTS_VERSION,
    "sidecars": SIDECARS_VERSION,
    "sources": SOURCES_VERSION,
    "runs": RUN_VERSION,
}
DECODERS = ("av", "pillow")  # another release may give other pixels


@dataclass
class VideoJob(MediaJob):
    """A recipe's video block over its inputs."""

    block: Video
    media_limits: VideoLimits

    LAYOUT = LAYOUT
    ROWS = "films"
    VERSION = f"{VERSION} {TOLD_VERSION} {WRITE_VERSION}"

    def __post_init__(self) -> None:
        super().__post_init__()
        rules = [rule for name in self.block.profiles for rule in PROFILES[name]]
        chosen, self.without_scorer = applicable(rules, self._measured())
        self.rules = (*chosen, *speech.scorer_rules(self.block.text_scorers))
        self.recogniser = speech.Recogniser(self.block.transcriber, JOB)

    def _measured(self) -> set[str]:
        """Return the columns that rules may read: those of a scorer only where it is on."""
        without = {
            *(() if "nsfw" in self.block.scorers else (name for name, _ in NSFW_COLUMNS)),
            *(() if self.block.audio else SOUND.names),
            *(() if self.block.transcriber else SPOKEN),
        }
        return {*CLIPS.names, *TRANSCRIPT_SIGNALS.names} - without

    def described(self) -> dict[str, Any]:
        """Return the settings that decide the bytes of the snapshot; a scorer that is not there is "none"."""
        pictures = "open_nsfw" if "nsfw" in self.block.scorers else "none"
        return {
            "stage": self._stage_settings(),
            "rules": judges.to_json(self.rules),
            "rules_without_scorer": list(self.without_scorer),
            "scored_by": {"nsfw": pictures, **speech.scored_by(self.block)},
            "versions": {"told": TOLD_VERSION, "write": WRITE_VERSION, "job": VERSION},
            **speech.described(self.block),
        }

    def _child(self) -> dict[str, Any]:
        """Return what the guarded children are made with (filters.video.clip_child:factory)."""
        return {"settings": self.block.settings(), "limits": asdict(self.media_limits), "files": self.block.clips.files}

    def _models(self) -> list[str]:
        return [*([VAD_MODEL] if self.block.audio else []), *([nsfw.MODEL] if "nsfw" in self.block.scorers else [])]

    def _stage_settings(self) -> dict[str, Any]:
        return {
            "child": {**self._child(), "transcriber": self.recogniser.described()},
            "refuse": list(self.block.refuse),
            "models": {name: MODELS[name].sha256 for name in self._models()},
            "versions": {
                **VERSIONS,
                **(SOUND_VERSIONS if self.block.audio else {}),
                **({"nsfw": nsfw.NSFW_VERSION} if "nsfw" in self.block.scorers else {}),
                **{name: version_of(name) for name in (*DECODERS, *self.recogniser.packages)},
            },
        }

    def _bring(self) -> None:
        for name in (*self._models(), language.MODEL):
            fetch_model(name)

    def _stage_config(self) -> dict[str, Any]:
        return {"child": self._child(), "transcriber": self.recogniser.kept(self.launcher.store)}

    def _decisions(self, name: str, staged: Staged) -> dict[str, Any]:
        common = {
            "staged": name,
            "told": self._told(name, staged),
            "rules": judges.to_json(self.rules),
            **speech.keep_safety(self.launcher.store, JOB, self.block.word_lists, self.block.text_scorers),
            "transcript_signals": SIGNALS_OF_TRANSCRIPTS,
        }
        return {**common, "merged": self.ranges.listed(self._deduplicate(staged, common))}

    def _told(self, name: str, staged: Staged) -> str:
        """Join texts with clips by the names of their films; return the name of the runs."""
        if not (staged.runs["transcripts"] and staged.runs["stems"]):
            return self.ranges.listed([])
        size = staged.memory_bytes("stems") + staged.memory_bytes("transcripts")
        return self.ranges.listed(self.ranges.run("told", "pipelines.video.told:JoinTexts", {"staged": name}, size))

    def _deduplicate(self, staged: Staged, common: Mapping[str, Any]) -> list[Marker]:
        dedup = self.block.dedup
        if not (dedup.exact or dedup.near) or not staged.runs["bands"]:
            return []
        how = Clustering("pipelines.video.near", "clips", dedup.model_dump())
        return verified(self.ranges, staged, common, how)
