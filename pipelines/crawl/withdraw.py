"""Withdraw: an owner's no that comes later also holds for what an earlier visit kept.

Files are never changed: a snapshot lists, beside its WARC files, which of their records are withdrawn, and whoever
reads a snapshot leaves them out (pipelines.sources.withdrawn). Their lines in the CDXJ index stay.
"""

from collections.abc import Mapping
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from manifests.runs import gather, load_runs
from manifests.shards import write_shard
from manifests.store import Store
from pipelines.crawl.cdxj import CdxLine
from pipelines.crawl.records import WITHDRAWN

ORDER = ("key", "url_id")
MAX_SAID_CHARS = 512
KIND = "withdrawn"


def withdrawals(before: pa.Table, frontier: pa.Table, last: pa.Table, number: int) -> pa.Table:
    """Return the WITHDRAWN rows after round `number`.

    `before` are those so far, `frontier` is that of before the round (a URL has `fetched_s` if it was ever kept),
    `last` the round's last outcome of each URL. A URL that is kept again, or has not changed, is no longer withdrawn.
    """
    allowed = last.filter(pc.is_in(last["state"], pa.array(["kept", "unchanged"])))["url_id"].combine_chunks()
    stay = before.filter(pc.invert(pc.is_in(before["url_id"], allowed)))
    had = frontier.filter(pc.is_valid(frontier["fetched_s"]))["url_id"].combine_chunks()
    refused = last.filter(pc.and_(pc.equal(last["state"], "refused"), pc.is_in(last["url_id"], had)))
    new = refused.filter(pc.invert(pc.is_in(refused["url_id"], stay["url_id"].combine_chunks())))
    rows = pa.concat_tables([stay, _told(new, number)])
    return rows.take(pc.sort_indices(rows, sort_keys=[(name, "ascending") for name in ORDER])).combine_chunks()


def _told(refused: pa.Table, number: int) -> pa.Table:
    """Return OUTCOME rows as WITHDRAWN rows."""
    since = pc.cast(pc.round(pc.multiply(refused["ended_s"], 1e6)), pa.int64())
    columns = {
        **{name: refused[name] for name in ("key", "url_id", "url", "reason")},
        "said": pc.utf8_slice_codeunits(pc.coalesce(refused["policy"], refused["detail"]), 0, MAX_SAID_CHARS),
        "since": pc.cast(since, WITHDRAWN.field("since").type),
        "round": pa.array([number] * refused.num_rows, pa.int32()),
    }
    return pa.table([columns[name] for name in WITHDRAWN.names], schema=WITHDRAWN)


class FindWithdrawn:
    """Worker: the records of one WARC file that are withdrawn. config: {withdrawn: list of runs, folder}."""

    def __init__(self, store: Store, config: Mapping[str, Any]) -> None:
        self.store = store
        rows = gather(store, load_runs(store, config["withdrawn"]), WITHDRAWN, order=ORDER)
        self.rows = {row["url"]: row for row in rows.drop_columns(["key", "url_id"]).to_pylist()}
        self.folder = config["folder"]

    def close(self) -> None:
        """Nothing is held."""

    def run(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """arguments: {index: name of the file's CDXJ}."""
        index = arguments["index"]
        folder, _, name = index.rpartition("/")
        found = []
        for text in self.store.read(index).decode().splitlines():
            line, file = CdxLine.parse(text)
            if row := self.rows.get(line.url):
                found.append({"file": f"{folder}/{file}", "offset": line.offset, **row})
        counts = {"withdrawn": len(found)}
        if not found:
            return {"shards": [], "counts": counts}
        table = pa.Table.from_pylist(found, _RECORDS).sort_by("offset")
        table = table.rename_columns(["file", "offset", "uri", *_MORE])
        stem = f"{self.folder}/{folder.rpartition('/')[2]}-{name.removesuffix('.cdxj')}"
        return {"shards": [write_shard(self.store, stem, KIND, table).as_json()], "counts": counts}


_MORE = ("reason", "said", "since", "round")
_RECORDS = pa.schema(
    [("file", pa.string()), ("offset", pa.int64()), *(WITHDRAWN.field(name) for name in ("url", *_MORE))]
)
