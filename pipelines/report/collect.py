"""From committed manifests to a report's data: statistics as they stand, and a few records as samples.

Counts come from the manifests. Samples come from the first rows of a few shards: shards are sorted by id, and ids
are digests, so their first rows are as good as drawn by lot, and the same on every machine.
"""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from itertools import islice
from typing import Any, TypeVar

from filters.rules import Rule
from manifests.ledger import Account
from manifests.manifest import Manifest
from manifests.store import Store, arrow_file
from pipelines.recipe import CRAWLED
from pipelines.report.audio_data import audio_data
from pipelines.report.code_collect import NO_HISTOGRAM, code_data
from pipelines.report.code_data import CodeData
from pipelines.report.crawl_data import CrawlData, crawl_data
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
)
from pipelines.report.encode_data import mixture_data, tokens_data
from pipelines.report.images_data import images_data
from pipelines.report.instruct_data import instruct_data
from pipelines.report.interleave_data import interleave_data
from pipelines.report.late_collect import late_of
from pipelines.report.samples import spread
from pipelines.report.scorers import scorers_of
from pipelines.report.trained import tokenizer_data
from pipelines.report.video_data import video_data
from pipelines.stages.judges import from_json, is_measured
from pipelines.stages.statistics import edges_of

SAMPLES = 6
PAIRS = 4
SAMPLE_CHARACTERS = 4000
SHARDS_LOOKED_AT = 8
LANGUAGES_NAMED = 4  # of a rule
ROWS_LOOKED_AT = 1024  # of a shard
_SHOWN = ("uri", "source", "language", "language_score", "title", "text")
_GONE = ("verdict", "reason", "reasons", "kept_id", "similarity")
_OUTPUT = ("documents", "warc", "images", "audio", "video", "repositories")
_NAMES = {"interleave": "interleaved documents"}
M = TypeVar("M")
_ROUTES = ("skipped", "quarantined", "refused", "dropped", "merged")


def collect(store: Store, manifests: Mapping[str, Manifest]) -> ReportData:
    """Return the report of all snapshots there are: crawl, text, images, audio, video, code, interleave, tokenizer.

    Where no text was made, it is that of the crawl and of the media alone.
    """
    report = _of_text(store, manifests) if "text" in manifests else _without_text(manifests)
    crawled, interleaved = manifests.get("crawl"), manifests.get("interleave")
    return replace(
        report,
        crawl=None if crawled is None else crawl_data(crawled),
        images=_media(store, manifests.get("images"), images_data),
        audio=_media(store, manifests.get("audio"), audio_data),
        video=_media(store, manifests.get("video"), video_data),
        code=_code(store, manifests.get("code")),
        interleave=None
        if interleaved is None
        else interleave_data(store, interleaved, funnel_of(interleaved["ledger"])),
        tokens=tokens_data(manifests["tokens"]) if "tokens" in manifests else None,
        mixture=mixture_data(manifests["mixture"]) if "mixture" in manifests else None,
        instruct=instruct_data(store, manifests["instruct"]) if "instruct" in manifests else None,
    )


def _of_text(store: Store, manifests: Mapping[str, Manifest]) -> ReportData:
    """Return the report of a text snapshot and of the tokenizer trained on it."""
    text, trained = manifests["text"], manifests.get("tokenizer")
    statistics, rules = text["statistics"], from_json(text["settings"]["rules"])
    published = [_sample(row) for row in _rows(store, text, "documents", _SHOWN)]
    sources, funnel = _sources(text), funnel_of(text["ledger"])
    gone = [row for row in _rows(store, text, "dropped", (*_SHOWN, *_GONE)) if row["text"] is not None]
    dropped = (_sample(row) for row in gone if row["verdict"] == "dropped")
    crawled = manifests.get("crawl")
    return ReportData(
        title=f"Text corpus of {_origin(sources, None if crawled is None else crawl_data(crawled))}",
        funnel=funnel,
        sources=sources,
        rules=tuple(_rule_counts(rules, text)),
        languages=tuple(_language(code, counts) for code, counts in statistics.get("languages", {}).items()),
        histograms=_histograms(rules, statistics.get("histograms", {})),
        kept_samples=spread(published, lambda each: each.language, SAMPLES),
        dropped_samples=spread(dropped, lambda each: each.reasons[:1], SAMPLES),
        near_duplicates=tuple(_pairs(store, text, gone)),
        clusters=_clusters(statistics.get("clusters", {})),
        tokenizer=None if trained is None else tokenizer_data(store, trained, published),
        late=late_of(store, text, funnel),
        scorers=scorers_of(text["settings"].get("stage", {}).get("watch", {})),
        provenance=_provenance(manifests, "text"),
    )


