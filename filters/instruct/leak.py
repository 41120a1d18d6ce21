"""Does a text give something away? The filter that every hedge must pass.

What is compared is squeezed: NFKC and case-folded, without white space, hyphens and quotation marks, kanji numerals and
grouped digits as plain ones. Nothing is split into words, so the filter is the same in every script, and it errs on the
side of finding a leak.
"""

import re
import unicodedata
from functools import lru_cache

from filters.instruct.normal import kanji_number

_SILENT = re.compile(r"[\s\u200b-\u200f\u2060\ufeff\-‐-―_'’‘`´\"“”„«»「」『』・·]+")
_KANJI_NUMBER = re.compile(
    r"[〇零一二三四五六七八九十百千万億兆]{1,12}(?=[年月日時分秒人個台本回枚件円歳世階種番号度倍巻社])"
)
_SEPARATED = re.compile(r"(?<=\d)[,.'’\u00a0\u202f\u2009 ](?=\d{3}(?!\d))")
MIN_PART = 4  # letters of a part of a compound name that may not occur either


@lru_cache(1 << 12)
def squeeze(text: str) -> str:
    """Return the form in which texts are compared."""
    plain = unicodedata.normalize("NFKC", text)
    if not plain.isascii():
        plain = _KANJI_NUMBER.sub(_digits, plain)
    return _SILENT.sub("", _SEPARATED.sub("", plain).casefold())


def _digits(found: re.Match[str]) -> str:
    value = kanji_number(found.group())
    return found.group() if value is None else str(value)


def mentions(name: str, text: str) -> bool:
    """Say whether a text mentions a name, in whatever case, width, spacing and numerals."""
    return squeeze(name) in squeeze(text)


def gives_away(name: str, text: str) -> bool:
    """Say whether a text mentions a name or one of its longer parts (`Policy` of `Debian Policy`)."""
    squeezed = squeeze(text)
    return any(part in squeezed for part in parts(name))


@lru_cache(1 << 14)
def parts(name: str) -> tuple[str, ...]:
    """Return a name and its longer parts, squeezed."""
    pieces = [squeeze(piece) for piece in re.split(r"[\s/_.-]+|(?<=[a-z])(?=[A-Z])", name)]
    whole = squeeze(name)
    return (whole, *(piece for piece in pieces if len(piece) >= MIN_PART and piece != whole))
