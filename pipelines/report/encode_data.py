"""What the report shows of token shards and of a mixture of them: their manifests' whole numbers, added up."""

from collections.abc import Mapping
from dataclasses import dataclass

from manifests.manifest import Manifest

Name = tuple[str, ...]


@dataclass(frozen=True)
class TokenCount:
    """Tokens of some documents; `learnt_tokens` where not all are."""

    documents: int = 0
    sequences: int = 0
    tokens: int = 0
    learnt_tokens: int = 0
    bytes: int = 0
    cut_tokens: int = 0

    def __add__(self, other: "TokenCount") -> "TokenCount":
        """Return the sum."""
        return TokenCount(*(getattr(self, f) + getattr(other, f) for f in self.__dataclass_fields__))


@dataclass(frozen=True)
class TokensData:
    """Token shards. `by_source`: (kind, source); `by_language`: (code,) of all that is no code, and ("code",)."""

    digest: str
    vocabulary: int
    dtype: str
    read: int
    out: Mapping[str, int]  # "verdict/reason" -> records
    files: int
    file_bytes: int
    by_source: Mapping[Name, TokenCount]
    by_language: Mapping[Name, TokenCount]
    left_out: Mapping[str, str]  # corpus -> why it is not encoded

    @property
    def total(self) -> TokenCount:
        """All of it."""
        return sum(self.by_source.values(), start=TokenCount())


@dataclass(frozen=True)
class Share:
    """What a mixture reads of something: tokens that there are, and tokens read in each stage."""

    tokens: int
    stages: tuple[int, ...]

    @property
    def read(self) -> int:
        """Tokens read in all stages."""
        return sum(self.stages)


@dataclass(frozen=True)
class MixtureData:
    """A training mixture."""

    sequence_tokens: int
    samples: int
    max_epochs: float
    stages: tuple[tuple[str, int], ...]  # name, tokens
    by_source: Mapping[Name, Share]
    by_language: Mapping[Name, Share]
    left_out: int  # tokens of groups that have no whole sample, or no weight


def tokens_data(made: Manifest) -> TokensData:
    """Return what a tokens snapshot says of itself."""
    by_source: dict[Name, TokenCount] = {}
    by_language: dict[Name, TokenCount] = {}
    for kind, sources in made["statistics"].get("tokens", {}).items():
        for source, languages in sources.items():
            for language, numbers in languages.items():
                count = TokenCount(**numbers)
                for counts, name in ((by_source, (kind, source)), (by_language, _language(kind, language))):
                    counts[name] = counts.get(name, TokenCount()) + count
    files = [shard for shard in made["shards"] if shard["kind"] in ("megatron", "megatron_mask", "tokens")]
    model = made["settings"]["tokenizer"]
    return TokensData(
        model["sha256"],
        model["vocabulary"],
        model["dtype"],
        made["ledger"]["in"],
        made["ledger"]["out"],
        len(files),
        sum(shard["bytes"] for shard in files),
        by_source,
        by_language,
        made["settings"].get("left_out", {}),
    )


def _language(kind: str, language: str) -> Name:
    """Programming languages count as one: they would crowd out the others."""
    return ("code",) if kind == "code" else (language,)


def mixture_data(made: Manifest) -> MixtureData:
    """Return what a mixture says of itself."""
    body, length = made["mixture"], made["mixture"]["sequence_tokens"]
    by_source: dict[Name, Share] = {}
    by_language: dict[Name, Share] = {}
    for number, each in enumerate(body["groups"]):
        source, language, kind = each["group"]
        own = Share(each["tokens"], tuple(stage["samples"][number] * length for stage in body["stages"]))
        for shares, name in ((by_source, (kind, source)), (by_language, _language(kind, language))):
            shares[name] = _sum(shares.get(name), own)
    return MixtureData(
        length,
        body["samples"],
        made["settings"]["max_epochs"],
        tuple((stage["name"], stage["tokens"]) for stage in body["stages"]),
        by_source,
        by_language,
        sum(each["tokens"] for each in body["left_out"]),
    )


def _sum(one: Share | None, other: Share) -> Share:
    if one is None:
        return other
    return Share(one.tokens + other.tokens, tuple(a + b for a, b in zip(one.stages, other.stages, strict=True)))
