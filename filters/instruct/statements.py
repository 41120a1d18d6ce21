"""What a document states: (subject, relation, value), each located where it is said.

In order of precision: JSON-LD and microdata, tables of two columns and grids whose header names relations, lines
"label: value", and sentences that are said as the relation's own wordings are. People are only told of on a page of
their own.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from filters.instruct.abbreviations import FULL_FORM, abbreviations, letters_of, spells
from filters.instruct.jsonld import json_statements
from filters.instruct.normal import date_of, fold, name_key, normalise
from filters.instruct.record import Cell, Statement, Table, draw
from filters.instruct.relations import Relation, labelled, languages, relations, wordings
from filters.instruct.source import lines_of, subject_of

STATEMENTS_VERSION = 2
_OBJECTS = {"json_ld": "jsonld", "microdata": "microdata"}  # kind of mark-up -> method
MAX_VALUE_CHARS = 120
MAX_SUBJECT_CHARS = 80
MAX_STATEMENTS = 200  # of a document
_AS_OF = re.compile(
    r"[(（]\s*(?:as of\s+|stand:?\s+|en\s+|au\s+|a\s+)?([^()（）]*?\d{4}[^()（）]*?)(?:現在|时|年现在)?\s*[)）]", re.I
)
_LINE = re.compile(r"\s*([^:：\t]{2,40}?)\s*[:：]\s+(\S.{0,119})$|\s*([^:：\t]{2,40}?)：(\S.{0,119})$")
_SENTENCE_END = "。！？!?\n।؟"
_BAD_NAME = re.compile(r"[\t\n{}<>=$\\]|https?:|^\W+$")
_FUNCTION_WORD = re.compile(  # what a name does not begin with
    r"^(?:(?:it|its|this|that|these|those|he|she|they|their|there|which|who|what|here|one|we|our|you|your|his|her|each|any"
    r"|all|some|most|if|when|while|as|in|on|at|for|since|er|sie|es|wir|dies\w*|wenn|bei|seit|il|elle|on|ce|cela|ceci"
    r"|cette|ces|nous|vous|si|en|él|ella|esto|este|esta|eso|ese|cuando)\b|これ|それ|あれ|ここ|この|その|彼|同社|同年|同氏|当社|它|他|她"
    r"|这|那|该|此|本(?!\w))"
)
_WIDE = re.compile("[぀-ヿ㐀-鿿]")
_LEAST_ANCHOR = 11  # characters that a wording has in one piece, to be looked for in prose
_LEAST_WIDE_ANCHOR = 4


@dataclass(frozen=True)
class Page:
    """What statements are read from; `markup`: (kind, content) by number."""

    text: str
    language: str
    title: str
    tables: Sequence[Table]
    blocks: Sequence[tuple[int, int]]  # of tables and code
    markup: Sequence[Mapping[str, str]]


def statements_of(page: Page) -> tuple[Statement, ...]:
    """Return what a page states, each (subject, relation, value) once, in the order of the sources' precision."""
    found: dict[tuple[str, str, str], Statement] = {}
    for each in _all(page):
        if len(found) == MAX_STATEMENTS:
            break
        found.setdefault((each.subject_key, each.relation, each.value_key), each)
    return tuple(found.values())


def _all(page: Page) -> Iterator[Statement]:
    for number, block in enumerate(page.markup):
        if method := _OBJECTS.get(block["kind"]):
            yield from json_statements(block["content"], f"markup/{number}", page.language, method)
    about = subject_of(page.title)
    if about and len(about) <= MAX_SUBJECT_CHARS:
        for table in page.tables:
            yield from _of_rows(page, table, about)
        yield from _of_lines(page, about)
    for table in page.tables:
        yield from _of_grid(page, table)
    yield from _of_prose(page, name_key(about))
    yield from _of_abbreviations(page)


@dataclass(frozen=True)
class _Said:
    """A value where it stands."""

    value: str
    start: int
    method: str
    cell: Cell | None = None


