"""Recipes: YAML in, frozen and checked settings out. An error names the file, the line and the field.

Only pydantic and yaml are imported here; the rules are looked at when a recipe is read.
"""

import dataclasses
import glob
import itertools
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    create_model,
    model_validator,
)

from manifests.limits import CrawlLimits, Limits, MediaLimits
from pipelines.crawl.block import REFUSALS, Crawl, Refusal
from pipelines.images.block import Images
from pipelines.recipe_block import Block, wrong
from pipelines.recipe_errors import RecipeError, Source, explain, nearest, read_yaml
from tokenizer.settings import MAX_RUN, TrainSettings

FORMAT = 1
CRAWLED = "crawl"  # the name of what the crawl block brings
Fraction = Annotated[float, Field(ge=0, le=1)]
# these count what a column of 16 bits holds, or are an exponent
_COUNTED = frozenset(
    {"max_redirects", "max_robots_redirects", "max_attempts", "max_host_failures", "max_sitemap_depth"}
)
MAX_COUNTED = 1000
_SCHEMES = frozenset({"data", "file", "ftp", "gs", "http", "https", "s3", "urn", "pipe"})


def _word_or(word: str, other: str) -> Discriminator:
    """Choose the branch of a union by shape, so that one branch errs; its tag says what is wanted."""
    return Discriminator(lambda value: word if isinstance(value, str) else other)


def _check_code(code: str) -> str:
    if not re.fullmatch(r"[a-z]{2,3}", code):
        raise wrong((), f"{code!r} is not a language code: two or three small letters")
    return code


def _check_name(name: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,62}", name):
        raise wrong((), f"{name!r} is not a name: small letters, digits, - and _, at most 63")
    if name in _SCHEMES:
        raise wrong((), f"{name} is the scheme of a URI, and ids of local files start with the input's name")
    return name


class Input(Block):
    """One named source of raw records. The name is part of the id of every local file, the path is not."""

    name: Annotated[str, AfterValidator(_check_name)]
    uri: Annotated[str, Field(min_length=1, description="path, glob or s3:// URI, relative to the recipe")]
    kind: Literal["auto", "warc", "files", "jsonl", "parquet", "tar"] = "auto"


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


class Dedup(Block):
    """Which duplicates are merged; `near: null` switches near-duplicates off."""

    exact: bool = True
    near: Near | None = Near()


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
    edits: tuple[Literal["c4_lines_v1"], ...] = ("c4_lines_v1",)
    policy: Policy = Policy()
    dedup: Dedup = Dedup()
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
        for name in self.thresholds:
            if name not in rules:
                raise wrong(("thresholds", name), f"no rule in use is called {name}; {nearest(name, rules)}")
        return self

    def threshold_bounds(self) -> dict[str, dict[str, float | None]]:
        """Return rule -> the bounds that the recipe gives, as filters.rules.with_thresholds takes them."""
        return {name: bounds.model_dump(exclude_unset=True) for name, bounds in self.thresholds.items()}


Runs = Annotated[int, Field(ge=0, le=MAX_RUN)]


class Tokenizer(Block):
    """A SentencePiece model, trained on the counts of the whole corpus (tokenizer.settings.TrainSettings)."""

    algorithm: Literal["bpe"] = "bpe"
    vocabulary: Annotated[int, Field(ge=300, le=1_000_000, description="pieces, all kinds counted")] = 262_144
    character_coverage: Annotated[float, Field(ge=0.98, le=1)] = 0.9999
    byte_fallback: bool = True
    split_digits: bool = True
    allow_whitespace_only_pieces: bool = True
    add_dummy_prefix: bool = False
    newline_runs: Runs = MAX_RUN
    tab_runs: Runs = MAX_RUN
    space_runs: Runs = MAX_RUN
    user_symbols: tuple[str, ...] = ()
    control_symbols: tuple[str, ...] = ()
    max_piece_characters: Annotated[int, Field(ge=1, le=512)] = 16
    hard_limit: Annotated[bool, Field(description="false: fewer pieces where the counts end")] = True

    @model_validator(mode="after")
    def _trainable(self) -> "Tokenizer":
        try:
            self.train_settings()
        except ValueError as error:
            raise wrong((), str(error)) from error
        return self

    def train_settings(self) -> TrainSettings:
        """Return the settings as the trainer takes them."""
        given = self.model_dump(exclude={"algorithm", "vocabulary"})
        return TrainSettings(vocab_size=self.vocabulary, **given)


