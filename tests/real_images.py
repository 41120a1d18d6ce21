"""Real images out of Debian packages, and image files made on the spot."""

import io
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image

from pipelines.demo_input import fetch_package

SKIMAGE = "usr/lib/python3/dist-packages/skimage/data"


@cache
def skimage_folder() -> Path:
    """Return the folder of scikit-image's sample pictures."""
    return fetch_package("python3-skimage").root / SKIMAGE


@cache
def forensics_folder() -> Path:
    """Return the folder of pictures in several formats, and of phone photographs."""
    return fetch_package("forensics-samples-files").root / "usr/share/forensics-samples/original-files"


@cache
def photographs() -> tuple[Path, ...]:
    """Return 15 photographs, 1 to 4 megapixels each."""
    return tuple(sorted(fetch_package("lomiri-wallpapers-16.04").root.rglob("*.jpg")))


@cache
def small_photographs() -> tuple[bytes, ...]:
    """Return the photographs as JPEG files of 640 x 480 pixels."""
    found = []
    for path in photographs():
        with Image.open(path) as image:
            found.append(file_of(image.convert("RGB").resize((640, 480)), "JPEG", quality=90))
    return tuple(found)


def file_of(image: Image.Image, form: str, **options) -> bytes:
    """Return the bytes of an image file."""
    with io.BytesIO() as file:
        image.save(file, form, **options)
        return file.getvalue()


def noise(height: int, width: int, channels: int = 3, seed: int = 0) -> np.ndarray:
    """Return uint8[height, width, channels] of random pixels."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, channels), dtype=np.uint8)
