"""Two sources that say the same but for a number: both are given, each with its own."""

from filters.instruct.build import Draft, Piece, whole
from filters.instruct.cited import shuffled
from filters.instruct.desk import NUMBER, Desk, Pair, Study, without_numbers
from filters.instruct.leak import gives_away, mentions
from filters.instruct.record import Answer, Edit, Hedge, Passage
from filters.instruct.twins import paired


def conflict(desk: Desk, study: Study) -> Pair | None:
    """Return the question what two sources say of a thing, where their numbers differ and where only one speaks."""
    for index in range(len(study.stretch.sentences)):
        said = study.sentence(index)
        if not desk.numbered or not NUMBER.search(said.text) or not study.stands_alone(index):
            continue
        for passage, other in desk.numbered.get(without_numbers(said.text), ()):
            is_other = NUMBER.findall(said.text) != NUMBER.findall(other.text)
            pair = _pair(desk, study, said, (passage, other)) if is_other else None
            if pair:
                return pair
    return None


def _pair(desk: Desk, study: Study, said: Piece, other: tuple[Passage, Piece]) -> Pair | None:
    passage, against = other
    common = [term for term in study.terms if mentions(term.text, said.text) and mentions(term.text, against.text)]
    single = [topic for topic in study.topics if not gives_away(topic.term.text, passage.text)]
    if not common or not single:
        return None
    voice = desk.voice(study.lot, "conflict")
    shown = shuffled(voice, [study.piece(), whole(passage)])
    label = {piece.source.doc_id: f"[{n}]" for n, piece in enumerate(shown, 1)}
    own, its = label[study.source.doc_id], label[passage.doc_id]
    name, alone = common[0].text, single[0]
    answer = study.sentence(alone.sentence)
    twin = Draft(voice.twin(), shown, numbered=True)
    twin.ask("q.about.many", x=alone.term.text)
    twin.say("a.cited", {"s": answer}, n=own)
    hedge = Draft(voice, shown, numbered=True)
    hedge.ask("q.about.many", x=name)
    hedge.say("h.conflict", {"s": said, "t": against}, a=own, b=its)
    wrong = Draft(voice.twin(), [])
    wrong.say("a.cited", {"s": said}, n=own)
    why = Hedge("evidence.conflict", "both_sides", wrong.reply, Edit("entity", alone.term.text, name))
    return paired(
        hedge.done("hedge", "cited_answer", Answer(hedge.reply, "none"), why, [common[0].key]),
        twin.done("attribution", "cited_answer", Answer(answer.text, "sentence"), about=[alone.term.key]),
    )
