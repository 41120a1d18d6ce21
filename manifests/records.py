"""The vocabulary of the project on one screen: the Arrow schema of every record that is stored.

Offsets inside stored batches are UTF-8 byte offsets into `text` until a shard is written; in published
documents they are code points. `key` is the first 8 bytes of the id, big-endian: ids are digests, so keys are
uniform, and any even cut of the key space cuts the records evenly.
"""

import pyarrow as pa

ID = pa.binary(16)
KEY = pa.uint64()
DIGEST = pa.binary(32)
TIMESTAMP = pa.timestamp("us", tz="UTC")

# A half-open piece [start, end) of a text.
RANGE = pa.struct([("start", pa.int32()), ("end", pa.int32())])

# An ordered piece of a document. Text, table and code parts cover [start, end) of the text; image, audio and
# video parts stand at start == end and name their bytes by uri (and later by digest). In a book, the uri of a part that
# covers text names the section it stands in: "book#path/of/chapter", "book.pdf#page=3" (filters.books).
PART = pa.struct(
    [
        ("kind", pa.string()),  # text | image | audio | video | table | code
        ("start", pa.int32()),
        ("end", pa.int32()),
        ("uri", pa.string()),
        ("alt", pa.string()),
    ]
)

# Machine-readable mark-up of the page, kept for later jobs: JSON-LD blocks and FAQ pairs as they stood, microdata as
# JSON, what a limit left out of these; and what a container (book, PDF, dump, WET record) says of itself, as JSON.
MARKUP = pa.struct([("kind", pa.string()), ("content", pa.string())])  # json_ld | faq | microdata | left_out | metadata

# One record as a source reads it, before any parser has seen it.
RAW = pa.schema(
    [
        ("uri", pa.string()),  # canonical: the record's own, or input-name:relative/path[#row]
        ("ordinal", pa.int64()),  # 0-based position among the unit's records
        ("offset", pa.int64()),  # byte offset in the input file, or -1
        (
            "media_type",
            pa.string(),
        ),  # as declared, lower case, without parameters; null where nothing is declared
        ("charset", pa.string()),  # as declared by the transport, or null
        ("fetched_at", TIMESTAMP),  # from the input, or null
        ("policy", pa.string()),  # raw owner's signals (X-Robots-Tag lines joined by newline), or null
        ("language", pa.string()),  # as stated by the input, e.g. WARC-Identified-Content-Language, or null
        ("digest", DIGEST),  # sha256 of payload
        ("payload", pa.large_binary()),
    ]
)

PROVENANCE = [
    ("id", ID),
    ("uri", pa.string()),
    ("source", pa.string()),  # the input's name in the recipe
    ("fetched_at", TIMESTAMP),
    ("digest", DIGEST),  # sha256 of the payload that was parsed
    ("media_type", pa.string()),
    ("language", pa.string()),  # ISO 639 code of the model, "und" where the text holds no letters
    ("language_score", pa.float32()),  # [0, 1]
    ("license", pa.string()),  # as stated by the record, or null
    ("policy", pa.string()),  # the owner's signals, raw
]

# An extracted document as it is staged: one row of a run, sorted by key.
STAGED_DOCUMENT = pa.schema(
    [
        ("key", KEY),
        *PROVENANCE,
        ("unit", pa.uint64()),  # Unit.key: names the unit in every plan
        ("ordinal", pa.int64()),
        ("title", pa.string()),
        ("text", pa.string()),
        ("parts", pa.list_(PART)),
        ("markup", pa.list_(MARKUP)),
        ("kept", pa.list_(RANGE)),  # the view that edits leave, in bytes of text
    ]
)

# Why a record is not in the corpus.
QUARANTINED = pa.schema(
    [
        ("uri", pa.string()),
        ("source", pa.string()),
        ("unit", pa.uint64()),
        ("ordinal", pa.int64()),
        ("offset", pa.int64()),
        ("reason", pa.string()),  # manifests.reasons.Quarantine
        ("detail", pa.string()),  # at most 512 bytes, no input bytes
        ("limit", pa.string()),  # name of the limit that was hit, or null
        ("limit_value", pa.int64()),
        ("observed", pa.int64()),
        ("bytes", pa.int64()),
        ("digest", DIGEST),  # sha256 of what we had, or null
    ]
)


def document_schema(signals: pa.Schema) -> pa.Schema:
    """Schema of a published document; `signals` are the recipe's measured columns, without key and id.

    `parts` offsets are code points of the published text (the view after edits).
    """
    return pa.schema(
        [
            *PROVENANCE,
            ("cluster_size", pa.int32()),  # records that it stands for, itself counted: 1 where none is merged into it
            ("title", pa.string()),
            ("text", pa.string()),
            ("parts", pa.list_(PART)),
            ("markup", pa.list_(MARKUP)),
            ("signals", pa.struct(list(signals))),
        ]
    )


def dropped_schema(signals: pa.Schema) -> pa.Schema:
    """Schema of a record that a rule dropped or deduplication merged into another."""
    return pa.schema(
        [
            *PROVENANCE,
            ("unit", pa.uint64()),
            ("ordinal", pa.int64()),
            ("title", pa.string()),
            ("verdict", pa.string()),  # dropped | merged | refused
            ("reason", pa.string()),  # the first rule that objects, or the deduplication rule
            ("reasons", pa.list_(pa.string())),  # every rule that objects
            ("kept_id", ID),  # merged: the record that stays in its place
            ("kept_in", pa.string()),  # merged: digest of the snapshot that keeps it, null where it is this one
            ("similarity", pa.float64()),  # merged: Jaccard of the shingles, 1.0 for equal texts
            ("text", pa.string()),  # of a sample chosen by a keyed hash of the id; else null
            ("signals", pa.struct(list(signals))),
        ]
    )
