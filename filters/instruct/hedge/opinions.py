"""Questions that no source settles: which of two things is nicer, and what a sentence itself says is not known.

Both are told by the words alone. A matter of taste is asked for where the passage rates nothing; that something is not
known is never claimed but quoted, and not from a sentence that holds only if something else does.
"""

from filters.instruct.build import Draft, Piece
from filters.instruct.desk import Desk, Pair, Study, Topic
from filters.instruct.hedge.claims import by_lot
from filters.instruct.hedge.topics import answered
from filters.instruct.record import Answer, Edit, Hedge
from filters.instruct.terms import CAPITALS, NAME
from filters.instruct.twins import paired
from filters.instruct.words import patterns

_LIKED = (CAPITALS, NAME)  # kinds of terms that somebody may like


def taste(desk: Desk, study: Study) -> Pair | None:
    """Return the question which of two things is nicer, and what the passage says of one of them."""
    named = [topic for topic in study.topics if topic.term.kind in _LIKED]
    both = next(((one, two) for one in named for two in named if one is not two and _alike(one, two)), None)
    if both is None or is_rated(study.text, desk.language):
        return None
    voice = desk.voice(study.lot, "taste")
    one, two = both
    said = study.sentence(one.sentence)
    twin = answered(Draft(voice.twin(), [study.piece()]), ("q.about", "a.said", "span_qa"), one.term.text, said)
    hedge = Draft(voice, [study.piece()])
    hedge.ask("q.taste", x=one.term.text, y=two.term.text)
    first = hedge.say("h.taste", x=one.term.text, y=two.term.text)
    for topic in both:
        voice.lot += "+"  # the second statement in words of its own
        hedge.say("h.which.have", {"s": study.sentence(topic.sentence)}, x=topic.term.text)
    why = Hedge("subjective", "both_sides", two.term.text, Edit("question", "what is said", "what is liked"))
    keys = [one.term.key, two.term.key]
    return paired(hedge.done("hedge", "span_qa", Answer(first.text, "none"), why, keys), twin)


def is_rated(text: str, language: str) -> bool:
    """Say whether a text may rate what it speaks of."""
    rating = patterns("rating").get(language)
    return rating is None or rating.search(text.lower()) is not None


def _alike(one: Topic, two: Topic) -> bool:
    """Say whether two terms look like names of things of one sort."""
    return one.term.kind == two.term.kind and one.term.text.count(" ") == two.term.text.count(" ")


def unsolved(desk: Desk, study: Study) -> Pair | None:
    """Return the question for what a sentence says is not known, and whether the passage says so."""
    if not is_unsolved(study.text, desk.language, by_case=False):
        return None
    for index in by_lot(desk, study, "unsolved"):
        said = study.sentence(index)
        if is_unsolved(said.text, desk.language):
            return _open(desk, study, said)
    return None


def is_unsolved(said: str, language: str, *, by_case: bool = True) -> bool:
    """Say whether a text states that something is not known; by_case: of a sentence, and not of some cases alone."""
    found = patterns("unsolved")[language].search(said) if language in patterns("unsolved") else None
    return found is not None and not (by_case and patterns("conditional")[language].search(said[: found.start()]))


def _open(desk: Desk, study: Study, said: Piece) -> Pair | None:
    voice = desk.voice(study.lot, "unsolved")
    twin = Draft(voice.twin(), [study.piece()])
    twin.ask("q.claim", s=said.text)
    twin.say("a.yes", {"s": said})
    hedge = Draft(voice, [study.piece()])
    hedge.ask("q.open", s=said.text)
    hedge.say("h.open", {"s": said})
    why = Hedge("unknown.unsolved", "abstain", twin.reply, Edit("question", "what is said", "what is not known"))
    return paired(
        hedge.done("hedge", "claim", Answer(hedge.reply, "none"), why),
        twin.done("attribution", "claim", Answer(said.text, "sentence")),
    )
