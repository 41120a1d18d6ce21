"""An abbreviation that two texts of the corpus spell out in different words: which one is meant?

Two forms are taken for two things where less than half of their words begin alike: "Debian Security Advisory" and
"Debian System Administrator" are two, "Logical Volume Manager" and "Logical Volume Management" one, and so are "Domain
Name System" and "Domain Name Service". The reply claims no more than what each text says.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

from filters.instruct.abbreviations import Spelt, abbreviations
from filters.instruct.build import Draft, Piece, whole
from filters.instruct.cited import shuffled
from filters.instruct.desk import Desk, Pair, Study
from filters.instruct.leak import mentions
from filters.instruct.record import Answer, Edit, Hedge, Passage
from filters.instruct.twins import paired

_BEGINNING = 4  # letters by which two words are taken for one


class Meaning(NamedTuple):
    """What an abbreviation stands for, where a passage says so."""

    short: str
    long: Piece


def ambiguous(desk: Desk, study: Study) -> Pair | None:
    """Return the question what an abbreviation stands for, and what it does in one of two sources."""
    own = list(_meanings(study.piece())) if desk.others else []
    for passage, _ in desk.others if own else ():
        for other in _meanings(whole(passage)):
            for one in own:
                if one.short == other.short and are_apart(one.long.text, other.long.text):
                    pair = _pair(desk, study, passage, (one, other))
                    if pair:
                        return pair
    return None


def _meanings(shown: Piece) -> Iterator[Meaning]:
    """Yield the abbreviations that a passage spells out in one way."""
    found: dict[str, list[Spelt]] = {}
    for spelt in abbreviations(shown.text):
        found.setdefault(spelt.short, []).append(spelt)
    for short, ways in found.items():
        if len(ways) == 1:
            yield Meaning(short, Piece(shown.source, shown.start + ways[0].start, shown.start + ways[0].end))


def are_apart(one: str, other: str) -> bool:
    """Say whether two long forms stand for two things: less than half of the words begin alike."""
    left, right = _beginnings(one), _beginnings(other)
    return 2 * len(left & right) < max(len(left), len(right))


def _beginnings(long: str) -> set[str]:
    return {word[:_BEGINNING] for word in re.split(r"[\s-]+", long.casefold()) if len(word) > 2}


def _pair(desk: Desk, study: Study, passage: Passage, both: tuple[Meaning, Meaning]) -> Pair | None:
    one, other = both
    if mentions(other.long.text, study.text) or mentions(one.long.text, passage.text):
        return None
    voice = desk.voice(study.lot, "meaning")
    shown = shuffled(voice, [study.piece(), whole(passage)])
    label = {piece.source.doc_id: f"[{n}]" for n, piece in enumerate(shown, 1)}
    here, there = label[study.source.doc_id], label[passage.doc_id]
    twin = Draft(voice.twin(), shown, numbered=True)
    twin.ask("q.short.in", x=one.short, n=here)
    twin.say("a.short", {"s": one.long}, x=one.short, n=here)
    hedge = Draft(voice, shown, numbered=True)
    hedge.ask("q.short", x=one.short)
    hedge.say("h.short", {"s": one.long, "t": other.long}, x=one.short, a=here, b=there)
    why = Hedge("intent.ambiguous", "ask", twin.reply, Edit("referent", here, ""))
    return paired(
        hedge.done("hedge", "cited_answer", Answer(hedge.reply, "none"), why, [one.short]),
        twin.done("attribution", "cited_answer", Answer(one.long.text, "text"), about=[one.short]),
    )
