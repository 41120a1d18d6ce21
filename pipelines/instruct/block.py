"""The `instruct:` block of a recipe."""

from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import Field

from pipelines.instruct.endpoint_block import EndpointBlock
from pipelines.recipe_block import Block
from pipelines.text.block import Decontaminate

Fraction = Annotated[float, Field(ge=0, le=1)]


class AcceptedFacts(Block):
    """When a fact is asked without its source: enough publishers that do not copy each other, and they agree."""

    min_publishers: Annotated[
        int, Field(ge=2, le=64, description="independent publishers, each with a text of its own")
    ] = 3
    min_agreement: Annotated[float, Field(gt=0.5, le=1, description="share of the publishers that do not object")] = 0.9


class HeldOut(Block):
    """Shares of documents and entities that are kept from training."""

    validation: Annotated[float, Field(ge=0, le=0.4)] = 0.01
    test: Annotated[float, Field(ge=0, le=0.4)] = 0.01


class Instruct(Block):
    """Attribution, closed-book and hedge sets from the newest snapshots of text, images, audio and video in OUT."""

    languages: Annotated[tuple[str, ...], Field(description="codes; none: every language that has phrases")] = ()
    media: Annotated[bool, Field(description="captions, transcripts and subtitles are asked about too")] = True
    hedge_fraction: Annotated[float, Field(ge=0.0, le=0.5, description="share of hedges among all records")] = 0.25
    records_per_10_kb: Annotated[float, Field(gt=0, le=1000, description="about, of a document")] = 8.0
    facts: AcceptedFacts = AcceptedFacts()
    publishers: Annotated[
        Mapping[str, Annotated[int, Field(ge=0, le=8)] | Annotated[str, Field(min_length=1, max_length=253)]],
        Field(
            description="host or input -> segments of the path that name one of the many publishers there, or the "
            "publisher that it counts as: another edition of the same work, a mirror"
        ),
    ] = {}
    masks: Annotated[
        tuple[Annotated[str, Field(min_length=3, max_length=64)], ...],
        Field(description="what stands for masked personal data where text.personal names it otherwise"),
    ] = ()
    held_out: HeldOut = HeldOut()
    decontaminate: Annotated[
        Decontaminate | None, Field(description="records that hold items of evaluation sets are dropped")
    ] = None
    endpoint: Annotated[
        EndpointBlock | None, Field(description="a model of yours writes records too; without one no model is used")
    ] = None
    audit: Annotated[bool, Field(description="the auditor looks at what was made; its table is in the report")] = True
    seed: Annotated[int, Field(ge=0, le=2**31, description="of every choice")] = 0
    shards: Annotated[
        Annotated[int, Field(ge=1, le=65_536)] | Literal["auto"],
        Field(description="files of the output; auto: by its size"),
    ] = "auto"
