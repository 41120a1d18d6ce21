"""Claims made false by one literal: what a checker must refuse. It shares no pattern with the checker.

Each kind changes one place, drawn by a hash: a digit of a number (or a kanji numeral), the day or the year of a date, a
name (for one of another claim), a word of a quotation. What then stands in the premise by chance is not used.
"""

import hashlib
import re
import unicodedata
from collections.abc import Sequence

SHORTEST_QUOTE = 6  # characters of one that is changed
KINDS = ("number", "date", "entity", "quote")
_DIGITS = re.compile(r"[0-9०-९٠-٩۰-۹０-９]+|(?<=第)[一二三四五六七八九]|[一二三四五六七八九](?=[年月日億百千])")
_MONTHS = (  # of seven languages, in the cases that stand before a year
    "[Jj]anuary?|[Ff]ebruary?|[Mm]arch|[Mm]arço|[Aa]pril|[Mm]a[iy]|[Mm]aio|[Jj]une|[Jj]uly|[Jj]un[io]|[Jj]ul[io]|[Jj]unho|[Jj]ulho"
    "|[Aa]ugust|[Ss]eptember|[Oo][ck]tober|[Nn]ovember|[Dd]e[cz]ember|März|janvier|février|mars|avril|juin|juillet|août"
    "|septembre|octobre|novembre|décembre|enero|febrero|marzo|abril|mayo|junio|julio|agosto|septiembre|octubre|noviembre"
    "|diciembre|gennaio|febbraio|aprile|maggio|giugno|luglio|settembre|ottobre|dicembre|janeiro|fevereiro|setembro|outubro"
    "|novembro|dezembro|январ[яье]|феврал[яье]|март[ае]?|апрел[яье]|ма[яйе]|июн[яье]|июл[яье]|август[ае]?|сентябр[яье]"
    "|октябр[яье]|ноябр[яье]|декабр[яье]"
)
_DATE = re.compile(
    r"[0-9０-９]{4}\s?年(?:\s?[0-9０-９]{1,2}\s?月(?:\s?[0-9０-９]{1,2}\s?日)?)?|[0-9]{4}-[0-9]{2}-[0-9]{2}"
    r"|[0-9]{1,2}(?:st|nd|rd|th)?\.?\s(?:de\s)?[^\W\d_]{3,10}\.?,?\s(?:de\s)?(?:1[0-9]{3}|20[0-9]{2})(?![0-9])"
    r"|[A-Z][a-z]{2,8}\s[0-9]{1,2},\s[0-9]{4}"
    rf"|(?<![^\W\d_])(?:{_MONTHS})\.?,?\s(?:del?\s)?(?:1[0-9]{{3}}|20[0-9]{{2}})(?![0-9])"
)
_QUOTE = re.compile(  # in pairs: »German« marks are French ones the other way round
    r"(?:“(?=[^“”\n]{1,200}”)|„(?=[^„“”\n]{1,200}[“”])|«(?=[^«»\n]{1,200}»)|»(?=[^«»\n]{1,200}«)|「(?=[^「」\n]{1,200}」)"
    r"|『(?=[^『』\n]{1,200}』)|\"(?=[^\"\n]{1,200}\"))([^“”„«»「」『』\"\n]{1,200})[”“»«」』\"]"
)
_NAME = {  # of scripts and languages in which it is another than in Latin
    "ja": re.compile(r"[\u30a1-\u30faー]{3,}|[\u4e00-\u9fff]{2,4}(?=[はがをにのとで、])"),
    "ru": re.compile(r"(?<=[а-яё,] )(?:[А-ЯЁ][а-яё]{3,}|[A-Z][a-z]{3,})"),
}
_LATIN_NAME = re.compile(r"(?<=[a-zà-ÿß,] )[A-ZÀ-ÖØ-Þ][a-zà-öø-ÿß]{3,}")
_KANJI = "一二三四五六七八九"


