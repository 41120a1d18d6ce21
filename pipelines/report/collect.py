"""From committed manifests to a report's data: statistics as they stand, and a few records as samples.

Ids are digests, so the first rows of the first shard are a random sample that is the same on every machine.
"""

import itertools
import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pyarrow.parquet as pq

from filters.rules import Rule
from manifests.ledger import Account
from manifests.manifest import Manifest
from manifests.store import Store, arrow_file
from pipelines.report.data import (
    Clusters,
    Compression,
    Funnel,
    Histogram,
    LanguageCount,
    Model,
    NearDuplicate,
    Pieces,
    Provenance,
    ReportData,
    RuleCount,
    Sample,
    Threshold,
    TokenizerData,
)
from pipelines.text.judges import from_json, is_measured
from pipelines.text.statistics import edges_of

SAMPLES = 6
_LOOKED_AT = 20_000  # dropped rows that are looked through for samples
_SHOWN = 3000  # characters
_SENTENCES = 8


def collect(store: Store, manifests: Mapping[str, Manifest]) -> ReportData:
    """Return the report of a text snapshot and, where there is one, of the tokenizer trained on it."""
    text = manifests["text"]
    statistics, rules = text["statistics"], from_json(text["settings"]["rules"])
    kept = list(itertools.islice(_samples(store, text, "documents"), SAMPLES))
    dropped, near = _gone(store, text)
    trained = manifests.get("tokenizer")
    return ReportData(
        title="corpusmill",
        funnel=_funnel(text["ledger"]),
        sources=_sources(text),
        rules=tuple(_rule_counts(rules, text)),
        languages=tuple(_language(code, counts) for code, counts in statistics.get("languages", {}).items()),
        histograms=tuple(_histograms(rules, statistics.get("histograms", {}))),
        kept_samples=tuple(kept),
        dropped_samples=tuple(dropped),
        near_duplicates=tuple(near),
        clusters=_clusters(statistics.get("clusters", {})),
        tokenizer=None if trained is None else _tokenizer(store, trained, kept),
        provenance=_provenance(text),
    )


def _funnel(ledger: Mapping[str, Any]) -> Funnel:
    out: dict[str, dict[str, int]] = {}
    for name, count in ledger["out"].items():
        verdict, _, reason = name.partition("/")
        out.setdefault(verdict, {})[_rule_of(reason)] = out.get(verdict, {}).get(_rule_of(reason), 0) + count
    kept = sum(out.pop("kept", {}).values())
    return Funnel(read=ledger["in"], kept=kept, lost_bytes=ledger["lost_bytes"], **out)


def _rule_of(reason: str) -> str:
    """Leave out the bound: a rule may have another one in each language."""
    for sign in ("<", ">", " is "):
        reason = reason.partition(sign)[0]
    return reason


def _sources(text: Manifest) -> dict[str, Funnel]:
    source_of = {each["unit"]: each["source"] for each in text["inputs"]}
    sums: dict[str, Account] = {}
    for unit in text["units"]:
        account = sums.setdefault(source_of[unit["unit"]], Account(unit["unit"]))
        account.read += unit["in"]
        account.reasons.update(unit["out"])
        account.lost_bytes += unit["lost_bytes"]
    return {source: _funnel(account.as_json()) for source, account in sorted(sums.items())}


def _rule_counts(rules: Iterable[Rule], text: Manifest) -> Iterator[RuleCount]:
    first = _funnel(text["ledger"]).dropped
    for rule in rules:
        counts = text["statistics"].get("rules", {}).get(rule.name, {"objects": 0, "alone": 0})
        low, high = (None if bound is None else f"{bound:g}" for bound in (rule.min, rule.max))
        bounds = " and ".join(part for part in (low and f">= {low}", high and f"<= {high}") if part)
        yield RuleCount(rule.name, counts["objects"], first.get(rule.name, 0), counts["alone"], bounds)


def _language(code: str, counts: Mapping[str, int]) -> LanguageCount:
    return LanguageCount(code, **{name: n for name, n in counts.items() if name in LanguageCount.__dataclass_fields__})


