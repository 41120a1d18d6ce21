"""Quote it word for word: the sentence that mentions a term, and no other."""

from collections.abc import Iterator

from filters.instruct.build import Draft
from filters.instruct.desk import Desk, Study, Topic
from filters.instruct.phrases import Voice
from filters.instruct.record import Answer, Candidate


def candidates(desk: Desk) -> Iterator[Candidate]:
    """Return one request for each passage that is used for it."""
    for study in desk.studies:
        if desk.use(study) == "quote" and study.topics:
            yield quote(desk.voice(study.lot, "quote"), study, study.topics[0])


def quote(voice: Voice, study: Study, topic: Topic) -> Candidate:
    """Return the request to quote the sentence that mentions something."""
    draft = Draft(voice, [study.piece()])
    draft.ask("q.quote", x=topic.term.text)
    said = study.sentence(topic.sentence)
    draft.say("a.quote", {"s": said})
    return draft.done("attribution", "quote", Answer(said.text, "sentence"), about=[topic.term.key])
