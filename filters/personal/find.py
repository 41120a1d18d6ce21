"""Find personal data: all classes over a batch of texts, spans that never overlap.

Where classes claim the same bytes, the first of CLASSES has them, then what starts first, then what is longer.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from filters.personal.card import find_cards
from filters.personal.credentials import find_credentials
from filters.personal.digit_groups import Windows, digit_windows
from filters.personal.iban import find_ibans
from filters.personal.ip_address import find_ipv4, find_ipv6
from filters.personal.japanese_address import find_addresses
from filters.personal.mail import find_mail
from filters.personal.national import SHAPES, find_national
from filters.personal.phone import REGIONS, find_phones
from filters.personal.places import Batch, Found, batch_of, is_east_asian
from filters.personal.style import CLASSES

VERSION = 1

MAX_ROUNDS = 4  # of looking again: a chain of data that touches needs one a link, and hostile text has no end
_HARMLESS = frozenset("<>,;\"'()[]、。")

# In the order in which they win.
SPANS = pa.schema(
    [
        ("row", pa.int32()),  # of the text in the batch
        ("start", pa.int64()),  # UTF-8 bytes from the start of the text
        ("end", pa.int64()),
        ("class", pa.string()),
        ("detail", pa.string()),  # issuer, country, region: what the class says
    ]
)
_BY_BYTES: dict[str, tuple[Callable[[Batch], Iterator[Found]], ...]] = {
    "secret": (find_credentials,),
    "email": (find_mail,),
    "iban": (find_ibans,),
    "address": (find_addresses,),
    "ip": (find_ipv6,),
}
_BY_DIGITS: dict[str, Callable[[Batch, Windows], Iterator[Found]]] = {
    "card": find_cards,
    "national_id": find_national,
    "ip": find_ipv4,
    "phone": find_phones,
}


def find(
    text: pa.StringArray,
    classes: Sequence[str] = CLASSES,
    languages: Sequence[str | None] | pa.Array | None = None,
    regions: Sequence[str] = (),
) -> pa.RecordBatch:
    """Return the personal data in texts: SPANS, sorted by row and start, not overlapping.

    classes: of CLASSES. languages: ISO 639 code of each text, or none: it says which numbering plans are tried for
    telephone numbers without +country, unless `regions` (ISO 3166, best first) does for all.
    """
    if unknown := sorted(set(classes) - set(CLASSES)):
        raise ValueError(f"unknown classes of personal data {unknown}: known are {list(CLASSES)}")
    batch = batch_of(text, _regions(len(text), languages, tuple(regions)))
    return _record_batch(batch, _complete(batch, classes))


def _regions(count: int, languages: Any, regions: tuple[str, ...]) -> Iterable[tuple[str, ...]]:
    if regions or languages is None:
        return [regions] * count
    codes = languages.to_pylist() if isinstance(languages, (pa.Array, pa.ChunkedArray)) else languages
    if len(codes) != count:
        raise ValueError(f"{len(codes)} languages for {count} texts")
    return [REGIONS.get((code or "").partition("-")[0].lower(), ()) for code in codes]


Claim = tuple[int, int, int, str]  # start, end, rank of the class, detail


def _all(batch: Batch, classes: Sequence[str]) -> Iterator[Claim]:
    windows = digit_windows(batch, SHAPES) if set(classes) & set(_BY_DIGITS) else None
    for rank, name in enumerate(CLASSES):
        if name not in classes:
            continue
        for by_bytes in _BY_BYTES.get(name, ()):
            yield from ((start, end, rank, detail) for start, end, detail in by_bytes(batch))
        if windows is not None and name in _BY_DIGITS:
            yield from ((start, end, rank, detail) for start, end, detail in _BY_DIGITS[name](batch, windows))


def _complete(batch: Batch, classes: Sequence[str]) -> list[Claim]:
    """Return the claims that stand, and what is left of those that lost a part: found again with the others hidden.

    So that a text whose data was masked once holds none that only another one had covered.
    """
    claims = sorted(_all(batch, classes))
    standing = settle(claims)
    rows = _rows_with_rests(batch, claims, standing)
    for _ in range(MAX_ROUNDS):
        if not len(rows):
            break
        hidden = np.array(batch.body)
        for start, end, _, _ in standing:
            hidden[start:end] = ord(">")
        offsets, body = np.ascontiguousarray(batch.offsets), pa.py_buffer(hidden)
        text = pa.StringArray.from_buffers(len(offsets) - 1, pa.py_buffer(offsets), body).take(pa.array(rows))
        part = batch_of(text, [batch.regions[row] for row in rows.tolist()])
        again = sorted(_all(part, classes))
        more = settle(again)
        moves = np.asarray(batch.offsets)[rows] - np.asarray(part.offsets)[:-1]
        left = _rows_with_rests(part, again, more)
        at = part.rows_of(np.array([claim[0] for claim in more], np.int64)).tolist()
        moved = [(c[0] + int(moves[row]), c[1] + int(moves[row]), *c[2:]) for c, row in zip(more, at, strict=True)]
        standing = sorted([*standing, *moved])
        rows = rows[left]
    return standing


def _rows_with_rests(batch: Batch, claims: Sequence[Claim], standing: Sequence[Claim]) -> npt.NDArray[np.int64]:
    """Return the texts where a claim lost that lies not inside one that stands, or where one touches a word."""
    starts = [claim[0] for claim in standing]
    rests = []
    for claim in claims if len(claims) > len(standing) else ():
        winner = standing[max(bisect_right(starts, claim[0]) - 1, 0)]
        if not (winner[0] <= claim[0] and claim[1] <= winner[1]):
            rests.append(claim[0])
    rows = batch.rows_of(np.array(starts, np.int64)).tolist()
    touching = [c[0] for c, row in zip(standing, rows, strict=True) if not _is_free(batch, row, c[0], c[1])]
    return np.unique(batch.rows_of(np.array(rests + touching, np.int64)))


def _is_free(batch: Batch, row: int, start: int, end: int) -> bool:
    """Return whether what stands beside a place can't be a part of other data."""
    before, after = batch.before(row, start, 4)[-1:], batch.after(row, end, 4)[:1]
    return all(not side or side.isspace() or side in _HARMLESS or is_east_asian(side) for side in (before, after))


