"""What the corpus as a whole says of a fact: who states which value, and whether that is enough.

A fact is (subject, relation), of a relation that varies with time also the date as of which it holds. Publishers count,
not documents, and copies of a text count once, so what counts is the largest number of pairs (publisher, copied text)
of which no two share either: a maximum matching. Copies share a duplicate cluster, or the words around the statement.

Everything kept is the smallest by a keyed hash, so tallies may be made in any order and merged in any grouping, and a
subject that a million documents tell of takes no more room than one that a hundred do.
"""

import heapq
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from filters.instruct.abbreviations import FULL_FORM, best_first
from filters.instruct.normal import agrees
from filters.instruct.record import Cell, Corroboration, Evidence, Fact, FactValue, draw
from filters.instruct.relations import Relation, relations

FACTS_VERSION = 2
MAX_PUBLISHERS = 64  # of a value: beyond, more of them prove nothing more
MAX_PER_PUBLISHER = 12  # so that publishers who write in many languages are heard in most of them
MAX_VALUES = 1024  # of a fact; with more, nothing is known
MAX_SHOWN = 6  # statements that a fact carries of a value, of different publishers
MAX_ALIASES = 8


@dataclass(frozen=True)
class Told:
    """A statement and who makes it. contexts: digests of the words around it, copies share one."""

    subject: str
    value: str
    value_key: str
    method: str
    language: str
    publisher: str
    cluster: str
    contexts: tuple[int, ...]
    own_page: bool  # the page is about the subject
    evidence: Evidence

    @property
    def order(self) -> tuple[int, str, str, int]:
        """Return what statements of a publisher are kept by."""
        lot = draw(0, self.cluster, *self.contexts, self.value, self.language, self.method)
        return lot, self.evidence.doc_id, self.evidence.quote, self.evidence.start


@dataclass
class Support:
    """Who states a value: the MAX_PUBLISHERS smallest by hash, of each the MAX_PER_PUBLISHER smallest statements."""

    publishers: dict[tuple[int, str], list[Told]] = field(default_factory=dict)

    def add(self, told: Told) -> None:
        key = (draw(0, "publisher", told.publisher), told.publisher)
        own = self.publishers.setdefault(key, [])
        if all(told.order != each.order for each in own):
            own.append(told)
            own.sort(key=lambda each: each.order)
            del own[MAX_PER_PUBLISHER:]
        if len(self.publishers) > MAX_PUBLISHERS:
            del self.publishers[max(self.publishers)]

    def statements(self) -> list[Told]:
        """Return what is kept, publisher by publisher."""
        return [told for _, own in sorted(self.publishers.items()) for told in own]


@dataclass
class Tally:
    """All that is said of one fact."""

    subject_key: str
    relation: Relation
    as_of: str | None
    values: dict[str, Support] = field(default_factory=dict)
    is_full: bool = False
    own_page: bool = False
    names: dict[tuple[str, str], int] = field(default_factory=dict)  # (language, subject as written) -> statements

    def add(self, told: Told) -> None:
        """Count a statement."""
        self.own_page |= told.own_page
        name = (told.language, told.subject)
        self.names[name] = self.names.get(name, 0) + 1
        if len(self.names) > MAX_PUBLISHERS:
            del self.names[max(self.names)]
        if told.value_key not in self.values and len(self.values) == MAX_VALUES:
            self.is_full = True
            return
        self.values.setdefault(told.value_key, Support()).add(told)


@dataclass(frozen=True)
class Accepting:
    """When a fact is accepted: the recipe's `instruct.facts`."""

    min_publishers: int = 3
    min_agreement: float = 0.9


def independent(statements: Sequence[Told]) -> int:
    """Return the size of a maximum matching between publishers and copied texts."""
    component = _components(statements)
    wants: dict[str, list[int]] = {}
    for told, label in zip(statements, component, strict=True):
        wants.setdefault(told.publisher, []).append(label)
    taken: dict[int, str] = {}
    return sum(_augment(publisher, wants, taken, set()) for publisher in sorted(wants))


def _augment(publisher: str, wants: Mapping[str, list[int]], taken: dict[int, str], seen: set[int]) -> bool:
    for label in wants[publisher]:
        if label not in seen:
            seen.add(label)
            if label not in taken or _augment(taken[label], wants, taken, seen):
                taken[label] = publisher
                return True
    return False


