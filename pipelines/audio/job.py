"""The audio job from recipe to committed snapshot.

stage -> transcripts -> link -> components -> route -> verify -> write. Keys work as in the text job: a changed rule
runs route, verify and write again, a changed segment length everything.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version as version_of
from typing import Any

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
from filters.models import MODELS
from manifests.limits import Limits
from manifests.manifest import Manifest, commit, newest_version
from manifests.runs import RUN_VERSION, partitions_for
from pipelines.audio.block import Audio
from pipelines.audio.records import LAYOUT, TRANSCRIPT_ORDER
from pipelines.audio.transcripts import TRANSCRIPTS_VERSION
from pipelines.launcher import Launcher
from pipelines.recipe import Input
from pipelines.sources import SOURCES_VERSION
from pipelines.stages import judges, speech
from pipelines.stages.clusters import Clustering, verified
from pipelines.stages.compact import compact
from pipelines.stages.ranges import Ranges
from pipelines.stages.sidecars import SIDECARS_VERSION
from pipelines.stages.snapshot import snapshot_body
from pipelines.stages.staged import Staged
from pipelines.stages.units import Inputs, Planned
from pipelines.tasks import Marker, Phase
from pipelines.url_list_block import UrlListBlock

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
class AudioJob:
    """A recipe's audio block over its inputs."""

    block: Audio
    inputs: Sequence[Input]
    limits: Limits
    audio_limits: AudioLimits
    launcher: Launcher
    crawled: Manifest | None = None
    opt_out: Sequence[UrlListBlock] = ()

    def __post_init__(self) -> None:
        rules = [*FILE_RULES, *(rule for name in self.block.profiles for rule in PROFILES[name])]
        there = [*self.block.scorers, *(["transcriber"] if self.block.transcriber else [])]
        chosen, self.without_scorer = applicable(rules, there)
        self.rules = (*chosen, *speech.scorer_rules(self.block.text_scorers))
        self.recogniser = speech.Recogniser(self.block.transcriber, JOB)
        self.sources = Inputs(self.inputs, self.launcher.store, self.crawled, self.opt_out)
        self.ranges = Ranges(self.launcher, JOB, VERSION, self.limits.partition_bytes)

    def described(self) -> dict[str, Any]:
        """Return the settings that decide the bytes of the snapshot; a scorer that is not there is "none"."""
        return {
            "stage": self._stage_settings(),
            "rules": judges.to_json(self.rules),
            "rules_without_scorer": list(self.without_scorer),
            "scored_by": {
                "quality": "dnsmos" if "dnsmos" in self.block.scorers else "none",
                "transcriber": "whisper" if self.block.transcriber else "none",
                "listed_words": "word_lists" if self.block.word_lists else "none",
                "text": ", ".join(each.column for each in self.block.text_scorers) or "none",
            },
            "transcript_signals": SIGNALS_OF_TRANSCRIPTS,
            **self.block.model_dump(mode="json", exclude={"transcriber", "word_lists", "text_scorers"}),
            "word_lists": self.block.word_lists.sha256 if self.block.word_lists else None,
            "text_scorers": speech.described_scorers(self.block.text_scorers),
        }

    def _child(self) -> dict[str, Any]:
        """Return what the guarded children are made with (filters.audio.child.Settings), but for the transcriber."""
        named = ("segments", "vad", "level", "log_mel", "scorers")
        given = self.block.model_dump(mode="json", include=set(named))
        return {**given, "limits": asdict(self.audio_limits)}

    def _stage_settings(self) -> dict[str, Any]:
        child, models = self._child(), [VAD_MODEL, *([QUALITY_MODEL] if self.block.scorers else [])]
        transcriber = self.recogniser.described()
        return {
            "child": {**child, "transcriber": transcriber},
            "refuse": list(self.block.refuse),
            "max_record_bytes": self.audio_limits.max_audio_bytes,
            "models": {name: MODELS[name].sha256 for name in models},
            "versions": {**VERSIONS, **{name: version_of(name) for name in ("av", *recogniser(transcriber))}},
        }

    def plan(self) -> list[Planned]:
        """Return the units of all inputs in a fixed order."""
        return self.sources.plan(JOB, {"settings": self._stage_settings()}, self.limits)

    def run(self) -> tuple[int, Manifest, bool]:
        """Run what is not done, commit, and return (version, manifest, whether it stood already)."""
        self._fetch_models()
        before = newest_version(self.launcher.store, JOB)
        planned = self.plan()
        markers = self._stage(planned)
        staged = Staged.from_markers(markers, LAYOUT.orders)
        encoded_bytes = sum(marker["encoded_bytes"] for marker in markers)
        written = self._decide(staged, encoded_bytes) if staged.runs["audio"] else []
        self.sources.check_unchanged(planned)
        version, manifest = commit(self.launcher.store, JOB, self._body(markers, written))
        return version, manifest, version <= before

    def _fetch_models(self) -> None:
        from filters import language
        from filters.models import fetch_model

        for name in (VAD_MODEL, language.MODEL, *([QUALITY_MODEL] if self.block.scorers else [])):
            fetch_model(name)

    def _stage(self, planned: Sequence[Planned]) -> list[Marker]:
        config = {
            "inputs": self.sources.config,
            "child": self._child(),
            "transcriber": self.recogniser.kept(self.launcher.store),
            "limits": asdict(self.limits),
            "max_file_bytes": self.audio_limits.max_audio_bytes,
            "file_cpu_s": self.audio_limits.audio_cpu_s,
            "refuse": list(self.block.refuse),
            "mels": self.block.log_mel.mels if self.block.log_mel else 0,
            "pack_bytes": 2 * self.limits.part_bytes,
        }
        tasks = [each.task for each in planned]
        return self.launcher.run(JOB, Phase("stage", tasks, "pipelines.audio.stage:StageAudio", config))

    def _decide(self, staged: Staged, encoded_bytes: int) -> list[Marker]:
        shards = self.block.shards
        if shards == "auto":
            shards = partitions_for(encoded_bytes, max(1, 2 * self.limits.shard_bytes))
        staged = compact(self.launcher, LAYOUT, staged, self.limits, shards)
        name = staged.save(self.launcher.store, JOB)
        common = {
            "staged": name,
            "transcripts": self._transcripts(name, staged),
            "rules": judges.to_json(self.rules),
            **speech.keep_safety(self.launcher.store, JOB, self.block.word_lists, self.block.text_scorers),
            "transcript_signals": SIGNALS_OF_TRANSCRIPTS,
        }
        merged = self._deduplicate(staged, common)
        config = {**common, "merged": self.ranges.listed(merged)}
        return self.ranges.write("pipelines.audio.write:WriteShard", config, shards)

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

    def _body(self, staged: Sequence[Marker], written: Sequence[Marker]) -> Manifest:
        """Return the manifest's body; raises where a unit's account or its files do not balance."""
        parents = [self.crawled["digest"]] if self.crawled else []
        store, settings = self.launcher.store, self.described()
        return snapshot_body(store, JOB, settings, staged, written, kept="records", parents=parents)


def recogniser(transcriber: object) -> tuple[str, ...]:
    """Return the packages that a transcriber's words depend on."""
    return ("faster-whisper", "ctranslate2") if transcriber else ()
