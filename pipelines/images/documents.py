"""What the documents of a text snapshot say of images: their addresses and alternative texts."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from filters.interleave.addresses import ADDRESSES_VERSION, address_digest, part_address
from manifests.keys import digest_of, keys_of
from manifests.manifest import Manifest
from manifests.reader import open_shard, shard_of
from manifests.records import ID
from manifests.runs import RUN_VERSION, write_run
from manifests.store import Store
from pipelines.images.captions import CAPTIONS_VERSION, plain
from pipelines.images.records import SHOWN
from pipelines.tasks import Task

DOCUMENTS_VERSION = 1
ROWS_AT_ONCE = 1024


def document_tasks(job: str, text: Manifest | None) -> list[Task]:
    """Return a task for each shard of documents; its name follows from the shard's bytes and the versions alone."""
    versions = [DOCUMENTS_VERSION, CAPTIONS_VERSION, ADDRESSES_VERSION, RUN_VERSION]
    tasks = []
    for shard in text["shards"] if text is not None else ():
        if shard["kind"] == "documents":
            stem = f"{job}/shown/{digest_of([shard, versions])[:32]}"
            tasks.append(Task(f"{stem}.json", {"shard": shard, "output": stem}))
    return tasks


class ReadDocuments:
    """Worker: the image parts of one shard of documents -> SHOWN rows. config: {}."""

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        self.store = store

    def close(self) -> None:
        """Nothing is held."""

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """arguments: {shard: its manifest entry, output}."""
        tables = [SHOWN.empty_table()]
        with open_shard(self.store, shard_of(arguments["shard"])) as file:
            found = pq.ParquetFile(file, page_checksum_verification=True)
            for batch in found.iter_batches(ROWS_AT_ONCE, columns=["id", "parts"], use_threads=False):
                tables.append(shown(batch["id"], batch["parts"]))
        run = write_run(self.store, arguments["output"], pa.concat_tables(tables), ("key", "document", "caption"))
        return {"run": run.as_json(), "counts": {"image_parts": run.rows}}


def shown(ids: pa.Array, parts: pa.ListArray) -> pa.Table:
    """Return SHOWN rows of the image parts that name something, each (address, caption) once a document."""
    flat = parts.flatten()
    sizes = pc.fill_null(pc.list_value_length(parts), 0).to_numpy()
    owners = np.repeat(np.arange(len(sizes)), sizes)
    rows = np.flatnonzero(pc.equal(flat.field("kind"), "image").to_numpy(zero_copy_only=False))
    told = pa.table({"uri": flat.field("uri"), "alt": flat.field("alt")}).take(pa.array(rows))
    addresses = [part_address(uri) if uri else None for uri in told["uri"].to_pylist()]
    made = pa.table(
        {
            "key": _keys(addresses),
            "caption": pa.array([plain(alt) if alt else None for alt in told["alt"].to_pylist()], pa.string()),
            "document": ids.take(pa.array(owners[rows])),
        },
    ).filter(pa.array([address is not None for address in addresses], pa.bool_()))
    return made.group_by(SHOWN.names, use_threads=False).aggregate([]).cast(SHOWN)


def _keys(addresses: Sequence[str | None]) -> np.ndarray:
    return keys_of(pa.array([address_digest(address or "") for address in addresses], ID))
