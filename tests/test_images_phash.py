"""The perceptual hash: imagehash.phash to the bit, and near-duplicates by its distance."""

import imagehash
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from real_images import file_of, forensics_folder, noise, photographs, skimage_folder, small_photographs

from filters.images.decode import decode
from filters.images.near import distances
from filters.images.phash import luma, phash64, shrink


def hash_of(payload: bytes) -> int:
    return phash64(luma(decode(payload).pixels))


@pytest.mark.parametrize("size", [(640, 480), (32, 32), (31, 33), (33, 32), (1, 1), (500, 3), (2000, 40), (7, 1500)])
def test_grey_and_shrunk_levels_are_pillows_to_the_bit(size):
    image = Image.fromarray(noise(size[1], size[0]))
    gray = luma(np.asarray(image))
    assert np.array_equal(gray, np.asarray(image.convert("L")))
    assert np.array_equal(shrink(gray), np.asarray(image.convert("L").resize((32, 32), Image.Resampling.LANCZOS)))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 130), st.integers(1, 130), st.integers(0, 2**32 - 1))
def test_shrinking_any_size_is_pillows_to_the_bit(height, width, seed):
    gray = noise(height, width, 1, seed)[..., 0]
    theirs = Image.fromarray(gray).resize((32, 32), Image.Resampling.LANCZOS)
    assert np.array_equal(shrink(gray), np.asarray(theirs))


@settings(max_examples=100, deadline=None)
@given(st.integers(20, 90), st.integers(20, 90), st.integers(0, 2**32 - 1))
def test_noise_has_the_hash_of_imagehash(height, width, seed):
    pixels = noise(height, width, seed=seed)
    assert f"{phash64(luma(pixels)):016x}" == str(imagehash.phash(Image.fromarray(pixels)))


def test_real_pictures_have_the_hash_of_imagehash():
    payloads = [*small_photographs(), *((skimage_folder() / f"{name}.png").read_bytes() for name in SAMPLES)]
    for payload in payloads:
        pixels = decode(payload).pixels
        assert f"{phash64(luma(pixels)):016x}" == str(imagehash.phash(Image.fromarray(pixels)))


SAMPLES = ("astronaut", "coffee", "page", "motorcycle_left", "brick", "moon")


def test_a_picture_keeps_its_hash_through_formats_sizes_and_qualities():
    for path in photographs()[:3]:
        whole = Image.open(path).convert("RGB").resize((960, 600))
        versions = [file_of(whole, "PNG"), file_of(whole, "JPEG", quality=60), file_of(whole, "WEBP", quality=70)]
        versions.append(file_of(whole.resize((480, 300)), "JPEG", quality=85))
        found = np.array([hash_of(one) for one in versions], np.uint64)
        assert distances(found, found[0]).max() <= 4


def test_the_same_picture_in_two_formats_is_near():
    folder = forensics_folder()
    pair = [hash_of((folder / "pic2" / name).read_bytes()) for name in ("d-debian.png", "d-debian.jpg")]
    assert int(distances(pair[0], pair[1])) <= 3


def test_different_photographs_are_far_apart():
    found = np.array([hash_of(payload) for payload in small_photographs()], np.uint64)
    apart = [int(distances(found[i], found[j])) for i in range(len(found)) for j in range(i)]
    assert min(apart) >= 12


@given(st.integers(0, 255), st.integers(1, 40), st.integers(1, 40))
@settings(deadline=None)
def test_flat_images_all_have_the_same_hash(level, height, width):
    flat = phash64(np.full((height, width), level, np.uint8))
    assert flat == (1 << 63 if level else 0)


@pytest.mark.parametrize("wrong", [np.zeros((4, 4, 3), np.uint8), np.zeros((4, 4)), np.zeros((0, 4), np.uint8)])
def test_what_is_no_grey_image_is_refused(wrong):
    with pytest.raises(ValueError, match="phash64 takes uint8"):
        phash64(wrong)
