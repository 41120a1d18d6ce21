"""A record as it is written: the canonical JSON that names it, its line, and its row in Parquet."""

import hashlib
import json
from typing import Any

import pyarrow as pa

from filters.instruct.record import SCHEMA_NAME, Candidate, Hedge
from manifests.keys import canonical_json
from manifests.records import ID


def body_json(
    candidate: Candidate, split_key: str, licence_out: str | None, pipeline: str = "", contrast_id: str | None = None
) -> dict[str, Any]:
    """Return the canonical JSON object without `id` and `split`, to be written; it shares parts with the candidate.

    pipeline, contrast_id: what stands in the candidate's place of the same name, where they are given.
    """
    corroboration, hedge = candidate.corroboration, candidate.hedge
    return {
        "schema": SCHEMA_NAME,
        "behaviour": candidate.behaviour,
        "task": candidate.task,
        "lang": candidate.lang,
        "messages": [vars(each) for each in candidate.messages],
        "answer": vars(candidate.answer),
        "evidence": [vars(e) if e.cell is None else {**vars(e), "cell": vars(e.cell)} for e in candidate.evidence],
        "citations": [vars(each) for each in candidate.citations],
        "corroboration": None if corroboration is None else vars(corroboration),
        "hedge": None if hedge is None else _hedge_json(hedge, contrast_id),
        "verify": [vars(each) for each in candidate.verify],
        "gen": {**vars(candidate.gen), "pipeline": pipeline} if pipeline else vars(candidate.gen),
        "split_key": split_key,
        "licence_out": licence_out,
    }


def _hedge_json(hedge: Hedge, contrast_id: str | None) -> dict[str, Any]:
    edit = hedge.edit
    named = None if edit is None else {"kind": edit.kind, "from": edit.before, "to": edit.after}
    return {**vars(hedge), "edit": named, "contrast_id": contrast_id or hedge.contrast_id}


def record_id(body: bytes) -> str:
    """Return the id of a record by the canonical JSON of `body_json`: blake2b-128, 32 hex digits."""
    return hashlib.blake2b(body, digest_size=16).hexdigest()


def line_of(body: bytes, id_: str, split: str) -> str:
    """Return the JSON line of a record: id and split, then the canonical body."""
    return f'{{"id":"{id_}","split":"{split}",{body[1:].decode()}'


def record_of(
    candidate: Candidate, split_key: str, licence_out: str | None, split: str = "train", **more: str
) -> tuple[str, str]:
    """Return (id, JSON line) of a record; more: what `body_json` takes besides."""
    body = canonical_json(body_json(candidate, split_key, licence_out, **more))
    id_ = record_id(body)
    return id_, line_of(body, id_, split)


def as_row(line: str) -> dict[str, Any]:
    """Return the row of SCHEMA that a JSON line stands for: the same, with the id as bytes."""
    row: dict[str, Any] = json.loads(line)
    return {**row, "id": bytes.fromhex(row["id"])}


_STRINGS = pa.list_(pa.string())
MESSAGE = pa.struct([("role", pa.string()), ("content", pa.string())])
CELL = pa.struct([("table", pa.string()), ("row", pa.int32()), ("column", pa.int32()), ("header", _STRINGS)])
EVIDENCE = pa.struct(
    [
        *((name, pa.string()) for name in ("doc_id", "text_sha256", "url", "domain", "licence", "modality")),
        ("start", pa.int32()),
        ("end", pa.int32()),
        ("quote", pa.string()),
        ("role", pa.string()),
        ("unit", pa.string()),
        ("bbox", pa.list_(pa.float64())),
        ("cell", CELL),
        ("t_ms", pa.list_(pa.int64())),
    ]
)
ANSWER = pa.struct(
    [
        ("text", pa.string()),
        ("type", pa.string()),
        ("value", pa.string()),
        ("aliases", _STRINGS),
        ("as_of", pa.string()),
    ]
)
CITATION = pa.struct([("answer_span", pa.list_(pa.int32())), ("evidence", pa.list_(pa.int32()))])
CORROBORATION = pa.struct(
    [
        ("n_domains", pa.int32()),
        ("n_dup_clusters", pa.int32()),
        ("agree", pa.float64()),
        ("conflicts", pa.int32()),
        ("method", pa.string()),
    ]
)
HEDGE = pa.struct(
    [
        *((name, pa.string()) for name in ("reason", "act", "plausible_wrong")),
        ("edit", pa.struct([("kind", pa.string()), ("from", pa.string()), ("to", pa.string())])),
        ("contrast_id", pa.string()),
    ]
)
CHECK = pa.struct(
    [
        ("check", pa.string()),
        ("tool", pa.string()),
        ("score", pa.float64()),
        ("verdict", pa.string()),
        ("at", pa.string()),
    ]
)
ORIGIN = pa.struct(
    [
        *((name, pa.string()) for name in ("mode", "template", "model", "prompt_sha256")),
        ("seed", pa.int64()),
        ("pipeline", pa.string()),
    ]
)
SCHEMA = pa.schema(
    [
        ("id", ID),
        *((name, pa.string()) for name in ("schema", "behaviour", "task", "lang")),
        ("messages", pa.list_(MESSAGE)),
        ("answer", ANSWER),
        ("evidence", pa.list_(EVIDENCE)),
        ("gen", ORIGIN),
        ("citations", pa.list_(CITATION)),
        ("corroboration", CORROBORATION),
        ("hedge", HEDGE),
        ("verify", pa.list_(CHECK)),
        *((name, pa.string()) for name in ("split_key", "licence_out", "split")),
    ]
)
