"""Write: each shard reads its key range from every run, applies the verdicts, and is published whole.

What is kept goes on as runs by repository too, for the pack phase.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from filters import views
from filters.code.imports import imports_of
from filters.code.issues import ISSUE
from filters.rules import Rule, Verdicts
from manifests.keys import key_range, sampled
from manifests.reasons import Merged
from manifests.records import ID, KEY, PROVENANCE, STAGED_DOCUMENT, document_schema, dropped_schema
from manifests.runs import gather, load_runs, write_run
from manifests.shards import write_shard
from manifests.store import Store
from pipelines.stages import judges
from pipelines.stages.duplicate_rows import MERGED, STANDS_FOR
from pipelines.stages.judges import one_batch
from pipelines.stages.staged import Staged
from pipelines.stages.statistics import shard_statistics
from pipelines.text.contamination import HIT
from pipelines.text.contamination import ORDER as HIT_ORDER
from pipelines.text.part import ORDER
from pipelines.text.select import DECIDED

WRITE_VERSION = 2
JOB = "code"
_NOT_SIGNALS = ("key", "id", "unit", "ordinal", "language", "language_score", "view_digest")
_SALT = 0x636F6465  # of the sample of dropped texts
FILE = pa.schema(
    [
        ("key", KEY),  # of the repository
        ("repository", pa.string()),
        ("path", pa.string()),
        ("id", ID),
        ("language", pa.string()),
        ("license", pa.string()),
        ("imports", pa.list_(pa.string())),
        ("text", pa.string()),
    ]
)
FILE_ORDER = ("key", "repository", "path", "id")


class WriteShard:
    """Worker of the write phase. config: {staged, decided, merged, stand_for, rules, sample, pack}, hits if asked."""

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        self.store, self.staged = store, Staged.load(store, config["staged"])
        self.decided = load_runs(store, config["decided"])
        self.merged, self.stand_for = load_runs(store, config["merged"]), load_runs(store, config["stand_for"])
        self.hits = load_runs(store, config["hits"]) if "hits" in config else []
        self.rules = judges.from_json(config["rules"])
        self.sample, self.packs = config["sample"], config["pack"]

    def close(self) -> None:
        """Nothing is held."""

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        shard, shards = arguments["shard"], arguments["shards"]
        stem = f"part-{shard:05d}-of-{shards:05d}"
        rows = self._rows(*key_range(shard, shards))
        kept = rows.verdict == "kept"
        published = [
            write_shard(self.store, f"{JOB}/{folder}/{stem}", kind, table)
            for folder, kind, table in (
                ("data", "documents", rows.published(kept)),
                ("dropped", "dropped", rows.removed(~kept, sampled(rows.keys, self.sample, _SALT))),
                ("contamination", "contamination", rows.contaminated()),
            )
            if table.num_rows
        ]
        files = rows.files(kept) if self.packs else FILE.empty_table()
        run = write_run(self.store, f"{JOB}/files/{stem}", files, FILE_ORDER)
        return {
            "shards": [each.as_json() for each in published],
            "run": run.as_json(),
            "accounts": rows.accounts(),
            "statistics": rows.statistics(),
            "counts": {str(verdict): n for verdict, n in sorted(Counter(rows.verdict.tolist()).items())},
        }

    def _rows(self, low: int, high: int) -> "Rows":
        documents = gather(self.store, self.staged.runs["documents"], STAGED_DOCUMENT, low, high, ORDER)
        schema = self.staged.signal_schema(self.store)
        signals = gather(self.store, self.staged.runs["signals"], schema, low, high, ORDER)
        decided = gather(self.store, self.decided, DECIDED, low, high, ORDER)
        for table in (signals, decided):
            if not table.select(["id", "ordinal"]).equals(documents.select(["id", "ordinal"])):
                raise RuntimeError("runs of documents, signals and decisions do not hold the same records")
        merged = gather(self.store, self.merged, MERGED, low, high, ("key", "id"))
        hits = gather(self.store, self.hits, HIT, low, high, HIT_ORDER)
        stand_for = gather(self.store, self.stand_for, STANDS_FOR, low, high, ("key", "id"))
        return Rows(documents, signals, decided, merged, Late(hits, stand_for), self.rules)


class Late(NamedTuple):
    """What later phases found in a shard's range: items of evaluation sets, how many records each stands for."""

    hits: pa.Table
    stand_for: pa.Table


