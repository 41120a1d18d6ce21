"""How much of an input may be broken before a job refuses to commit what is left of it."""

from collections import Counter
from collections.abc import Sequence

from pipelines.tasks import Marker

NAMED = 3  # reasons


class QuarantineError(RuntimeError):
    """More of the input is broken than the recipe allows; nothing was committed."""


def refuse_broken(job: str, markers: Sequence[Marker], most_fraction: float) -> None:
    """Raise QuarantineError where more than `most_fraction` of the records of staged units are quarantined."""
    reasons = Counter[str]()
    for marker in markers:
        reasons.update({name: n for name, n in marker["reasons"].items() if name.startswith("quarantined/")})
    read, broken = sum(marker["read"] for marker in markers), sum(reasons.values())
    if broken > most_fraction * read:
        most = ", ".join(f"{name.split('/')[1]} {count}" for name, count in reasons.most_common(NAMED))
        raise QuarantineError(
            f"{broken} of {read} records are quarantined, more than {job}.max_quarantined_fraction = "
            f"{most_fraction}: {most}. See {job}/quarantine/ in the output."
        )
