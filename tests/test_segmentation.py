"""Words against Unicode's own test file and a plain reading of UAX #29; texts against their slices and neighbours."""

from collections.abc import Callable
from functools import cache
from itertools import pairwise
from pathlib import Path
from time import process_time

import numpy as np
import pyarrow as pa
import pytest
import regex
from hypothesis import given
from hypothesis import strategies as st

from filters.native import string_buffers
from filters.segmentation import ALL_DIGITS, HOLDS_LETTER, segment, segmentation_digest
from filters.word_breaks import word_spans

# ---- the oracle: the rules of UAX #29, table 3 and section 4.1.1, one by one, slowly

CLASSES = (
    *("CR", "LF", "Newline", "Extend", "ZWJ", "Format", "Katakana", "Hebrew_Letter", "ALetter", "Single_Quote"),
    *("Double_Quote", "MidNumLet", "MidLetter", "MidNum", "Numeric", "ExtendNumLet", "Regional_Indicator", "WSegSpace"),
)
AHLETTER, MARKS = {"ALetter", "Hebrew_Letter"}, {"Extend", "Format", "ZWJ"}
MID_LETTER, MID_NUMBER = {"MidLetter", "MidNumLet", "Single_Quote"}, {"MidNum", "MidNumLet", "Single_Quote"}
NEWLINES, RUNS = {"CR", "LF", "Newline"}, {"Katakana", "Chinese or Japanese", "Thai"}
Classify = Callable[[str], str]


@cache
def annex(character: str) -> str:
    return next((name for name in CLASSES if regex.match(rf"\p{{WB={name}}}", character)), "Other")


@cache
def tailored(character: str) -> str:
    """What corpusmill makes of a character: runs of scripts without spaces are for a model to cut."""
    if annex(character) in MARKS:
        return annex(character)
    if regex.match(r"(?V1)[\p{WB=Katakana}\p{Hiragana}\p{Han}\u3006--[\u30A0\p{P}]]", character):
        return "Chinese or Japanese" if regex.match(r"[\p{L}\p{Nl}\p{WB=Katakana}]", character) else "Other"
    return (
        "Thai" if regex.match(r"(?V1)[\p{Thai}&&\p{L}]", character) else annex(character).replace("Katakana", "Other")
    )


@cache
def pictographic(character: str) -> bool:
    return bool(regex.match(r"\p{Extended_Pictographic}", character))


def breaks_between(text: str, i: int, classify: Classify) -> bool:
    before, after = classify(text[i - 1]), classify(text[i])
    if (before, after) == ("CR", "LF"):  # WB3
        return False
    if before in NEWLINES or after in NEWLINES:  # WB3a, WB3b
        return True
    bases = [c for k, c in enumerate(text) if not belongs_to_the_one_before(text, k, classify) or k == i]
    here = len([k for k in range(i) if not belongs_to_the_one_before(text, k, classify)])
    left, right = [classify(c) for c in bases[:here]], [classify(c) for c in bases[here:]]
    if before == "ZWJ" and pictographic(text[i]):  # WB3c
        return classify is tailored and left[-1] in RUNS
    if after in MARKS or (before, after) == ("WSegSpace", "WSegSpace"):  # WB4, WB3d
        return False
    flags = len(left) - len("".join("R" if c == "Regional_Indicator" else "-" for c in left).rstrip("R"))
    return not joins(*["", *left][-2:], *[*right, ""][:2]) and not (right[0] == "Regional_Indicator" and flags % 2)


def belongs_to_the_one_before(text: str, i: int, classify: Classify) -> bool:
    return i > 0 and classify(text[i]) in MARKS and classify(text[i - 1]) not in NEWLINES


