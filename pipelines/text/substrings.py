"""Strings of bytes that the documents that stay hold more than once are cut, all but the first.

anchors  id range      pieces of texts -> how many of each anchor a range holds
shared   anchor range  -> the anchors that a range shares with others, keyed by that range
pieces   id range      what repeats inside the range; pieces of shared anchors, with their bytes
windows  anchor range  pieces of several ranges -> what repeats across them
cuts     id range      what repeats -> the ranges that are cut, keyed by record

`filters.substrings` says what repeats. Most anchors stand in one range only; of these nothing but a hash is ever moved.
Inside a range all that its own pieces tell is settled, so of a string that a million documents hold each range sends
one. An anchor with too many pieces all the same (a phrase in ever other surroundings) is not capped: each of its
windows goes under a key of its own, where a range sends it once.
"""

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from filters import views
from filters.clusters import id_words
from filters.native import string_buffers
from filters.substrings import Pieces, bytes_of, cuts, pieces, repeated_windows, runs_of_windows, single_windows
from manifests.keys import key_range, keys_of
from manifests.records import ID, KEY
from manifests.runs import Run, gather, load_runs, write_run
from manifests.store import Store
from pipelines.text.repeats import CUT, ORDER
from pipelines.text.route import TEXT
from pipelines.text.survivors import Survivors

ANCHOR = pa.schema([("key", KEY), ("range", KEY), ("pieces", pa.int64())])  # range: the least key of its records
SHARED = pa.schema([("key", KEY), ("anchor", KEY), ("hot", pa.bool_())])  # key: of the range
PIECE = pa.schema([("key", KEY), ("id", ID), ("start", pa.int32()), ("windows", pa.int32()), ("bytes", pa.binary())])
PIECE_ORDER = ("key", "id", "start")
FOUND = CUT  # {key, id, start, end}, but in bytes of the view
SHARED_ORDER = ("key", "anchor")


class Range:
    """The texts of an id range as they would be published, in pieces by key, and which windows repeat among them."""

    def __init__(self, rows: pa.Table, min_bytes: int) -> None:
        self.ids, self.min_bytes = rows["id"].combine_chunks(), min_bytes
        left = views.apply_view(rows["text"].combine_chunks(), rows["kept"].combine_chunks())
        self.body = string_buffers(left)[0]
        found = pieces(left, min_bytes)
        self.pieces = found.take(np.argsort(found.keys, kind="stable"))
        self.repeated = repeated_windows(self.body, self.pieces, min_bytes)

    def open(self) -> np.ndarray:
        """Return which pieces hold a window that does not repeat here, bool[pieces]; no other range needs the rest."""
        if not len(self.pieces.keys):
            return np.zeros(0, bool)
        return np.asarray(np.add.reduceat(1 - self.repeated, self.pieces.offsets[:-1], dtype=np.int64) > 0)

    def found(self) -> pa.Table:
        """Return what repeats inside the range, as FOUND."""
        owners, starts, ends = runs_of_windows(self.pieces, self.repeated, self.min_bytes)
        return found_rows(self.ids.take(pa.array(self.pieces.docs[owners])), starts, ends)

    def sent(self, anchors: np.ndarray, hot: np.ndarray) -> Pieces:
        """Return the pieces that other ranges must see: of `anchors`, uint64[n]; of hot ones each window by itself."""
        chosen = self.open() & np.isin(self.pieces.keys, anchors)
        alone = chosen & np.isin(self.pieces.keys, anchors[hot])
        together = self.pieces.take(chosen & ~alone)
        if not alone.any():
            return together
        flags = self.repeated[np.repeat(alone, self.pieces.windows)]
        split = single_windows(self.body, self.pieces.take(alone), flags, self.min_bytes)
        columns = zip(vars(together).values(), vars(split).values(), strict=True)
        return Pieces(*(np.concatenate(pair) for pair in columns))

    def blocks(self, sent: Pieces, block_bytes: int) -> Iterator[pa.Table]:
        """Yield pieces with their bytes as PIECE, in blocks of about `block_bytes`."""
        past = np.cumsum(sent.windows + self.min_bytes - 1) // max(1, block_bytes)
        for block in np.split(np.arange(len(past)), np.flatnonzero(np.diff(past)) + 1):
            some = sent.take(block)
            columns = {
                "key": some.keys,
                "id": self.ids.take(pa.array(some.docs)),
                "start": pa.array(some.starts, pa.int32()),
                "windows": pa.array(some.windows, pa.int32()),
                "bytes": bytes_of(self.body, some, self.min_bytes),
            }
            if len(block):
                yield pa.table(columns, schema=PIECE)


def found_rows(ids: pa.Array, starts: np.ndarray, ends: np.ndarray) -> pa.Table:
    """Return ranges of records as FOUND or CUT."""
    columns = {"key": pa.array(keys_of(ids), KEY), "id": ids}
    columns |= {name: pa.array(values, pa.int32()) for name, values in (("start", starts), ("end", ends))}
    return pa.table(columns, schema=FOUND)


class _OverTexts:
    """What the phases over id ranges share. config: {staged, decided, merged, min_bytes, ...}."""

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        self.store, self.config, self.survivors = store, config, Survivors(store, config)

    def close(self) -> None:
        """Nothing is held."""

    def rows(self, low: int, high: int) -> pa.Table:
        return self.survivors.documents(TEXT, low, high)


