"""RefinedWeb's line corrections, mC4 and MADLAD-400: boundaries, plain readings, and C4's own cases."""

import ast
import re
import subprocess
import sys
import tempfile
import zipfile
from collections import Counter
from functools import cache
from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import real_texts
import regex
from hypothesis import assume, given
from hypothesis import strategies as st

from filters import line_corrections, mc4, questionable
from filters.c4_variants import CODE, clean_rows, read_c4
from filters.native import string_buffers
from filters.rule_sets import RULE_SETS
from filters.rules import judge, reasons
from filters.sentences import sentence_counts
from pipelines.demo_input import exclusive, input_root

TFDS = "tensorflow-datasets-4.9.10"


def measured(module, texts):
    return module(*real_texts.measured(texts))


# ---- RefinedWeb

TEN = "a b c d e f g h i j"


@pytest.mark.parametrize(
    ("line", "kept"),
    [
        pytest.param("This line stays", True, id="an ordinary line"),
        pytest.param("", True, id="a blank line is not ours to drop"),
        pytest.param("AB CDa bcde", True, id="4 of 11 in capitals"),
        pytest.param("ABCDE fghi", True, id="half in capitals"),
        pytest.param("ABCDEF ghi", False, id="more than half in capitals"),
        pytest.param("ПРИВЕТ мир", False, id="capitals of another script"),
        pytest.param("日本語の文です。", True, id="a script without capitals"),
        pytest.param("12 34", False, id="numbers alone"),
        pytest.param("१२ ३४", False, id="numbers of another script"),
        pytest.param("12 apples", True, id="numbers with a word"),
        pytest.param("3 likes", False, id="a counter"),
        pytest.param("» 1,234.5K Views «", False, id="a counter with marks around it"),
        pytest.param("3 likes it", True, id="no counter: a word after it"),
        pytest.param("about 3 likes", True, id="no counter: a word before it"),
        pytest.param("Word", False, id="one word"),
        pytest.param("word.", False, id="one word with a mark"),
        pytest.param("Two words", True, id="two words"),
        pytest.param("日本", False, id="one Japanese word"),
        pytest.param("Sign-in to see", False, id="starts with sign-in"),
        pytest.param("Please sign-in now", True, id="sign-in inside"),
        pytest.param("The story. Read more...", False, id="ends in read more"),
        pytest.param("Read more... of it", True, id="read more inside"),
        pytest.param("you have 2 items in cart now", False, id="items in cart anywhere"),
        pytest.param("sign-in a b c d e f g h", False, id="10 words"),
        pytest.param("sign-in a b c d e f g h i", True, id="11 words"),
    ],
)
def test_lines_that_are_corrected(line, kept):
    told, _ = measured(line_corrections.correct_lines, [line])
    assert told.tolist() == [int(kept)]


def test_a_page_goes_when_more_than_5_percent_of_its_words_do():
    texts = ["\n".join(["heading"] * n + ["this has four words"] * 19) for n in (4, 5)]
    text, words, lines = real_texts.measured(texts)
    assert words.doc_offsets.tolist() == [0, 80, 161]
    _, signals = line_corrections.correct_lines(text, words, lines)
    assert signals["refinedweb_removed_word_count"].to_pylist() == [4, 5]
    counted = pa.RecordBatch.from_pydict(
        {**dict(zip(signals.schema.names, signals.columns, strict=True)), "word_count": [80, 81]}
    )
    verdicts = judge(RULE_SETS["refinedweb_lines_v1"], counted, pa.array(["en"] * 2))
    assert verdicts.first.tolist() == [-1, 0]


