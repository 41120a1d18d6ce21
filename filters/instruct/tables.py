"""Which tables can be asked about, and how they are read: pairs of key and value, or a grid with named columns."""

from collections.abc import Sequence

from filters.instruct.build import Piece
from filters.instruct.record import Source, Table, TableCell

MAX_CHARS, MAX_ROWS, MIN_ROWS, MAX_KEY_CHARS, MAX_CELL_CHARS = 1500, 14, 2, 60, 260
Row = tuple[TableCell, ...]


def shown(source: Source, table: Table) -> Piece | None:
    """Return a table as a prompt shows it: as it stands in the text; None where that is too long or too short."""
    if not MIN_ROWS <= len(table.rows) <= MAX_ROWS or table.end - table.start > MAX_CHARS:
        return None
    start, end = table.rows[0][0].start, table.rows[-1][-1].end
    if table.header:
        start = min(start, table.header[0].start)
    return Piece(source, start, end, "context", {"modality": "table"})


def is_pairs(table: Table) -> bool:
    """Say whether every row is a key and its value."""
    return not table.header and all(
        len(row) == 2 and len(row[0].text) <= MAX_KEY_CHARS and 0 < len(row[1].text) <= MAX_CELL_CHARS
        for row in table.rows
    )


def key_of(row: Row) -> str:
    """Return the key of a pair, without the colon behind it."""
    return row[0].text.rstrip(":： \u00a0")


def unique_keys(table: Table) -> bool:
    """Say whether no key comes twice."""
    keys = [key_of(row) for row in table.rows]
    return len(set(keys)) == len(keys) and all(keys)


def as_grid(table: Table) -> Sequence[Row] | None:
    """Return the rows of a table with named columns, the header first; None for another table."""
    if not table.header:
        return None
    rows = table.rows if table.rows[0] == table.header else (table.header, *table.rows)
    names = [cell.text for cell in table.header]
    even = all(len(row) == len(names) for row in rows) and len(set(names)) == len(names) > 1
    return (
        rows if even and all(cell.text and len(cell.text) <= MAX_CELL_CHARS for row in rows for cell in row) else None
    )
