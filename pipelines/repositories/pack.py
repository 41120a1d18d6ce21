"""Pack: the kept files of each repository become repository documents, what is imported first."""

import hashlib
from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any

import pyarrow as pa

from filters.code.imports import in_order
from filters.code.packing import File, Settings, repository_documents
from manifests.keys import key_range
from manifests.records import ID
from manifests.runs import gather, load_runs, sort_table
from manifests.shards import write_shard
from manifests.store import Store
from pipelines.repositories.write import FILE, FILE_ORDER, JOB

PACK_VERSION = 1
REPOSITORY = pa.schema(
    [
        ("id", ID),
        ("repository", pa.string()),
        ("number", pa.int32()),  # of the repository's documents
        ("files", pa.list_(ID)),  # in the order in which they stand
        ("languages", pa.list_(pa.string())),
        ("licenses", pa.list_(pa.string())),  # of all its files, sorted; "none" among them
        ("text", pa.string()),
    ]
)


class PackRepositories:
    """Worker of the pack phase. config: {files: list of runs, settings: packing.Settings as JSON}."""

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        self.store, self.files = store, load_runs(store, config["files"])
        self.settings = Settings(**config["settings"])

    def close(self) -> None:
        """Nothing is held."""

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        number, count = arguments["partition"], arguments["partitions"]
        rows = gather(self.store, self.files, FILE, *key_range(number, count), FILE_ORDER)
        made = sort_table(pa.Table.from_pylist(list(self._documents(rows)), REPOSITORY), ("id",))
        stem = f"{JOB}/repositories/part-{number:05d}-of-{count:05d}"
        shards = [write_shard(self.store, stem, "repositories", made).as_json()] if made.num_rows else []
        return {"shards": shards, "counts": {"repositories": made.num_rows}}

    def _documents(self, rows: pa.Table) -> Iterator[dict[str, Any]]:
        for name, group in groupby(rows.to_pylist(), key=lambda row: row["repository"]):
            own = list(group)
            order = in_order([(row["path"], row["imports"]) for row in own])
            files = [File(own[i]["id"], own[i]["path"], own[i]["text"]) for i in order]
            by_id = {row["id"]: row for row in own}
            for number, (text, ids) in enumerate(repository_documents(name, files, self.settings)):
                held = [by_id[each] for each in ids]
                yield {
                    "id": hashlib.sha256(f"{name}\0{number}\0".encode() + b"".join(ids)).digest()[:16],
                    "repository": name,
                    "number": number,
                    "files": ids,
                    "languages": sorted({row["language"] for row in held}),
                    "licenses": sorted({row["license"] or "none" for row in held}),
                    "text": text,
                }
