"""The `audio:` block of a recipe."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from pipelines.crawl.block import REFUSALS, Refusal
from pipelines.recipe_block import Block, wrong
from pipelines.speech_block import TranscriberBlock, WordListsBlock
from pipelines.text.safety_block import TextScorerBlock

Profile = Literal["speech_v1", "emilia_v1", "granary_v1", "nemo_curator_v1", "transcribed_v1"]
Fraction = Annotated[float, Field(ge=0, le=1)]
Seconds = Annotated[float, Field(ge=0, le=86_400)]


class SegmentsBlock(Block):
    """What becomes a record: stretches of speech (Emilia's 3 to 30 s), or each file as a whole."""

    mode: Literal["speech", "whole"] = "speech"
    min_s: Annotated[float, Field(gt=0, le=3600)] = 3.0
    max_s: Annotated[float, Field(gt=0, le=7200)] = 30.0
    merge_gap_s: Seconds = 2.0

    @model_validator(mode="after")
    def _can_be_met(self) -> "SegmentsBlock":
        if self.max_s < 2 * self.min_s:
            raise wrong(("max_s",), f"must be at least twice min_s: {self.max_s} < 2 x {self.min_s}")
        return self


class VadBlock(Block):
    """When a frame of 32 ms is speech; silero's own defaults."""

    threshold: Annotated[float, Field(gt=0, lt=1)] = 0.5
    exit_threshold: Annotated[float, Field(gt=0, lt=1)] = 0.35
    min_speech_s: Seconds = 0.25
    min_silence_s: Seconds = 0.1
    pad_s: Seconds = 0.03

    @model_validator(mode="after")
    def _in_order(self) -> "VadBlock":
        if self.exit_threshold > self.threshold:
            raise wrong(("exit_threshold",), f"must not be above threshold: {self.exit_threshold} > {self.threshold}")
        return self


class LevelBlock(Block):
    """How loud records are written: as they are, as Emilia levels a file, or at a loudness (EBU R 128)."""

    mode: Literal["as_it_is", "emilia", "r128"] = "as_it_is"
    target_lufs: Annotated[float, Field(gt=-70, lt=0)] = -23.0


class LogMelBlock(Block):
    """Log-mel features beside the samples (25 ms frames every 10 ms), as `npy`."""

    mels: Annotated[int, Field(ge=1, le=128)] = 80
    low_hz: Annotated[float, Field(ge=0, lt=8000)] = 0.0
    high_hz: Annotated[float, Field(gt=0, le=8000)] = 8000.0

    @model_validator(mode="after")
    def _in_order(self) -> "LogMelBlock":
        if self.low_hz >= self.high_hz:
            raise wrong(("high_hz",), f"must be above low_hz: {self.high_hz} <= {self.low_hz}")
        return self


class NearAudio(Block):
    """When two sounds are the same recording; compared are the fingerprints themselves."""

    max_error_fraction: Fraction = 0.25
    min_overlap_fraction: Fraction = 0.8


class AudioDedup(Block):
    """Which copies are merged; of a cluster the sound with the widest band stays, then the longest."""

    exact: bool = True
    near: NearAudio | None = NearAudio()


class Audio(Block):
    """Speech with its transcripts: decoded, cut at silence, measured, filtered, deduplicated, sharded."""

    profiles: Annotated[tuple[Profile, ...], Field(description="rule sets, in the order in which they object")] = (
        "speech_v1",
    )
    segments: SegmentsBlock = SegmentsBlock()
    vad: VadBlock = VadBlock()
    level: LevelBlock = LevelBlock()
    log_mel: LogMelBlock | None = None
    scorers: Annotated[tuple[Literal["dnsmos"], ...], Field(description="models that are asked as well")] = ()
    transcriber: TranscriberBlock | None = None
    word_lists: WordListsBlock | None = None
    text_scorers: Annotated[tuple[TextScorerBlock, ...], Field(description="models that score what is said")] = ()
    dedup: AudioDedup = AudioDedup()
    refuse: Annotated[tuple[Refusal, ...], Field(description="whose no counts")] = REFUSALS
    shards: Annotated[int | Literal["auto"], Field(description="files of the output; auto: by its size")] = "auto"