def joins(b2: str, b1: str, a1: str, a2: str) -> bool:
    return (
        (b1 in AHLETTER | {"Numeric"} and a1 in AHLETTER | {"Numeric"})  # WB5, WB8-WB10
        or (b1 in AHLETTER and a1 in MID_LETTER and a2 in AHLETTER)  # WB6
        or (b2 in AHLETTER and b1 in MID_LETTER and a1 in AHLETTER)  # WB7
        or (b1 == "Hebrew_Letter" and a1 == "Single_Quote")  # WB7a
        or (b1 == "Hebrew_Letter" and a1 == "Double_Quote" and a2 == "Hebrew_Letter")  # WB7b
        or (b2 == "Hebrew_Letter" and b1 == "Double_Quote" and a1 == "Hebrew_Letter")  # WB7c
        or (b2 == "Numeric" and b1 in MID_NUMBER and a1 == "Numeric")  # WB11
        or (b1 == "Numeric" and a1 in MID_NUMBER and a2 == "Numeric")  # WB12
        or (b1 == a1 and b1 in RUNS)  # WB13
        or (b1 in AHLETTER | {"Numeric", "Katakana", "ExtendNumLet"} and a1 == "ExtendNumLet")  # WB13a
        or (b1 == "ExtendNumLet" and a1 in AHLETTER | {"Numeric", "Katakana"})  # WB13b
    )


def segments(text: str, classify: Classify = annex) -> list[str]:
    cuts = [0, *(i for i in range(1, len(text)) if breaks_between(text, i, classify)), len(text)]
    return [text[a:b] for a, b in pairwise(cuts)] if text else []


def is_word(part: str) -> bool:
    held = [c for c in part if annex(c) not in MARKS and c != "\u30a0"]
    return any(regex.match(r"[\p{L}\p{Nd}\p{Nl}\p{Alphabetic}\p{WB=Katakana}]", c) for c in held)


# ---- what the code says


def words_in(array: pa.StringArray) -> list[list[str]]:
    found = segment(array)
    return texts_of(array, found.starts, found.ends, found.doc_offsets)


def words_of(*texts: str) -> list[list[str]]:
    return words_in(pa.array(texts, pa.string()))


def spans_of(*texts: str) -> list[list[str]]:
    array = pa.array(texts, pa.string())
    found = word_spans(*string_buffers(array))
    return texts_of(array, found.starts, found.ends, found.doc_offsets)


def texts_of(array, starts, ends, doc_offsets) -> list[list[str]]:
    data = bytes(string_buffers(array)[0])
    words = [data[a:b].decode() for a, b in zip(starts.tolist(), ends.tolist(), strict=True)]
    return [words[a:b] for a, b in pairwise(doc_offsets.tolist())]


# ---- UAX #29

# the file is of Unicode 15.0; from 17.0 on U+2701 is no pictograph
OF_ANOTHER_VERSION = [["\u2701\u200d\u2701"], ["a\u200d\u2701"]]


@pytest.fixture(scope="module")
def break_cases(unicode_data: Path) -> list[list[str]]:
    lines = (unicode_data / "auxiliary/WordBreakTest.txt").read_text(encoding="utf-8").splitlines()
    fields = [field for line in lines if (field := line.split("#")[0].replace("×", "").strip(" \t÷"))]
    return [["".join(chr(int(point, 16)) for point in part.split()) for part in field.split("÷")] for field in fields]


def test_the_oracle_breaks_where_the_unicode_test_file_breaks(break_cases):
    assert len(break_cases) > 1_800
    wrong = [case for case in break_cases if segments("".join(case)) != case]
    assert [case for case in wrong if case not in OF_ANOTHER_VERSION] == []


def test_words_are_those_of_the_unicode_test_file(break_cases):
    # Katakana is the only class of the file that the tailoring touches
    plain = [case for case in break_cases if not regex.search(r"\p{WB=Katakana}", "".join(case))]
    assert len(plain) > 1_600
    expected = [[part for part in case if is_word(part)] for case in plain]
    wrong = [
        case for case, found in zip(plain, words_of(*map("".join, plain)), strict=True) if found != expected.pop(0)
    ]
    assert [case for case in wrong if case not in OF_ANOTHER_VERSION] == []


def test_spans_of_the_unicode_test_file_differ_by_the_tailoring_alone(break_cases):
    texts = ["".join(case) for case in break_cases]
    for text, found in zip(texts, spans_of(*texts), strict=True):
        assert found == [part for part in segments(text, tailored) if is_word(part)]


ONE_OF_EACH = (
    "\r\n\u0085\u0301\u200d\u00ad\ufe0fカーｱאaBéŐж'\".·:,;19٣_‿ 　🇩☺👍漢㐂々〆〇ひ゛゠ไก่๑한é½²①ªʰ\x00𝔸𠮷😀।ि्क-"
)


