"""The `images:` block of a recipe."""

import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, model_validator

from pipelines.recipe_block import Block, wrong

Profile = Literal["datacomp_basic_v1", "laion_v1", "mmc4_v1", "obelics_v1", "omnicorpus_v1", "m3w_v1"]
ResizeMode = Literal["no", "border", "keep_ratio", "keep_ratio_largest", "center_crop"]
Refusal = Literal["noai", "noindex", "tdm_reservation", "content_usage", "content_signal"]


CLIP_MEAN, CLIP_STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


def _column(name: str) -> str:
    if not re.fullmatch(r"[a-z][a-z0-9_]{0,62}", name):
        raise wrong((), f"{name!r} is not a column: small letters, digits and _, at most 63")
    return name


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


class Scorer(Block):
    """A model of the user's, an ONNX file of its own, that scores the images as they are stored.

    The graph's first input is float32[1, 3, side_px, side_px], normalised by `mean` and `std` of red, green and blue in
    [0, 1] (CLIP's by default); the second, where it reads the caption, string[1]. Its first output holds one number.
    Rules of profiles read the scores by their names: image_text_similarity, aesthetic_score.
    """

    name: Annotated[str, AfterValidator(_column)]
    model: Annotated[str, Field(min_length=1, description="path of the file")]
    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$", description="what the file must be")]
    side_px: Annotated[int, Field(ge=1, le=4096)] = 224
    mean: Annotated[tuple[float, ...], Field(min_length=3, max_length=3)] = CLIP_MEAN
    std: Annotated[tuple[Annotated[float, Field(gt=0)], ...], Field(min_length=3, max_length=3)] = CLIP_STD
    reads_caption: Annotated[bool, Field(description="images without a caption then have no score")] = False
    min: Annotated[float | None, Field(description="what scores less is dropped")] = None
    max: Annotated[float | None, Field(description="what scores more is dropped")] = None

    @property
    def settings(self) -> dict[str, Any]:
        """Return what its scores depend on: not where the file lies, and not what they decide."""
        return self.model_dump(mode="json", exclude={"model", "min", "max"})


class KnownBad(Block):
    """A list of hashes of images that must not be kept, one in hexadecimal a line."""

    path: Annotated[str, Field(min_length=1)]
    kind: Literal["sha256", "md5", "pdq"]
    max_distance: Annotated[
        int, Field(ge=0, le=128, description="bits of 256 in which pdq hashes may differ; 31 is its authors' figure")
    ] = 31


class Images(Block):
    """Images with their captions: decoded, measured, filtered, deduplicated, resized, sharded."""

    profiles: Annotated[tuple[Profile, ...], Field(description="rule sets, in the order in which they object")] = ()
    resize: Resize = Resize()
    encode: Encode = Encode()
    dedup: ImageDedup = ImageDedup()
    nsfw: Annotated[
        bool | Literal["auto"],
        Field(description="measure nsfw_score; it costs several times all the rest, so auto: where a rule reads it"),
    ] = "auto"
    faces: Annotated[
        Literal["none", "count", "blur"], Field(description="blur: the stored images show them blurred")
    ] = "none"
    scorers: Annotated[tuple[Scorer, ...], Field(description="models of yours")] = ()
    known_bad: Annotated[tuple[KnownBad, ...], Field(description="lists of images that are dropped first of all")] = ()
    refuse: Annotated[tuple[Refusal, ...], Field(description="whose no counts")] = (
        "noai",
        "noindex",
        "tdm_reservation",
        "content_usage",
        "content_signal",
    )
    shards: Annotated[int | Literal["auto"], Field(description="files of the output; auto: by its size")] = "auto"

    @model_validator(mode="after")
    def _names_differ(self) -> "Images":
        names = [each.name for each in self.scorers]
        for i, name in enumerate(names):
            if name in names[:i]:
                raise wrong(("scorers", i, "name"), f"two scorers are called {name}")
        return self
