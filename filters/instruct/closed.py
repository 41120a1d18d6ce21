"""Closed-book records: accepted facts asked without any source, in every language that states them.

The answer is the value, bare or in a short sentence, as precise as enough publishers have it and not more.
"""

from collections.abc import Iterator

from filters.instruct.checks import PASSED
from filters.instruct.normal import name_key
from filters.instruct.record import Answer, Candidate, Citation, Evidence, Fact, Message, Origin, Settings, draw
from filters.instruct.relations import Wording, languages, relations, with_subject, wordings

CLOSED_VERSION = 3
PHRASINGS = 5  # of a fact and language, at most
MAX_EVIDENCE = 6
TASK = "fact_qa"
# What stands before a day, and before a month or year.
_ON_IN = {"en": (" on ", " in "), "de": (" am ", " im Jahr "), "fr": (" le ", " en "), "es": (" el ", " en ")}
# How a question says as of when; {q} is the question.
_AS_OF = {
    "en": ("As of {d}: {q}", "{q} (As of {d}.)"),
    "ja": ("{d}の時点で、{q}", "{q}（{d}時点）"),
    "de": ("Stand {d}: {q}", "{q} (Stand: {d})"),
    "fr": ("En date de {d} : {q}", "{q} (en {d})"),
    "es": ("A fecha de {d}: {q}", "{q} (a fecha de {d})"),
    "zh": ("截至{d}，{q}", "{q}（截至{d}）"),
}


def closed_book(fact: Fact, settings: Settings) -> Iterator[Candidate]:
    """Yield the records of an accepted fact: in each language with a wording in which it is stated."""
    if fact.status != "accepted":
        return
    names = dict(fact.names)
    for language in languages():
        wording, value = wordings(language).get(fact.relation), _value_in(fact, language)
        if wording and value and language in names and (not settings.languages or language in settings.languages):
            yield from _phrasings(fact, names[language], value, language, wording, settings)


def _phrasings(
    fact: Fact, subject: str, value: str, language: str, wording: Wording, settings: Settings
) -> Iterator[Candidate]:
    lot = (settings.seed, fact.subject_key, fact.relation, fact.as_of or "", language)
    order = sorted(range(len(wording.questions)), key=lambda at: draw(*lot, "question", at))
    for question in order[:PHRASINGS]:
        forms = ("{v}", *_told(fact, wording, language))
        form = draw(*lot, "answer", question) % len(forms)
        asked = _dated(
            with_subject(wording.questions[question], subject, language),
            fact,
            language,
            draw(*lot, "dated", question),
        )
        before, after = (with_subject(piece, subject, language) for piece in forms[form].split("{v}"))
        template = f"{TASK}/{fact.relation}/{language}/{question}-{form}"
        yield _candidate(fact, language, (asked, before, value, after), template, settings)


def _told(fact: Fact, wording: Wording, language: str) -> tuple[str, ...]:
    """Return the sentences that may say the value: those of dates by their precision ("on" a day, "in" a year)."""
    if fact.value_type != "date" or language not in _ON_IN:
        return wording.statements
    is_day = fact.values[0].value_key.count("-") == 2
    wrong = _ON_IN[language][is_day] + "{v}"
    return tuple(each for each in wording.statements if wrong not in each)


def _candidate(
    fact: Fact, language: str, said: tuple[str, str, str, str], template: str, settings: Settings
) -> Candidate:
    """said: the question, and the reply: what stands before the value, the value, what stands behind."""
    question, before, value, after = said
    start = len(before)
    evidence = _evidence(fact, value)
    best = fact.values[0]
    cited = tuple(at for at, each in enumerate(evidence) if _says(each, fact, value)) or tuple(range(len(evidence)))
    answer = Answer(value, fact.value_type, best.value_key, _aliases(fact, value), fact.as_of)
    return Candidate(
        behaviour="closed_book",
        task=TASK,
        lang=language,
        messages=(Message("user", question), Message("assistant", before + value + after)),
        answer=answer,
        evidence=evidence,
        gen=Origin("template", template, seed=settings.seed),
        citations=(Citation((start, start + len(value)), cited),),
        corroboration=fact.corroboration,
        verify=PASSED,
        entities=(fact.subject_key,),
        keys=((fact.subject_key, fact.relation),),
    )


def _evidence(fact: Fact, value: str) -> tuple[Evidence, ...]:
    """Return what carries the best value: a statement of each domain, then those of more documents; first of all those
    that write the value as it is told.
    """
    told = sorted((each for _, each in fact.values[0].statements), key=lambda each: not _says(each, fact, value))
    domains: dict[str, Evidence] = {}
    for each in told:
        domains.setdefault(each.domain, each)
    found: dict[tuple[str, str], Evidence] = {}
    for each in (*domains.values(), *told):
        found.setdefault((each.domain, each.doc_id), each)
    return tuple(found.values())[:MAX_EVIDENCE]


def _says(evidence: Evidence, fact: Fact, value: str) -> bool:
    """Say whether a statement writes a name or a text as it is told; dates and numbers are the same in any writing."""
    return fact.value_type not in ("text", "entity") or name_key(evidence.quote) == name_key(value)


def _aliases(fact: Fact, value: str) -> tuple[str, ...]:
    """Return other right answers: other spellings; of a relation with several true values also these, if as sure."""
    own = [fact.values[0].value, *fact.values[0].aliases]
    if not relations()[fact.relation].functional:
        own += [each.value for each in fact.values[1:] if each.n_domains > 2 and each.n_clusters > 2]
    return tuple(each for each in dict.fromkeys(own) if each != value)


def _value_in(fact: Fact, language: str) -> str | None:
    """Return the best value as pages of a language write it; None where none of them states it so."""
    said = sorted(each.quote for told, each in fact.values[0].statements if told == language)
    if not said:
        return None
    return fact.values[0].value if fact.values[0].value in said else said[0]


def _dated(question: str, fact: Fact, language: str, lot: int) -> str:
    if fact.as_of is None:
        return question
    forms = _AS_OF[language]
    return forms[lot % len(forms)].format(q=question, d=fact.as_of)