def refinedweb_reading(line, words):
    letters = line.strip()
    if 2 * len(regex.findall(r"\p{Lu}", letters)) > len(letters):
        return "upper_case"
    if regex.fullmatch(r"[\p{N}\s]+", letters):
        return "number"
    counter = r"[^\w]*\d[\d,.]*[kmb]?\s+(likes|shares|comments|retweets|views|followers|downloads|quotes)[^\w]*"
    if words in (2, 3) and re.fullmatch(counter, letters, re.IGNORECASE | re.ASCII):
        return "counter"
    if words < 2:
        return "one_word"
    low = letters.lower()
    short = low.startswith("sign-in") or low.endswith("read more...") or "items in cart" in low
    return "phrase" if short and words <= 10 else None


def test_corrections_of_real_pages():
    texts = list(real_texts.sample()[::3])
    text, words, lines = real_texts.measured(texts)
    _, signals = line_corrections.correct_lines(text, words, lines)
    whole, word = real_texts.spans_of(text, lines), 0
    for i, values in enumerate(signals.to_pylist()):
        expected = Counter()
        for k in range(lines.doc_offsets[i], lines.doc_offsets[i + 1]):
            first = word
            while word < len(words.starts) and words.starts[word] < lines.ends[k]:
                word += 1
            line = whole[i][k - lines.doc_offsets[i]]
            why = refinedweb_reading(line, word - first) if line else None
            expected[f"refinedweb_{why}_line_count"] += why is not None
            expected["refinedweb_removed_word_count"] += (word - first) * (why is not None)
        assert values == {name: expected[name] for name in line_corrections.COLUMNS}


# ---- mC4


@pytest.mark.parametrize(
    ("line", "long"),
    [
        pytest.param("a" * 199, 0, id="199 letters"),
        pytest.param("a" * 200, 1, id="200 letters"),
        pytest.param("  " + "a" * 199 + "  ", 0, id="white space aside"),
        pytest.param("か" * 99 + "a", 0, id="99 kana and a letter"),
        pytest.param("か" * 100, 1, id="100 kana"),
        pytest.param("한" * 100, 1, id="100 syllables of Hangul"),
        pytest.param("字" * 66, 0, id="66 Chinese characters"),
        pytest.param("字" * 67, 1, id="67 Chinese characters"),
        pytest.param("ก" * 199, 0, id="199 Thai letters"),
    ],
)
def test_long_lines(line, long):
    text, _, lines = real_texts.measured([f"{line}\nshort\n{line}"])
    assert mc4.mc4_signals(text, lines)["mc4_long_line_count"].to_pylist() == [2 * long]


# ---- MADLAD-400


@pytest.mark.parametrize(
    ("sentence", "list_case", "cursed"),
    [
        pytest.param("One Two Three Four Five Six Seven eight nine ten eleven twelve.", 1, 0, id="7 of 12 capital"),
        pytest.param("One Two Three Four Five Six seven eight nine ten eleven twelve.", 0, 0, id="6 of 12 capital"),
        pytest.param("One Two Three Four Five Six Seven eight nine ten eleven.", 0, 0, id="11 words are too few"),
        pytest.param("Раз Два Три Четыре Пять Шесть Семь восемь девять десять раз два.", 1, 0, id="Russian capitals"),
        pytest.param(
            "これは東京と大阪と京都と奈良と神戸の話で、とても長い文ですが大文字はありません。", 0, 0, id="Japanese"
        ),
        pytest.param("You can Download it here.", 0, 1, id="ownload"),
        pytest.param("You can load it here.", 0, 0, id="load"),
        pytest.param("See Vol. 3", 0, 1, id="Vol."),
        pytest.param("See Volume 3.", 0, 0, id="Volume"),
        pytest.param("a | b |", 0, 1, id="a bar at the end"),
        pytest.param("a | b", 0, 0, id="a bar inside"),
        pytest.param("x a b c d e f g h i y", 0, 1, id="nine letters apart"),
        pytest.param("x a b c d e f g yy", 0, 0, id="eight letters apart"),
        pytest.param("в 1999 г.", 0, 1, id="Russian year"),
        pytest.param("观看黄色电影", 0, 1, id="Chinese"),
    ],
)
def test_questionable_sentences(sentence, list_case, cursed):
    (values,) = measured(questionable.questionable_signals, [f"An ordinary sentence.\n{sentence}\n"]).to_pylist()
    told = {name.removeprefix("madlad_").removesuffix("_sentence_count"): value for name, value in values.items()}
    assert told["list_case"] == list_case
    assert told["cursed"] == cursed
    assert told["questionable"] == (list_case or cursed)