class Rows:
    """The files of a shard's range with their verdicts, all in one order."""

    def __init__(
        self,
        documents: pa.Table,
        signals: pa.Table,
        decided: pa.Table,
        merged: pa.Table,
        late: Late,
        rules: Sequence[Rule],
    ) -> None:
        self.documents, self.signals, self.decided, self.rules, self.hits = (
            documents,
            signals,
            decided,
            rules,
            late.hits,
        )
        self.stand_for = late.stand_for
        self.keys = documents["key"].to_numpy()
        self.merge = merged.take(_places(documents["id"], merged["id"]))  # null rows where nothing is merged
        first = decided["first"].to_numpy()
        objection = judges.first_reasons(rules, Verdicts(first, decided["failed"].to_numpy()), one_batch(signals))
        near = np.array([*self.merge["reason"].to_pylist(), None], object)[:-1]
        repeated, clustered = decided["repeated"].to_numpy(), np.array([each is not None for each in near], bool)
        self.verdict = np.select([first >= 0, repeated | clustered], ["dropped", "merged"], "kept")
        self.reason = np.where(first >= 0, objection, np.where(repeated, str(Merged.SAME_RECORD), near))
        self._decontaminate()

    def _decontaminate(self) -> None:
        """Drop what holds items of an evaluation set; the first set by name is the reason."""
        first = self.hits.group_by("id", use_threads=False).aggregate([("evaluation_set", "min")])
        sets = first["evaluation_set_min"].take(_places(self.documents["id"], first["id"])).to_pylist()
        hit = (self.verdict == "kept") & np.array([name is not None for name in sets], bool)
        self.verdict[hit] = "dropped"
        self.reason[hit] = [f"decontamination_v1/{name}" for name, is_hit in zip(sets, hit, strict=True) if is_hit]

    def contaminated(self) -> pa.Table:
        """Return which files held which items, of those that were dropped for it."""
        at = _places(self.hits["id"], self.documents["id"])
        told = {name: self.hits[name] for name in ("evaluation_set", "item", "shared_gram_count")}
        return pa.table({"id": self.hits["id"], "uri": self.documents["uri"].take(at), **told})

    def accounts(self) -> dict[str, dict[str, int]]:
        """Return {unit key: {"verdict/reason": files}}."""
        out: dict[str, Counter[str]] = defaultdict(Counter)
        units = self.documents["unit"].to_pylist()
        for unit, verdict, reason in zip(units, self.verdict.tolist(), self.reason.tolist(), strict=True):
            out[str(unit)][verdict if verdict == "kept" else f"{verdict}/{reason}"] += 1
        return {unit: dict(sorted(counts.items())) for unit, counts in sorted(out.items())}

    def statistics(self) -> dict[str, Any]:
        """Return the statistics of a text shard, and files and bytes by licence and by class of licence."""
        names = [name or "none" for name in self.documents["license"].to_pylist()]
        classes, sizes = self.signals["license_class"].to_pylist(), self.signals["view_bytes"].to_pylist()
        licenses: dict[str, Counter[str]] = defaultdict(Counter)
        by_class: dict[str, Counter[str]] = defaultdict(Counter)
        for name, kind, verdict, size in zip(names, classes, self.verdict.tolist(), sizes, strict=True):
            for counts in (licenses[name], by_class[kind]):
                counts.update({verdict: 1, f"{verdict}_bytes": size})
        masked = {f"{name}_count": self._masked(f"{name}_count") for name in ("secret", "email", "ip", "name")}
        return {
            **shard_statistics(self.documents, self.signals, self.decided, self.verdict, self.rules),
            "licenses": {name: dict(sorted(counts.items())) for name, counts in sorted(licenses.items())},
            "license_classes": {name: dict(sorted(counts.items())) for name, counts in sorted(by_class.items())},
            "masked": masked,
        }

    def _masked(self, name: str) -> int:
        return int(self.signals[name].to_numpy()[self.verdict == "kept"].sum())

    def _signals(self, chosen: np.ndarray) -> tuple[list[pa.Field], pa.StructArray]:
        table = self.signals.filter(pa.array(chosen))
        fields = [each for each in table.schema if each.name not in _NOT_SIGNALS]
        return fields, pa.StructArray.from_arrays([table[f.name].combine_chunks() for f in fields], fields=fields)

    def published(self, chosen: np.ndarray) -> pa.Table:
        """Return the kept files as they are published: offsets of parts in code points."""
        table = self.documents.filter(pa.array(chosen))
        fields, signals = self._signals(chosen)
        text, view = table["text"].combine_chunks(), table["kept"].combine_chunks()
        columns = {name: table[name] for name in (*(n for n, _ in PROVENANCE), "title", "markup", "text")}
        columns["parts"] = views.parts_of_view(text, view, table["parts"].combine_chunks())
        columns["cluster_size"] = self._cluster_sizes(table["id"].combine_chunks())
        schema = document_schema(pa.schema(fields))
        return pa.table({f.name: columns.get(f.name, signals) for f in schema}, schema=schema)

    def _cluster_sizes(self, ids: pa.Array) -> pa.Array:
        """Return how many records each kept one stands for: those of its own id, and those merged into it."""
        copies = self.decided.filter(pc.less(self.decided["first"], 0))["id"].combine_chunks().value_counts()
        own = copies.field("counts").take(pc.index_in(ids, copies.field("values")))
        at = pc.index_in(ids, self.stand_for["id"].combine_chunks())
        return pc.add(own, self.stand_for["records"].combine_chunks().take(at).fill_null(0)).cast(pa.int32())

    def removed(self, chosen: np.ndarray, with_text: np.ndarray) -> pa.Table:
        """Return what is not in the corpus and why; text of a sample only."""
        mask = pa.array(chosen)
        table, merge = self.documents.filter(mask), self.merge.filter(mask)
        fields, signals = self._signals(chosen)
        named = [rule.name for rule in self.rules]
        failed = self.decided["failed"].to_numpy()[chosen].tolist()
        reasons = [[named[i] for i in range(len(named)) if bits >> i & 1] for bits in failed]
        merged = pa.array(self.verdict[chosen] == "merged")
        # a copy of the same record stays in the place of this one, unless it is itself merged into another
        kept_id = pc.coalesce(merge["kept_id"], table["id"])
        similarity = pc.coalesce(merge["similarity"], pa.scalar(1.0))
        columns: dict[str, Any] = {
            name: table[name] for name in (*(n for n, _ in PROVENANCE), "unit", "ordinal", "title")
        }
        columns |= {
            "verdict": pa.array(self.verdict[chosen].tolist(), pa.string()),
            "reason": pa.array(self.reason[chosen].tolist(), pa.string()),
            "reasons": pa.array(reasons, pa.list_(pa.string())),
            "kept_id": pc.if_else(merged, kept_id, pa.scalar(None, kept_id.type)),
            "similarity": pc.if_else(merged, similarity, pa.scalar(None, pa.float64())),
            "kept_in": pa.nulls(table.num_rows, pa.string()),
            "text": pc.if_else(pa.array(with_text[chosen]), table["text"], pa.scalar(None, pa.string())),
            "signals": signals,
        }
        schema = dropped_schema(pa.schema(fields))
        return pa.table({f.name: columns[f.name] for f in schema}, schema=schema)

    def files(self, chosen: np.ndarray) -> pa.Table:
        """Return the kept files as the pack phase reads them, by repository; issues are no files of it."""
        mask = pc.and_(pa.array(chosen), pc.not_equal(self.documents["language"], ISSUE).combine_chunks())
        table, signals = self.documents.filter(mask), self.signals.filter(mask)
        names, texts, languages = (
            column.to_pylist() for column in (signals["repository"], table["text"], table["language"])
        )
        columns = {name: table[name] for name in ("id", "language", "license", "text")}
        columns |= {
            "key": pa.array([repository_key(name) for name in names], KEY),
            "repository": signals["repository"],
            "path": signals["path"],
            "imports": pa.array(
                [imports_of(text, name) for text, name in zip(texts, languages, strict=True)], pa.list_(pa.string())
            ),
        }
        return pa.table({name: columns[name] for name in FILE.names}, schema=FILE)


def repository_key(name: str) -> int:
    """Return the key under which a repository's files meet."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:8])


def _places(wanted: pa.ChunkedArray, ids: pa.ChunkedArray) -> pa.Array:
    if not len(wanted):
        return pa.array([], pa.int32())
    return pc.index_in(wanted, ids.combine_chunks()).combine_chunks()
