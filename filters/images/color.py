"""Any pixels -> 8-bit sRGB: palettes, grey, 16 bits, CMYK, colour profiles, alpha."""

import io
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from PIL import Image, ImageCms

from filters.native import kernel

# What pixels may be; 16-bit grey is cut to its upper 8 bits. Missing: I (32-bit), F (floating point).
MODES = frozenset(
    {"1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "LAB", "HSV"}
    | {"I;16", "I;16L", "I;16B", "I;16N"}
)
NONE, SRGB, APPLIED, DAMAGED = "none", "srgb", "applied", "damaged"
_SPACES = {"RGB": ("RGB", "RGBA"), "GRAY": ("L",), "CMYK": ("CMYK",)}


class Flat(NamedTuple):
    """uint8[H, W, 3] on white, what became of the colour profile, and whether there was alpha."""

    pixels: Any
    profile: str
    has_alpha: bool


def flatten(image: Image.Image, max_icc_bytes: int) -> Flat:
    """Return the loaded image as sRGB on white paper.

    A profile that cannot be read, or is meant for other channels, is not applied ("damaged").
    """
    plain = _eight_bits(image)
    icc = image.info.get("icc_profile")
    colored, said = plain, NONE
    if icc:
        colored, said = _through_profile(plain, icc) if len(icc) <= max_icc_bytes else (plain, DAMAGED)
    if colored.mode == "RGBA":
        return Flat(_on_white(np.asarray(colored)), said, True)
    rgb = colored if colored.mode == "RGB" else colored.convert("RGB")
    return Flat(_array(rgb), said, False)


def _array(image: Image.Image) -> Any:
    """Return uint8[H, W, 3] of an RGB image, read from where Pillow holds it: four bytes a pixel."""
    import cv2

    try:
        values = pa.array(image).values
    except ValueError:  # beyond 16 MB Pillow holds it in pieces
        return np.array(image)
    padded = np.frombuffer(values.buffers()[1], np.uint8).reshape(image.height, image.width, 4)
    return cv2.cvtColor(padded, cv2.COLOR_RGBA2RGB)


def _eight_bits(image: Image.Image) -> Image.Image:
    """Return the image in mode L, RGB, RGBA or CMYK."""
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8))
    if "transparency" in image.info or image.mode in ("LA", "La", "PA", "RGBA", "RGBa"):
        return image.convert("RGBA")
    if image.mode in ("L", "RGB", "CMYK"):
        return image
    return image.convert("L" if image.mode == "1" else "RGB")


def _through_profile(image: Image.Image, icc: bytes) -> tuple[Image.Image, str]:
    """Return the image in sRGB (relative colorimetric keeps white white), and what was done."""
    try:
        space, is_srgb = _described(icc)
        if is_srgb and image.mode in ("RGB", "RGBA"):
            return image, SRGB
        if space == "RGB" and image.mode == "L":
            image = image.convert("RGB")
        if image.mode not in _SPACES.get(space, ()):
            return image, DAMAGED
        done = ImageCms.applyTransform(image, _transform(icc, image.mode))
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image, DAMAGED
    return (done, APPLIED) if done is not None else (image, DAMAGED)


@lru_cache(maxsize=16)
def _described(icc: bytes) -> tuple[str, bool]:
    """Return (colour space, whether the profile is sRGB: the same numbers come out, but for one level)."""
    space = ImageCms.ImageCmsProfile(io.BytesIO(icc)).profile.xcolor_space.strip()
    if space != "RGB":
        return space, False
    ramp = np.arange(0, 256, 15, dtype=np.uint8)
    probe = np.stack(np.meshgrid(ramp, ramp, ramp), axis=-1).reshape(len(ramp), -1, 3)
    seen = ImageCms.applyTransform(Image.fromarray(probe), _transform(icc, "RGB"))
    return space, seen is not None and int(np.abs(np.asarray(seen).astype(int) - probe).max()) <= 1


@lru_cache(maxsize=16)
def _transform(icc: bytes, mode: str) -> ImageCms.ImageCmsTransform:
    source, target = ImageCms.ImageCmsProfile(io.BytesIO(icc)), ImageCms.createProfile("sRGB")
    out = "RGBA" if mode == "RGBA" else "RGB"
    return ImageCms.buildTransform(source, target, mode, out, ImageCms.Intent.RELATIVE_COLORIMETRIC)


def _on_white(pixels: Any) -> Any:
    out = np.empty((*pixels.shape[:2], 3), np.uint8)
    _blend(pixels.reshape(-1, 4), out.reshape(-1, 3))
    return out


@kernel
def _blend(pixels: Any, out: Any) -> None:
    """Round (c * a + 255 * (255 - a)) / 255 to the nearest whole number."""
    for i in range(len(out)):
        alpha = np.uint32(pixels[i, 3])
        white = np.uint32(255) * (np.uint32(255) - alpha) + np.uint32(127)
        for c in range(3):
            out[i, c] = np.uint8((np.uint32(pixels[i, c]) * alpha + white) // np.uint32(255))
