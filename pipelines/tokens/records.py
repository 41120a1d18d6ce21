"""The rows of the encode job on one screen."""

import pyarrow as pa

from manifests.records import ID, KEY
from pipelines.stages.parts import Layout

JOB = "tokens"
ORDER = ("key", "id", "corpus", "unit", "ordinal")
LAYOUT = Layout(JOB, {"tokens": ORDER})

GROUP = [("source", pa.string()), ("language", pa.string()), ("kind", pa.string())]  # tokenizer.groups.Group
DOCUMENT = [
    ("id", ID),  # of the record in its own job
    ("corpus", pa.string()),  # pipelines.tokens.block.CorpusName
    *GROUP,
    ("bytes", pa.int64()),  # UTF-8, of all its text
    ("cut_tokens", pa.int64()),  # that over_long: cut took away
]
MASK = pa.list_(pa.uint8())  # 1 is learnt; null where all is
# Published, a row a document: where its tokens stand in Megatron's files, and in Parquet the tokens themselves.
PLACE = [
    ("token_count", pa.int64()),
    ("learnt_token_count", pa.int64()),
    ("lengths", pa.list_(pa.int32())),  # of its sequences
    ("prefix", pa.string()),  # of the `.bin` and `.idx` that hold it, null where there are none
    ("sequence", pa.int64()),  # number of its first sequence there
]
DROPPED = pa.schema(
    [
        *DOCUMENT,
        ("unit", pa.uint64()),
        ("ordinal", pa.int64()),
        ("token_count", pa.int64()),
        ("verdict", pa.string()),
        ("reason", pa.string()),
    ]
)


def ids_type(width: int) -> pa.DataType:
    """Return the type of a document's tokens, each of so many bytes."""
    return pa.list_(pa.uint16() if width == 2 else pa.int32())


def staged_schema(width: int) -> pa.Schema:
    """Return the columns of a document and its tokens, each of so many bytes."""
    return pa.schema(
        [
            ("key", KEY),
            *DOCUMENT,
            ("unit", pa.uint64()),
            ("ordinal", pa.int64()),  # row of the shard that it was read from
            ("reason", pa.string()),  # why it is dropped, null where it is kept
            ("token_count", pa.int64()),
            ("ids", ids_type(width)),  # null where it is dropped
            ("mask", MASK),
        ]
    )


def token_schema(width: int | None) -> pa.Schema:
    """Return the columns of a published shard; `width` is the bytes of a token, None where tokens stand elsewhere."""
    if width is None:
        return pa.schema([*DOCUMENT, *PLACE])
    return pa.schema([*DOCUMENT, *PLACE, ("ids", ids_type(width)), ("mask", MASK)])
