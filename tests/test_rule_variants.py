"""Gopher's and C4's rules as peers count them, against plain readings of the peers, on made-up and real texts."""

import re
from collections import Counter
from statistics import median

import pyarrow as pa
import pytest
import real_texts
from hypothesis import given, settings
from hypothesis import strategies as st

from filters import c4_variants, gopher_variants, peer_words
from filters.c4_variants import CODE, PAPER, clean_rows, read_c4
from filters.gopher import STOP_WORDS
from filters.peer_words import split_words, tokens_of
from filters.sentences import sentence_counts

CITATION = re.compile(r"\[\d*\]|\[edit\]|\[citation needed\]")
POLICY = ("terms of use", "privacy policy", "cookie policy", "uses cookies", "use of cookies", "use cookies")
ALPHABET = st.text(st.sampled_from("ab aA.…#-*• \n\n\x0b\u3000日本。!?\"'{[1]edit\u2028\r"), max_size=60)


def tokens(text):
    return [token for stretch in text.split() for token in tokens_of(stretch)]


# ---- words


@pytest.mark.parametrize(
    ("stretch", "expected"),
    [
        pytest.param("(can't)", "( ca n't )", id="marks come off both ends of a listed string"),
        pytest.param("end.", "end .", id="a full stop is a token"),
        pytest.param("U.S.", "U.S.", id="not after capitals with dots"),
        pytest.param("e.g.", "e.g.", id="an abbreviation stays whole"),
        pytest.param("well-known", "well - known", id="a hyphen between letters"),
        pytest.param("10km", "10 km", id="a unit after a digit"),
        pytest.param("http://a.example/b?c=d.", "http://a.example/b?c=d .", id="an address stays whole"),
        pytest.param("http://a.bcd/e(f)", "http://a.bcd/e(f )", id="but for marks at its end"),
        pytest.param("wait...what", "wait ... what", id="an ellipsis cuts"),
        pytest.param(":-)", ":-)", id="a face stays whole"),
        pytest.param("nn):)", "nn ): )", id="a face that the rules cut is put together again"),
        pytest.param("日本語です。", "日本語です 。", id="Japanese is not cut"),
        pytest.param("Zoë’s", "Zoë ’s", id="a curly apostrophe"),
        pytest.param("----", "----", id="what no rule cuts"),
    ],
)
def test_tokens_of_a_stretch(stretch, expected):
    assert list(tokens_of(stretch)) == expected.split()


@given(st.text(st.characters(exclude_categories=["Cs", "Z", "Cc"]), min_size=1, max_size=20))
def test_tokens_joined_are_the_stretch(stretch):
    if not any(c.isspace() for c in stretch):
        assert "".join(tokens_of(stretch)) == stretch


@given(st.lists(ALPHABET, max_size=4))
def test_words_are_those_of_python(texts):
    column = pa.array(texts, pa.string())
    assert real_texts.spans_of(column, split_words(column)) == [text.split() for text in texts]
    assert real_texts.spans_of(column, peer_words.peer_words(column)) == [tokens(text) for text in texts]


# ---- Gopher


def duplicates(things):
    seen, count, chars = set(), 0, 0
    for thing in things:
        count, chars = (count + 1, chars + len(thing)) if thing in seen else (count, chars)
        seen.add(thing)
    return count, chars


def grams(words, n):
    return [tuple(words[i : i + n]) for i in range(len(words) - n + 1)]


def read_before(words, n):
    seen, chars, i = set(), 0, 0
    while i + n <= len(words):
        gram = "".join(words[i : i + n])
        chars, i = (chars + len(gram), i + n) if gram in seen else (chars, i + 1)
        seen.add(gram)
    return chars


def top(words, n, join):
    found = Counter(grams(words, n)).most_common(1)
    return len(join.join(found[0][0])) * found[0][1] if found else 0


def datatrove_reading(text):
    words, rows, lines = tokens(text), [row.strip() for row in text.splitlines()], re.split("\n+", text)
    marks = {chr(i) for i, flag in enumerate(peer_words.flags().tolist()) if flag & gopher_variants.PUNCTUATION}
    plain = [word for word in words if any(c not in marks for c in word)]
    paragraphs = re.split("\n{2,}", text.strip())
    return [
        *(len(words), len(plain), sum(map(len, plain)), sum(any(c.isalpha() for c in word) for word in words)),
        *(len(set(words) & set(STOP_WORDS)), len(rows), sum(row.startswith(("•", "-")) for row in rows)),
        sum(row.endswith(("...", "…")) for row in rows),
        *(len(paragraphs), *duplicates(paragraphs), len(lines), *duplicates(lines)),
        *(top(words, n, " ") for n in (2, 3, 4)),
        *(read_before(words, n) for n in range(5, 11)),
    ]


