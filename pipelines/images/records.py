"""The rows of the images job on one screen. Bytes move once, into packs; rows hold where they stand."""

import pyarrow as pa

from manifests.records import DIGEST, ID, KEY, TIMESTAMP
from pipelines.sources.warc import WARC_FIELDS
from pipelines.stages.parts import Layout

IMAGE_TYPES = frozenset(f"image/{name}" for name in ("jpeg", "jpg", "png", "webp", "gif", "tiff", "bmp", "avif"))
SIDECAR_TYPES = frozenset({"text/plain", "application/json", WARC_FIELDS})

ORDER = ("key", "id", "unit", "ordinal")
LAYOUT = Layout(
    "images",
    {
        "images": ORDER,
        "bands": ("key", "id", "phash"),
        "stems": ("key", "id"),
        "captions": ("key", "rank", "caption"),
    },
    sums=("encoded_bytes",),
    media_types=IMAGE_TYPES | SIDECAR_TYPES,
)

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

# Names under which an image meets its captions, and what a text snapshot shows of it.
NAME, ADDRESS, BYTES = 0, 1, 2  # kinds of a name: without a suffix; where it stands; by its bytes
STEM = pa.schema([("key", KEY), ("id", ID), ("digest", DIGEST), ("kind", pa.int8())])
CAPTION = pa.schema([("key", KEY), ("rank", pa.int8()), ("caption", pa.string())])  # smallest rank first
SHOWN = pa.schema([("key", KEY), ("caption", pa.string()), ("document", ID)])  # caption: the alt text, or null
CAPTIONED = pa.schema([("key", KEY), ("id", ID), ("rank", pa.int8()), ("caption", pa.string())])

# Where the corpus shows the bytes of an image; keyed by their digest. `documents` of the text snapshot.
SEEN = pa.schema([("key", KEY), ("digest", DIGEST), ("name", KEY), ("id", ID), ("documents", pa.int64())])
COUNTED = pa.schema([("key", KEY), ("id", ID), ("occurrence_count", pa.int64())])

SCORED = pa.schema([("key", KEY), ("id", ID), ("score", pa.float64())])  # score: or null
ADOPTED = pa.schema([("key", KEY), ("id", ID), ("captions", pa.list_(pa.string()))])  # of what was merged into it
BAND = pa.schema([("key", KEY), ("id", ID), ("phash", pa.uint64())])