def _histograms(rules: Iterable[Rule], counted: Mapping[str, Any]) -> Iterator[Histogram]:
    for rule in filter(is_measured, rules):
        if rule.name in counted:
            signal = rule.numerator if rule.per is None else f"{rule.numerator} / {rule.per}"
            bins = counted[rule.name]
            bound = Threshold(rule.name, rule.min, rule.max)
            yield Histogram(signal, tuple(edges_of(rule).tolist()), tuple(bins["kept"]), tuple(bins["gone"]), (bound,))


def _rows(store: Store, text: Manifest, kind: str) -> Iterator[dict[str, Any]]:
    for shard in text["shards"]:
        if shard["kind"] == kind:
            with arrow_file(store, shard["name"]) as file:
                for batch in pq.ParquetFile(file).iter_batches(batch_size=64):
                    yield from batch.to_pylist()


def _sample(row: Mapping[str, Any], reasons: tuple[str, ...] = ()) -> Sample:
    whole = row["text"] or ""
    return Sample(
        uri=row["uri"],
        text=whole[:_SHOWN],
        title=row.get("title") or "",
        language=row["language"],
        language_score=row["language_score"],
        characters=len(whole),
        source=row["source"],
        reasons=reasons,
    )


def _samples(store: Store, text: Manifest, kind: str) -> Iterator[Sample]:
    return (_sample(row) for row in _rows(store, text, kind))


def _gone(store: Store, text: Manifest) -> tuple[list[Sample], list[NearDuplicate]]:
    """Return samples of what rules dropped, one a reason first, and near-duplicates beside what stays."""
    dropped: dict[str, Sample] = {}
    merged: list[dict[str, Any]] = []
    for row in itertools.islice(_rows(store, text, "dropped"), _LOOKED_AT):
        if row["text"] is None:
            continue
        if row["verdict"] == "dropped":
            dropped.setdefault(_rule_of(row["reason"]), _sample(row, tuple(row["reasons"])))
        elif row["reason"] == "near_duplicate" and len(merged) < SAMPLES:
            merged.append(row)
    kept = _by_id(store, text, {row["kept_id"] for row in merged})
    near = [NearDuplicate(_sample(kept[row["kept_id"]]), _sample(row), row["similarity"]) for row in merged]
    return list(dropped.values())[:SAMPLES], near


def _by_id(store: Store, text: Manifest, ids: set[bytes]) -> dict[bytes, dict[str, Any]]:
    from pipelines.trace import rows_with_ids

    return rows_with_ids(store, text, "documents", ids)


def _clusters(counted: Mapping[str, Any]) -> Clusters | None:
    if not counted.get("sizes"):
        return None
    return Clusters({int(size): n for size, n in counted["sizes"].items()}, counted.get("uncompared", 0))


def _tokenizer(store: Store, trained: Manifest, kept: Iterable[Sample]) -> TokenizerData:
    import sentencepiece

    model = next(shard for shard in trained["shards"] if shard["kind"] == "model")
    processor = sentencepiece.SentencePieceProcessor(model_proto=store.read(model["name"]))
    by_language = trained["statistics"]["evaluation"]["languages"]
    sentences = {each.language: _sentence(each.text) for each in kept}
    return TokenizerData(
        algorithm="bpe",
        vocabulary=processor.get_piece_size(),
        digest=model["sha256"],
        distinct_words=sum(shard["records"] for shard in trained["shards"] if shard["kind"] == "counts"),
        compression=tuple(
            Compression(code, counts["bytes"], counts["characters"], counts["tokens"])
            for code, counts in sorted(by_language.items())
        ),
        samples=tuple(
            Pieces(code, sentence, tuple(processor.encode(sentence, out_type=str)))
            for code, sentence in list(sentences.items())[:_SENTENCES]
            if sentence
        ),
    )


def _sentence(text: str) -> str:
    lines = [line.strip() for line in text.split("\n") if len(line.strip()) >= 20]
    return lines[0][:160] if lines else text.strip()[:160]


def _provenance(text: Manifest) -> Provenance:
    shards = text["shards"]
    return Provenance(
        manifest_digest=text["digest"],
        plan_hash=text.get("plan_hash", ""),
        recipe=json.dumps(text["settings"], indent=2, ensure_ascii=False),
        shards=sum(shard["kind"] == "documents" for shard in shards),
        output_bytes=sum(shard["bytes"] for shard in shards),
        models=tuple(Model(name, "language identification", digest) for name, digest in text["models"].items()),
    )
