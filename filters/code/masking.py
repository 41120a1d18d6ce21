"""Secrets and personal data in code: found, masked by class, and told where they stood."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from filters.code.assigned import ASSIGNED_VERSION, find_assigned, rows_with_assigned
from filters.code.people import PEOPLE_VERSION, find_people
from filters.code.people import TOKEN as PERSON
from filters.personal import find, mask
from filters.personal.style import TOKENS as STYLE
from manifests.records import PART

MASKING_VERSION = 2
CLASSES = ("secret", "email", "ip")
NAME, SECRET = "name", "secret"
TOKENS = {NAME: PERSON, SECRET: STYLE[SECRET]}


def versions() -> dict[str, int]:
    return {
        "masking": MASKING_VERSION,
        "personal": find.VERSION,
        "mask": mask.VERSION,
        "people": PEOPLE_VERSION,
        "assigned": ASSIGNED_VERSION,
    }


Places = list[tuple[str, int, int]]  # (kind, start, end) in code points


@dataclass(frozen=True)
class MaskedCode:
    """Masked texts. counts: int64[n] of each class, "secret_count" ...; spans and places as `mask_code` says."""

    text: pa.StringArray
    counts: pa.RecordBatch
    spans: list[Places]
    places: list[Places]


def mask_code(text: pa.StringArray, classes: Sequence[str], places: Sequence[Places]) -> MaskedCode:
    """Return the texts with a token of its class in the place of each secret and person.

    classes: of secret, email, ip, name. places: pieces of each text that move with it. spans: of each masked text what
    stands for something, (class, start, end), ascending.
    """
    bodies: list[str] = text.to_pylist()
    moved = [[*each] for each in places]
    for row, found_here in _by_rule(text, bodies, classes):
        bodies[row], moved[row] = _replaced(bodies[row], found_here, moved[row])
    wanted = [name for name in CLASSES if name in classes]
    plain = pa.array(bodies, pa.string())
    found = find.find(plain, classes=wanted)
    masked = mask.mask(plain, found)
    parts = pa.array([[_part(*piece) for piece in each] for each in moved], pa.list_(PART))
    after = [[_piece(part) for part in each] for each in masked.move_parts(parts).to_pylist()]
    spans = _spans(masked, found)
    for row, each in enumerate(after):
        spans[row] = sorted([*spans[row], *(piece for piece in each if piece[0] in TOKENS)], key=lambda span: span[1])
    counts = {
        f"{name}_count": pa.array([sum(span[0] == name for span in each) for each in spans], pa.int64())
        for name in (*CLASSES, NAME)
    }
    left = [[piece for piece in each if piece[0] not in TOKENS] for each in after]
    return MaskedCode(masked.text, pa.RecordBatch.from_pydict(counts), spans, left)


def _by_rule(text: pa.StringArray, bodies: Sequence[str], classes: Sequence[str]) -> Iterator[tuple[int, Places]]:
    """Yield (row, what is found by rules of code alone: people and assigned secrets, ascending)."""
    assigned = set(rows_with_assigned(text)) if SECRET in classes else set()
    for row, body in enumerate(bodies):
        people = [(NAME, *span) for span in find_people(body)] if NAME in classes else []
        secrets = [(SECRET, *span) for span in find_assigned(body)] if row in assigned else []
        if people or secrets:
            yield row, sorted([*people, *secrets], key=lambda piece: piece[1])


def _part(kind: str, start: int, end: int) -> dict[str, Any]:
    return {"kind": kind, "start": start, "end": end, "uri": None, "alt": None}


def _piece(part: dict[str, Any]) -> tuple[str, int, int]:
    return part["kind"], part["start"], part["end"]


def _spans(masked: mask.Masked, found: pa.RecordBatch) -> list[Places]:
    """Return (class, start, end) of what was put in, in code points."""
    out: list[Places] = [[] for _ in range(len(masked.text))]
    names = found["class"].to_pylist()
    at = 0
    for row in np.flatnonzero(np.bincount(found["row"].to_numpy(), minlength=len(out))).tolist():
        body = masked.text[row].as_buffer().to_pybytes()
        for place in masked.replaced[row].as_py():
            start = len(body[: place["start"]].decode())
            end = start + len(body[place["start"] : place["end"]].decode())
            out[row].append((names[at], start, end))
            at += 1
    return out


def _replaced(body: str, found: Places, places: Places) -> tuple[str, Places]:
    """Return the text with a token for each piece that was found; places moved, and those of the tokens among them."""
    pieces: list[str] = []
    tokens: Places = []
    at = shift = 0
    shifts: list[tuple[int, int]] = []  # (end of a piece, what is added to all behind it)
    for kind, start, end in found:
        if start < at:
            continue  # inside the one before
        token = TOKENS[kind]
        pieces += [body[at:start], token]
        tokens.append((kind, start + shift, start + shift + len(token)))
        shift += len(token) - (end - start)
        shifts.append((end, shift))
        at = end
    ends = [end for end, _ in shifts]

    def moved(point: int) -> int:
        before = bisect_right(ends, point)
        return point + (shifts[before - 1][1] if before else 0)

    own = [(kind, moved(start), moved(end)) for kind, start, end in places]
    return "".join([*pieces, body[at:]]), sorted([*own, *tokens], key=lambda piece: piece[1])
