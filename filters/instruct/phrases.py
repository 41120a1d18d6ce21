"""How questions and answers are worded: tables of phrases by language, kind and register, composed by keyed lots.

phrases/<language>.tsv has a line a phrase: kind, register (f formal, c casual, b both), text. What is put in stands in
braces: a lower-case name as it is, a capital one in quotation marks, and {x} and {y}, which are terms, in quotation
marks where they would not stand out by themselves.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from filters.instruct.record import draw

FOLDER = Path(__file__).parent / "phrases"
REGISTERS = ("f", "c")
_SLOT = re.compile(r"\{(\w+)\}")

Span = tuple[int, int]


@dataclass(frozen=True)
class Wording:
    """A text that was put together, and where in it each slot stands: code points, quotation marks left out."""

    text: str
    at: Mapping[str, Span]


@dataclass(frozen=True)
class Phrases:
    """The phrases of one language."""

    language: str
    by_kind: Mapping[tuple[str, str], tuple[str, ...]]  # (kind, f | c)
    quotes: tuple[tuple[str, str], ...]

    def has(self, kind: str) -> bool:
        """Say whether there is a phrase of this kind."""
        return (kind, "f") in self.by_kind

    def quoted(self, text: str) -> tuple[str, str]:
        """Return the quotation marks for a text: the second pair where it holds marks of the first itself."""
        left, right = self.quotes[0]
        return self.quotes[-1] if left.strip() in text or right.strip() in text else (left, right)


@cache
def languages() -> tuple[str, ...]:
    """Return the languages that have phrases, sorted."""
    return tuple(sorted(path.stem for path in FOLDER.glob("*.tsv")))


@cache
def phrases(language: str) -> Phrases:
    """Return the phrases of a language."""
    by_kind: dict[tuple[str, str], list[str]] = {}
    quotes = []
    for kind, register, text in _rows(language):
        if kind == "quotes":
            left, right = text.split("|")
            quotes.append((left, right))
            continue
        for one in REGISTERS if register == "b" else (register,):
            by_kind.setdefault((kind, one), []).append(text)
    return Phrases(language, {key: tuple(texts) for key, texts in by_kind.items()}, tuple(quotes))


def _rows(language: str) -> Iterator[tuple[str, str, str]]:
    for line in (FOLDER / f"{language}.tsv").read_text("utf-8").splitlines():
        if line and not line.startswith("#"):
            kind, register, text = line.split("\t")
            yield kind, register, text.replace("\\n", "\n")


@dataclass
class Voice:
    """One speaker: a language, a register and a lot, from which every choice of words follows.

    `chosen` remembers what was chosen, for the record's template.
    """

    language: str
    seed: int
    lot: str
    register: str = ""
    chosen: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Draw the register where none is given."""
        self.register = self.register or REGISTERS[draw(self.seed, self.lot, "register") % 2]

    def knows(self, kind: str) -> bool:
        """Say whether there is a way to say this."""
        return phrases(self.language).has(kind)

    def say(self, kind: str, **slots: str) -> Wording:
        """Return a phrase of this kind with what is put in."""
        choices = phrases(self.language).by_kind[kind, self.register]
        number = draw(self.seed, self.lot, kind) % len(choices)
        self.chosen.append(f"{kind}{self.register}{number}")
        return fill(choices[number], self.language, slots)

    def last_phrase(self, kind: str) -> str:
        """Return the phrase of this kind that the voice chooses, slots and all."""
        choices = phrases(self.language).by_kind[kind, self.register]
        return choices[draw(self.seed, self.lot, kind) % len(choices)]

    def twin(self) -> "Voice":
        """Return a voice that chooses the same words and has said nothing yet."""
        return Voice(self.language, self.seed, self.lot, self.register)


def fill(phrase: str, language: str, slots: Mapping[str, str]) -> Wording:
    """Put texts into the slots of a phrase."""
    of = phrases(language)
    text, at = "", {}
    for literal, slot in _pieces(phrase):
        text += literal
        if not slot:
            continue
        name = slot.lower()
        value = slots[name]
        is_quoted = slot != name or (name in "xy" and needs_quotes(value, language))
        left, right = of.quoted(value) if is_quoted else ("", "")
        text += left
        at[name] = (len(text), len(text) + len(value))
        text += value + right
    return Wording(text, at)


@cache
def _pieces(phrase: str) -> tuple[tuple[str, str], ...]:
    """Return a phrase as (text, slot behind it), the last one without a slot."""
    cut = _SLOT.split(phrase)
    return tuple(zip(cut[::2], [*cut[1::2], ""], strict=True))


def needs_quotes(term: str, language: str) -> bool:
    """Say whether a term would not stand out in a sentence by itself: words in small letters, or with spaces."""
    if language[:2] in ("ja", "zh") or (" " in term and term[:1].islower()):
        return True
    return not any(sign.isupper() or sign.isdigit() or sign in "_/" for sign in term) or (
        language == "de" and term.istitle() and term.isalpha()
    )
