"""The rows that deduplication passes on from phase to phase."""

import pyarrow as pa

from manifests.records import ID, KEY

BAND = pa.schema([("key", KEY), ("id", ID)])
ROUTED = pa.schema(
    [
        ("key", KEY),  # of the label
        ("label", ID),
        ("id", ID),
        ("other", pa.int16()),  # number of the other snapshot that keeps it; -1: a record of this job
        ("copies", pa.int32()),  # records of this id that no rule dropped, at least 1
        ("digest", ID),  # of the view
        ("preference", pa.int64()),  # who stays: the highest
        ("rank", pa.int64()),  # words of the view: among equals the longest stays
        ("shingles", pa.list_(pa.uint64())),  # sorted, unique
    ]
)
MERGED = pa.schema([("key", KEY), ("id", ID), ("kept_id", ID), ("reason", pa.string()), ("similarity", pa.float64())])
MERGED_TEXT = pa.schema([*MERGED, ("kept_in", pa.string())])  # digest of the snapshot that keeps it, null: this one
STANDS_FOR = pa.schema([("key", KEY), ("id", ID), ("records", pa.int64())])  # merged into it, those of one id counted