def _components(statements: Sequence[Told]) -> list[int]:
    """Return a label for each statement; those that share a cluster or a context have one label."""
    parent = list(range(len(statements)))

    def root(at: int) -> int:
        while parent[at] != at:
            parent[at] = parent[parent[at]]
            at = parent[at]
        return at

    first: dict[object, int] = {}
    for at, told in enumerate(statements):
        for mark in (told.cluster, *told.contexts):
            parent[root(at)] = root(first.setdefault(mark, at))
    return [root(at) for at in range(len(statements))]


def decide(tally: Tally, accepting: Accepting) -> Fact | None:
    """Return the fact with its status; None where too many values are told to say anything.

    accepted     enough independent publishers, they agree, nobody else has two publishers for another value; with a
                 date where it varies; of a person, one page at least is about them
    conflict     of a functional relation: another value has two publishers, or too few agree
    attribution  two independent publishers; low: one; stale: would be accepted, but says no date
    """
    if tally.is_full:
        return None
    chosen = _chosen(tally, accepting)
    relation = tally.relation
    rivals = [key for key in tally.values if relation.functional and not agrees(key, chosen, relation.type)]
    stating = _publishers(tally, list(tally.values) if relation.functional else [chosen])
    against = _publishers(tally, rivals) - _publishers(tally, [key for key in tally.values if key not in rivals])
    agreement = 1 - len(against) / len(stating)
    conflicts = sum(independent(tally.values[key].statements()) > 1 for key in rivals)
    supporters = _supporting(tally, chosen)
    count = independent(supporters)
    status = _status(tally, count, agreement, conflicts, accepting)
    methods = "+".join(sorted({told.method for told in supporters}))
    n_publishers = len({told.publisher for told in supporters})
    n_clusters = len(set(_components(supporters)))
    corroboration = Corroboration(n_publishers, n_clusters, round(agreement, 4), conflicts, methods)
    others = sorted((key for key in tally.values if key != chosen), key=lambda key: _rank(tally, key))
    values = tuple(_value(tally, key) for key in [chosen, *others][:4])
    fixed = (values[0].statements and _subject(tally), tally.subject_key, relation.name, relation.type, status, values)
    return Fact(fixed[0] or tally.subject_key, *fixed[1:], corroboration, tally.as_of, _names(tally))


def _status(tally: Tally, count: int, agreement: float, conflicts: int, accepting: Accepting) -> str:
    relation = tally.relation
    if conflicts or agreement < accepting.min_agreement:
        return "conflict" if relation.functional else "low"
    if count < 2:
        return "low"
    if count < accepting.min_publishers or (relation.person and not tally.own_page):
        return "attribution"
    return "stale" if relation.time_varying and tally.as_of is None else "accepted"


def _entails(key: str, coarse: str, kind: str) -> bool:
    return key == coarse or (kind == "date" and key.startswith(f"{coarse}-"))


def _supporting(tally: Tally, key: str) -> list[Told]:
    """Return the statements that carry a value: of a date, also those that are more precise."""
    kind = tally.relation.type
    return [
        told
        for other in sorted(tally.values)
        if _entails(other, key, kind)
        for told in tally.values[other].statements()
    ]


def _chosen(tally: Tally, accepting: Accepting) -> str:
    """Return the value with the most independent publishers; of dates the most precise one that has enough of them."""
    counts = {key: independent(_supporting(tally, key)) for key in tally.values}
    best = min(counts, key=lambda key: (-counts[key], -len(key) if tally.relation.type == "date" else 0, key))
    finer = [
        key for key in counts if _entails(key, best, tally.relation.type) and counts[key] >= accepting.min_publishers
    ]
    return max(finer, key=lambda key: (len(key), counts[key], key)) if finer else best


def _publishers(tally: Tally, keys: Iterable[str]) -> set[str]:
    return {name for key in keys for _, name in tally.values[key].publishers}


def _rank(tally: Tally, key: str) -> tuple[int, str]:
    return -independent(tally.values[key].statements()), key


