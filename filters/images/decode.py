"""Bytes -> pixels: one frame, upright, sRGB, 8 bits a channel, without an alpha channel.

The header is read first, and what is beyond a limit is never decoded. Only the formats of FORMATS are looked for:
Pillow alone knows 43, among them one that starts Ghostscript. What a decoder warns of is an error.
For use in a guarded child: a hostile file can still hang or crash a decoder.
"""

import io
import struct
import warnings
import zlib
from dataclasses import dataclass
from typing import Any

from PIL import Image, ImageFile, UnidentifiedImageError

from filters.images.color import MODES, flatten
from filters.images.frames import frame_count
from filters.images.orientation import orientation_of, upright
from manifests.limits import MediaLimits
from manifests.reasons import ImageFault

DECODE_VERSION = 1  # part of the stage key
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF")
LIMITS = MediaLimits()

Image.MAX_IMAGE_PIXELS = None  # `check_size` stands before every decode, with the limit of the job
ImageFile.LOAD_TRUNCATED_IMAGES = False


class ImageError(Exception):
    """An image that is not decoded; a reason of the closed list, and the limit that it is beyond."""

    def __init__(
        self, reason: ImageFault, detail: str = "", limit: int | None = None, observed: int | None = None
    ) -> None:
        super().__init__(detail or str(reason))
        self.reason, self.detail, self.limit, self.observed = reason, detail, limit, observed


@dataclass(frozen=True)
class Decoded:
    """One upright frame.

    pixels       uint8[H, W, 3], sRGB; transparent parts as on white paper
    format       one of FORMATS, by content
    frames       of the file, at least 1, counted up to limits.max_frames_counted
    orientation  of the EXIF data, 1 to 8; 1 where there is none or it is damaged; `pixels` follow it
    profile      colour profile: none | srgb | applied | damaged (then pixels are taken as sRGB)
    has_alpha    transparent parts were possible
    """

    pixels: Any
    format: str
    frames: int
    orientation: int
    profile: str
    has_alpha: bool


def decode(payload: bytes, limits: MediaLimits = LIMITS) -> Decoded:
    """Return the first frame of an image file; raises ImageError."""
    if not payload:
        raise ImageError(ImageFault.EMPTY_PAYLOAD)
    if len(payload) > limits.max_image_bytes:
        raise ImageError(ImageFault.TOO_MANY_BYTES, limit=limits.max_image_bytes, observed=len(payload))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", ".*(?i:exif|metadata warning|truncated file read)")  # orientation is ours
        return _decode(payload, limits)


def _decode(payload: bytes, limits: MediaLimits) -> Decoded:
    try:
        image = Image.open(io.BytesIO(payload), formats=FORMATS)
        check_size(image.width, image.height, limits)
        frames = frame_count(image, payload, limits.max_frames_counted)
        image.load()
        check_size(image.width, image.height, limits)  # a frame may be larger than its header said
        if image.mode not in MODES:
            raise ImageError(ImageFault.PIXEL_TYPE, image.mode)
        flat = flatten(image, limits.max_icc_bytes)
        orientation = orientation_of(image)
    except ImageError:
        raise
    except UnidentifiedImageError as error:
        raise ImageError(ImageFault.UNKNOWN_FORMAT) from error
    except _REFUSALS as error:
        raise ImageError(_fault_of(error), f"{type(error).__name__}: {error}"[:200]) from error
    return Decoded(
        upright(flat.pixels, orientation), str(image.format), frames, orientation, flat.profile, flat.has_alpha
    )


# What Pillow's readers and libavif raise of bytes that they do not like; warnings are errors in `decode`.
_REFUSALS = (
    *(OSError, ValueError, SyntaxError, EOFError, IndexError, KeyError, TypeError, OverflowError),
    *(struct.error, zlib.error, RuntimeError, Warning),
)


def check_size(width: int, height: int, limits: MediaLimits) -> None:
    """Raise ImageError where a header tells of more pixels than limits allow, or of none."""
    if max(width, height) > limits.max_image_side_px:
        raise ImageError(ImageFault.SIDE_TOO_LONG, "", limits.max_image_side_px, max(width, height))
    if width * height > limits.max_image_pixels:
        raise ImageError(ImageFault.TOO_MANY_PIXELS, "", limits.max_image_pixels, width * height)
    if width < 1 or height < 1:
        raise ImageError(ImageFault.DAMAGED, f"{width} x {height} pixels")


def _fault_of(error: BaseException) -> ImageFault:
    said = str(error).lower()
    is_short = "truncated" in said or "unexpected end" in said or isinstance(error, EOFError)
    return ImageFault.TRUNCATED if is_short else ImageFault.DAMAGED
