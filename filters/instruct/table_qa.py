"""What a table gives for a key, or in a row and column; with the cell as evidence."""

from collections.abc import Iterator

from filters.instruct.build import Draft, Piece
from filters.instruct.desk import Desk, lot_under
from filters.instruct.phrases import Voice
from filters.instruct.record import Answer, Candidate, Table
from filters.instruct.tables import as_grid, is_pairs, key_of, shown, unique_keys
from filters.instruct.transforms import OF_EIGHT_TABLES, cell_piece

MIN_VALUE_CHARS = 2


def candidates(desk: Desk) -> Iterator[Candidate]:
    """Return one lookup in some of the tables, by lot: in none that is turned into something else."""
    for table in desk.source.tables:
        if not OF_EIGHT_TABLES <= desk.lot("turn", table.number) % 8 < 5:
            continue
        for key, value in lookups(desk, table)[:1]:
            piece = shown(desk.source, table)
            if piece:
                yield lookup(desk.voice("lookup", table.number), piece, key, value)


def lookups(desk: Desk, table: Table) -> list[tuple[str, Piece]]:
    """Return what can be looked up in a table: (what is asked for, the cell), in an order drawn by hash."""
    found = []
    if is_pairs(table) and unique_keys(table):
        found = [
            (key_of(row), cell_piece(desk, table, (n, 1), row[1]))
            for n, row in enumerate(table.rows)
            if len(row[1].text) >= MIN_VALUE_CHARS and "\n" not in row[1].text
        ]
    elif grid := as_grid(table):
        heads = [row[0].text for row in grid[1:]]
        if len(set(heads)) == len(heads):
            found = [
                (f"{row[0].text} / {grid[0][c].text}", cell_piece(desk, table, (n, c), row[c]))
                for n, row in enumerate(grid[1:], 1)
                for c in range(1, len(row))
            ]
    key = desk.lot("cell", table.number) & 0xFFFFFFFF
    return sorted(found, key=lambda one: (lot_under(key, one[1].start), one[1].start))


def lookup(voice: Voice, table: Piece, key: str, value: Piece) -> Candidate:
    """Return the question what a table gives for a key."""
    draft = Draft(voice, [table])
    draft.ask("q.cell", x=key)
    draft.say("a.cell", {"s": value}, x=key)
    return draft.done("attribution", "table_qa", Answer(value.text, "text"))