def _statement(page: Page, subject: str, relation: Relation, said: _Said) -> Statement | None:
    """Return a statement; None where the value is not one of the relation's type, or the names are none."""
    value, note = said.value.strip(), _AS_OF.search(said.value)
    as_of = date_of(note[1]) if note else None
    if note and as_of:
        value = said.value[: note.start()].strip() or value
    key, about = normalise(value, relation.type, page.language), name_key(subject)
    if relation.name == FULL_FORM:
        key = letters_of(value) if spells(subject, value) else None
    if not key or not about or len(value) > MAX_VALUE_CHARS or _BAD_NAME.search(subject) or _BAD_NAME.search(value):
        return None
    if key == about or _FUNCTION_WORD.match(about) or (relation.type == "entity" and not _is_entity(key)):
        return None
    start = said.start + said.value.index(value)
    fixed = (subject, about, relation.name, value, key, relation.type, said.method, "text")
    return Statement(*fixed, start, start + len(value), value, as_of, said.cell)


def _is_entity(key: str) -> bool:
    """Say whether a folded value can be a name: it has letters, is no date and begins as names do."""
    return any(each.isalpha() for each in key) and date_of(key) is None and not _FUNCTION_WORD.match(key)


def _of_rows(page: Page, table: Table, about: str) -> Iterator[Statement]:
    """Read rows "label, value": an infobox where several rows are known relations of the page's subject."""
    labels = labelled(page.language)
    known = []
    for number, row in enumerate(table.rows):
        cells = [(at, cell) for at, cell in enumerate(row) if cell.text]
        if len(cells) == 2 and (name := labels.get(fold(cells[0][1].text).rstrip(" :："))):
            known.append((name, number, cells))
    method = "infobox" if len(known) > 1 else "table"
    for name, number, ((_, label), (column, value)) in known:
        cell = Cell(f"table/{table.number}", number + bool(table.header), column, (label.text,))
        made = _statement(page, about, relations()[name], _Said(value.text, value.start, method, cell))
        if made:
            yield made


def _of_grid(page: Page, table: Table) -> Iterator[Statement]:
    """Read tables whose header names relations: the first cell of a row is the subject. No people."""
    labels = labelled(page.language)
    columns = [(at, labels.get(fold(cell.text))) for at, cell in enumerate(table.header)]
    known = [(at, relations()[name]) for at, name in columns if at and name and not relations()[name].person]
    for number, row in enumerate(table.rows if known else (), 1):
        for at, relation in known:
            if at < len(row) and row[at].text and row[0].text and len(row[0].text) <= MAX_SUBJECT_CHARS:
                header = (row[0].text, table.header[at].text)
                cell = Cell(f"table/{table.number}", number, at, header)
                made = _statement(page, row[0].text, relation, _Said(row[at].text, row[at].start, "table", cell))
                if made:
                    yield made


def _of_lines(page: Page, about: str) -> Iterator[Statement]:
    """Read lines "label: value" outside tables and code."""
    labels = labelled(page.language)
    if ":" not in page.text and "：" not in page.text:
        return
    for at, line in lines_of(page.text, page.blocks):
        if len(line) > MAX_VALUE_CHARS + 40 or (":" not in line and "：" not in line):
            continue
        found = _LINE.match(line)
        if found is None:
            continue
        group = 1 if found[1] else 3
        if name := labels.get(fold(found[group])):
            said = _Said(found[group + 1], at + found.start(group + 1), "dl")
            made = _statement(page, about, relations()[name], said)
            if made:
                yield made


@dataclass(frozen=True)
class _Pattern:
    """A wording as it is looked for: a literal that must be there, and the whole sentence."""

    anchor: str
    relation: Relation
    sentence: re.Pattern[str]


