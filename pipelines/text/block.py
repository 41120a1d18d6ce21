"""The `text` block of a recipe."""

import re
from collections.abc import Mapping
from typing import Annotated, Literal, get_args

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from pipelines.crawl.block import REFUSALS, Refusal
from pipelines.recipe_block import Block, wrong
from pipelines.recipe_errors import nearest
from pipelines.text.safety_block import Licenses, ListedWords, Quality, TextScorerBlock
from pipelines.url_list_block import UrlListBlock

Fraction = Annotated[float, Field(ge=0, le=1)]


def _word_or(word: str, other: str) -> Discriminator:
    """Choose the branch of a union by shape, so that one branch errs; its tag says what is wanted."""
    return Discriminator(lambda value: word if isinstance(value, str) else other)


def _check_code(code: str) -> str:
    if not re.fullmatch(r"[a-z]{2,3}", code):
        raise wrong((), f"{code!r} is not a language code: two or three small letters")
    return code


class Bounds(Block):
    """New bounds of a rule, inclusive; what is not given stays, null takes a bound away."""

    min: float | None = None
    max: float | None = None

    @model_validator(mode="after")
    def _in_order(self) -> "Bounds":
        if self.min is not None and self.max is not None and self.min > self.max:
            raise wrong(("max",), f"is less than min: nothing lies between {self.min} and {self.max}")
        return self


class Policy(Block):
    """Which signals of a page's owner keep the page out."""

    refuse: tuple[Refusal, ...] = REFUSALS


class Near(Block):
    """Near-duplicates: `bands` bands of `rows` MinHash rows over word n-grams find candidates, and
    a candidate is merged only if the shingles themselves have at least `threshold` Jaccard similarity."""

    bands: Annotated[int, Field(ge=1, le=256)] = 14
    rows: Annotated[int, Field(ge=1, le=64)] = 8
    ngram: Annotated[int, Field(ge=1, le=64)] = 5
    threshold: Annotated[float, Field(gt=0, le=1)] = 0.8


class Repeats(Block):
    """Lines or paragraphs (lines between blank ones) that stand in several documents are cut from all but the first.

    Documents that lost some are measured again, and every rule judges what is left of them.
    """

    unit: Literal["line", "paragraph"] = "paragraph"
    min_characters: Annotated[int, Field(ge=1, description="shorter ones stay, wherever they stand")] = 40
    min_documents: Annotated[int, Field(ge=2, description="how many documents must hold it")] = 2


class Substrings(Block):
    """Strings of bytes that the documents hold more than once are cut, all but the first (filters.substrings).

    100 bytes of English are 100 characters, and 33 of Japanese: `min_characters` keeps short ones in scripts of many
    bytes a character.
    """

    min_bytes: Annotated[int, Field(ge=24, le=10_000, description="UTF-8; the paper's 50 tokens are about 100")] = 100
    min_characters: Annotated[int, Field(ge=1, le=10_000, description="of what is cut in one piece")] = 50


class Snapshot(Block):
    """A committed text snapshot of another output, or an earlier one of this output."""

    uri: Annotated[str, Field(min_length=1, description="the output, as --out named it")]
    version: Annotated[int, Field(ge=1)] | None = None


class BestSignal(Block):
    """The record of a cluster stays whose signal is best; one that is not measured (null) comes last."""

    signal: Annotated[str, Field(min_length=1, description="a column of the documents' signals")]
    per: Annotated[str | None, Field(description="the column that it is divided by")] = None
    wish: Literal["highest", "lowest"] = "highest"


Survivor = Annotated[
    Annotated[Literal["longest", "newest", "licensed", "best_quality"], Tag("a policy or a signal")]
    | Annotated[BestSignal, Tag("a signal or a policy")],
    _word_or("a policy or a signal", "a signal or a policy"),
]


class Dedup(Block):
    """Which duplicates are merged; `near: null` switches near-duplicates off."""

    exact: bool = True
    near: Near | None = Near()
    survivor: Annotated[
        Survivor,
        Field(
            description="who stays of a cluster; among equals the longest, then the smallest id. "
            "best_quality: the highest score of the recipe's quality model"
        ),
    ] = "longest"
    repeats: Repeats | None = None
    substrings: Substrings | None = None
    against: Annotated[
        tuple[Snapshot, ...], Field(description="what these keep is not kept again; the first that has it is named")
    ] = ()

    @model_validator(mode="after")
    def _has_a_measure(self) -> "Dedup":
        if self.against and not self.exact and self.near is None:
            raise wrong(("against",), "needs exact or near: nothing else finds what is alike")
        return self


