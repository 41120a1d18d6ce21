"""Fill the gap: a sentence of the passage without a term that stands in it once."""

from collections.abc import Iterator

from filters.instruct.build import Draft, Piece
from filters.instruct.desk import Desk, Study, Topic
from filters.instruct.phrases import Voice
from filters.instruct.record import Answer, Candidate

GAP = "____"


def candidates(desk: Desk) -> Iterator[Candidate]:
    """Return one gap for each passage that is used for it."""
    for study in desk.studies:
        if desk.use(study) == "cloze" and study.topics:
            yield gap(desk.voice(study.lot, "cloze"), study, study.topics[0])


def gap(voice: Voice, study: Study, topic: Topic) -> Candidate:
    """Return the request to fill the gap that a term leaves."""
    said, term = study.sentence(topic.sentence), topic.term
    start = study.stretch.start + term.start
    name = Piece(study.source, start, start + len(term.text))
    holed = said.text[: start - said.start] + GAP + said.text[name.end - said.start :]
    draft = Draft(voice, [study.piece()])
    draft.ask("q.cloze", s=holed)
    draft.say("a.cloze", {"x": name, "s": said})
    return draft.done("attribution", "cloze", Answer(term.text, "entity"), about=[term.key])
