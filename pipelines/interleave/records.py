"""The rows of the interleave job on one screen. Positions count all parts of a document, from 0."""

import pyarrow as pa

from manifests.records import DIGEST, ID, KEY

TEXT_KINDS = frozenset({"text", "table", "code"})  # ranges of the text; every other kind of part has media
MAX_ALT_CHARS = 4096

PART_ID = [("id", ID), ("position", pa.int32())]  # of the document
SAID = [("kind", pa.string()), ("uri", pa.string()), ("alt", pa.string())]  # what the page says of a media part

# A part that asks for media, and what media jobs say of an address; keyed by the address.
ASKED = pa.schema([("key", KEY), ("address", pa.string()), *PART_ID, *SAID])
SPAN = [("start_s", pa.float64()), ("end_s", pa.float64())]  # of a clip in its film or sound; null for an image
KNOWN = pa.schema(
    [
        ("key", KEY),
        ("address", pa.string()),
        ("kind", pa.string()),  # image | audio | video: of the job that speaks
        ("rank", pa.int8()),  # the smallest counts: kept, merged, dropped, refused, quarantined, skipped
        ("file", ID),  # that the record is of, null where nothing is told of it
        ("media", ID),  # the record to take, null where there is none
        ("reason", pa.string()),  # manifests.reasons.Missing, null where there is a record
        *SPAN,
    ]
)
HOP = pa.schema([("key", KEY), ("address", pa.string()), ("ended_s", pa.float64()), ("target", pa.string())])

# Joined parts, keyed by media; the media's own columns follow once they are attached, keyed by the document. A part
# that shows a film or plays a sound has a row for each record that the file came to.
FOUND = pa.schema([("key", KEY), ("media", ID), ("address", pa.string()), *PART_ID, *SAID, *SPAN])
LOST = pa.schema([("key", KEY), ("reason", pa.string()), *PART_ID, *SAID])

# Where a medium's bytes stand; keyed by the media.
LOCATED = pa.schema(
    [
        ("key", KEY),
        ("id", ID),
        ("shard", pa.string()),
        ("extension", pa.string()),
        ("offset", pa.int64()),
        ("bytes", pa.int64()),
    ]
)

# What pages need of the records of sounds and films, and their files: a segment's FLAC, a clip as a film of its own.
CLIP_MEDIA = pa.schema(
    [("key", KEY), ("id", ID), ("digest", DIGEST), ("width_px", pa.int32()), ("height_px", pa.int32())]
)
CLIP_FILE = pa.schema([*LOCATED, ("sha256", DIGEST)])

# A document's own numbers; the signals of the text job follow, keyed by the document.
DOCUMENT = [
    ("key", KEY),
    ("id", ID),
    ("unit", pa.uint64()),  # number of its shard in the text snapshot
    ("language", pa.string()),
    ("language_score", pa.float32()),
]

VERDICT = [("verdict", pa.string()), ("reason", pa.string()), ("reasons", pa.list_(pa.string()))]
MEDIA_OF_PART = [
    ("media", ID),
    ("digest", DIGEST),  # sha256 of the file as it came
    ("sha256", DIGEST),  # ... of the bytes as they are stored
    ("phash", pa.uint64()),
    ("media_type", pa.string()),  # as stored
    ("width_px", pa.int32()),  # as stored
    ("height_px", pa.int32()),
    ("occurrence_count", pa.int64()),  # documents of the snapshot that show it
    ("shard", pa.string()),
    ("extension", pa.string()),
    ("offset", pa.int64()),
    ("bytes", pa.int64()),
]
JUDGED_PART = pa.schema([("key", KEY), *PART_ID, *SAID, *SPAN, *VERDICT, *MEDIA_OF_PART])
IMAGE_SET = pa.schema([("key", KEY), ("images", ID), ("id", ID), ("rank", pa.int64())])  # rank: bytes of text

# One row a part (of a film or sound that a page shows: a row each of its records), as it is published beside the tar;
# text stands in the sample.
PART_ROW = pa.schema(
    [
        *PART_ID,
        ("kind", pa.string()),
        ("start", pa.int32()),  # code points of the document's text, null in a film
        ("end", pa.int32()),
        ("start_s", pa.float64()),  # seconds of a film or sound, else null
        ("end_s", pa.float64()),
        ("uri", pa.string()),
        ("alt", pa.string()),
        *VERDICT,  # kept | dropped | missing
        *(field for field in MEDIA_OF_PART if field[0] not in ("shard", "extension", "offset", "bytes")),
        ("member", pa.string()),  # of the shard: the file that holds the bytes
        ("shard", pa.string()),
        ("offset", pa.int64()),
        ("bytes", pa.int64()),
    ]
)
