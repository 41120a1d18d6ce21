"""The literal checker: does a text say what is claimed, as far as numbers, dates, quotations and names can tell?

It is sound for what was taken over literally and blind to negation and to who did what to whom; whoever needs those
must ask an entailment model. It says no where a literal is missing, and what is missing.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from filters.instruct_audit.dates import Found, agree, dates
from filters.instruct_audit.names import folded, is_short_answer, names, quotations, stands_in
from filters.instruct_audit.numbers import numbers, plain, without_numerals

VERSION = "literal@1"
_EDGES = ' \t\n.,;:!?。、！？…"“”„«»「」『』()（）'


class Missing(NamedTuple):
    """A literal that the premise does not have."""

    kind: str  # number | date | quote | entity | wording
    text: str


@dataclass(frozen=True)
class Premise:
    """Texts that may support a claim, each read once."""

    texts: tuple[str, ...]

    @cached_property
    def plain(self) -> str:
        return plain("\n".join(self.texts))

    @cached_property
    def folded(self) -> str:
        return folded("\n".join(self.texts))

    @cached_property
    def squeezed(self) -> str:
        """The folded text without spaces: where lines are broken inside words of scripts that have no spaces."""
        return self.folded.replace(" ", "")

    @cached_property
    def numbers(self) -> frozenset[str]:
        """Values of all numbers, also of those that are parts of dates or of digits in groups."""
        blanked = _without(self.plain, [(each.start, each.end) for each in self.dates])
        found = {value for text in (self.plain, blanked) for values in numbers(text) for value in values}
        return frozenset({*found, *(part for value in found if " " in value for part in value.split())})

    @cached_property
    def dates(self) -> tuple[Found, ...]:
        return tuple(dates(self.plain))

    def says_number(self, values: frozenset[str]) -> bool:
        """Tell whether a number stands here; "12 345" may also be two."""
        parted = [value.split() for value in values if " " in value]
        return bool(values & self.numbers) or any(set(parts) <= self.numbers for parts in parted)

    def says_date(self, claimed: Found) -> bool:
        return any(agree(c, s) for c in claimed.readings for each in self.dates for s in each.readings)

    def quotes(self, quotation: str) -> bool:
        """Tell whether what stands in quotation marks stands here; in scripts without spaces also inside of words."""
        wanted = folded(quotation).replace(" ", "")
        return self.says(quotation) or (not _has_case(wanted) and wanted in self.squeezed)

    def says(self, literal: str) -> bool:
        """Tell whether a literal stands here, folded, as whole words."""
        wanted = folded(literal)
        if not wanted or stands_in(wanted, self.folded):
            return True
        squeezed = wanted.replace(" ", "")
        return not _has_case(squeezed) and not squeezed.isdigit() and stands_in(squeezed, self.squeezed)


def _has_case(text: str) -> bool:
    return text.lower() != text.upper()


def missing(claim: str, language: str, premise: Premise, question: Premise | None = None) -> list[Missing]:
    """Return the literals of a claim that neither the premise nor the question has, in order of kinds.

    `question`: names and quotations in it are given, they need no support; numbers and dates do. A short answer, and
    a sentence without any literal, must stand in the premise as it is (or be equal numbers or dates).
    """
    givens = [premise] if question is None else [premise, question]
    text = plain(claim)  # NFKC; names are taken from it too
    found = [Missing("quote", each) for each in quotations(claim) if not any(given.quotes(each) for given in givens)]
    stated = dates(text)
    found += [Missing("date", text[each.start : each.end]) for each in stated if not premise.says_date(each)]
    rest = _without(text, [(each.start, each.end) for each in stated])
    counts = numbers(rest)
    found += [Missing("number", "/".join(sorted(each))) for each in counts if not premise.says_number(each)]
    named = names(without_numerals(rest), language)
    found += [Missing("entity", each) for each in named if not any(given.says(each) for given in givens)]
    is_measured = bool(stated or counts) and is_short_answer(claim)
    if not found and not is_measured and (is_short_answer(claim) or not (stated or counts or named)):
        found += [] if premise.says(claim.strip(_EDGES)) else [Missing("wording", claim)]
    return found


def _without(text: str, ranges: Iterable[tuple[int, int]]) -> str:
    for start, end in ranges:
        text = text[:start] + " " * (end - start) + text[end:]
    return text


def supported(claim: str, language: str, premise: Premise, question: Premise | None = None) -> bool:
    """Tell whether all literals of a claim are in the premise (names also in the question)."""
    return not missing(claim, language, premise, question)
