"""Abbreviations that a text spells out: "Dynamic Host Configuration Protocol (DHCP)", "DHCP (Dynamic Host ...)".

After Schwartz and Hearst 2003 (Pacific Symposium on Biocomputing 8, section 3), and stricter: every letter is found
from right to left, the first one where the first word begins, and every word that is no particle gives a letter at its
beginning, so that no word belongs to it by chance.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import NamedTuple

FULL_FORM = "full_form"  # the relation
MAX_WORDS = 8
MAX_SHORT, MAX_LONG = 10, 80  # characters
_SHORT = r"(?:[A-Z][A-Z0-9]{1,9}|[A-Z][a-z]?[A-Z]{1,7})"
_OPEN = re.compile("[(（]")
_INSIDE_SHORT = re.compile(rf"({_SHORT})[)）]")
_INSIDE_LONG = re.compile(r"[\"“„«]? ?([^\W\d_][^()（）\n\t;:。；：]{4,79}?) ?[\"”“»]?[)）]")
_SHORT_AT_END = re.compile(rf"(?<![A-Za-z0-9])({_SHORT}) ?\Z")
_LONG_AT_END = re.compile(r"[^()（）\n\t,;:.。、，；：\"“”«»]*\Z")
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")
_PARTICLES = frozenset(
    ("of", "for", "and", "the", "in", "on", "to", "a", "an", "de", "la", "du", "des", "und", "y", "et")
)


class Spelt(NamedTuple):
    """An abbreviation and what it is short for; offsets of the long form in the text."""

    short: str
    long: str
    start: int
    end: int


def abbreviations(text: str) -> Iterator[Spelt]:
    """Yield what a text spells out, in its order."""
    for found in _OPEN.finditer(text):
        at, inside = found.start(), found.end()
        if short := _INSIDE_SHORT.match(text, inside):
            yield from _before(text, at, short[1])
        elif text[inside : inside + 1].isalpha() or text[inside : inside + 1] in '"“„«':
            yield from _within(text, at, inside)


def _before(text: str, at: int, short: str) -> Iterator[Spelt]:
    """Look for the long form of a short one in parentheses, before them."""
    end = at - 1 if text[at - 1 : at] == " " else at
    words = _LONG_AT_END.search(text, max(0, end - MAX_LONG), end)
    place = _fits(short, text, words.start() if words else end, end, whole=False)
    if place >= 0:
        yield Spelt(short, text[place:end], place, end)


def _within(text: str, at: int, inside: int) -> Iterator[Spelt]:
    """Look for a short form before parentheses that spell it out."""
    short = _SHORT_AT_END.search(text[max(0, at - MAX_SHORT - 2) : at])
    long = _INSIDE_LONG.match(text, inside) if short else None
    if short and long and _fits(short[1], text, *long.span(1), whole=True) >= 0:
        yield Spelt(short[1], long[1], *long.span(1))


def spells(short: str, long: str) -> bool:
    """Say whether a short form can stand for a long one."""
    return _fits(short, long, 0, len(long), whole=True) >= 0


def letters_of(long: str) -> str:
    """Return the form under which spellings of one long form are the same: folded words without a plural's ending."""
    words = (re.sub("ies$", "y", word) for word in _WORD.findall(long.casefold()))
    return "".join(word.removesuffix("s") if len(word) > 3 else word for word in words)


def best_first(spellings: Mapping[str, int]) -> list[str]:
    """Return spellings of one long form with how often each is read, the best first: the commonest, in the singular
    where half as many write it so. A capital at the first word alone comes from where it stands and is told last.
    """
    numbers: Counter[str] = Counter()
    every = any(map(_is_even, spellings))
    for spelling, count in spellings.items():
        numbers[_bare(spelling)] += count if _is_even(spelling) or not every else 0
    singular = min(numbers, key=lambda bare: (len(bare), bare))
    commonest = min(numbers, key=lambda bare: (-numbers[bare], bare))
    best = singular if numbers[singular] * 2 >= numbers[commonest] else commonest
    return sorted(spellings, key=lambda one: (_bare(one) != best, not _is_even(one), -spellings[one], one))


def _bare(long: str) -> str:
    return "".join(_WORD.findall(long.casefold()))


def _is_even(long: str) -> bool:
    """Say whether all words of a long form begin with a capital, or none; particles count for nothing."""
    return len({word[0].isupper() for word in _WORD.findall(long) if word.casefold() not in _PARTICLES}) < 2


def _fits(short: str, text: str, start: int, end: int, *, whole: bool) -> int:
    """Return where the long form begins within [start, end), -1 where the letters do not fit.

    whole: it must begin at `start`; else it is the shortest run of words at the end that fits, or the run whose words
    are as many as the letters: SSL is Secure Sockets Layer, not what it leads to, "Sockets Layer".
    """
    words = [found.span() for found in _WORD.finditer(text, start, end)]
    if len(words) < 2 or words[-1][1] != end:
        return -1
    shortest = -1
    for first in range(len(words) - 2, max(-1, len(words) - MAX_WORDS - 1), -1):
        run = [text[a:b].casefold() for a, b in words[first:]]
        if (whole and words[first][0] != start) or not _spells(short.casefold(), run):
            continue
        shortest = words[first][0] if shortest < 0 else shortest
        if sum(word not in _PARTICLES for word in run) == len(short):
            return words[first][0]
    return shortest


def _spells(short: str, words: list[str]) -> bool:
    """Say whether an abbreviation takes the first letter of every word, and all its letters from these words."""
    if words[0] in _PARTICLES or words[0][0] != short[0]:
        return False
    reached = {0}  # letters of the abbreviation that are spelt so far
    for word in words:
        following: set[int] = set(reached) if word in _PARTICLES else set()
        for at in reached:
            following |= _taken(short, at, word)
        reached = following
    return len(short) in reached


def _taken(short: str, at: int, word: str) -> set[int]:
    """Return how far an abbreviation can be spelt with a word that begins with its next letter."""
    if at >= len(short) or word[0] != short[at]:
        return set()
    ends, place = {at + 1}, 1
    for n in range(at + 1, min(len(short), at + 3)):
        place = word.find(short[n], place) + 1
        if not place:
            break
        ends.add(n + 1)
    return ends
