"""Numbers in any script, as values that can be compared: "1,234", "1.234", "१२३४", "١٬٢٣٤" and "千二百三十四" are one.

A written number may be read in more ways than one ("1.234" is 1234 in Berlin and 1.234 in London); it has all those
values, and two numbers agree where they have one in common. Values are decimal strings without leading zeros.
"""

import re
import unicodedata
from functools import lru_cache

_POINTS = str.maketrans({"٫": ".", "٬": ",", "\u00a0": " ", "\u202f": " ", "\u2009": " ", "’": "'", "−": "-"})
SIGNS = dict.fromkeys(map(ord, "™℠®©"), " ")  # NFKC would glue TM to the word before it
_DIGITS = {kanji: value for value, kanji in enumerate("〇一二三四五六七八九")} | {"零": 0}
_SMALL = {"十": 10, "百": 100, "千": 1000}
_LARGE = {"万": 10**4, "萬": 10**4, "億": 10**8, "亿": 10**8, "兆": 10**12}
_KANJI = "〇零一二三四五六七八九十百千万萬億亿兆"
_BLOCK = r"[0-9]+(?:[.,'][0-9]+)*"
_UNITS = "十百千万萬億亿兆"
_NUMBER = re.compile(
    rf"{_BLOCK}[{_UNITS}](?:[{_KANJI}]|{_BLOCK})*"
    rf"|[0-9]{{1,3}}(?: [0-9]{{3}})+(?![0-9])(?:[.,][0-9]+)?|{_BLOCK}|[{_KANJI}]+"
)
_AFTER = "年月日時分秒人個本枚回件台円元歳岁つ番号号巻章節世位匹頭冊軒階度週間時"  # a counter makes a kanji a number
_SEPARATED = re.compile(r"[.,' ]")


@lru_cache(maxsize=4096)
def plain(text: str) -> str:
    """Return a text in NFKC with every script's digits as ASCII digits and its separators as ASCII ones."""
    folded = unicodedata.normalize("NFKC", text.translate(SIGNS)).translate(_POINTS)
    if folded.isascii():
        return folded
    return "".join(_ascii_digit(character) for character in folded)


def _ascii_digit(character: str) -> str:
    if character.isascii() or (value := unicodedata.decimal(character, None)) is None:
        return character
    return str(value)


def numbers(text: str) -> list[frozenset[str]]:
    """Return the values of every number of a text that `plain` gave, in order."""
    return [each for match in _tokens(text) if (each := values(match[0]))]


def without_numerals(text: str) -> str:
    """Return a plain text with blanks in place of numbers that have kanji in them: they are no names."""
    for match in _tokens(text):
        if not match[0].isascii():
            text = text[: match.start()] + " " * len(match[0]) + text[match.end() :]
    return text


def _tokens(text: str) -> list[re.Match[str]]:
    found = _NUMBER.finditer(text)
    return [each for each in found if each[0][0] not in _KANJI or _is_number(text, each.start(), each.end())]


def _is_number(text: str, start: int, end: int) -> bool:
    """Tell a kanji numeral from a word that has one in it (一般, 三重県, 十分): it has a counter, or digits on end."""
    token, before, after = text[start:end], text[start - 1 : start], text[end : end + 1]
    if before == "第" or (after and after in _AFTER):
        return not _is_word(token, after)
    return len(token) > 1 and sum(each in _DIGITS for each in token) > 1


def _is_word(token: str, after: str) -> bool:
    return (token, after) in {("十", "分"), ("一", "度"), ("一", "番"), ("一", "時"), ("万", "年"), ("一", "人")}


@lru_cache(maxsize=65536)
def values(token: str) -> frozenset[str]:
    """Return what one written number may mean, as decimal strings; nothing for what is none."""
    if not any(each in _KANJI for each in token):
        return _western(token)
    value = _kanji(token)
    return frozenset() if value is None else frozenset({value})


def _western(token: str) -> frozenset[str]:
    groups = _SEPARATED.split(token)
    if len(groups) == 1:
        return frozenset({_trimmed(token)})
    marks = _SEPARATED.findall(token)
    found = {token}  # a version, an address: as it stands
    if all(len(group) == 3 for group in groups[1:]) and len(groups[0]) <= 3 and len(set(marks)) == 1:
        found.add(_trimmed("".join(groups)))
    is_last_alone = len(marks) == 1 or (marks[-1] not in marks[:-1] and len(set(marks[:-1])) == 1)
    if marks[-1] in ".," and is_last_alone:
        found.add(_trimmed("".join(groups[:-1])) + _fraction(groups[-1]))
    return frozenset(found)


def _trimmed(digits: str) -> str:
    return digits.lstrip("0") or "0"


def _fraction(digits: str) -> str:
    return f".{digits.rstrip('0')}" if digits.strip("0") else ""


def _kanji(token: str) -> str | None:
    """Return the value of a numeral with kanji, plain or beside digits ("1億2,000万", "二千二十", "一九八五")."""
    if all(each in _DIGITS for each in token):
        return _trimmed("".join(str(_DIGITS[each]) for each in token))
    total = section = 0.0
    current: float | None = None
    for part in re.findall(rf"[0-9][0-9.,]*|[{_KANJI}]", token):
        if part in _SMALL:
            section += _SMALL[part] * (1 if current is None else current)
            current = None
        elif part in _LARGE:
            whole = section + (current or 0)
            total += _LARGE[part] * (whole or 1)
            section, current = 0.0, None
        else:
            digit = _DIGITS[part] if part in _DIGITS else _decimal(part)
            current = digit if current is None or part not in _DIGITS else current * 10 + digit
    return _as_decimal(total + section + (current or 0))


def _decimal(digits: str) -> float:
    text = digits.rstrip(".,").replace(",", "")
    return float(text) if text.count(".") <= 1 else float(text.replace(".", ""))


def _as_decimal(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(value)
