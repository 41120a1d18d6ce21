"""Segments: their lengths, what they cover, and where they are cut."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from filters.audio import FRAME, RATE_HZ
from filters.audio.segments import Segments, cut, segment


def seconds(*spans):
    return np.array([[round(a * RATE_HZ), round(b * RATE_HZ)] for a, b in spans], np.int64).reshape(-1, 2)


def likely(length_s):
    return np.ones(round(length_s * RATE_HZ) // FRAME + 1, np.float32)


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        pytest.param([(0, 5)], [(0, 5)], id="one stretch"),
        pytest.param([(0, 2.9)], [], id="too short"),
        pytest.param([(0, 3)], [(0, 3)], id="just long enough"),
        pytest.param([(0, 5), (6, 8)], [(0, 8)], id="a short one joins the one before"),
        pytest.param([(0, 2), (3, 8)], [(0, 8)], id="a long one joins a short one before"),
        pytest.param([(0, 5), (6, 11)], [(0, 5), (6, 11)], id="two long ones stay apart"),
        pytest.param([(0, 5), (7, 9)], [(0, 5)], id="a gap of 2 s is too wide"),
        pytest.param([(0, 28), (29, 31)], [(0, 28)], id="together they would be too long"),
        pytest.param([(0, 1), (2, 3), (4, 5)], [(0, 5)], id="three short ones make one"),
        pytest.param([(0, 30)], [(0, 30)], id="as long as may be"),
        pytest.param([], [], id="no speech"),
    ],
)
def test_segments_of(spans, expected):
    assert segment(seconds(*spans), likely(60), 60 * RATE_HZ, Segments()).tolist() == seconds(*expected).tolist()


def test_a_file_taken_whole_is_one_segment_whatever_it_holds():
    whole = Segments(mode="whole")
    assert segment(seconds(), likely(9), 9 * RATE_HZ, whole).tolist() == [[0, 9 * RATE_HZ]]
    assert segment(seconds(), likely(0), 0, whole).tolist() == []


def test_a_long_stretch_is_cut_where_speech_is_least_likely():
    p = likely(40)
    p[round(20 * RATE_HZ) // FRAME] = 0.4
    (first, second) = segment(seconds((0, 40)), p, 40 * RATE_HZ, Segments()).tolist()
    assert first[1] == second[0] == 20 * RATE_HZ // FRAME * FRAME


@given(
    lengths=st.lists(st.tuples(st.floats(0.3, 100), st.floats(0.1, 5)), max_size=12),
    seed=st.integers(0, 5),
    bounds=st.sampled_from([(3.0, 30.0), (1.0, 2.0), (0.5, 10.0), (2.0, 60.0)]),
)
def test_segments_are_disjoint_of_the_lengths_asked_for_and_hold_all_long_speech(lengths, seed, bounds):
    at, spans = 0.0, []
    for speech, gap in lengths:
        spans.append((at + gap, at + gap + speech))
        at += gap + speech
    length = round((at + 1) * RATE_HZ)
    p = np.random.default_rng(seed).random(length // FRAME + 1, np.float32)
    settings = Segments(min_s=bounds[0], max_s=bounds[1])
    made = segment(seconds(*spans), p, length, settings)
    sizes = made[:, 1] - made[:, 0]
    assert ((sizes >= int(bounds[0] * RATE_HZ)) & (sizes <= int(bounds[1] * RATE_HZ))).all()
    assert (made[1:, 0] >= made[:-1, 1]).all()
    covered = np.zeros(length, bool)
    for start, end in made.tolist():
        covered[start:end] = True
    assert all(covered[a:b].all() for a, b in seconds(*spans).tolist() if b - a >= bounds[0] * RATE_HZ)


@given(seed=st.integers(0, 20), extra=st.integers(1, 200 * RATE_HZ))
def test_pieces_cover_the_stretch_and_none_is_tiny(seed, extra):
    shortest, longest = 3 * RATE_HZ, 30 * RATE_HZ
    end = 777 + longest + extra
    p = np.random.default_rng(seed).random(end // FRAME + 1, np.float32)
    pieces = cut(777, end, p, shortest, longest)
    assert pieces[0][0] == 777
    assert pieces[-1][1] == end
    assert all(a[1] == b[0] for a, b in pairwise(pieces))
    assert all(shortest <= b - a <= longest for a, b in pieces)


@pytest.mark.parametrize("wrong", [{"mode": "words"}, {"min_s": 0}, {"min_s": 16}, {"merge_gap_s": -1}], ids=str)
def test_settings_that_no_segment_could_meet_are_refused(wrong):
    with pytest.raises(ValueError, match="segments:"):
        Segments(**wrong)