def _value(tally: Tally, key: str) -> FactValue:
    own = tally.values[key].statements()
    surfaces = Counter(told.value for told in own)
    spelt = tally.relation.name == FULL_FORM
    ordered = best_first(surfaces) if spelt else sorted(surfaces, key=lambda each: (-surfaces[each], each))
    shown = [next(iter(statements)) for _, statements in sorted(tally.values[key].publishers.items())][:MAX_SHOWN]
    by_language = {told.language: told for told in reversed(own)}  # every language that states it stays
    told = dict.fromkeys([*shown, *(each for _, each in sorted(by_language.items()))])
    counts = (len(tally.values[key].publishers), len(set(_components(own))))
    statements = tuple((each.language, each.evidence) for each in told)
    return FactValue(ordered[0], key, tuple(ordered[1 : MAX_ALIASES + 1]), *counts, statements)


def _subject(tally: Tally) -> str:
    return min(tally.names, key=lambda name: (-tally.names[name], name))[1]


def _names(tally: Tally) -> tuple[tuple[str, str], ...]:
    """Return (language, the subject's commonest name there), by language."""
    best: dict[str, tuple[int, str]] = {}
    for (language, name), count in tally.names.items():
        best[language] = min(best.get(language, (0, "")), (-count, name))
    return tuple((language, name) for language, (_, name) in sorted(best.items()))


# As they are stored.


def fact_json(fact: Fact) -> dict[str, Any]:
    """Return a fact as JSON."""
    from dataclasses import asdict

    return asdict(fact)


def fact_of(body: Mapping[str, Any]) -> Fact:
    """Return the fact that `fact_json` gave."""
    values = tuple(_value_of(each) for each in body["values"])
    names = tuple((language, name) for language, name in body["names"])
    return Fact(**{**body, "values": values, "names": names, "corroboration": Corroboration(**body["corroboration"])})


def _value_of(body: Mapping[str, Any]) -> FactValue:
    statements = tuple((language, evidence_from(each)) for language, each in body["statements"])
    return FactValue(**{**body, "aliases": tuple(body["aliases"]), "statements": statements})


def evidence_from(body: Mapping[str, Any]) -> Evidence:
    """Return evidence from its JSON."""
    cell = body["cell"] and Cell(**{**body["cell"], "header": tuple(body["cell"]["header"])})
    box, times = body["bbox"], body["t_ms"]
    return Evidence(**{**body, "cell": cell, "bbox": box and tuple(box), "t_ms": times and tuple(times)})


@dataclass(frozen=True)
class Facts:
    """The facts that concern a document: `filters.instruct.record.FactTable`."""

    by_subject: Mapping[str, Sequence[Fact]]
    values: Mapping[tuple[str, str], Sequence[str]]  # (relation, language) -> values of other subjects, by hash

    @classmethod
    def of_facts(cls, facts: Iterable[Fact], values: Mapping[tuple[str, str], Sequence[str]]) -> "Facts":
        found: dict[str, list[Fact]] = {}
        for fact in facts:
            found.setdefault(fact.subject_key, []).append(fact)
        for each in found.values():
            each.sort(key=lambda fact: (fact.relation, fact.status != "accepted", _later(fact.as_of)))
        return cls(found, values)

    def of(self, subject_key: str) -> Sequence[Fact]:
        """Return the facts of a subject, by relation; of one relation the accepted and latest first."""
        return self.by_subject.get(subject_key, ())

    def get(self, subject_key: str, relation: str) -> Fact | None:
        """Return one fact, None where the corpus says nothing of it."""
        return next((fact for fact in self.of(subject_key) if fact.relation == relation), None)

    def others(self, relation: str, language: str) -> Sequence[str]:
        """Return values that the relation takes for other subjects."""
        return self.values.get((relation, language), ())


def _later(as_of: str | None) -> tuple[int, ...]:
    return tuple(-ord(each) for each in as_of or "")


def smallest(values: Iterable[str], seed: int, most: int) -> list[str]:
    """Return the `most` values with the smallest lots, by lot: a sample that does not depend on the order."""
    return heapq.nsmallest(most, set(values), key=lambda value: (draw(seed, "value", value), value))


def new_tally(subject_key: str, relation: str, as_of: str | None) -> Tally:
    """Return an empty tally of a fact."""
    return Tally(subject_key, relations()[relation], as_of)
