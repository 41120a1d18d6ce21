"""Write: a key range of documents becomes a file pair of Megatron's for each source and language, and Parquet."""

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from manifests.keys import key_range
from manifests.runs import gather, put_same
from manifests.shards import Shard, write_shard
from manifests.store import Store
from pipelines.stages.staged import Staged
from pipelines.tokens.records import DROPPED, GROUP, JOB, ORDER, staged_schema, token_schema
from tokenizer.encode_documents import sequences
from tokenizer.encode_policy import Policy
from tokenizer.groups import Group
from tokenizer.megatron import index_bytes

WRITE_VERSION = 1
MEGATRON, MASK = "megatron", "megatron_mask"  # kinds of shard
_UNSAFE = re.compile(r"[^A-Za-z0-9_=+-]+")


class WriteTokens:
    """Worker of the write phase. config: {staged, dtype: of a token, policy, formats}."""

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        self.store, self.staged = store, Staged.load(store, config["staged"])
        self.policy, self.dtype = Policy(**config["policy"]), np.dtype(config["dtype"])
        self.formats = config["formats"]

    def close(self) -> None:
        """Nothing is held."""

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """arguments: {shard, shards}."""
        shard, shards = arguments["shard"], arguments["shards"]
        schema = staged_schema(self.dtype.itemsize)
        rows = gather(self.store, self.staged.runs["tokens"], schema, *key_range(shard, shards), order=ORDER)
        kept = pc.is_null(rows["reason"]).combine_chunks()
        stem = f"part-{shard:05d}-of-{shards:05d}"
        written = Written(self, stem, rows.filter(kept))
        published = [*written.megatron(), *written.parquet(), *self._dropped(rows.filter(pc.invert(kept)), stem)]
        return {
            "shards": [each.as_json() for each in published],
            "accounts": _accounts(rows),
            "statistics": {"tokens": written.counts()},
            "counts": {"kept": written.rows.num_rows, "dropped": rows.num_rows - written.rows.num_rows},
        }

    def _dropped(self, rows: pa.Table, stem: str) -> Iterator[Shard]:
        if rows.num_rows:
            table = rows.append_column("verdict", pa.array(["dropped"] * rows.num_rows)).select(DROPPED.names)
            yield write_shard(self.store, f"{JOB}/dropped/{stem}", "dropped", table.cast(DROPPED))


def _accounts(rows: pa.Table) -> dict[str, dict[str, int]]:
    """Return {unit key: {"verdict/reason": documents}}."""
    out: dict[str, Counter[str]] = defaultdict(Counter)
    for unit, reason in zip(rows["unit"].to_pylist(), rows["reason"].to_pylist(), strict=True):
        out[str(unit)]["kept" if reason is None else f"dropped/{reason}"] += 1
    return {unit: dict(sorted(counts.items())) for unit, counts in sorted(out.items())}


def folder_of(group: Group) -> str:
    """Return the folder of a group's files: its names as far as a file may have them, and its key."""
    named = ".".join(_UNSAFE.sub("_", part) or "_" for part in (group.kind, group.source, group.language))
    return f"{named[:100]}-{group.key:016x}"


@dataclass(frozen=True)
class Held:
    """The documents of one group: rows of the range, their sequences, and the files that hold them."""

    group: Group
    rows: Any  # int64[documents]
    lengths: Any  # int64[sequences]
    bounds: Any  # int64[documents + 1]
    prefix: str | None
    files: list[Shard]


