"""What a report is made of: counts, histograms and small samples. Nothing here grows with the corpus.

A run leaves this as JSON; `ReportData.from_dict` checks it. All counts are of documents unless the name says
otherwise (`_bytes`, `characters`, `tokens`).
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from manifests.reasons import Skipped
from pipelines.report.crawl_data import CrawlData

Counts = Mapping[str, int]


@dataclass(frozen=True)
class Funnel:
    """Every record of an input, in exactly one place.

    read = skipped + quarantined + refused + dropped + merged + kept, the equation that a commit checks.
    """

    read: int
    kept: int
    skipped: Counts = field(default_factory=dict)  # manifests.reasons.Skipped -> records
    quarantined: Counts = field(default_factory=dict)  # Quarantine -> records
    refused: Counts = field(default_factory=dict)  # Refused -> records
    dropped: Counts = field(default_factory=dict)  # the first rule that objects -> documents
    merged: Counts = field(default_factory=dict)  # Merged -> documents
    lost_bytes: int = 0  # input bytes between records that no reader could use

    @property
    def unaccounted(self) -> int:
        """Records that stand nowhere (positive) or in two places (negative); 0 in every committed run."""
        return self.read - self.kept - sum(sum(counts.values()) for _, counts in self.losses)

    @property
    def beside(self) -> int:
        """WARC records of other types, the requests and metadata of a crawl above all."""
        return self.skipped.get(Skipped.WARC_RECORD_TYPE, 0)

    @property
    def of_pages(self) -> "Funnel":
        """The same without what stands beside the pages in WARC."""
        others = {reason: count for reason, count in self.skipped.items() if reason != Skipped.WARC_RECORD_TYPE}
        return replace(self, read=self.read - self.beside, skipped=others)

    @property
    def judged(self) -> int:
        """Documents that rules looked at."""
        return self.kept + sum(self.dropped.values()) + sum(self.merged.values())

    @property
    def losses(self) -> tuple[tuple[str, Counts], ...]:
        """The ways out, in the order in which a record meets them."""
        return (
            ("skipped", self.skipped),
            ("quarantined", self.quarantined),
            ("refused", self.refused),
            ("dropped", self.dropped),
            ("merged", self.merged),
        )


@dataclass(frozen=True)
class RuleCount:
    """What one rule does, counted from the bitmask of all failing rules of every document."""

    name: str
    failed: int  # documents that fail it: what it would drop if it stood alone
    first: int  # documents of which it names the reason, as the first in order that objects
    only: int  # documents that fail no other rule: what would come back without it
    bounds: str = ""  # what is kept, "<= 0.3"


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
class Threshold:
    """The bounds of a rule on a signal, inclusive: what lies outside is dropped."""

    rule: str
    min: float | None = None
    max: float | None = None


@dataclass(frozen=True)
class Histogram:
    """How a signal is spread over documents: those that stay, and those that rules drop.

    n + 1 `edges`, ascending; bin i holds edges[i] <= value < edges[i + 1], the last bin its right edge too.
    `kept` and `dropped` have n + 1 counts each, the last of them of values beyond the last edge.
    """

    signal: str  # "duplicate_line_count / line_count"
    edges: tuple[float, ...]
    kept: tuple[int, ...]
    dropped: tuple[int, ...]
    thresholds: tuple[Threshold, ...] = ()

    @property
    def is_ratio(self) -> bool:
        """Whether the values are ratios, not whole counts."""
        return "/" in self.signal or self.signal.endswith("_score")

    def __post_init__(self) -> None:
        if not len(self.edges) == len(self.kept) == len(self.dropped) >= 2:
            raise ValueError(
                f"{self.signal}: {len(self.edges)} edges need as many counts, got {len(self.kept)} kept "
                f"and {len(self.dropped)} dropped"
            )


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
    scorers: tuple[Scorer, ...] = NO_SCORERS
    provenance: Provenance = Provenance()

    @property
    def is_crawl_alone(self) -> bool:
        """Whether no text job has read what the crawl brought."""
        return self.crawl is not None and not self.funnel.read

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
