"""Which way up an image is: the orientation tag of its EXIF data, read by itself.

Only this tag is looked at, so what is rotten elsewhere in the EXIF data costs nothing.
"""

import struct
from typing import Any

import numpy as np
from PIL import Image

TAG, SHORT = 0x0112, 3
UPRIGHT = 1
MAX_ENTRIES = 1000  # of a directory


def orientation_of(image: Image.Image) -> int:
    """Return 1 to 8 as EXIF 2.32 (section 4.6.4) numbers them; 1 where there is none, or where it is damaged.

    A TIFF is 1: Pillow turns it while it loads. Load the image first: a PNG may carry the tag behind its pixels.
    """
    exif = image.info.get("exif")
    return read_orientation(exif) if isinstance(exif, bytes) and image.format != "TIFF" else UPRIGHT


def read_orientation(exif: bytes) -> int:
    """Return the orientation in a block of EXIF data (a TIFF header and its first directory), 1 if there is none."""
    data = exif.removeprefix(b"Exif\x00\x00")
    order = {b"II": "<", b"MM": ">"}.get(data[:2])
    if order is None:
        return UPRIGHT
    try:
        (start,) = struct.unpack_from(f"{order}4xI", data)
        (entries,) = struct.unpack_from(f"{order}H", data, start)
        for entry in range(min(entries, MAX_ENTRIES)):
            tag, kind, count, value = struct.unpack_from(f"{order}HHIH", data, start + 2 + 12 * entry)
            if tag == TAG:
                return int(value) if kind == SHORT and count == 1 and 1 <= value <= 8 else UPRIGHT
    except struct.error:
        return UPRIGHT
    return UPRIGHT


def upright(pixels: Any, orientation: int) -> Any:
    """Return the pixels as they are meant to be seen; the same array for orientation 1."""
    if orientation == UPRIGHT:
        return pixels
    turned = pixels.transpose(1, 0, 2) if orientation >= 5 else pixels
    flip_rows, flip_columns = orientation in (3, 4, 7, 8), orientation in (2, 3, 6, 7)
    return np.ascontiguousarray(turned[:: -1 if flip_rows else 1, :: -1 if flip_columns else 1])
