"""Signatures against plain sets: the oracle knows tuples of words and the textbook formula, no hashing."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.minhash import MinHash, band_keys, has_words, shingles, signatures
from filters.segmentation import Segmentation

TEXTS = st.lists(st.lists(st.integers(0, 3), max_size=12), min_size=1, max_size=8)


def segmentation(texts):
    """Make the words of texts given as lists of word numbers; equal numbers are equal words."""
    numbers = np.array([word for text in texts for word in text], np.uint64)
    hashes = np.random.default_rng(11).integers(0, 1 << 64, int(numbers.max(initial=0)) + 1, np.uint64)[numbers]
    offsets = np.cumsum([0, *map(len, texts)], dtype=np.int64)
    none = np.zeros(len(numbers), np.int32)
    return Segmentation(
        starts=none, ends=none, doc_offsets=offsets, chars=none, hashes=hashes, flags=none.astype(np.uint8)
    )


def ngrams(words, n):
    return [tuple(words[i : i + n]) for i in range(max(len(words) - n + 1, 1))] if words else []


def jaccard(left, right):
    return len(left & right) / len(left | right)


def per_text(values, offsets):
    return [values[start:end].tolist() for start, end in pairwise(offsets)]


@given(TEXTS, st.integers(1, 6))
def test_two_shingles_are_equal_exactly_where_the_ngrams_are(texts, n):
    hashes, offsets = shingles(segmentation(texts), None, n)
    expected = [ngrams(text, n) for text in texts]
    assert np.diff(offsets).tolist() == [len(text) for text in expected]
    pairs = set(zip(hashes.tolist(), [gram for text in expected for gram in text], strict=True))
    assert len(pairs) == len({h for h, _ in pairs}) == len({gram for _, gram in pairs})


@given(TEXTS, st.integers(1, 6), st.data())
def test_ngrams_run_over_the_words_that_a_mask_leaves_out(texts, n, data):
    masks = [data.draw(st.lists(st.booleans(), min_size=len(t), max_size=len(t))) for t in texts]
    kept = [[w for w, keep in zip(t, mask, strict=True) if keep] for t, mask in zip(texts, masks, strict=True)]
    words = segmentation([*texts, [0, 1, 2, 3]])  # all numbers, so both segmentations hash alike
    bare = segmentation([*kept, [0, 1, 2, 3]])
    flat = np.array([keep for mask in [*masks, [True] * 4] for keep in mask], np.uint8)
    assert per_text(*shingles(words, flat, n)) == per_text(*shingles(bare, None, n))
    assert np.array_equal(signatures(words, flat, MinHash(ngram=n)), signatures(bare, None, MinHash(ngram=n)))


@given(TEXTS)
def test_a_signature_is_of_the_set_of_shingles_and_of_nothing_else(texts):
    settings = MinHash(bands=3, rows=4, ngram=2)
    sets = [frozenset(ngrams(text, 2)) for text in texts]
    signed = signatures(segmentation(texts), None, settings)
    for i, left in enumerate(sets):
        for j, right in enumerate(sets):
            if left == right:
                assert np.array_equal(signed[i], signed[j])
            elif not left & right:
                assert not (signed[i] == signed[j]).any()


@given(TEXTS)
def test_a_text_has_bands_exactly_if_it_has_words(texts):
    signed = signatures(segmentation(texts), None, MinHash())
    assert has_words(signed).tolist() == [bool(text) for text in texts]


def test_a_long_text_is_signed_like_the_union_of_its_pieces():
    words = np.random.default_rng(3).integers(0, 1 << 20, 5000).tolist()
    pieces = [words[start : start + 1004] for start in range(0, 4996, 1000)]  # overlap of ngram - 1
    whole, *parts = signatures(segmentation([words, *pieces]), None, MinHash())
    assert np.array_equal(whole, np.min(parts, axis=0))


def planted(n, similarity, pairs, seed):
    """Give `pairs` pairs of texts (word numbers, one shingle a word), every pair with n words in all."""
    random = np.random.default_rng(seed)
    both = round(n * similarity)
    half = (n - both) // 2
    for _ in range(pairs):
        words = random.choice(1 << 20, n, replace=False).tolist()
        yield words[: both + half], words[:both] + words[both + half :]


@pytest.mark.parametrize("n", [5, 10, 20, 50, 200, 1000])
@pytest.mark.parametrize("similarity", [0.6, 0.8, 0.9])
def test_bands_meet_as_often_as_the_curve_says(n, similarity):
    pairs = list(planted(n, similarity, 6000 if n <= 200 else 2500, seed=n))
    known = jaccard(set(pairs[0][0]), set(pairs[0][1]))
    settings = MinHash(ngram=1)
    signed = signatures(segmentation([text for pair in pairs for text in pair]), None, settings)
    left, right = signed[::2], signed[1::2]
    estimates = (left == right).mean(axis=1)
    assert abs(estimates.mean() - known) < 0.004, "estimates are unbiased"
    spread = np.sqrt(known * (1 - known) / 112)
    assert abs(estimates.std() / spread - 1) < 0.05, "and scatter as 112 independent draws do"
    keys = band_keys(signed, settings)
    met = (keys[::2] == keys[1::2]).any(axis=1).mean()
    expected = 1 - (1 - known**8) ** 14
    assert abs(met - expected) < 0.02


def test_edited_texts_meet_as_often_as_their_exact_similarity_predicts():
    random = np.random.default_rng(5)
    texts = []
    for _ in range(3000):
        text = random.integers(0, 5000, random.integers(30, 400))
        edited = text.copy()
        spots = random.integers(0, len(text), max(1, int(len(text) / random.uniform(12, 60))))
        edited[spots] = random.integers(0, 5000, len(spots))
        texts += [text.tolist(), edited.tolist()]
    sets = [set(ngrams(text, 5)) for text in texts]
    known = np.array([jaccard(a, b) for a, b in zip(sets[::2], sets[1::2], strict=True)])
    keys = band_keys(signatures(segmentation(texts), None, MinHash()), MinHash())
    met = (keys[::2] == keys[1::2]).any(axis=1)
    expected = 1 - (1 - known**8) ** 14
    assert abs(met.mean() - expected.mean()) < 0.02
    for low in (0.5, 0.6, 0.7, 0.8):
        chosen = (known >= low) & (known < low + 0.1)
        assert chosen.sum() > 200
        assert abs(met[chosen].mean() - expected[chosen].mean()) < 4 * np.sqrt(0.25 / chosen.sum())


def test_unlike_texts_share_no_band_and_keys_are_uniform():
    texts = np.random.default_rng(9).integers(0, 1 << 20, (4000, 30)).tolist()
    keys = band_keys(signatures(segmentation(texts), None, MinHash()), MinHash())
    assert len(np.unique(keys)) == keys.size
    shares = np.bincount((keys.ravel() >> np.uint64(60)).astype(int), minlength=16) / keys.size
    assert abs(shares - 1 / 16).max() < 0.005


@pytest.mark.parametrize(
    "other",
    [
        pytest.param(MinHash(seed=2), id="another seed"),
        pytest.param(MinHash(bands=8, rows=14), id="another cut of the same permutations"),
        pytest.param(MinHash(ngram=6), id="another n-gram"),
    ],
)
def test_keys_of_different_settings_never_meet(other):
    words = segmentation([[1, 2, 3], [4, 5, 6, 7]])  # one shingle each, the same for n = 5 and 6
    mine, theirs = (band_keys(signatures(words, None, s), s) for s in (MinHash(), other))
    assert not np.isin(mine, theirs).any()


def test_equal_rows_in_different_bands_get_different_keys():
    signed = np.full((1, 112), 7, np.uint32)
    assert len(np.unique(band_keys(signed, MinHash()))) == 14


def test_the_stored_numbers_stay_what_they_are():
    """Signatures and keys are kept between runs: a change here needs a new MINHASH_VERSION."""
    words = segmentation([[]])
    hashes = np.arange(1, 11, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    words = Segmentation(words.starts, words.ends, np.array([0, 10]), words.chars, hashes, words.flags)
    signed = signatures(words, None, MinHash())
    assert signed[0, :3].tolist() == [97329154, 838896052, 34256581]
    assert band_keys(signed, MinHash())[0, :2].tolist() == [12718881862495987028, 9482325319806658064]


def test_no_texts_give_no_rows():
    signed = signatures(segmentation([]), None, MinHash())
    assert signed.shape == (0, 112)
    assert band_keys(signed, MinHash()).shape == (0, 14)
    assert has_words(signed).shape == (0,)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [({"bands": 0}, "bands"), ({"rows": 65}, "rows"), ({"ngram": 0}, "ngram"), ({"seed": -1}, "seed")],
)
def test_settings_that_sketch_nothing_are_refused(arguments, named):
    with pytest.raises(ValueError, match=named):
        MinHash(**arguments)


def test_a_mask_of_another_length_is_refused():
    with pytest.raises(ValueError, match="mask of 2 for 3"):
        signatures(segmentation([[1, 2, 3]]), np.ones(2, np.uint8), MinHash())
