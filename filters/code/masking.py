"""Secrets and personal data in code: found, masked by class, and told where they stood."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from filters.code.people import PEOPLE_VERSION, TOKEN, find_people
from filters.personal import find, mask
from manifests.records import PART

MASKING_VERSION = 1
CLASSES = ("secret", "email", "ip")
NAME = "name"


def versions() -> dict[str, int]:
    return {"masking": MASKING_VERSION, "personal": find.VERSION, "mask": mask.VERSION, "people": PEOPLE_VERSION}


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
    for row, body in enumerate(bodies if NAME in classes else ()):
        people = list(find_people(body))
        if people:
            bodies[row], moved[row] = _without_people(body, people, moved[row])
    wanted = [name for name in CLASSES if name in classes]
    plain = pa.array(bodies, pa.string())
    found = find.find(plain, classes=wanted)
    masked = mask.mask(plain, found)
    parts = pa.array([[_part(*piece) for piece in each] for each in moved], pa.list_(PART))
    after = [[_piece(part) for part in each] for each in masked.move_parts(parts).to_pylist()]
    spans = _spans(masked, found)
    for row, each in enumerate(after):
        spans[row] = sorted([*spans[row], *(piece for piece in each if piece[0] == NAME)], key=lambda span: span[1])
    counts = {
        f"{name}_count": pa.array([sum(span[0] == name for span in each) for each in spans], pa.int64())
        for name in (*CLASSES, NAME)
    }
    left = [[piece for piece in each if piece[0] != NAME] for each in after]
    return MaskedCode(masked.text, pa.RecordBatch.from_pydict(counts), spans, left)


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


def _without_people(body: str, people: Sequence[tuple[int, int]], places: Places) -> tuple[str, Places]:
    """Return the text with TOKEN for each name; places moved, and those of the tokens among them."""
    pieces: list[str] = []
    tokens: Places = []
    at = shift = 0
    shifts: list[tuple[int, int]] = []  # (end of a name, what is added to all behind it)
    for start, end in people:
        pieces += [body[at:start], TOKEN]
        tokens.append((NAME, start + shift, start + shift + len(TOKEN)))
        shift += len(TOKEN) - (end - start)
        shifts.append((end, shift))
        at = end
    ends = [end for end, _ in shifts]

    def moved(point: int) -> int:
        before = bisect_right(ends, point)
        return point + (shifts[before - 1][1] if before else 0)

    own = [(kind, moved(start), moved(end)) for kind, start, end in places]
    return "".join([*pieces, body[at:]]), sorted([*own, *tokens], key=lambda piece: piece[1])
