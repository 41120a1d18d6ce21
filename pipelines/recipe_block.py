"""What every block of a recipe is: frozen, strict, and clear about what is wrong in it."""

import re
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict
from pydantic_core import PydanticCustomError

_CREDENTIALS = re.compile(r"//.*@", re.DOTALL)


class Block(BaseModel):
    """A block of a recipe: no unknown keys, no silent conversions ("8" is not 8), never changed once read."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


def wrong(at: Sequence[str | int], message: str) -> PydanticCustomError:
    """Make an error of the value at `at`, below the value that is being checked."""
    return PydanticCustomError("recipe", "{message}", {"message": message, "at": tuple(at)})


def masked(text: str) -> str:
    """Return a message with `//...@` where a URL in it may hold credentials."""
    return _CREDENTIALS.sub("//...@", text)
