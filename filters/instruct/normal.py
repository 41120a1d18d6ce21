"""Values in one form, whoever wrote them: names, dates with their precision, numbers, quantities.

Normalised forms are strings that are equal where the values are: "1867-11-07" (day), "1867-11" (month), "1867" (year);
decimal numbers without grouping ("9706000"); quantities in one unit of their kind ("3776 m"); names folded.
"""

import re
import unicodedata
from collections.abc import Callable
from datetime import date
from decimal import Decimal, InvalidOperation
from functools import cache, lru_cache
from importlib.resources import files

NORMAL_VERSION = 1
_SPACE = re.compile(r"\s+")
_EDGES = " \t\n.,;:!?\"'()[]{}«»“”„‘’「」『』《》〈〉（）【】・、。,;:!?-–—*†‡"
_REFERENCE = re.compile(r"\[(?:\d{1,3}|[a-z]|note \d+|注 ?\d+|註 ?\d+)\]")
_PARENTHESES = re.compile(r"\s*[(（][^()（）]*[)）]\s*$")


def fold(text: str) -> str:
    """Return text in NFKC, case-folded, with white space as single spaces."""
    return _SPACE.sub(" ", unicodedata.normalize("NFKC", text).casefold()).strip()


@lru_cache(1 << 16)
def name_key(name: str) -> str:
    """Return a name as it is compared: folded, without marks at its ends, middle dots and reference marks."""
    folded = _REFERENCE.sub("", fold(name)).replace("・", "").replace("·", "").replace("’", "'")
    return _SPACE.sub(" ", folded.strip(_EDGES))


def without_note(text: str) -> str:
    """Return a value without reference marks and a closing note in parentheses."""
    bare = _REFERENCE.sub("", text).strip()
    return _PARENTHESES.sub("", bare).strip() or bare


# Numbers.

_DIGITS = {character: value for value, character in enumerate("〇一二三四五六七八九")} | {"零": 0, "両": 2, "两": 2}
_SMALL = {"十": 10, "百": 100, "千": 1000, "拾": 10}
_LARGE = {"万": 10**4, "萬": 10**4, "億": 10**8, "亿": 10**8, "兆": 10**12}
_KANJI = re.compile("[〇零一二三四五六七八九十百千万萬億亿兆拾両两]+")
_MIXED = re.compile(r"(?:[\d,.]+[万萬億亿兆千百十]+)+[\d,.]*")
_PLAIN = re.compile(r"[+\-−]?\d[\d.,'’ \u00a0\u202f]*")
_SCALE = {
    "thousand": 10**3, "million": 10**6, "millions": 10**6, "billion": 10**9, "billions": 10**9, "trillion": 10**12,
    "tausend": 10**3, "millionen": 10**6, "milliarde": 10**9, "milliarden": 10**9, "mio": 10**6, "mrd": 10**9,
    "mille": 10**3, "milliard": 10**9, "milliards": 10**9, "mil": 10**3, "millón": 10**6, "millones": 10**6,
}  # fmt: skip
_COMMA_DECIMAL = re.compile("(?:de|fr|es|it|pt|nl|pl|cs|ru|uk|tr|id|sv|da|no|fi|el|ro|hr|ca|vi)$")


def kanji_number(text: str) -> int | None:
    """Return the value of a number in kanji ("二千二十四"), also by digits ("二〇二四"); None for anything else."""
    if not _KANJI.fullmatch(text):
        return None
    if all(character in _DIGITS for character in text):
        return int("".join(str(_DIGITS[character]) for character in text))
    total = section = digit = 0
    for character in text:
        if character in _DIGITS:
            digit = digit * 10 + _DIGITS[character]
        elif character in _SMALL:
            section, digit = section + max(1, digit) * _SMALL[character], 0
        else:
            total, section, digit = total + max(1, section + digit) * _LARGE[character], 0, 0
    return total + section + digit


