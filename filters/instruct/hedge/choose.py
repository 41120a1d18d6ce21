"""Which hedges a document yields: one pair a passage or table, by lot, in the mix of SQuAD2-CR's causes."""

import hashlib
import math
import struct
from collections.abc import Callable, Iterator

from filters.instruct.balance import hedge_fraction
from filters.instruct.desk import Desk, Pair, Study
from filters.instruct.hedge import (
    beyond,
    claims,
    conflict,
    facts,
    late,
    masked,
    meanings,
    media,
    opinions,
    tables,
    topics,
)
from filters.instruct.record import Table

Maker = Callable[[Desk, Study], Pair | None]

# Weights: SQuAD2-CR (13,297 unanswerable questions: entity 43.8 %, antonym 21.2, negation 14.0, number 12.3, no
# information 6.3, mutual exclusion 2.4); antonyms and negations less, as half of them go when directions are evened;
# the reasons that it does not have share what is left.
MAKERS: dict[str, tuple[float, Maker]] = {
    "entity": (26.0, topics.entity),
    "false_entity": (14.0, claims.entity),
    "antonym": (11.0, lambda desk, study: claims.contrary(desk, study, "antonym")),
    "negation": (7.0, lambda desk, study: claims.contrary(desk, study, "negation")),
    "number": (12.0, claims.number),
    "window": (14.0, topics.window),
    "year": (12.0, topics.year),
    "future": (5.0, topics.future),
    "now": (4.0, late.now),
    "later": (3.0, late.later),
    "unrecorded": (5.0, beyond.unrecorded),
    "referent": (5.0, topics.referent),
    "conflict": (40.0, conflict.conflict),  # seldom to be had
    "low": (5.0, beyond.low),
    "private": (1.5, beyond.private),
    "picture": (3.0, beyond.picture),
    "taste": (1.5, opinions.taste),
    "unsolved": (30.0, opinions.unsolved),  # seldom to be had, as the next two
    "masked": (30.0, masked.masked),
    "meaning": (60.0, meanings.ambiguous),
}
SPARE = 1.35  # pairs that are made for each that the balance is to keep, where a passage gives one record besides
LIMIT = 1 << 64


def pairs(desk: Desk) -> Iterator[Pair]:
    """Return hedges with their twins."""
    share = passages_fraction(hedge_fraction(desk.settings))
    for study in desk.studies:
        if desk.lot("hedge", study.lot) < share * LIMIT:
            yield from _of_passage(desk, study)
    for table in desk.source.tables:
        yield from _of_table(desk, table)
    yield from media.pairs(desk)
    yield from facts.pairs(desk)


def passages_fraction(wanted: float) -> float:
    """Return the share of passages that hedges are made of, in [0, 1], so that `wanted` of all records are hedges."""
    return min(1.0, SPARE * wanted / (1 - 2 * wanted)) if wanted < 0.5 else 1.0


def _of_passage(desk: Desk, study: Study) -> Iterator[Pair]:
    pair = next(filter(None, (MAKERS[name][1](desk, study) for name in _turns(desk, study))), None)
    if pair:
        yield pair


def _turns(desk: Desk, study: Study) -> list[str]:
    """Return the makers in a weighted order without replacement (Efraimidis & Spirakis 2006)."""
    key = f"turn\x1f{desk.settings.seed}\x1f{study.lot}".encode()
    lots = struct.iter_unpack(">I", hashlib.shake_256(key).digest(4 * len(MAKERS)))
    when = {
        name: -math.log((lot + 1) / (1 << 32)) / weight
        for (name, (weight, _)), (lot,) in zip(MAKERS.items(), lots, strict=True)
    }
    return sorted(when, key=lambda name: (when[name], name))


def _of_table(desk: Desk, table: Table) -> Iterator[Pair]:
    makers = (tables.value, tables.key, tables.relation)
    first = desk.lot("table-hedge", table.number) % len(makers)
    if desk.lot("table-turn", table.number) % 2:
        return
    for make in (*makers[first:], *makers[:first]):
        pair = make(desk, table)
        if pair:
            yield pair
            return
