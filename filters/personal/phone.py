"""Telephone numbers, checked by the `phonenumbers` library (the Python port of Google's libphonenumber, Apache-2.0).

With +country anywhere. Without, by the numbering plans of the text's regions: written in the groups of the region's
own format, or after a word such as Tel or 電話. Numbers in one piece need the word or the plus sign. The detail is the
region.
"""

import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from filters.personal.digit_groups import DOT, OPEN, PHONE, PLUS, SPACE, Windows
from filters.personal.places import Batch, Found, word_pattern

# By language: the regions whose plans are tried, at most three, best first (speakers: CLDR 46, territory info).
REGIONS: dict[str, tuple[str, ...]] = {
    "ar": ("SA", "EG", "AE"), "az": ("AZ",), "be": ("BY",), "bg": ("BG",), "bn": ("BD", "IN"), "ca": ("ES",),
    "cs": ("CZ",), "da": ("DK",), "de": ("DE", "AT", "CH"), "el": ("GR", "CY"), "en": ("US", "GB", "AU"),
    "es": ("ES", "MX", "AR"), "et": ("EE",), "eu": ("ES",), "fa": ("IR",), "fi": ("FI",), "fr": ("FR", "BE", "CH"),
    "gl": ("ES",), "he": ("IL",), "hi": ("IN",), "hr": ("HR",), "hu": ("HU",), "hy": ("AM",), "id": ("ID",),
    "is": ("IS",), "it": ("IT", "CH"), "ja": ("JP",), "ka": ("GE",), "kk": ("KZ",), "km": ("KH",), "ko": ("KR",),
    "lo": ("LA",), "lt": ("LT",), "lv": ("LV",), "mk": ("MK",), "mn": ("MN",), "mr": ("IN",), "ms": ("MY",),
    "my": ("MM",), "nb": ("NO",), "ne": ("NP",), "nl": ("NL", "BE"), "nn": ("NO",), "no": ("NO",), "pa": ("IN", "PK"),
    "pl": ("PL",), "pt": ("BR", "PT"), "ro": ("RO",), "ru": ("RU", "KZ"), "si": ("LK",), "sk": ("SK",), "sl": ("SI",),
    "sq": ("AL",), "sr": ("RS",), "sv": ("SE",), "sw": ("KE", "TZ"), "ta": ("IN", "LK"), "te": ("IN",), "th": ("TH",),
    "tl": ("PH",), "tr": ("TR",), "uk": ("UA",), "ur": ("PK", "IN"), "uz": ("UZ",), "vi": ("VN",),
    "zh": ("CN", "TW", "HK"),
}  # fmt: skip

_SAYS_PHONE = word_pattern(
    (r"tel(?:e?phone|e?fon|\.)?", "tél(?:éphone)?", "telefone?", "teléfono", "telefono", "phone", "call", "mobile",
     "cell(?:ular|phone)?", "fax", "whats ?app", "sms", "móvil", "celular", "portable", "handy", "mobil", "ring",
     "dial", "hotline", "toll.?free", "contact", "тел", "телефон", "факс", "моб", "звон", "電話", "携帯", "番号は",
     "ファックス", "ファクス", "フリーダイヤル", "連絡先", "お問い?合わ?せ", "ＴＥＬ", "ＦＡＸ", "℡", "☎", "📞", "📱",
     "电话",      "手机", "传真", "热线", "手機", "傳真", "전화", "휴대폰", "팩스", "연락처", "โทร", "โทรศัพท์", 
     "هاتف", "جوال", "فون",
     "फ़ोन", "फोन", "मोबाइल", "điện thoại", "telp")
)  # fmt: skip
_SAYS_OTHER = word_pattern(
    ("isbn(?:-1[03])?", "issn", "ean", "upc", "doi", "pmid", "arxiv", "oclc", "asin", "sku", "serial", "id", "no",
     "part", "model", "version", "rfc", "bug", "issue", "article", "order", "ticket", "品番", "型番", "注文番号",
     "編號",      "статья")
)  # fmt: skip
_LETTERS = re.compile(r"[^\W\d_]|[℡☎📞📱]")
_MONEY = frozenset("$€£¥￥₩₹₽฿元円원%％°")
_DATE_SHAPES = frozenset((0x422, 0x224, 0x411, 0x412, 0x421, 0x114, 0x124, 0x214, 0x4222, 0x4224, 0x42222, 0x2242))
_THOUSANDS = frozenset(int(str(kind) * count, 16) for kind in (SPACE, DOT) for count in range(1, 5))
_CONTEXT = 32


