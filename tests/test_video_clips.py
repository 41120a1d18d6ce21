"""Clips: whole shots, or their equal pieces, within the lengths asked for; all other time is counted."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from filters.video.clips import US, clip_at, clips_of


def at(*seconds):
    return np.array([round(one * US) for one in seconds], np.int64)


def steady(frames, fps=25):
    return np.arange(frames, dtype=np.int64) * US // fps


@pytest.mark.parametrize(
    ("cuts", "frames", "expected"),
    [
        pytest.param([], 100, [(0, 100)], id="one shot of 4 s"),
        pytest.param([], 49, [], id="a frame short of 2 s"),
        pytest.param([], 50, [(0, 50)], id="2 s to the microsecond"),
        pytest.param([25, 100], 150, [(25, 100), (100, 150)], id="a short shot in front is left out"),
        pytest.param([], 1500, [(0, 1500)], id="60 s to the microsecond"),
        pytest.param([], 1501, [(0, 751), (751, 1501)], id="a frame too much makes two halves"),
        pytest.param([], 4000, [(0, 1334), (1334, 2667), (2667, 4000)], id="160 s make three thirds"),
        pytest.param([100], 100, [(0, 100)], id="a cut at the end adds nothing"),
    ],
)
def test_clips_of_a_steady_film(cuts, frames, expected):
    found = clips_of(cuts, steady(frames), frames * US // 25)
    assert [(clip.first, clip.last) for clip in found.clips] == expected


def test_the_length_of_a_clip_is_time_and_not_a_number_of_frames():
    times = at(0, 1, 1.1, 1.2, 9)
    found = clips_of([2], times, at(10)[0])
    assert [(clip.start_us, clip.end_us) for clip in found.clips] == [(1_100_000, 10_000_000)]
    assert (found.short_count, found.short_us) == (1, 1_100_000)


def test_one_frame_may_be_shown_for_longer_than_a_clip_may_last():
    found = clips_of([], at(0, 1), at(300)[0], 2.0, 60.0)
    assert [(clip.first, clip.last) for clip in found.clips] == [(1, 2)]


@settings(max_examples=200)
@given(
    st.lists(st.integers(1, 3 * US), min_size=1, max_size=200),
    st.sets(st.integers(1, 199)),
    st.sampled_from([(0.0, 1.0), (2.0, 60.0), (2.0, 10.0), (0.5, 5.0)]),
)
def test_every_microsecond_is_in_one_clip_or_counted_as_short(steps, cuts, lengths):
    bounds = np.concatenate([[0], np.cumsum(np.array(steps, np.int64))])
    cuts = sorted(cut for cut in cuts if cut < len(steps))
    found = clips_of(cuts, bounds[:-1], int(bounds[-1]), *lengths)
    assert sum(clip.end_us - clip.start_us for clip in found.clips) + found.short_us == bounds[-1]
    assert all(a.last <= b.first for a, b in zip(found.clips, found.clips[1:], strict=False))
    for clip in found.clips:
        assert clip.end_us - clip.start_us >= lengths[0] * US
        assert clip.end_us - clip.start_us <= lengths[1] * US or clip.last == clip.first + 1
        assert not any(clip.first < cut < clip.last for cut in cuts)


def test_a_frame_knows_its_clip():
    clips = clips_of([25, 100], steady(150), 6 * US).clips
    assert [clip_at(clips, n) for n in (0, 24, 25, 99, 100, 149, 150)] == [None, None, 0, 0, 1, 1, None]


def test_pieces_that_could_all_be_too_short_are_refused():
    with pytest.raises(ValueError, match="min_s=40"):
        clips_of([], steady(10), US, 40.0, 60.0)
