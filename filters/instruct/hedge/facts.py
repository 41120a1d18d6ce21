"""Facts that enough publishers agree on, asked for as they are not: wrongly, of another relation, for a later day.

No passage is shown. A wrong value is one that the relation takes for another subject, or that the subject has under
another relation; the same fact told rightly is the twin. What is made of a fact does not depend on the document that it
is met in, so each comes once.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from filters.instruct.build import Draft
from filters.instruct.desk import Desk, Pair
from filters.instruct.hedge.late import day_after
from filters.instruct.leak import squeeze
from filters.instruct.normal import agrees
from filters.instruct.phrases import Voice, Wording
from filters.instruct.record import Answer, Candidate, Citation, Edit, Evidence, Fact, Hedge, draw
from filters.instruct.relations import relations, with_subject, wordings
from filters.instruct.twins import paired

MAX_EVIDENCE = 6


@dataclass(frozen=True)
class Stated:
    """An accepted fact as the document's language states it: in a sentence, with its publishers."""

    fact: Fact
    subject: str
    form: str  # a sentence with the subject, and {v} for the value
    own: tuple[Evidence, ...]

    @property
    def value(self) -> str:
        """Return the value as it is written."""
        return self.fact.values[0].value

    def said(self, value: str) -> str:
        """Return the sentence with a value."""
        return self.form.replace("{v}", value)


def pairs(desk: Desk) -> Iterator[Pair]:
    """Return pairs for each accepted fact that the document states and that has one true value."""
    for stated in _accepted(desk):
        for pair in (_told_wrongly(desk, stated), _of_another_relation(desk, stated), _asked_later(desk, stated)):
            if pair:
                yield pair


def _accepted(desk: Desk) -> Iterator[Stated]:
    seen = set()
    for stated in desk.source.facts:
        key = (stated.subject_key, stated.relation)
        fact = desk.facts.get(*key) if desk.facts and key not in seen else None
        seen.add(key)
        found = _stated(desk, fact) if fact else None
        if found:
            yield found


def _stated(desk: Desk, fact: Fact) -> Stated | None:
    """Return a fact that is accepted and functional, if pages of the document's language write its value just so."""
    wording, names = wordings(desk.language).get(fact.relation), dict(fact.names)
    value = fact.values[0]
    is_said = any(told == desk.language and each.quote == value.value for told, each in value.statements)
    is_sure = fact.status == "accepted" and relations()[fact.relation].functional
    if not (is_sure and wording and wording.statements and is_said and desk.language in names):
        return None
    form = with_subject(wording.statements[0], names[desk.language], desk.language)
    return Stated(fact, names[desk.language], form, tuple(_publishers(fact)))


def _voice(desk: Desk, fact: Fact, use: str) -> Voice:
    return Voice(desk.tongue, desk.settings.seed, f"{use}:{fact.subject_key}:{fact.relation}:{desk.language}")


def _told_wrongly(desk: Desk, stated: Stated) -> Pair | None:
    fact = stated.fact
    known = {squeeze(one) for each in fact.values for one in (each.value, *each.aliases)}
    others = desk.facts.others(fact.relation, desk.language) if desk.facts else ()
    wrong = next((one for one in others if squeeze(one) not in known), None)
    if wrong is None:
        return None
    edit = Edit("value", stated.value, wrong)
    return _corrected(stated, _voice(desk, fact, "fact"), wrong, ("premise.false_attribute", edit))


def _of_another_relation(desk: Desk, stated: Stated) -> Pair | None:
    """Return the pair where the value is the subject's, but of another relation of the same type."""
    fact = stated.fact
    for other in desk.facts.of(fact.subject_key) if desk.facts else ():
        elsewhere = _stated(desk, other) if other.value_type == fact.value_type else None
        if elsewhere is None or other.relation == fact.relation:
            continue
        if agrees(fact.values[0].value_key, other.values[0].value_key, fact.value_type):
            continue
        edit = Edit("relation", other.relation, fact.relation)
        told = ("premise.false_relation", edit)
        return _corrected(stated, _voice(desk, fact, "relation"), elsewhere.value, told, elsewhere)
    return None