@given(st.text(st.one_of(st.sampled_from(ONE_OF_EACH), st.characters(exclude_categories=["Cs"])), max_size=12))
def test_spans_are_those_of_the_plain_reading(text):
    units = r"\p{Line_Break=SA}"  # tested apart; and a letter that is a pictograph, after ZWJ, is a listed difference
    text = regex.sub(rf"(?V1)[[{units}--\p{{Thai}}][\p{{Extended_Pictographic}}&&\p{{Alphabetic}}]]", "", text)
    assert spans_of(text) == [[part for part in segments(text, tailored) if is_word(part)]]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("Don't stop: 3.14, 1,000 and e.g. this!", "Don't stop 3.14 1,000 and e.g this", id="english"),
        pytest.param("snake_case __init__ _ ___", "snake_case __init__", id="underscores join and are no word alone"),
        pytest.param("l’arbre aujourd'hui", "l’arbre aujourd'hui", id="apostrophes stay inside"),
        pytest.param("x² ½ ① Ⅷ", "x Ⅷ", id="superscripts, fractions and circled digits are no words"),
        pytest.param('ע"ה צה"ל', 'ע"ה צה"ל', id="hebrew marks of abbreviation"),
        pytest.param("हिन्दी में लिखा।", "हिन्दी में लिखा", id="devanagari keeps its marks and loses its danda"),
        pytest.param("한국어 텍스트", "한국어 텍스트", id="hangul by spaces"),
        pytest.param("a\u00adb c\u200dd e\ufefff", "a\u00adb c\u200dd e\ufefff", id="invisible characters join"),
        pytest.param(".\u200dⓂ", "Ⓜ", id="a ZWJ after no word starts none"),
        pytest.param("naïve e\u0301t\u0308e", "naïve e\u0301t\u0308e", id="combining marks"),
        pytest.param("𝔘𝔫𝔦 😀 🇩🇪 𠮷野家です", "𝔘𝔫𝔦 𠮷野家 です", id="astral letters, pictures and ideographs"),
        pytest.param("a\x00b", "a b", id="NUL breaks"),
        pytest.param("第3章 GNU/Linuxの世界", "第 3 章 GNU Linux の 世界", id="scripts part"),
    ],
)
def test_words(text, expected):
    assert words_of(text) == [expected.split(" ")]


def test_no_word_crosses_a_newline_or_holds_punctuation():
    text = "一行目。\n二行目「三」\r\nไทย\nไทย\u2028漢\u0085字"
    assert not regex.search(r"[\s\p{P}\p{Cc}]", "".join(words_of(text)[0]))
    assert "".join(words_of(text)[0]) == regex.sub(r"[\s\p{P}\p{Cc}]", "", text)


# ---- scripts without spaces and without a model

LETTER, MARK = r"[\p{Line_Break=SA}&&\p{L}--\p{Thai}]", r"[\p{WB=Extend}\p{WB=Format}\p{WB=ZWJ}]"
CLUSTER = rf"{LETTER}{MARK}*+(?:(?<=[\u1039\u17D2\u1A60]){LETTER}{MARK}*+)*"


@given(st.text(st.sampled_from("កខគ្ាំ៉ကခဂ္်ုးລາວ້າ\u1a60ᨠᦀ\u200d\u200b ៕၊0"), max_size=20))
def test_units_are_three_letters_with_what_hangs_on_them(text):
    expected = [m.group() for m in regex.finditer(rf"(?V1)(?:{CLUSTER}){{1,3}}|0[0{MARK[1:]}*+", text)]
    assert words_of(text) == [expected]


# ---- what is measured of a word

MASK = (1 << 64) - 1


def hash_of(word: str) -> int:
    state = 0x9E3779B97F4A7C15
    for character in word:
        lower = character.lower() if len(character.lower()) == 1 else character
        state = (state ^ ord(lower)) * 0xD6E8FEB86659FD93 & MASK
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB), (31, 1)):
        state = (state ^ state >> shift) * factor & MASK
    return state


mixed_text = st.text(st.one_of(st.sampled_from(ONE_OF_EACH), st.characters(exclude_categories=["Cs"])), max_size=30)


