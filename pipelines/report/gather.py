"""From committed manifests and a handful of stored rows to the data of a report.

Counts come from the manifests. Samples come from the first rows of a few shards: shards are sorted by id, and
ids are digests, so their first rows are as good as drawn by lot, and the same at every look.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any

from manifests.manifest import Manifest
from manifests.store import Store, arrow_file
from pipelines.report.data import (
    Clusters,
    Funnel,
    Histogram,
    LanguageCount,
    Model,
    NearDuplicate,
    Provenance,
    ReportData,
    RuleCount,
    Sample,
    Threshold,
    TokenizerData,
)

SAMPLES = 6
SAMPLE_CHARACTERS = 4000
SHARDS_LOOKED_AT = 8
ROWS_LOOKED_AT = 2048  # of a shard
PAIRS = 4
VERDICTS = ("skipped", "quarantined", "refused", "dropped", "merged")


def gather(store: Store, manifests: Mapping[str, Manifest]) -> ReportData:
    """Return the report of a text snapshot and, where there is one, of the tokenizer trained on it."""
    text = manifests["text"]
    dropped = list(_dropped(store, text))
    return ReportData(
        title="Text corpus",
        funnel=funnel_of(text["ledger"]),
        sources=_sources(text),
        rules=_rules(text),
        languages=_languages(text["statistics"]),
        histograms=_histograms(text),
        kept_samples=_spread(_kept(store, text), lambda each: each.language),
        dropped_samples=_spread(
            (_sample(row) for row in dropped if row["verdict"] == "dropped"), lambda each: each.reasons[:1]
        ),
        near_duplicates=tuple(_pairs(store, text, dropped)),
        clusters=_clusters(text["statistics"]),
        tokenizer=_tokenizer(manifests.get("tokenizer")),
        provenance=_provenance(text, manifests.get("tokenizer")),
    )


def funnel_of(account: Mapping[str, Any]) -> Funnel:
    """Return the funnel of an account {"in": n, "out": {"verdict/reason": n}, "lost_bytes": n}."""
    counts: dict[str, dict[str, int]] = {verdict: {} for verdict in VERDICTS}
    kept = 0
    for name, count in account["out"].items():
        verdict, _, reason = name.partition("/")
        if verdict == "kept":
            kept += count
        else:
            counts[verdict][reason or "other"] = count
    return Funnel(account["in"], kept, lost_bytes=account.get("lost_bytes", 0), **counts)


def _sources(text: Manifest) -> dict[str, Funnel]:
    """Return the funnel of every input: the sum of its units."""
    source_of = {each["unit"]: each["source"] for each in text["inputs"]}
    sums: dict[str, dict[str, Any]] = {}
    for account in text["units"]:
        whole = sums.setdefault(source_of[account["unit"]], {"in": 0, "out": {}, "lost_bytes": 0})
        whole["in"] += account["in"]
        whole["lost_bytes"] += account["lost_bytes"]
        for name, count in account["out"].items():
            whole["out"][name] = whole["out"].get(name, 0) + count
    return {name: funnel_of(account) for name, account in sorted(sums.items())}


def _rules(text: Manifest) -> tuple[RuleCount, ...]:
    first: dict[str, int] = {}
    for name, count in text["ledger"]["out"].items():
        verdict, _, reason = name.partition("/")
        if verdict == "dropped":
            first[_rule_of(reason)] = first.get(_rule_of(reason), 0) + count
    counts = text["statistics"].get("rules", {})
    rules = [(rule["name"], rule, counts[rule["name"]]) for rule in text["settings"]["rules"] if rule["name"] in counts]
    return tuple(
        RuleCount(name, count["objects"], first.get(name, 0), count["alone"], _bounds(rule))
        for name, rule, count in rules
    )


def _rule_of(reason: str) -> str:
    """Return the rule of a reason such as gopher_v1/word_count<50."""
    for sign in ("<", ">", " is NaN"):
        reason = reason.partition(sign)[0]
    return reason


def _bounds(rule: Mapping[str, Any]) -> str:
    bounds = [f"{sign} {rule[side]:g}" for sign, side in (("≥", "min"), ("≤", "max")) if rule[side] is not None]
    only = f" ({', '.join(rule['languages'])} only)" if rule["languages"] else ""
    return " and ".join(bounds) + only + (" *" if rule["overrides"] else "")


def _languages(statistics: Mapping[str, Any]) -> tuple[LanguageCount, ...]:
    names = ("kept", "dropped", "merged", "kept_bytes", "dropped_bytes", "merged_bytes")
    return tuple(
        LanguageCount(language or "und", **{name: counts.get(name, 0) for name in names})
        for language, counts in statistics.get("languages", {}).items()
    )


def _histograms(text: Manifest) -> tuple[Histogram, ...]:
    from pipelines.text.judges import from_json
    from pipelines.text.statistics import edges_of

    counts = text["statistics"].get("histograms", {})
    histograms: dict[str, Histogram] = {}
    for rule in from_json(text["settings"]["rules"]):
        if rule.name not in counts:
            continue
        signal = rule.numerator if rule.per is None else f"{rule.numerator} / {rule.per}"
        kept, gone = (tuple(counts[rule.name][side]) for side in ("kept", "gone"))
        bounds = Threshold(rule.name, rule.min, rule.max)
        if signal in histograms:
            bounds_so_far = histograms[signal].thresholds
            histograms[signal] = replace(histograms[signal], thresholds=(*bounds_so_far, bounds))
        elif sum(kept) + sum(gone):
            edges = tuple(float(edge) for edge in edges_of(rule))
            histograms[signal] = Histogram(signal, edges, kept, gone, (bounds,))
    return tuple(histograms.values())


def _clusters(statistics: Mapping[str, Any]) -> Clusters | None:
    clusters = statistics.get("clusters")
    if not clusters:
        return None
    sizes = {int(size): count for size, count in clusters.get("sizes", {}).items()}
    return Clusters(sizes, clusters.get("uncompared", 0))


def _tokenizer(manifest: Manifest | None) -> TokenizerData | None:
    """Return the tokenizer's part: the `statistics` of its manifest have the fields of TokenizerData."""
    if manifest is None:
        return None
    from pydantic import TypeAdapter

    return TypeAdapter(TokenizerData).validate_python(manifest["statistics"])


