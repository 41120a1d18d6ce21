"""Report data made from real pages with the project's own rules, for tests of the report and for a look at it:

python tests/report_preview.py PAGE.html [documents]
"""

import html
import re
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pyarrow as pa
from resiliparse.extract.html2text import extract_plain_text

from filters import c4, fineweb, gopher, lines, segmentation
from filters.rule_sets import C4_V1, FINEWEB_V1, GOPHER_V1
from filters.rules import judge, reasons
from pipelines.report.bins import bin_counts, edges_of
from pipelines.report.data import (
    Clusters,
    Compression,
    Funnel,
    Histogram,
    LanguageCount,
    Model,
    NearDuplicate,
    Phase,
    Pieces,
    Provenance,
    ReportData,
    RuleCount,
    Sample,
    Threshold,
    TokenizerData,
)

LOCALE = re.compile(r"(?:^|[/.])([a-z]{2,3})(?:[-_][A-Z][A-Za-z]{1,3})?(?=[./]|$)")
KNOWN = frozenset(
    re.findall(r"\w+", "en ja zh de fr es ar ru ko pt it nl pl cs da sv fa el hu id nb vi uk tr ro sk hr fi ca km he")
)
SENTENCE = "Debianは、自由なオペレーティングシステムを作るという共通の目的を持つ個人の集まりです。"


def language_of(path: str) -> str:
    """Read the locale from a manual's path; English where there is none."""
    return next((code for code in LOCALE.findall(path) if code in KNOWN), "en")