def settle(claims: Sequence[Claim]) -> list[Claim]:
    """Return the claims that stand, sorted by start; claims come sorted."""
    out: list[Claim] = []
    group: list[Claim] = []
    reach = -1
    for claim in claims:
        if claim[0] >= reach and group:
            out += _winners(group)
            group = []
        group.append(claim)
        reach = max(reach, claim[1])
    return out + _winners(group)


def _winners(group: list[Claim]) -> list[Claim]:
    if len(group) <= 1:
        return group
    taken: list[Claim] = []
    starts: list[int] = []
    for claim in sorted(group, key=lambda c: (c[2], c[0], -c[1], c[3])):
        at = bisect_left(starts, claim[0])
        left = at == 0 or taken[at - 1][1] <= claim[0]
        right = at == len(starts) or taken[at][0] >= claim[1]
        if left and right:
            taken.insert(at, claim)
            starts.insert(at, claim[0])
    return taken


def _record_batch(batch: Batch, claims: Sequence[Claim]) -> pa.RecordBatch:
    starts = np.array([claim[0] for claim in claims], np.int64)
    ends = np.array([claim[1] for claim in claims], np.int64)
    rows = batch.rows_of(starts)
    begin = np.asarray(batch.offsets)[rows]
    names, details = [CLASSES[claim[2]] for claim in claims], [claim[3] for claim in claims]
    columns = [rows.astype(np.int32), starts - begin, ends - begin]
    return pa.RecordBatch.from_arrays(
        [*map(pa.array, columns), pa.array(names, pa.string()), pa.array(details, pa.string())], schema=SPANS
    )
