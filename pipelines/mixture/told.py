"""A mixture in words: what each stage reads."""

from collections import Counter
from typing import Any

from manifests.manifest import Manifest

SHOWN = 12


def show_mixture(manifest: Manifest) -> str:
    """Return stages by kind and source, and the groups that are read most often."""
    mixture = manifest["mixture"]
    lines = [
        f"  {mixture['tokens']:,} tokens in {mixture['samples']:,} samples of {mixture['sequence_tokens']:,}; "
        f"{len(mixture['groups'])} groups, {len(mixture['left_out'])} left out"
    ]
    for stage in mixture["stages"]:
        parts = Counter[str]()
        for group, samples in zip(mixture["groups"], stage["samples"], strict=True):
            source, _, kind = group["group"]
            parts[f"{kind} of {source}"] += samples
        lines.append(f"  {stage['name']:<20}{stage['tokens']:>16,} tokens")
        lines += [_row(name, count, sum(parts.values())) for name, count in parts.most_common(SHOWN) if count]
    most = sorted(mixture["groups"], key=lambda each: (-each["epochs_permille"], each["group"]))[:3]
    lines.append(f"  read most often: {', '.join(map(_often, most))}")
    return "\n".join(lines)


def _row(name: str, count: int, whole: int) -> str:
    return f"    {name:<44}{count / max(1, whole):7.1%}"


def _often(group: dict[str, Any]) -> str:
    return f"{'/'.join(group['group'])} {group['epochs_permille'] / 1000:.2f} times"