def _mixed_number(text: str) -> Decimal | None:
    """Return the value of digits with kanji units: "1億2,000万", "3.5千"."""
    total, rest = Decimal(0), text
    while rest:
        number = re.match(r"[\d,.]+", rest)
        if number is None:
            return None
        value = Decimal(number[0].replace(",", ""))
        unit = re.match("[万萬億亿兆千百十]+", rest[number.end() :])
        for character in unit[0] if unit else "":
            value *= _LARGE.get(character) or _SMALL[character]
        total += value
        rest = rest[number.end() + (unit.end() if unit else 0) :]
    return total


def _grouped(text: str, language: str) -> Decimal | None:
    """Return digits with separators as a number; what a lone separator means depends on the language."""
    bare = re.sub(r"[ '’\u00a0\u202f]", "", text.replace("−", "-")).rstrip(".,")
    marks = [character for character in bare if character in ".,"]
    if len(set(marks)) == 2:
        decimal = marks[-1]
    elif len(marks) > 1:
        decimal = ""
    elif marks:
        is_comma = _COMMA_DECIMAL.match(language) is not None
        tail = len(bare) - bare.index(marks[0]) - 1
        grouping = "." if is_comma else ","
        decimal = "" if marks[0] == grouping and tail == 3 else marks[0]
    else:
        decimal = ""
    other = "".join({".", ","} - {decimal})
    bare = re.sub(f"[{re.escape(other)}]", "", bare).replace(decimal or "\0", ".")
    try:
        return Decimal(bare)
    except InvalidOperation:
        return None


def plain(value: Decimal) -> str:
    """Return a decimal number without exponent and without zeros behind the point."""
    text = format(value.normalize(), "f")
    return "0" if text == "-0" else text


def _leading_number(text: str, language: str) -> tuple[Decimal, str] | None:
    """Return the number that a folded text begins with, and what comes behind it."""
    for pattern, read in _READERS:
        if found := pattern.match(text):
            value = read(found[0], language)
            if value is not None:
                return _scaled(value, text[found.end() :])
    return None


def _scaled(value: Decimal, rest: str) -> tuple[Decimal, str]:
    word = re.match(r"\s*([^\W\d_]+)\.?", rest)
    if word and word[1] in _SCALE:
        return value * _SCALE[word[1]], rest[word.end() :].strip()
    return value, rest.strip()


def _of_kanji(text: str, _: str) -> Decimal | None:
    value = kanji_number(text)
    return None if value is None else Decimal(value)


_READERS: tuple[tuple[re.Pattern[str], Callable[[str, str], Decimal | None]], ...] = (
    (_MIXED, lambda text, _: _mixed_number(text)),
    (_PLAIN, _grouped),
    (_KANJI, _of_kanji),
)
_COUNTERS = re.compile("[人名個冊本枚台件校社語年歳口]|inhabitants|people|persons|einwohner|habitants|habitantes")


def number(text: str, language: str) -> str | None:
    """Return a number in decimal digits, None where the text is no number (a counter may follow it)."""
    folded = _ascii_digits(fold(without_note(text)))
    found = _leading_number(folded.removeprefix("約").removeprefix("approx. ").strip(), language)
    if found is None or (found[1] and not _COUNTERS.fullmatch(found[1])):
        return None
    return plain(found[0])


def _ascii_digits(text: str) -> str:
    """Return text with the decimal digits of every script as 0-9."""
    if text.isascii():
        return text
    return "".join(str(unicodedata.decimal(c)) if not c.isascii() and c.isdecimal() else c for c in text)


# Quantities.


@cache
def _units() -> dict[str, tuple[str, str]]:
    """Return unit, as folded text has it -> (base unit of its kind, how many of these it is)."""
    lines = files(__package__).joinpath("units.tsv").read_text("utf-8").splitlines()[1:]
    return {unit: (base, factor) for unit, base, factor in (line.split("\t") for line in lines)}


def quantity(text: str, language: str) -> str | None:
    """Return a number with its unit, in the base unit of its kind; None where either is missing or not known."""
    found = _leading_number(_ascii_digits(fold(without_note(text))).strip(), language)
    if found is None:
        return None
    unit = _units().get(found[1].rstrip("."))
    return None if unit is None else f"{plain(found[0] * Decimal(unit[1]))} {unit[0]}"


