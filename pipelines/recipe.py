"""Recipes: YAML in, frozen and checked settings out. An error names the file, the line and the field.

Only pydantic and yaml are imported here; the rules are looked at when a recipe is read.
"""

import dataclasses
import itertools
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    Field,
    ValidationError,
    create_model,
    model_validator,
)

from manifests.limits import AudioLimits, CodeLimits, CrawlLimits, Limits, MediaLimits, VideoLimits
from pipelines.audio.block import Audio
from pipelines.crawl.block import Crawl
from pipelines.images.block import Images
from pipelines.instruct.block import Instruct
from pipelines.interleave.block import Interleave
from pipelines.mixture.block import Mixture
from pipelines.recipe_block import Block, wrong
from pipelines.recipe_errors import RecipeError, Source, explain, read_yaml
from pipelines.recipe_places import anchor
from pipelines.repositories.block import Code, code_rule_names
from pipelines.text.block import Dedup, Near, Text, rule_names
from pipelines.tokens.block import Encode
from pipelines.url_list_block import UrlListBlock
from pipelines.video.block import Video
from tokenizer.balance import Balance
from tokenizer.presets import PRESETS
from tokenizer.settings import MAX_RUN, TrainSettings

FORMAT = 1
CRAWLED = "crawl"  # the name of what the crawl block brings
# these count what a column of 16 bits holds, or are an exponent
_COUNTED = frozenset(
    {"max_redirects", "max_robots_redirects", "max_attempts", "max_host_failures", "max_sitemap_depth"}
)
MAX_COUNTED = 1000
_SCHEMES = frozenset({"data", "file", "ftp", "gs", "http", "https", "s3", "urn", "pipe"})


def _check_name(name: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,62}", name):
        raise wrong((), f"{name!r} is not a name: small letters, digits, - and _, at most 63")
    if name in _SCHEMES:
        raise wrong((), f"{name} is the scheme of a URI, and ids of local files start with the input's name")
    return name


Reader = Literal["text", "images", "audio", "video", "code"]


class Input(Block):
    """One named source of raw records. The name is part of the id of every local file, the path is not."""

    name: Annotated[str, AfterValidator(_check_name)]
    uri: Annotated[str, Field(min_length=1, description="path, glob or s3:// URI, relative to the recipe")]
    kind: Literal["auto", "warc", "files", "jsonl", "parquet", "tar", "mediawiki", "stackexchange"] = "auto"
    jobs: Annotated[
        tuple[Reader, ...] | None, Field(min_length=1, description="which jobs read it; null: every job that runs")
    ] = None


Runs = Annotated[int, Field(ge=0, le=MAX_RUN)]


class Mix(Block):
    """What the tokenizer is trained on: how much of each language, source and kind (tokenizer.balance.Balance)."""

    by: Literal["size", "temperature", "unimax"] = "size"
    alpha: Annotated[float, Field(gt=0, le=1, description="temperature: shares of languages to this power")] = 0.3
    epochs: Annotated[float, Field(gt=0, description="unimax: how often a small language may be read at most")] = 1.0
    source_cap: Annotated[float, Field(gt=0, le=1, description="largest share of one source")] = 1.0
    code_fraction: Annotated[float | None, Field(ge=0, lt=1, description="share of code; null: as it is")] = None
    weights: Annotated[dict[str, float], Field(default_factory=dict, description="factor by source, language or kind")]
    per_document_cap: Annotated[bool, Field(description="a word counts at most 16 times a document")] = False
    max_rows: Annotated[int, Field(ge=1000, description="words to train from, a threshold sample")] = 8_000_000
    alphabet_by_language: Annotated[bool, Field(description="the coverage holds in each language")] = False

    @model_validator(mode="after")
    def _mixable(self) -> "Mix":
        try:
            self.balance()
        except ValueError as error:
            raise wrong((), str(error)) from error
        return self

    def balance(self) -> Balance:
        """Return the settings as the mixture takes them."""
        return Balance(**self.model_dump(exclude={"max_rows", "alphabet_by_language"}))


