"""Names and quotations in a text, without a model: what a reader would look up in the source.

Where a script has capitals, a name is a run of capitalised words; the first word of a sentence counts only where it is
followed by another, has capitals inside, or the whole is no sentence (a short answer). In Japanese and Chinese it is a
run of katakana or of kanji; in scripts without either (Arabic, Devanagari, Thai, Hangul) every longer word is one.
This is more than names: German nouns and kanji compounds are among them. For text that was taken over literally that
makes the check stricter; a paraphrase it may refuse wrongly.
"""

import re
import unicodedata
from functools import lru_cache

from filters.instruct_audit.numbers import SIGNS

_QUOTE_MARKS = '"“”„‟«»〝〞'
_QUOTES = (
    re.compile(rf"[{_QUOTE_MARKS}]([^{_QUOTE_MARKS}\n]{{0,400}})[{_QUOTE_MARKS}]"),  # people mix them: “so“, „so"
    re.compile(r"「([^「」\n]{0,400})」"),
    re.compile(r"『([^『』\n]{0,400})』"),
)
_INVISIBLE = dict.fromkeys(map(ord, "\u200b\u2060\ufeff\u00ad"))
_CAPITAL = r"[A-ZÀ-ÖØ-ÞĀ-ɏΆ-ΫЀ-Я]"
_WORD = re.compile(r"[^\W_]+(?:['’.&-][^\W_]+)*")
_HAN = r"\u3400-\u9fff\uf900-\ufaff々〆ヶ"
_EAST = re.compile(rf"[\u30a1-\u30faー・]{{2,}}|[{_HAN}]{{2,}}")
_UNSPACED = re.compile(r"[\u0e00-\u0e7f]{3,}")
_UNCASED = re.compile(r"[\u0590-\u06ff\u0750-\u077f\u0900-\u0dff\u10a0-\u10ff\uac00-\ud7af\u200c\u200d]{4,}")
_SENTENCE_END = re.compile(r"[.!?…:;。！？\n]\W*\Z")
_PARTICLES = re.compile(r"(?:은|는|이|가|을|를|의|에|도|와|과|로|으로|에서|이다|입니다)\Z")
_HAN_SPLIT = re.compile(r"[的了在是和与及或等为以于之其也不有这那]")
GAP = "\ufffc"  # stands where something was taken out: what it stands in is not looked up
SHORT_ANSWER_WORDS = 6
SHORT_ANSWER_CHARACTERS = 60


@lru_cache(maxsize=4096)
def folded(text: str) -> str:
    """Return a text for comparison: NFKC, small letters, white space as single spaces, quotation marks alike."""
    normal = unicodedata.normalize("NFKC", text.translate(SIGNS).translate(_INVISIBLE)).casefold()
    return " ".join(re.sub(r"[“”„‟«»]", '"', re.sub("[‘’‚‛]", "'", normal)).split())


def quotations(text: str) -> list[str]:
    """Return what stands in quotation marks, without them; at least two characters."""
    found = [quote for pattern in _QUOTES for quote in pattern.findall(text)]
    return [quote for quote in found if len(quote) > 1 and GAP not in quote]


def names(text: str, language: str) -> list[str]:
    """Return what looks like a name, as it stands, in order; see above."""
    found = [name for run in _cased_runs(text) for name in run]
    east = [match[0].strip("・") for match in _EAST.finditer(text)]
    if language in ("zh", "yue", "wuu"):
        east = [piece for name in east for piece in _HAN_SPLIT.split(name) if len(piece) > 1]
    found += [name for name in east if len(name) > 1]
    found += [match[0] for match in _UNSPACED.finditer(text)]
    found += [_PARTICLES.sub("", match[0]) for match in _UNCASED.finditer(text)]
    return [name for name in found if len(name) > 1]


def is_short_answer(text: str) -> bool:
    """Tell whether a text is a phrase and no sentence."""
    phrase = text.strip()
    few = len(_WORD.findall(phrase)) <= SHORT_ANSWER_WORDS and len(phrase) <= SHORT_ANSWER_CHARACTERS
    return few and not _SENTENCE_END.search(phrase)


def _cased_runs(text: str) -> list[list[str]]:
    words = [match for match in _WORD.finditer(text) if not match[0].isdigit()]
    is_answer = is_short_answer(text)
    runs: list[list[str]] = []
    for place, match in enumerate(words):
        if not _is_name(match[0]):
            continue
        is_first = place == 0 or bool(_SENTENCE_END.search(text[words[place - 1].start() : match.start()]))
        follows = place + 1 < len(words) and _is_name(words[place + 1][0])
        if not is_first or is_answer or follows or _has_inner(match[0]):
            runs.append([match[0]])
    return runs


def _is_name(word: str) -> bool:
    if re.match(_CAPITAL, word):
        return True
    return any(map(str.isdigit, word)) and any(map(str.isalpha, word)) and all(map(_is_cased, word))


def _has_inner(word: str) -> bool:
    return any(character.isupper() or character.isdigit() for character in word[1:])


def stands_in(name: str, text: str) -> bool:
    """Tell whether a name stands in a text (both folded) as whole words, where its script has words with spaces."""
    place = text.find(name)
    while place >= 0:
        before, after = text[place - 1 : place], text[place + len(name) : place + len(name) + 1]
        if not (_joins(before, name[0]) or _joins(name[-1], after)):
            return True
        place = text.find(name, place + 1)
    return False


def _joins(left: str, right: str) -> bool:
    """Tell whether two characters belong to one word of a script with capitals or of India, or to one katakana run."""
    if not left or not right:
        return False
    return any(rule(left) and rule(right) for rule in (_is_lettered, _is_katakana, _is_indic))


def _is_lettered(character: str) -> bool:
    return character.isalnum() and _is_cased(character)


def _is_katakana(character: str) -> bool:
    return "ァ" <= character <= "ヺ" or character == "ー"


def _is_indic(character: str) -> bool:
    return "\u0900" <= character <= "\u0dff" and character not in "।॥"


def _is_cased(character: str) -> bool:
    return character.isdigit() or character.lower() != character.upper()
