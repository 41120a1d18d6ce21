"""The rows of the images job on one screen. Bytes move once, into packs; rows hold where they stand."""

import pyarrow as pa

from manifests.records import DIGEST, ID, KEY, TIMESTAMP

KINDS = ("images", "bands", "stems", "captions")  # what later phases read
ORDER = ("key", "id", "unit", "ordinal")
ORDERS = {
    "images": ORDER,
    "bands": ("key", "id", "phash"),
    "stems": ("key", "id"),
    "captions": ("key", "rank", "caption"),
    "quarantine": ("key", "reason"),
    "refused": ("key", "id", "ordinal"),
}

# An image, and where its encoded bytes stand; filters.images.child.RECORDS follow these, without row and sha256.
PLACED = [
    ("key", KEY),  # of the id
    ("id", ID),
    ("unit", pa.uint64()),
    ("ordinal", pa.int64()),
    ("uri", pa.string()),
    ("source", pa.string()),
    ("fetched_at", TIMESTAMP),
    ("digest", DIGEST),  # sha256 of the file as it came
    ("media_type", pa.string()),  # as declared
    ("policy", pa.string()),
    ("pack", pa.string()),
    ("offset", pa.int64()),  # in the pack, of stored_bytes bytes
]

STEM = pa.schema([("key", KEY), ("id", ID)])  # key: of the name that image and caption share
CAPTION = pa.schema([("key", KEY), ("rank", pa.int8()), ("caption", pa.string())])  # the smallest rank counts
CAPTIONED = pa.schema([("key", KEY), ("id", ID), ("caption", pa.string())])
BAND = pa.schema([("key", KEY), ("id", ID), ("phash", pa.uint64())])
REFUSED = pa.schema(
    [
        ("key", KEY),
        ("id", ID),
        ("uri", pa.string()),
        ("source", pa.string()),
        ("unit", pa.uint64()),
        ("ordinal", pa.int64()),
        ("reason", pa.string()),
        ("policy", pa.string()),
    ]
)
