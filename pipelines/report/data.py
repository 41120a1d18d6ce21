"""What a report is made of: counts, histograms and small samples. Nothing here grows with the corpus.

A run leaves this as JSON; `ReportData.from_dict` checks it. All counts are of documents unless the name says
otherwise (`_bytes`, `characters`, `tokens`).
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from pipelines.report.code_data import CodeData
from pipelines.report.counts import Counts, Funnel, Histogram, RuleCount, Threshold
from pipelines.report.crawl_data import CrawlData
from pipelines.report.encode_data import MixtureData, TokensData
from pipelines.report.instruct_data import InstructData
from pipelines.report.late_data import Late
from pipelines.report.media_data import AudioData, ImagesData, InterleaveData, Picture, VideoData

__all__ = ["Counts", "Funnel", "Histogram", "ImagesData", "Picture", "RuleCount", "Threshold"]  # of their own rooms


@dataclass(frozen=True)
class LanguageCount:
    """Documents of one language, and the UTF-8 bytes of their text, by what became of them."""

    language: str
    kept: int = 0
    dropped: int = 0
    merged: int = 0
    kept_bytes: int = 0
    dropped_bytes: int = 0
    merged_bytes: int = 0


@dataclass(frozen=True)
class Sample:
    """One document, shown as an example; `text` is its beginning (a few thousand characters at most)."""

    uri: str
    text: str
    title: str = ""
    language: str = "und"
    language_score: float | None = None
    characters: int | None = None  # of the whole text
    source: str = ""
    reasons: tuple[str, ...] = ()  # every rule that objects, with its value if known


@dataclass(frozen=True)
class NearDuplicate:
    """A document that went because another one stayed; similarity is the Jaccard index of their shingles."""

    kept: Sample
    removed: Sample
    similarity: float


@dataclass(frozen=True)
class Clusters:
    """Clusters of near-duplicates: size -> number of clusters.

    `uncompared` are members that were kept because the limit on comparisons was reached.
    """

    sizes: Mapping[int, int] = field(default_factory=dict)
    uncompared: int = 0


@dataclass(frozen=True)
class Compression:
    """What the tokenizer makes of the text of one language."""

    language: str
    bytes: int
    characters: int
    tokens: int
    words: int | None = None
    byte_tokens: int | None = None  # tokens of one byte: characters that the vocabulary lacks
    placed_words: int | None = None  # words that could be held against tokens
    single_words: int | None = None  # of these, within one token


@dataclass(frozen=True)
class Pieces:
    """One sentence as the tokenizer cuts it; a piece keeps SentencePiece's mark for a space."""

    language: str
    text: str
    pieces: tuple[str, ...]


@dataclass(frozen=True)
class TokenizerData:
    """A trained model and how well it serves each language."""

    algorithm: str
    vocabulary: int
    digest: str = ""
    distinct_words: int | None = None  # rows that it was trained on
    words: int | None = None  # the sum of their counts
    used_pieces: int | None = None  # pieces that occur in the text measured
    pieces_by_kind: Counts = field(default_factory=dict)  # script, byte, special -> pieces
    compression: tuple[Compression, ...] = ()
    samples: tuple[Pieces, ...] = ()
    sources: tuple[Compression, ...] = ()  # `language` is the name of the source
    learnt_pieces: int | None = None
    never_used: int | None = None  # learnt pieces that no counted word encodes to
    unreachable: int | None = None  # learnt pieces that their own text does not encode to
    bursty: tuple[str, ...] = ()  # pieces of many uses in few texts
    same: tuple[Pieces, ...] = ()  # the same sentences in several languages, English among them
    lossless: tuple[int, int] | None = None  # measured texts that come back as they were, of how many
    superwords: tuple[str, ...] = ()  # first pieces over several words
    superword_count: int = 0
    superwords_exact: bool = True  # what all pairs of words would have given


@dataclass(frozen=True)
class Phase:
    """One phase of the job; `units` of it done, `reused` of them found done already."""

    name: str
    wall_s: float
    cpu_s: float | None = None
    units: int = 0
    reused: int = 0


@dataclass(frozen=True)
class Model:
    """A model file that results depend on."""

    name: str
    purpose: str
    digest: str


@dataclass(frozen=True)
class Scorer:
    """A place for a model of the user's; `model` is None where it stands empty."""

    name: str
    purpose: str
    model: str | None = None


NO_SCORERS = (
    Scorer("quality", "a classifier's score of how much a text teaches"),
    Scorer("toxicity", "a classifier's score of hate, threats and abuse"),
)


@dataclass(frozen=True)
class Provenance:
    """Where the result comes from, so that anyone can make it again."""

    manifest_digest: str = ""
    plan_hash: str = ""
    snapshot: str = ""  # v000001
    version: str = ""  # of corpusmill
    recipe: str = ""  # as YAML or JSON text
    shards: int = 0
    output_bytes: int = 0
    input_bytes: int = 0
    models: tuple[Model, ...] = ()
    phases: tuple[Phase, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ReportData:
    """A whole report. An empty part is left out of the page, or said to be empty where that is news."""

    title: str
    funnel: Funnel
    sources: Mapping[str, Funnel] = field(default_factory=dict)
    rules: tuple[RuleCount, ...] = ()
    languages: tuple[LanguageCount, ...] = ()
    histograms: tuple[Histogram, ...] = ()
    kept_samples: tuple[Sample, ...] = ()
    dropped_samples: tuple[Sample, ...] = ()
    near_duplicates: tuple[NearDuplicate, ...] = ()
    clusters: Clusters | None = None
    tokenizer: TokenizerData | None = None
    crawl: CrawlData | None = None
    images: ImagesData | None = None
    audio: AudioData | None = None
    video: VideoData | None = None
    code: CodeData | None = None
    interleave: InterleaveData | None = None
    tokens: TokensData | None = None
    mixture: MixtureData | None = None
    instruct: InstructData | None = None
    late: Late | None = None
    scorers: tuple[Scorer, ...] = NO_SCORERS
    provenance: Provenance = Provenance()

    @property
    def media(self) -> tuple[tuple[str, Funnel], ...]:
        """The jobs beside text that ran: what one record of each is called, and what became of them."""
        jobs = (("image", self.images), ("sound", self.audio), ("clip", self.video), ("source file", self.code))
        return tuple((name, each.funnel) for name, each in jobs if each is not None)

    @property
    def is_without_text(self) -> bool:
        """Whether there is a crawl, or there are media, and no text job has read anything."""
        return bool(self.crawl or self.media) and not self.funnel.read

    @property
    def is_crawl_alone(self) -> bool:
        """Whether nothing was made yet of what the crawl brought."""
        return self.crawl is not None and self.is_without_text and not self.media

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> "ReportData":
        """Return the report of plain JSON data; a missing part has its default, a wrong one raises
        ValueError.
        """
        from pydantic import TypeAdapter

        return TypeAdapter(cls).validate_python(plain)

    def to_dict(self) -> dict[str, Any]:
        """Return plain data that JSON can hold."""
        return asdict(self)
