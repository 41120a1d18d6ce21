"""Tables: a value that it gives for nothing of the kind, one that it gives for something else, a key that it lacks."""

import re

from filters.instruct.build import Draft, Piece
from filters.instruct.desk import Desk, Pair
from filters.instruct.leak import mentions, parts, squeeze
from filters.instruct.record import Answer, Edit, Hedge, Table
from filters.instruct.table_qa import lookup, lookups
from filters.instruct.tables import is_pairs, shown
from filters.instruct.twins import paired

MAX_VALUE_CHARS = 60


def value(desk: Desk, table: Table) -> Pair | None:
    """Return the question whether the table gives a value that another table gives for the same key."""
    piece = shown(desk.source, table)
    if piece is None or not is_pairs(table):
        return None
    for key, cell in lookups(desk, table):
        others = [text for text in _same_key(desk, table, key) if _apart(text, cell.text, piece.text)]
        if others and len(cell.text) <= MAX_VALUE_CHARS:
            other = min(others, key=lambda text: desk.lot("value", table.number, key, text))
            return _claimed(desk, (table.number, key), piece, cell, other)
    return None


def _claimed(desk: Desk, place: tuple[int, str], piece: Piece, cell: Piece, other: str) -> Pair | None:
    number, key = place
    voice = desk.voice("value", number)
    twin = Draft(voice.twin(), [piece])
    twin.ask("q.value", x=key, y=cell.text)
    twin.say("a.yes.value", {"s": cell}, x=key)
    hedge = Draft(voice, [piece])
    hedge.ask("q.value", x=key, y=other)
    hedge.say("h.value", {"s": cell}, x=key, y=other)
    agreed = twin.reply.replace(cell.text, other)
    why = Hedge("context.mutual_exclusion", "correct_premise", agreed, Edit("value", cell.text, other))
    return paired(
        hedge.done("hedge", "table_qa", Answer(hedge.reply, "none"), why),
        twin.done("attribution", "table_qa", Answer(cell.text, "text")),
    )


def relation(desk: Desk, table: Table) -> Pair | None:
    """Return the question whether the table gives for one key what it gives for another: the right value elsewhere.

    Both values have one shape, so that the question alone does not tell that they were exchanged.
    """
    piece = shown(desk.source, table)
    found = lookups(desk, table) if is_pairs(table) else []
    found = [one for one in found if piece and len(one[1].text) <= MAX_VALUE_CHARS and _stands_once(one, found)]
    for key, cell in found:
        for other_key, other in found:
            if other is not cell and _shape(other.text) == _shape(cell.text) and piece:
                return _exchanged(desk, (table.number, key, other_key), piece, cell, other)
    return None


def _stands_once(one: tuple[str, Piece], found: list[tuple[str, Piece]]) -> bool:
    """Say whether no other value of a table holds this one."""
    return sum(squeeze(one[1].text) in squeeze(cell.text) for _, cell in found) == 1


def _shape(value: str) -> str:
    """Return what values of one kind share: digits and words by their sort, and how many of them."""
    return re.sub(r"[^\W\d_]+", "a", re.sub(r"\d+", "0", value))


def _exchanged(desk: Desk, place: tuple[int, str, str], piece: Piece, cell: Piece, other: Piece) -> Pair | None:
    number, key, other_key = place
    voice = desk.voice("relation", number)
    twin = Draft(voice.twin(), [piece])
    twin.ask("q.value", x=key, y=cell.text)
    twin.say("a.yes.value", {"s": cell}, x=key)
    hedge = Draft(voice, [piece])
    hedge.ask("q.value", x=key, y=other.text)
    hedge.say("h.value", {"s": cell}, x=key, y=other.text)
    hedge.say("h.value.of", {"s": other}, y=other_key)
    agreed = twin.reply.replace(cell.text, other.text)
    why = Hedge("premise.false_relation", "correct_premise", agreed, Edit("relation", other_key, key))
    return paired(
        hedge.done("hedge", "table_qa", Answer(hedge.reply, "none"), why),
        twin.done("attribution", "table_qa", Answer(cell.text, "text")),
    )


def _same_key(desk: Desk, table: Table, key: str) -> list[str]:
    """Return what the document's other tables give for a key, each once."""
    found = {
        values[key].text: None
        for other, values in desk.pair_tables
        if other is not table and key in values and len(values[key].text) <= MAX_VALUE_CHARS
    }
    return [text for text in found if "\n" not in text]


def _apart(one: str, other: str, table: str) -> bool:
    return not mentions(one, table) and squeeze(other) not in squeeze(one)


def key(desk: Desk, table: Table) -> Pair | None:
    """Return the question what the table gives for a key that only other tables have, and for one that others lack.

    Only a key that some tables have and some lack may stand in a question, so that no key tells whether it is there.
    """
    piece = shown(desk.source, table)
    found = lookups(desk, table)
    if piece is None or not found or not is_pairs(table):
        return None
    others = [values for other, values in desk.pair_tables if other is not table]
    own = squeeze(piece.text)
    missing = {
        name for values in others for name in values if _is_name(name) and not any(part in own for part in parts(name))
    }
    there = [one for one in found if any(one[0] not in values for values in others)]
    if not missing or not there:
        return None
    return _missing(desk, table, piece, there[0], min(missing, key=lambda text: desk.lot("key", table.number, text)))


def _is_name(key: str) -> bool:
    """Say whether a key is long enough that it can't be taken for a number."""
    return len(key) >= 4 or not any(sign.isdigit() for sign in key)


def _missing(desk: Desk, table: Table, piece: Piece, there: tuple[str, Piece], missing: str) -> Pair | None:
    name, cell = there
    voice = desk.voice("key", table.number)
    twin = lookup(voice.twin(), piece, name, cell)
    hedge = Draft(voice, [piece])
    hedge.ask("q.cell", x=missing)
    first = hedge.say("h.cell", x=missing)
    hedge.say("h.cell.have", {"s": cell}, y=name)
    why = Hedge("context.no_info", "abstain", twin.messages[-1].content, Edit("entity", name, missing))
    return paired(hedge.done("hedge", "table_qa", Answer(first.text, "none"), why), twin)
