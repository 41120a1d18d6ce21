"""The `interleave:` block of a recipe."""

from typing import Annotated, Literal

from pydantic import Field

from pipelines.recipe_block import Block

Profile = Literal["obelics_v1", "mmc4_v1", "omnicorpus_v1", "m3w_v1"]


class Interleave(Block):
    """Documents of the newest text snapshot with the images of the newest images snapshot, in reading order.

    The films of the newest video snapshot, where there is one, are documents too: frames, sounds and words by time.
    """

    profiles: Annotated[tuple[Profile, ...], Field(description="rule sets, in the order in which they object")] = ()
    images: Annotated[
        Literal["inline", "by_digest"],
        Field(
            description="inline: each sample holds its images (of a film, its frames and sounds), so a trainer reads "
            "one tar from front to back; by_digest: samples name them by digest and place in the shards of the images "
            "and video jobs, each stored once"
        ),
    ] = "inline"
    merge_image_sets: Annotated[
        bool | None, Field(description="of documents with the same set of images one stays; null: as the profiles say")
    ] = None
    shards: Annotated[
        Annotated[int, Field(ge=1, le=65_536)] | Literal["auto"],
        Field(description="files of the output; auto: by its size"),
    ] = "auto"
