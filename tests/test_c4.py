"""C4's edit against a plain reading of the paper, on tables, made-up lines and real pages."""

import bisect
import itertools
from collections import Counter

import pyarrow as pa
import pytest
import real_texts
import regex
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.c4 import COLUMNS, PHRASES, c4_edit
from filters.line_characters import CLOSER, FLAGS, LOWER, SPACE, TERMINAL, UNSPACED
from filters.phrases import find_phrases

CLEAN = "This line says enough."


def edited(text, **options):
    """Return the lines that stay and the signals of one text."""
    arrow, words, lines = real_texts.measured([text])
    kept, signals = c4_edit(arrow, words, lines, **options)
    told = real_texts.spans_of(arrow, lines)[0]
    return [line for line, stays in zip(told, kept, strict=True) if stays], signals.to_pylist()[0]


# ---- the oracle


def is_a(flag, character):
    return ord(character) < len(FLAGS) and bool(FLAGS[ord(character)] & flag)


TERMINALS = "".join(chr(point) for point in range(len(FLAGS)) if FLAGS[point] & TERMINAL)
CLOSERS = "".join(chr(point) for point in range(len(FLAGS)) if FLAGS[point] & CLOSER)
MARKS = regex.compile(rf"[{regex.escape(TERMINALS)}][{regex.escape(TERMINALS + CLOSERS)}]*")


def sentences_of(line):
    """Walk over the runs of marks; see filters.sentences.sentence_counts for what ends a sentence."""
    count, start = 0, 0
    for run in MARKS.finditer(line):
        before, mark, after = line[start : run.start()], run[0][0], line[run.end() :]
        if not any(has_letter(c) for c in before):
            start = run.end()
            continue
        ends = True
        if mark in ".!?":
            ends = not after or is_a(SPACE, after[0])
        if ends and mark == ".":
            upcoming = after.lstrip()
            lower = bool(upcoming) and is_a(LOWER, upcoming[0])
            ends = not lower and not regex.search(r"(?:^|[ .])[A-Z]$", line[: run.start()])
        if ends:
            count, start = count + 1, run.end()
    return max(count + any(has_letter(c) for c in line[start:]), 1)


def has_letter(character):
    if character.isascii():
        return character.isalpha()
    return not is_a(TERMINAL | CLOSER | SPACE, character)


def reason_of(line, word_count):
    if not line:
        return "blank"
    if len(line) > 1000 and longest_run(line) > 1000:
        return "long_word"
    if word_count < 3:
        return "few_words"
    low = lower_ascii(line)
    if "javascript" in low:
        return "javascript"
    return "policy" if any(p in low for p in POLICY_PHRASES) else "kept"


def longest_run(line):
    runs = itertools.groupby(line, lambda c: is_a(SPACE | UNSPACED, c))
    return max((len(list(run)) for breaks, run in runs if not breaks), default=0)


def lower_ascii(line):
    return "".join(c.lower() if c.isascii() else c for c in line)


POLICY_PHRASES = ("terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies")


def expected_edit(lines, words_of_line):
    reasons = [reason_of(line, count) for line, count in zip(lines, words_of_line, strict=True)]
    kept = [line for line, reason in zip(lines, reasons, strict=True) if reason == "kept"]
    signals = {
        "c4_kept_line_count": len(kept),
        "c4_long_word_line_count": reasons.count("long_word"),
        "c4_no_terminal_line_count": 0,
        "c4_few_words_line_count": reasons.count("few_words"),
        "c4_javascript_line_count": reasons.count("javascript"),
        "c4_policy_line_count": reasons.count("policy"),
        "c4_lorem_ipsum_line_count": sum("lorem ipsum" in lower_ascii(line) for line in kept),
        "c4_curly_bracket_line_count": sum("{" in line for line in kept),
        "c4_sentence_count": sum(map(sentences_of, kept)),
    }
    return kept, signals


def assert_as_the_paper_says(texts):
    arrow, words, lines = real_texts.measured(texts)
    kept, signals = c4_edit(arrow, words, lines)
    ends = lines.ends.tolist()
    counts = Counter(bisect.bisect_left(ends, start + 1) for start in words.starts.tolist())
    for doc, own in enumerate(real_texts.spans_of(arrow, lines)):
        first, last = lines.doc_offsets[doc], lines.doc_offsets[doc + 1]
        stay, expected = expected_edit(own, [counts[line] for line in range(first, last)])
        assert [line for line, stays in zip(own, kept[first:last], strict=True) if stays] == stay
        assert signals.slice(doc, 1).to_pylist() == [expected], texts[doc]


# ---- tests

PIECES = [
    *("It is so.", "A ", "b", " e.g. that", " 1. One", "Why?", "!", "…", "...", '."', "。", "です。」", "؟ ", "।"),
    *(" J. Smith", " Lorem IPSUM", "JavaScript", "{", "Privacy Policy", "uses cookies", "\n", "\n", " ", "É", "ß"),
    *("x" * 600, "日本" * 600),
]


@given(st.lists(st.lists(st.sampled_from(PIECES), max_size=25).map("".join), max_size=3))
@settings(max_examples=300, deadline=None)
def test_every_integer_is_the_papers_on_made_up_lines(texts):
    assert_as_the_paper_says(texts)


