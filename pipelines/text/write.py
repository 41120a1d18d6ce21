"""Write: each shard reads its key range from every run, applies verdicts and late edits, and is published whole."""

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from filters import views
from filters.annotate import Settings
from filters.licenses import classes
from filters.rules import Verdicts
from manifests.keys import key_range, sampled
from manifests.reasons import Merged
from manifests.records import PROVENANCE, STAGED_DOCUMENT, document_schema, dropped_schema
from manifests.runs import gather, load_runs
from manifests.shards import write_shard
from manifests.store import Store
from pipelines.stages import judges
from pipelines.stages.duplicate_rows import MERGED_TEXT, STANDS_FOR
from pipelines.stages.judges import one_batch
from pipelines.stages.staged import Staged
from pipelines.stages.statistics import shard_statistics
from pipelines.text.contamination import HIT
from pipelines.text.contamination import ORDER as HIT_ORDER
from pipelines.text.edited import Judging, cut
from pipelines.text.masking import Masking
from pipelines.text.part import ORDER
from pipelines.text.repeats import CUT
from pipelines.text.repeats import ORDER as CUT_ORDER
from pipelines.text.select import DECIDED
from pipelines.text.watch import local_watch

_NOT_SIGNALS = ("key", "id", "unit", "ordinal", "language", "language_score", "view_digest")
_SALT = 0x636F72707573  # of the sample of dropped texts


class WriteShard:
    """Worker of the write phase.

    config: {staged, decided, merged, stand_for, rules, sample, personal}, cuts and hits if asked for.
    """

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        self.store, self.staged = store, Staged.load(store, config["staged"])
        self.decided = load_runs(store, config["decided"])
        self.merged, self.stand_for = load_runs(store, config["merged"]), load_runs(store, config["stand_for"])
        self.cuts = load_runs(store, config["cuts"]) if "cuts" in config else []
        self.hits = load_runs(store, config["hits"]) if "hits" in config else []
        self.judges = judges.from_json(config["rules"])
        watch = local_watch(store, config.get("watch", {}))
        self.settings = Settings(families=tuple(config.get("families", ())), watch=watch)
        self.sample, self.personal = config["sample"], config["personal"]

    def close(self) -> None:
        """Nothing is held."""

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        shard, shards = arguments["shard"], arguments["shards"]
        rows = self._rows(*key_range(shard, shards))
        kept, gone, masking = rows.verdict == "kept", rows.verdict != "kept", Masking.of(self.personal)
        published = [
            write_shard(self.store, f"text/{folder}/part-{shard:05d}-of-{shards:05d}", kind, table)
            for folder, kind, table in (
                ("data", "documents", rows.published(kept, masking)),
                ("dropped", "dropped", self._gone(rows, gone, masking)),
                ("contamination", "contamination", rows.contaminated()),
            )
            if table.num_rows
        ]
        counts = Counter(rows.verdict.tolist())
        return {
            "shards": [each.as_json() for each in published],
            "accounts": rows.accounts(),
            "statistics": {
                **shard_statistics(rows.documents, rows.signals, rows.decided, rows.verdict, self.judges),
                "licenses": rows.licenses(),
                **rows.merged_elsewhere(),
                **({"cuts": rows.cut} if self.cuts else {}),
                **({"personal": masking.as_statistics()} if self.personal else {}),
            },
            "counts": {str(verdict): n for verdict, n in sorted(counts.items())},
        }

    def _rows(self, low: int, high: int) -> "Rows":
        documents = gather(self.store, self.staged.runs["documents"], STAGED_DOCUMENT, low, high, ORDER)
        signals = gather(
            self.store, self.staged.runs["signals"], self.staged.signal_schema(self.store), low, high, ORDER
        )
        decided = gather(self.store, self.decided, DECIDED, low, high, ORDER)
        merged = gather(self.store, self.merged, MERGED_TEXT, low, high, ("key", "id"))
        for table in (signals, decided):
            if not table.select(["id", "ordinal"]).equals(documents.select(["id", "ordinal"])):
                raise RuntimeError("runs of documents, signals and decisions do not hold the same records")
        late = Late(
            gather(self.store, self.hits, HIT, low, high, HIT_ORDER),
            gather(self.store, self.cuts, CUT, low, high, CUT_ORDER),
            gather(self.store, self.stand_for, STANDS_FOR, low, high, ("key", "id")),
        )
        return Rows(documents, signals, decided, merged, late, Judging(self.settings, self.judges))

    def _gone(self, rows: "Rows", gone: np.ndarray, masking: Masking) -> pa.Table:
        return rows.removed(gone, sampled(rows.keys, self.sample, _SALT), masking)


