"""What a passage talks about, as far as it can be told without a model: names, technical terms, quoted words, years.

A term is a literal piece of the text. What counts as one depends on the script: in Latin scripts capitals in the
middle of a sentence, in others a run of Latin letters, in Japanese runs of katakana and long compounds as well.
Nothing here splits words: Japanese and Chinese runs are taken whole, between characters of other kinds.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, lru_cache

from filters.instruct.leak import squeeze
from filters.instruct.words import EVERY, patterns, plain

CODE, CAPITALS, NAME, NOUN, QUOTED, RUN, PATH, YEAR, NUMBER = (
    "code", "capitals", "name", "noun", "quoted", "run", "path", "year", "number",
)  # fmt: skip
TOPICS = frozenset((CODE, CAPITALS, NAME, NOUN, QUOTED, RUN, PATH))

_LATIN_LANGUAGES = frozenset((
    "en", "de", "fr", "es", "it", "pt", "ca", "nl", "sv", "da", "no", "nb", "nn", "ro", "pl", "cs", "hr", "id", "tr",
    "vi",
))  # fmt: skip
_WITHOUT_SPACES = frozenset(("ja", "zh", "yue", "th", "lo", "km", "my", "ko"))  # Korean: particles behind a name

_PATH = (
    r"(?P<path>(?<![\w/.:~>-])(?>(?:/[A-Za-z0-9_+-]+(?:\.[A-Za-z0-9_+-]+)*){2,}/?)"
    r"(?![A-Za-z0-9_*<?({%$])(?!\.\w))"
)
_CODE = (
    r"(?P<code>(?<![A-Za-z0-9_/.@:<$%-])(?:[A-Za-z][A-Za-z0-9]*_[A-Za-z0-9_]*[A-Za-z0-9]|[A-Z][a-z]+(?:[A-Z][a-z]+)+[A-Z]*"
    r"|[a-z][a-z0-9]+\.(?:conf|cfg|html|txt|xml|log|py|sh|list))(?![A-Za-z0-9_@-])(?!\.[A-Za-z0-9]))"
)
_CAPITALS = (
    r"(?P<capitals>(?<![A-Za-z0-9_/.@:<$%-])(?<![A-Z]{2} )[A-Z][A-Z0-9]{2,9}(?:[-/][A-Z0-9]+)*(?![A-Za-z0-9_@/-])"
    r"(?!\.[A-Za-z0-9])(?! [A-Z]{2}))"
)
_YEAR = (
    r"(?P<year>(?<![\d.,:/#A-Za-z_-])(?:1[5-9]\d\d|20[0-4]\d)(?![\dA-Za-z/:_-])(?![.,]\d)"
    r"(?! ?(?:[MGTk]i?B|bytes|px|port)))"
)
_QUOTED = (
    r"(?P<quoted>“[^“”\n]{3,40}”|„[^„“”\n]{3,40}[“”]|«\s?[^«»\n]{3,40}\s?»|「[^「」\n]{2,24}」|『[^『』\n]{2,24}』)"
)
_NAME = (
    r"(?P<name>(?<![.!?:;…\n\"“„«(]\s)(?<![\w/.@:<$%“„«\"(-])(?<=\s)"
    r"[A-ZÀ-ÖØ-Þ][\w’]{2,24}(?:[ -][A-ZÀ-ÖØ-Þ][\w’]{1,24}){0,3}(?![\w@/-])(?!\.\w))"
)
_ENGLISH_NAME = _NAME.replace("(?:[ -][A-Z", "(?:(?:[ -]| of (?:the )?)[A-Z")  # Gulf of Mexico
_NOUN = r"(?P<noun>(?<![.!?:;…\n\"“„«(]\s)(?<=[a-zäöüß,] )[A-ZÄÖÜ][a-zäöüß]{11,30}(?:-[A-ZÄÖÜ][a-zäöüß]+)?(?=[ ,.;:)]))"
_LATIN_RUN = (
    r"(?P<name>(?<![A-Za-z0-9/.@:<$%_&-])(?<![A-Za-z0-9][ \u00a0])[A-Za-z][A-Za-z0-9+_-]{2,24}"
    r"(?:[ \u00a0][A-Z][A-Za-z0-9+_-]{1,24}){0,2}(?<![_-])"
    r"(?![A-Za-z0-9@/_-])(?!\.[A-Za-z0-9])(?![ \u00a0][A-Za-z0-9]))"
)
_JAPANESE_RUN = (
    r"(?P<run>(?<![ァ-ヶー一-龯々])(?:[一-龯々]{0,4}[ァ-ヶ][ァ-ヶー]{3,}[一-龯々]{0,4}|[一-龯々]{4,6})"
    r"(?![ァ-ヶー一-龯々きぎくぐけげちぢっつびぶべみむめりるれいえう]))"
)  # no word goes on with what a verb ends in: 非同期書|き込み
_NUMBER = re.compile(
    r"(?<![\w.,:/#^-])\d{1,3}(?:[.,]\d+)?(?![\w/:-])(?![.,]\d)|(?<![\w.,:/#-])\d{1,4}(?= ?[kKMGT]i?B\b)"
)

_LISTED = re.compile(r"^\s*\d+(?:\.(?:\s|$)|[)）、．])", re.M)  # the number of an item
_MARKED = re.compile(r"[\[(（［]\d+[\])）］]|(?:^|\s)\d+\)(?=\s)")  # of a footnote or a manual's section
_JOINED = r"(?:of(?: the)?|de|du|des|del|della|di|do|da|von|van|der)"
_BEFORE_PART = re.compile(rf"[A-Z][\w’]+ {_JOINED} $")
_BEHIND_PART = re.compile(rf" {_JOINED} [A-Z]")
_BEHIND_ADJECTIVE = re.compile(
    r" (?!(?:an?|and|are|as|at|be|but|by|can|does|for|from|had|has|have|in|into|is|nor|not|of|on|or|since|than|that|the"
    r"|to|until|was|were|when|where|which|while|who|will|with|would)\b)[a-z]"
)

_QUOTES = "“”„«»「」『』 \u00a0\u202f"
_BAD_RUN = re.compile(
    r"^[各全本当同前次毎約数第他両以上下左右新旧一二三四五六七八九十幾何訳]|[的性時際後前中上下等内外間向無分別毎済付込用他目側全]$"
    r"|以外|場合|必要|可能|自分|最初|最後|実際|基本|訳注|参照|現在|今回|一度|過去|通常"
)
_DEMONYM = patterns("demonym")
_RUN_TOGETHER = patterns("together")[EVERY]  # the last part of what looks like a name: two sentences, a space lost


@dataclass(frozen=True)
class Term:
    """A term at [start, end) of the text that was searched."""

    kind: str
    start: int
    end: int
    text: str

    @property
    def key(self) -> str:
        """Return the form by which terms are compared."""
        return squeeze(self.text)


@cache
def _pattern(language: str) -> re.Pattern[str]:
    parts = [_PATH, _QUOTED, _YEAR, _CODE, _CAPITALS]
    if language in _LATIN_LANGUAGES:
        parts += [{"de": _NOUN, "en": _ENGLISH_NAME}.get(language, _NAME)]
    else:
        parts += [_LATIN_RUN]
    if language == "ja":
        parts += [_JAPANESE_RUN]
    return re.compile("|".join(parts))


@lru_cache(1 << 10)
def terms(text: str, language: str) -> tuple[Term, ...]:
    """Return the terms of a text in order, without those that would make no topic."""
    return tuple(_terms(text, language))


def _terms(text: str, language: str) -> Iterator[Term]:
    for match in _pattern(language).finditer(text):
        kind = match.lastgroup or ""
        start, end = match.span()
        if kind == QUOTED:
            while start < end and text[start] in _QUOTES:
                start += 1
            while end > start and text[end - 1] in _QUOTES:
                end -= 1
        found = text[start:end]
        if kind not in (QUOTED, YEAR) and language not in _WITHOUT_SPACES and _is_glued(text, start, end):
            continue
        if kind == NAME and language in _LATIN_LANGUAGES and _is_part(text, start, end, language):
            continue
        if _fits(found, kind, language) and (kind != YEAR or _is_year(text, start, end, language)):
            yield Term(kind, start, end, found)


def _is_glued(text: str, start: int, end: int) -> bool:
    """Say whether a letter of another script stands at one of the ends: then it is half of a word."""
    return text[start - 1 : start].isalnum() or text[end : end + 1].isalnum()


def _is_part(text: str, start: int, end: int, language: str) -> bool:
    """Say whether a name is a piece of a longer one (Gulf of | Mexico), or an adjective before its noun."""
    if _BEHIND_PART.match(text, end) or _BEFORE_PART.search(text[max(0, start - 40) : start]):
        return True
    adjective = _DEMONYM.get(language)
    is_one = adjective is not None and adjective.fullmatch(text, start, end) is not None
    return is_one and _BEHIND_ADJECTIVE.match(text, end) is not None


def _fits(found: str, kind: str, language: str) -> bool:
    if len(found) < (2 if kind in (QUOTED, RUN) else 3):
        return False
    if kind == QUOTED:
        is_word = found.isascii() and found.isalpha() and found.islower()  # one small word: seldom a thing
        return not is_word and not re.search(r"[.!?。！？:;]$|[\\<>{}|=]", found) and any(c.isalpha() for c in found)
    if kind == CAPITALS and len(found) == 3 and not found.isalpha():
        return False
    if kind == CODE and _RUN_TOGETHER.search(found):
        return False
    if kind == RUN:
        katakana = any("ァ" <= sign <= "ヶ" for sign in found)
        return (
            not _BAD_RUN.search(found) and found not in plain("common", language) and (not katakana or len(found) >= 6)
        )
    return found.partition(" ")[0] not in plain("common", language)


_OF_YEAR = {"ja": "年", "zh": "年", "yue": "年", "ko": "년", "ru": "г"}  # what stands behind a year
_BEFORE_YEAR = patterns("year", before=r"(?:^|[\s(])(?:", behind=r")$")


def _is_year(text: str, start: int, end: int, language: str) -> bool:
    """Say whether four digits are a year: behind them 年 or the like, or before them "in", "since" or a month."""
    if language in _OF_YEAR and text[end : end + 2].lstrip()[:1] == _OF_YEAR[language]:
        return True
    before = _BEFORE_YEAR.get(language)
    return before is not None and before.search(text[max(0, start - 24) : start].rstrip()) is not None


_ENGLISH = re.compile(r"\b(?:the|of|and|to|which|this|that|with|are|from|you|it|has|have|on|by|be)\b")
_LATIN_LETTERS = re.compile("[A-Za-z]")
_LETTERS_OF = {
    language: re.compile(letters)
    for language, letters in (("ja", "[ぁ-ヿ一-鿿]"), ("zh", "[一-鿿]"), ("ko", "[가-힣]"), ("ru", "[а-яё]"))
}
_MIN_OWN = 5  # Latin letters for each of the language's own, at most: more is a sentence nobody translated


def is_untranslated(said: str, language: str) -> bool:
    """Say whether a sentence is English in a document of another language: manuals are seldom translated to the end."""
    if own := _LETTERS_OF.get(language):
        return len(_LATIN_LETTERS.findall(said)) > _MIN_OWN * len(own.findall(said))
    return language != "en" and " the " in said.lower() and len(_ENGLISH.findall(said.lower())) > 3


def numbers(text: str) -> list[Term]:
    """Return the plain numbers of a text that stand for an amount; years and those of items and notes left out."""
    barred = [found.span() for mark in (_LISTED, _MARKED) for found in mark.finditer(text)]
    return [
        Term(NUMBER, m.start(), m.end(), m.group())
        for m in _NUMBER.finditer(text)
        if not any(start <= m.start() and m.end() <= end for start, end in barred)
    ]
