"""How much of each group of texts goes into a mixture: shares from sizes, by temperature, UniMax, caps and code."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from tokenizer.groups import Group

Sizes = Mapping[Group, int]  # characters counted


@dataclass(frozen=True)
class Balance:
    """Settings of a mixture.

    `by`: "size" takes languages as they are; "temperature" raises their shares to `alpha` (0.7 mBERT, 0.3 XLM-R);
    "unimax" gives all the same budget, but none more than `epochs` times what it has (Chung et al. 2023).
    """

    by: Literal["size", "temperature", "unimax"] = "size"
    alpha: float = 0.3  # (0, 1]
    epochs: float = 1.0  # > 0: how often a small language may be read at most
    source_cap: float = 1.0  # (0, 1]: largest share of one source
    code_fraction: float | None = None  # [0, 1): share of kind "code"; null as it is
    weights: Mapping[str, float] = field(default_factory=dict)  # factor by source, language or kind, before all else
    per_document_cap: bool = False  # a word counts at most 16 times a text

    def __post_init__(self) -> None:
        """Refuse what makes no mixture."""
        if not 0 < self.alpha <= 1:
            raise ValueError(f"alpha={self.alpha} is not in (0, 1]")
        if not self.epochs > 0:
            raise ValueError(f"epochs={self.epochs} is not positive")
        if not 0 < self.source_cap <= 1:
            raise ValueError(f"source_cap={self.source_cap} is not in (0, 1]")
        if self.code_fraction is not None and not 0 <= self.code_fraction < 1:
            raise ValueError(f"code_fraction={self.code_fraction} is not in [0, 1)")
        if bad := {name: weight for name, weight in self.weights.items() if not 0 <= weight <= 1e6}:
            raise ValueError(f"weights {bad} are not in [0, 1000000]")


def unimax(sizes: Mapping[str, float], budget: float, epochs: float) -> dict[str, float]:
    """Return the part of `budget` that each language gets: an equal one, at most `epochs` times its size.

    From the smallest on; what one can't take goes to those behind it. The sum is below `budget` where all are capped.
    """
    shares, left = {}, budget
    ordered = sorted(sizes, key=lambda code: (sizes[code], code))
    for i, code in enumerate(ordered):
        shares[code] = min(left / (len(ordered) - i), epochs * sizes[code])
        left -= shares[code]
    return shares


def _languages(sizes: Mapping[str, float], balance: Balance) -> dict[str, float]:
    """Return the share of each language, adding up to 1."""
    total = sum(sizes.values())
    if balance.by == "temperature":
        shares = {code: (size / total) ** balance.alpha if size else 0.0 for code, size in sizes.items()}
    elif balance.by == "unimax":
        shares = unimax(sizes, total, balance.epochs)
    else:
        shares = dict(sizes)
    return _normed(shares)


def _normed(shares: Mapping[str, float]) -> dict[str, float]:
    total = sum(shares.values())
    if not total:
        raise ValueError("the mixture is empty: every weight or size is 0")
    return {name: share / total for name, share in shares.items()}


def capped(shares: Mapping[str, float], cap: float) -> dict[str, float]:
    """Return shares (adding up to 1) of which none is above `cap`; the rest grows in proportion.

    Raises ValueError where there are too few for such a cap.
    """
    if len([share for share in shares.values() if share]) * cap < 1 - 1e-9:
        raise ValueError(f"source_cap={cap} needs at least {int(-(-1 // cap))} sources; there are {len(shares)}")
    held: set[str] = set()
    while True:
        free = 1 - cap * len(held)
        rest = sum(share for name, share in shares.items() if name not in held)
        grown = {name: cap if name in held else share * free / rest for name, share in shares.items()}
        over = {name for name, share in grown.items() if share > cap + 1e-12}
        if not over:
            return grown
        held |= over


def _summed(parts: Mapping[Group, float], name: str) -> dict[str, float]:
    sums: dict[str, float] = {}
    for group in sorted(parts):
        sums[getattr(group, name)] = sums.get(getattr(group, name), 0.0) + parts[group]
    return sums


def _scaled(parts: Mapping[Group, float], name: str, wanted: Mapping[str, float]) -> dict[Group, float]:
    """Return the parts, scaled so that those of each source, language or kind add up to what is wanted."""
    found = _summed(parts, name)
    return {g: p * wanted[getattr(g, name)] / found[getattr(g, name)] if p else 0.0 for g, p in parts.items()}


def group_weights(sizes: Sizes, balance: Balance) -> dict[Group, float]:
    """Return the factor of each group's counts; a mixture as large as the whole, all factors 1 where nothing is set.

    In this order: factors by name, languages (code is left out and keeps its part), code, sources' cap.
    """
    parts = {group: sizes[group] * _factor(group, balance.weights) for group in sorted(sizes) if sizes[group]}
    if balance.by == "size" and balance.code_fraction is None and balance.source_cap == 1:
        return {group: parts[group] / sizes[group] for group in parts}
    total = sum(parts.values())
    prose = {group: part for group, part in parts.items() if group.kind != "code"}
    if prose and any(prose.values()):
        share = sum(prose.values()) / total
        wanted = {c: share * s for c, s in _languages(_summed(prose, "language"), balance).items()}
        parts = {g: p / total for g, p in parts.items()} | _scaled(prose, "language", wanted)
    if balance.code_fraction is not None:
        parts = _scaled(parts, "kind", _code_shares(_summed(parts, "kind"), balance.code_fraction))
    parts = _scaled(parts, "source", capped(_normed(_summed(parts, "source")), balance.source_cap))
    return {group: part * sum(sizes.values()) / sizes[group] for group, part in parts.items()}


def _factor(group: Group, weights: Mapping[str, float]) -> float:
    factor = 1.0
    for name in group:
        factor *= weights.get(name, 1.0)
    return factor


def _code_shares(kinds: Mapping[str, float], code: float) -> dict[str, float]:
    if not kinds.get("code") or len(kinds) < 2:
        raise ValueError(f"code_fraction={code} needs code and text in the counts; there is {', '.join(sorted(kinds))}")
    rest = sum(share for kind, share in kinds.items() if kind != "code")
    return {kind: code if kind == "code" else (1 - code) * share / rest for kind, share in kinds.items()}
