"""What the report shows of a code snapshot: languages, licences, what was masked, a few files and repositories."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pipelines.report.counts import Counts, Funnel, Histogram, RuleCount


@dataclass(frozen=True)
class SourceFile:
    """A file as an example; `text` is its beginning."""

    repository: str
    path: str
    text: str
    language: str = ""
    license: str = ""  # an SPDX expression; "" for none
    stars: int | None = None
    reasons: tuple[str, ...] = ()


@dataclass(frozen=True)
class Repository:
    """A repository document as an example."""

    name: str
    files: int
    languages: tuple[str, ...] = ()
    licenses: tuple[str, ...] = ()


@dataclass(frozen=True)
class CodeData:
    """A code snapshot as the report shows it."""

    funnel: Funnel
    rules: tuple[RuleCount, ...] = ()
    histograms: tuple[Histogram, ...] = ()
    kept_bytes: int = 0
    languages: Mapping[str, Counts] = field(default_factory=dict)  # name -> verdict, "kept_bytes" ... -> count
    licenses: Mapping[str, Counts] = field(default_factory=dict)  # SPDX expression or none -> the same
    license_classes: Mapping[str, Counts] = field(default_factory=dict)
    classes_kept: tuple[str, ...] = ()  # as the recipe says
    masked: Counts = field(default_factory=dict)  # class, "secret_count" -> places in kept files
    detector: str = ""  # what tells licences, with its versions
    repository_documents: int = 0
    files: Mapping[str, tuple[SourceFile, ...]] = field(default_factory=dict)  # verdict -> some of them
    repositories: tuple[Repository, ...] = ()
