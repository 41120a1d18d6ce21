"""National numbers of persons: written as their country writes them, with its check digits, and where those are weak
with a word before them that names the number. The detail is country and kind.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from filters.personal import national_checks as checks
from filters.personal.digit_groups import DOT, HYPHEN, PLUS, SHAPED, SPACE, Windows
from filters.personal.places import Batch, Found, word_pattern

_DOTS_HYPHEN = DOT << 8 | DOT << 4 | HYPHEN
_TWO_DOTS = DOT << 4 | DOT
_UNIFORM = frozenset(int(str(kind) * count or "0", 16) for kind in (SPACE, HYPHEN) for count in range(8))


@dataclass(frozen=True)
class Number:
    """How a country's number is written, and what must hold."""

    kind: str
    shapes: tuple[int, ...]  # group sizes as hexadecimal digits; 12 is c in one group
    valid: Callable[[str], bool]
    words: tuple[str, ...] = ()  # one of them stands before the number, where it is not written in `strong` shapes
    strong: tuple[int, ...] = ()  # written so, the number needs no word
    before: str = ""  # letters of which one stands before the digits
    after: str = ""  # letters of which one stands after the digits
    joints: tuple[int, ...] = ()  # what joins the groups, where it is not all spaces or all hyphens

    @property
    def length(self) -> int:
        """Return the digits of the number."""
        return sum(int(digit, 16) for digit in f"{self.shapes[0]:x}")


LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
NUMBERS = (
    Number("CN-resident", (0xF, 0x684), checks.china_resident, strong=(0xF,)),  # 15: fifteen or more
    Number("CN-resident", (0xF,), checks.china_resident, strong=(0xF,), after="Xx"),
    Number("JP-my-number", (0xC, 0x444), checks.japan_my_number,
           ("マイナンバー", "個人番号", "my ?number", "individual number")),
    Number("US-ssn", (0x324, 0x9), checks.usa_ssn,
           ("ssn", "ss#", "social security", "soc\\.? sec", "seguro social", "社会保障番号", "社会安全号码")),
    Number("KR-resident", (0x67, 0xD), checks.korea_resident, strong=(0x67,),
           words=("주민등록번호", "주민번호", "외국인등록번호", "rrn", "resident registration")),
    Number("KR-resident", (0x67,), checks.korea_birth_date,
           ("주민등록번호", "주민번호", "외국인등록번호", "rrn", "resident registration")),
    Number("ES-dni", (0x8, 0x233), checks.spain_dni, strong=(0x8, 0x233), after=LETTERS, joints=(_TWO_DOTS,)),
    Number("ES-nie", (0x7, 0x133), checks.spain_nie, strong=(0x7, 0x133), before="XYZ", after=LETTERS,
           joints=(_TWO_DOTS,)),
    Number("FR-nir", (0xF, 0x1222332, 0xD2), checks.france_nir, strong=(0x1222332, 0xD2),
           words=("sécurité sociale", "sécu", "nir", "insee", "numéro de ss")),
    Number("BR-cpf", (0x3332, 0xB, 0x92), checks.brazil_cpf, ("cpf", "cadastro de pessoas? físicas?"),
           strong=(0x3332,), joints=(_DOTS_HYPHEN,)),
    Number("IN-aadhaar", (0x444, 0xC), checks.india_aadhaar, ("aadhaar", "aadhar", "uidai", "uid", "आधार")),
    Number("PL-pesel", (0xB,), checks.poland_pesel, ("pesel",)),
    Number("SE-person", (0x64, 0xA), checks.sweden_person, ("personnummer", "pers\\.?nr", "samordningsnummer")),
    Number("CA-sin", (0x333, 0x9), checks.canada_sin,
           ("sin", "social insurance", "numéro d'assurance sociale", "nas")),
    Number("NL-bsn", (0x9, 0x423, 0x333), checks.netherlands_bsn, ("bsn", "burgerservicenummer", "sofi-?nummer"),
           joints=(_TWO_DOTS,)),
    Number("DE-tax", (0xB, 0x2333), checks.germany_tax,
           ("steuer-?id(?:entifikationsnummer)?", "idnr\\.?", "steuerliche identifikationsnummer")),
    Number("TW-identity", (0x9,), checks.taiwan_identity, ("身分證", "身份證", "統一編號", "national id", "roc id"),
           before=LETTERS),
)  # fmt: skip

SHAPES = np.array(sorted({shape for number in NUMBERS for shape in number.shapes}), np.uint64)
_WORDS = {number: word_pattern(number.words) if number.words else None for number in NUMBERS}
_ENDS_WITH_LETTER = re.compile(r"[A-Za-z][- ]?\Z")
_STARTS_WITH_LETTER = re.compile(r"[- ]?[A-Za-z]")
_BY_SHAPE = {shape: tuple(n for n in NUMBERS if shape in n.shapes) for shape in SHAPES.tolist()}


def find_national(batch: Batch, windows: Windows) -> Iterator[Found]:
    """Yield the national numbers among windows of digits."""
    chosen = windows.having(SHAPED)
    rows = batch.rows_of(chosen.start).tolist()
    columns = (chosen.start, chosen.end, chosen.value, chosen.shape, chosen.joints, chosen.digits, chosen.flags)
    for row, start, end, value, shape, joints, digits, flags in zip(rows, *(c.tolist() for c in columns), strict=True):
        if flags & PLUS:
            continue
        first = start + (batch.body[start] == 0x28)  # a bracket before it
        number = str(value).rjust(digits, "0")
        for kind in _BY_SHAPE[shape]:
            joined = joints in kind.joints or joints in _UNIFORM
            if joined and (found := _read(batch, (row, first, end), kind, number, shape)):
                yield found
                break


def _read(batch: Batch, place: tuple[int, int, int], kind: Number, digits: str, shape: int) -> Found | None:
    row, start, end = place
    head, tail = "", ""
    if kind.before:
        lead = _ENDS_WITH_LETTER.search(batch.before(row, start, 4))
        head = lead.group() if lead else ""
    if kind.after:
        trail = _STARTS_WITH_LETTER.match(batch.after(row, end, 4))
        tail = trail.group() if trail else ""
    if (kind.before and head[:1] not in tuple(kind.before)) or (kind.after and tail[-1:] not in tuple(kind.after)):
        return None
    if len(digits) + len(tail.strip("- ")) != _LENGTHS[kind]:
        return None
    start, end = start - len(head), end + len(tail)
    whole = (head[:1] + digits + tail[-1:]).upper()
    if not batch.apart(row, start, end) or not _parted(batch, row, start, end) or not kind.valid(whole):
        return None
    said = _WORDS[kind]
    if shape not in kind.strong and not (said and said.search(batch.before(row, start))):
        return None
    return Found(start, end, kind.kind)


def _parted(batch: Batch, row: int, start: int, end: int) -> bool:
    """Return whether no sign stands beside the number that makes it part of a longer one, a path or a calculation."""
    before, after = batch.before(row, start, 4)[-1:], batch.after(row, end, 4)
    return before not in tuple("-/.=%&_,+") and not (after[:1] in tuple("-/.=%&_+,") and after[1:2].isalnum())


# characters after the letter that stands before, check letters included
_LENGTHS = {
    number: 18
    if number.kind == "CN-resident"
    else 15
    if number.kind == "FR-nir"
    else number.length + bool(number.after)
    for number in NUMBERS
}
