"""What the report shows of media: counts, and a few images, sounds, clips and documents with their pictures.

Thumbnails and sounds are data: URIs, empty where nothing is to be shown.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pipelines.report.counts import Counts, Funnel, Histogram, RuleCount


@dataclass(frozen=True)
class Picture:
    """An image as an example; `thumbnail` is a data: URI of a JPEG, empty where it must not be shown."""

    uri: str
    thumbnail: str = ""
    caption: str = ""
    width_px: int = 0
    height_px: int = 0
    reasons: tuple[str, ...] = ()  # why it is not kept


@dataclass(frozen=True)
class ImagesData:
    """An images snapshot as the report shows it."""

    funnel: Funnel
    rules: tuple[RuleCount, ...] = ()
    histograms: tuple[Histogram, ...] = ()
    formats: Counts = field(default_factory=dict)  # of what is kept, as it came
    kept_bytes: int = 0
    kept_pixels: int = 0
    captioned: int = 0  # kept images with a caption
    captions: int = 0
    without_scorer: tuple[str, ...] = ()  # rules that read what no model measures here
    models: Mapping[str, str] = field(default_factory=dict)  # name -> sha256
    pictures: Mapping[str, tuple[Picture, ...]] = field(default_factory=dict)  # verdict -> some of them


@dataclass(frozen=True)
class Judged:
    """What all media jobs have in common."""

    funnel: Funnel
    rules: tuple[RuleCount, ...] = ()
    histograms: tuple[Histogram, ...] = ()
    without_scorer: tuple[str, ...] = ()  # rules that read what no model measures here
    models: Mapping[str, str] = field(default_factory=dict)  # name -> sha256
    scorers: Mapping[str, str] = field(default_factory=dict)  # place -> what stands there, or "none"


@dataclass(frozen=True)
class Sound:
    """A segment as an example; `lows` and `highs` outline it, in [-127, 127]."""

    uri: str
    duration_s: float | None = None
    transcript: str = ""
    origin: str = ""  # of the transcript
    language: str = "und"
    reasons: tuple[str, ...] = ()
    lows: tuple[int, ...] = ()
    highs: tuple[int, ...] = ()
    sound: str = ""  # its beginning


@dataclass(frozen=True)
class AudioData(Judged):
    """An audio snapshot as the report shows it."""

    kept_ms: int = 0
    kept_bytes: int = 0
    transcribed: int = 0  # kept segments with a transcript
    codecs: Counts = field(default_factory=dict)  # of what is kept, as it came
    transcripts: Counts = field(default_factory=dict)  # where they come from -> segments
    languages: Mapping[str, Counts] = field(default_factory=dict)  # code -> verdict -> segments
    language_ms: Counts = field(default_factory=dict)  # of what is kept
    sounds: Mapping[str, tuple[Sound, ...]] = field(default_factory=dict)  # verdict -> some of them


@dataclass(frozen=True)
class Frame:
    """A picture of a clip."""

    start_s: float
    thumbnail: str


@dataclass(frozen=True)
class Cue:
    """Something said, on the film's time line."""

    start_s: float
    end_s: float
    text: str


@dataclass(frozen=True)
class Clip:
    """A clip of a film."""

    uri: str
    start_s: float
    end_s: float
    verdict: str
    reasons: tuple[str, ...] = ()
    frames: tuple[Frame, ...] = ()
    cues: tuple[Cue, ...] = ()
    caption: str = ""
    language: str = "und"
    width_px: int = 0
    height_px: int = 0
    is_hidden: bool = False


@dataclass(frozen=True)
class Film:
    """A film with its clips by time, or those of them that were found."""

    uri: str
    duration_s: float
    shot_count: int
    clip_count: int
    clips: tuple[Clip, ...] = ()


@dataclass(frozen=True)
class VideoData(Judged):
    """A video snapshot as the report shows it."""

    kept_ms: int = 0
    speech_ms: int = 0
    captioned: int = 0
    transcribed: int = 0
    codecs: Counts = field(default_factory=dict)
    languages: Counts = field(default_factory=dict)  # of transcripts of kept clips
    parts: Counts = field(default_factory=dict)  # of kept clips: frame, audio, text
    films: tuple[Film, ...] = ()
    clips: Mapping[str, tuple[Clip, ...]] = field(default_factory=dict)  # verdict -> some of them


@dataclass(frozen=True)
class Piece:
    """A part of a document: a text, or a picture that stays, goes or is missing."""

    kind: str
    text: str = ""  # of a text: its beginning; of a picture: its alternative text
    characters: int = 0
    uri: str = ""
    verdict: str = "kept"
    reason: str = ""
    thumbnail: str = ""


@dataclass(frozen=True)
class IllustratedDocument:
    """A document with its pictures, as it is trained on."""

    uri: str
    title: str = ""
    language: str = "und"
    skipped_parts: int = 0  # before the first piece
    part_count: int = 0
    pieces: tuple[Piece, ...] = ()


@dataclass(frozen=True)
class InterleaveData:
    """An interleaved snapshot as the report shows it."""

    funnel: Funnel
    parts_read: Counts = field(default_factory=dict)  # kind -> parts
    parts: Mapping[str, Counts] = field(default_factory=dict)  # kind -> "verdict/reason" -> parts
    rules: tuple[RuleCount, ...] = ()
    histograms: tuple[Histogram, ...] = ()
    languages: Counts = field(default_factory=dict)
    without_scorer: tuple[str, ...] = ()
    documents: tuple[IllustratedDocument, ...] = ()