def _without_text(manifests: Mapping[str, Manifest]) -> ReportData:
    """Return the report of a crawl or of media that no text job has read."""
    media = [job for job in ("images", "audio", "video", "code") if job in manifests]
    if not media:
        title = f"Crawl of {_hosts(crawl_data(manifests['crawl']))}"
    else:
        *others, last = media
        title = f"{', '.join(others)} and {last}".capitalize() if others else last.capitalize()
    first = "crawl" if "crawl" in manifests else next(iter(media))
    return ReportData(title=title, funnel=Funnel(0, 0), scorers=(), provenance=_provenance(manifests, first))


def _media(
    store: Store,
    made: Manifest | None,
    read: Callable[[Store, Manifest, Funnel, tuple[RuleCount, ...]], M],
) -> M | None:
    """Return what the report shows of a media snapshot."""
    if made is None:
        return None
    rules = tuple(_rule_counts(from_json(made["settings"]["rules"]), made))
    return read(store, made, funnel_of(made["ledger"]), rules)


def _code(store: Store, made: Manifest | None) -> CodeData | None:
    """Return what the report shows of a code snapshot."""
    if made is None:
        return None
    rules = from_json(made["settings"]["rules"])
    spread_out = [rule for rule in rules if not rule.numerator.startswith(NO_HISTOGRAM)]
    histograms = _histograms(spread_out, made["statistics"].get("histograms", {}))
    return code_data(store, made, funnel_of(made["ledger"]), tuple(_rule_counts(rules, made)), histograms)


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
    expanded = account.get("expanded", {"in": 0, "out": 0})
    counts: tuple[Any, ...] = (*ways.values(), account["lost_bytes"], expanded["in"], expanded["out"])
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
        return f"{len(rule.overrides)} languages" if rule.overrides else "all others"
    bounds = [f"{sign} {bound:,g}" for sign, bound in (("≥", rule.min), ("≤", rule.max)) if bound is not None]
    if not bounds and rule.overrides:
        return f"bounds of their own in {len(rule.overrides)} languages"
    others = f", other in {len(rule.overrides)} languages" if rule.overrides else ""
    return " and ".join(bounds) + _only(rule) + others


def _only(rule: Rule) -> str:
    languages = sorted(rule.languages or ())
    if not languages:
        return ""
    return f" (only in {', '.join(languages) if len(languages) <= LANGUAGES_NAMED else f'{len(languages)} languages'})"


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


def _provenance(manifests: Mapping[str, Manifest], first: str) -> Provenance:
    """Return where a snapshot comes from; the others are those that the report shows too."""
    made = manifests[first]
    shown = [made] if first in ("text", "crawl") else manifests.values()
    shards = [shard for each in shown for shard in each["shards"] if shard["kind"] in _OUTPUT]
    versions = made["settings"].get("versions", {})
    parts = ", ".join(f"{name} {number}" for name, number in sorted(versions.items()) if isinstance(number, int))
    digests = {
        f"manifest digest of the {_NAMES.get(job, job)}": m["digest"] for job, m in manifests.items() if job != first
    }
    models = made.get("models", {}) if first == "text" else {}
    return Provenance(
        manifest_digest=made["digest"],
        plan_hash=made.get("plan_hash", ""),
        version=_own_version(),
        recipe=json.dumps(made["settings"], indent=2, ensure_ascii=False, sort_keys=True),
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
