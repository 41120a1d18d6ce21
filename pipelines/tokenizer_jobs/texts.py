"""The texts of a corpus, whatever job published them: documents, code, captions, transcripts; by group."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from manifests.reader import open_shard, shard_of
from manifests.store import Store
from tokenizer.groups import UNDETERMINED, Group

CODE_TYPES = "^(text/x-|application/(javascript|ecmascript|typescript|x-sh|x-python|x-httpd-php)$)"
COLUMNS = ("id", "text", "source", "language", "kind")


class Texts(NamedTuple):
    """A column of a job's shards that holds text."""

    shards: str  # kind of the shards
    text: str
    language: str | None  # column, or nobody knows
    kind: str | None  # of tokenizer.groups.KINDS; null: by the media type


READ: dict[str, tuple[Texts, ...]] = {
    "text": (Texts("documents", "text", "language", None),),
    "code": (Texts("documents", "text", "language", "code"),),
    "images": (Texts("records", "caption", "caption_language", "caption"),),
    "audio": (Texts("records", "transcript", "transcript_language", "transcript"),),
    "video": (
        Texts("records", "caption", None, "caption"),
        Texts("records", "transcript", "transcript_language", "transcript"),
    ),
}


def shards_of(manifests: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    """Return (job, shard) of every shard that holds text, by job, then as the manifests list them."""
    return [
        (job, shard)
        for job in READ
        if job in manifests
        for shard in manifests[job]["shards"]
        if shard["kind"] in {read.shards for read in READ[job]}
    ]


def text_batches(store: Store, job: str, shard: Mapping[str, Any]) -> Iterator[pa.RecordBatch]:
    """Yield batches of COLUMNS of a published shard, after its sha256 is checked; rows without text are left out."""
    chosen = [read for read in READ[job] if read.shards == shard["kind"]]
    asked = {name for read in chosen for name in (read.text, read.language) if name} | {"id", "source"}
    asked |= {"media_type"} if any(read.kind is None for read in chosen) else set()
    with open_shard(store, shard_of(shard)) as file:
        batches = pq.ParquetFile(file, page_checksum_verification=True).iter_batches(columns=sorted(asked))
        for batch in batches:
            _check(batch, shard["name"])
            for read in chosen:
                yield _named(batch, read)


def _check(batch: pa.RecordBatch, name: str) -> None:
    """Refuse text that is no UTF-8: kernels read what the first byte of a character promises."""
    try:
        batch.validate(full=True)
    except pa.ArrowInvalid as error:
        raise ValueError(f"{name}: {error}") from None


def _named(batch: Any, read: Texts) -> pa.RecordBatch:
    batch = batch.filter(pc.is_valid(batch[read.text]))
    language: Any = batch[read.language] if read.language else pa.nulls(batch.num_rows, pa.string())
    if read.kind is None:
        is_code: Any = pc.fill_null(pc.match_substring_regex(batch["media_type"], CODE_TYPES), False)
        kind = pc.if_else(is_code, "code", "text")
    else:
        kind = pa.array([read.kind] * batch.num_rows, pa.string())
    source = pc.fill_null(batch["source"], "")
    columns = [batch["id"], batch[read.text], source, pc.fill_null(language, UNDETERMINED), kind]
    return pa.RecordBatch.from_arrays(columns, names=[*COLUMNS])


def grouped(batch: pa.RecordBatch) -> Iterator[tuple[Group, pa.StringArray]]:
    """Give each group of texts of a batch (COLUMNS) and its texts, in the order of the groups' names."""
    names = list(Group._fields)
    rows = pa.table([*(batch[name] for name in names), pa.array(range(batch.num_rows))], names=[*names, "row"])
    by_group = rows.group_by(names).aggregate([("row", "list")]).sort_by([(name, "ascending") for name in names])
    columns = (column.to_pylist() for column in by_group.select([*names, "row_list"]))
    for *named, chosen in zip(*columns, strict=True):
        yield Group(*named), batch["text"].take(pa.array(sorted(chosen)))
