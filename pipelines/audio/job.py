"""The audio job from recipe to committed snapshot.

stage -> transcripts -> link -> components -> route -> verify -> write. Keys work as in the text job: a changed rule
runs route, verify and write again, a changed segment length everything.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version as version_of
from typing import Any

from filters import language
from filters.audio import signals
from filters.audio.decode import DECODE_VERSION
from filters.audio.fingerprint import FINGERPRINT_VERSION
from filters.audio.flac import FLAC_VERSION
from filters.audio.limits import AudioLimits
from filters.audio.mel import MEL_VERSION
from filters.audio.profiles import FILE_RULES, PROFILES, applicable
from filters.audio.segments import SEGMENTS_VERSION
from filters.audio.transcript_signals import TRANSCRIPTS_VERSION as SIGNALS_OF_TRANSCRIPTS
from filters.audio.vad import VAD_VERSION
from filters.models import MODELS, fetch_model
from manifests.runs import RUN_VERSION
from pipelines.audio.block import Audio
from pipelines.audio.records import LAYOUT, TRANSCRIPT_ORDER
from pipelines.audio.transcripts import TRANSCRIPTS_VERSION
from pipelines.sources import SOURCES_VERSION
from pipelines.stages import judges, speech
from pipelines.stages.clusters import Clustering, verified
from pipelines.stages.media_job import MediaJob
from pipelines.stages.sidecars import SIDECARS_VERSION
from pipelines.stages.staged import Staged
from pipelines.tasks import Marker

JOB = LAYOUT.job
VERSION = 2
VAD_MODEL, QUALITY_MODEL = "silero_vad_16k_sequence.onnx", "dnsmos_sig_bak_ovr.onnx"
VERSIONS = {
    "decode": DECODE_VERSION,
    "flac": FLAC_VERSION,
    "fingerprint": FINGERPRINT_VERSION,
    "mel": MEL_VERSION,
    "segments": SEGMENTS_VERSION,
    "signals": signals.SIGNALS_VERSION,
    "vad": VAD_VERSION,
    "transcripts": TRANSCRIPTS_VERSION,
    "sidecars": SIDECARS_VERSION,
    "sources": SOURCES_VERSION,
    "runs": RUN_VERSION,
}


@dataclass
class AudioJob(MediaJob):
    """A recipe's audio block over its inputs."""

    block: Audio
    media_limits: AudioLimits

    LAYOUT = LAYOUT
    ROWS = "audio"
    VERSION = VERSION

    def __post_init__(self) -> None:
        super().__post_init__()
        rules = [*FILE_RULES, *(rule for name in self.block.profiles for rule in PROFILES[name])]
        there = [*self.block.scorers, *(["transcriber"] if self.block.transcriber else [])]
        chosen, self.without_scorer = applicable(rules, there)
        self.rules = (*chosen, *speech.scorer_rules(self.block.text_scorers))
        self.recogniser = speech.Recogniser(self.block.transcriber, JOB)

    def described(self) -> dict[str, Any]:
        """Return the settings that decide the bytes of the snapshot; a scorer that is not there is "none"."""
        quality = "dnsmos" if "dnsmos" in self.block.scorers else "none"
        return {
            "stage": self._stage_settings(),
            "rules": judges.to_json(self.rules),
            "rules_without_scorer": list(self.without_scorer),
            "scored_by": {"quality": quality, **speech.scored_by(self.block)},
            **speech.described(self.block),
        }

    def _child(self) -> dict[str, Any]:
        """Return what the guarded children are made with (filters.audio.child.Settings), but for the transcriber."""
        named = ("segments", "vad", "level", "log_mel", "scorers")
        given = self.block.model_dump(mode="json", include=set(named))
        return {**given, "limits": asdict(self.media_limits)}

    def _models(self) -> list[str]:
        return [VAD_MODEL, *([QUALITY_MODEL] if self.block.scorers else [])]

    def _stage_settings(self) -> dict[str, Any]:
        return {
            "child": {**self._child(), "transcriber": self.recogniser.described()},
            "refuse": list(self.block.refuse),
            "max_record_bytes": self.media_limits.max_audio_bytes,
            "models": {name: MODELS[name].sha256 for name in self._models()},
            "versions": {**VERSIONS, **{name: version_of(name) for name in ("av", *self.recogniser.packages)}},
        }

    def _bring(self) -> None:
        for name in (*self._models(), language.MODEL):
            fetch_model(name)

    def _stage_config(self) -> dict[str, Any]:
        return {
            "child": self._child(),
            "transcriber": self.recogniser.kept(self.launcher.store),
            "max_file_bytes": self.media_limits.max_audio_bytes,
            "file_cpu_s": self.media_limits.audio_cpu_s,
            "mels": self.block.log_mel.mels if self.block.log_mel else 0,
        }

    def _decisions(self, name: str, staged: Staged) -> dict[str, Any]:
        common = {
            "staged": name,
            "transcripts": self._transcripts(name, staged),
            "rules": judges.to_json(self.rules),
            **speech.keep_safety(self.launcher.store, JOB, self.block.word_lists, self.block.text_scorers),
            "transcript_signals": SIGNALS_OF_TRANSCRIPTS,
        }
        return {**common, "merged": self.ranges.listed(self._deduplicate(staged, common))}

    def _transcripts(self, name: str, staged: Staged) -> str:
        """Join texts with sounds by their names; return the name of the runs."""
        if not staged.runs["transcripts"]:
            return self.ranges.listed([])
        config = {"staged": name, "texts": "transcripts", "order": list(TRANSCRIPT_ORDER)}
        size = staged.memory_bytes("stems") + staged.memory_bytes("transcripts")
        return self.ranges.listed(self.ranges.run("transcripts", "pipelines.stages.sidecars:JoinByStem", config, size))

    def _deduplicate(self, staged: Staged, common: Mapping[str, Any]) -> list[Marker]:
        dedup = self.block.dedup
        if not (dedup.exact or dedup.near) or not staged.runs["bands"]:
            return []
        how = Clustering("pipelines.audio.near", "audio", dedup.model_dump())
        return verified(self.ranges, staged, common, how)
