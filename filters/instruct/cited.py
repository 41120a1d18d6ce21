"""Answers with numbers: several passages in an order drawn by hash, one of which answers."""

import re
from collections.abc import Iterator

from filters.instruct.build import Draft, Piece
from filters.instruct.desk import Desk, Study, Topic
from filters.instruct.leak import gives_away
from filters.instruct.phrases import Voice
from filters.instruct.record import Answer, Candidate, Pair, draw

_QUESTION_MARKS = ("?", "？", "؟")
_NUMBER = re.compile(r"^(?:\d{1,2}(?:\.\d{1,2})*[.)]?|[A-Z]\.\d{1,2}(?:\.\d{1,2})*\.?)\s+")  # of a heading
_BROKEN = re.compile(r"\n\n|\t")  # more than one paragraph, or a table
MIN_ANSWER_CHARS, MAX_QUESTION_CHARS = 40, 160


def candidates(desk: Desk) -> Iterator[Candidate]:
    """Return a question to each passage that is used for it, among others, and the document's own questions."""
    for study in desk.studies:
        if desk.use(study) == "cited" and study.topics:
            yield from _about(desk, study, study.topics[-1])
    for number, pair in enumerate(desk.source.faq):
        yield from _own(desk, number, pair)


def silent_about(desk: Desk, name: str, count: int, *lot: object) -> list[Piece]:
    """Return up to `count` passages beside the document that do not mention a name or a part of it."""
    found = [piece for piece in desk.distractors(len(desk.others), *lot) if not gives_away(name, piece.text)]
    return found[:count]


def _about(desk: Desk, study: Study, topic: Topic) -> Iterator[Candidate]:
    beside = silent_about(desk, topic.term.text, desk.settings.context_passages - 1, study.lot)
    if beside:
        yield cited_answer(
            desk.voice(study.lot, "cited"), study.piece(), study.sentence(topic.sentence), beside, topic.term.text
        )


def cited_answer(voice: Voice, gold: Piece, said: Piece, beside: list[Piece], name: str) -> Candidate:
    """Return the question what several passages say of a name, answered out of the one that mentions it."""
    shown = shuffled(voice, [gold, *beside])
    draft = Draft(voice, shown, numbered=True)
    draft.ask("q.about.many", x=name)
    draft.say("a.cited", {"s": said}, n=f"[{shown.index(gold) + 1}]")
    return draft.done("attribution", "cited_answer", Answer(said.text, "sentence"), about=[name])


def shuffled(voice: Voice, pieces: list[Piece]) -> list[Piece]:
    """Return pieces in an order drawn by hash."""
    return sorted(pieces, key=lambda one: draw(voice.seed, voice.lot, "order", one.source.doc_id, one.start))


def _own(desk: Desk, number: int, pair: Pair) -> Iterator[Candidate]:
    """Return a question of the document's own, with the text that answers it, among other passages."""
    if pair.view != "text" or not pair.question.rstrip().endswith(_QUESTION_MARKS):
        return
    start = pair.start + len(pair.answer) - len(pair.answer.lstrip())
    said = Piece(desk.source, start, start + len(pair.answer.strip()))
    if (
        not MIN_ANSWER_CHARS <= len(said.text) <= 2 * desk.settings.max_quote_chars
        or "\n\n" in said.text
        or "\t" in said.text
    ):
        return
    beside = desk.distractors(desk.settings.context_passages - 1, "faq", number)
    if said.text != pair.answer.strip() or len(pair.question) > MAX_QUESTION_CHARS or not beside:
        return
    voice = desk.voice("faq", number)
    shown = shuffled(voice, [Piece(desk.source, said.start, said.end, "context"), *beside])
    draft = Draft(voice, shown, numbered=True)
    draft.ask_in_words(_NUMBER.sub("", pair.question.strip()))
    place = next(i for i, piece in enumerate(shown, 1) if piece.start == said.start and piece.source is desk.source)
    draft.say("a.cited", {"s": said}, n=f"[{place}]")
    yield draft.done("attribution", "span_qa", Answer(said.text, "text"))
