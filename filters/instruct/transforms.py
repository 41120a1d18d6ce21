"""The same content in another form: a table as JSON or CSV, a passage as a list, its years and paths, a transcript."""

import csv
import io
import json
import re
from collections.abc import Iterator, Sequence

from filters.instruct.build import Draft, Piece
from filters.instruct.desk import Desk, Study
from filters.instruct.phrases import Wording
from filters.instruct.record import Answer, Candidate, Cell, Table, TableCell
from filters.instruct.tables import as_grid, is_pairs, key_of, shown, unique_keys
from filters.instruct.terms import PATH, YEAR, Term

MAX_ITEMS = 12
OF_EIGHT_TABLES = 2  # are turned into something else; three others are asked about (filters.instruct.table_qa)


def candidates(desk: Desk) -> Iterator[Candidate]:
    """Return what tables and passages can be turned into: a part of them, by lot, since few of these stay."""
    for table in desk.source.tables:
        if desk.lot("turn", table.number) % 8 < OF_EIGHT_TABLES:
            yield from _table(desk, table)
    for study in desk.studies:
        lot = desk.lot("items", study.lot)
        if lot % 2:
            yield from _listed(desk, study, YEAR, "q.years")
            yield from _listed(desk, study, PATH, "q.paths")
        if lot % 12 == 0:
            yield from _items(desk, study)


def _table(desk: Desk, table: Table) -> Iterator[Candidate]:
    piece = shown(desk.source, table)
    if piece is None:
        return
    if is_literal(table) and ((is_pairs(table) and unique_keys(table)) or as_grid(table)):
        form = "json" if desk.lot("form", table.number) % 2 else "csv"
        draft = Draft(desk.voice("table", table.number), [piece])
        draft.ask(f"q.{form}")
        written = _json(table) if form == "json" else _csv(table)
        draft.add(Wording(written, {}), {})
        _cite_cells(draft, desk, table)
        yield draft.done("attribution", "transform", Answer(written, form))


def is_literal(table: Table) -> bool:
    """Say whether all cells can be written in JSON and CSV as they are, without escapes."""
    return not any(mark in cell.text for row in (table.header, *table.rows) for cell in row for mark in '"\\\n\t')


def _json(table: Table) -> str:
    if grid := as_grid(table):
        names = [cell.text for cell in grid[0]]
        rows = [{name: cell.text for name, cell in zip(names, row, strict=True)} for row in grid[1:]]
        return json.dumps(rows, ensure_ascii=False, indent=1)
    return json.dumps({key_of(row): row[1].text for row in table.rows}, ensure_ascii=False, indent=1)


def _csv(table: Table) -> str:
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    grid = as_grid(table)
    for row in grid or table.rows:
        writer.writerow([cell.text for cell in row] if grid else [key_of(row), row[1].text])
    return out.getvalue().rstrip("\n")


def _cite_cells(draft: Draft, desk: Desk, table: Table) -> None:
    """Cite each cell where it stands in the reply, if it is written there as it is."""
    at = 0
    for number, row in enumerate(as_grid(table) or table.rows):
        for column, cell in enumerate(row):
            written = cell.text if column or as_grid(table) else key_of(row)
            found = draft.reply.find(written, at)
            if found >= 0 and (as_grid(table) is None or number):
                span = (found, found + len(written))
                draft.cite(span, cell_piece(desk, table, (number, column), cell, len(written)))
                at = found + len(written)


def cell_piece(desk: Desk, table: Table, place: tuple[int, int], cell: TableCell, length: int | None = None) -> Piece:
    """Return a cell as what a reply cites."""
    header = (key_of(table.rows[place[0]]),) if is_pairs(table) else ()
    grid = as_grid(table)
    if grid:
        header = (grid[0][place[1]].text,)
    end = cell.start + (len(cell.text) if length is None else length)
    where = Cell(f"table/{table.number}", place[0], place[1], header)
    return Piece(desk.source, cell.start, end, more={"modality": "table", "cell": where})


def _listed(desk: Desk, study: Study, kind: str, question: str) -> Iterator[Candidate]:
    """Return the request for all years or paths of a passage, where every such piece of it was recognised."""
    found = _first_ones([term for term in study.terms if term.kind == kind])
    loose = re.findall(r"(?<!\d)(?:1[5-9]|20)\d\d(?!\d)" if kind == YEAR else r"(?<![\w<])/[\w.-]+/", study.text)
    every = [term for term in study.terms if term.kind == kind]
    if not 2 <= len(found) <= MAX_ITEMS or len(loose) > len(every):
        return
    draft = Draft(desk.voice(study.lot, question), [study.piece()])
    draft.ask(question)
    for term in found:
        start = study.stretch.start + term.start
        piece = Piece(study.source, start, start + len(term.text))
        line = f"- {term.text}\n" if term is not found[-1] else f"- {term.text}"
        draft.add(Wording(line, {"x": (2, 2 + len(term.text))}), {"x": piece})
    yield draft.done("attribution", "transform", Answer(draft.reply, "list"), about=[term.key for term in found])


def _first_ones(found: Sequence[Term]) -> list[Term]:
    seen: dict[str, Term] = {}
    for term in found:
        seen.setdefault(term.text, term)
    return list(seen.values())


def _items(desk: Desk, study: Study) -> Iterator[Candidate]:
    draft = Draft(desk.voice(study.lot, "items"), [study.piece()])
    draft.ask("q.items")
    last = len(study.stretch.sentences) - 1
    for index in range(last + 1):
        said = study.sentence(index)
        line = f"- {said.text}" + ("" if index == last else "\n")
        draft.add(Wording(line, {"s": (2, 2 + len(said.text))}), {"s": said})
    yield draft.done("attribution", "transform", Answer(draft.reply, "list"))
