"""Write: each shard reads its documents out of the text snapshot and their media out of the media snapshots."""

import io
import json
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from filters.interleave.signals import DOCUMENT_SIGNALS
from manifests.integrity import IntegrityError, Problem
from manifests.keys import key_range, keys_of
from manifests.reader import open_shard, shard_of
from manifests.records import ID
from manifests.runs import gather, load_runs, run_schema
from manifests.shards import Shard, write_shard
from manifests.store import Store
from manifests.tar_shards import Member, Sample, read_member, write_tar_shard
from pipelines.interleave.contact import ContactSheet
from pipelines.interleave.join import PART_ORDER
from pipelines.interleave.judge import KEPT
from pipelines.interleave.records import JUDGED_PART, PART_ROW, TEXT_KINDS
from pipelines.interleave.sample import DOCUMENT_FIELDS, numbered_media, sample_json
from pipelines.report.bins import COUNTS, bin_counts
from pipelines.stages.duplicate_rows import MERGED

WRITE_VERSION = 3
JOB = "interleave"
ROWS_AT_ONCE = 256
INLINE = "inline"


class WriteShard:
    """Worker of the write phase. config: {text: name of a list of shards; documents, parts, merged; images}."""

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        self.store, self.is_inline = store, config["images"] == INLINE
        self.text = [shard_of(entry) for entry in json.loads(store.read(config["text"]))]
        self.documents, self.parts, self.merged = (
            load_runs(store, config[name]) for name in ("documents", "parts", "merged")
        )

    def close(self) -> None:
        """Nothing is held."""

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """arguments: {shard, shards}."""
        shard, shards = arguments["shard"], arguments["shards"]
        low, high = key_range(shard, shards)
        written = Written(self, low, high)
        stem = f"part-{shard:05d}-of-{shards:05d}"
        published = []
        if not any(verdict == KEPT for verdict, *_ in written.verdicts.values()):
            written.leave_out_all()
        else:
            with tempfile.TemporaryDirectory(prefix="corpusmill-") as scratch:
                samples = written.samples()
                tar, index = write_tar_shard(
                    self.store, f"{JOB}/data/{stem}", "interleaved", samples, Path(scratch) / "tar"
                )
            rows = written.placed(tar.name, self._offsets(index))
            published += [tar, index, write_shard(self.store, f"{JOB}/parts/{stem}", "parts", rows)]
            if written.sheet.rows:
                published.append(write_shard(self.store, f"{JOB}/contact/{stem}", "contact", written.sheet.table()))
        if written.gone:
            published.append(write_shard(self.store, f"{JOB}/dropped/{stem}", "dropped", written.dropped()))
        counts = Counter(verdict for verdict, *_ in written.verdicts.values())
        return {
            "shards": [each.as_json() for each in published],
            "accounts": written.accounts(),
            "statistics": written.statistics(),
            "counts": dict(sorted(counts.items())),
        }

    def _offsets(self, index: Shard) -> dict[str, tuple[int, int]]:
        table = pq.read_table(io.BytesIO(self.store.read(index.name)))
        names = zip(table["id"].to_pylist(), table["extension"].to_pylist(), strict=True)
        places = zip(table["offset"].to_pylist(), table["bytes"].to_pylist(), strict=True)
        return {f"{key.hex()}.{extension}": place for (key, extension), place in zip(names, places, strict=True)}


