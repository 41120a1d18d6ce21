"""What other snapshots keep: new documents that are like one of theirs are merged into it, never the other way round.

known  shard of another snapshot -> the bands of its documents

The bands are those of the text that the other snapshot published, made with this recipe's settings: a snapshot needs no
bands beside it, whatever settings or edits it had. They are made once for a snapshot and setting.

Among clusters a known document stands under a *node*, an id that no record of this job has: its own with the second
half mixed with the other snapshot's digest. So nodes lie in the same key ranges as ids, and a record that both
snapshots hold is two nodes.
"""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from filters import minhash, segmentation
from filters.clusters import id_column, id_words
from filters.minhash import MinHash
from filters.shingle_match import shingle_sets
from manifests.contents import DOCUMENTS
from manifests.keys import KEY_SPACE, digest_of, keys_of
from manifests.manifest import Manifest
from manifests.reader import ManifestError, open_shard, read_manifest, shard_of
from manifests.records import ID
from manifests.runs import Run, write_run
from manifests.shards import Shard
from manifests.store import Store, open_store
from pipelines.launcher import Launcher
from pipelines.stages.duplicate_rows import BAND
from pipelines.stages.ranges import numbered
from pipelines.tasks import Phase, Task
from pipelines.text.block import Snapshot

VERSION = 1
JOB = "text"
_TEXTS = pa.schema([("id", ID), ("text", pa.string())])
_BATCH_ROWS = 1024


@dataclass(frozen=True)
class Others:
    """Snapshots of other outputs, in the order in which they are asked."""

    places: tuple[tuple[str, int], ...]  # (URI of the output, version): where they lie, in no key
    digests: tuple[str, ...]

    @classmethod
    def find(cls, wanted: Sequence[Snapshot], own: Store) -> "Others":
        """Look up the snapshots that a recipe names.

        Raises ManifestError where there is none, ValueError where the newest of the job's own output is asked for.
        """
        places, digests = [], []
        for each in wanted:
            store = open_store(each.uri)
            if each.version is None and store.uri == own.uri:
                raise ValueError(f"text.dedup.against: {each.uri} is this output; say which version of it")
            version, manifest = _manifest(store, each.version)
            places.append((each.uri, version))
            digests.append(str(manifest["digest"]))
        return cls(tuple(places), tuple(digests))

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> "Others":
        """Return those of a worker's config; none where it names none."""
        places = tuple((uri, version) for uri, version in config.get("places", ()))
        return cls(places, tuple(config.get("others", ())))

    def key(self) -> dict[str, Any]:
        """Return what later phases depend on, nothing where there are no others."""
        return {"others": list(self.digests)} if self.digests else {}

    def beside(self) -> dict[str, Any]:
        """Return what workers need to find them, nothing where there are no others."""
        return {"places": [list(place) for place in self.places]} if self.digests else {}

    def shards(self, other: int) -> tuple[Store, list[Shard]]:
        """Return a snapshot's store and its shards of documents; raises ManifestError where it is another by now."""
        uri, version = self.places[other]
        store = open_store(uri)
        manifest = read_manifest(store, JOB, version)
        if manifest["digest"] != self.digests[other]:
            raise ManifestError(f"{uri}, snapshot {version}: digest {manifest['digest']}, was {self.digests[other]}")
        return store, [shard for shard in map(shard_of, manifest["shards"]) if shard.kind == DOCUMENTS]

    def members(self, nodes: pa.Array, other: int) -> pa.Table:
        """Return {id, text} of the documents of a snapshot that are among the nodes, by id."""
        ids = node_ids(nodes, self.digests[other])
        store, shards = self.shards(other)
        tables = [_rows_of(store, shard, ids) for shard in shards]
        found = pa.concat_tables([_TEXTS.empty_table(), *tables]).combine_chunks()
        return found.take(pc.sort_indices(found["id"].cast(pa.binary())))


def _manifest(store: Store, version: int | None) -> tuple[int, Manifest]:
    from manifests.manifest import newest_version

    number = newest_version(store, JOB) if version is None else version
    return number, read_manifest(store, JOB, number)


def node_ids(ids: pa.Array, digest: str) -> pa.Array:
    """Return the nodes of a snapshot's documents, or the documents of nodes: binary(16), shape (len(ids),)."""
    words = id_words(ids)
    words[:, 1] ^= np.uint64(int(digest[:16], 16) | 1)
    return id_column(words)


def text_digests(text: pa.StringArray) -> pa.Array:
    """Return the digest of each text, as `view_digest` of staged signals."""
    return pa.array([hashlib.sha256(value.as_buffer()).digest()[:16] for value in text], ID)


