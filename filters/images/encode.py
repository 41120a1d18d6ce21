"""Pixels -> bytes: JPEG, WebP or PNG without any metadata, the same bytes for the same pixels."""

from dataclasses import dataclass
from typing import Any, Literal

ENCODE_VERSION = 1  # part of the stage key
Format = Literal["jpg", "webp", "png"]
_MOST = {"jpg": 100, "webp": 100, "png": 9}
MAX_SIDE_PX = {"jpg": 65_500, "webp": 16_383, "png": 1_000_000}  # what the encoders take
MEDIA_TYPES = {"jpg": "image/jpeg", "webp": "image/webp", "png": "image/png"}


@dataclass(frozen=True)
class Encode:
    """quality: 1 to 100 for jpg (4:2:0) and webp; for png the compression level, 0 to 9."""

    format: Format = "jpg"
    quality: int = 95

    def __post_init__(self) -> None:
        if self.format not in _MOST:
            raise ValueError(f"images are encoded as one of {', '.join(_MOST)}, got {self.format!r}")
        least, most = int(self.format != "png"), _MOST[self.format]
        if not least <= self.quality <= most:
            raise ValueError(f"quality of {self.format} must be {least} to {most}, got {self.quality}")


def encode(pixels: Any, how: Encode) -> bytes:
    """Return the file of uint8[H, W, 3], no side beyond MAX_SIDE_PX; OpenCV's encoders, as img2dataset uses them."""
    import cv2

    flag = {
        "jpg": cv2.IMWRITE_JPEG_QUALITY,
        "webp": cv2.IMWRITE_WEBP_QUALITY,
        "png": cv2.IMWRITE_PNG_COMPRESSION,
    }[how.format]
    done, data = cv2.imencode(f".{how.format}", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), [int(flag), how.quality])
    if not done:
        raise ValueError(f"{pixels.shape[1]} x {pixels.shape[0]} pixels were not encoded as {how.format}")
    return data.tobytes()
