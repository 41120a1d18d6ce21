"""The funnel in words: what went in, where all of it is now."""

from collections.abc import Iterable
from typing import Any

from manifests.ledger import VERDICTS, accountable, funnel
from manifests.manifest import Manifest

NEVER = {
    "crawl": ("dropped", "merged"),
    "interleave": ("refused", "quarantined", "skipped"),
    "instruct": ("refused", "quarantined", "skipped"),
}  # job -> verdicts that it does not know


def show_funnel(manifest: Manifest) -> str:
    """Return the ledger's total as a table: every verdict of the job, and under it its reasons, most frequent first."""
    ledger = manifest["ledger"]
    whole = funnel(ledger)
    lines, every = [_row("in", whole["in"], whole["in"])], accountable(ledger)
    if expanded := ledger.get("expanded"):
        lines.append(_row(f"expanded: {expanded['in']:,} of them became", expanded["out"], every))
    for verdict in (each for each in VERDICTS if each not in NEVER.get(manifest["job"], ())):
        lines.append(_row(verdict, whole[verdict], every))
        reasons = {name.partition("/")[2]: n for name, n in ledger["out"].items() if name.startswith(f"{verdict}/")}
        lines += [_row(f"    {reason}", n, every) for reason, n in _most(reasons.items())]
    if ledger["lost_bytes"]:
        lines.append(f"  bytes of damaged input that hold no readable record: {ledger['lost_bytes']:,}")
    return "\n".join(lines)


def _most(items: Iterable[tuple[str, int]]) -> list[tuple[str, int]]:
    return sorted(items, key=lambda item: (-item[1], item[0]))


def _row(name: str, count: int, whole: int) -> str:
    share = f"{count / whole:7.1%}" if whole else "      –"
    return f"  {name:<52}{count:>12,}  {share}"


def show_snapshot(manifest: Manifest) -> str:
    """Return what a snapshot holds: its digest, shards by kind, funnel."""
    kinds: dict[str, list[dict[str, Any]]] = {}
    for shard in manifest["shards"]:
        kinds.setdefault(shard["kind"], []).append(shard)
    lines = [f"{manifest['job']}: digest {manifest['digest']}"]
    for kind, shards in sorted(kinds.items()):
        records, size = sum(s["records"] for s in shards), sum(s["bytes"] for s in shards)
        lines.append(f"  {kind:<14}{len(shards):>6} files {records:>12,} records {size:>14,} bytes")
    return "\n".join([*lines, show_funnel(manifest)]) if "ledger" in manifest else "\n".join(lines)