def preview(pages: list[tuple[str, bytes]]) -> ReportData:
    """Return a report of these pages: real texts, signals and verdicts; stand-ins for what later phases add."""
    texts = [extract_plain_text(payload.decode("utf-8", "replace"), main_content=True) for _, payload in pages]
    read = [(path, text) for (path, _), text in zip(pages, texts, strict=True) if text.strip()]
    text, language = pa.array([t for _, t in read]), pa.array([language_of(p) for p, _ in read])
    signals = measured(text)
    rules = [*GOPHER_V1, *C4_V1, *FINEWEB_V1]
    verdicts = judge(rules, signals, language)
    said = reasons(rules, verdicts, signals, language).to_pylist()
    titles = {path: title_of(payload) for path, payload in pages}
    samples = [
        sample(path, titles[path], body, code, why)
        for (path, body), code, why in zip(read, language.to_pylist(), said, strict=True)
    ]
    merged, pairs = near_duplicates([each for each in samples if not each.reasons])
    funnel = funnel_of(len(pages), samples, merged)
    return ReportData(
        title="Manuals in forty locales",
        funnel=funnel,
        sources=sources_of(pages, samples, merged),
        rules=tuple(rule_counts(rules, verdicts)),
        languages=language_counts(samples, merged),
        histograms=tuple(histograms(rules, signals, verdicts.first < 0)),
        kept_samples=spread([s for s in samples if not s.reasons]),
        dropped_samples=spread([s for s in samples if s.reasons]),
        near_duplicates=pairs,
        clusters=Clusters({2: max(len(merged) // 2, 1), 3: 3, 5: 2}, uncompared=0) if merged else Clusters(),
        tokenizer=tokenizer_data(samples),
        provenance=PROVENANCE,
    )


def measured(text: pa.StringArray) -> pa.RecordBatch:
    words, cut = segmentation.segment(text), lines.split_lines(text)
    kept, edited = c4.c4_edit(text, words, cut)
    batches = [
        gopher.quality_signals(text, words, cut),
        gopher.repetition_signals(text, words, cut),
        edited,
        fineweb.fineweb_signals(text, words, cut, kept),
    ]
    return pa.RecordBatch.from_pydict(
        {name: column for b in batches for name, column in zip(b.schema.names, b.columns, strict=True)}
    )


def title_of(page: bytes) -> str:
    found = re.search(r"<title>(.*?)</title>", page.decode("utf-8", "replace"), re.S)
    return html.unescape(found.group(1)).strip() if found else ""


def sample(path: str, title: str, text: str, language: str, why: str | None) -> Sample:
    source = path.partition("/")[0]
    return Sample(
        f"{source}:{path.partition('/')[2]}",
        text[:4000],
        title,
        language,
        0.97,
        len(text),
        source,
        (why,) if why else (),
    )


def near_duplicates(kept: list[Sample]) -> tuple[set[str], tuple[NearDuplicate, ...]]:
    """Pair pages of the same name in two of the installation guides, as MinHash would; by word 5-grams."""
    first: dict[str, Sample] = {}
    merged, pairs = set(), []
    for each in kept:
        if not each.source.startswith("installation-guide"):
            continue
        other = first.setdefault(each.uri.partition(":")[2], each)
        if other is not each and (similarity := jaccard(other.text, each.text)) > 0.6:
            merged.add(each.uri)
            pairs.append(NearDuplicate(other, each, similarity))
    return merged, tuple(sorted(pairs, key=lambda pair: pair.similarity)[:4])


def jaccard(a: str, b: str) -> float:
    def grams(text):
        words = re.findall(r"\w+", text)
        return {tuple(words[i : i + 5]) for i in range(max(len(words) - 4, 1))}

    left, right = grams(a), grams(b)
    return len(left & right) / max(len(left | right), 1)


def funnel_of(read: int, samples: list[Sample], merged: set[str]) -> Funnel:
    dropped = dict(Counter(each.reasons[0] for each in samples if each.reasons))
    broken = {"undecodable_text": 3, "parse_timeout": 1} if read > 1000 else {}
    without = read - len(samples)
    kept = len(samples) - sum(dropped.values()) - len(merged)
    exact = len(merged) // 7
    return Funnel(
        read + 500 + sum(broken.values()) if broken else read,
        kept,
        {"no_text": without, **({"media_type": 500} if broken else {})},
        broken,
        {},
        dropped,
        {"near_duplicate": len(merged) - exact, "exact_duplicate": exact},
        lost_bytes=18_211 if broken else 0,
    )


def sources_of(pages, samples, merged) -> dict[str, Funnel]:
    names = sorted({path.partition("/")[0] for path, _ in pages})
    parts = {}
    for name in names:
        own = [each for each in samples if each.source == name]
        count = sum(path.startswith(f"{name}/") for path, _ in pages)
        dropped = dict(Counter(each.reasons[0] for each in own if each.reasons))
        gone = sum(each.uri in merged for each in own)
        ways = ({"no_text": count - len(own)}, {}, {}, dropped, {"near_duplicate": gone})
        parts[name] = Funnel(count, len(own) - sum(dropped.values()) - gone, *ways)
    return parts


def rule_counts(rules, verdicts):
    failed = verdicts.failed
    for k, rule in enumerate(rules):
        bit = np.uint64(1) << np.uint64(k)
        bounds = [f"{s} {b:g}" for s, b in (("≥", rule.min), ("≤", rule.max)) if b is not None]
        counts = [(failed & bit != 0).sum(), (verdicts.first == k).sum(), (failed == bit).sum()]
        yield RuleCount(rule.name, *map(int, counts), " and ".join(bounds))


def language_counts(samples: list[Sample], merged: set[str]) -> tuple[LanguageCount, ...]:
    counts: dict[str, Counter] = {}
    for each in samples:
        what = "dropped" if each.reasons else "merged" if each.uri in merged else "kept"
        counts.setdefault(each.language, Counter())[what] += 1
        counts[each.language][f"{what}_bytes"] += len(each.text.encode())
    return tuple(LanguageCount(code, **count) for code, count in sorted(counts.items()))


def histograms(rules, signals, kept):
    for rule in rules:
        edges, values = edges_of(rule.numerator, rule.per), rule.values(signals)
        name = rule.numerator + (f" / {rule.per}" if rule.per else "")
        counts = [tuple(map(int, bin_counts(values[which], edges))) for which in (kept, ~kept)]
        yield Histogram(name, edges, *counts, (Threshold(rule.name, rule.min, rule.max),))


def spread(samples: list[Sample]) -> tuple[Sample, ...]:
    by_language = {each.language: each for each in reversed(samples)}
    return tuple(by_language[code] for code in sorted(by_language)[:6])


def tokenizer_data(samples: list[Sample]) -> TokenizerData:
    sizes: dict[str, list[int]] = {}
    for each in samples:
        size = sizes.setdefault(each.language, [0, 0, 0])
        size[0] += len(each.text.encode())
        size[1] += len(each.text)
        size[2] += len(re.findall(r"[^\W\d_]{1,4}|.", each.text))
    pieces = (
        "▁",
        "Debian",
        "は",
        "、",
        "自由",
        "な",
        "オペ",
        "レー",
        "ティング",
        "システム",
        "を作る",
        "という",
        "共通の",
        "目的",
        "を持つ",
        "個人",
        "の集",
        "まり",
        "です",
        "。",
    )
    english = ("▁The", "▁Debian", "▁pro", "ject", "▁is", "▁an", "▁association", "▁of", "▁individual", "s", ".")
    arabic = ("▁مشروع", "▁دب", "يان", "▁هو", "▁تجم", "ع", "▁من", "▁الأفراد", ".")
    return TokenizerData(
        "bpe", 8000, "ab12" * 16, 412_345, 9_812_345, 7_403,
        {"Latin": 3120, "Han": 1490, "Cyrillic": 1010, "byte": 256, "Hiragana": 310, "other": 1814},
        tuple(Compression(code, *size) for code, size in sorted(sizes.items())),
        (Pieces("ja", SENTENCE, pieces), Pieces("en", "The Debian project is an association of individuals.", english),
         Pieces("ar", "مشروع دبيان هو تجمع من الأفراد.", arabic)),
    )  # fmt: skip


PROVENANCE = Provenance(
    manifest_digest="6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b",
    plan_hash="d4735e3a265e16eee03f59718b9b5d03019c07d8b6c51f90da3a666eec13ab35",
    snapshot="v000001",
    version="0.1.0",
    recipe="corpusmill: 1\ninputs:\n  - {name: manuals, uri: demo-input}\ntext:\n  languages: all\n",
    shards=8,
    output_bytes=21_345_678,
    input_bytes=38_111_222,
    models=(
        Model(
            "lid.176.ftz", "language of a document", "8f3472cfe8738a7b6099e8e999c3cbfae0dcd15696aac7d7738a8039db603e83"
        ),
    ),
    phases=(Phase("stage", 41.2, 78.0, 18), Phase("decide", 3.1, 4.0, 8), Phase("write", 6.4, 11.0, 8, 2)),
)


def at_scale(data: ReportData, factor: int) -> ReportData:
    """Return the report as if there were `factor` times as much of everything that is counted."""

    def grown(value):
        if isinstance(value, dict):
            return {key: each if key in SHOWN_AS_IT_IS else grown(each) for key, each in value.items()}
        if isinstance(value, list | tuple):
            return [grown(each) for each in value]
        return value * factor if isinstance(value, int) and not isinstance(value, bool) else value

    return ReportData.from_dict(grown(data.to_dict()))


SHOWN_AS_IT_IS = frozenset(
    (
        "edges",
        "thresholds",
        "kept_samples",
        "dropped_samples",
        "near_duplicates",
        "vocabulary",
        "phases",
        "shards",
        "pieces_by_kind",
    )
)


if __name__ == "__main__":
    import corpora

    from pipelines.report.page import render

    chosen = corpora.all_pages()
    count = int(sys.argv[2]) if len(sys.argv) > 2 else len(chosen)
    factor = int(sys.argv[3]) if len(sys.argv) > 3 else 1
    made = preview(chosen[:: max(1, len(chosen) // count)][:count])
    Path(sys.argv[1]).write_bytes(render(at_scale(made, factor) if factor > 1 else made))