def test_every_integer_is_the_papers_on_real_pages():
    assert_as_the_paper_says(list(real_texts.sample()))


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        pytest.param("Two words", "few_words", id="two words"),
        pytest.param("two - words", "few_words", id="punctuation is no word"),
        pytest.param("You need JavaScript here", "javascript", id="JavaScript in any case"),
        pytest.param("We USE Cookies for this", "policy", id="a policy phrase in any case"),
        pytest.param("Read the Terms of Use now", "policy", id="terms of use"),
        pytest.param("Our privacy policy has javascript", "javascript", id="the first reason counts"),
        pytest.param("one two three " + "x" * 1001, "long_word", id="a word of 1,001 characters"),
        pytest.param("javascript " + "é" * 1001, "long_word", id="a long word comes before other reasons"),
    ],
)
def test_lines_that_go(line, reason):
    kept, signals = edited(f"{CLEAN}\n{line}\n{CLEAN}")
    assert kept == [CLEAN, CLEAN]
    assert {name: count for name, count in signals.items() if count} == {
        "c4_kept_line_count": 2,
        f"c4_{reason}_line_count": 1,
        "c4_sentence_count": 2,
    }


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("just three words", id="three words"),
        pytest.param("one two " + "é" * 1000, id="a word of 1,000 characters"),
        pytest.param("これは句読点のない長い文です" * 100, id="a long Japanese line is no long word"),
        pytest.param("这是一个句子", id="six Chinese characters are three words or more"),
        pytest.param("the java script of terms and cookies", id="parts of phrases"),
    ],
)
def test_lines_that_stay(line):
    assert edited(line)[0] == [line]


@pytest.mark.parametrize(
    ("line", "stays"),
    [
        pytest.param("It ends in full.", True, id="full stop"),
        pytest.param("これは終わりです。", True, id="Japanese full stop"),
        pytest.param("It ends in full.[3]", True, id="citation"),
        pytest.param("It does not end", False, id="no mark"),
        pytest.param("It trails off...", False, id="three dots"),
        pytest.param("It trails off…", False, id="ellipsis"),
    ],
)
def test_terminal_punctuation_is_asked_for_on_request(line, stays):
    assert (edited(line, terminal_punctuation=True)[0] == [line]) is stays
    assert edited(line)[0] == [line]


@pytest.mark.parametrize(
    ("line", "count"),
    [
        pytest.param("One here. Two here! Three here? Four", 4, id="English"),
        pytest.param("He said “one here.” Then two.", 2, id="quotes after the mark"),
        pytest.param("See e.g. this, i.e. that one", 1, id="a lower-case letter goes on"),
        pytest.param("Say j. à la carte", 1, id="lower case beyond ASCII too"),
        pytest.param("By J. R. R. Tolkien himself", 1, id="initials"),
        pytest.param("1. One of them", 1, id="a number at the start"),
        pytest.param("Version 2.0.1 of it.", 1, id="full stops inside a number"),
        pytest.param("What?! No way...", 2, id="marks in a row"),
        pytest.param("これは一。これは二！三は「四。」五", 4, id="Japanese"),
        pytest.param("这是一。这是二？对！", 3, id="Chinese"),
        pytest.param("هذا واحد؟ هذا اثنان.", 2, id="Arabic"),
        pytest.param("यह एक है। यह दो है।", 2, id="Hindi"),
        pytest.param("นี่คือประโยค นี่คืออีกประโยค", 1, id="Thai marks none: the line counts"),
        pytest.param("# one - two - three", 1, id="a line holds at least one"),
    ],
)
def test_sentences(line, count):
    assert edited(line)[1]["c4_sentence_count"] == count


@pytest.mark.parametrize(
    ("text", "column", "count"),
    [
        pytest.param("See LOREM Ipsum dolor\nlorem", "c4_lorem_ipsum_line_count", 1, id="lorem ipsum in a kept line"),
        pytest.param("if x then {\n{", "c4_curly_bracket_line_count", 1, id="a bracket in a kept line"),
        pytest.param("javascript is so {}", "c4_curly_bracket_line_count", 0, id="a bracket in a dropped line"),
    ],
)
def test_page_measures_look_at_kept_lines(text, column, count):
    assert edited(text)[1][column] == count


@given(st.text(alphabet="aevjKko Ptcy{", max_size=40), st.sampled_from([phrase for phrase, _ in PHRASES]))
@settings(deadline=None)
def test_a_phrase_is_found_where_it_stands(around, phrase):
    middle = len(around) // 2
    text, _, lines = real_texts.measured([around[:middle] + phrase.upper() + around[middle:]])
    flag = next(flag for known, flag in PHRASES if known == phrase)
    assert find_phrases(text, lines, PHRASES)[0] & flag


def test_no_texts_and_empty_texts_have_no_lines_to_keep():
    assert edited("") == ([], dict.fromkeys(COLUMNS, 0))
    text, words, lines = real_texts.measured([])
    kept, signals = c4_edit(text, words, lines)
    assert (len(kept), signals.num_rows) == (0, 0)
    assert set(signals.schema.types) == {pa.int32()}