class EvaluationSet(Block):
    """Questions that a model will be asked: JSON lines, one item each."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")]
    uri: Annotated[str, Field(min_length=1, description="a file, a folder or a pattern of JSON lines, plain or .gz")]
    fields: Annotated[
        tuple[str, ...], Field(description="fields of an item that are looked for; none: all strings")
    ] = ()


class Decontaminate(Block):
    """Documents that hold items of evaluation sets are dropped (filters.contamination says when they do)."""

    sets: Annotated[tuple[EvaluationSet, ...], Field(min_length=1)]
    words: Annotated[int, Field(ge=8, le=100, description="length of an exact n-gram")] = 13
    characters: Annotated[int, Field(ge=16, le=400, description="the same in scripts without spaces")] = 30
    min_fraction: Annotated[float, Field(gt=0, le=1, description="of an item's short n-grams")] = 0.6

    @model_validator(mode="after")
    def _names_differ(self) -> "Decontaminate":
        names = [each.name for each in self.sets]
        for i, name in enumerate(names):
            if name in names[:i]:
                raise wrong(("sets", i, "name"), f"two sets are called {name}")
        return self


Languages = Annotated[
    Annotated[Literal["all"], Tag("all or a list of codes")]
    | Annotated[
        tuple[Annotated[str, AfterValidator(_check_code)], ...],
        Field(min_length=1),
        Tag("a list of codes or all"),
    ],
    _word_or("all or a list of codes", "a list of codes or all"),
]
Shards = Annotated[
    Annotated[Literal["auto"], Tag("auto or a number")]
    | Annotated[int, Field(ge=1, le=65_536), Tag("a number or auto")],
    _word_or("auto or a number", "a number or auto"),
]


PersonalClass = Literal["secret", "email", "iban", "address", "card", "national_id", "ip", "phone"]


class Personal(Block):
    """Personal data that gives way to the name of its class, last of all: what is published can't be called back."""

    classes: Annotated[tuple[PersonalClass, ...], Field(min_length=1)] = get_args(PersonalClass)
    style: Annotated[
        Literal["class", "numbered"], Field(description="numbered: the same name for the same string of a document")
    ] = "class"
    tokens: Annotated[Mapping[PersonalClass, str], Field(description="class -> what stands in its place")] = {}

    @model_validator(mode="after")
    def _readable(self) -> "Personal":
        from filters.personal.style import Style

        try:
            Style(self.style, dict(self.tokens.items()))
        except ValueError as error:
            raise wrong((), str(error)) from error
        return self


class Text(Block):
    """Pages, books and files into documents."""

    languages: Annotated[Languages, Field(description="all, or the codes that are kept")] = "all"
    min_language_score: Fraction = 0.0
    rules: Annotated[tuple[str, ...], Field(description="rule sets, in the order in which they object")] = (
        "gopher_v1",
        "c4_v1",
        "fineweb_v1",
    )
    thresholds: Annotated[Mapping[str, Bounds], Field(description="rule -> new bounds")] = {}
    edits: tuple[Literal["c4_lines_v1", "refinedweb_lines_v1"], ...] = ("c4_lines_v1",)
    policy: Policy = Policy()
    dedup: Dedup = Dedup()
    decontaminate: Decontaminate | None = None
    personal: Annotated[Personal | None, Field(description="null: nothing is masked")] = Personal()
    block_lists: Annotated[
        tuple[Literal["fineweb"] | UrlListBlock, ...],
        Field(description="pages that stand in a list are dropped; fineweb: the one that FineWeb used"),
    ] = ()
    listed_words: ListedWords | None = None
    scorers: Annotated[tuple[TextScorerBlock, ...], Field(description="models that score lines")] = ()
    quality: Quality | None = None
    licenses: Licenses | None = None
    shards: Annotated[Shards, Field(description="files of the output; auto: by the size of the input")] = "auto"
    dropped_text_sample: Annotated[Fraction, Field(description="share of what is dropped, stored with text")] = 0.02
    max_quarantined_fraction: Annotated[
        Fraction, Field(description="the job fails where more of its records are broken")
    ] = 0.05

    @model_validator(mode="after")
    def _known_rules(self) -> "Text":
        sets = rule_names()
        for i, name in enumerate(self.rules):
            if name not in sets:
                raise wrong(("rules", i), f"no rule set is called {name}; {nearest(name, sets)}")
            if name in self.rules[:i]:
                raise wrong(("rules", i), f"{name} stands here twice")
        rules = [rule for name in self.rules for rule in sets[name]]
        self._few_enough({name: len(sets[name]) for name in self.rules})
        for name in self.thresholds:
            if name not in rules:
                raise wrong(("thresholds", name), f"no rule in use is called {name}; {nearest(name, rules)}")
        return self

    @model_validator(mode="after")
    def _scored(self) -> "Text":
        if self.dedup.survivor == "best_quality" and self.quality is None:
            raise wrong(("dedup", "survivor"), "best_quality needs a quality model (text.quality)")
        return self

    def _few_enough(self, counts: Mapping[str, int]) -> None:
        """Refuse sets whose rules, with those that the languages ask for, don't fit the mask of a row's failures."""
        from filters.rules import MAX_RULES

        total = sum(counts.values()) + (self.languages != "all") + (self.min_language_score > 0)
        if total > MAX_RULES:
            told = ", ".join(f"{name} has {count}" for name, count in counts.items())
            raise wrong(("rules",), f"{total} rules are more than the {MAX_RULES} that a job may have: {told}")

    def threshold_bounds(self) -> dict[str, dict[str, float | None]]:
        """Return rule -> the bounds that the recipe gives, as filters.rules.with_thresholds takes them."""
        return {name: bounds.model_dump(exclude_unset=True) for name, bounds in self.thresholds.items()}


def rule_names() -> dict[str, list[str]]:
    """Return rule set -> the names of its rules, in order."""
    from filters.rule_sets import RULE_SETS

    return {name: [rule.name for rule in rules] for name, rules in RULE_SETS.items()}
