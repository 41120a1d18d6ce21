"""Who keeps which documents, on each side, and the first reason why the others went."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow.parquet as pq


@dataclass
class Outcome:
    """What a run made of its input; documents are named by their URIs."""

    kept: set[str] = field(default_factory=set)  # in the final output
    passed: set[str] = field(default_factory=set)  # by the rules, before deduplication
    reasons: dict[str, int] = field(default_factory=dict)  # documents gone, by the first reason
    first: dict[str, str] = field(default_factory=dict)  # uri -> reason, where it is told document by document
    language: dict[str, str] = field(default_factory=dict)


def of_corpusmill(out: Path) -> Outcome:
    """Read the snapshot under `out`."""
    manifest = json.loads(sorted((out / "text" / "manifests").glob("v*.json"))[-1].read_text())
    done = Outcome()
    done.reasons = {
        name: n for name, n in manifest["ledger"]["out"].items() if name != "kept" and "skipped" not in name
    }
    for folder, columns in (("data", []), ("dropped", ["verdict", "reason"])):
        for path in (out / "text" / folder).glob("*.parquet"):
            for row in pq.read_table(path, columns=["uri", "language", *columns]).to_pylist():
                _take(done, **row)
    return done


def _take(done: Outcome, uri: str, language: str, verdict: str = "kept", reason: str = "") -> None:
    done.language[uri] = language
    if verdict == "kept":
        done.kept.add(uri)
    if verdict == "dropped":
        done.first[uri] = reason
    else:
        done.passed.add(uri)


def of_datatrove(out: Path) -> Outcome:
    """Read what datatrove_chain.py left under `out`."""
    steps = json.loads((out / "counts.json").read_text())
    return Outcome(set(_uris(out / "final")), set(_uris(out / "passed")), dict(_gone(steps)))


def _uris(folder: Path) -> Iterator[str]:
    for path in folder.glob("*.jsonl"):
        with path.open() as lines:
            yield from (json.loads(line)["metadata"]["url"] for line in lines)


def _gone(steps: list[dict[str, int | str]]) -> Iterator[tuple[str, int]]:
    """Yield (step/reason, documents) from what datatrove's steps counted."""
    for step in steps:
        name = re.sub(r"[^a-z0-9]+", "_", str(step["step"]).rpartition(": ")[2].lower()).strip("_")
        told = {key.removeprefix("dropped_"): int(n) for key, n in step.items() if key.startswith("dropped_")}
        untold = int(step.get("dropped", 0)) - sum(told.values())
        failed = {key: int(step[key]) for key in ("timeout", "clean_error", "broken_process") if key in step}
        for reason, count in (*told.items(), *failed.items(), ("", untold)):
            if count:
                yield f"{name}/{reason}".rstrip("/"), count


@dataclass(frozen=True)
class Agreement:
    """How two sides judge the same texts by their rules."""

    both_pass: int
    both_drop: int
    only_ours_passes: frozenset[str]
    only_theirs_passes: frozenset[str]

    @property
    def same_fraction(self) -> float:
        """Return the share of texts with one verdict, in [0, 1]; 1.0 for no texts."""
        same = self.both_pass + self.both_drop
        total = same + len(self.only_ours_passes) + len(self.only_theirs_passes)
        return same / total if total else 1.0


def agreement(ours: Outcome, theirs: Outcome, languages: set[str] | None = None) -> Agreement:
    """Compare the rules' verdicts, in some languages or all."""
    texts = {uri for uri in ours.language if languages is None or ours.language[uri] in languages}
    ours_passed, theirs_passed = ours.passed & texts, theirs.passed & texts
    return Agreement(
        len(ours_passed & theirs_passed),
        len(texts - ours_passed - theirs_passed),
        frozenset(ours_passed - theirs_passed),
        frozenset(theirs_passed - ours_passed),
    )


def counted(title: str, counts: Mapping[str, int]) -> str:
    """Return counts as a Markdown table, the largest first."""
    ranked = sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    return "\n".join([f"| {title} | documents |", "|---|---:|", *(f"| `{name}` | {n} |" for name, n in ranked)])


def first_reasons(ours: Outcome, uris: frozenset[str]) -> dict[str, int]:
    """Return how often each of our first reasons took one of these documents."""
    return dict(Counter(ours.first[uri].split("<")[0].split(">")[0] for uri in uris))
