"""Counts of a shard of sounds that add up over shards; the report reads nothing bigger."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from filters.rules import Rule
from pipelines.report.bins import COUNTS, FRACTIONS, LENGTHS
from pipelines.stages.published import Decided
from pipelines.stages.statistics import histogram, rule_counts

# What the report shows of every segment, whether or not a rule reads it.
MEASURED = (
    Rule("signals/duration_s", "duration_s"),
    Rule("signals/speech_fraction", "speech_frames", "frames"),
    Rule("signals/silent_fraction", "silent_frames", "frames"),
    Rule("signals/clipped_fraction", "clipped_frames", "frames"),
    Rule("signals/snr_db", "snr_db"),
    Rule("signals/integrated_lufs", "integrated_lufs"),
    Rule("signals/bandwidth_hz", "bandwidth_hz"),
    Rule("signals/dnsmos_overall", "dnsmos_overall"),
    Rule("signals/chars_per_second", "transcript_char_count", "duration_s"),
)
SECONDS = (*(i / 2 for i in range(121)), *range(65, 125, 5), *range(150, 660, 60), 3600.0)
DECIBELS = tuple(float(i) for i in range(-20, 101))
LOUDNESS = tuple(float(i) for i in range(-70, 11))  # LUFS; a silent sound has -70
BANDWIDTHS = tuple(250.0 * i for i in range(33))  # of 8 kHz
OPINIONS = tuple(1 + i / 20 for i in range(81))  # of DNSMOS, 1 to 5
_EDGES = {"duration_s": SECONDS, "snr_db": DECIBELS, "integrated_lufs": LOUDNESS, "bandwidth_hz": BANDWIDTHS}
NOT_SHOWN = frozenset({"segments", "cut_short"})  # 0 or 1 of a file


def edges_of(rule: Rule) -> tuple[float, ...]:
    """Return the bin edges of what a rule reads."""
    if rule.per is not None:
        return LENGTHS if rule.per == "duration_s" and rule.numerator.endswith("_count") else FRACTIONS
    if rule.numerator.startswith("dnsmos_"):
        return OPINIONS
    return _EDGES.get(rule.numerator, FRACTIONS if rule.numerator.endswith("_score") else COUNTS)


def measured(rules: Sequence[Rule]) -> dict[str, Rule]:
    """Return {signal: rule that reads it}: what the report shows a histogram of."""
    found: dict[str, Rule] = {}
    for rule in (*MEASURED, *(rule for rule in rules if rule.numerator not in NOT_SHOWN)):
        found.setdefault(rule.numerator if rule.per is None else f"{rule.numerator} / {rule.per}", rule)
    return found


def shard_statistics(decided: Decided, told: pa.Table) -> dict[str, Any]:
    """Return {rules, histograms, languages, ...} of the sounds of one shard's range; `told` are all their rows."""
    judged, kept = decided.judged, decided.is_kept
    return {
        **_of_kept(told.filter(pa.array(kept))),
        "languages": _languages(told["transcript_language"].to_pylist(), decided.verdict.tolist()),
        "transcripts": dict(sorted(Counter(str(kind) for kind in told["transcript_kind"].to_pylist()).items())),
        "rules": rule_counts(judged.verdicts.failed, judged.rules),
        "histograms": {
            name: histogram(rule, judged.signals, kept, edges_of(rule))
            for name, rule in sorted(measured(judged.rules).items())
        },
    }


def _languages(languages: Sequence[str], verdicts: Sequence[str]) -> dict[str, dict[str, int]]:
    out: dict[str, Counter[str]] = {}
    for language, verdict in zip(languages, verdicts, strict=True):
        out.setdefault(language, Counter())[verdict] += 1
    return {language: dict(sorted(counts.items())) for language, counts in sorted(out.items())}


def _of_kept(kept: pa.Table) -> dict[str, Any]:
    """Return what is counted of sounds that stay: milliseconds, bytes."""
    lengths_ms = pc.cast(pc.round(pc.multiply(kept["duration_s"], 1000.0)), pa.int64())
    languages: Counter[str] = Counter()
    for language, length_ms in zip(kept["transcript_language"].to_pylist(), lengths_ms.to_pylist(), strict=True):
        languages[language] += length_ms
    return {
        "kept_ms": int(np.sum(lengths_ms.to_numpy(), dtype=np.int64)),
        "kept_bytes": int(pc.sum(kept["stored_bytes"]).as_py() or 0),
        "transcribed": len(kept) - kept["transcript"].null_count,
        "source_codecs": dict(sorted(Counter(kept["source_codec"].to_pylist()).items())),
        "language_ms": dict(sorted(languages.items())),
    }
