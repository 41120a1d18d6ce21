"""The `mixture:` block of a recipe."""

from typing import Annotated, Literal

from pydantic import Field, model_validator

from pipelines.recipe_block import Block, wrong
from tokenizer.balance import Balance
from tokenizer.training_mix import Schedule, Stage

Weights = Annotated[dict[str, float], Field(default_factory=dict, description="factor by source, language or kind")]


class MixtureStage(Block):
    """A part of the training, with factors of its own."""

    name: Annotated[str, Field(pattern="^[a-z0-9][a-z0-9_-]{0,31}$")]
    fraction: Annotated[float, Field(gt=0, le=1, description="of all tokens; those of all stages add up to 1")]
    weights: Weights


class Mixture(Block):
    """How much a trainer reads of each source, language and kind of the newest token shards, stage by stage."""

    total_tokens: Annotated[int | None, Field(ge=1, description="of the training; null: all that there is, once")] = (
        None
    )
    sequence_tokens: Annotated[int, Field(ge=1, le=1 << 24, description="of a sample")] = 4096
    max_epochs: Annotated[
        float, Field(gt=0, description="how often a source and language is read at most, over all stages")
    ] = 4.0
    by: Literal["size", "temperature", "unimax"] = "size"
    alpha: Annotated[float, Field(gt=0, le=1, description="temperature: shares of languages to this power")] = 0.3
    source_cap: Annotated[float, Field(gt=0, le=1, description="largest share of one source")] = 1.0
    code_fraction: Annotated[float | None, Field(ge=0, lt=1, description="share of code; null: as it is")] = None
    weights: Weights
    stages: Annotated[
        tuple[MixtureStage, ...],
        Field(min_length=1, description="in order; a later one is served first where max_epochs binds"),
    ] = (MixtureStage.model_construct(name="all", fraction=1.0, weights={}),)

    @model_validator(mode="after")
    def _mixable(self) -> "Mixture":
        try:
            self.schedule()
        except ValueError as error:
            raise wrong((), str(error)) from error
        return self

    def schedule(self) -> Schedule:
        """Return the settings as the arithmetic takes them."""
        names = ("by", "alpha", "source_cap", "code_fraction", "weights")
        balance = Balance(**{name: getattr(self, name) for name in names}, epochs=self.max_epochs)
        stages = [Stage(each.name, each.fraction, each.weights) for each in self.stages]
        return Schedule(stages, self.sequence_tokens, self.total_tokens, balance)
