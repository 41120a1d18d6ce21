"""The rows of the video job on one screen. Bytes move once, into packs; rows hold where they stand."""

import pyarrow as pa

from filters.video.clip_child import CLIPS, FILM
from manifests.records import DIGEST, ID, KEY, TIMESTAMP
from pipelines.audio.records import SIDECAR_TYPES, TRANSCRIPT_ORDER
from pipelines.stages.parts import Layout

VIDEO_TYPES = frozenset(
    f"video/{name}"
    for name in (
        *("mp4", "m4v", "x-m4v", "quicktime", "3gpp", "3gpp2", "webm", "matroska", "x-matroska", "mpeg", "x-mpeg"),
        *("mpv", "mp2t", "ogg", "avi", "x-avi", "msvideo", "x-msvideo", "flv", "x-flv", "x-ms-wmv", "x-ms-asf"),
    )
) | {"application/mp4"}

ORDER = ("key", "id", "unit", "ordinal")
LAYOUT = Layout(
    "video",
    {
        "clips": ORDER,
        "films": ORDER,
        "bands": ("key", "id"),
        "stems": ("key", "id"),
        "transcripts": TRANSCRIPT_ORDER,
    },
    sums=("encoded_bytes", "expanded", "expanded_into"),
    media_types=VIDEO_TYPES | SIDECAR_TYPES,
)

SOURCE = pa.schema(
    [
        ("key", KEY),  # of the id
        ("id", ID),
        ("unit", pa.uint64()),
        ("ordinal", pa.int64()),
        ("uri", pa.string()),  # of a clip: the film's with the span behind it (W3C Media Fragments, t=)
        ("source", pa.string()),
        ("fetched_at", TIMESTAMP),
        ("digest", DIGEST),  # sha256 of the film as it came
        ("media_type", pa.string()),  # as declared
        ("policy", pa.string()),
    ]
)
MEMBER = pa.struct([("member", pa.string()), ("offset", pa.int64()), ("bytes", pa.int64()), ("sha256", DIGEST)])
FILM_ROW = pa.schema([*SOURCE, *FILM])
CLIP_ROW = pa.schema(
    [
        *SOURCE,
        ("parents", pa.list_(ID)),  # the film's id
        ("pack", pa.string()),
        ("members", pa.list_(MEMBER)),  # the clip's files, and where they stand in the pack
        *(field for field in CLIPS if field.name != "row"),
    ]
)

# key: of a name that a clip's film shares with texts (pipelines.stages.sidecars)
STEM = pa.schema([("key", KEY), ("id", ID), ("start_us", pa.int64()), ("end_us", pa.int64())])
CUE = pa.struct([("start_us", pa.int64()), ("end_us", pa.int64()), ("text", pa.string())])
# A text beside a film, by clip: of the whole film (cues null: a caption), or what it says in the clip.
TOLD = pa.schema(
    [
        ("key", KEY),
        ("id", ID),
        ("rank", pa.int8()),
        ("text", pa.string()),  # of a caption
        ("language", pa.string()),  # as stated, or null
        ("cues", pa.list_(CUE)),  # those that start in the clip
    ]
)
BAND = pa.schema([("key", KEY), ("id", ID)])