# Dates.

_MONTHS: dict[str, int] = {}
for _names in (
    "january february march april may june july august september october november december",
    "jan feb mar apr may jun jul aug sep oct nov dec",
    "januar februar märz april mai juni juli august september oktober november dezember",
    "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "jänner feber märz april mai juni juli aug sept okt nov dez",
):
    _MONTHS |= {name: at for at, name in enumerate(_names.split(), 1)}
_ERAS = {"明治": 1867, "大正": 1911, "昭和": 1925, "平成": 1988, "令和": 2018}
_MONTH = "|".join(sorted(_MONTHS, key=len, reverse=True))
_FORMS = tuple(
    re.compile(pattern)
    for pattern in (
        r"(?P<y>\d{4})-(?P<m>\d{1,2})-(?P<d>\d{1,2})(?:t.*)?",
        r"(?P<y>\d{4})-(?P<m>\d{2})",
        r"(?P<y>\d{4})/(?P<m>\d{1,2})/(?P<d>\d{1,2})",
        r"(?P<y>\d{4})(?:年)?(?: ?\([^)]*\))?",
        r"(?P<y>\d{4}) ?年(?: ?\([^)]*\))? ?(?P<m>\d{1,2}) ?月(?: ?(?P<d>\d{1,2}) ?日)?",
        r"(?P<era>明治|大正|昭和|平成|令和) ?(?P<e>元|\d{1,2}) ?年(?: ?(?P<m>\d{1,2}) ?月(?: ?(?P<d>\d{1,2}) ?日)?)?",
        rf"(?P<d>\d{{1,2}})(?:st|nd|rd|th|er|\.)?(?: de| of)? (?P<n>{_MONTH})\.?,?(?: de[l]?)? (?P<y>\d{{4}})",
        rf"(?P<n>{_MONTH})\.? (?P<d>\d{{1,2}})(?:st|nd|rd|th)?,? (?P<y>\d{{4}})",
        rf"(?P<n>{_MONTH})\.?,?(?: de| of)? (?P<y>\d{{4}})",
    )
)


def date_of(text: str) -> str | None:
    """Return a date in ISO 8601 as precise as the text gives it (day, month or year); None for anything else.

    Read are ISO dates, day-month-year with the month's name in en, de, fr, es, and ja and zh dates with Japanese eras.
    All-numeric forms whose order is not certain (07/11/1867) are not read.
    """
    folded = _ascii_digits(fold(without_note(text))).strip(" .,;")
    folded = _KANJI.sub(lambda found: str(kanji_number(found[0])), folded) if "年" in folded else folded
    for form in _FORMS:
        if found := form.fullmatch(folded):
            return _iso(found.groupdict())
    return None


def _iso(parts: dict[str, str | None]) -> str | None:
    if era := parts.get("era"):
        year = _ERAS[era] + (1 if parts["e"] == "元" else int(parts["e"] or 0))
    else:
        year = int(parts["y"] or 0)
    month = _MONTHS[parts["n"] or ""] if parts.get("n") else int(parts.get("m") or 0)
    day = int(parts.get("d") or 0)
    try:
        date(year, month or 1, day or 1)
    except ValueError:
        return None
    return f"{year:04d}" + (f"-{month:02d}" if month else "") + (f"-{day:02d}" if day else "")


def normalise(value: str, kind: str, language: str) -> str | None:
    """Return the value's normal form; None where it is none of that kind (date, number, quantity, entity, text)."""
    if kind == "date":
        return date_of(value)
    if kind == "number":
        return number(value, language)
    if kind == "quantity":
        return quantity(value, language)
    return name_key(without_note(value)) or None


def agrees(one: str, other: str, kind: str) -> bool:
    """Say whether two normal forms can both be true: equal, or dates of which one is the less precise."""
    if kind == "date":
        return one == other or one.startswith(f"{other}-") or other.startswith(f"{one}-")
    return one == other
