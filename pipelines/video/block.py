"""The `video:` block of a recipe."""

from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from pipelines.crawl.block import REFUSALS, Refusal
from pipelines.recipe_block import Block, wrong
from pipelines.speech_block import TranscriberBlock, WordListsBlock
from pipelines.text.safety_block import TextScorerBlock

Profile = Literal["corpusmill_video_v1", "spoken_video_v1", "safe_video_v1"]
Scorer = Literal["nsfw"]
Seconds = Annotated[float, Field(ge=0, le=3600)]


class Clips(Block):
    """How films are cut: at their shots, and shots into pieces that a trainer can take."""

    cut_threshold: Annotated[float, Field(gt=0, le=255, description="PySceneDetect's ContentDetector's")] = 27.0
    min_shot_frames: Annotated[int, Field(ge=1, le=10_000)] = 15
    min_s: Seconds = 2.0
    max_s: Seconds = 60.0
    files: Annotated[bool, Field(description="each clip as a film of its own as well, its packets copied")] = True

    @model_validator(mode="after")
    def _pieces_fit(self) -> "Clips":
        if self.min_s > self.max_s / 2:
            raise wrong(
                ("min_s",), f"is more than half of max_s: a long shot's pieces of {self.max_s} s may be too short"
            )
        return self


class Frames(Block):
    """Which pictures are kept of a clip, as JPEG."""

    fps: Annotated[float, Field(ge=0, le=240, description="0: none")] = 1.0
    keyframes: bool = False
    max_side_px: Annotated[int, Field(ge=16, le=16_384)] = 512
    quality: Annotated[int, Field(ge=1, le=100)] = 95


class VideoDedup(Block):
    """Which copies of clips are merged; the clip with most pixels x seconds stays."""

    exact: bool = True
    near: Annotated[
        float | None,
        Field(gt=0, le=1, description="share of the shorter clip's frames that must be in the other; null: never"),
    ] = 0.8


class Video(Block):
    """Films into clips with frames, sound and words on one time line."""

    profiles: Annotated[tuple[Profile, ...], Field(description="rule sets, in the order in which they object")] = (
        "corpusmill_video_v1",
    )
    clips: Clips = Clips()
    frames: Frames = Frames()
    audio: Annotated[bool, Field(description="the sound of each clip as FLAC, and where somebody speaks")] = True
    scorers: Annotated[tuple[Scorer, ...], Field(description="models that look at each frame")] = ()
    transcriber: Annotated[
        TranscriberBlock | None, Field(description="hears the clips in which somebody speaks; asks for `audio`")
    ] = None
    word_lists: WordListsBlock | None = None
    text_scorers: Annotated[tuple[TextScorerBlock, ...], Field(description="models that score what is said")] = ()
    dedup: VideoDedup = VideoDedup()
    refuse: Annotated[tuple[Refusal, ...], Field(description="whose no counts")] = REFUSALS
    shards: Annotated[
        Annotated[int, Field(ge=1, le=65_536)] | Literal["auto"],
        Field(description="files of the output; auto: by its size"),
    ] = "auto"

    @model_validator(mode="after")
    def _hears(self) -> "Video":
        if self.transcriber is not None and not self.audio:
            raise wrong(("transcriber",), "hears nothing where audio is false")
        return self

    def settings(self) -> dict[str, Any]:
        """Return the fields of filters.video.reader.VideoSettings."""
        return {
            "cut_threshold": self.clips.cut_threshold,
            "min_shot_frames": self.clips.min_shot_frames,
            "min_clip_s": self.clips.min_s,
            "max_clip_s": self.clips.max_s,
            "frame_fps": self.frames.fps,
            "keyframes": self.frames.keyframes,
            "frame_max_side_px": self.frames.max_side_px,
            "frame_quality": self.frames.quality,
            "audio": self.audio,
            "nsfw": "nsfw" in self.scorers,
        }