class Tokenizer(Block):
    """A SentencePiece model, trained on the counts of the whole corpus (tokenizer.settings.TrainSettings)."""

    preset: Annotated[
        Literal["gemma3", "gemini", "llama2", "llama3-like"] | None,
        Field(description="settings of a known vocabulary, for all that is not given here"),
    ] = None
    algorithm: Literal["bpe", "unigram"] = "bpe"
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
    special: Annotated[Literal["gemma", "llama"], Field(description="names and ids of the special pieces")] = "gemma"
    modalities: Annotated[tuple[Literal["image", "audio", "video"], ...], Field(description="tokens for media")] = ()
    location_tokens: Annotated[int, Field(ge=0, le=9999, description="<loc0000> ...: coordinates in text")] = 0
    reserved: Annotated[int, Field(ge=0, le=100_000, description="<unused0> ...: slots for later")] = 0
    split_all_digits: Annotated[bool, Field(description="digits of every script stand alone")] = False
    max_digits: Annotated[int, Field(ge=0, le=16, description="longest group of digits where they aren't split")] = 0
    script_free: Annotated[
        Literal["none", "code", "all"], Field(description="words of which kind make pieces of several scripts")
    ] = "none"
    picky: Annotated[
        float, Field(ge=0, le=1, description="a piece that merges took that share of gives up its id; 0: off")
    ] = 0.0
    superwords: Annotated[
        int, Field(ge=0, le=500_000, description="ids that go to pieces over several words; 0: none")
    ] = 0
    superword_words: Annotated[int, Field(ge=2, le=16, description="words of such a piece at most")] = 4
    superword_characters: Annotated[int, Field(ge=3, le=512, description="characters of such a piece at most")] = 32
    superword_signs: Annotated[bool, Field(description="signs, as of punctuation, are words of such a piece")] = False
    parity: Annotated[
        str | None, Field(description="folder of one text in many languages, LANGUAGE.txt: the worst merges next")
    ] = None
    engine: Annotated[Literal["own", "sentencepiece"], Field(description="who trains: the same bytes")] = "own"
    mix: Mix = Mix.model_construct()

    @model_validator(mode="after")
    def _trainable(self) -> "Tokenizer":
        try:
            settings = self.train_settings()
        except ValueError as error:
            raise wrong((), str(error)) from error
        if settings.superwords and self.parity:
            raise wrong((), "superwords: goes not with parity, which shares merges out between languages")
        return self

    def train_settings(self) -> TrainSettings:
        """Return the settings as the trainer takes them."""
        others = {"preset", "vocabulary", "engine", "parity", "mix"}
        given = self.model_dump(exclude=others, exclude_unset=self.preset is not None)
        if self.preset is None or "vocabulary" in self.model_fields_set:
            given["vocab_size"] = self.vocabulary
        return TrainSettings(**(PRESETS[self.preset] | given if self.preset else given))


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
            for f in (
                *dataclasses.fields(CodeLimits),
                *dataclasses.fields(VideoLimits),
                *dataclasses.fields(AudioLimits),
                *dataclasses.fields(MediaLimits),
                *dataclasses.fields(CrawlLimits),
                *dataclasses.fields(Limits),
            )
            if f.name != "max_quarantined_fraction"  # text.max_quarantined_fraction
        },
    )


class Recipe(Block):
    """Everything that decides what comes out."""

    corpusmill: Annotated[Literal[1], Field(description="the format of this recipe")]
    inputs: tuple[Input, ...] = ()
    opt_out: Annotated[
        tuple[UrlListBlock, ...],
        Field(description="lists of domains, hosts and URLs that no job takes up; their records are refused"),
    ] = ()
    crawl: Crawl | None = None
    text: Text = Text.model_construct()
    images: Images | None = None
    audio: Audio | None = None
    video: Video | None = None
    code: Code | None = None
    interleave: Interleave | None = None
    instruct: Instruct | None = None
    tokenizer: Tokenizer | None = None
    encode: Encode | None = None
    mixture: Mixture | None = None
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

    def inputs_of(self, job: Reader) -> tuple[Input, ...]:
        """Return the inputs that a job reads."""
        return tuple(each for each in self.inputs if each.jobs is None or job in each.jobs)

    def limits(self) -> Limits:
        """Return the limits of the job: the defaults, changed where the recipe says so."""
        given = _of(Limits, self.limits_block.model_dump())
        return Limits(**given, max_quarantined_fraction=self.text.max_quarantined_fraction)

    def media_limits(self) -> MediaLimits:
        """Return the limits of the media jobs."""
        return MediaLimits(**_of(MediaLimits, self.limits_block.model_dump()))

    def audio_limits(self) -> AudioLimits:
        """Return the limits of the audio job."""
        return AudioLimits(**_of(AudioLimits, self.limits_block.model_dump()))

    def video_limits(self) -> VideoLimits:
        """Return the limits of the video job."""
        return VideoLimits(**_of(VideoLimits, self.limits_block.model_dump()))

    def code_limits(self) -> CodeLimits:
        """Return the limits of the code job."""
        return CodeLimits(**_of(CodeLimits, self.limits_block.model_dump()))

    def crawl_limits(self) -> CrawlLimits:
        """Return the limits of the crawl."""
        return CrawlLimits(**_of(CrawlLimits, self.limits_block.model_dump()))


