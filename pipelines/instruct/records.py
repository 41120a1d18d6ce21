"""The rows of the instruct job on one screen. Structures travel as JSON; keys are what rows meet under."""

import pyarrow as pa

from manifests.records import DIGEST, ID, KEY, RANGE

JOB = "instruct"
KIND = "conversations"  # of published records

STATEMENT = pa.schema(
    [
        ("key", KEY),  # of the subject
        ("subject_key", pa.string()),
        ("relation", pa.string()),
        ("as_of", pa.string()),  # of a relation that varies with time, or null
        ("value_key", pa.string()),
        ("id", ID),  # of the document
        ("told", pa.string()),  # filters.instruct.facts.Told as JSON
    ]
)
STATEMENT_ORDER = ("key", "subject_key", "relation", "as_of", "value_key", "id", "told")
PASSAGE = pa.schema(
    [
        ("key", KEY),  # of what passages meet under: a word of the title, or a bucket of the language
        ("bucket", pa.bool_()),
        ("spelt", pa.string()),  # what an abbreviation stands for, where that is what they meet under; else ""
        ("lot", pa.uint64()),  # by which passages of a key are chosen
        ("id", ID),
        ("cluster", pa.string()),
        ("passage", pa.string()),  # filters.instruct.record.Passage as JSON
    ]
)
PASSAGE_ORDER = ("key", "lot", "id", "passage")
NEAR = pa.schema([("key", KEY), ("id", ID), ("bucket", pa.bool_()), ("lot", pa.uint64()), ("passage", pa.string())])
NEAR_ORDER = ("key", "id", "bucket", "lot", "passage")
FACT = pa.schema([("key", KEY), ("subject_key", pa.string()), ("relation", pa.string()), ("fact", pa.string())])
FACT_ORDER = ("key", "subject_key", "relation", "fact")
CONCERNS = pa.schema([("key", KEY), ("id", ID), ("fact", pa.string())])  # facts by the documents that state them
CONCERNS_ORDER = ("key", "id", "fact")
_WORDS = [(name, pa.string()) for name in ("behaviour", "task", "lang", "template")]
CANDIDATE = pa.schema(
    [
        ("key", KEY),  # of what the answerable twin says: what says the same meets
        ("group", ID),  # the answerable twin's id; a hedge stands with its twin
        ("id", ID),
        ("unit", pa.uint64()),  # shard that it was made of
        *_WORDS,
        ("reason", pa.string()),  # of a hedge, else ""
        ("is_pair", pa.bool_()),  # with kind and change: filters.instruct.balance.Stratum
        ("kind", pa.string()),
        ("change", pa.string()),
        ("lot", pa.uint64()),  # by which it stays; a hedge and its twin have one
        ("split", pa.string()),
        ("said", ID),  # digest of all that is said in it
    ]
)
CANDIDATE_ORDER = ("key", "group", "id", "unit")
BODY = pa.schema([("key", KEY), ("id", ID), ("of", KEY), ("body", pa.string())])  # a candidate's line; of: its key
BODY_ORDER = ("key", "id")
# What candidates are about: of training each entity once a part, of held-out ones each with the candidate's key and id.
ENTITY = pa.schema([("key", KEY), ("is_training", pa.bool_()), ("of", KEY), ("id", ID)])
ENTITY_ORDER = ("key", "is_training", "of", "id")
MARKED = pa.schema([("key", KEY), ("id", ID), ("why", pa.string())])  # candidates that can't stay, by their key
MARKED_ORDER = ("key", "id", "why")
CHOSEN = pa.schema([("key", KEY), ("id", ID)])
REJECT = pa.schema(
    [
        ("key", KEY),
        ("id", ID),
        ("unit", pa.uint64()),
        ("stage", pa.string()),  # manifests.reasons.CandidateStage
        ("reason", pa.string()),  # CandidateFault, CandidateLeftOut, CandidateRefused, or the name of an evaluation set
        *_WORDS,
        ("hedge_reason", pa.string()),
        ("body", pa.string()),  # of a sample by hash; else null
    ]
)
REJECT_ORDER = ("key", "id", "unit", "stage", "reason")
# A caption or transcript: the stored text that evidence of media counts in.
SOURCE = pa.schema(
    [
        ("id", ID),  # of the media record
        ("job", pa.string()),
        ("uri", pa.string()),
        ("modality", pa.string()),
        ("language", pa.string()),
        ("licence", pa.string()),
        ("text", pa.string()),
        ("text_sha256", DIGEST),
        ("title", pa.string()),
        ("fetched_at", pa.string()),
        ("mentions", pa.list_(pa.string())),
        ("cues", pa.list_(pa.struct([*RANGE, ("t0_ms", pa.int64()), ("t1_ms", pa.int64())]))),
    ]
)