def dolma_reading(text):
    words, lines = text.split(), re.split("\n+", text)
    copies = {line: count for line, count in Counter(lines).items() if count > 1}
    widths = {n: Counter(grams(words, n)) for n in range(5, 11)}
    return [
        *(len(words), sum(map(len, words)), sum("#" in word or "…" in word for word in words)),
        *(sum(any(c.isalpha() for c in word) for word in words), sum(word in STOP_WORDS for word in words)),
        *(round(2 * median(map(len, words))) if words else 0, 2 if words else 0),
        *(len(lines), sum(line.startswith(("*", "-")) for line in lines), sum(line.endswith("…") for line in lines)),
        *(sum(copies.values()), sum(len(line) * count for line, count in copies.items())),
        *(top(words, n, "") for n in (2, 3, 4)),
        *(sum(len("".join(g)) * c for g, c in widths[n].items() if c > 1) for n in range(5, 11)),
        *(sum(len("".join(g)) * c for g, c in widths[n].items()) for n in range(5, 11)),
    ]


def assert_gopher(texts):
    column = pa.array(texts, pa.string())
    words = split_words(column)
    peer = gopher_variants.datatrove_signals(column, peer_words.peer_words(column, words)).to_pylist()
    plain = gopher_variants.whitespace_signals(column, words).to_pylist()
    for text, one, other in zip(texts, peer, plain, strict=True):
        assert one == dict(zip(gopher_variants.DATATROVE_COLUMNS, datatrove_reading(text), strict=True)), text[:200]
        if text:
            assert other == dict(zip(gopher_variants.WHITESPACE_COLUMNS, dolma_reading(text), strict=True)), text[:200]


@settings(max_examples=60)
@given(st.lists(ALPHABET, min_size=1, max_size=4))
def test_gopher_of_made_up_texts(texts):
    assert_gopher(texts)


@settings(max_examples=40)
@given(st.lists(st.sampled_from(["a b", "ab", "to the", "the to", "\n", "b", "…", "* x", "a\n\na"]), max_size=40))
def test_gopher_of_repetitive_texts(pieces):
    assert_gopher([" ".join(pieces), "".join(pieces)])


def test_gopher_of_real_pages():
    assert_gopher(list(real_texts.sample()[::4]))


# ---- C4


def c4_reading(text, reading):
    """Return (the page that is left, counters); sentences are counted by the same rules as in c4_v1."""
    kept, counts, sentences = [], Counter(), 0
    for cited in map(str.strip, text.splitlines()):
        words, line = cited.split(), CITATION.sub("", cited)
        words_left = cited.split() if reading.counts_citations else line.split()
        if any(len(word) > 1000 for word in words):
            counts["long_word"] += 1
        elif reading.ends and (not line.endswith(tuple(reading.ends)) or line.endswith("...")):
            counts["no_end"] += 1
        elif len(words_left) < reading.min_words:
            counts["few_words"] += 1
        elif "lorem ipsum" in line.lower():
            counts["lorem_ipsum"] += 1
            break
        elif "javascript" in line.lower():
            counts["javascript"] += 1
        elif "{" in line:
            counts["curly_bracket"] += 1
            break
        elif any(phrase in line.lower() for phrase in POLICY):
            counts["policy"] += 1
        else:
            counts["passed"] += 1
            kept.append(line)
    if kept:
        column, _, lines = real_texts.measured(["\n".join(kept)])
        sentences = int(sentence_counts(column, lines, lines.starts < lines.ends).sum())
    return "\n".join(kept).strip(), counts, sentences


def assert_c4(texts, reading):
    left, signals = read_c4(clean_rows(pa.array(texts, pa.string())), reading)
    for text, own, values in zip(texts, left.to_pylist(), signals.to_pylist(), strict=True):
        page, counts, sentences = c4_reading(text, reading)
        expected = [*(counts[name.removesuffix("_line_count")] for name in c4_variants.COUNTED), sentences]
        assert own == page
        assert values == dict(zip(reading.columns, expected, strict=True)), text[:200]


C4_PIECES = ["a b c d e.", "a b c.", "Lorem ipsum a b c.", "uses cookies a b.", "a javascript b c d.", "x {y} z a b."]
C4_PIECES += [
    "a [1] b [edit] c.",
    "[1]",
    "[citation needed]",
    "...",
    "\n",
    "\r\n",
    "\u2028",
    " ",
    "“a b c.”",
    "日本 a b!",
]


@pytest.mark.parametrize("reading", [PAPER, CODE], ids=lambda reading: reading.prefix)
@settings(max_examples=60)
@given(pieces=st.lists(st.sampled_from(C4_PIECES), max_size=12))
def test_c4_of_made_up_pages(reading, pieces):
    assert_c4(["".join(pieces), "\n".join(pieces)], reading)


@pytest.mark.parametrize("reading", [PAPER, CODE], ids=lambda reading: reading.prefix)
def test_c4_of_real_pages(reading):
    assert_c4(list(real_texts.sample()[::3]), reading)


@pytest.mark.parametrize("reading", [PAPER, CODE], ids=lambda reading: reading.prefix)
def test_a_word_of_1000_characters_stays_and_one_more_goes(reading):
    texts = [f"{'a' * size} is a word here." for size in (1000, 1001)]
    _, signals = read_c4(clean_rows(pa.array(texts)), reading)
    assert signals[f"{reading.prefix}_long_word_line_count"].to_pylist() == [0, 1]