def _provenance(text: Manifest, tokenizer: Manifest | None) -> Provenance:
    from importlib.metadata import PackageNotFoundError, version

    try:
        own = version("corpusmill")
    except PackageNotFoundError:
        own = ""
    shards = [shard for shard in text["shards"] if shard["kind"] == "documents"]
    models = tuple(Model(name, "language of a document", digest) for name, digest in text.get("models", {}).items())
    versions = text["settings"].get("versions", {})
    parts = ", ".join(f"{name} {number}" for name, number in versions.items() if isinstance(number, int))
    settings = {"versions of the parts": parts} if parts else {}
    if tokenizer is not None:
        settings["tokenizer's manifest digest"] = tokenizer["digest"]
    return Provenance(
        manifest_digest=text["digest"],
        plan_hash=text.get("plan_hash", ""),
        version=own,
        recipe=json.dumps(text["settings"], indent=2, ensure_ascii=False, sort_keys=True),
        shards=len(shards),
        output_bytes=sum(shard["bytes"] for shard in shards),
        models=models,
        settings=settings,
    )


def _rows(store: Store, text: Manifest, kind: str, columns: list[str]) -> Iterator[dict[str, Any]]:
    """Give rows of a few shards, the first of each shard first."""
    import pyarrow.parquet as pq

    shards = [shard for shard in text["shards"] if shard["kind"] == kind]
    step = max(1, len(shards) // SHARDS_LOOKED_AT)
    tables = []
    for shard in shards[::step][:SHARDS_LOOKED_AT]:
        with arrow_file(store, shard["name"]) as source:
            batches = pq.ParquetFile(source).iter_batches(ROWS_LOOKED_AT, columns=columns)
            tables.append([row for batch in islice(batches, 1) for row in batch.to_pylist()])
    for n in range(max(map(len, tables), default=0)):
        yield from (table[n] for table in tables if n < len(table))


def _kept(store: Store, text: Manifest) -> Iterator[Sample]:
    columns = ["uri", "source", "language", "language_score", "title", "text"]
    return (_sample(row) for row in _rows(store, text, "documents", columns))


def _dropped(store: Store, text: Manifest) -> Iterator[dict[str, Any]]:
    columns = [
        *(
            "uri",
            "source",
            "language",
            "language_score",
            "verdict",
            "reason",
            "reasons",
            "kept_id",
            "similarity",
            "text",
        )
    ]
    return (row for row in _rows(store, text, "dropped", columns) if row["text"] is not None)


def _sample(row: Mapping[str, Any]) -> Sample:
    named = [reason for reason in row.get("reasons") or () if reason != _rule_of(row["reason"])]
    return Sample(
        uri=row["uri"] or "",
        text=row["text"][:SAMPLE_CHARACTERS],
        title=row.get("title") or "",
        language=row["language"] or "und",
        language_score=row["language_score"],
        characters=len(row["text"]),
        source=row["source"] or "",
        reasons=(row["reason"], *named) if row.get("verdict") == "dropped" else (),
    )


def _spread(samples: Iterable[Sample], kind: Any) -> tuple[Sample, ...]:
    """Choose up to SAMPLES: the first of each kind before the second of any."""
    seen: dict[Any, int] = {}
    ranked = []
    for n, sample in enumerate(islice(samples, SHARDS_LOOKED_AT * ROWS_LOOKED_AT)):
        turn = seen[kind(sample)] = seen.get(kind(sample), -1) + 1
        ranked.append((turn, n, sample))
    return tuple(sample for _, _, sample in sorted(ranked, key=lambda each: each[:2])[:SAMPLES])


def _pairs(store: Store, text: Manifest, dropped: list[dict[str, Any]]) -> Iterator[NearDuplicate]:
    near = [row for row in dropped if row["verdict"] == "merged" and row["reason"] == "near_duplicate"]
    for row in islice(sorted(near, key=lambda each: (each["similarity"], each["uri"])), PAIRS):
        kept = _document(store, text, row["kept_id"])
        if kept is not None:
            yield NearDuplicate(_sample(kept), _sample(row), row["similarity"])


def _document(store: Store, text: Manifest, record: bytes) -> dict[str, Any] | None:
    """Return a published document by its id, reading the row groups that may hold it."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    name = record.hex()
    for shard in text["shards"]:
        if shard["kind"] == "documents" and shard["min_id"] <= name <= shard["max_id"]:
            with arrow_file(store, shard["name"]) as source:
                columns = ["id", "uri", "source", "language", "language_score", "title", "text"]
                table = pq.read_table(source, columns=columns, filters=pc.field("id") == record)
                if table.num_rows:
                    return dict(table.to_pylist()[0])
    return None