class Written:
    """The documents of a key range: their samples, rows of parts, and what stays out."""

    def __init__(self, worker: WriteShard, low: int, high: int) -> None:
        self.worker, self.store = worker, worker.store
        self.low, self.high = low, high
        judged = gather(
            self.store, worker.documents, run_schema(self.store, worker.documents[0]), low, high, ("key", "id")
        )
        merged = gather(self.store, worker.merged, MERGED, low, high, ("key", "id")).to_pylist()
        self.judged = {row["id"]: row for row in judged.drop_columns(["key"]).to_pylist()}
        self.verdicts = {each: (row["verdict"], row["reason"], None) for each, row in self.judged.items()}
        self.verdicts |= {row["id"]: ("merged", row["reason"], row["kept_id"]) for row in merged}
        self.media: dict[bytes, dict[int, list[dict[str, Any]]]] = defaultdict(dict)
        for row in gather(self.store, worker.parts, JUDGED_PART, low, high, PART_ORDER).to_pylist():
            self.media[row["id"]].setdefault(row["position"], []).append(row)
        self.rows: list[dict[str, Any]] = []
        self.gone: list[dict[str, Any]] = []
        self.counts: dict[str, Counter[str]] = defaultdict(Counter)
        self.sheet = ContactSheet()

    def _documents(self) -> Iterator[dict[str, Any]]:
        """Yield the documents of the range in the order of ids; raises RuntimeError where they are not those judged."""
        seen = 0
        columns = ["id", *DOCUMENT_FIELDS, "text", "parts"]
        for shard in sorted(self.worker.text, key=lambda each: str(each.min_id)):
            if not self._meets(shard):
                continue
            with open_shard(self.store, shard) as file:
                parquet = pq.ParquetFile(file, page_checksum_verification=True)
                for batch in parquet.iter_batches(ROWS_AT_ONCE, columns=columns, use_threads=False):
                    keys = keys_of(batch["id"])
                    inside = pa.array([self.low <= key < self.high for key in keys.tolist()], pa.bool_())
                    for document in batch.filter(inside).to_pylist():
                        seen += 1
                        yield document
        if seen != len(self.judged):
            raise RuntimeError(f"{len(self.judged)} documents were judged, the text snapshot holds {seen} here")

    def _meets(self, shard: Shard) -> bool:
        first, last = (int((each or "0" * 32)[:16], 16) for each in (shard.min_id, shard.max_id))
        return shard.records > 0 and first < self.high and last >= self.low

    def samples(self) -> Iterator[Sample]:
        for document in self._documents():
            if self.verdicts[document["id"]][0] != KEPT:
                self._leave_out(document)
                continue
            media = self.media.get(document["id"], {})
            self._check(document, media)
            shown = [row for _, rows in sorted(media.items()) for row in rows]
            fields = numbered_media(shown) if self.worker.is_inline else {}
            self._account(document, media, fields)
            self.sheet.add(document, {position: rows[0] for position, rows in media.items()}, self._content)
            yield document["id"].hex(), {"json": sample_json(document, media, fields), **self._files(shown, fields)}

    def _check(self, document: Mapping[str, Any], media: Mapping[int, Any]) -> None:
        asked = {n for n, part in enumerate(document["parts"]) if part["kind"] not in TEXT_KINDS}
        if asked != media.keys():
            raise RuntimeError(f"document {document['id'].hex()}: {len(asked)} parts with media, {len(media)} judged")

    def _files(self, shown: Sequence[Mapping[str, Any]], fields: Mapping[bytes, str]) -> dict[str, bytes]:
        found: dict[str, bytes] = {}
        for part in shown:
            name = fields.get(part["media"]) if part["verdict"] == KEPT else None
            if name is not None and name not in found:
                found[name] = self._content(part)
        return found

    def _content(self, part: Mapping[str, Any]) -> bytes:
        sha256 = part["sha256"].hex()
        member = Member(part["media"].hex(), part["extension"], part["offset"], part["bytes"], sha256)
        content = read_member(self.store, part["shard"], member)
        if len(content) != part["bytes"]:
            raise IntegrityError(Problem(part["shard"], "length", str(part["bytes"]), str(len(content))))
        return content

    def _account(
        self, document: Mapping[str, Any], media: Mapping[int, list[dict[str, Any]]], fields: Mapping[bytes, str]
    ) -> None:
        for position, part in enumerate(document["parts"]):
            rows: list[dict[str, Any]] = media.get(position, [{}])
            verdict, reason = rows[0].get("verdict", KEPT), rows[0].get("reason")
            self.counts[part["kind"]][verdict if reason is None else f"{verdict}/{reason}"] += 1
            for own in rows:
                row = {**part, **own, "id": document["id"], "position": position, "verdict": verdict}
                if own and verdict == KEPT and own["extension"]:
                    key, inline = document["id"].hex(), fields.get(own["media"])
                    row["member"] = f"{key}.{inline}" if inline else f"{own['media'].hex()}.{own['extension']}"
                self.rows.append(row)

    def _leave_out(self, document: Mapping[str, Any]) -> None:
        verdict, reason, kept_id = self.verdicts[document["id"]]
        judged = self.judged[document["id"]]
        for part in document["parts"]:
            self.counts[part["kind"]][f"gone/{verdict}"] += 1
        own = {name: document[name] for name in ("id", "uri", "source", "language", "title")}
        told = {"verdict": verdict, "reason": reason, "reasons": judged["reasons"], "kept_id": kept_id}
        self.gone.append({**own, **told, "unit": judged["unit"], "signals": judged["signals"]})

    def leave_out_all(self) -> None:
        """Account for a range of which no document stays."""
        for document in self._documents():
            self._leave_out(document)

    def placed(self, tar: str, offsets: Mapping[str, tuple[int, int]]) -> pa.Table:
        """Return the rows of parts, with the place of each file's bytes."""
        for row in self.rows:
            if row.get("member") in offsets:
                row["shard"], (row["offset"], row["bytes"]) = tar, offsets[row["member"]]
        names = PART_ROW.names
        return pa.Table.from_pylist([{name: row.get(name) for name in names} for row in self.rows], PART_ROW)

    def dropped(self) -> pa.Table:
        """Return the documents that stay out, with their reasons."""
        signals = run_schema(self.store, self.worker.documents[0]).field("signals").type
        texts = [(name, pa.string()) for name in ("uri", "source", "language", "title", "verdict", "reason")]
        schema = pa.schema(
            [
                ("id", ID),
                *texts,
                ("reasons", pa.list_(pa.string())),
                ("kept_id", ID),
                ("unit", pa.uint64()),
                ("signals", signals),
            ]
        )
        return pa.Table.from_pylist(self.gone, schema)

    def statistics(self) -> dict[str, Any]:
        """Return {parts, histograms, languages}, to add up over shards.

        parts       {kind: {"verdict/reason": parts}}
        histograms  {one of DOCUMENT_SIGNALS: {kept, gone}}, documents in bins of pipelines.report.bins.COUNTS
        languages   {code: documents that stay}
        """
        is_kept = np.array([self.verdicts[each][0] == KEPT for each in self.judged], bool)
        histograms = {}
        for name in DOCUMENT_SIGNALS.names:
            values = np.array([row["signals"][name] for row in self.judged.values()], np.float64)
            histograms[name] = {
                "kept": bin_counts(values[is_kept], COUNTS).tolist(),
                "gone": bin_counts(values[~is_kept], COUNTS).tolist(),
            }
        parts = {kind: dict(sorted(n.items())) for kind, n in sorted(self.counts.items())}
        staying = [row for each, row in self.judged.items() if self.verdicts[each][0] == KEPT]
        languages = Counter(str(row["language"]) for row in staying)
        return {"parts": parts, "histograms": histograms, "languages": dict(sorted(languages.items()))}

    def accounts(self) -> dict[str, dict[str, int]]:
        """Return {unit: {"verdict/reason": documents}}."""
        out: dict[str, Counter[str]] = defaultdict(Counter)
        for each, (verdict, reason, _) in self.verdicts.items():
            out[str(self.judged[each]["unit"])][verdict if verdict == KEPT else f"{verdict}/{reason}"] += 1
        return {unit: dict(sorted(counts.items())) for unit, counts in sorted(out.items())}
