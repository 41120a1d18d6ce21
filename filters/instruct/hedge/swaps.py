"""What may be put in a term's place: names, numbers and years from elsewhere, and words with their opposites.

Whatever is put in is taken from the corpus in the same way as what it replaces, so a question by itself tells nothing
about whether it can be answered.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from filters.instruct.desk import Desk, Study
from filters.instruct.leak import gives_away, squeeze
from filters.instruct.terms import YEAR, Term, numbers

_VOWELS = frozenset("aeiouàâäéèêëîïôöûüáíóúAEIOUÀÂÄÉÈÊËÎÏÔÖÛÜÁÍÓÚhH")
_UNSEEN = 0.2  # occurrences that are granted to a word that a document does not have
_OPPOSITES = Path(__file__).parent.parent / "phrases" / "opposites"


def strangers(desk: Desk, study: Study, term: Term) -> Iterator[Term]:
    """Return terms of the same kind that the passage does not mention, not even in part, in an order drawn by hash."""
    every = desk.strangers
    first = desk.lot("stranger", study.lot, term.start) % max(1, len(every))
    for one in (*every[first:], *every[:first]):
        if one.kind == term.kind and _as_long(one.text, term.text) and not gives_away(one.text, study.text):
            yield one


def _as_long(one: str, other: str) -> bool:
    return one.count(" ") == other.count(" ") and len(one) <= 2 * len(other) + 2 and len(other) <= 2 * len(one) + 2


def fits_in(term: Term, other: Term, said: str, at: int, language: str) -> bool:
    """Say whether `other` can stand in a sentence where `term` stands without breaking what depends on its sound."""
    one, two, before = term.text, other.text, said[:at]
    if language == "ko":
        behind = said[at + len(one) : at + len(one) + 1]
        return one[-1] == two[-1] or not ("가" <= behind <= "힣")
    if language in ("en", "fr", "it") and re.search(r"(?:\b[Aa]n?|['’])\s?$", before):
        return (one[0] in _VOWELS) == (two[0] in _VOWELS) and one.isupper() == two.isupper()
    return not (language == "de" and term.kind == "noun")


def other_year(desk: Desk, study: Study, year: str) -> str | None:
    """Return a year that the document or its neighbours name, or one next to it; never one the passage names."""
    named = [term.text for term in desk.strangers if term.kind == YEAR]
    close = [str(int(year) + step) for step in (-3, -2, -1, 1, 2, 3)]
    ordered = sorted(set(named), key=lambda one: desk.lot("year", study.lot, one))
    ordered += sorted(close, key=lambda one: desk.lot("year", study.lot, one))
    latest = int((desk.settings.crawl_date or desk.source.fetched_at or "9999")[:4])
    return next((one for one in ordered if int(one) <= latest and squeeze(one) not in study.squeezed), None)


def other_number(desk: Desk, study: Study, number: Term) -> str | None:
    """Return a number of the same form that stands elsewhere in the document or beside it, and not in the passage."""
    form = re.sub(r"\d", "0", number.text)
    found = {one.text for text in _number_texts(desk) for one in numbers(text)}
    alike = [one for one in found if re.sub(r"\d", "0", one) == form and one not in study.text]
    return min(alike, key=lambda one: desk.lot("number", study.lot, number.start, one), default=None)


def _number_texts(desk: Desk) -> list[str]:
    return [*(study.text for study in desk.studies), *(passage.text for passage, _ in desk.others)]


@dataclass(frozen=True)
class Opposite:
    """A word and what says the contrary of it, as it stands in a sentence."""

    reason: str  # negation | antonym
    word: str
    contrary: str


@cache
def opposites(language: str) -> tuple[Opposite, ...]:
    """Return the reviewed opposites of a language, both ways round where both ways read well."""
    path = _OPPOSITES / f"{language}.tsv"
    found = []
    for line in path.read_text("utf-8").splitlines() if path.exists() else ():
        if line and not line.startswith("#"):
            reason, one, other = line.split("\t")
            found += [Opposite(reason, one, other), Opposite(reason, other, one)]
    return tuple(found)


@cache
def _of_word(language: str) -> dict[str, list[Opposite]]:
    """Return the opposites by what is replaced."""
    found: dict[str, list[Opposite]] = {}
    for one in opposites(language):
        found.setdefault(one.word, []).append(one)
    return found


@cache
def _finder(language: str) -> re.Pattern[str] | None:
    words = sorted({one.word for one in opposites(language)}, key=lambda word: (-len(word), word))
    if not words:
        return None
    body = "|".join(map(re.escape, words))
    return re.compile(body if language[:2] in ("ja", "zh", "ko") else rf"(?<![\w’'-])(?:{body})(?![\w-])")


def contraries(said: str, language: str) -> list[tuple[int, Opposite]]:
    """Return the words of a sentence that have an opposite, with their places, where word and opposite come once."""
    finder = _finder(language)
    if finder is None:
        return []
    places: dict[str, list[int]] = {}
    for match in finder.finditer(said):
        places.setdefault(match.group(), []).append(match.start())
    once = [word for word, starts in places.items() if len(starts) == 1]
    return [(places[word][0], one) for word in once for one in _of_word(language)[word] if one.contrary not in places]


def is_even(desk: Desk, study: Study, one: Opposite) -> bool:
    """Say by lot whether a word gives way to its contrary: as often as the document has the contrary, if that is less.

    So words and contraries are exchanged about as often either way, and little is made that the balance leaves out.
    """
    there, back = (_count(desk, word) for word in (one.word, one.contrary))
    if one.word in one.contrary:
        there -= back
    elif one.contrary in one.word:
        back -= there
    share = (back + _UNSEEN) / (there + _UNSEEN)
    return share >= 1 or desk.lot("even", study.lot, one.word) < share * (1 << 64)


def _count(desk: Desk, word: str) -> int:
    return desk.source.text.count(word if desk.tongue[:2] in ("ja", "zh") else f" {word} ")
