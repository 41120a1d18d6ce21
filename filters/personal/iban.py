"""International bank account numbers: country and its length, check digits modulo 97 (ISO 13616-1, ISO 7064).

Written in one piece, or in groups of four with spaces or hyphens between. The detail is the country.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from filters.native import kernel
from filters.personal.places import Batch, Found

# ISO 13616 registry, release 99: characters of each country's number
LENGTHS = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "AZ": 28, "BA": 20, "BE": 16, "BG": 22, "BH": 22, "BI": 27, "BR": 29,
    "BY": 28, "CH": 21, "CR": 22, "CY": 28, "CZ": 24, "DE": 22, "DJ": 27, "DK": 18, "DO": 28, "EE": 20, "EG": 29,
    "ES": 24, "FI": 18, "FK": 18, "FO": 18, "FR": 27, "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27, "GT": 28,
    "HN": 28, "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IQ": 23, "IS": 26, "IT": 27, "JO": 30, "KW": 30, "KZ": 20,
    "LB": 28, "LC": 32, "LI": 21, "LT": 20, "LU": 20, "LV": 21, "LY": 25, "MC": 27, "MD": 24, "ME": 22, "MK": 19,
    "MN": 20, "MR": 27, "MT": 31, "MU": 30, "NI": 28, "NL": 18, "NO": 15, "OM": 23, "PK": 24, "PL": 28, "PS": 29,
    "PT": 25, "QA": 29, "RO": 24, "RS": 22, "RU": 33, "SA": 24, "SC": 31, "SD": 18, "SE": 24, "SI": 19, "SK": 24,
    "SM": 27, "SO": 23, "ST": 25, "SV": 28, "TL": 23, "TN": 24, "TR": 26, "UA": 29, "VA": 22, "VG": 24, "XK": 20,
    "YE": 30,
}  # fmt: skip


def _length_table() -> npt.NDArray[np.uint8]:
    table = np.zeros(26 * 26, np.uint8)
    for country, length in LENGTHS.items():
        table[(ord(country[0]) - 65) * 26 + ord(country[1]) - 65] = length
    table.flags.writeable = False
    return table


_TABLE = _length_table()


@kernel
def _alphanumeric(byte: int) -> int:
    """Return the value of a digit or capital letter as ISO 7064 counts it, or -1."""
    if 48 <= byte <= 57:
        return byte - 48
    return byte - 55 if 65 <= byte <= 90 else -1


@kernel
def _is_word(byte: int) -> bool:
    return 48 <= byte <= 57 or 65 <= byte <= 90 or 97 <= byte <= 122 or byte == 95


@kernel
def _account(body: Any, start: int, last: int, length: int) -> int:
    """Return the end of the account number of `length` characters that starts here, or -1."""
    rest, seen, at, joint = 0, 0, start, 0
    head = 0
    while seen < length and at < last:
        byte = body[at]
        value = _alphanumeric(byte)
        if value < 0:
            parting = byte == 32 or byte == 45  # noqa: PLR1714
            grouped = seen % 4 == 0 and seen > 0 and parting and (joint == 0 or joint == byte)  # noqa: PLR1714
            if not grouped or _alphanumeric(body[at - 1]) < 0:
                return -1
            joint = int(byte)
        else:
            if seen < 4:  # the first four characters come last
                head = head * (100 if value > 9 else 10) + value
            else:
                rest = (rest * (100 if value > 9 else 10) + value) % 97
            seen += 1
        at += 1
    if seen < length or (at < last and _is_word(body[at])):
        return -1
    return at if (rest * 1_000_000 + head) % 97 == 1 else -1


@kernel
def _accounts(body: Any, offsets: Any, lengths: Any, out: Any) -> int:
    filled = 0
    for row in range(len(offsets) - 1):
        begin, last = offsets[row], offsets[row + 1]
        for i in range(begin + 2, last - 12):
            if not 48 <= body[i] <= 57 or not 65 <= body[i - 1] <= 90 or not 65 <= body[i - 2] <= 90:
                continue
            length = lengths[(body[i - 2] - 65) * 26 + body[i - 1] - 65]
            if length == 0 or not 48 <= body[i + 1] <= 57 or (i - 2 > begin and _is_word(body[i - 3])):
                continue
            end = _account(body, i - 2, last, length)
            if end >= 0:
                if filled < len(out):
                    out[filled, 0], out[filled, 1] = i - 2, end
                filled += 1
    return filled


def find_ibans(batch: Batch) -> Iterator[Found]:
    """Yield the account numbers of a batch."""
    out = np.empty((64, 2), np.int64)
    while (count := int(_accounts(batch.body, batch.offsets, _TABLE, out))) > len(out):
        out = np.empty((count, 2), np.int64)
    for start, end in out[:count].tolist():
        yield Found(start, end, batch.cut(start, start + 2))
