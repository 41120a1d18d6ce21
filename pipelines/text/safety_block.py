"""What of safety and quality a recipe's text block may ask for; nothing of it is on by default (docs/safety.md)."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from pipelines.recipe_block import Block, wrong
from pipelines.url_list_block import ListName

Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
HATESONAR = "model:hatesonar.onnx"


class ListedWords(Block):
    """Lists of words by language: 28 that a package ships, or your own folder of <language>.txt."""

    rules: Annotated[
        Literal["badwords_c4_v1", "badwords_soft_v1"], Field(description="any word, or more than 4.5 % of them")
    ] = "badwords_soft_v1"
    path: str | None = None


class TextScorerBlock(Block):
    """A model that scores lines: toxicity, hate, what yours knows (filters.safety.scorers)."""

    column: ListName = "toxicity"
    kind: Literal["onnx", "fasttext"] = "onnx"
    path: Annotated[str, Field(min_length=1, description=f"a file, or {HATESONAR}")] = HATESONAR
    sha256: Sha256 | None = None
    classes: Annotated[tuple[str, ...], Field(min_length=1, description="their probabilities add up")] = (
        "0",
        "1",
    )
    languages: Annotated[tuple[str, ...], Field(min_length=1, description="that it was made for")] = ("en",)
    flagged: Annotated[float, Field(gt=0, le=1, description="a line counts from this score on")] = 0.5
    max_flagged_fraction: Annotated[float, Field(ge=0, le=1, description="of a document's characters")] = 0.2

    @model_validator(mode="after")
    def _pinned(self) -> "TextScorerBlock":
        if self.sha256 is None and self.path != HATESONAR:
            raise wrong(("sha256",), "a scorer's file is pinned by its sha256")
        return self


LicenseClass = Literal[
    "public_domain",
    "cc_by",
    "cc_by_sa",
    "cc_by_nd",
    "cc_by_nc",
    "cc_by_nc_sa",
    "cc_by_nc_nd",
    "other",
    "contradictory",
    "unstated",
]


class Licenses(Block):
    """Only documents under a listed licence stay (filters.licenses says whose licence a link in a page is)."""

    keep: Annotated[tuple[LicenseClass, ...], Field(min_length=1, description="unstated: most of the web")]


class Quality(Block):
    """A fastText classifier that `corpusmill quality train` made, or another: what scores less is dropped."""

    model: Annotated[str, Field(min_length=1)]
    sha256: Sha256
    threshold: Annotated[float | None, Field(ge=0, le=1, description="null: measured, and nothing is dropped")] = 0.5
    label: str = "positive"
