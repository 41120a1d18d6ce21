"""The `encode:` block of a recipe."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from pipelines.recipe_block import Block, wrong
from tokenizer.encode_chat import TemplateName
from tokenizer.encode_policy import OverLong, Policy

CorpusName = Literal["text", "code", "repositories", "captions", "transcripts", "interleaved", "conversations"]
Format = Literal["megatron", "parquet"]
MediaKind = Literal["image", "audio", "video"]


class Encode(Block):
    """Token shards of the newest snapshots of OUT: Megatron's `.bin` and `.idx`, and Parquet."""

    corpora: Annotated[
        tuple[CorpusName, ...] | None,
        Field(
            min_length=1,
            description="what is encoded; null: every snapshot there is, but for repositories and interleaved, which "
            "hold the text of code and text once more",
        ),
    ] = None
    model: Annotated[
        str | None, Field(min_length=1, description="a SentencePiece .model; null: that of the newest tokenizer of OUT")
    ] = None
    sha256: Annotated[
        str | None, Field(pattern="^[0-9a-f]{64}$", description="of the model; another one is refused")
    ] = None
    bos: Annotated[bool, Field(description="each document begins with the model's own sign")] = False
    eos: Annotated[bool, Field(description="each document ends with the model's own sign")] = True
    min_tokens: Annotated[int, Field(ge=1, description="a shorter document is dropped")] = 1
    max_tokens: Annotated[int | None, Field(ge=1, description="of a sequence; longer ones go as over_long says")] = None
    over_long: Annotated[
        OverLong,
        Field(
            description="keep: as it is; cut: at max_tokens; split: into sequences of one document; drop. "
            "Conversations are cut or dropped, never split"
        ),
    ] = "keep"
    template: Annotated[TemplateName, Field(description="how conversations are written")] = "gemma"
    media_signs: Annotated[
        dict[MediaKind, str],
        Field(
            default_factory=dict, description="interleaved: the piece that stands where a picture, sound or film does"
        ),
    ]
    formats: Annotated[tuple[Format, ...], Field(min_length=1)] = ("megatron", "parquet")
    shards: Annotated[
        Annotated[int, Field(ge=1, le=65_536)] | Literal["auto"],
        Field(description="key ranges, each with a file of every source and language; auto: by size"),
    ] = "auto"

    @model_validator(mode="after")
    def _possible(self) -> "Encode":
        try:
            self.policy()
        except ValueError as error:
            raise wrong((), str(error)) from error
        return self

    def policy(self) -> Policy:
        """Return what becomes of a document's tokens."""
        return Policy(self.bos, self.eos, self.min_tokens, self.max_tokens, self.over_long)
