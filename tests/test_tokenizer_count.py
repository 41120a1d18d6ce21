"""Counts of words against ten lines of plain Python, and what merging them may not change."""

import random
import re
from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tokenizer.count import COUNTS, characters, count_words, merge_counts, word_keys

MIXED = st.text(st.sampled_from("ab \n\t\r\0é日本ー▁▅<s>\U0001f600\u2028"), max_size=60)


def plain_counts(texts: list[str | None]) -> dict[str, tuple[int, int, int, int]]:
    """Return word -> (count, line starts, texts), by regular expression."""
    count, opens, documents, capped = Counter(), Counter(), Counter(), Counter()
    for text in texts:
        seen = Counter()
        for line in (text or "").replace("▁", " ").split("\n"):
            words = [w.replace(" ", "▁") for w in re.findall(r" *[^ ]+| +", line)]
            count.update(words)
            opens.update(words[:1])
            seen.update(words)
        documents.update(set(seen))
        capped.update({w: min(n, 16) for w, n in seen.items()})
    return {w: (n, opens[w], documents[w], capped[w]) for w, n in count.items()}


def as_dict(batch: pa.RecordBatch) -> dict[str, tuple[int, int, int, int]]:
    """Return word -> (count, line starts, documents, capped)."""
    _, words, *numbers, _ = (column.to_pylist() for column in batch.columns)
    assert len(set(words)) == len(words)
    return dict(zip(words, zip(*numbers, strict=True), strict=True))


def counted(*texts: str | None) -> pa.RecordBatch:
    """Return the counts of one batch."""
    return count_words(pa.array(texts, pa.string())).counts


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("a b", {"a": 1, "▁b": 1}, id="a space belongs to the word behind it"),
        pytest.param("a   b", {"a": 1, "▁▁▁b": 1}, id="so does a run of spaces, as a whole"),
        pytest.param("  a", {"▁▁a": 1}, id="at the start of a line too"),
        pytest.param("a  ", {"a": 1, "▁▁": 1}, id="the run that ends a line stands alone"),
        pytest.param("a  \n\n b", {"a": 1, "▁▁": 1, "▁b": 1}, id="a newline ends a word, and is none"),
        pytest.param("a\tb c\r\n", {"a\tb": 1, "▁c\r": 1}, id="tab and CR are characters of a word"),
        pytest.param("a\u2028b\u3000c\u00a0d", {"a\u2028b\u3000c\u00a0d": 1}, id="other white space parts nothing"),
        pytest.param("a▁b", {"a": 1, "▁b": 1}, id="U+2581 is a space to the trainer"),
        pytest.param("日本語 の\n日本語", {"日本語": 2, "▁の": 1}, id="Japanese without spaces is one word"),
        pytest.param("", {}, id="nothing"),
        pytest.param(" \n \n", {"▁": 2}, id="only blank lines"),
    ],
)
def test_words_are_those_that_the_trainer_sees(text, words):
    assert {w: n for w, (n, *_) in as_dict(counted(text)).items()} == words


@given(st.lists(st.one_of(st.none(), MIXED), max_size=8))
def test_counts_are_those_of_plain_python(texts):
    counts, ledger = count_words(pa.array(texts, pa.string()))
    assert counts.schema == COUNTS
    assert as_dict(counts) == plain_counts(texts)
    assert ledger.balanced
    assert ledger.characters == sum(len(t or "") for t in texts)
    assert ledger.literal_space_symbols == sum((t or "").count("▁") for t in texts)


@given(st.lists(MIXED, min_size=2, max_size=9), st.integers(0, 9), st.randoms(use_true_random=False))
def test_any_cut_and_order_of_the_texts_gives_the_same_counts(texts, at, rng):
    whole = counted(*texts)
    parts = [counted(*texts[:at]), counted(*texts[at:]), counted()]
    rng.shuffle(parts)
    assert merge_counts(parts).equals(whole)
    assert merge_counts([merge_counts(parts[:2]), parts[2]]).equals(merge_counts([parts[0], merge_counts(parts[1:])]))


def test_a_slice_of_an_array_counts_as_its_copy():
    text = pa.array(["out", "in a", None, "in b", "out"])
    assert count_words(text.slice(1, 3)).counts.equals(counted("in a", None, "in b"))