def shingled(text: pa.StringArray, ngram: int) -> tuple[pa.ListArray, pa.Array]:
    """Return the sorted unique shingle hashes of each text, and its number of words."""
    words = segmentation.segment(text)
    hashes, offsets = shingle_sets(words, np.ones(len(words.starts), np.uint8), ngram)
    lists = pa.ListArray.from_arrays(pa.array(offsets, pa.int32()), pa.array(hashes, pa.uint64()))
    return lists, pa.array(np.diff(words.doc_offsets), pa.int64())


def bands(ids: pa.Array, text: pa.StringArray, near: Mapping[str, int] | None) -> pa.Table:
    """Return the rows of BAND of whole texts: one for the digest of each, and one for each band."""
    keys, owners = [keys_of(text_digests(text))], [np.arange(len(ids))]
    if near is not None:
        words, hashing = segmentation.segment(text), MinHash(**near)
        inside = np.ones(len(words.starts), np.uint8)
        banded = minhash.band_keys(minhash.signatures(words, inside, hashing), hashing)
        spoken = np.flatnonzero(np.diff(words.doc_offsets) > 0)
        keys.append(banded[spoken].ravel())
        owners.append(np.repeat(spoken, hashing.bands))
    columns = {"key": np.concatenate(keys), "id": ids.take(pa.array(np.concatenate(owners)))}
    return pa.table(columns, schema=BAND)


class BandKnown:
    """Worker of `known`. config: {others, near: MinHash as JSON or null, version, places}."""

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        self.store, self.others, self.near = store, Others.from_config(config), config["near"]

    def close(self) -> None:
        """Nothing is held."""

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """arguments: {other, shard: its number among the snapshot's, output}."""
        store, shards = self.others.shards(arguments["other"])
        digest = self.others.digests[arguments["other"]]
        tables = [BAND.empty_table()]
        with open_shard(store, shards[arguments["shard"]]) as file:
            for batch in pq.ParquetFile(file, page_checksum_verification=True).iter_batches(
                _BATCH_ROWS, columns=_TEXTS.names
            ):
                tables.append(bands(node_ids(batch["id"], digest), batch["text"], self.near))
        run = write_run(self.store, arguments["output"], pa.concat_tables(tables), ("key", "id"))
        return {"run": run.as_json(), "counts": {"bands": run.rows}}


def known_bands(launcher: Launcher, job: str, others: Others, near: Mapping[str, int] | None) -> list[Run]:
    """Return the runs of the bands of every document that the other snapshots keep."""
    config: dict[str, Any] = {"near": None if near is None else dict(near), "version": VERSION}
    tasks = [task for other in range(len(others.digests)) for task in _tasks(job, config, others, other)]
    config |= {"others": list(others.digests), **others.beside()}
    markers = launcher.run(job, Phase("known", tasks, "pipelines.text.other_corpora:BandKnown", config))
    return [Run(**marker["run"]) for marker in markers]


def _tasks(job: str, config: Mapping[str, Any], others: Others, other: int) -> Iterator[Task]:
    """Yield a task a shard, under a key of the snapshot and the settings alone: a job with other `against` finds it."""
    stem = f"{job}/known/{digest_of({**config, 'snapshot': others.digests[other]})[:32]}"
    for number, name in numbered(stem, len(others.shards(other)[1])):
        yield Task(f"{name}.json", {"other": other, "shard": number, "output": name})


def _rows_of(store: Store, shard: Shard, ids: pa.Array) -> pa.Table:
    """Return {id, text} of the documents of a shard that are among `ids`; only row groups that hold some are read."""
    wanted = np.sort(keys_of(ids))
    if not _meets(wanted, bytes.fromhex(shard.min_id or ""), bytes.fromhex(shard.max_id or "")):
        return _TEXTS.empty_table()
    tables = []
    with open_shard(store, shard) as file:
        parquet = pq.ParquetFile(file, page_checksum_verification=True)
        for group in range(parquet.metadata.num_row_groups):
            held = parquet.read_row_group(group, ["id"])["id"]
            chosen = pc.is_in(held, ids)
            if pc.any(chosen).as_py():
                rows = parquet.read_row_group(group, _TEXTS.names)
                tables.append(rows.filter(chosen).cast(_TEXTS))
    return pa.concat_tables([_TEXTS.empty_table(), *tables])


def _meets(wanted: np.ndarray, least: bytes, most: bytes) -> bool:
    """Return whether one of the keys may be that of an id in [least, most]."""
    low, high = int.from_bytes(least[:8]), int.from_bytes(most[:8]) if most else KEY_SPACE - 1
    first = int(np.searchsorted(wanted, np.uint64(low), "left"))
    return first < len(wanted) and int(wanted[first]) <= high
