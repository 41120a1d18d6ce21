"""Questions that no passage like this can answer: about what is not recorded, about private matters, about pictures
that are not there, and whether more than one source says so.
"""

from filters.instruct.build import Draft, Piece
from filters.instruct.cited import shuffled
from filters.instruct.desk import Desk, Pair, Study
from filters.instruct.hedge.names import invented
from filters.instruct.hedge.topics import answered
from filters.instruct.leak import gives_away, mentions, squeeze
from filters.instruct.record import Answer, Edit, Hedge
from filters.instruct.terms import TOPICS
from filters.instruct.twins import paired

_ORIGIN = ("code", "name")  # kinds of terms that somebody made


def unrecorded(desk: Desk, study: Study) -> Pair | None:
    """Return a question about something of a thing that the document nowhere records."""
    for topic in study.topics:
        if topic.term.kind not in _ORIGIN or not topic.term.text[0].isupper() or not desk.unrecorded:
            continue
        kind = min(desk.unrecorded, key=lambda one: desk.lot("open", study.lot, one))
        voice = desk.voice(study.lot, "unrecorded")
        said, name = study.sentence(topic.sentence), topic.term.text
        twin = answered(Draft(voice.twin(), [study.piece()]), ("q.about", "a.said", "span_qa"), name, said)
        hedge = Draft(voice, [study.piece()])
        hedge.ask(kind, x=name)
        first = hedge.say("h.unrecorded", x=name)
        hedge.say("h.unrecorded.have", {"s": said}, x=name)
        why = Hedge("unknown.unrecorded", "abstain", twin.messages[-1].content, Edit("relation", "", kind[2:]))
        return paired(hedge.done("hedge", "span_qa", Answer(first.text, "none"), why, [topic.term.key]), twin)
    return None


def private(desk: Desk, study: Study) -> Pair | None:
    """Return a question about the private life of a person whose name is invented."""
    name = invented(desk.language, desk.lot("private", study.lot))
    if not study.topics or not name or gives_away(name, study.text):
        return None
    topic = study.topics[0]
    voice = desk.voice(study.lot, "private")
    said = study.sentence(topic.sentence)
    twin = answered(Draft(voice.twin(), [study.piece()]), ("q.about", "a.said", "span_qa"), topic.term.text, said)
    hedge = Draft(voice, [study.piece()])
    hedge.ask("q.private", w=name)
    first = hedge.say("h.private", w=name)
    hedge.say("h.picture.have", {"s": said})
    why = Hedge("private.person", "abstain", twin.messages[-1].content, Edit("entity", topic.term.text, name))
    return paired(hedge.done("hedge", "span_qa", Answer(first.text, "none"), why, [topic.term.key]), twin)


def picture(desk: Desk, study: Study) -> Pair | None:
    """Return a question about a picture that is not there, beside a question about the text that is."""
    if not study.topics:
        return None
    topic = study.topics[0]
    voice = desk.voice(study.lot, "picture")
    said = study.sentence(topic.sentence)
    twin = answered(Draft(voice.twin(), [study.piece()]), ("q.about", "a.said", "span_qa"), topic.term.text, said)
    hedge = Draft(voice, [study.piece()])
    hedge.ask("q.picture")
    first = hedge.say("h.nopicture")
    hedge.say("h.picture.have", {"s": said})
    why = Hedge("modality.absent_input", "abstain", twin.messages[-1].content, Edit("media", "text", "image"))
    return paired(hedge.done("hedge", "span_qa", Answer(first.text, "none"), why, [topic.term.key]), twin)


def low(desk: Desk, study: Study) -> Pair | None:
    """Return the question whether more than one source mentions something, where one does and where two do."""
    shown = [study.piece(), *(other.piece() for other in desk.studies if other is not study)][:3]
    if len(shown) < 2 or not study.topics:
        return None
    voice = desk.voice(study.lot, "low")
    placed = shuffled(voice, shown)
    others = [piece for piece in placed if piece.start != study.stretch.start]
    alone = [topic for topic in study.topics if not any(gives_away(topic.term.text, piece.text) for piece in others)]
    both = _in_two(study, desk, others)
    if not alone or both is None:
        return None
    topic, (name, one, two) = alone[0], both
    label = {piece.start: f"[{n}]" for n, piece in enumerate(placed, 1)}
    twin = Draft(voice.twin(), placed, numbered=True)
    twin.ask("q.two", x=name)
    twin.say("a.two", {"s": one, "t": two}, a=label[study.stretch.start], b=label[_home(others, two)])
    hedge = Draft(voice, placed, numbered=True)
    hedge.ask("q.two", x=topic.term.text)
    first = hedge.say("h.low", {"s": study.sentence(topic.sentence)}, x=topic.term.text, a=label[study.stretch.start])
    why = Hedge("evidence.low", "partial", twin.reply, Edit("entity", name, topic.term.text))
    return paired(
        hedge.done("hedge", "cited_answer", Answer(first.text, "none"), why, [topic.term.key]),
        twin.done("attribution", "cited_answer", Answer(one.text, "sentence"), about=[name]),
    )


def _home(shown: list[Piece], said: Piece) -> int:
    """Return the start of the passage that a sentence stands in."""
    return next(piece.start for piece in shown if piece.start <= said.start < piece.end)


def _in_two(study: Study, desk: Desk, others: list[Piece]) -> tuple[str, Piece, Piece] | None:
    """Return a name with a sentence of the passage and one of another passage that mention it."""
    starts = {piece.start for piece in others}
    rest = [other for other in desk.studies if other.stretch.start in starts]
    for term in study.terms:
        if term.kind not in TOPICS:
            continue
        for other in rest:
            if term.key in other.squeezed:
                here, there = _mentioning(study, term.text), _mentioning(other, term.text)
                if here and there:
                    return term.text, here, there
    return None


def _mentioning(study: Study, name: str) -> Piece | None:
    for index in range(len(study.stretch.sentences)):
        said = study.sentence(index)
        if mentions(name, said.text) and study.stands_alone(index) and squeeze(name):
            return said
    return None