def _limit(name: str, default: float) -> Any:
    if name.endswith("_fraction"):
        return (float, Field(default, ge=0, le=1))
    if name in _COUNTED:
        return (int, Field(default, ge=1, le=MAX_COUNTED))
    return (int, Field(default, ge=1)) if isinstance(default, int) else (float, Field(default, gt=0))


if TYPE_CHECKING:

    class LimitsBlock(Block):
        """The limits that a recipe may change: the fields of Limits, CrawlLimits and MediaLimits."""

else:
    LimitsBlock = create_model(
        "LimitsBlock",
        __base__=Block,
        __doc__="Limits, each by its name; what is not given keeps its default.",
        **{
            f.name: _limit(f.name, f.default)
            for f in (*dataclasses.fields(MediaLimits), *dataclasses.fields(CrawlLimits), *dataclasses.fields(Limits))
            if f.name != "max_quarantined_fraction"  # text.max_quarantined_fraction
        },
    )


class Recipe(Block):
    """Everything that decides what comes out."""

    corpusmill: Annotated[Literal[1], Field(description="the format of this recipe")]
    inputs: tuple[Input, ...] = ()
    crawl: Crawl | None = None
    text: Text = Text.model_construct()
    images: Images | None = None
    tokenizer: Tokenizer | None = None
    limits_block: Annotated[LimitsBlock, Field(alias="limits")] = LimitsBlock()

    @model_validator(mode="after")
    def _names_differ(self) -> "Recipe":
        names = [each.name for each in self.inputs]
        for i, name in enumerate(names):
            if name in names[:i]:
                raise wrong(("inputs", i, "name"), f"two inputs are called {name}")
            if name == CRAWLED and self.crawl is not None:
                raise wrong(("inputs", i, "name"), f"{CRAWLED} is what the crawl block brings; use another name")
        if not self.inputs and self.crawl is None:
            raise wrong(("inputs",), "must not be empty where there is no crawl block: there is nothing to read")
        return self

    def limits(self) -> Limits:
        """Return the limits of the job: the defaults, changed where the recipe says so."""
        given = _of(Limits, self.limits_block.model_dump())
        return Limits(**given, max_quarantined_fraction=self.text.max_quarantined_fraction)

    def media_limits(self) -> MediaLimits:
        """Return the limits of the media jobs."""
        return MediaLimits(**_of(MediaLimits, self.limits_block.model_dump()))

    def crawl_limits(self) -> CrawlLimits:
        """Return the limits of the crawl."""
        return CrawlLimits(**_of(CrawlLimits, self.limits_block.model_dump()))


def _of(kind: type[Limits] | type[CrawlLimits] | type[MediaLimits], given: Mapping[str, Any]) -> dict[str, Any]:
    names = {f.name for f in dataclasses.fields(kind)}
    return {name: value for name, value in given.items() if name in names}


def rule_names() -> dict[str, list[str]]:
    """Return rule set -> the names of its rules, in order."""
    from filters.rule_sets import RULE_SETS

    return {name: [rule.name for rule in rules] for name, rules in RULE_SETS.items()}


def load_recipe(path: str | Path, overrides: Mapping[str, Any] | None = None) -> Recipe:
    """Read and check a recipe.

    `overrides` are dotted fields with their values, as the command line gives them: `{"text.shards": 4,
    "inputs.manuals.uri": "pages/"}`; an input goes by its name. Local URIs of the file are taken relative
    to the file, those of an override as they stand.

    Raises RecipeError naming file, line and field of all that is wrong; OSError where there is no file.
    """
    file = Path(path)
    source = read_yaml(str(path), file.read_bytes())
    _anchor_inputs(source.data, file.parent)
    _anchor_seeds(source.data, file.parent)
    for name, value in (overrides or {}).items():
        source.put(tuple(name.split(".")), value)
    return _validated(source)


