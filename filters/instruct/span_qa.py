"""Questions that a passage answers with a sentence of its own: what is said of a term or a year, what a thing is."""

from collections.abc import Iterator

from filters.instruct.build import Draft
from filters.instruct.desk import Desk, Study, Topic
from filters.instruct.phrases import Voice
from filters.instruct.record import Answer, Candidate
from filters.instruct.words import patterns

_ARTICLES = ("", "the", "a", "an", "der", "die", "das", "le", "la", "les", "el", "il", "lo", "o", "l'", "l’")
MAX_YEARS = 3  # of a passage, each in another sentence
_DEFINE = patterns("defining")  # "X is a ...": the term at the very start of the sentence, then one of these


def candidates(desk: Desk) -> Iterator[Candidate]:
    """Return a question or two a passage, by lot."""
    for study in desk.studies:
        if study.years or desk.use(study) == "about":
            yield from _of_passage(desk, study)


def _of_passage(desk: Desk, study: Study) -> Iterator[Candidate]:
    topics = study.topics
    told = {year.sentence: year for year in reversed(study.years)}  # of a sentence, the first by lot
    for number, year in enumerate([year for year in study.years if told[year.sentence] is year][:MAX_YEARS]):
        yield about(desk.voice(study.lot, "year", *([number] if number else [])), study, year, "q.year")
    defined = next((topic for topic in topics if defines(study, topic)), None)
    if defined:
        yield about(desk.voice(study.lot, "define"), study, defined, "q.define")
    elif topics:
        yield about(desk.voice(study.lot, "about"), study, topics[0], "q.about")


def defines(study: Study, topic: Topic) -> bool:
    """Say whether the topic's sentence begins with the term and says what it is."""
    pattern = _DEFINE.get(study.language)
    start = study.stretch.sentences[topic.sentence][0] - study.stretch.start
    lead = study.text[start : topic.term.start].strip('"“„«「『 ').lower()
    rest = study.text[topic.term.end :].lstrip('"”“»」』')
    return pattern is not None and lead in _ARTICLES and pattern.match(rest) is not None


def about(voice: Voice, study: Study, topic: Topic, kind: str) -> Candidate:
    """Return the question what a passage says of something; the answer is the sentence that mentions it."""
    draft = Draft(voice, [study.piece()])
    draft.ask(kind, x=topic.term.text, w=topic.term.text)
    said = study.sentence(topic.sentence)
    draft.say("a.said", {"s": said})
    return draft.done("attribution", "span_qa", Answer(said.text, "sentence"), about=[topic.term.key])
