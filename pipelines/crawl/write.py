"""Write: the parts' records become WARC files of at most 1 GiB, each with its CDXJ index."""

import tempfile
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from manifests.store import Store
from pipelines.crawl.compose import FilePlan, PartRef, write_file


class WriteWarc:
    """Worker of the write phase. config: {file_info: fields of the warcinfo record}."""

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        self.store, self.file_info = store, config["file_info"]

    def close(self) -> None:
        """Nothing is held."""

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """arguments: {index, parts: PartRefs as JSON, folder, kind: warc | diagnostics}."""
        plan = FilePlan(arguments["index"], tuple(PartRef(**part) for part in arguments["parts"]))
        with tempfile.TemporaryDirectory(prefix="corpusmill-") as scratch:
            file, index = write_file(
                self.store, plan, arguments["folder"], self.file_info, Path(scratch) / "file.warc.gz"
            )
        shards = [replace(file, kind=arguments["kind"]).as_json(), index.as_json()]
        return {"shards": shards, "counts": {"records": file.records, "bytes": file.bytes}}
