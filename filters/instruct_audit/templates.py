"""How much of a set has one and the same shape, counted from the questions themselves.

The shape of a question is what it shares with others: pieces of a few characters that come in at least 4 % of the
set's questions, with "…" where it goes its own way and "0" for numbers. What makes more than 5 % of a set has all its
fixed words in such pieces, in the same order, whatever the generator calls it.
"""

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from filters.instruct_audit.examine import Examined

PIECE = 6  # code points, 3 in scripts without spaces
RARE = 0.04
RARE_IN_GROUP = 0.2
MIN_COUNT = 3
MIN_FIXED = 12  # characters, two for each without spaces; less is grammar (" is the ", "ですか。")
OWN = "…"
LONGEST = 400  # code points of a question that are looked at
_DIGITS = re.compile(r"\d+(?:[.,]\d+)*")
_UNSPACED = re.compile(r"[\u0e00-\u0e7f\u3040-\u30ff\u3400-\u9fff]")


class Commonest(NamedTuple):
    """The commonest shape (or declared template) of a behaviour."""

    behaviour: str
    shape: str
    records: int
    of: int


def commonest_shapes(records: Iterable[Examined]) -> list[Commonest]:
    """Return the commonest shape of each behaviour, by behaviour; none where no question shares anything."""
    groups: dict[str, list[str]] = defaultdict(list)
    for each in records:
        groups[each.behaviour].append(_plain(each.question))
    found = []
    for behaviour, questions in sorted(groups.items()):
        counts = Counter(_fine(questions))  # "…" and bare grammar are no templates
        first = _first(behaviour, counts) if counts else Commonest(behaviour, "(no two questions share one)", 0, 0)
        found.append(first._replace(of=len(questions)))
    return found


def commonest_declared(records: Iterable[Examined]) -> list[Commonest]:
    """Return the commonest template of each behaviour, as the records name it."""
    counted: dict[str, Counter[str]] = defaultdict(Counter)
    for each in records:
        counted[each.behaviour][each.template] += 1
    return [_first(behaviour, counts) for behaviour, counts in sorted(counted.items())]


def _first(behaviour: str, counts: Counter[str]) -> Commonest:
    shape, count = min(counts.items(), key=lambda each: (-each[1], each[0]))
    return Commonest(behaviour, shape, count, counts.total())


def _fine(questions: list[str]) -> Iterator[str]:
    """Yield shapes; what has one shape in the set is looked at again by itself, for templates share words."""
    groups: dict[str, list[str]] = defaultdict(list)
    for question, shape in zip(questions, shapes(questions, RARE), strict=True):
        if shape != OWN:
            groups[shape].append(question)
    for group in groups.values():
        yield from (shape for shape in shapes(group, RARE_IN_GROUP) if _fixed(shape) >= MIN_FIXED)


def _fixed(shape: str) -> float:
    """Return how many characters of a shape are fixed; one of a script without spaces counts for two."""
    return len(shape) - shape.count(OWN) + len(_UNSPACED.findall(shape))


def shapes(questions: list[str], rare: float) -> list[str]:
    """Return the shape of each question, OWN for one that shares nothing."""
    pieces: Counter[str] = Counter()
    for each in questions:
        pieces.update(set(_pieces(each)))
    least = max(MIN_COUNT, rare * len(questions))
    often = {piece for piece, count in pieces.items() if count >= least}
    return [_shape(each, often) for each in questions]


def _plain(question: str) -> str:
    text = " ".join(unicodedata.normalize("NFKC", question[: 2 * LONGEST]).casefold().split())
    return _DIGITS.sub("0", text)[:LONGEST]


def _width(question: str) -> int:
    return 3 if 3 * len(_UNSPACED.findall(question)) > len(question) else PIECE


def _pieces(question: str) -> list[str]:
    width = _width(question)
    return [question[i : i + width] for i in range(len(question) - width + 1)]


def _shape(question: str, often: set[str]) -> str:
    width = _width(question)
    if len(question) < width:
        return OWN
    shared = bytearray(len(question))
    for i, piece in enumerate(_pieces(question)):
        if piece in often:
            shared[i : i + width] = b"\x01" * width
    marked = "".join(character if is_shared else "\0" for character, is_shared in zip(question, shared, strict=True))
    return re.sub("\0+", OWN, marked)