# the paper's list, as it stands there; a point is any character where the list means one
CURSED = (
    r"№|\ufffd{3}|\|\s*$|(?: nr| г| кг)\.\s*$|aute irure dolor | sunt in culpa qui |orem ipsum | quis nostrud "
    r"| adipisicing | dolore eu | cupidatat |autem vel eum|wisi enim ad| sex | porn |黄色电影|mp3|ownload"
    r"|Vol\.| Ep\.|Episode| шт\.|Develop|Facebook| crusher | xxx "
    r"|(?: ...){9}|(?: ....){9}|(?: [^ \n]){9}|, ..,,?(?: ..,,?){3}"
)
PIECES = (
    *(" sex ", " xxx ", "mp3", "№", "\ufffd", "|", " nr.", " г.", "黄色电影", ", ab,", ", éü,,", " 日本,", " ab,", ","),
    *(" a", " é", " 日", " abc", " дом", " 日本語", " abcd", " à la", "  ", "    ", "        ", "\n", "x", "Vol", "."),
)


@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=30), st.sampled_from(PIECES), st.integers(0, 12))
def test_cursed_sentences_are_those_of_the_papers_expressions(pieces, again, times):
    text = "x" + "".join(pieces) + again * times
    values = measured(questionable.questionable_signals, [text]).to_pylist()[0]
    assume(values["madlad_sentence_count"] == 1)
    assert values["madlad_cursed_sentence_count"] == bool(re.search(CURSED, text, re.ASCII))


def test_cursed_sentences_of_real_pages():
    texts = list(real_texts.sample())
    text, words, lines = real_texts.measured(texts)
    bounds, doc_offsets = questionable._sentence_bounds(*string_buffers(text), lines)
    body, cursed = "".join(texts).encode(), []
    ends = np.append(np.cumsum([len(each.encode()) for each in texts]), 0)
    for i, (first, last) in enumerate(pairwise(doc_offsets.tolist())):
        cuts = [*bounds[first:last].tolist(), int(ends[i])]
        cursed.append(sum(bool(re.search(CURSED, body[a:b].decode(), re.ASCII)) for a, b in pairwise(cuts)))
    own = questionable.questionable_signals(text, words, lines)["madlad_cursed_sentence_count"]
    assert own.to_pylist() == cursed
    assert sum(cursed) > 100


@given(st.lists(st.lists(st.sampled_from(["12 34 ", "| ", "Word. ", "mp3", ", 12,", " 1", "\n", "a"])).map("".join)))
def test_a_text_is_judged_without_its_neighbours(texts):
    apart = [measured(questionable.questionable_signals, [text]).to_pylist()[0] for text in texts]
    assert measured(questionable.questionable_signals, texts).to_pylist() == apart


def test_a_page_of_5_sentences_may_hold_one_that_is_questionable():
    plain = "An ordinary sentence. "
    texts = [plain * 4, plain * 4 + "An mp3.", plain * 3 + "An mp3. An mp3.", plain * 5, "", "これは文です。" * 5]
    signals = measured(questionable.questionable_signals, texts)
    assert signals["madlad_sentence_count"].to_pylist() == [4, 5, 5, 5, 0, 5]
    rules = RULE_SETS["madlad_v1"]
    language = pa.array(["en"] * len(texts))
    said = reasons(rules, judge(rules, signals, language), signals, language).to_pylist()
    few, many = "madlad_v1/sentence_count<5", "madlad_v1/questionable_sentence_fraction>0.2"
    assert said == [few, None, many, None, few, None]