class Written:
    """The kept documents of a key range."""

    def __init__(self, worker: WriteTokens, stem: str, rows: pa.Table) -> None:
        self.worker, self.stem = worker, stem
        self.rows = rows.combine_chunks()
        self.tokens = self.rows["token_count"].to_numpy()
        self.ids, self.masks = _one(self.rows["ids"]), _one(self.rows["mask"])
        self.learnt = learnt_tokens(self.masks, self.tokens)
        self.masked = pc.is_valid(self.masks).to_numpy(zero_copy_only=False)
        self.held = [self._held(group, places) for group, places in by_group(self.rows)]

    def _held(self, group: Group, places: Any) -> Held:
        lengths, bounds = sequences(self.tokens[places], self.worker.policy)
        if MEGATRON not in self.worker.formats:
            return Held(group, places, lengths, bounds, None, [])
        chosen = pa.array(places)
        stem = f"{JOB}/data/{folder_of(group)}/{self.stem}"
        values = self.ids.take(chosen).flatten().to_numpy()
        prefix, files = self._pair(stem, MEGATRON, values, lengths, bounds)
        if self.masked[places].all():
            values = self.masks.take(chosen).flatten().to_numpy()
            files += self._pair(f"{prefix}.mask", MASK, values, lengths, bounds)[1]
        return Held(group, places, lengths, bounds, prefix, files)

    def _pair(self, stem: str, kind: str, values: Any, lengths: Any, bounds: Any) -> tuple[str, list[Shard]]:
        """Write `.bin` and `.idx` under one name of their content; return it and the shards."""
        data = {".bin": values.tobytes(), ".idx": index_bytes(lengths, bounds, values.dtype)}
        named = hashlib.sha256(b"".join(hashlib.sha256(each).digest() for each in data.values())).hexdigest()
        prefix, shards = f"{stem}-{named[:8]}", []
        if kind == MASK:
            prefix = stem  # beside the tokens, by their name
        for suffix, content in data.items():
            put_same(self.worker.store, f"{prefix}{suffix}", content)
            sha256 = hashlib.sha256(content).hexdigest()
            shards.append(Shard(f"{prefix}{suffix}", kind, len(content), sha256, len(lengths), None, None))
        return prefix, shards

    def megatron(self) -> Iterator[Shard]:
        """Yield the files of all groups."""
        for each in self.held:
            yield from each.files

    def parquet(self) -> Iterator[Shard]:
        """Write the documents in the order of ids, and where each stands."""
        if not self.rows.num_rows:
            return
        with_ids = "parquet" in self.worker.formats
        schema = token_schema(self.worker.dtype.itemsize if with_ids else None)
        columns: dict[str, Any] = {name: self.rows[name] for name in schema.names if name in self.rows.column_names}
        columns |= self._places() | {"learnt_token_count": pa.array(self.learnt)}
        table = pa.table([_one(columns[f.name]).cast(f.type) for f in schema], schema=schema)
        yield write_shard(self.worker.store, f"{JOB}/index/{self.stem}", "tokens", table)

    def _places(self) -> dict[str, Any]:
        """Return the columns that say where each document's sequences stand."""
        count = self.rows.num_rows
        sequence, counts = np.zeros(count, np.int64), np.zeros(count, np.int64)
        prefixes = np.full(count, None, object)
        for each in self.held:
            sequence[each.rows], counts[each.rows] = each.bounds[:-1], np.diff(each.bounds)
            prefixes[each.rows] = each.prefix
        offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
        lengths = np.zeros(int(offsets[-1]), np.int32)
        for each in self.held:
            starts = np.repeat(offsets[:-1][each.rows] - each.bounds[:-1], np.diff(each.bounds))
            lengths[starts + np.arange(len(each.lengths))] = each.lengths
        return {
            "prefix": pa.array(prefixes.tolist(), pa.string()),
            "sequence": pa.array(sequence),
            "lengths": pa.ListArray.from_arrays(pa.array(offsets), pa.array(lengths)),
        }

    def counts(self) -> dict[str, Any]:
        """Return {kind: {source: {language: whole numbers}}}."""
        sizes, cut = self.rows["bytes"].to_numpy(), self.rows["cut_tokens"].to_numpy()
        out: dict[str, Any] = {}
        for each in self.held:
            of_source = out.setdefault(each.group.kind, {}).setdefault(each.group.source, {})
            of_source[each.group.language] = {
                "documents": len(each.rows),
                "sequences": len(each.lengths),
                "tokens": int(self.tokens[each.rows].sum()),
                "learnt_tokens": int(self.learnt[each.rows].sum()),
                "bytes": int(sizes[each.rows].sum()),
                "cut_tokens": int(cut[each.rows].sum()),
            }
        return out


def by_group(rows: pa.Table) -> Iterator[tuple[Group, Any]]:
    """Yield each group by name, and its rows (int64[n], ascending)."""
    numbered = rows.select([name for name, _ in GROUP]).append_column("row", pa.array(np.arange(rows.num_rows)))
    names = list(Group._fields)
    grouped = numbered.group_by(names, use_threads=False).aggregate([("row", "list")])
    found = [(Group(*row.values()), row) for row in grouped.select(names).to_pylist()]
    lists = grouped["row_list"].to_pylist()
    for (group, _), places in sorted(zip(found, lists, strict=True), key=lambda each: each[0][0]):
        yield group, np.sort(np.array(places, np.int64))


def learnt_tokens(masks: pa.ListArray, tokens: Any) -> Any:
    """Return how many tokens of each document are learnt, int64[documents]: all where there is no mask."""
    ends = np.concatenate([[0], np.cumsum(masks.values.to_numpy(), dtype=np.int64)])
    offsets = masks.offsets.to_numpy()
    return np.where(masks.is_null().to_numpy(zero_copy_only=False), tokens, ends[offsets[1:]] - ends[offsets[:-1]])


def _one(column: Any) -> Any:
    """Return a column as one array."""
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
