"""A hedge and its answerable twin: the same words but for the one thing that makes the question unanswerable."""

import re
import unicodedata
from collections import Counter

from filters.instruct.desk import Pair
from filters.instruct.record import Candidate

MIN_SHARED = 0.8
_SURELY = 0.9  # of the characters, at both ends: then tokens are not counted
_TOKENS = re.compile(r"[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff々]|\w+|[^\w\s]")


def prompt(candidate: Candidate) -> str:
    """Return what the user says."""
    return "\n".join(message.content for message in candidate.messages if message.role != "assistant")


def shared_fraction(one: str, other: str) -> float:
    """Return the share of two texts that they have in common, in [0, 1] (Dice).

    What they begin and end with alike is enough where that is nearly all of them; else tokens are counted: words,
    signs, and characters of scripts without spaces.
    """
    if (alike := 2 * _at_both_ends(one, other) / max(1, len(one) + len(other))) >= _SURELY:
        return alike
    left, right = (Counter(_TOKENS.findall(unicodedata.normalize("NFKC", text))) for text in (one, other))
    total = left.total() + right.total()
    return 2 * (left & right).total() / total if total else 0.0


def _at_both_ends(one: str, other: str) -> int:
    """Return how many characters two texts begin and end with alike, none of them counted twice."""
    most = min(len(one), len(other))
    return min(most, _alike(one, other) + _alike(one[::-1], other[::-1]))


def _alike(one: str, other: str) -> int:
    """Return how many characters two texts begin with alike: by halving, since slices compare fast."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if one[:middle] == other[:middle] else (low, middle - 1)
    return low


def are_twins(hedge: Candidate, answerable: Candidate) -> bool:
    """Say whether two candidates may stand side by side as twins."""
    return (
        hedge.hedge is not None
        and answerable.hedge is None
        and hedge.lang == answerable.lang
        and shared_fraction(prompt(hedge), prompt(answerable)) >= MIN_SHARED
    )


def paired(hedge: Candidate, answerable: Candidate) -> Pair | None:
    """Return the pair if the two are twins."""
    return (hedge, answerable) if are_twins(hedge, answerable) else None