class _Window(NamedTuple):
    row: int
    start: int
    end: int
    shape: int
    joints: int
    digits: int
    flags: int
    leading: int  # the first digit


def find_phones(batch: Batch, windows: Windows) -> Iterator[Found]:
    """Yield the telephone numbers among windows of digits."""
    chosen = windows.having(PHONE)
    columns = (batch.rows_of(chosen.start), chosen.start, chosen.end, chosen.shape, chosen.joints)
    tens = np.uint64(10) ** (chosen.digits - 1).astype(np.uint64)
    numbers = (*columns, chosen.digits, chosen.flags, chosen.value // tens)
    for window in map(_Window, *(column.tolist() for column in numbers)):
        found = _phone(batch, window)
        if found:
            yield found


def _phone(batch: Batch, window: _Window) -> Found | None:
    plus, regions = bool(window.flags & PLUS), batch.regions[window.row]
    near = "" if plus else batch.before(window.row, window.start, _CONTEXT)
    says_phone = _LETTERS.search(near) is not None and _SAYS_PHONE.search(near) is not None
    if not (plus or (regions and (says_phone or _plausible(window)))):
        return None
    said, start = batch.cut(window.start, window.end), window.start
    if window.flags & OPEN and said.count("(") + said.count("（") > said.count(")") + said.count("）"):
        start += 1 if said[0] == "(" else 3
        said = said[1:]
    if not batch.apart(window.row, start, window.end) or _is_amount(batch, window.row, start, window.end):
        return None
    if near and not says_phone and _SAYS_OTHER.search(near[-12:]):
        return None
    if not (plus or says_phone) and _in_a_row(batch, window):
        return None
    region = phone_region(said, None if plus else regions, says_phone, window.shape)
    return Found(start, window.end, region) if region else None


def _plausible(window: _Window) -> bool:
    """Return whether a number without +country and without a word is written as no date, years or amount are."""
    if window.shape < 16 or window.digits < 8 or (window.shape in _DATE_SHAPES and window.leading != 0):
        return False
    if window.shape == 0x44:
        return window.joints == SPACE and window.leading > 2
    thousands = window.shape & 0xFFF == 0x333 and window.shape >> 12 <= 3 and window.joints in _THOUSANDS
    return not thousands or window.leading == 0


def _in_a_row(batch: Batch, window: _Window) -> bool:
    """Return whether a number with spaces stands among numbers with spaces: a table's row, a dump."""
    if f"{window.joints:x}".find(str(SPACE)) < 0:
        return False
    before, after = batch.before(window.row, window.start, 8), batch.after(window.row, window.end, 8)
    return (before[-1:].isspace() and before[-2:-1].isdigit()) or (after[:1] == " " and after[1:2].isdigit())


def _is_amount(batch: Batch, row: int, start: int, end: int) -> bool:
    before, after = batch.before(row, start, 8).rstrip(" "), batch.after(row, end, 8)
    if before[-1:] in _MONEY or after.lstrip(" ")[:1] in _MONEY:
        return True
    goes_on = after[:1] in (",", ".", "-", "/", "_", "%", "=") and after[1:2].isalnum() and after[:1] != ","
    return goes_on or before[-1:] in ("-", "_", "=", "#", "&", "/", "%") or (after[:1] == "," and after[1:4].isdigit())


@lru_cache(maxsize=1 << 16)
def phone_region(said: str, regions: tuple[str, ...] | None, says_phone: bool, shape: int) -> str:
    """Return the region of a number that is valid there, or "".

    regions: tried in order where the number has no +country. shape: group sizes as hexadecimal digits; without a
    word for telephone before it, the number has to be written in groups that its region uses.
    """
    import phonenumbers

    for region in (None,) if regions is None else regions:
        try:
            number = phonenumbers.parse(said, region)
        except phonenumbers.NumberParseException:
            continue
        if not phonenumbers.is_valid_number(number):
            continue
        if regions is None or says_phone or _written_as_there(number, region, shape):
            return phonenumbers.region_code_for_number(number) or region or "001"
    return ""


def _written_as_there(number: Any, region: str | None, shape: int) -> bool:
    """Return whether the groups are those of the region's national format, at least two of them."""
    import phonenumbers

    formatted = phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.NATIONAL)
    groups = "".join(c if c.isdigit() else " " for c in formatted).split()
    sizes = int("".join(f"{min(len(group), 15):x}" for group in groups) or "0", 16)
    with_country = region == "US" and shape == 0x1334
    return shape >= 16 and (sizes == shape or with_country)