@dataclass(frozen=True)
class Late:
    """What later phases found in a shard's range: items of evaluation sets, ranges to cut, what records stand for."""

    hits: pa.Table
    cuts: pa.Table
    stand_for: pa.Table


class Rows:
    """The records of a shard's range with their verdicts, all in one order."""

    def __init__(
        self,
        documents: pa.Table,
        signals: pa.Table,
        decided: pa.Table,
        merged: pa.Table,
        late: Late,
        judging: Judging,
    ) -> None:
        self.documents, self.signals, self.decided = documents, signals, decided
        self.judging, self.rules = judging, judging.rules
        self.keys = documents["key"].to_numpy()
        count = documents.num_rows
        at = (
            pc.index_in(documents["id"], merged["id"].combine_chunks()).combine_chunks()
            if count
            else pa.array([], pa.int32())
        )
        self.merge = merged.take(at)  # null rows where nothing is merged
        first, repeated = decided["first"].to_numpy(), decided["repeated"].to_numpy()
        failed = decided["failed"].to_numpy()
        objection = judges.first_reasons(self.rules, Verdicts(first, failed), one_batch(signals))
        near = self.merge["reason"].to_numpy(zero_copy_only=False)
        objected, clustered = first >= 0, np.array([reason is not None for reason in near], bool)
        self.verdict = np.select([objected, repeated | clustered], ["dropped", "merged"], "kept")
        self.reason = np.where(objected, objection, np.where(repeated, str(Merged.SAME_RECORD), near))
        self.late, self.late_failed = late, np.zeros(count, np.uint64)
        self._decontaminate()
        self._cut()

    def _decontaminate(self) -> None:
        """Drop what holds items of an evaluation set; the first set by name is the reason."""
        first = self.late.hits.group_by("id", use_threads=False).aggregate([("evaluation_set", "min")])
        sets = _looked_up(self.documents["id"], first["id"], first["evaluation_set_min"])
        hit = (self.verdict == "kept") & np.array([name is not None for name in sets], bool)
        self.verdict[hit] = "dropped"
        self.reason[hit] = [f"decontamination_v1/{name}" for name in sets[hit]]

    def _cut(self) -> None:
        """Cut what other documents hold too; rules judge what is left."""
        done = cut(self.documents, self.signals, self.verdict == "kept", self.late.cuts, self.judging)
        self.documents, self.signals, self.cut, self.late_failed = (
            done.documents,
            done.signals,
            done.counts,
            done.failed,
        )
        gone = np.array([why is not None for why in done.reason], bool)
        self.verdict[gone] = "dropped"
        self.reason[gone] = done.reason[gone]

    def contaminated(self) -> pa.Table:
        """Return which documents held which items, of those that were dropped for it."""
        at = pc.index_in(self.late.hits["id"], self.documents["id"].combine_chunks())
        return pa.table(
            {
                "id": self.late.hits["id"],
                "uri": self.documents["uri"].take(at),
                **{name: self.late.hits[name] for name in ("evaluation_set", "item", "shared_gram_count")},
            }
        )

    def licenses(self) -> dict[str, dict[str, int]]:
        """Return {class of licence: {verdict: records}}."""
        named = classes(self.documents["license"].combine_chunks(), self.documents["policy"].combine_chunks())
        counted = Counter(zip(named.to_pylist(), self.verdict.tolist(), strict=True))
        out: dict[str, dict[str, int]] = defaultdict(dict)
        for (name, verdict), count in sorted(counted.items()):
            out[name][verdict] = count
        return dict(out)

    def merged_elsewhere(self) -> dict[str, dict[str, int]]:
        """Return {"merged_elsewhere": {digest of another snapshot: records merged into what it keeps}}, {} for none."""
        places = self.merge["kept_in"].filter(pa.array(self.verdict == "merged")).drop_null().to_pylist()
        return {"merged_elsewhere": dict(sorted(Counter(places).items()))} if places else {}

    def accounts(self) -> dict[str, dict[str, int]]:
        """Return {unit key: {"verdict/reason": records}}."""
        out: dict[str, Counter[str]] = defaultdict(Counter)
        units = self.documents["unit"].to_pylist()
        for unit, verdict, reason in zip(units, self.verdict.tolist(), self.reason.tolist(), strict=True):
            out[str(unit)][verdict if verdict == "kept" else f"{verdict}/{reason}"] += 1
        return {unit: dict(sorted(counts.items())) for unit, counts in sorted(out.items())}

    def _signals(self, chosen: np.ndarray) -> tuple[list[pa.Field], pa.StructArray]:
        table = self.signals.filter(pa.array(chosen))
        fields = [field for field in table.schema if field.name not in _NOT_SIGNALS]
        return fields, pa.StructArray.from_arrays([table[f.name].combine_chunks() for f in fields], fields=fields)

    def published(self, chosen: np.ndarray, masking: Masking) -> pa.Table:
        """Return the kept documents as they are published: what edits leave, masked, offsets in code points."""
        table = self.documents.filter(pa.array(chosen))
        fields, signals = self._signals(chosen)
        text, view = table["text"].combine_chunks(), table["kept"].combine_chunks()
        columns = {name: table[name] for name, _ in PROVENANCE}
        published = {
            "title": table["title"],
            "markup": table["markup"],
            "text": views.apply_view(text, view),
            "parts": views.parts_of_view(text, view, table["parts"].combine_chunks()),
        }
        columns |= masking.documents_of(published, table["language"].combine_chunks())
        columns["cluster_size"] = self._cluster_sizes(table["id"].combine_chunks())
        schema = document_schema(pa.schema(fields))
        return pa.table({f.name: columns.get(f.name, signals) for f in schema}, schema=schema)

    def _cluster_sizes(self, ids: pa.Array) -> pa.Array:
        """Return how many records each kept one stands for: those of its own id, and those merged into it."""
        copies = self.decided.filter(pc.less(self.decided["first"], 0))["id"].combine_chunks().value_counts()
        own = copies.field("counts").take(pc.index_in(ids, copies.field("values")))
        others = self.late.stand_for
        merged = others["records"].combine_chunks().take(pc.index_in(ids, others["id"].combine_chunks()))
        return pc.add(own, merged.fill_null(0)).cast(pa.int32())

    def removed(self, chosen: np.ndarray, with_text: np.ndarray, masking: Masking) -> pa.Table:
        """Return what is not in the corpus and why; text of a sample only."""
        mask = pa.array(chosen)
        table, merge = self.documents.filter(mask), self.merge.filter(mask)
        fields, signals = self._signals(chosen)
        shown, language = pa.array(with_text[chosen]), table["language"].combine_chunks()
        failed = (self.decided["failed"].to_numpy() | self.late_failed)[chosen]
        named = [rule.name for rule in self.rules]
        reasons = [[named[i] for i in range(len(named)) if bits >> i & 1] for bits in failed.tolist()]
        merged = pa.array(self.verdict[chosen] == "merged")
        # a copy of the same record stays in the place of this one, unless it is itself merged into another
        kept_id, similarity = (
            pc.coalesce(merge["kept_id"], table["id"]),
            pc.coalesce(merge["similarity"], pa.scalar(1.0)),
        )
        columns: dict[str, Any] = {name: table[name] for name in (*(n for n, _ in PROVENANCE), "unit", "ordinal")}
        columns |= {
            "verdict": pa.array(self.verdict[chosen].tolist(), pa.string()),
            "reason": pa.array(self.reason[chosen].tolist(), pa.string()),
            "reasons": pa.array(reasons, pa.list_(pa.string())),
            "kept_id": pc.if_else(merged, kept_id, pa.scalar(None, kept_id.type)),
            "kept_in": pc.if_else(merged, merge["kept_in"], pa.scalar(None, pa.string())),
            "similarity": pc.if_else(merged, similarity, pa.scalar(None, pa.float64())),
            "title": masking.strings(table["title"], language),
            "text": masking.strings(pc.if_else(shown, table["text"], pa.scalar(None, pa.string())), language),
            "signals": signals,
        }
        schema = dropped_schema(pa.schema(fields))
        return pa.table({f.name: columns[f.name] for f in schema}, schema=schema)


def _looked_up(wanted: pa.ChunkedArray, ids: pa.ChunkedArray, values: pa.ChunkedArray) -> np.ndarray:
    """Return the value of each wanted id, object[n], None where it has none."""
    if not len(wanted):
        return np.zeros(0, object)
    found: np.ndarray = values.take(pc.index_in(wanted, ids.combine_chunks())).to_numpy(zero_copy_only=False)
    return found