@cache
def _patterns(language: str) -> tuple[_Pattern, ...]:
    made = {}
    for name, wording in wordings(language).items():
        for statement in wording.heard:
            pattern = _pattern(relations()[name], statement)
            if len(pattern.anchor) >= (_LEAST_WIDE_ANCHOR if _WIDE.search(pattern.anchor) else _LEAST_ANCHOR):
                made[pattern.sentence.pattern, name] = pattern
    return tuple(made.values())


def _pattern(relation: Relation, statement: str) -> _Pattern:
    bare = statement.rstrip(".。")
    literals = [piece for piece in re.split(r"\{[sv]\}", bare) if piece]
    form = re.escape(bare).replace(r"\{s\}", "(?P<s>[^,;:，；：、。]{1,60}?)")
    form = form.replace(r"\{v\}", "(?P<v>[^;:；：。]{1,60}?)").replace(r"\ ", r"\s")
    return _Pattern(max(literals, key=len), relation, re.compile(rf"\s*{form}\s*"))


def _of_prose(page: Page, about: str) -> Iterator[Statement]:
    """Read whole sentences that are said as a wording of their relation."""
    if page.language not in languages():
        return
    for pattern in _patterns(page.language):
        at = page.text.find(pattern.anchor)
        while at >= 0:
            start, end = _sentence_around(page.text, at, at + len(pattern.anchor))
            found = pattern.sentence.fullmatch(page.text, start, end) if end - start <= 200 else None
            if found:
                yield from _of_sentence(page, pattern.relation, found, about)
            at = page.text.find(pattern.anchor, max(end, at + 1))


def _of_sentence(page: Page, relation: Relation, found: "re.Match[str]", about: str) -> Iterator[Statement]:
    subject = re.sub(r"^(?:The|the|Der|Die|Das|Le|La|Les|L'|El|Los|Las)\s+", "", found["s"].strip())
    if relation.person and name_key(subject) != about:
        return
    if relation.type == "entity" and (len(found["v"].split()) > 6 or found["v"].strip()[:1].islower()):
        return
    if subject[:1].islower():
        return
    made = _statement(page, subject, relation, _Said(found["v"], found.start("v"), "definition"))
    if made:
        yield made


def _of_abbreviations(page: Page) -> Iterator[Statement]:
    for each in abbreviations(page.text):
        fixed = (each.short, name_key(each.short), FULL_FORM, each.long, letters_of(each.long), "text", "abbreviation")
        yield Statement(*fixed, "text", each.start, each.end, each.long)


def _sentence_around(text: str, start: int, end: int) -> tuple[int, int]:
    """Return the span of the sentence, without its end mark: full stops count before white space, in no initials."""
    first = start
    while first > 0 and not _ends_at(text, first - 1):
        first -= 1
    last = end
    while last < len(text) and not _ends_at(text, last):
        last += 1
    return first, last


def _ends_at(text: str, at: int) -> bool:
    mark = text[at]
    if mark in _SENTENCE_END:
        return True
    return mark == "." and (at + 1 == len(text) or text[at + 1].isspace()) and not (at and text[at - 1].isupper())


BESIDE = 24, 24  # characters beside a sentence, at most and at least, by which copies of it are told
BESIDE_WIDE = 10, 10  # the same where a character says more
AROUND = 160, 100  # of a cell or a block of mark-up


def contexts_of(text: str, statement: Statement) -> tuple[int, ...]:
    """Return digests of what leads to a statement and of what follows it; copies of a text share one of them.

    Of a sentence it is the sentence with some words beside it: the same sentence alone may be said by many.
    """
    start, end = statement.start, statement.end
    if statement.method in ("definition", "abbreviation"):
        first, last = _sentence_around(text, start, end)
        most, least = BESIDE_WIDE if _WIDE.search(text, first, last) else BESIDE
        windows = [(max(0, first - most), last, first - least), (first, last + most, len(text) - last - least)]
    else:
        most, least = AROUND
        windows = [(max(0, start - most), end, start - least), (start, end + most, len(text) - end - least)]
    return tuple(
        draw(side, "context", fold(text[low:high])) for side, (low, high, room) in enumerate(windows) if room >= 0
    )
