"""A statement that is not quite what the passage says, and the same statement as it stands there.

What is changed is one name, one number or one word with its opposite; the reply corrects it from the passage.
"""

from filters.instruct.build import Draft, Piece
from filters.instruct.desk import Desk, Pair, Study, lot_under
from filters.instruct.hedge.swaps import contraries, fits_in, is_even, other_number, strangers
from filters.instruct.phrases import Voice, fill
from filters.instruct.record import Answer, Edit, Hedge, draw
from filters.instruct.terms import TOPICS, Term, numbers
from filters.instruct.twins import paired

_NO_CLAIM = ("noun", "quoted", "run")  # cannot be exchanged inside a sentence: they inflect, or mean too much


def entity(desk: Desk, study: Study) -> Pair | None:
    """Return a statement with another name in it."""
    for topic in study.topics:
        term = topic.term
        if term.kind not in TOPICS or term.kind in _NO_CLAIM:
            continue
        said = study.sentence(topic.sentence)
        at = study.stretch.start + term.start - said.start
        other = next(
            (one for one in strangers(desk, study, term) if fits_in(term, one, said.text, at, desk.language)), None
        )
        if other:
            return claim(desk, study, said, (at, term.text, other.text), "premise.false_entity", "entity")
    return None


def number(desk: Desk, study: Study) -> Pair | None:
    """Return a statement with another number in it."""
    for index in by_lot(desk, study, "claim-number"):
        said = study.sentence(index)
        for term in numbers(said.text):
            other = other_number(desk, study, term)
            if other and said.text.count(term.text) == 1:
                return claim(desk, study, said, (term.start, term.text, other), "premise.false_attribute", "number")
    return None


def contrary(desk: Desk, study: Study, reason: str) -> Pair | None:
    """Return a statement with the opposite of one of its words; reason: negation or antonym."""
    for index in by_lot(desk, study, "claim-contrary"):
        said = study.sentence(index)
        found = [
            (at, one)
            for at, one in contraries(said.text, desk.tongue)
            if one.reason == reason and is_even(desk, study, one)
        ]
        if found:
            at, one = min(found, key=lambda each: draw(desk.settings.seed, study.lot, each[1].word))
            return claim(desk, study, said, (at, one.word, one.contrary), f"context.{reason}", reason)
    return None


def by_lot(desk: Desk, study: Study, use: str) -> list[int]:
    """Return the sentences that can stand alone, in an order drawn by hash."""
    alone = [index for index in range(len(study.stretch.sentences)) if study.stands_alone(index)]
    key = desk.lot(use, study.lot) & 0xFFFFFFFF
    return sorted(alone, key=lambda index: (lot_under(key, index), index))


def claim(desk: Desk, study: Study, said: Piece, change: tuple[int, str, str], reason: str, kind: str) -> Pair | None:
    """Return the question whether the passage says something, with and without the change at a place of it."""
    at, right, wrong = change
    false = said.text[:at] + wrong + said.text[at + len(right) :]
    voice = desk.voice(study.lot, "claim", kind)
    about = [Term(kind, 0, 0, right).key] if kind == "entity" else []
    twin = Draft(voice.twin(), [study.piece()])
    twin.ask("q.claim", s=said.text)
    twin.say("a.yes", {"s": said})
    hedge = Draft(voice, [study.piece()])
    hedge.ask("q.claim", s=false)
    first = hedge.say("h.no")
    hedge.say("h.instead", {"s": said}, x=wrong, y=right)
    yes = agreed(twin.voice, "a.yes", false)
    why = Hedge(reason, "correct_premise", yes, Edit(kind, right, wrong))
    return paired(
        hedge.done("hedge", "claim", Answer(first.text, "none"), why, about),
        twin.done("attribution", "claim", Answer(said.text, "sentence"), about=about),
    )


def agreed(voice: Voice, kind: str, said: str) -> str:
    """Return the reply of one who does not look: that it is so."""
    return fill(voice.last_phrase(kind), voice.language, {"s": said}).text
