"""A stored document as generators see it: its sections, tables, questions with their answers.

What is a heading is not marked in a stored text, so it is told by form: a short line without an end mark, before a
longer one. Everything is located; nothing is rewritten.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

from filters.instruct.record import Pair, Section, Table, TableCell
from filters.instruct.words import EVERY, patterns

SOURCE_VERSION = 2
MAX_HEADING_CHARS = 120
MAX_QUESTION_CHARS = 200
MAX_ANSWER_CHARS = 1200
MAX_TABLE_ROWS = 200
_ENDS = ".!?。！？…:：;；,，、|।؟"
_QUESTION = re.compile(r"[?？؟]\s*$|か。?\s*$")
_WIDE = re.compile("[぀-ヿ㐀-鿿가-힣]")
_TITLE_MARK = re.compile(r"\s+[-|–—·»]\s+|[｜]")
_TAG = re.compile(r"<[^>]*>")

Span = tuple[int, int]


def subject_of(title: str) -> str:
    """Return what a page is about by its title: without the name of the site behind a mark."""
    return _TITLE_MARK.split(title, maxsplit=1)[0].strip()


def lines_of(text: str, without: Sequence[Span] = ()) -> Iterator[tuple[int, str]]:
    """Yield (offset, line) of lines that are not blank and do not begin in one of the spans `without` (ascending)."""
    at, block = 0, 0
    for line in text.split("\n"):
        while block < len(without) and without[block][1] <= at:
            block += 1
        if line and not line.isspace() and not (block < len(without) and without[block][0] <= at):
            yield at, line
        at += len(line) + 1


def blocks_of(parts: Sequence[Mapping[str, Any]], *kinds: str) -> list[Span]:
    """Return the spans of the parts of some kinds."""
    return [(part["start"], part["end"]) for part in parts if part["kind"] in kinds]


def sections_of(text: str, blocks: Sequence[Span]) -> tuple[Section, ...]:
    """Return the sections of a text; `blocks`: its tables and code, which hold no headings."""
    lines = list(lines_of(text, blocks))
    found = []
    for (at, line), (below, following) in pairwise(lines):
        if _is_heading(line, following):
            found.append((line.strip(), at, below))
    ends = [*(at for _, at, _ in found[1:]), len(text)][: len(found)]
    return tuple(Section(*each, end) for each, end in zip(found, ends, strict=True))


def _is_heading(line: str, following: str) -> bool:
    bare = line.strip()
    if not 2 <= len(bare) <= MAX_HEADING_CHARS or "\t" in line:
        return False
    if bare[-1] in _ENDS and not _QUESTION.search(bare):
        return False
    least = 30 if _WIDE.search(following) else 60
    return len(following) >= max(least, len(bare))


def tables_of(text: str, blocks: Sequence[Span]) -> tuple[Table, ...]:
    """Return the tables of a text: rows are lines, cells stand between tabs (two where extraction wrote the page)."""
    found = []
    for number, (start, end) in enumerate(blocks):
        rows = tuple(_rows(text, start, end))
        if rows:
            found.append(_table(number, start, end, rows))
    return tuple(found)


def _table(number: int, start: int, end: int, rows: tuple[tuple[TableCell, ...], ...]) -> Table:
    widths = [len(row) for row in rows]
    is_grid = len(rows) > 2 and widths[0] > 2 and widths.count(widths[0]) * 2 > len(rows)
    header = rows[0] if is_grid and all(cell.text and not cell.text[0].isdigit() for cell in rows[0]) else ()
    return Table(number, start, end, header, rows[1:] if header else rows)


def _rows(text: str, start: int, end: int) -> Iterator[tuple[TableCell, ...]]:
    at = start
    for line in text[start:end].split("\n")[:MAX_TABLE_ROWS]:
        if "\t" in line:
            yield tuple(_cells(line, at))
        at += len(line) + 1


def _cells(line: str, at: int) -> Iterator[TableCell]:
    mark = "\t\t" if "\t\t" in line else "\t"
    for piece in line.split(mark):
        bare = piece.strip()
        lead = len(piece) - len(piece.lstrip()) if bare else 0
        yield TableCell(bare, at + lead, at + lead + len(bare))
        at += len(piece) + len(mark)


def pairs_of(text: str, sections: Sequence[Section], markup: Sequence[Mapping[str, str]]) -> tuple[Pair, ...]:
    """Return questions with their answers, each once: headings that ask, FAQ mark-up, JSON-LD of the type FAQPage."""
    pairs = {each.question: each for each in _asking(text, sections)}
    for number, block in enumerate(markup):
        reader = {"faq": _of_html, "json_ld": _of_json}.get(block["kind"])
        for each in reader(text, block["content"], number) if reader else ():
            pairs.setdefault(each.question, each)
    return tuple(pairs.values())


def _asking(text: str, sections: Sequence[Section]) -> Iterator[Pair]:
    for each in sections:
        if len(each.heading) <= MAX_QUESTION_CHARS and _QUESTION.search(each.heading):
            answer = text[each.start : min(each.end, each.start + MAX_ANSWER_CHARS)].strip()
            if answer and is_answered(each.heading, answer) and each.end - each.start <= MAX_ANSWER_CHARS:
                start = text.index(answer, each.start)
                yield Pair(each.heading, each.heading_start, answer, start, start + len(answer), "heading")


def is_answered(question: str, answer: str) -> bool:
    """Say whether an answer fits its question: to one that asks for a yes or a no, it begins with one."""
    asks = any(pattern.search(question) for pattern in patterns("whether").values())
    return not asks or patterns("yes")[EVERY].match(answer) is not None


def _of_html(text: str, content: str, number: int) -> Iterator[Pair]:
    """Locate the questions of FAQ mark-up in the text: summaries of details, elements named Question."""
    from html import unescape

    asked = re.findall(r"<summary[^>]*>(.*?)</summary>", content, re.S)
    asked += re.findall(r'itemprop="name"[^>]*>(.*?)</', content, re.S)
    names = [" ".join(unescape(_TAG.sub(" ", each)).split()) for each in asked]
    places = [(text.find(name), name) for name in dict.fromkeys(names) if name]
    there = sorted((at, name) for at, name in places if at >= 0)
    for (at, name), (end, _) in zip(there, [*there[1:], (len(text), "")], strict=True):
        start = at + len(name)
        answer = text[start : min(end, start + MAX_ANSWER_CHARS)].strip().split("\n\n")[0]
        if answer and _QUESTION.search(name):
            begin = text.index(answer, start)
            yield Pair(name, at, answer, begin, begin + len(answer), "faq")


def _of_json(text: str, content: str, number: int) -> Iterator[Pair]:
    for node in json_nodes(content):
        if "Question" in types_of(node) and isinstance(node.get("name"), str):
            answer = node.get("acceptedAnswer")
            said = answer.get("text") if isinstance(answer, Mapping) else None
            if isinstance(said, str):
                yield from _located(text, content, number, node["name"].strip(), said.strip())


def _located(text: str, content: str, number: int, question: str, answer: str) -> Iterator[Pair]:
    """Give a pair where both stand: in the text as they are, else in the mark-up as they are."""
    for view, whole in (("text", text), (f"markup/{number}", content)):
        asked = whole.find(question)
        at = whole.find(answer, asked) if asked >= 0 else -1
        if question and answer and at >= 0 and len(answer) <= MAX_ANSWER_CHARS:
            yield Pair(question, asked, answer, at, at + len(answer), "json_ld", view)
            return


def json_nodes(content: str) -> Iterator[Mapping[str, Any]]:
    """Yield every object of a JSON-LD block, outer ones first; nothing where it does not parse."""
    try:
        waiting: list[Any] = [json.loads(content)]
    except (ValueError, RecursionError):
        return
    while waiting:
        value = waiting.pop()
        if isinstance(value, Mapping):
            yield value
            waiting += reversed(list(value.values()))
        elif isinstance(value, list):
            waiting += reversed(value)


def types_of(node: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the types of a JSON-LD object, without the vocabulary's address."""
    given = node.get("@type")
    named = given if isinstance(given, list) else [given]
    return tuple(re.split("[/#:]", each)[-1] for each in named if isinstance(each, str))
