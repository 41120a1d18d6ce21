"""What the text job's late phases and its slots for safety did, as the report shows it."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from pipelines.report.counts import Counts


@dataclass(frozen=True)
class Cuts:
    """Passages that stand in other documents too: what was cut, and who went for what was left of them."""

    asked: tuple[str, ...]  # what is cut, in words
    documents: int = 0  # that lost some
    bytes: int = 0
    dropped_after: Counts = field(default_factory=dict)  # reason -> documents


@dataclass(frozen=True)
class SetFound:
    """An evaluation set: documents that were dropped for it, and what of it they hold."""

    name: str
    dropped: int = 0  # it is their reason
    holding: int | None = None  # they hold an item of it; null where nobody counted
    items: int | None = None


@dataclass(frozen=True)
class Hit:
    """A document that holds an item."""

    uri: str
    name: str
    item: int
    shared_gram_count: int


@dataclass(frozen=True)
class Contamination:
    """Evaluation sets that were looked for."""

    sets: tuple[SetFound, ...]
    asked: str = ""
    hits: tuple[Hit, ...] = ()


@dataclass(frozen=True)
class Masked:
    """Personal data that gave way to the name of its class."""

    documents: int = 0
    spans: Counts = field(default_factory=dict)  # class -> spans


@dataclass(frozen=True)
class BlockList:
    """A list of URLs whose pages are dropped."""

    name: str
    scope: str = ""
    dropped: int = 0


@dataclass(frozen=True)
class Others:
    """Snapshots whose documents are not kept again, and who stays of a cluster."""

    merged: Counts = field(default_factory=dict)  # digest of a snapshot -> records merged into what it keeps
    survivor: str = ""  # in words, "" for the longest


@dataclass(frozen=True)
class LicenseCount:
    """Documents by what they state of their licence."""

    name: str  # filters.licenses.CLASSES
    kept: int = 0
    gone: int = 0  # dropped or merged, for whatever reason
    dropped: int = 0  # because the recipe does not keep this licence


@dataclass(frozen=True)
class Late:
    """What came after the rules. What a recipe did not ask for is None."""

    cuts: Cuts | None = None
    contamination: Contamination | None = None
    masked: Masked | None = None
    block_lists: tuple[BlockList, ...] = ()
    scored_languages: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # code -> columns of scorers
    others: Others | None = None
    licenses: tuple[LicenseCount, ...] = ()  # () where no document states one
