"""A fact that enough publishers agree on, told wrongly: a presupposition that the fact table corrects.

No passage is shown. The wrong value is one that the relation takes for another subject; the same fact told rightly is
the twin. What is made of a fact does not depend on the document that it is met in, so each comes once.
"""

from collections.abc import Iterator
from dataclasses import replace

from filters.instruct.build import Draft
from filters.instruct.desk import Desk, Pair
from filters.instruct.leak import squeeze
from filters.instruct.phrases import Voice
from filters.instruct.record import Answer, Candidate, Citation, Edit, Evidence, Fact, Hedge
from filters.instruct.relations import relations, wordings
from filters.instruct.twins import paired

MAX_EVIDENCE = 6


def pairs(desk: Desk) -> Iterator[Pair]:
    """Return a pair for each accepted fact with one true value that the document states."""
    seen = set()
    for stated in desk.source.facts:
        key = (stated.subject_key, stated.relation)
        fact = desk.facts.get(*key) if desk.facts and key not in seen else None
        seen.add(key)
        if fact and fact.status == "accepted" and relations()[fact.relation].functional:
            pair = _told_wrongly(desk, fact)
            if pair:
                yield pair


def _told_wrongly(desk: Desk, fact: Fact) -> Pair | None:
    wording, names = wordings(desk.language).get(fact.relation), dict(fact.names)
    value = fact.values[0]
    own = _publishers(fact)
    is_said = any(told == desk.language and each.quote == value.value for told, each in value.statements)
    known = {squeeze(one) for each in fact.values for one in (each.value, *each.aliases)}
    others = desk.facts.others(fact.relation, desk.language) if desk.facts else ()
    wrong = next((one for one in others if squeeze(one) not in known), None)
    if not (wording and wording.statements and is_said and wrong and desk.language in names):
        return None
    form = wording.statements[0].replace("{s}", names[desk.language])
    voice = Voice(desk.tongue, desk.settings.seed, f"fact:{fact.subject_key}:{fact.relation}:{desk.language}")
    true, false = form.replace("{v}", value.value), form.replace("{v}", wrong)
    twin = _answered(voice.twin(), fact, ("a.fact", true, true), own)
    hedged = _answered(voice, fact, ("h.fact", false, true), own)
    agreed = twin.messages[-1].content.replace(true, false)
    hedge = Hedge("premise.false_attribute", "correct_premise", agreed, Edit("value", value.value, wrong))
    return paired(_as_hedge(hedged, hedge), twin)


def _publishers(fact: Fact) -> list[Evidence]:
    """Return one statement of each publisher that writes the value just so."""
    found: dict[str, Evidence] = {}
    for _, each in fact.values[0].statements:
        if each.quote == fact.values[0].value:
            found.setdefault(f"{each.domain} {each.doc_id}", each)
    return list(found.values())[:MAX_EVIDENCE]


def _answered(voice: Voice, fact: Fact, said: tuple[str, str, str], own: list[Evidence]) -> Candidate:
    """Return the question whether something is so, with the fact as it is; said: (kind of reply, asked, told)."""
    kind, asked, told = said
    draft = Draft(voice, [])
    draft.ask("q.fact", s=asked)
    worded = draft.say(kind, s=told)
    at = worded.at["s"][0] + told.index(fact.values[0].value)
    draft.evidence += own
    draft.citations.append(Citation((at, at + len(fact.values[0].value)), tuple(range(len(draft.evidence)))))
    answer = Answer(fact.values[0].value, fact.value_type, fact.values[0].value_key, as_of=fact.as_of)
    made = draft.done("closed_book", "fact_qa", answer, about=[fact.subject_key])
    return _with(made, corroboration=fact.corroboration, keys=((fact.subject_key, fact.relation),))


def _as_hedge(made: Candidate, hedge: Hedge) -> Candidate:
    answer = Answer(made.messages[-1].content, "none")
    return _with(made, behaviour="hedge", task="claim", answer=answer, hedge=hedge, corroboration=None)


def _with(made: Candidate, **changes: object) -> Candidate:
    return replace(made, **changes)  # type: ignore[arg-type]
