"""The training mixture: from exact token counts to exact budgets of each group in each stage.

A sample is `sequence_tokens` tokens of one group's stream. Languages are balanced as for the tokenizer
(tokenizer.balance); a stage's factors come after that, so a source that is raised three times has three times its
share beside the others. No group is read more than `max_epochs` times over all stages: what does not fit goes to the
others in proportion, and the last stage is served first, so that what is raised late is still there.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import pairwise
from math import floor

from tokenizer.balance import Balance, group_weights
from tokenizer.groups import Group


@dataclass(frozen=True)
class Stage:
    """A part of the training. `weights`: factors by source, language or kind."""

    name: str
    fraction: float  # (0, 1] of all tokens
    weights: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Schedule:
    """What to read. `balance.epochs` is what a group is read at most, over all stages."""

    stages: Sequence[Stage]
    sequence_tokens: int
    total_tokens: int | None = None  # null: as many as all groups hold once
    balance: Balance = field(default_factory=Balance)

    def __post_init__(self) -> None:
        """Refuse stages that are no whole."""
        if abs(sum(stage.fraction for stage in self.stages) - 1) > 1e-9:
            raise ValueError(
                f"the fractions of the stages add up to {sum(s.fraction for s in self.stages):g}, not to 1"
            )
        if len({stage.name for stage in self.stages}) < len(self.stages):
            raise ValueError("two stages have one name")


@dataclass(frozen=True)
class Budget:
    """What a stage reads: samples of each group, those that have none left out."""

    name: str
    samples: dict[Group, int]

    @property
    def total(self) -> int:
        """Samples of the stage."""
        return sum(self.samples.values())


def budgets(sizes: Mapping[Group, int], schedule: Schedule) -> list[Budget]:
    """Return the samples of each group (sizes: its tokens) in each stage, in the order of the schedule.

    Where all groups are smaller than a sample and nothing says how much to read, nothing is read. Raises ValueError
    where max_epochs does not allow so many tokens.
    """
    length = schedule.sequence_tokens
    there = {group: sizes[group] for group in sorted(sizes) if sizes[group]}
    epochs = Fraction(schedule.balance.epochs)
    room = {group: floor(epochs * size / length) for group, size in there.items()}
    parts = _parts(there, schedule) if there else {}
    samples = _samples(there, parts, schedule)
    counts = _stage_samples(samples, [stage.fraction for stage in schedule.stages])
    found: list[Budget] = []
    for stage, count in reversed(list(zip(schedule.stages, counts, strict=True))):
        wanted = {group: part * _factor(group, stage.weights) for group, part in parts.items()}
        given = allot(wanted, count, room, f"stage {stage.name}", schedule)
        room = {group: room[group] - given.get(group, 0) for group in room}
        found.append(Budget(stage.name, given))
    return found[::-1]


def _parts(sizes: Mapping[Group, int], schedule: Schedule) -> dict[Group, float]:
    """Return what each group would have of the whole.

    UniMax's budget is the corpus in tokenizer.balance; here it is the training. Both scale alike, so the cap is scaled.
    """
    total, balance = sum(sizes.values()), schedule.balance
    scaled = balance.epochs * total / (schedule.total_tokens or total)
    return {g: w * sizes[g] for g, w in group_weights(sizes, replace(balance, epochs=scaled)).items()}


def _samples(sizes: Mapping[Group, int], parts: Mapping[Group, float], schedule: Schedule) -> int:
    """Return the samples of all stages."""
    if schedule.total_tokens is None:
        return sum(sizes[group] // schedule.sequence_tokens for group in sizes if parts.get(group))
    if found := schedule.total_tokens // schedule.sequence_tokens:
        return found
    raise ValueError(
        f"total_tokens={schedule.total_tokens} is not one sample of {schedule.sequence_tokens}: lower sequence_tokens"
    )


def _factor(group: Group, weights: Mapping[str, float]) -> float:
    factor = 1.0
    for name in group:
        factor *= weights.get(name, 1.0)
    return factor


def _stage_samples(samples: int, fractions: Iterable[float]) -> list[int]:
    """Return whole samples of each stage; they add up."""
    bounds, reached = [0], 0.0
    for fraction in fractions:
        reached += fraction
        bounds.append(round(samples * reached))
    return [after - before for before, after in pairwise([*bounds[:-1], samples])]


def allot(
    wanted: Mapping[Group, float], samples: int, room: Mapping[Group, int], what: str, schedule: Schedule
) -> dict[Group, int]:
    """Return whole samples in proportion to what is wanted, none above its room; groups without one are left out.

    Raises ValueError where the rooms together are too small.
    """
    parts = {group: part for group, part in wanted.items() if part > 0 and room.get(group)}
    if sum(room[group] for group in parts) < samples:
        most = sum(room[group] for group in parts) * schedule.sequence_tokens
        raise ValueError(
            f"{what} needs {samples * schedule.sequence_tokens:,} tokens, and its sources have {most:,} left at "
            f"max_epochs={schedule.balance.epochs:g}: lower total_tokens, or raise max_epochs"
        )
    shares = _filled(parts, samples, room) if samples else {}
    given = {group: min(floor(share), room[group]) for group, share in shares.items()}
    left = samples - sum(given.values())
    by_rest = sorted(given, key=lambda group: (given[group] - shares[group], group))
    while left:
        for group in by_rest:
            if left and given[group] < room[group]:
                given[group] += 1
                left -= 1
    return {group: count for group, count in given.items() if count}


def _filled(parts: Mapping[Group, float], samples: int, room: Mapping[Group, int]) -> dict[Group, float]:
    """Return shares of the samples; what is beyond a group's room goes to the others in proportion."""
    full: dict[Group, float] = {}
    while True:
        rest = sum(part for group, part in parts.items() if group not in full)
        free = samples - sum(full.values())
        shares = {group: free * part / rest for group, part in parts.items() if group not in full}
        over = [group for group, share in shares.items() if share > room[group]]
        if not over:
            return full | shares
        full |= {group: float(room[group]) for group in over}