def _corrected(
    stated: Stated, voice: Voice, wrong: str, told: tuple[str, Edit], elsewhere: Stated | None = None
) -> Pair | None:
    """Return the question whether a wrong value is right, with the true one; told: (reason, edit)."""
    true, false = stated.said(stated.value), stated.said(wrong)
    twin = _answered(voice.twin(), stated, ("a.fact", true, true))
    also = (elsewhere,) if elsewhere else ()
    hedged = _answered(voice, stated, ("h.fact", false, true), also)
    agreed = twin.messages[-1].content.replace(true, false)
    reason, edit = told
    return paired(_as_hedge(hedged, Hedge(reason, "correct_premise", agreed, edit)), twin)


def _asked_later(desk: Desk, stated: Stated) -> Pair | None:
    """Return the question for a later day than any source, where a fact varies with time, and for its own day."""
    fact, day = stated.fact, desk.settings.crawl_date
    wording = wordings(desk.language)[fact.relation]
    if not (fact.as_of and day and relations()[fact.relation].time_varying):
        return None
    voice = _voice(desk, fact, "later")
    lot = draw(desk.settings.seed, "later", fact.subject_key, fact.relation, desk.language)
    after = day_after(max(day, _whole_day(fact.as_of)), lot)
    question = with_subject(wording.questions[lot % len(wording.questions)], stated.subject, desk.language)
    sentence = stated.said(stated.value)
    twin, hedge = Draft(voice.twin(), []), Draft(voice, [])
    twin.ask("q.asof", d=fact.as_of, q=question)
    _tell(twin, twin.add(Wording(sentence, {"s": (0, len(sentence))}), {}), stated)
    hedge.ask("q.asof", d=after, q=question)
    _tell(hedge, hedge.say("h.asof", w=after, d=fact.as_of, s=sentence), stated)
    why = Hedge("stale.after_cutoff", "partial", sentence, Edit("date", fact.as_of, after))
    return paired(_as_hedge(_done(hedge, stated), why), _done(twin, stated))


def _whole_day(day: str) -> str:
    """Return a date of any precision as a day, the first that it covers."""
    return f"{day}-01-01"[:10] if len(day) == 4 else f"{day}-01"[:10]


def _publishers(fact: Fact) -> list[Evidence]:
    """Return one statement of each publisher that writes the value just so."""
    found: dict[str, Evidence] = {}
    for _, each in fact.values[0].statements:
        if each.quote == fact.values[0].value:
            found.setdefault(f"{each.domain} {each.doc_id}", each)
    return list(found.values())[:MAX_EVIDENCE]


def _answered(voice: Voice, stated: Stated, said: tuple[str, str, str], also: tuple[Stated, ...] = ()) -> Candidate:
    """Return the question whether something is so, with the fact as it is; said: (kind of reply, asked, told).

    also: what else is told behind it, each with its own publishers.
    """
    kind, asked, told = said
    draft = Draft(voice, [])
    draft.ask("q.fact", s=asked)
    _tell(draft, draft.say(kind, s=told), stated)
    for each in also:
        sentence = each.said(each.value)
        _tell(draft, draft.add(Wording(sentence, {"s": (0, len(sentence))}), {}), each)
    return _done(draft, stated)


def _tell(draft: Draft, worded: Wording, stated: Stated) -> None:
    """Cite the value in the sentence that was said last, which stands in its slot {s}."""
    start = len(draft.reply) - len(worded.text) + worded.at["s"][0]
    at = start + stated.said("{v}").index("{v}")
    numbers = range(len(draft.evidence), len(draft.evidence) + len(stated.own))
    draft.evidence += stated.own
    draft.citations.append(Citation((at, at + len(stated.value)), tuple(numbers)))


def _done(draft: Draft, stated: Stated) -> Candidate:
    fact = stated.fact
    answer = Answer(stated.value, fact.value_type, fact.values[0].value_key, as_of=fact.as_of)
    made = draft.done("closed_book", "fact_qa", answer, about=[fact.subject_key])
    return replace(made, corroboration=fact.corroboration, keys=((fact.subject_key, fact.relation),))


def _as_hedge(made: Candidate, hedge: Hedge) -> Candidate:
    answer = Answer(made.messages[-1].content, "none", as_of=made.answer.as_of)
    return replace(made, behaviour="hedge", task="claim", answer=answer, hedge=hedge, corroboration=None)
