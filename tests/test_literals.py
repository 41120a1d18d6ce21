"""Literals are found where `bytes.find` finds them, in any script."""

import numpy as np
import pyarrow as pa
import pytest
import real_texts
from hypothesis import given
from hypothesis import strategies as st

from filters.literals import MAX_LITERALS, compile_literals, next_candidate, stands_at
from filters.native import string_buffers

WORDS = ("mp3", " sex ", "Vol.", "{", "の", "的", "黄色电影", "\ufffd\ufffd", "é", "e\u0301", "aa", "aab")


def found(text, literals, *, fold=False, begin=0, end=None):
    """Return (where, which) of every occurrence, by the kernels."""
    body = string_buffers(pa.array([text]))[0]
    end = len(body) if end is None else end
    tables, out = compile_literals(literals, fold=fold), []
    i, mask = next_candidate(body, begin, end, ~np.uint64(0), tables)
    while mask:
        for k in range(len(literals)):
            if int(mask) >> k & 1 and stands_at(body, (begin, end), i, k, tables):
                out.append((int(i - tables.anchors[k]), k))
        i, mask = next_candidate(body, i + 1, end, ~np.uint64(0), tables)
    return sorted(out)


def find_all(text, literals, begin=0, end=None):
    body, out = text.encode(), []
    end = len(body) if end is None else end
    for k, literal in enumerate(literals):
        at = body.find(literal.encode(), begin, end)
        while at >= 0:
            out.append((at, k))
            at = body.find(literal.encode(), at + 1, end)
    return sorted(out)


@given(st.lists(st.sampled_from([*WORDS, "a", "ab", " ", "x", "日本", "m", "p3", "\n", "E"]), max_size=30).map("".join))
def test_every_occurrence_is_found_and_nothing_else(text):
    assert found(text, WORDS) == find_all(text, WORDS)


@given(st.text(alphabet="aAbB{xX é", max_size=30), st.integers(0, 10), st.integers(0, 10))
def test_only_a_stretch_is_searched(text, before, after):
    size = len(text.encode())
    begin, end = min(before, size), max(size - after, min(before, size))
    literals = ("ab", "{", "a b", "é", "bx")
    assert found(text, literals, begin=begin, end=end) == find_all(text, literals, begin, end)


@given(st.text(alphabet="aAbBÄä[{@` ", max_size=30))
def test_folding_is_of_ascii_letters_alone(text):
    literals = ("ab", "{", "a b", "bb", "`a")
    plain = "".join(chr(ord(c) | 32) if "A" <= c <= "Z" else c for c in text)
    assert found(text, literals, fold=True) == find_all(plain, literals)


def test_stop_words_of_real_pages():
    literals = ("the ", "の", "не ", "ال", "的", "ein", "。", "ñ")
    texts = [text for text in real_texts.sample()[::7] if text]
    assert sum(map(len, (found(text, literals) for text in texts))) > 2000
    for text in texts:
        assert found(text, literals) == find_all(text, literals)


@pytest.mark.parametrize("literals", [("a", ""), tuple(map(str, range(MAX_LITERALS + 1)))], ids=["empty", "too many"])
def test_what_fits_no_mask_is_refused(literals):
    with pytest.raises(ValueError, match="fit a mask"):
        compile_literals(literals)


def test_as_many_as_a_mask_has_bits_are_found():
    literals = tuple(f"<{number}>" for number in range(MAX_LITERALS))
    text = "".join(reversed(literals))
    assert found(text, literals) == find_all(text, literals)
    assert len(found(text, literals)) == MAX_LITERALS