def _of(kind: type[Any], given: Mapping[str, Any]) -> dict[str, Any]:
    names = {f.name for f in dataclasses.fields(kind)}
    return {name: value for name, value in given.items() if name in names}


def load_recipe(path: str | Path, overrides: Mapping[str, Any] | None = None) -> Recipe:
    """Read and check a recipe.

    `overrides` are dotted fields with their values, as the command line gives them: `{"text.shards": 4,
    "inputs.manuals.uri": "pages/"}`; an input goes by its name. Local URIs of the file are taken relative
    to the file, those of an override as they stand.

    Raises RecipeError naming file, line and field of all that is wrong; OSError where there is no file.
    """
    file = Path(path)
    source = read_yaml(str(path), file.read_bytes())
    anchor(source.data, file.parent)
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


def audio_recipe(uris: Sequence[str], overrides: Mapping[str, Any] | None = None) -> Recipe:
    """Return the recipe of a bare `corpusmill audio URI...`."""
    inputs = [{"name": name, "uri": uri} for name, uri in zip(_names(uris), uris, strict=True)]
    source = Source("command line", {"corpusmill": FORMAT, "inputs": inputs, "audio": {}})
    for name, value in (overrides or {}).items():
        source.put(tuple(name.split(".")), value)
    return _validated(source)


def video_recipe(uris: Sequence[str], overrides: Mapping[str, Any] | None = None) -> Recipe:
    """Return the recipe of a bare `corpusmill video URI...`."""
    inputs = [{"name": name, "uri": uri} for name, uri in zip(_names(uris), uris, strict=True)]
    source = Source("command line", {"corpusmill": FORMAT, "inputs": inputs, "video": {}})
    for name, value in (overrides or {}).items():
        source.put(tuple(name.split(".")), value)
    return _validated(source)


def code_recipe(uris: Sequence[str], overrides: Mapping[str, Any] | None = None) -> Recipe:
    """Return the recipe of a bare `corpusmill code URI...`."""
    inputs = [{"name": name, "uri": uri} for name, uri in zip(_names(uris), uris, strict=True)]
    source = Source("command line", {"corpusmill": FORMAT, "inputs": inputs, "code": {}})
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
    sets = code_rule_names()
    code = schema["$defs"]["Code"]["properties"]
    code["rules"]["items"]["enum"] = sorted(sets)
    code["thresholds"]["propertyNames"] = {"enum": sorted(rule for rules in sets.values() for rule in rules)}
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "corpusmill recipe", **schema}


def _validated(source: Source) -> Recipe:
    given = source.data.get("corpusmill")
    if isinstance(given, int) and given > FORMAT:
        raise source.error(("corpusmill",), f"format {given} is newer than the {FORMAT} that is read here")
    try:
        return Recipe.model_validate_json(json.dumps(source.data))
    except ValidationError as error:
        raise explain(source, Recipe, error.errors()) from error


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
    "audio_recipe",
    "code_recipe",
    "crawl_recipe",
    "default_recipe",
    "images_recipe",
    "load_recipe",
    "recipe_schema",
    "video_recipe",
]

if __name__ == "__main__":
    print(json.dumps(recipe_schema(), indent=2))
