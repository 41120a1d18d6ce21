"""Questions about something that the passage does not mention, is silent on, or that nobody named."""

from filters.instruct.build import Draft, Piece
from filters.instruct.desk import Desk, Pair, Study, Topic
from filters.instruct.hedge.swaps import other_year, strangers
from filters.instruct.record import Answer, Candidate, Edit, Hedge
from filters.instruct.summaries import central
from filters.instruct.twins import paired

_ASKED = (("q.about", "a.said", "span_qa"), ("q.quote", "a.quote", "quote"), ("q.about", "a.said", "span_qa"))
MAX_CUT = 0.3  # of a passage: what its twin may hold besides


def answered(draft: Draft, kinds: tuple[str, str, str], name: str, said: Piece) -> Candidate:
    """Return the answerable question about a name."""
    draft.ask(kinds[0], x=name, w=name)
    draft.say(kinds[1], {"s": said})
    return draft.done("attribution", kinds[2], Answer(said.text, "sentence"), about=[name])


def entity(desk: Desk, study: Study) -> Pair | None:
    """Return a question about a name that the passage does not mention, and about one that it does."""
    for topic in study.topics:
        other = next(strangers(desk, study, topic.term), None)
        if other is None:
            continue
        kinds = _ASKED[desk.lot("asked", study.lot) % len(_ASKED)]
        voice = desk.voice(study.lot, "entity")
        said = study.sentence(topic.sentence)
        twin = answered(Draft(voice.twin(), [study.piece()]), kinds, topic.term.text, said)
        hedge = Draft(voice, [study.piece()])
        hedge.ask(kinds[0], x=other.text)
        first = hedge.say("h.absent", x=other.text)
        hedge.say("h.have", {"s": said})
        why = Hedge(
            "context.entity_swap", "abstain", twin.messages[-1].content, Edit("entity", topic.term.text, other.text)
        )
        return paired(hedge.done("hedge", kinds[2], Answer(first.text, "none"), why, [topic.term.key, other.key]), twin)
    return None


def window(desk: Desk, study: Study) -> Pair | None:
    """Return a question whose answer is the one sentence that the passage lacks: its first or its last."""
    spans = study.stretch.sentences
    last = len(spans) - 1
    for topic in study.topics:
        if topic.sentence not in (0, last) or last < 2:
            continue
        cut = _without(study, topic)
        if len(cut.text) < (1 - MAX_CUT) * len(study.text):
            continue
        kinds = _ASKED[desk.lot("asked", study.lot) % len(_ASKED)]
        voice = desk.voice(study.lot, "window")
        said = study.sentence(topic.sentence)
        twin = answered(Draft(voice.twin(), [study.piece()]), kinds, topic.term.text, said)
        instead = central(study)
        if instead is None or instead == topic.sentence:
            continue
        hedge = Draft(voice, [cut])
        hedge.ask(kinds[0], x=topic.term.text)
        first = hedge.say("h.absent", x=topic.term.text)
        near = study.sentence(instead)
        hedge.say("h.have", {"s": near})
        wrong = Draft(voice.twin(), [])
        wrong.say(kinds[1], {"s": near})
        why = Hedge("context.near_miss", "abstain", wrong.reply, Edit("context", said.text, ""))
        return paired(hedge.done("hedge", kinds[2], Answer(first.text, "none"), why, [topic.term.key]), twin)
    return None


def _without(study: Study, topic: Topic) -> Piece:
    """Return the passage without its first or last sentence."""
    spans = study.stretch.sentences
    start, end = (spans[1][0], study.stretch.end) if topic.sentence == 0 else (study.stretch.start, spans[-2][1])
    return Piece(study.source, start, end, "context")


def year(desk: Desk, study: Study) -> Pair | None:
    """Return a question about a year that the passage does not name, and about one that it does."""
    if not study.years:
        return None
    other = other_year(desk, study, study.years[0].term.text)
    return _of_year(desk, study, other, "") if other else None


def future(desk: Desk, study: Study) -> Pair | None:
    """Return a question about a year after the passage was retrieved, and about one that it names."""
    day = (desk.settings.crawl_date or desk.source.fetched_at or "")[:10]
    if not study.years or not day:
        return None
    return _of_year(desk, study, str(int(day[:4]) + 1 + desk.lot("future", study.lot) % 25), day)


def _of_year(desk: Desk, study: Study, other: str, day: str) -> Pair | None:
    """Return the pair; day: when the text was retrieved, if the other year is one after that."""
    topic = study.years[0]
    voice = desk.voice(study.lot, "year", day)
    said, year_ = study.sentence(topic.sentence), topic.term.text
    twin = answered(Draft(voice.twin(), [study.piece()], date=day), ("q.year", "a.said", "span_qa"), year_, said)
    hedge = Draft(voice, [study.piece()], date=day)
    hedge.ask("q.year", w=other)
    first = hedge.say("h.future", w=other, d=day) if day else hedge.say("h.year", w=other)
    hedge.say("h.other_year", {"s": said}, v=year_)
    reason = "unknown.future" if day else "context.number_swap"
    why = Hedge(reason, "abstain", twin.messages[-1].content, Edit("date", year_, other))
    return paired(hedge.done("hedge", "span_qa", Answer(first.text, "none"), why, [year_, other]), twin)


def referent(desk: Desk, study: Study) -> Pair | None:
    """Return a question that does not say what it is about, where two things could be meant."""
    if len(study.topics) < 2:
        return None
    one, two = study.topics[0], study.topics[1]
    voice = desk.voice(study.lot, "referent")
    said = study.sentence(one.sentence)
    twin = answered(Draft(voice.twin(), [study.piece()]), ("q.about", "a.said", "span_qa"), one.term.text, said)
    hedge = Draft(voice, [study.piece()])
    hedge.ask("q.it")
    first = hedge.say("h.which", x=one.term.text, y=two.term.text)
    for topic in (one, two):
        voice.lot += "+"  # the second statement in words of its own
        hedge.say("h.which.have", {"s": study.sentence(topic.sentence)}, x=topic.term.text)
    why = Hedge("intent.missing_referent", "ask", twin.messages[-1].content, Edit("entity", one.term.text, ""))
    return paired(hedge.done("hedge", "span_qa", Answer(first.text, "none"), why, [one.term.key, two.term.key]), twin)