def draw(*parts: object) -> int:
    """Return a number that depends on the parts only."""
    joined = "\x1f".join(map(str, parts)).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(joined, digest_size=8).digest(), "big")


def corrupted(claim: str, kind: str, language: str, premise: str, others: Sequence[str] = ()) -> str | None:
    """Return the claim with one literal changed, None where it has none of that kind or no change is false.

    `others`: other claims of the language, to take names from.
    """
    match kind:
        case "number":
            return _number(claim, premise)
        case "date":
            return _date(claim, premise)
        case "entity":
            return _entity(claim, language, premise, others)
        case _:
            return _quote(claim, premise)


def _changed_digit(digits: str, salt: object) -> str:
    """Return digits with one of them changed, never to a leading zero."""
    place = draw(digits, salt) % len(digits)
    old = digits[place]
    if old in _KANJI:
        new = _KANJI[(_KANJI.index(old) + 1 + draw(salt, old) % 8) % 9]
    else:
        zero = ord(old) - unicodedata.decimal(old)
        shift = 1 + draw(salt, place, old) % 8
        value = (unicodedata.decimal(old) + shift) % 10
        new = chr(zero + (value or 9 if unicodedata.decimal(old) != 9 else value or 5))
    return digits[:place] + new + digits[place + 1 :]


def _number(claim: str, premise: str) -> str | None:
    found = [each for each in _DIGITS.finditer(claim) if each[0] not in ("0", "1")]
    for turn in range(min(len(found), 4)):
        match = found[(draw(claim, "number") + turn) % len(found)]
        new = _changed_digit(match[0], claim)
        if new != match[0] and not _stands(new, premise):
            return claim[: match.start()] + new + claim[match.end() :]
    return None


def _stands(digits: str, premise: str) -> bool:
    """Tell whether a number stands in a text in any script's digits, with or without separators."""
    western = "".join(str(unicodedata.decimal(each, each)) for each in premise)
    wanted = "".join(str(unicodedata.decimal(each, each)) for each in digits)
    return wanted in western or wanted in re.sub(r"(?<=\d)[., '’\u00a0\u202f](?=\d)", "", western)


def _date(claim: str, premise: str) -> str | None:
    match = _DATE.search(claim)
    if match is None:
        return None
    parts = list(re.finditer(r"[0-9０-９]{4}", match[0]))
    year = parts[draw(claim) % len(parts)]
    value = int(year[0]) + 1 + draw(claim, "year") % 7
    new = match[0][: year.start()] + str(value) + match[0][year.end() :]
    if str(value) in unicodedata.normalize("NFKC", premise):
        return None
    return claim[: match.start()] + new + claim[match.end() :]


def _entity(claim: str, language: str, premise: str, others: Sequence[str]) -> str | None:
    pattern = _NAME.get(language, _LATIN_NAME)
    match = next(iter(pattern.finditer(claim)), None)
    if match is None or not others:
        return None
    begin = draw(claim, "entity") % len(others)
    for turn in range(min(len(others), 40)):
        for name in map(str, pattern.findall(others[(begin + turn) % len(others)])):
            if name.casefold() not in premise.casefold() and name.casefold() not in claim.casefold():
                return claim[: match.start()] + name + claim[match.end() :]
    return None


def _quote(claim: str, premise: str) -> str | None:
    match = next((each for each in _QUOTE.finditer(claim) if len(each[1]) >= SHORTEST_QUOTE), None)
    if match is None:
        return None
    inside = match[1]
    words = inside.split()
    if len(words) >= 3:
        place = draw(claim, "quote") % (len(words) - 1)
        words[place : place + 2] = [words[place + 1], words[place]]
        new = " ".join(words)
    else:
        letters = [at for at, sign in enumerate(inside[:-1]) if not sign.isspace()]  # without a space it is the same
        place = letters[draw(claim, "quote") % len(letters)]
        new = inside[:place] + inside[place + 1 :]
    if new == inside or new in premise:
        return None
    return claim[: match.start(1)] + new + claim[match.end(1) :]
