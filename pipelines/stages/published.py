"""What media jobs publish: rows with verdicts, their accounts, samples out of packs, and why the others are gone."""

import hashlib
import json
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from filters.clusters import id_words
from filters.rules import Rule, Verdicts, judge, reasons
from manifests.integrity import IntegrityError, Problem
from manifests.reasons import Merged
from manifests.shards import Shard, write_shard
from manifests.store import Store
from manifests.tar_shards import Sample, write_tar_shard
from pipelines.stages.judges import repeated

ROWS_AT_ONCE = 256  # whose payloads are read one behind the other


class Judged:
    """Rows of media with what the rules say of them. `rows` stands by id; `signals` holds the columns of the rules."""

    def __init__(self, rows: pa.Table, signals: pa.RecordBatch, rules: Sequence[Rule], language: pa.Array) -> None:
        self.rows, self.signals, self.rules = rows, signals, rules
        self.verdicts: Verdicts = judge(rules, signals, language)
        self.said = reasons(rules, self.verdicts, signals, language).to_pylist()
        alive = self.verdicts.first < 0
        self.repeated = repeated(id_words(rows["id"]), alive)
        self.stays = alive & ~self.repeated

    def failed_rules(self) -> list[list[str]]:
        """Return the names of all rules that each row fails."""
        names = [rule.name for rule in self.rules]
        return [[names[i] for i in range(len(names)) if bits >> i & 1] for bits in self.verdicts.failed.tolist()]


class Decided:
    """The verdicts of judged rows after deduplication, all in one order. merged: rows of pipelines.text's MERGED."""

    def __init__(self, judged: Judged, merged: pa.Table) -> None:
        self.judged, ids = judged, judged.rows["id"]
        merge = merged.take(pc.index_in(ids, merged["id"].combine_chunks()).combine_chunks())
        near = np.array([*merge["reason"].to_pylist(), None], object)[:-1]
        dropped, clustered = judged.verdicts.first >= 0, near != None  # noqa: E711  (an array)
        self.verdict = np.select([dropped, judged.repeated | clustered], ["dropped", "merged"], "kept")
        said = np.array([*judged.said, None], object)[:-1]
        self.reason = np.where(dropped, said, np.where(judged.repeated, str(Merged.SAME_RECORD), near))
        is_merged = pa.array(self.verdict == "merged")
        kept = pc.coalesce(merge["kept_id"].combine_chunks(), ids.combine_chunks())
        self.kept_id = pc.if_else(is_merged, kept, pa.scalar(None, kept.type))
        likeness = pc.coalesce(merge["similarity"].combine_chunks(), pa.scalar(1.0))
        self.similarity = pc.if_else(is_merged, likeness, pa.scalar(None, pa.float64()))

    @property
    def is_kept(self) -> np.ndarray:
        """Return bool[rows]."""
        return np.asarray(self.verdict == "kept", bool)

    def accounts(self) -> dict[str, dict[str, int]]:
        """Return {unit key: {"verdict/reason": rows}}."""
        out: dict[str, Counter[str]] = defaultdict(Counter)
        units = self.judged.rows["unit"].to_pylist()
        for unit, verdict, reason in zip(units, self.verdict.tolist(), self.reason.tolist(), strict=True):
            out[str(unit)][verdict if verdict == "kept" else f"{verdict}/{reason}"] += 1
        return {unit: dict(sorted(counts.items())) for unit, counts in sorted(out.items())}

    def counts(self) -> dict[str, int]:
        """Return the rows of each verdict."""
        return {str(verdict): count for verdict, count in sorted(Counter(self.verdict.tolist()).items())}

    def gone(self, store: Store, stem: str, told: pa.Table) -> Iterator[Shard]:
        """Write what is dropped or merged, with the reasons; `told` are the published columns of all rows."""
        chosen = np.flatnonzero(~self.is_kept)
        if not len(chosen):
            return
        table = told.take(pa.array(chosen))
        for name, column in self.fate_columns(chosen).items():
            table = table.append_column(name, column)
        yield write_shard(store, stem, "dropped", table)

    def fate(self, chosen: np.ndarray) -> list[dict[str, Any]]:
        """Return {verdict, reason, reasons, kept_id, similarity} of the chosen rows (int64[n])."""
        rows: list[dict[str, Any]] = pa.table(self.fate_columns(chosen)).to_pylist()
        return rows

    def fate_columns(self, chosen: np.ndarray) -> dict[str, pa.Array]:
        """Return the same as columns."""
        places = pa.array(chosen)
        return {
            "verdict": pa.array(self.verdict[chosen].tolist(), pa.string()),
            "reason": pa.array(self.reason[chosen].tolist(), pa.string()),
            "reasons": pa.array(self.judged.failed_rules(), pa.list_(pa.string())).take(places),
            "kept_id": self.kept_id.take(places),
            "similarity": self.similarity.take(places),
        }


def stem_of_range(shard: int, shards: int) -> str:
    """Return what the files of a range are called in each folder of the job."""
    return f"part-{shard:05d}-of-{shards:05d}"


def write_kept(store: Store, job: str, stem: str, table: pa.Table, samples: Iterable[Sample]) -> Iterator[Shard]:
    """Write what is kept: a tar of the samples, its index, and `table`, the same records; nothing if it is empty."""
    if not table.num_rows:
        return
    with tempfile.TemporaryDirectory(prefix="corpusmill-") as scratch:
        yield from write_tar_shard(store, f"{job}/data/{stem}", job, samples, Path(scratch) / "tar")
    yield write_shard(store, f"{job}/records/{stem}", "records", table)


def write_rows(store: Store, job: str, stem: str, kind: str, table: pa.Table) -> Iterator[Shard]:
    """Write a shard of a kind, which is its folder's name too, unless it is empty."""
    if table.num_rows:
        yield write_shard(store, f"{job}/{kind}/{stem}", kind, table)


def marker_of(published: Iterable[Shard], decided: Decided, statistics: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the marker of a written range says."""
    return {
        "shards": [each.as_json() for each in published],
        "accounts": decided.accounts(),
        "statistics": statistics,
        "counts": decided.counts(),
    }


def paired(table: pa.Table, places: pa.Table) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield (row, place) of two tables of one order as Python's values, few at a time."""
    for start in range(0, table.num_rows, ROWS_AT_ONCE):
        some = (each.slice(start, ROWS_AT_ONCE).to_pylist() for each in (table, places))
        yield from zip(*some, strict=True)


def read_packed(store: Store, pack: str, offset: int, size: int, sha256: bytes) -> bytes:
    """Return a payload out of a pack; raises IntegrityError where its sha256 is another."""
    content = store.read_range(pack, offset, size)
    if (found := hashlib.sha256(content).digest()) != sha256:
        raise IntegrityError(Problem(pack, f"sha256 of {size} bytes at {offset}", sha256.hex(), found.hex()))
    return content


def row_json(row: Mapping[str, Any]) -> bytes:
    """Return a published row as a sample's `json`: digests and ids in hex, times in ISO 8601."""
    return json.dumps(_plain(row), ensure_ascii=False, sort_keys=True, allow_nan=False).encode()


def _plain(value: Any) -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value.isoformat() if isinstance(value, datetime) else value
