"""Fingerprints: the same recording meets itself in other formats, and nothing else does."""

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sounds import noise, prompts, sample_file, tone

from filters.audio import RATE_HZ
from filters.audio.decode import decode
from filters.audio.fingerprint import BANDS, SILENT, NearDuplicate, fingerprint, is_same_recording, match

RULE = NearDuplicate()


def printed(name, payload):
    return fingerprint(decode(payload, name).samples)


def by_name(form, count=110):
    """Return name -> fingerprint of the longest English prompts but for those of silence."""
    found = prompts("en", form, count)
    return {name.rpartition(".")[0]: printed(name, data) for name, data in found if "/silence/" not in name}


@pytest.fixture(scope="module")
def telephone():
    return by_name("gsm")


def share_a_key(first, second):
    return bool(np.intersect1d(first.keys, second.keys).size)


@pytest.mark.parametrize("name", ["audio1/debian", "audio2/deleted"])
@pytest.mark.parametrize(("first", "second"), list(combinations(["wav", "ogg", "mp3"], 2)))
def test_one_clip_in_three_formats_is_one_recording(name, first, second):
    left, right = (printed(f"a.{form}", sample_file(f"{name}.{form}")) for form in (first, second))
    assert share_a_key(left, right)
    found = match(left.words, right.words)
    assert is_same_recording(found, RULE)
    assert found.error_fraction < 0.06


@pytest.mark.parametrize("form", ["wav", "g722"])
def test_prompts_meet_themselves_in_another_coding(telephone, form):
    other = by_name(form)
    shared = sorted(telephone.keys() & other.keys())
    assert len(shared) > 80
    assert all(is_same_recording(match(telephone[k].words, other[k].words), RULE) for k in shared)
    assert np.mean([share_a_key(telephone[k], other[k]) for k in shared]) > 0.9


def test_prompts_of_one_speaker_do_not_meet_each_other(telephone):
    pairs = list(combinations(list(telephone.values())[:70], 2))
    assert not any(is_same_recording(match(a.words, b.words), RULE) for a, b in pairs)
    assert np.mean([share_a_key(a, b) for a, b in pairs]) < 0.01


def voice():
    name, payload = prompts("en", "wav")[3]
    return decode(payload, name).samples


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda x: x * np.float32(0.2), id="14 dB softer"),
        pytest.param(lambda x: x + noise(len(x) / RATE_HZ + 1, 0.01)[: len(x)], id="noise"),
        pytest.param(lambda x: x[200:], id="12 ms off the grid"),
        pytest.param(lambda x: x[5 * 512 + 256 :], id="half a word off the grid"),
        pytest.param(lambda x: np.concatenate([np.zeros(7777, np.float32), x]), id="silence before it"),
        pytest.param(lambda x: np.clip(x * 4, -1, 1), id="clipped"),
    ],
)
def test_a_changed_copy_is_the_same_recording(change):
    left, right = fingerprint(voice()), fingerprint(change(voice()))
    assert is_same_recording(match(left.words, right.words), RULE)
    assert share_a_key(left, right)


def test_an_excerpt_is_not_the_whole():
    whole = voice()
    found = match(fingerprint(whole).words, fingerprint(whole[: len(whole) // 2]).words)
    assert found.error_fraction < 0.01
    assert not is_same_recording(found, RULE)


@given(start=st.integers(0, 40), length=st.integers(20, 60), seed=st.integers(0, 9))
def test_the_offset_is_found(start, length, seed):
    words = np.random.default_rng(seed).integers(1, 2**32, 120, np.uint32)
    assert match(words, words[start : start + length]) == (0.0, length / 120, start)
    assert match(words[start : start + length], words) == (0.0, length / 120, -start)


@given(bits=st.integers(0, 32), seed=st.integers(0, 9))
def test_wrong_bits_are_counted(bits, seed):
    words = np.random.default_rng(seed).integers(1, 2**32, 64, np.uint32)
    other = words.copy()
    other[:8] ^= np.uint32((1 << bits) - 1)
    other[other == SILENT] = words[other == SILENT]
    expected = sum(bin(int(a ^ b)).count("1") for a, b in zip(words, other, strict=True)) / (32 * 64)
    assert match(words, other).error_fraction == expected


def test_unrelated_words_differ_in_half_of_their_bits():
    left, right = (np.random.default_rng(seed).integers(1, 2**32, 400, np.uint32) for seed in (1, 2))
    assert match(left, right).error_fraction > 0.4


@pytest.mark.parametrize(
    "samples",
    [
        pytest.param(np.zeros(0, np.float32), id="no sample"),
        pytest.param(np.zeros(10 * RATE_HZ, np.float32), id="silence"),
        pytest.param(noise(0.4), id="0.4 s"),
        pytest.param(np.full(5 * RATE_HZ, 1e-6, np.float32), id="an offset below the last bit"),
    ],
)
def test_what_says_nothing_has_no_keys(samples):
    found = fingerprint(samples)
    assert len(found.keys) == 0
    assert (found.words == SILENT).all()
    assert not is_same_recording(match(found.words, found.words), RULE)


def test_sounds_of_two_seconds_have_keys():
    found = fingerprint(noise(2) + tone(500, 2))
    assert found.keys.dtype == np.uint64
    assert len(np.unique(found.keys)) == BANDS
