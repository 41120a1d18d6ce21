"""Rows of shards -> sources, as generators see them."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from filters.instruct.publishers import publisher_of
from filters.instruct.record import Cue, Source, sha256_of
from filters.instruct.source import blocks_of, pairs_of, sections_of, tables_of
from filters.instruct.statements import Page, statements_of
from manifests.reader import open_shard, shard_of
from manifests.store import Store

ROWS_AT_ONCE = 128
COLUMNS = ("id", "uri", "fetched_at", "language", "license", "title", "text", "parts", "markup")
DOCUMENTS, SOURCES = "documents", "sources"


def sources_of(
    store: Store, entry: Mapping[str, Any], publishers: Mapping[str, int | str], *, stated: bool
) -> Iterator[list[Source]]:
    """Yield the sources of a shard of documents, or of captions and transcripts, some at a time, in order.

    stated: whether what documents state is read too; once is enough, generators have it from the facts.
    """
    shard = shard_of(entry)
    make = partial(of_document, stated=stated) if shard.kind == DOCUMENTS else of_media
    with open_shard(store, shard) as file:
        found = pq.ParquetFile(file, page_checksum_verification=True)
        columns = list(COLUMNS) if shard.kind == DOCUMENTS else None
        for batch in found.iter_batches(ROWS_AT_ONCE, columns=columns, use_threads=False):
            yield [make(row, publishers) for row in _valid(batch)]


def _valid(batch: pa.RecordBatch) -> list[dict[str, Any]]:
    return [row for row in batch.to_pylist() if row["text"]]


def of_document(row: Mapping[str, Any], publishers: Mapping[str, int | str], *, stated: bool = True) -> Source:
    """Return a document of a text snapshot as a source. Its cluster is itself: copies were merged into it."""
    text, title, language = row["text"], row["title"] or "", row["language"] or "und"
    parts, markup = row["parts"] or (), row["markup"] or ()
    blocks = blocks_of(parts, "table", "code")
    tables = tables_of(text, blocks_of(parts, "table"))
    sections = sections_of(text, blocks)
    domain, publisher = publisher_of(row["uri"], publishers)
    return Source(
        doc_id=row["id"].hex(),
        text=text,
        text_sha256=sha256_of(text),
        url=row["uri"],
        domain=domain,
        publisher=publisher,
        licence=row["license"],
        language=language,
        cluster=row["id"].hex(),
        title=title,
        fetched_at=day(row["fetched_at"]),
        sections=sections,
        tables=tables,
        faq=pairs_of(text, sections, markup),
        facts=statements_of(Page(text, language, title, tables, blocks, markup)) if stated else (),
        markup=tuple(block["content"] for block in markup),
    )


def of_media(row: Mapping[str, Any], publishers: Mapping[str, int | str]) -> Source:
    """Return a caption or transcript (SOURCE row) as a source."""
    domain, publisher = publisher_of(row["uri"], publishers)
    cues = (Cue(cue["start"], cue["end"], (cue["t0_ms"], cue["t1_ms"])) for cue in row["cues"] or ())
    return Source(
        doc_id=row["id"].hex(),
        text=row["text"],
        text_sha256=row["text_sha256"].hex(),
        url=row["uri"],
        domain=domain,
        publisher=publisher,
        licence=row["licence"],
        language=row["language"],
        cluster=row["id"].hex(),
        modality=row["modality"],
        title=row["title"] or "",
        fetched_at=row["fetched_at"],
        cues=tuple(cues),
        mentions=tuple(row["mentions"] or ()),
    )


def day(moment: datetime | None) -> str | None:
    """Return the date of a moment in ISO 8601."""
    return moment.date().isoformat() if moment else None