def test_sentences_are_as_many_as_the_line_signals_count():
    texts = list(real_texts.sample())
    text, words, lines = real_texts.measured(texts)
    own = questionable.questionable_signals(text, words, lines)["madlad_sentence_count"].to_pylist()
    every = sentence_counts(text, lines, np.ones(len(lines.starts), np.uint8))
    counted = np.add.reduceat(every, lines.doc_offsets[:-1]).tolist()
    lettered = [sum(1 for line in t.split("\n") if line.strip()) for t in texts]
    assert all(a <= b <= a + n for a, b, n in zip(own, counted, lettered, strict=True))
    assert sum(own) > 0.97 * sum(counted)  # lines without a letter hold no sentence here


# ---- C4's own cases, from the wheel of TensorFlow Datasets: inputs, pages that are left, counters

COUNTERS = {
    "line-passed": "passed",
    "line-filtered:too_short": "few_words",
    "line-filtered:no_endmark": "no_end",
    "line-filtered:javascript": "javascript",
    "line-filtered:policy": "policy",
    "filtered:squigglybracket": "curly_bracket",
    "filtered:loremipsum": "lorem_ipsum",
}


@cache
def tfds_tests() -> ast.Module:
    """Return the parsed test file; nothing of the package is installed or run."""
    final = input_root() / TFDS
    with exclusive(TFDS):
        if not final.exists():
            with tempfile.TemporaryDirectory(dir=input_root(), prefix=f".{TFDS}-") as work:
                command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet"]
                wanted = "==".join(TFDS.rsplit("-", 1))
                subprocess.run([*command, wanted], cwd=work, check=True, capture_output=True, timeout=300)
                (wheel,) = Path(work).glob("*.whl")
                (Path(work) / "out").mkdir()
                with zipfile.ZipFile(wheel) as archive:
                    archive.extract("tensorflow_datasets/text/c4_utils_test.py", Path(work) / "out")
                (Path(work) / "out").rename(final)
    return ast.parse((final / "tensorflow_datasets/text/c4_utils_test.py").read_text("utf-8"))


def strings_of(function, module):
    """Return name -> literal that a test, and its file, assign; and the counters that it asserts."""
    found = {}
    for node in [*module.body, *ast.walk(function)]:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant | ast.Dict):
            found[node.targets[0].id] = ast.literal_eval(node.value)
    asserted = [node for node in ast.walk(function) if isinstance(node, ast.Dict)]
    return found, ast.literal_eval(asserted[-1])


CASES = {  # test -> (what holds the page, what holds the page that is left)
    "test_clean_page": ("EN_TEXT", "EXPECTED_CLEAN_EN"),
    "test_clean_page_toofewsentences": ("text_with_toofewsentences", None),
    "test_clean_page_squigglybracket": ("text_that_is_actually_code", None),
    "test_clean_page_loremipsum": ("lorem_ipsum_text", None),
    "test_clean_page_citations": ("text", "expected_clean_text"),
    "test_clean_page_policy": ("text", "expected_clean_text"),
}


@pytest.mark.parametrize("case", CASES)
def test_the_cases_of_c4s_code_and_their_counters(case):
    module = tfds_tests()
    (function,) = (node for node in ast.walk(module) if isinstance(node, ast.FunctionDef) and node.name == case)
    literals, expected = strings_of(function, module)
    page, left = CASES[case]
    text, signals = read_c4(clean_rows(pa.array([literals[page]])), CODE)
    (values,) = signals.to_pylist()
    own = {name: values[f"c4_code_{kind}_line_count"] for name, kind in COUNTERS.items()}
    rules = RULE_SETS["c4@code"]
    language = pa.array(["en"])
    (why,) = reasons(rules, judge(rules, signals, language), signals, language).to_pylist()
    own["passed"] = int(why is None)
    own["filtered:too_few_sentences"] = int(why == "c4@code/sentence_count<3")
    assert {name: count for name, count in own.items() if count} == expected
    if left is not None:
        assert text.to_pylist() == [literals[left]]
