"""English strings that spaCy 3.8's tokenizer cuts, or leaves whole, against its other rules: "ca|n't", "Dr.", ":-)".

Written as their pieces with "|" between them. `make peers` compares the list with the installed package.
"""

from collections.abc import Iterable, Iterator
from functools import cache

_PRONOUNS = ("i", "you", "he", "she", "it", "we", "they")
_QUESTIONS = ("who", "what", "when", "where", "why", "how", "there")
_NEGATED = r"""
ca could do does did had may might must need ought sha should wo would
""".split()  # noqa: SIM905
_ONLY_NEGATED = ["ai", "are", "is", "was", "were", "have", "has", "dare"]
_MODALS = ["could", "might", "must", "should", "would"]
_WHOLE_WORDS = ["doin", "goin", "nothin", "nuthin", "ol", "somethin", "lovin", "havin"]
_NOT_CUT = r"""
Ill ill Its its Hell hell Shell shell Shed shed were Were Well well Whore whore
""".split()  # noqa: SIM905
_ABBREVIATIONS = r"""
Mt. Ak. Ala. Apr. Ariz. Ark. Aug. Calif. Colo. Conn. Dec. Del. Feb. Fla. Ga. Ia. Id. Ill. Ind. Jan. Jul. Jun.
Kan. Kans. Ky. La. Mar. Mass. Mich. Minn. Miss. N.C. N.D. N.H. N.J. N.M. N.Y. Neb. Nebr. Nev. Nov. Oct. Okla.
Ore. Pa. S.C. Sep. Sept. Tenn. Va. Wash. Wis. a.m. Adm. Bros. co. Co. Corp. D.C. Dr. e.g. E.g. E.G. Gen. Gov.
i.e. I.e. I.E. Inc. Jr. Ltd. Md. Messrs. Mo. Mont. Mr. Mrs. Ms. p.m. Ph.D. Prof. Rep. Rev. Sen. St. vs. v.s.
""".split()  # noqa: SIM905
_OTHERS = r"""
y'|all y|all how|'d|'y How|'d|'y not|'ve not|ve Not|'ve Not|ve can|not Can|not gon|na Gon|na got|ta Got|ta
let|'s Let|'s c'm|on C'm|on 'S 's ‘S ‘s and/or w/o 're 'Cause 'cause 'cos 'Cos 'coz 'Coz 'cuz 'Cuz 'bout ma'am
Ma'am o'clock O'clock 'd em 'em ll 'll nuff 'nuff C++ '' <space> \t \n \") ' — ä. ö. ü.
""".split()  # noqa: SIM905
_EMOTICONS = r"""
:) :-) :)) :-)) :))) :-))) (: (-: =) (= :] :-] [: [-: [= =] :o) (o: :} :-} 8) 8-) (-8 ;) ;-) (; (-; :( :-( :((
:-(( :((( :-((( ): )-: =( >:( :') :'-) :'( :'-( :/ :-/ =/ =| :| :-| ]= =[ :1 :P :-P :p :-p :O :-O :o :-o :0 :-0
:() >:o :* :-* :3 :-3 =3 :> :-> :X :-X :x :-x :D :-D ;D ;-D =D xD XD xDD XDD 8D 8-D ^_^ ^__^ ^___^ >.< >.> <.<
._. ;_; -_- -__- v.v V.V v_v V_V o_o o_O O_o O_O 0_o o_0 0_0 o.O O.o O.O o.o 0.0 o.0 0.o @_@ <3 <33 <333 </3
(^_^) (-_-) (._.) (>_<) (*_*) (¬_¬) ಠ_ಠ ಠ︵ಠ (ಠ_ಠ) ¯\(ツ)/¯ (╯°□°）╯︵┻━┻ ><(((*>
""".split()  # noqa: SIM905


def _both(words: Iterable[str], endings: str) -> Iterator[str]:
    """Yield each word, small and with a capital, with each ending, with its apostrophe and without."""
    for word in words:
        for start in (word, word.title()):
            for ending in endings.split():
                yield f"{start}|{ending}"
                yield f"{start}|{ending}".replace("'", "")


def _cut() -> Iterator[str]:
    yield from _both(("i",), "'m 'm|a")
    yield from _both(_PRONOUNS, "'ll 'll|'ve 'd 'd|'ve")
    yield from _both(("i", "you", "we", "they"), "'ve")
    yield from _both(("you", "we", "they"), "'re")
    yield from _both(("he", "she", "it", *_QUESTIONS, "that", "this"), "'s")
    yield from _both((*_QUESTIONS, "that", "this", "these", "those"), "'ll 'll|'ve 'd 'd|'ve")
    yield from _both((*_QUESTIONS, "these", "those"), "'re 've")
    yield from _both((*_NEGATED, *_ONLY_NEGATED), "n't")
    yield from _both(_NEGATED, "n't|'ve")
    yield from _both(_MODALS, "'ve")
    for word in _WHOLE_WORDS:
        for start in (word, word.title()):
            yield from (start, f"{start}'")
    yield from (f"{hour}|{half}{end}" for hour in range(1, 13) for half in "ap" for end in (".m.", "m"))
    yield from (f"°|{unit}|." for unit in "cfkCFK")
    yield from (f"{letter}." for letter in "abcdefghijklmnopqrstuvwxyz")
    yield from (*_ABBREVIATIONS, *_OTHERS)


@cache
def special_cases() -> dict[str, tuple[str, ...]]:
    """Return string -> its pieces, for every string that the other rules do not decide; white space is not here."""
    cut = {pieces.replace("|", ""): tuple(pieces.split("|")) for pieces in _cut()}
    cut.update({face: (face,) for face in _EMOTICONS})
    left = {whole: pieces for whole, pieces in cut.items() if whole not in _NOT_CUT}
    curly = {_curl(whole): tuple(map(_curl, pieces)) for whole, pieces in left.items() if "'" in whole}
    return left | curly


def _curl(text: str) -> str:
    return text.replace("'", "\u2019")
