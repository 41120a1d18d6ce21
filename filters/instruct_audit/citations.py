"""Precision and recall of citations, as ALCE counts them (Gao et al. 2023, section 4.3), by the literal checker.

A statement is what one citation spans, and the rest of the reply where it has numbers, dates or quotations of its own.
Recall: statements that the union of their citations supports. Precision: of the evidence named by a statement that is
supported, what supports it alone or can't be left out.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from filters.instruct_audit.checker import Premise, missing, supported
from filters.instruct_audit.names import GAP

_MARKER = re.compile(r"[\[［【〔]\s*[0-9０-９]{1,3}(?:\s*[,、;]\s*[0-9０-９]{1,3})*\s*[\]］】〕]")
Row = Mapping[str, Any]


class Statement(NamedTuple):
    """A piece of a reply, and the numbers of the evidence that carry it."""

    text: str
    evidence: tuple[int, ...]


class Support(NamedTuple):
    """Counts of a record's statements and citations; `wrong`: what the first unsupported statement misses."""

    supported: int
    statements: int
    precise: int
    citations: int
    wrong: str


def reply_of(row: Row) -> str:
    """Return the last message."""
    return str(row["messages"][-1]["content"])


def unmarked(text: str) -> str:
    """Return a text without citation marks ("[2]", "［1, 3］")."""
    return _MARKER.sub(" ", text)


def statements(row: Row) -> list[Statement]:
    """Return what a record's citations span, in order; empty spans are left out."""
    reply = reply_of(row)
    found = [
        Statement(unmarked(reply[slice(*each["answer_span"])]).strip(), tuple(each["evidence"]))
        for each in row["citations"] or []
    ]
    return [each for each in found if each.text]


def rest_of(row: Row) -> str:
    """Return what of the reply no citation spans, with a gap for each that does."""
    reply, left, at = reply_of(row), [], 0
    for start, end in sorted(tuple(each["answer_span"]) for each in row["citations"] or []):
        left.append(reply[at:start])
        at = max(at, end)
    return unmarked(GAP.join([*left, reply[at:]]))


def support(row: Row, question: str, known: str = "") -> Support:
    """Judge a record's reply by its own evidence; an answer without any citation is one unsupported statement.

    known: what may be said of the documents beside their texts: the days on which they were fetched.
    """
    quotes = [f"{each['quote']}\n{unmarked(each['quote'])}" for each in row["evidence"]]  # a page has marks of its own
    asked, language = Premise((question,)), str(row["lang"])
    counts, wrong = [0, 0, 0, 0], ""
    for each in statements(row):
        named = [place for place in each.evidence if 0 <= place < len(quotes)]
        lacks = missing(each.text, language, Premise(tuple(quotes[place] for place in named)), asked)
        counts[1] += 1
        counts[3] += len(each.evidence)
        if lacks or len(named) < len(each.evidence):
            wrong = wrong or ", ".join(f"{kind} {text!r}" for kind, text in lacks)
            continue
        counts[0] += 1
        counts[2] += sum(_needed(each.text, language, quotes, named, place, asked) for place in named)
    if not counts[1]:
        return Support(0, 1, 0, 0, "no citation")
    lacks = [each for each in missing(rest_of(row), "", Premise((*quotes, question, known))) if each.kind in _OF_REST]
    if lacks:
        return Support(counts[0], counts[1] + 1, counts[2], counts[3], wrong or f"beside citations: {lacks[0].text!r}")
    return Support(counts[0], counts[1], counts[2], counts[3], wrong)


_OF_REST = ("number", "date", "quote")


def _needed(text: str, language: str, quotes: Sequence[str], named: Sequence[int], place: int, asked: Premise) -> bool:
    """Tell whether a citation supports its statement alone, or the others don't without it."""
    if supported(text, language, Premise((quotes[place],)), asked):
        return True
    others = tuple(quotes[each] for each in named if each != place)
    return not supported(text, language, Premise(others), asked)
