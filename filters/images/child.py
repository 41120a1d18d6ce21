"""The guarded entry of images, "filters.images.child:factory": files in; records, stored files and faults out."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from PIL import Image

from filters.guard_child import WHOLE_BATCH, Outputs, Progress, Worker
from filters.images.color import flatten
from filters.images.decode import Decoded, ImageError, check_size, decode
from filters.images.encode import MAX_SIDE_PX, MEDIA_TYPES, Encode, encode
from filters.images.faces import blur_faces, find_faces
from filters.images.known import md5_of, pdq_hash
from filters.images.nsfw import nsfw_score
from filters.images.phash import luma, phash64
from filters.images.resize import Resize, resize, scaled_size
from filters.images.signals import measure
from manifests.limits import MediaLimits
from manifests.reasons import ImageFault

IMAGES = pa.schema(
    [
        ("uri", pa.string()),
        ("media_type", pa.string()),  # declared, or null; the content alone decides
        ("payload", pa.large_binary()),
    ]
)
RECORDS = pa.schema(
    [
        ("row", pa.int32()),  # of the batch
        ("format", pa.string()),  # by content: one of filters.images.decode.FORMATS
        ("is_web_format", pa.int8()),  # JPEG, PNG or WEBP
        ("payload_bytes", pa.int64()),  # as it came
        ("sha256", pa.binary(32)),  # ... of the same
        ("phash", pa.uint64()),  # of the decoded image, at its own size
        ("frame_count", pa.int32()),
        ("orientation", pa.int8()),  # EXIF; undone in everything else
        ("profile", pa.string()),  # none | srgb | applied | damaged
        ("has_alpha", pa.int8()),
        ("width_px", pa.int32()),  # upright, before it was resized
        ("height_px", pa.int32()),
        ("pixel_count", pa.int64()),
        ("long_side_px", pa.int32()),
        ("short_side_px", pa.int32()),
        ("color_range", pa.int16()),  # from here on: see filters.images.signals
        ("luma_sum", pa.int64()),
        ("dark_pixel_count", pa.int64()),
        ("bright_pixel_count", pa.int64()),
        ("entropy_bits", pa.float64()),
        ("sharpness", pa.float64()),
        ("stored_media_type", pa.string()),  # of the row of "payloads"
        ("stored_bytes", pa.int64()),
        ("stored_sha256", pa.binary(32)),
        ("stored_width_px", pa.int32()),
        ("stored_height_px", pa.int32()),
    ]
)
NSFW = pa.field("nsfw_score", pa.float64())  # [0, 1], filters.images.nsfw
FACES = (pa.field("face_count", pa.int32()), pa.field("faces", pa.list_(pa.list_(pa.float32(), 5))))
HASHES = {"md5": pa.field("md5", pa.binary(16)), "pdq": pa.field("pdq", pa.binary(32))}  # filters.images.known
PAYLOADS = pa.schema([("row", pa.int32()), ("bytes", pa.large_binary())])
FAILED = pa.schema(
    [
        ("row", pa.int32()),
        ("reason", pa.string()),  # manifests.reasons.ImageFault
        ("detail", pa.string()),
        ("limit", pa.int64()),  # the limit it is beyond, or null
        ("observed", pa.int64()),
    ]
)


@dataclass(frozen=True)
class Settings:
    """What is done with every image.

    nsfw      measure `nsfw_score`; its model must be there (filters.models.fetch_model)
    faces     no | find (`face_count`, `faces`) | blur (so too, and the stored file shows them blurred)
    hashes    further hashes to take: md5 of the file, pdq of the picture
    """

    resize: Resize = field(default_factory=Resize)
    encode: Encode = field(default_factory=Encode)
    limits: MediaLimits = field(default_factory=MediaLimits)
    nsfw: bool = False
    faces: str = "no"
    hashes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.faces not in ("no", "find", "blur"):
            raise ValueError(f"faces must be no, find or blur, got {self.faces!r}")
        if unknown := sorted(set(self.hashes) - HASHES.keys()):
            raise ValueError(f"hashes are {', '.join(HASHES)}, got {unknown[0]!r}")

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> "Settings":
        """Return the settings of JSON: resize, encode and limits are objects of fields; each may be missing."""
        given = dict(config)
        for name, kind in (("resize", Resize), ("encode", Encode), ("limits", MediaLimits)):
            given[name] = kind(**given.get(name, {}))
        given["hashes"] = tuple(given.get("hashes", ()))
        return cls(**given)

    @property
    def records(self) -> pa.Schema:
        """Return the columns of "records"."""
        schema = RECORDS
        found = FACES if self.faces != "no" else ()
        for column in (*((NSFW,) if self.nsfw else ()), *found, *(HASHES[name] for name in self.hashes)):
            schema = schema.append(column)
        return schema


def factory(config: Mapping[str, Any]) -> Worker:
    """Return the worker of a guarded child: IMAGES in; "records", "payloads" and "failed" out, rows ascending.

    Every row of the batch is in "records" and "payloads", or else in "failed". config: see `Settings.of`.
    """
    import cv2

    cv2.setNumThreads(1)
    settings = Settings.of(config)
    _warm(settings)

    def work(images: pa.RecordBatch, progress: Progress) -> Outputs:
        payloads = images.column("payload")
        kept: list[tuple[Any, ...]] = []
        stored: list[tuple[int, bytes]] = []
        failed: list[tuple[Any, ...]] = []
        for row in range(images.num_rows):
            progress(row)
            payload = payloads[row].as_buffer()
            try:
                content = payload.to_pybytes() if payload is not None else b""
                record, data = produce(content, settings)
            except ImageError as fault:
                failed.append((row, str(fault.reason), fault.detail, fault.limit, fault.observed))
            else:
                kept.append((row, *record))
                stored.append((row, data))
        progress(WHOLE_BATCH)
        return {
            "records": _batch(kept, settings.records),
            "payloads": _batch(stored, PAYLOADS),
            "failed": _batch(failed, FAILED),
        }

    return work


def produce(payload: bytes, settings: Settings) -> tuple[tuple[Any, ...], bytes]:
    """Return (columns of `Settings.records` after `row`, file to store); raises ImageError."""
    image = decode(payload, settings.limits)
    gray = luma(image.pixels)
    measured = _about(payload, image, phash64(gray)) + measure(image.pixels, gray)
    scored, shown = _scored(image.pixels, settings)
    hashes = tuple(md5_of(payload) if name == "md5" else pdq_hash(image.pixels) for name in settings.hashes)
    small = _stored_pixels(shown, settings)
    data = encode(small, settings.encode)
    height, width = small.shape[:2]
    stored = (MEDIA_TYPES[settings.encode.format], len(data), hashlib.sha256(data).digest(), width, height)
    return (*measured, *stored, *scored, *hashes), data


def _about(payload: bytes, image: Decoded, phash: int) -> tuple[Any, ...]:
    is_web_format = image.format in ("JPEG", "PNG", "WEBP")
    described = (image.frames, image.orientation, image.profile, int(image.has_alpha))
    return (image.format, int(is_web_format), len(payload), hashlib.sha256(payload).digest(), phash, *described)


def _scored(pixels: Any, settings: Settings) -> tuple[tuple[Any, ...], Any]:
    """Return (columns of the models that are on, pixels to store)."""
    columns: list[Any] = [nsfw_score(pixels)] if settings.nsfw else []
    if settings.faces == "no":
        return tuple(columns), pixels
    faces = find_faces(pixels, settings.limits.max_faces)
    shown = blur_faces(pixels, faces) if settings.faces == "blur" else pixels
    return (*columns, len(faces), faces.tolist()), shown


def _stored_pixels(pixels: Any, settings: Settings) -> Any:
    """Return the resized pixels; raise ImageError where a strip would grow beyond limits, or its file's format."""
    height, width = scaled_size(pixels.shape[0], pixels.shape[1], settings.resize) or pixels.shape[:2]
    check_size(width, height, settings.limits)
    most = MAX_SIDE_PX[settings.encode.format]
    if max(height, width) > most:
        raise ImageError(ImageFault.SIDE_TOO_LONG, f"of {settings.encode.format}", most, max(height, width))
    return resize(pixels, settings.resize)


def _warm(settings: Settings) -> None:
    """Compile every kernel and load every model, so that no record's clock pays for it."""
    for size in ((2, 2), (600, 600)):
        pixels = np.full((*size, 3), 128, np.uint8)
        data = encode(pixels, Encode("png", 1))
        produce(data, settings)
    flatten(Image.fromarray(np.full((2, 2, 4), 9, np.uint8)), 0)
    resize(pixels, Resize("keep_ratio", 7))


def _batch(rows: list[tuple[Any, ...]], schema: pa.Schema) -> pa.RecordBatch:
    columns = list(map(list, zip(*rows, strict=True))) or [[] for _ in schema]
    return pa.record_batch([pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)], schema=schema)