class FindAnchors(_OverTexts):
    """Worker of `anchors`."""

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        low, high = key_range(arguments["partition"], arguments["partitions"])
        texts = Range(self.rows(low, high), self.config["min_bytes"])
        keys, counts = np.unique(texts.pieces.keys[texts.open()], return_counts=True)
        columns = {"key": keys, "range": np.full(len(keys), low, np.uint64), "pieces": counts.astype(np.int64)}
        run = write_run(self.store, arguments["output"], pa.table(columns, schema=ANCHOR), ("key", "range"))
        return {"run": run.as_json(), "counts": {"anchors": run.rows}}


class FindShared:
    """Worker of `shared`. config: {anchors, max_pieces: an anchor with more is hot}."""

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        self.store, self.anchors = store, load_runs(store, config["anchors"])
        self.max_pieces = config["max_pieces"]

    def close(self) -> None:
        """Nothing is held."""

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        low, high = key_range(arguments["partition"], arguments["partitions"])
        rows = gather(self.store, self.anchors, ANCHOR, low, high)
        keys = rows["key"].to_numpy()
        first = np.flatnonzero(np.concatenate([[True], keys[1:] != keys[:-1]])) if len(keys) else np.zeros(0, int)
        sizes = np.diff(np.append(first, len(keys)))
        held = np.add.reduceat(rows["pieces"].to_numpy(), first) if len(keys) else sizes
        shared, hot = np.repeat(sizes > 1, sizes), np.repeat(held > self.max_pieces, sizes)
        columns = {"key": rows["range"].to_numpy()[shared], "anchor": keys[shared], "hot": pa.array(hot[shared])}
        run = write_run(self.store, arguments["output"], pa.table(columns, schema=SHARED), SHARED_ORDER)
        counts = {"shared": int((sizes > 1).sum()), "hot": int(((sizes > 1) & (held > self.max_pieces)).sum())}
        return {"run": run.as_json(), "counts": counts}


class SendPieces(_OverTexts):
    """Worker of `pieces`; config besides: {shared, part_bytes}."""

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        low, high = key_range(arguments["partition"], arguments["partitions"])
        shared = gather(self.store, load_runs(self.store, self.config["shared"]), SHARED, low, high, SHARED_ORDER)
        texts = Range(self.rows(low, high), self.config["min_bytes"])
        hot = shared["hot"].to_numpy(zero_copy_only=False).astype(bool)
        sent = texts.sent(shared["anchor"].to_numpy(), hot)
        found = write_run(self.store, f"{arguments['output']}-found", texts.found(), ORDER)
        runs = [
            write_run(self.store, f"{arguments['output']}-{number:04d}", block, PIECE_ORDER)
            for number, block in enumerate(texts.blocks(sent, self.config["part_bytes"]))
        ]
        counts = {"pieces": sum(run.rows for run in runs), "found": found.rows}
        return {"run": found.as_json(), "runs": [run.as_json() for run in runs], "counts": counts}


def sent_runs(markers: list[dict[str, Any]]) -> list[Run]:
    """Return the runs of pieces of the markers of `pieces`."""
    return [Run(**run) for marker in markers for run in marker["runs"]]


class CompareWindows:
    """Worker of `windows`. config: {pieces, min_bytes}."""

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        self.store, self.pieces = store, load_runs(store, config["pieces"])
        self.min_bytes = config["min_bytes"]

    def close(self) -> None:
        """Nothing is held."""

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        low, high = key_range(arguments["partition"], arguments["partitions"])
        rows = gather(self.store, self.pieces, PIECE, low, high, PIECE_ORDER)
        run = write_run(self.store, arguments["output"], self._found(rows), ORDER)
        return {"run": run.as_json(), "counts": {"found": run.rows}}

    def _found(self, rows: pa.Table) -> pa.Table:
        if not rows.num_rows:
            return FOUND.empty_table()
        ids, data = rows["id"].combine_chunks(), rows["bytes"].combine_chunks()
        words = id_words(ids)
        other = np.concatenate([[False], (words[1:] != words[:-1]).any(axis=1)])
        starts, windows = (rows[name].to_numpy().astype(np.int64) for name in ("start", "windows"))
        body, begins = string_buffers(data)
        found = Pieces(rows["key"].to_numpy(), np.cumsum(other), starts, windows, begins[:-1].astype(np.int64))
        flags = repeated_windows(body, found, self.min_bytes)
        owners, starts, ends = runs_of_windows(found, flags, self.min_bytes)
        return found_rows(ids.take(pa.array(owners)), starts, ends)


class FitCuts(_OverTexts):
    """Worker of `cuts`; config besides: {found, min_characters}."""

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        low, high = key_range(arguments["partition"], arguments["partitions"])
        found = gather(self.store, load_runs(self.store, self.config["found"]), FOUND, low, high, ORDER)
        rows = self.rows(low, high)
        rows = rows.filter(pc.is_in(rows["id"], found["id"].combine_chunks()))
        run = write_run(self.store, arguments["output"], self._cuts(rows, found), ORDER)
        return {"run": run.as_json(), "counts": {"cuts": run.rows}}

    def _cuts(self, rows: pa.Table, found: pa.Table) -> pa.Table:
        if not rows.num_rows:
            return CUT.empty_table()
        ids = rows["id"].combine_chunks()
        owner = pc.index_in(found["id"], ids).to_numpy()  # ascends: both lie in the order of ids
        bounds = np.searchsorted(owner, np.arange(len(ids) + 1)).astype(np.int64)
        starts, ends = (found[name].to_numpy().astype(np.int64) for name in ("start", "end"))
        text, view = rows["text"].combine_chunks(), rows["kept"].combine_chunks()
        owners, begins, past = cuts(text, view, bounds, starts, ends, self.config["min_characters"])
        return found_rows(ids.take(pa.array(owners)), begins, past)