@given(mixed_text)
def test_hashes_characters_and_flags_follow_from_the_word(text):
    found = segment(pa.array([text]))
    words = words_of(text)[0]
    assert found.chars.tolist() == [len(word) for word in words]
    assert found.hashes.tolist() == [hash_of(word) for word in words]
    letters = [HOLDS_LETTER * bool(regex.search(r"\p{Alphabetic}", word)) for word in words]
    digits = [ALL_DIGITS * bool(regex.fullmatch(r"\p{Nd}+", word)) for word in words]
    assert found.flags.tolist() == [a | b for a, b in zip(letters, digits, strict=True)]


def test_case_does_not_change_a_hash():
    upper, lower = segment(pa.array(["STRASSE ЖУК ΛΌΓΟΣ \u212aelvin"])), segment(pa.array(["strasse жук λόγοσ kelvin"]))
    assert upper.hashes.tolist() == lower.hashes.tolist()


def test_hashes_of_short_words_do_not_meet():
    letters = [chr(a) + chr(b) for a in range(0x430, 0x450) for b in range(0x3B1, 0x3C9)]
    numbers = [str(n) for n in range(100_000)]
    hashes = segment(pa.array([" ".join(letters + numbers)])).hashes
    assert len(np.unique(hashes)) == len(letters) + len(numbers)


def test_hashes_are_uniform_in_every_bit():
    hashes = segment(pa.array([" ".join(f"w{n}" for n in range(20_000))])).hashes
    ones = [int(np.sum(hashes >> np.uint64(bit) & np.uint64(1))) for bit in range(64)]
    assert min(ones) > 9_500 and max(ones) < 10_500


# ---- a text's words depend on nothing but the text


@given(st.lists(st.one_of(st.none(), mixed_text), max_size=6), st.integers(0, 6), st.integers(0, 6))
def test_slices_and_neighbours_change_no_words(texts, start, length):
    whole = pa.array(texts, pa.string())
    alone = [words_of(text)[0] if text is not None else [] for text in texts]
    assert words_in(whole) == alone
    assert words_in(whole.slice(start, length)) == alone[start : start + length]


def test_a_document_of_another_language_does_not_choose_the_model():
    japanese, chinese = "文書の処理を実行します", "我们今天讨论分词处理"
    assert words_of(chinese, japanese, chinese) == [words_of(t)[0] for t in (chinese, japanese, chinese)]


@pytest.mark.parametrize("texts", [[], [""], ["", None, ""], [" \n\t"], ["。、！"]])
def test_nothing_gives_no_words(texts):
    found = segment(pa.array(texts, pa.string()))
    assert found.doc_offsets.tolist() == [0] * (len(texts) + 1)
    assert len(found.starts) == len(found.ends) == len(found.hashes) == len(found.chars) == len(found.flags) == 0


def test_arrays_have_the_types_that_the_other_filters_expect():
    types = {name: values.dtype.name for name, values in vars(segment(pa.array(["one 二"]))).items()}
    offsets = {"starts": "int32", "ends": "int32", "doc_offsets": "int64"}
    assert types == {**offsets, "chars": "int32", "hashes": "uint64", "flags": "uint8"}


@pytest.mark.parametrize(
    ("unit", "words"),
    [
        *(("x", 1), ("1,", 1), ("_\u0301", 0), ("a ", 2_000_000), ("a'\u0301", 1), ('א"', 1), ("😀", 0)),
        *(("文書の処理を実行し", None), ("ก็ไม่", None), ("ကခဂ", None)),
    ],
)
def test_a_line_of_four_megabytes_costs_no_more_than_itself(unit, words):
    array = pa.array([unit * (4_000_000 // len(unit.encode()))])
    segment(array.slice(0, 0))  # compiles
    before = process_time()
    found = segment(array)
    assert process_time() - before < 2
    assert words is None or len(found.starts) == words
    assert np.all(found.starts[1:] >= found.ends[:-1])
    assert np.all(found.ends > found.starts)


def test_the_digest_names_the_tables_and_stays_the_same():
    assert regex.fullmatch(r"1-[0-9a-f]{16}", segmentation_digest())
    assert segmentation_digest() == segmentation_digest()
