"""MinHash: word n-grams -> signatures -> band keys, so that similar texts meet (Broder 1997).

Two texts whose shingle sets have Jaccard similarity J share one band key of `bands` x `rows` with probability
1 - (1 - J^rows)^bands: 0.565 at J = 0.7, 0.924 at 0.8, 1.000 at 0.9 for the default 14 x 8. A shared band
makes a candidate, not a verdict: `filters.shingle_match` compares the shingles themselves.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from filters.native import kernel, mix64
from filters.segmentation import Segmentation

MINHASH_VERSION = 1  # of shingle hashes, permutations and band keys: stored bands join only within one version

_EMPTY = np.uint32(0xFFFFFFFF)
_BASE: Any = np.uint64(0x9E3779B97F4A7C15)  # of the rolling polynomial; odd, so no word's bits are lost
_LANES = 8  # shingles that one pass over the permutations takes together
_BLOCK = 512  # shingles hashed before they are permuted: a multiple of _LANES, small enough for the first cache


@dataclass(frozen=True)
class MinHash:
    """How texts are sketched: `bands` x `rows` permutations, which `seed` picks, over n-grams of words."""

    bands: int = 14
    rows: int = 8
    ngram: int = 5
    seed: int = 1

    def __post_init__(self) -> None:
        """Refuse settings that could not sketch anything."""
        for name, most in (("bands", 1024), ("rows", 64), ("ngram", 64)):
            value = getattr(self, name)
            if not 1 <= value <= most:
                raise ValueError(f"minhash: {name} must be in [1, {most}], got {value}")
        if not 0 <= self.seed < 1 << 64:
            raise ValueError(f"minhash: seed must be in [0, 2^64), got {self.seed}")

    def probability(self, similarity: float) -> float:
        """Return the chance that two texts of this Jaccard similarity share a band."""
        return float(1 - (1 - similarity**self.rows) ** self.bands)


def shingles(words: Segmentation, word_kept: Any, ngram: int) -> tuple[Any, Any]:
    """Return (hashes: uint64[n], doc_offsets: int64[texts + 1]) of the word n-grams of every text, in order.

    `word_kept` (uint8[n_words] or None for all) leaves words out before n-grams are made, so an n-gram runs
    over the gap. A text of fewer than `ngram` words is one shingle of all its words; without words, none.
    Repeats stay. Hashes are well mixed and depend on word order.
    """
    hashes, offsets = _kept(words, word_kept)
    counts = _shingle_counts(offsets, ngram)
    shingle_offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
    out = np.empty(shingle_offsets[-1], np.uint64)
    _fill_shingles(hashes, offsets, shingle_offsets, ngram, out)
    return out, shingle_offsets


def signatures(words: Segmentation, word_kept: Any, settings: MinHash) -> Any:
    """Return uint32[texts, bands * rows]: the least value of each permutation over the text's shingles.

    Shingles as in `shingles`. A text without words gets 0xFFFFFFFF throughout (see `has_words`).
    """
    hashes, offsets = _kept(words, word_kept)
    factors, terms = _permutations(settings.bands * settings.rows, settings.seed)
    out = np.empty((len(offsets) - 1, len(factors)), np.uint32)
    _sign(hashes, offsets, settings.ngram, factors, terms, out)
    return out


def has_words(signed: Any) -> Any:
    """Return bool[texts]: whether a text has a shingle at all; one that has none has no bands either."""
    return (signed != _EMPTY).any(axis=1)


def band_keys(signed: Any, settings: MinHash) -> Any:
    """Return uint64[texts, bands]: uniform keys, equal where two texts agree in all rows of the same band.

    The band's index and all settings are mixed in, so a key never meets another band's or another setting's.
    The row of a text without words is meaningless: drop it by `has_words`.
    """
    if signed.shape[1] != settings.bands * settings.rows:
        raise ValueError(f"minhash: {signed.shape[1]} permutations do not make {settings.bands} x {settings.rows}")
    start = np.array([MINHASH_VERSION, settings.ngram, settings.rows, settings.bands, settings.seed], np.uint64)
    out = np.empty((len(signed), settings.bands), np.uint64)
    _fill_band_keys(np.ascontiguousarray(signed), start, out)
    return out


@lru_cache(maxsize=16)
def _permutations(count: int, seed: int) -> tuple[Any, Any]:
    """Return (odd factors, terms), uint32[count] each: h -> factor * h + term permutes the 32-bit numbers."""
    steps = np.arange(1, 2 * count + 1, dtype=np.uint64) * _BASE + np.uint64(seed)
    mixed = _mix_all(_mix_all(steps)) >> np.uint64(32)
    return mixed[:count].astype(np.uint32) | np.uint32(1), mixed[count:].astype(np.uint32)


def _kept(words: Segmentation, word_kept: Any) -> tuple[Any, Any]:
    """Return word hashes and text offsets of the words that stay."""
    if word_kept is None:
        return words.hashes, words.doc_offsets
    if len(word_kept) != len(words.hashes):
        raise ValueError(f"minhash: a mask of {len(word_kept)} for {len(words.hashes)} words")
    hashes = np.empty_like(words.hashes)
    offsets = np.empty_like(words.doc_offsets)
    count = _compact(words.hashes, words.doc_offsets, word_kept, hashes, offsets)
    return hashes[:count], offsets


def _shingle_counts(offsets: Any, ngram: int) -> Any:
    words = np.diff(offsets)
    return np.where(words == 0, 0, np.maximum(words - ngram + 1, 1))


@kernel
def _mix_all(values: Any) -> Any:
    out = np.empty_like(values)
    for i in range(len(values)):
        out[i] = mix64(values[i])
    return out


@kernel
def _compact(hashes: Any, offsets: Any, kept: Any, out: Any, out_offsets: Any) -> int:
    n = 0
    out_offsets[0] = 0
    for text in range(len(offsets) - 1):
        for i in range(offsets[text], offsets[text + 1]):
            out[n] = hashes[i]  # written always, counted if kept: no branch to mispredict
            n += kept[i] != 0
        out_offsets[text + 1] = n
    return n


@kernel
def _hash_ngrams(hashes: Any, start: int, ngram: int, out: Any) -> None:
    """Fill out[i] with the mixed polynomial of hashes[start + i : start + i + ngram], mod 2^64.

    Word by word over all n-grams, not n-gram by n-gram, because that loop runs in vector registers.
    """
    count = len(out)
    out[:] = hashes[start : start + count]
    for word in range(1, ngram):
        shifted = hashes[start + word : start + word + count]
        for i in range(count):
            out[i] = out[i] * _BASE + shifted[i]
    for i in range(count):
        out[i] = mix64(out[i])


@kernel
def _fill_shingles(hashes: Any, offsets: Any, shingle_offsets: Any, ngram: int, out: Any) -> None:
    for text in range(len(offsets) - 1):
        words = offsets[text + 1] - offsets[text]
        into = out[shingle_offsets[text] : shingle_offsets[text + 1]]
        for i in range(0, len(into), _BLOCK):
            _hash_ngrams(hashes, offsets[text] + i, min(ngram, words), into[i : i + _BLOCK])


@kernel
def _permuted(shingle: Any, factor: Any, term: Any) -> Any:
    return np.uint32(np.uint32(shingle * factor) + term)


@kernel
def _lower(block: Any, factors: Any, terms: Any, least: Any) -> None:
    """Lower `least` to the permuted shingles of `block`; 8 at a time, so it is loaded once for 8."""
    for i in range(0, len(block), _LANES):
        s0, s1, s2, s3 = block[i], block[i + 1], block[i + 2], block[i + 3]
        s4, s5, s6, s7 = block[i + 4], block[i + 5], block[i + 6], block[i + 7]
        for k in range(len(least)):
            f, t = factors[k], terms[k]
            a = min(_permuted(s0, f, t), _permuted(s1, f, t), _permuted(s2, f, t), _permuted(s3, f, t))
            b = min(_permuted(s4, f, t), _permuted(s5, f, t), _permuted(s6, f, t), _permuted(s7, f, t))
            least[k] = min(least[k], a, b)


@kernel
def _sign(hashes: Any, offsets: Any, ngram: int, factors: Any, terms: Any, out: Any) -> None:
    wide, block = np.empty(_BLOCK, np.uint64), np.empty(_BLOCK, np.uint32)
    least = np.empty(len(factors), np.uint32)
    for text in range(len(offsets) - 1):
        least[:] = _EMPTY
        words = offsets[text + 1] - offsets[text]
        count = min(words, max(words - ngram + 1, 1))
        for done in range(0, count, _BLOCK):
            filled = min(count - done, _BLOCK)
            _hash_ngrams(hashes, offsets[text] + done, min(ngram, words), wide[:filled])
            padded = (filled + _LANES - 1) // _LANES * _LANES
            block[filled:padded] = np.uint32(wide[0] >> np.uint64(32))  # a repeat changes no minimum
            for i in range(filled):
                block[i] = np.uint32(wide[i] >> np.uint64(32))
            _lower(block[:padded], factors, terms, least)
        out[text, :] = least


@kernel
def _fill_band_keys(signed: Any, start: Any, out: Any) -> None:
    bands = out.shape[1]
    rows = signed.shape[1] // bands
    base: Any = np.uint64(0)
    for i in range(len(start)):
        base = mix64(base + start[i] + _BASE)
    for text in range(len(signed)):
        for band in range(bands):
            key: Any = mix64(base + np.uint64(band) * _BASE)
            for row in range(band * rows, (band + 1) * rows):
                key = mix64(key ^ np.uint64(signed[text, row]))
            out[text, band] = key
