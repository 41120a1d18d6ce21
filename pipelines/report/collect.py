"""From committed manifests to a report's data: statistics as they stand, and a few records as samples.

Counts come from the manifests. Samples come from the first rows of a few shards: shards are sorted by id, and ids
are digests, so their first rows are as good as drawn by lot, and the same on every machine.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any

from filters.rules import Rule
from manifests.ledger import Account
from manifests.manifest import Manifest
from manifests.store import Store, arrow_file
from pipelines.recipe import CRAWLED
from pipelines.report.crawl_data import CrawlData, crawl_data
from pipelines.report.data import (
    Clusters,
    Funnel,
    Histogram,
    ImagesData,
    LanguageCount,
    Model,
    NearDuplicate,
    Provenance,
    ReportData,
    RuleCount,
    Sample,
    Threshold,
)
from pipelines.report.images_data import images_data
from pipelines.report.samples import spread
from pipelines.report.trained import tokenizer_data
from pipelines.stages.judges import from_json, is_measured
from pipelines.stages.statistics import edges_of

SAMPLES = 6
PAIRS = 4
SAMPLE_CHARACTERS = 4000
SHARDS_LOOKED_AT = 8
ROWS_LOOKED_AT = 1024  # of a shard
_SHOWN = ("uri", "source", "language", "language_score", "title", "text")
_GONE = ("verdict", "reason", "reasons", "kept_id", "similarity")
_OUTPUT = ("documents", "warc")
_ROUTES = ("skipped", "quarantined", "refused", "dropped", "merged")


def collect(store: Store, manifests: Mapping[str, Manifest]) -> ReportData:
    """Return the report of a text snapshot, of the crawl before it and of the tokenizer trained on it, as there are.

    Where no text was made yet, it is a crawl's alone.
    """
    crawled = manifests.get("crawl")
    if crawled is not None and "text" not in manifests:
        return _of_crawl(crawled)
    text, trained = manifests["text"], manifests.get("tokenizer")
    crawl = None if crawled is None else crawl_data(crawled)
    statistics, rules = text["statistics"], from_json(text["settings"]["rules"])
    published = [_sample(row) for row in _rows(store, text, "documents", _SHOWN)]
    sources = _sources(text)
    gone = [row for row in _rows(store, text, "dropped", (*_SHOWN, *_GONE)) if row["text"] is not None]
    dropped = (_sample(row) for row in gone if row["verdict"] == "dropped")
    return ReportData(
        title=f"Text corpus of {_origin(sources, crawl)}",
        funnel=funnel_of(text["ledger"]),
        sources=sources,
        rules=tuple(_rule_counts(rules, text)),
        languages=tuple(_language(code, counts) for code, counts in statistics.get("languages", {}).items()),
        histograms=_histograms(rules, statistics.get("histograms", {})),
        kept_samples=spread(published, lambda each: each.language, SAMPLES),
        dropped_samples=spread(dropped, lambda each: each.reasons[:1], SAMPLES),
        near_duplicates=tuple(_pairs(store, text, gone)),
        clusters=_clusters(statistics.get("clusters", {})),
        tokenizer=None if trained is None else tokenizer_data(store, trained, published),
        crawl=crawl,
        images=_images(store, manifests.get("images")),
        provenance=_provenance(text, {"crawl": crawled, "images": manifests.get("images"), "tokenizer": trained}),
    )


def _images(store: Store, made: Manifest | None) -> ImagesData | None:
    """Return what the report shows of an images snapshot."""
    if made is None:
        return None
    rules = tuple(_rule_counts(from_json(made["settings"]["rules"]), made))
    return images_data(store, made, funnel_of(made["ledger"]), rules)


def _of_crawl(crawled: Manifest) -> ReportData:
    """Return the report of a crawl that no text job has read."""
    crawl = crawl_data(crawled)
    return ReportData(
        title=f"Crawl of {_hosts(crawl)}",
        funnel=Funnel(0, 0),
        crawl=crawl,
        scorers=(),
        provenance=_provenance(crawled, {}),
    )


def _origin(sources: Iterable[str], crawl: CrawlData | None) -> str:
    """Return what a corpus was made of, for its title."""
    named = [f"a crawl of {_hosts(crawl)}" if each == CRAWLED and crawl else each for each in sources]
    return ", ".join(named) if len(named) <= 3 else f"{len(named)} inputs"


def _hosts(crawl: CrawlData) -> str:
    return crawl.hosts[0].authority if crawl.host_count == 1 else f"{crawl.host_count:,} hosts"


def funnel_of(account: Mapping[str, Any]) -> Funnel:
    """Return the funnel of an account {"in": n, "out": {"verdict/reason": n}, "lost_bytes": n}."""
    ways: dict[str, dict[str, int]] = {name: {} for name in _ROUTES}
    kept = 0
    for name, count in account["out"].items():
        verdict, _, reason = name.partition("/")
        if verdict == "kept":
            kept += count
        else:
            rule = _rule_of(reason or "other")
            ways[verdict][rule] = ways[verdict].get(rule, 0) + count
    counts: tuple[Any, ...] = (*ways.values(), account["lost_bytes"])
    return Funnel(account["in"], kept, *counts)


def _rule_of(reason: str) -> str:
    """Leave out the bound: a rule may have another one in each language."""
    for sign in ("<", ">", " is "):
        reason = reason.partition(sign)[0]
    return reason


def _sources(text: Manifest) -> dict[str, Funnel]:
    """Return the funnel of every input: the sum of its units."""
    source_of = {each["unit"]: each["source"] for each in text["inputs"]}
    sums: dict[str, Account] = {}
    for unit in text["units"]:
        account = sums.setdefault(source_of[unit["unit"]], Account(unit["unit"]))
        account.read += unit["in"]
        account.reasons.update(unit["out"])
        account.lost_bytes += unit["lost_bytes"]
    return {source: funnel_of(account.as_json()) for source, account in sorted(sums.items())}


def _rule_counts(rules: Iterable[Rule], text: Manifest) -> Iterator[RuleCount]:
    first = funnel_of(text["ledger"]).dropped
    counted = text["statistics"].get("rules", {})
    for rule in rules:
        counts = counted.get(rule.name, {"objects": 0, "alone": 0})
        yield RuleCount(rule.name, counts["objects"], first.get(rule.name, 0), counts["alone"], _bounds(rule))


def _bounds(rule: Rule) -> str:
    if not is_measured(rule):
        return f"{len(rule.overrides)} languages"
    bounds = [f"{sign} {bound:,g}" for sign, bound in (("≥", rule.min), ("≤", rule.max)) if bound is not None]
    only = f" ({', '.join(sorted(rule.languages))} only)" if rule.languages else ""
    others = f", other in {len(rule.overrides)} languages" if rule.overrides else ""
    return " and ".join(bounds) + only + others


def _language(code: str, counts: Mapping[str, int]) -> LanguageCount:
    return LanguageCount(code, **{name: n for name, n in counts.items() if name in LanguageCount.__dataclass_fields__})


def _histograms(rules: Iterable[Rule], counted: Mapping[str, Any]) -> tuple[Histogram, ...]:
    """Return a histogram for each signal; two rules that read the same one share it."""
    found: dict[str, Histogram] = {}
    for rule in filter(is_measured, rules):
        bins, bounds = counted.get(rule.name), Threshold(rule.name, rule.min, rule.max)
        signal = rule.numerator if rule.per is None else f"{rule.numerator} / {rule.per}"
        if signal in found:
            found[signal] = replace(found[signal], thresholds=(*found[signal].thresholds, bounds))
        elif bins and sum(bins["kept"]) + sum(bins["gone"]):
            edges = tuple(float(edge) for edge in edges_of(rule))
            found[signal] = Histogram(signal, edges, tuple(bins["kept"]), tuple(bins["gone"]), (bounds,))
    return tuple(found.values())


def _clusters(counted: Mapping[str, Any]) -> Clusters | None:
    if not counted.get("sizes"):
        return None
    return Clusters({int(size): n for size, n in counted["sizes"].items()}, counted.get("uncompared", 0))


def _provenance(made: Manifest, beside: Mapping[str, Manifest | None]) -> Provenance:
    """Return where a snapshot comes from; `beside` are the snapshots that the report shows too."""
    shards = [shard for shard in made["shards"] if shard["kind"] in _OUTPUT]
    versions = made["settings"].get("versions", {})
    parts = ", ".join(f"{name} {number}" for name, number in versions.items() if isinstance(number, int))
    digests = {f"manifest digest of the {job}": each["digest"] for job, each in beside.items() if each is not None}
    models = made.get("models", {})
    return Provenance(
        manifest_digest=made["digest"],
        plan_hash=made.get("plan_hash", ""),
        version=_own_version(),
        recipe=json.dumps(made["settings"], indent=2, ensure_ascii=False),
        shards=len(shards),
        output_bytes=sum(shard["bytes"] for shard in shards),
        models=tuple(Model(name, "language of a document", digest) for name, digest in models.items()),
        settings={"versions of the parts": parts, **digests},
    )


def _own_version() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("corpusmill")
    except PackageNotFoundError:  # run from a checkout
        return ""


def _rows(store: Store, text: Manifest, kind: str, columns: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Give rows of a few shards: the first row of each, then the second of each, and so on."""
    import pyarrow.parquet as pq

    shards = [shard for shard in text["shards"] if shard["kind"] == kind]
    step = max(1, len(shards) // SHARDS_LOOKED_AT)
    tables = []
    for shard in shards[::step][:SHARDS_LOOKED_AT]:
        with arrow_file(store, shard["name"]) as file:
            batches = pq.ParquetFile(file).iter_batches(ROWS_LOOKED_AT, columns=list(columns))
            tables.append([row for batch in islice(batches, 1) for row in batch.to_pylist()])
    for n in range(max(map(len, tables), default=0)):
        yield from (table[n] for table in tables if n < len(table))


def _sample(row: Mapping[str, Any]) -> Sample:
    reasons: tuple[str, ...] = ()
    if row.get("verdict") == "dropped":
        others = [reason for reason in row["reasons"] if reason != _rule_of(row["reason"])]
        reasons = (row["reason"], *others)
    return Sample(
        uri=row["uri"],
        text=row["text"][:SAMPLE_CHARACTERS],
        title=row.get("title") or "",
        language=row["language"] or "und",
        language_score=row["language_score"],
        characters=len(row["text"]),
        source=row["source"],
        reasons=reasons,
    )


def _pairs(store: Store, text: Manifest, gone: Iterable[Mapping[str, Any]]) -> Iterator[NearDuplicate]:
    """Give near-duplicates beside what stays, the least similar first: those are the ones to doubt."""
    near = [row for row in gone if row["verdict"] == "merged" and row["reason"] == "near_duplicate"]
    for row in islice(sorted(near, key=lambda each: (each["similarity"], each["uri"])), PAIRS):
        if kept := _document(store, text, row["kept_id"]):
            yield NearDuplicate(_sample(kept), _sample(row), row["similarity"])


def _document(store: Store, text: Manifest, record: bytes) -> dict[str, Any] | None:
    """Return a published document by its id, from the row groups that may hold it."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    name = record.hex()
    wanted = pc.field("id") == pa.scalar(record, pa.binary(16))
    for shard in text["shards"]:
        if shard["kind"] == "documents" and shard["min_id"] <= name <= shard["max_id"]:
            with arrow_file(store, shard["name"]) as file:
                found = pq.read_table(file, columns=["id", *_SHOWN], filters=wanted).to_pylist()
            if found:
                return dict(found[0])
    return None
