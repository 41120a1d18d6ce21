"""A list of URLs as recipes name one: to block pages, or to leave sites out."""

from typing import Annotated, Literal

from pydantic import Field

from pipelines.recipe_block import Block

ListName = Annotated[str, Field(pattern="^[a-z0-9_]{1,32}$")]


class UrlListBlock(Block):
    """A list of domains, hosts or URLs, one a line."""

    name: ListName
    path: Annotated[str, Field(min_length=1)]
    scope: Annotated[
        Literal["auto", "domain", "host", "url"], Field(description="auto: what has a path is a URL, else a domain")
    ] = "auto"
