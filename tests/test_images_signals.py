"""What pixels and captions measure, and the bounds of published data sets."""

import cv2
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from real_images import noise, skimage_folder

from filters.images.captions import CAPTION_SIGNALS, caption_signals
from filters.images.child import NSFW, RECORDS
from filters.images.phash import luma
from filters.images.profiles import PROFILES, applicable, needs
from filters.images.signals import Signals, measure
from filters.models import fetch_model
from filters.rules import judge


def signals_of(pixels: np.ndarray) -> Signals:
    return measure(pixels, luma(pixels))


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 50), st.integers(1, 50), st.integers(0, 2**32 - 1))
def test_signals_are_those_of_numpy_and_opencv(height, width, seed):
    pixels = noise(height, width, seed=seed) // (1 + seed % 5)
    gray, found = luma(pixels), signals_of(pixels)
    levels = np.bincount(gray.reshape(-1), minlength=256) / gray.size
    assert found.sharpness == pytest.approx(cv2.Laplacian(gray, cv2.CV_64F).var(), rel=1e-9, abs=1e-9)
    assert found.entropy_bits == pytest.approx(-sum(p * np.log2(p) for p in levels if p), abs=1e-9)
    assert found.color_range == int((pixels.max(axis=(0, 1)).astype(int) - pixels.min(axis=(0, 1))).max())
    assert found.luma_sum == int(gray.sum(dtype=np.int64))
    assert found.dark_pixel_count == int((gray < 16).sum())
    assert found.bright_pixel_count == int((gray >= 240).sum())
    assert (found.long_side_px, found.short_side_px) == (max(height, width), min(height, width))


@pytest.mark.parametrize("level", [0, 128, 255])
def test_a_single_colour_has_no_range_no_entropy_and_no_edges(level):
    found = signals_of(np.full((20, 30, 3), level, np.uint8))
    assert (found.color_range, found.entropy_bits, found.sharpness) == (0, 0.0, 0.0)


def test_two_colours_of_the_same_grey_are_not_a_single_colour():
    pixels = np.zeros((2, 1, 3), np.uint8)
    pixels[0, 0, 0], pixels[1, 0, 2] = 38, 100
    assert signals_of(pixels).color_range == 100


def test_a_blurred_photograph_is_less_sharp():
    sharp = np.asarray(Image.open(skimage_folder() / "astronaut.png").convert("RGB"))
    series = [signals_of(cv2.GaussianBlur(sharp, (0, 0), sigma)).sharpness for sigma in (0.5, 1, 2, 4)]
    assert signals_of(sharp).sharpness > series[0] > series[1] > series[2] > series[3]


@pytest.mark.parametrize(
    ("caption", "language", "chars", "words", "is_file_name"),
    [
        pytest.param("A dog runs along the beach", "en", 26, 6, 0, id="English"),
        pytest.param("  浜辺を走る茶色い犬  ", "ja", 9, 6, 0, id="Japanese, without spaces between words"),
        pytest.param("IMG_0815.JPG", None, 12, None, 1, id="name of a file"),
        pytest.param("1234", "und", 4, 1, 0, id="digits alone"),
        pytest.param("", "und", 0, 0, 0, id="empty"),
        pytest.param(None, "und", 0, 0, 0, id="none"),
    ],
)
def test_captions_are_measured(caption, language, chars, words, is_file_name):
    fetch_model("lid.176.ftz")
    (found,) = caption_signals(pa.array([caption], pa.string())).to_pylist()
    assert language in (None, found["caption_language"])
    assert found["caption_is_english"] == (found["caption_language"] == "en")
    assert found["caption_char_count"] == chars
    assert words is None or abs(found["caption_word_count"] - words) <= 1
    assert found["caption_file_name_count"] == is_file_name


GOOD = {
    "caption_is_english": 1,
    "caption_word_count": 3,
    "caption_char_count": 6,
    "payload_bytes": 5120,
    "short_side_px": 200,
    "long_side_px": 400,
    "nsfw_score": 0.1,
    "is_web_format": 1,
    "occurrence_count": 10,
    "color_range": 1,
    "image_text_similarity": 0.28,
    "aesthetic_score": 3.7,
}
# profile, signal, the last value that is kept, the first that is not
BOUNDS = [
    ("datacomp_basic_v1", "caption_is_english", 1, 0),
    ("datacomp_basic_v1", "caption_word_count", 3, 2),
    ("datacomp_basic_v1", "caption_char_count", 6, 5),
    ("datacomp_basic_v1", "short_side_px", 200, 199),
    ("datacomp_basic_v1", "long_side_px", 600, 601),
    ("laion_v1", "caption_char_count", 5, 4),
    ("laion_v1", "payload_bytes", 5120, 5119),
    ("laion_v1", "image_text_similarity", 0.28, 0.2799),
    ("mmc4_v1", "short_side_px", 200, 149),
    ("mmc4_v1", "long_side_px", 400, 401),
    ("mmc4_v1", "nsfw_score", 0.1, 0.1001),
    ("mmc4_v1", "image_text_similarity", 0.15, 0.1499),
    ("obelics_v1", "is_web_format", 1, 0),
    ("obelics_v1", "long_side_px", 400, 401),
    ("obelics_v1", "occurrence_count", 10, 11),
    ("omnicorpus_v1", "nsfw_score", 0.8, 0.8001),
    ("omnicorpus_v1", "aesthetic_score", 3.7, 3.69),
    ("omnicorpus_v1", "occurrence_count", 10, 11),
    ("m3w_v1", "short_side_px", 134, 63),
    ("m3w_v1", "long_side_px", 600, 601),
    ("m3w_v1", "color_range", 1, 0),
]


def is_kept(profile: str, **changed: float) -> bool:
    signals = pa.RecordBatch.from_pylist([{**GOOD, **changed}])
    return judge(PROFILES[profile], signals, pa.array(["en"])).first.tolist() == [-1]


@pytest.mark.parametrize(("profile", "signal", "kept", "dropped"), BOUNDS)
def test_a_bound_is_where_its_data_set_drew_it(profile, signal, kept, dropped):
    assert is_kept(profile)
    assert is_kept(profile, **{signal: kept})
    assert not is_kept(profile, **{signal: dropped})


def test_the_longest_side_of_obelics_is_bounded_whatever_the_ratio():
    assert is_kept("obelics_v1", long_side_px=20_000, short_side_px=10_000)
    assert not is_kept("obelics_v1", long_side_px=20_001, short_side_px=15_000)


def test_rules_without_their_scorer_are_left_out_and_named():
    columns = [*RECORDS.names, *CAPTION_SIGNALS.names]
    for name, rules in PROFILES.items():
        there, left_out = applicable(rules, columns)
        assert len(there) + len(left_out) == len(rules)
        assert all(needs(rule) <= set(columns) for rule in there)
        assert all(rule.name.startswith(f"{name}/") for rule in rules)
    assert applicable(PROFILES["mmc4_v1"], columns)[1] == ("mmc4_v1/nsfw_score", "mmc4_v1/image_text_similarity")
    assert applicable(PROFILES["mmc4_v1"], [*columns, NSFW.name])[1] == ("mmc4_v1/image_text_similarity",)