def default_recipe(uris: Sequence[str], overrides: Mapping[str, Any] | None = None) -> Recipe:
    """Return the recipe of a bare `corpusmill text URI...`: every default, one input for each URI."""
    source = Source("command line", {"corpusmill": FORMAT})
    inputs = [{"name": name, "uri": uri} for name, uri in zip(_names(uris), uris, strict=True)]
    source.put(("inputs",), inputs)
    for name, value in (overrides or {}).items():
        source.put(tuple(name.split(".")), value)
    return _validated(source)


def crawl_recipe(seeds: Sequence[str], contact: str, overrides: Mapping[str, Any] | None = None) -> Recipe:
    """Return the recipe of a bare `corpusmill crawl SEED...`."""
    block = {"seeds": list(seeds), "contact": contact}
    source = Source("command line", {"corpusmill": FORMAT, "crawl": block})
    for name, value in (overrides or {}).items():
        source.put(tuple(name.split(".")), value)
    return _validated(source)


def images_recipe(uris: Sequence[str], overrides: Mapping[str, Any] | None = None) -> Recipe:
    """Return the recipe of a bare `corpusmill images URI...`."""
    inputs = [{"name": name, "uri": uri} for name, uri in zip(_names(uris), uris, strict=True)]
    source = Source("command line", {"corpusmill": FORMAT, "inputs": inputs, "images": {}})
    for name, value in (overrides or {}).items():
        source.put(tuple(name.split(".")), value)
    return _validated(source)


def recipe_schema() -> dict[str, Any]:
    """Return the JSON schema of a recipe, for editors: with the names of all rule sets and rules."""
    schema = Recipe.model_json_schema()
    sets = rule_names()
    text = schema["$defs"]["Text"]["properties"]
    text["rules"]["items"]["enum"] = sorted(sets)
    text["thresholds"]["propertyNames"] = {"enum": sorted(rule for rules in sets.values() for rule in rules)}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "corpusmill recipe", **schema}


def _validated(source: Source) -> Recipe:
    given = source.data.get("corpusmill")
    if isinstance(given, int) and given > FORMAT:
        raise source.error(("corpusmill",), f"format {given} is newer than the {FORMAT} that is read here")
    try:
        return Recipe.model_validate_json(json.dumps(source.data))
    except ValidationError as error:
        raise explain(source, Recipe, error.errors()) from error


def _anchor_inputs(data: Any, folder: Path) -> None:
    """Make local URIs relative to the recipe's folder; validation comes later."""
    inputs = data.get("inputs")
    for each in inputs if isinstance(inputs, list) else ():
        uri = each.get("uri") if isinstance(each, dict) else None
        if isinstance(uri, str):
            each["uri"] = _anchored(uri, folder)


def _anchored(uri: str, folder: Path) -> str:
    if not uri or re.match(r"\s*[a-zA-Z][a-zA-Z0-9+.-]*:", uri):
        return uri
    expanded = Path(uri).expanduser()
    base = Path(glob.escape(str(folder))) if glob.has_magic(uri) else folder
    return str(expanded if expanded.is_absolute() else base / expanded)


def _anchor_seeds(data: Any, folder: Path) -> None:
    """Make local lists of seeds relative to the recipe's folder."""
    crawl = data.get("crawl")
    seeds = crawl.get("seeds") if isinstance(crawl, dict) else None
    if isinstance(seeds, list):
        crawl["seeds"] = [_anchored(seed, folder) if isinstance(seed, str) else seed for seed in seeds]


def _names(uris: Sequence[str]) -> list[str]:
    """Return a name for each URI: the last part of its path in small letters, numbered if it is taken."""
    names: list[str] = []
    for uri in uris:
        stem = re.split(r"[/\\]", uri.rstrip("/\\"))[-1].split(".")[0].lower()
        name = re.sub(r"[^a-z0-9_-]+", "-", stem).strip("-_")[:50] or "input"
        name = f"{name}-files" if name in _SCHEMES else name
        free = (f"{name}-{n}" if n > 1 else name for n in itertools.count(1))
        names.append(next(each for each in free if each not in names))
    return names


__all__ = [
    "Dedup",
    "Input",
    "Near",
    "Recipe",
    "RecipeError",
    "Text",
    "Tokenizer",
    "crawl_recipe",
    "default_recipe",
    "images_recipe",
    "load_recipe",
    "recipe_schema",
]

if __name__ == "__main__":
    print(json.dumps(recipe_schema(), indent=2))
