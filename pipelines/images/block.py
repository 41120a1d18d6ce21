"""The `images:` block of a recipe."""

from typing import Annotated, Literal

from pydantic import Field

from pipelines.recipe_block import Block

Profile = Literal["datacomp_basic_v1", "laion_v1", "mmc4_v1", "obelics_v1", "omnicorpus_v1", "m3w_v1"]
ResizeMode = Literal["no", "border", "keep_ratio", "keep_ratio_largest", "center_crop"]
Refusal = Literal["noai", "noindex", "tdm_reservation", "content_usage", "content_signal"]


class Resize(Block):
    """How images are made smaller, as img2dataset does; `no` keeps the size and still decodes and encodes."""

    mode: ResizeMode = "keep_ratio_largest"
    size_px: Annotated[int, Field(ge=1, le=16_384)] = 1024
    only_if_bigger: bool = True


class Encode(Block):
    """What is written; without metadata."""

    format: Literal["jpg", "webp", "png"] = "jpg"
    quality: Annotated[int, Field(ge=1, le=100)] = 95


class ImageDedup(Block):
    """Which copies are merged; the image with most pixels stays."""

    exact: bool = True
    near: Annotated[
        int | None, Field(ge=0, le=5, description="bits of 64 in which perceptual hashes may differ; null: never")
    ] = 3


class Images(Block):
    """Images with their captions: decoded, measured, filtered, deduplicated, resized, sharded."""

    profiles: Annotated[tuple[Profile, ...], Field(description="rule sets, in the order in which they object")] = ()
    resize: Resize = Resize()
    encode: Encode = Encode()
    dedup: ImageDedup = ImageDedup()
    refuse: Annotated[tuple[Refusal, ...], Field(description="whose no counts")] = (
        "noai",
        "noindex",
        "tdm_reservation",
        "content_usage",
        "content_signal",
    )
    shards: Annotated[int | Literal["auto"], Field(description="files of the output; auto: by its size")] = "auto"
