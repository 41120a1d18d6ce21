"""From a committed code snapshot to what the report shows of it: statistics as they stand, a few rows as samples."""

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

from manifests.manifest import Manifest
from manifests.store import Store, arrow_file
from pipelines.report.code_data import CodeData, Repository, SourceFile
from pipelines.report.contact import in_turn
from pipelines.report.counts import Funnel, Histogram, RuleCount
from pipelines.report.samples import spread

FILES_SHOWN = 6
REPOSITORIES_SHOWN = 12
SHARDS_LOOKED_AT = 8
ROWS_LOOKED_AT = 256
CHARACTERS_SHOWN = 4000
# signals without a histogram: yes or no, and what is measured in a few languages only
NO_HISTOGRAM = ("is_", "has_", "license_", "visible_", "comment_", "issue_")
_SHOWN = ("uri", "title", "language", "license", "text", "signals")
_GONE = ("verdict", "reason", "reasons")
Row = Mapping[str, Any]


def code_data(
    store: Store, manifest: Manifest, funnel: Funnel, rules: tuple[RuleCount, ...], histograms: tuple[Histogram, ...]
) -> CodeData:
    """Return what the report shows of a code manifest; the rest is of its ledger and statistics."""
    stated, settings = manifest["statistics"], manifest["settings"]
    kept = (_file(row) for row in _rows(store, manifest, "documents", _SHOWN))
    gone = _rows(store, manifest, "dropped", (*_SHOWN, *_GONE))
    dropped = (_file(row) for row in gone if row["text"] is not None and row["verdict"] == "dropped")
    return CodeData(
        funnel=funnel,
        rules=rules,
        histograms=histograms,
        **{
            name: stated[name]
            for name in ("kept_bytes", "languages", "licenses", "license_classes", "masked")
            if name in stated
        },
        classes_kept=tuple(settings["licenses"]["keep"]),
        detector=settings["stage"]["versions"]["licenses"],
        repository_documents=sum(shard["records"] for shard in manifest["shards"] if shard["kind"] == "repositories"),
        files={
            "kept": spread(kept, lambda each: each.language, FILES_SHOWN),
            "dropped": spread(dropped, lambda each: each.reasons[:1], FILES_SHOWN),
        },
        repositories=tuple(_repositories(store, manifest)),
    )


def _rows(store: Store, manifest: Manifest, kind: str, columns: Iterable[str]) -> Iterable[dict[str, Any]]:
    """Return rows of a few shards, the first of each, then the second of each: shards are in the order of digests."""
    import pyarrow.parquet as pq

    shards = [shard for shard in manifest["shards"] if shard["kind"] == kind]
    found = []
    for shard in shards[:: max(1, len(shards) // SHARDS_LOOKED_AT)][:SHARDS_LOOKED_AT]:
        with arrow_file(store, shard["name"]) as file:
            batches = pq.ParquetFile(file).iter_batches(ROWS_LOOKED_AT, columns=list(columns))
            found.append([row for batch in islice(batches, 1) for row in batch.to_pylist()])
    return in_turn(found)


def _file(row: Row) -> SourceFile:
    reasons: tuple[str, ...] = ()
    if row.get("verdict") == "dropped":
        others = [reason for reason in row["reasons"] if not row["reason"].startswith(reason)]
        reasons = (row["reason"], *others)
    measured = row["signals"]
    return SourceFile(
        repository=measured["repository"] or "",
        path=row["title"] or row["uri"],
        text=row["text"][:CHARACTERS_SHOWN],
        language=row["language"] or "",
        license=row["license"] or "",
        stars=measured["stars"],
        reasons=reasons,
    )


def _repositories(store: Store, manifest: Manifest) -> Iterable[Repository]:
    rows = _rows(store, manifest, "repositories", ("repository", "number", "files", "languages", "licenses"))
    first = sorted((row for row in rows if row["number"] == 0), key=lambda row: (-len(row["files"]), row["repository"]))
    for row in first[:REPOSITORIES_SHOWN]:
        yield Repository(row["repository"], len(row["files"]), tuple(row["languages"]), tuple(row["licenses"]))
