"""Dates in the ways that people write them, as (year, month, day); 0 where a date does not say.

"7 November 1867", "November 7, 1867", "7. November 1867", "7 de noviembre de 1867", "7 ноября 1867 г.",
"1867年11月7日", "昭和39年10月10日", "1867-11-07" and "7.11.1867" are read; "3/4/2020" is two dates, and one must do.
"""

import re
from typing import NamedTuple

from filters.instruct_audit.numbers import plain, values

Date = tuple[int, int, int]

_MONTHS = {
    "en": "january february march april may june july august september october november december",
    "de": "januar februar märz april mai juni juli august september oktober november dezember",
    "fr": "janvier février mars avril mai juin juillet août septembre octobre novembre décembre",
    "es": "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre",
    "it": "gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre",
    "pt": "janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro",
    "nl": "januari februari maart april mei juni juli augustus september oktober november december",
    "pl": "stycznia lutego marca kwietnia maja czerwca lipca sierpnia września października listopada grudnia",
    "cs": "ledna února března dubna května června července srpna září října listopadu prosince",
    "ru": "января февраля марта апреля мая июня июля августа сентября октября ноября декабря",
    "ru nominative": "январь февраль март апрель май июнь июль август сентябрь октябрь ноябрь декабрь",
    "uk": "січня лютого березня квітня травня червня липня серпня вересня жовтня листопада грудня",
    "sv": "januari februari mars april maj juni juli augusti september oktober november december",
    "tr": "ocak şubat mart nisan mayıs haziran temmuz ağustos eylül ekim kasım aralık",
    "ar": "يناير فبراير مارس أبريل مايو يونيو يوليو أغسطس سبتمبر أكتوبر نوفمبر ديسمبر",
    "hi": "जनवरी फरवरी मार्च अप्रैल मई जून जुलाई अगस्त सितंबर अक्टूबर नवंबर दिसंबर",
}
MONTHS = {name: number for names in _MONTHS.values() for number, name in enumerate(names.split(), 1)}
_SHORT = {name[:3]: number for number, name in enumerate(_MONTHS["en"].split(), 1)} | {"sept": 9}
_NAMES = "|".join(sorted({*MONTHS, *_SHORT}, key=len, reverse=True))
_ERAS = {"明治": 1867, "大正": 1911, "昭和": 1925, "平成": 1988, "令和": 2018}
_KANJI = "〇一二三四五六七八九十"
_OF = r"(?:\.|,|\s|de|del|of|den)*"
_PATTERNS = (
    (re.compile(r"(?<![0-9])([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})(?![0-9])"), "ymd"),
    (re.compile(r"(?<![0-9])([0-9]{1,2})[./]([0-9]{1,2})[./]([0-9]{4})(?![0-9])"), "dmy or mdy"),
    (
        re.compile(
            rf"(明治|大正|昭和|平成|令和)?([0-9]{{1,4}}|元|[{_KANJI}]+)\s?[年년]"
            rf"(?:\s?([0-9]{{1,2}}|[{_KANJI}]+)\s?[月월](?:\s?([0-9]{{1,2}}|[{_KANJI}]+)\s?[日일])?)?"
        ),
        "era",
    ),
    (
        re.compile(rf"(?<![0-9])([0-9]{{1,2}})(?:st|nd|rd|th|er|º)?{_OF}({_NAMES})\b\.?{_OF}([0-9]{{4}})(?![0-9])"),
        "dMy",
    ),
    (re.compile(rf"\b({_NAMES})\.?\s([0-9]{{1,2}})(?:st|nd|rd|th)?,?\s([0-9]{{4}})(?![0-9])"), "Mdy"),
    (re.compile(rf"\b({_NAMES})\b\.?{_OF}([0-9]{{4}})(?![0-9])"), "My"),
    (re.compile(rf"(?<![0-9])([0-9]{{1,2}})(?:st|nd|rd|th|er|º)?{_OF}({_NAMES})\b"), "dM"),
)


class Found(NamedTuple):
    """A date and where it stands in the plain text; `readings` has one entry unless day and month can't be told."""

    start: int
    end: int
    readings: frozenset[Date]


def dates(text: str) -> list[Found]:
    """Return the dates of a text that `plain` gave, in order; no two overlap."""
    lowered = text.lower()
    if len(lowered) != len(text):  # a letter whose small form is longer: offsets would not hold
        lowered = "".join(character.lower() if len(character.lower()) == 1 else character for character in text)
    found: list[Found] = []
    for pattern, shape in _PATTERNS:
        for match in pattern.finditer(lowered):
            taken = any(match.start() < each.end and each.start < match.end() for each in found)
            readings = frozenset(date for date in _readings(shape, match.groups()) if _is_date(date))
            if readings and not taken:
                found.append(Found(match.start(), match.end(), readings))
    return sorted(found)


def agree(claimed: Date, stated: Date) -> bool:
    """Tell whether a stated date says all that is claimed; it may say more."""
    return all(c in (0, s) for c, s in zip(claimed, stated, strict=True))


def dates_of(text: str) -> list[Found]:
    """Return the dates of any text."""
    return dates(plain(text))


def _readings(shape: str, groups: tuple[str | None, ...]) -> list[Date]:
    parts = [group or "" for group in groups]
    match shape:
        case "ymd":
            return [(int(parts[0]), int(parts[1]), int(parts[2]))]
        case "dmy or mdy":
            a, b, year = map(int, parts)
            return [(year, b, a), (year, a, b)]
        case "era":
            return [_of_era(*parts)]
        case "dMy":
            return [(int(parts[2]), _month(parts[1]), int(parts[0]))]
        case "Mdy":
            return [(int(parts[2]), _month(parts[0]), int(parts[1]))]
        case "My":
            return [(int(parts[1]), _month(parts[0]), 0)]
        case _:
            return [(0, _month(parts[1]), int(parts[0]))]


def _of_era(era: str, year: str, month: str, day: str) -> Date:
    count = 1 if year == "元" else _whole(year)
    return (count + _ERAS.get(era, 0), _whole(month), _whole(day))


def _whole(digits: str) -> int:
    return int(next(iter(values(digits)), "0").split(".")[0]) if digits else 0


def _month(name: str) -> int:
    return MONTHS.get(name) or _SHORT[name]


def _is_date(date: Date) -> bool:
    return 0 <= date[1] <= 12 and 0 <= date[2] <= 31 and (date[0] >= 1 or date[1] > 0)