def test_more_words_than_the_first_table_holds():
    rng = random.Random(1)
    texts = [" ".join(f"{rng.randrange(60_000):x}-{'x' * (i % 13)}" for i in range(4000)) for _ in range(20)]
    assert as_dict(counted(*texts)) == plain_counts(texts)


def test_keys_ascend_and_follow_from_the_word_alone():
    texts = [f"word{i} 日本{i}\n   indented{i}" for i in range(3000)]
    counts = counted(*texts)
    keys = counts["key"].to_numpy()
    assert (keys[1:] > keys[:-1]).all()
    assert (word_keys(counts["word"]) == keys).all()


def test_keys_are_uniform():
    keys = word_keys(pa.array([f"▁w{i}" for i in range(1 << 14)]))
    for shift in (60, 32, 0):  # 16 cells of 1,024 expected; 5 sigma is 155
        cells = np.bincount((keys >> np.uint64(shift)).astype(np.uint8) & 15, minlength=16)
        assert abs(cells - 1024).max() < 155


def test_the_key_of_a_word_never_changes():
    words = pa.array(["", "a", "▁the", "▁▁▁▁return", "日本語テキスト", "0123456789abcdef"])
    assert [f"{k:016x}" for k in word_keys(words)] == KNOWN_KEYS


KNOWN_KEYS = [
    "0000000000000000",
    "8b7f2476780033c0",
    "21d966d808b02465",
    "ed4a0caec20a22e1",
    "67e5033a9a8f6f7d",
    "b46b4ecca0835ce0",
]


def test_words_that_share_a_key_stay_apart():
    def batch(*rows):
        columns = zip(*[(7, word, n, n, 1, n, 0) for word, n in rows], strict=True)
        return pa.RecordBatch.from_arrays(list(map(pa.array, columns)), names=COUNTS.names).cast(COUNTS)

    merged = merge_counts([batch(("b", 1), ("c", 5)), batch(("a", 2)), batch(("b", 3)), batch(("a", 4))])
    assert [(w, n) for w, (n, *_) in as_dict(merged).items()] == [("a", 6), ("b", 4), ("c", 5)]


def test_merging_nothing_gives_nothing():
    assert merge_counts([]).num_rows == 0
    assert merge_counts([counted("")]).schema == COUNTS


def test_an_over_long_word_is_left_out_and_named():
    text = pa.array(["short " + "é" * 40, "x" * 40 + "\n" + "x" * 40])
    counts, ledger = count_words(text, max_word_bytes=39)
    assert as_dict(counts) == {"short": (1, 1, 1, 1)}
    assert (ledger.over_long, ledger.over_long_words) == (1 + 40 + 80, 3)
    assert ledger.balanced


@given(st.lists(MIXED, max_size=6))
def test_characters_are_counted_exactly(texts):
    expected = Counter("".join(t or "" for t in texts).replace("\n", "").replace(" ", "▁"))
    listed = characters([counted(*texts), counted(*texts)]).to_pylist()
    assert {row["character"]: row["count"] for row in listed} == {c: 2 * n for c, n in expected.items()}
    assert listed == sorted(listed, key=lambda row: (-row["count"], row["character"]))


def test_a_text_counts_a_word_sixteen_times_at_most():
    text = pa.array(["spam " * 40 + "ham", "spam spam"])
    assert as_dict(count_words(text).counts)["▁spam"] == (40, 0, 2, 17)


@given(st.lists(MIXED, min_size=2, max_size=6), st.randoms(use_true_random=False))
def test_counts_of_groups_stay_apart_and_add_up(texts, rng):
    parts = [count_words(pa.array([text]), group=i % 2 + 1).counts for i, text in enumerate(texts)]
    rng.shuffle(parts)
    merged = merge_counts(parts)
    assert merged.equals(merge_counts([merge_counts(parts[:1]), merge_counts(parts[1:])]))
    for group in (1, 2):
        own = merged.filter(pa.array(merged["group"].to_numpy() == group))
        assert as_dict(own) == plain_counts(texts[group - 1 :: 2])
