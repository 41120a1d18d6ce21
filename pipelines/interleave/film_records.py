"""Films and their clips as the interleave job reads them out of the video snapshot; keyed by the film."""

import pyarrow as pa

from filters.video.clip_child import PART as CLIP_PART
from manifests.records import DIGEST, ID, KEY, TIMESTAMP

KIND_OF = {"frame": "image", "audio": "audio", "text": "text"}  # kinds of a clip's parts, as documents call them
IMAGE_OF = frozenset({"jpg", "png", "webp", "flac"})  # extensions of frames and sounds; others are clips themselves
FILM = pa.schema(
    [
        ("key", KEY),
        ("id", ID),
        ("unit", pa.uint64()),  # number of its shard, behind those of the text snapshot
        ("uri", pa.string()),
        ("source", pa.string()),
        ("fetched_at", TIMESTAMP),
        ("digest", DIGEST),  # sha256 of the film as it came
        ("media_type", pa.string()),
        ("policy", pa.string()),
        ("duration_s", pa.float64()),
        ("clip_count", pa.int64()),
    ]
)
CLIP_FILE = pa.struct([("member", pa.string()), ("offset", pa.int64()), ("bytes", pa.int64()), ("sha256", DIGEST)])
CLIP = pa.schema(
    [
        ("key", KEY),
        ("film", ID),
        ("id", ID),
        ("uri", pa.string()),
        ("start_s", pa.float64()),
        ("end_s", pa.float64()),
        ("verdict", pa.string()),  # kept | dropped | merged, by the video job
        ("reason", pa.string()),
        ("kept_id", ID),  # merged: the clip that stays in its place
        ("caption", pa.string()),
        ("transcript_language", pa.string()),
        ("said_chars", pa.int64()),  # of its transcript
        ("max_nsfw_score", pa.float64()),
        ("file_member", pa.string()),  # the clip as a film of its own, or null
        ("shard", pa.string()),  # the tar that holds its files, null where it is gone
        ("files", pa.list_(CLIP_FILE)),
        ("parts", pa.list_(CLIP_PART)),
    ]
)
