"""The rows of the audio job on one screen. Bytes move once, into packs; rows hold where they stand."""

import pyarrow as pa

from filters.audio.child import RECORDS
from manifests.records import DIGEST, ID, KEY, TIMESTAMP
from pipelines.sources.warc import WARC_FIELDS
from pipelines.stages.parts import Layout

_NAMES = """mpeg mp3 mp4 x-m4a m4a aac x-aac flac x-flac ogg opus vorbis wav x-wav wave vnd.wave webm basic gsm x-gsm
g722 aiff x-aiff amr x-caf x-matroska x-ms-wma"""
AUDIO_TYPES = frozenset(f"audio/{name}" for name in _NAMES.split()) | {"application/ogg"}
SUBTITLE_TYPES = frozenset({"application/x-subrip", "text/vtt"})
SIDECAR_TYPES = frozenset({"text/plain", "application/json", WARC_FIELDS}) | SUBTITLE_TYPES

ORDER = ("key", "id", "unit", "ordinal")
SAID = pa.struct(  # a piece of a transcript; times count from the start of the sound that it belongs to
    [("start_s", pa.float64()), ("end_s", pa.float64()), ("text", pa.string()), ("language", pa.string())]
)
# A text beside sounds. Of one stem the smallest rank counts: timed ones before those of a whole file.
TRANSCRIPT = pa.schema(
    [
        ("key", KEY),
        ("rank", pa.int8()),
        ("text", pa.string()),
        ("language", pa.string()),  # as stated, or null
        ("kind", pa.string()),  # subtitles | json | text | table | crawl: where it comes from
        ("cues", pa.list_(SAID)),  # by time; null where nothing is timed
    ]
)
TRANSCRIPT_ORDER = ("key", "rank", "text", "language")
JOINED = pa.schema([("key", KEY), ("id", ID), *list(TRANSCRIPT)[1:]])
BAND = pa.schema([("key", KEY), ("id", ID)])
LAYOUT = Layout(
    "audio",
    {
        "audio": ORDER,
        "bands": ("key", "id"),
        "stems": ("key", "id"),
        "transcripts": TRANSCRIPT_ORDER,
    },
    sums=("encoded_bytes", "expanded", "expanded_into"),
    media_types=AUDIO_TYPES | SIDECAR_TYPES,
)

NOT_STAGED = frozenset({"row", "part", "sha256", "band_keys"})
MEASURED = [field for field in RECORDS if field.name not in NOT_STAGED]
# A segment, or a file of which nothing was made, and where its bytes stand.
STAGED = pa.schema(
    [
        ("key", KEY),  # of the id
        ("id", ID),
        ("unit", pa.uint64()),
        ("ordinal", pa.int64()),
        ("uri", pa.string()),  # of a segment: the file's with the span behind it (W3C Media Fragments, t=)
        ("source", pa.string()),
        ("fetched_at", TIMESTAMP),
        ("digest", DIGEST),  # sha256 of the file as it came
        ("media_type", pa.string()),  # as declared
        ("policy", pa.string()),
        ("parents", pa.list_(ID)),  # the file's id, where this is a piece of it
        ("pack", pa.string()),
        ("offset", pa.int64()),  # in the pack, of stored_bytes bytes; null where there is no payload
        ("stored_bytes", pa.int64()),
        ("stored_sha256", DIGEST),
        ("stored_media_type", pa.string()),
        ("mel_offset", pa.int64()),
        ("mel_bytes", pa.int64()),
        ("mel_sha256", DIGEST),
        ("segments", pa.int32()),  # records that the file came to
        ("file_duration_s", pa.float64()),
        ("source_bytes", pa.int64()),
        ("damaged_packets", pa.int32()),
        *MEASURED,
    ]
)
