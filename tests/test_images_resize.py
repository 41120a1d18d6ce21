"""Resizing: img2dataset's own Resizer is the oracle, within one grey level of the pixels it decoded."""

import io

import cv2
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from img2dataset.resizer import Resizer
from PIL import Image
from real_images import file_of, noise, small_photographs

from filters.images.encode import Encode, encode
from filters.images.resize import Resize, resize, scaled_size, shrunk

MODES = ["no", "border", "keep_ratio", "keep_ratio_largest", "center_crop"]


def oracle(pixels: np.ndarray, how: Resize) -> np.ndarray:
    """Return what img2dataset stores of these pixels, without loss."""
    resizer = Resizer(how.size_px, how.mode, how.only_if_bigger, encode_format="png", encode_quality=1)
    payload, *_, error = resizer(io.BytesIO(file_of(Image.fromarray(pixels), "PNG")))
    assert error is None
    return np.asarray(Image.open(io.BytesIO(payload)))


def assert_alike(pixels: np.ndarray, how: Resize) -> None:
    ours, theirs = resize(pixels, how), oracle(pixels, how)
    assert ours.shape == theirs.shape
    assert np.abs(ours.astype(int) - theirs).max() <= 1


@settings(max_examples=60, deadline=None)
@given(
    st.integers(1, 90),
    st.integers(1, 90),
    st.integers(1, 60),
    st.sampled_from(MODES),
    st.booleans(),
    st.integers(0, 2**32 - 1),
)
@example(3, 90, 40, "keep_ratio", False, 1)
@example(90, 45, 45, "center_crop", True, 2)
@example(1, 1, 60, "border", False, 3)
def test_noise_comes_out_as_img2dataset_resizes_it(height, width, size, mode, only_if_bigger, seed):
    assert_alike(noise(height, width, seed=seed), Resize(mode, size, only_if_bigger))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("size", [97, 240, 256, 480, 700])
def test_photographs_come_out_as_img2dataset_resizes_them(mode, size):
    for payload in small_photographs()[:3]:
        assert_alike(np.asarray(Image.open(io.BytesIO(payload))), Resize(mode, size))


@given(st.integers(1, 70), st.integers(1, 70), st.integers(0, 255), st.data())
@settings(deadline=None)
def test_shrinking_changes_no_flat_image(height, width, level, data):
    pixels = np.full((height, width, 3), level, np.uint8)
    small = shrunk(pixels, data.draw(st.integers(1, height)), data.draw(st.integers(1, width)))
    assert (small == level).all()


def test_a_hundredfold_shrink_is_the_mean():
    pixels = noise(1000, 700)
    exact = pixels.reshape(10, 100, 7, 100, 3).mean(axis=(1, 3))
    assert np.abs(shrunk(pixels, 10, 7) - exact).max() <= 0.51


def test_only_if_bigger_returns_the_very_same_pixels():
    pixels = noise(30, 40)
    for mode in MODES:
        assert resize(pixels, Resize(mode, 40, only_if_bigger=True)) is pixels


def test_a_strip_is_seen_to_grow_before_it_does():
    assert scaled_size(16_384, 1, Resize("keep_ratio", 256)) == (16_384 * 256, 256)
    assert scaled_size(16_384, 1, Resize("keep_ratio_largest", 256)) == (256, 1)


@pytest.mark.parametrize("wrong", [{"mode": "stretch"}, {"size_px": 0}])
def test_a_wrong_setting_is_refused_before_any_work(wrong):
    with pytest.raises(ValueError, match=r"stretch|size_px"):
        Resize(**wrong)


@pytest.mark.parametrize(("form", "quality"), [("jpg", 95), ("webp", 90), ("png", 6)])
def test_a_file_is_the_same_twice_and_carries_no_metadata(form, quality):
    pixels = np.asarray(Image.open(io.BytesIO(small_photographs()[1])))
    payload = encode(pixels, Encode(form, quality))
    assert payload == encode(pixels.copy(), Encode(form, quality))
    with Image.open(io.BytesIO(payload)) as image:
        assert image.size == (640, 480)
        assert not {"exif", "icc_profile", "xmp", "comment"} & set(image.info)
        assert np.abs(np.asarray(image.convert("RGB")).astype(int) - pixels).mean() < 3


def test_a_jpeg_is_byte_for_byte_what_img2dataset_writes_of_these_pixels():
    pixels = np.asarray(Image.open(io.BytesIO(small_photographs()[2])))
    theirs = cv2.imencode(".jpg", pixels[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 95])[1].tobytes()
    assert encode(pixels, Encode()) == theirs


@pytest.mark.parametrize("wrong", [{"format": "gif"}, {"quality": 101}, {"format": "png", "quality": 10}])
def test_a_wrong_encoding_is_refused_before_any_work(wrong):
    with pytest.raises(ValueError, match=r"gif|101|10"):
        Encode(**wrong)
