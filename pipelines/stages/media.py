"""What the media jobs share while they stage: what is refused, what fails, and the packs in which bytes wait."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from filters import policy
from filters.guard import Failure
from manifests.keys import keys_of, record_ids
from manifests.reasons import Refused
from manifests.runs import put_same
from manifests.store import Store
from pipelines.stages.parts import STAGED_REFUSED, Rows


class Pack:
    """Encoded payloads one behind the other; stored under a name of its content."""

    def __init__(self) -> None:
        self.payloads: list[bytes] = []
        self.bytes = 0

    def add(self, payloads: pa.Array) -> np.ndarray:
        """Add payloads (large_binary, none null); return the offset of each, int64[n]."""
        sizes = np.array([payload.as_buffer().size for payload in payloads], np.int64)
        offsets = self.bytes + np.cumsum(sizes) - sizes
        self.payloads += [payload.as_buffer().to_pybytes() for payload in payloads]
        self.bytes += int(sizes.sum())
        return offsets

    def store(self, store: Store, job: str) -> str:
        """Store the pack, unless it is empty, and return its name."""
        body = b"".join(self.payloads)
        name = f"{job}/packs/{hashlib.sha256(body).hexdigest()[:32]}.pack"
        if body:
            put_same(store, name, body)
        return name


def allowed(rows: Rows, batch: pa.RecordBatch, refuse: Collection[Refused], medium: str) -> pa.RecordBatch:
    """Return the records that their owners don't refuse; the others go to `rows` before anything looks at them."""
    said = [policy.directives(lines.split("\n")) if lines else () for lines in batch["policy"].to_pylist()]
    refusals = [policy.refusal(words, frozenset(refuse), medium) for words in said]
    gone = np.array([refusal is not None for refusal in refusals], bool)
    if gone.any():
        _refuse(rows, batch.filter(pa.array(gone)), [str(each) for each in refusals if each])
    return batch.filter(pa.array(~gone))


def _refuse(rows: Rows, batch: pa.RecordBatch, reasons: Sequence[str]) -> None:
    ids, count = record_ids(batch["uri"].to_pylist(), batch["digest"].to_pylist()), batch.num_rows
    given = {name: batch[name] for name in ("uri", "fetched_at", "digest", "media_type", "policy", "ordinal")}
    columns = {
        **given,
        "key": keys_of(ids),
        "id": ids,
        "source": [rows.unit.source] * count,
        "unit": [rows.unit_key] * count,
        "reason": list(reasons),
    }
    made = {
        field.name: pa.array(columns[field.name], field.type) if field.name in columns else pa.nulls(count, field.type)
        for field in STAGED_REFUSED
    }
    rows.add("refused", pa.table(made, schema=STAGED_REFUSED))


def crashed(batch: pa.RecordBatch, failures: Sequence[Failure]) -> list[dict[str, Any]]:
    """Return the quarantine rows of media that their decoder's process could not survive."""
    told = {"limit": None, "limit_value": None, "observed": None}
    return [{**_where(batch, each.row), **told, "reason": str(each.reason), "detail": each.detail} for each in failures]


def failed(given: pa.RecordBatch, rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Return the quarantine rows of media that their decoder refused: {row, reason, detail, limit, observed} each.

    `limit` is its name, or its value.
    """
    return [
        {
            **_where(given, row["row"]),
            "reason": row["reason"],
            "detail": row["detail"],
            "limit": row["limit"] if isinstance(row["limit"], str) else None,
            "limit_value": None if isinstance(row["limit"], str) else row["limit"],
            "observed": row["observed"],
        }
        for row in rows
    ]


def _where(batch: pa.RecordBatch, row: int) -> dict[str, Any]:
    found = batch.slice(row, 1)
    size = found["payload"][0].as_buffer().size
    return {**{name: found[name][0].as_py() for name in ("uri", "ordinal", "offset", "digest")}, "bytes": size}
