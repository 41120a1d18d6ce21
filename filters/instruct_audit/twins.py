"""Hedges beside their answerable twins: is there one, is it close, and does the hedge's prompt give the answer away?"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from filters.instruct_audit.dates import dates
from filters.instruct_audit.examine import Examined
from filters.instruct_audit.names import folded, stands_in
from filters.instruct_audit.numbers import numbers, plain

CLOSE = 0.8  # of the tokens
_TOKEN = re.compile(r"[\u0e00-\u0e7f\u1780-\u17ff\u3040-\u30ff\u3400-\u9fff々]|\w+|[^\w\s]")
OF_CONTEXT = ("context", "passage", "near_miss")  # edits that change what the prompt shows, not what it asks
_VISIBLE = ("entity", "number", "date", *OF_CONTEXT)  # edits that a leak by string can be told of


class Pairs(NamedTuple):
    """Counts over hedges. `leaked` of `checked`; ids of examples of what is wrong."""

    hedges: int
    with_twin: int
    answerable: int
    close: int
    checked: int
    leaked: int
    examples: tuple[str, ...]


def pairs(hedges: Iterable[Examined], others: Mapping[str, Examined]) -> Pairs:
    """Return how hedges and twins are; `others`: the answerable records by id."""
    counts = dict.fromkeys(Pairs._fields[:-1], 0)
    examples = []
    for hedge in hedges:
        counts["hedges"] += 1
        twin = others.get(hedge.contrast_id or "")
        if twin is None:
            examples.append(f"{hedge.id}: no twin")
            continue
        counts["with_twin"] += 1
        counts["answerable"] += twin.answered
        counts["close"] += likeness(hedge, twin) >= CLOSE
        if (is_leaked := leak(hedge, twin)) is not None:
            counts["checked"] += 1
            counts["leaked"] += is_leaked
            examples += [f"{hedge.id}: leak ({hedge.reason})"] if is_leaked else []
        examples += [] if twin.answered else [f"{hedge.id}: its twin {twin.id} is not answered by its evidence"]
    return Pairs(**counts, examples=tuple(sorted(examples)[:20]))


def likeness(hedge: Examined, twin: Examined) -> float:
    """Return the share of tokens that two prompts have in common, in [0, 1] (Dice), or that their questions have.

    An edit changes the question or the context; where the question is the same, the pair is as close as can be.
    """
    return max(_dice(hedge.prompt, twin.prompt), _dice(hedge.question, twin.question))


def _dice(left: str, right: str) -> float:
    a, b = (Counter(_TOKEN.findall(unicodedata.normalize("NFKC", text).casefold())) for text in (left, right))
    total = a.total() + b.total()
    return 2 * (a & b).total() / total if total else 1.0


def leak(hedge: Examined, twin: Examined) -> bool | None:
    """Tell whether the hedge's passages hold what would answer it; None where no string could tell.

    Where the context was changed: the twin's answer, an alias, its number or date. Where the question was changed: the
    name or number that was put in, which the passages must not know.
    """
    if hedge.edit is None or not hedge.context or not hedge.reason.startswith("context."):
        return None
    kind, _, new = hedge.edit
    if kind not in _VISIBLE:
        return None
    wanted = twin.answer if kind in OF_CONTEXT else (new,)
    return any(told(each, hedge.context) for each in wanted if each)


def told(literal: str, context: str) -> bool:
    """Tell whether a text holds a literal: as it is, or as the same number or date written otherwise."""
    wanted, text = folded(literal), folded(context)
    if wanted and (stands_in(wanted, text) or (len(wanted) > 3 and not wanted.isascii() and wanted in text)):
        return True
    claim, stated = plain(literal), plain(context)
    if found := dates(claim):
        readings = {reading for each in dates(stated) for reading in each.readings}
        return any(each.readings & readings for each in found)
    values = numbers(claim)
    if len(values) == 1 and re.fullmatch(r"[\W\d]*\w{0,3}", claim):
        return any(values[0] & each for each in numbers(stated))
    return False
