"""Decoding images: upright, sRGB, on white; what is broken or huge is named, never shown half."""

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageOps
from real_images import file_of, forensics_folder, noise, photographs, skimage_folder, small_photographs

from filters.images.color import flatten
from filters.images.decode import ImageError, ImageFault, decode
from filters.images.frames import gif_frames
from filters.images.orientation import read_orientation, upright
from manifests.limits import MediaLimits


def picture(mode: str = "RGB") -> Image.Image:
    """Return 48 x 32 pixels whose corners all differ."""
    rows, columns = np.mgrid[0:32, 0:48]
    return Image.fromarray(np.stack([columns * 5, rows * 7, (rows + columns) * 3], -1).astype(np.uint8)).convert(mode)


def exif_of(orientation: int) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def png_header(width: int, height: int) -> bytes:
    head = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = struct.pack(">I", 1 << 20) + b"IDAT" + zlib.compress(bytes(1 << 20))
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head)) + pixels


def fault_of(payload: bytes, limits: MediaLimits | None = None) -> ImageError:
    with pytest.raises(ImageError) as caught:
        decode(payload, limits or MediaLimits())
    return caught.value


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_an_image_comes_out_as_its_exif_orientation_means_it(form, orientation):
    tag = {"tiffinfo": {0x0112: orientation}} if form == "TIFF" else {"exif": exif_of(orientation)}
    payload = file_of(picture(), form, **tag)
    expected = np.asarray(ImageOps.exif_transpose(Image.open(io.BytesIO(payload))).convert("RGB"))
    assert np.array_equal(decode(payload).pixels, expected)


@given(st.integers(1, 8), st.integers(1, 5), st.integers(1, 5))
def test_turning_upright_is_what_pillow_does(orientation, height, width):
    pixels = noise(height, width)
    image = Image.fromarray(pixels)
    image.getexif()[0x0112] = orientation
    assert np.array_equal(upright(pixels, orientation), np.asarray(ImageOps.exif_transpose(image)))


@pytest.mark.parametrize(
    "exif",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"Exif\x00\x00", id="no directory"),
        pytest.param(b"Exif\x00\x00II*\x00\xff\xff\xff\xff", id="directory beyond the end"),
        pytest.param(b"Exif\x00\x00II*\x00\x08\x00\x00\x00\xff\xff" + bytes(5), id="more entries than bytes"),
        pytest.param(exif_of(9).tobytes(), id="no such orientation"),
        pytest.param(b"garbage" * 9, id="garbage"),
    ],
)
def test_rotten_exif_costs_neither_the_image_nor_its_place(exif):
    assert read_orientation(exif) == 1
    found = decode(file_of(picture(), "JPEG", exif=exif or b"Exif\x00\x00"))
    assert (found.pixels.shape, found.orientation) == ((32, 48, 3), 1)


@given(st.binary(max_size=64))
def test_no_exif_bytes_raise(exif):
    assert 1 <= read_orientation(exif) <= 8
    assert 1 <= read_orientation(b"Exif\x00\x00MM\x00*\x00\x00\x00\x08" + exif) <= 8


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "YCbCr", "LAB", "RGBX", "HSV"])
def test_every_pixel_type_becomes_rgb(mode):
    image = picture(mode)
    expected = np.asarray(image.convert("RGB")).astype(int)
    assert np.abs(flatten(image, 0).pixels.astype(int) - expected).max() <= 1


def test_sixteen_bits_keep_their_upper_eight():
    deep = np.arange(0, 65536, 16, dtype=np.uint16).reshape(64, 64)
    found = decode(file_of(Image.fromarray(deep), "PNG")).pixels
    assert np.array_equal(found, np.repeat((deep >> 8).astype(np.uint8)[..., None], 3, axis=2))


def test_a_cmyk_photograph_looks_as_before():
    before = Image.open(photographs()[0]).convert("RGB").resize((64, 64))
    after = decode(file_of(before.convert("CMYK"), "JPEG", quality=95)).pixels
    assert np.abs(after.astype(int) - np.asarray(before)).mean() < 4


@pytest.mark.parametrize("mode", ["F", "I"])
def test_pixels_without_a_white_are_refused(mode):
    assert fault_of(file_of(picture("L").convert(mode), "TIFF")).reason == ImageFault.PIXEL_TYPE


@given(st.integers(0, 255), st.integers(0, 255))
def test_alpha_shows_white_paper(level, alpha):
    pixels = np.array([[[level, 0, 255, alpha]]], np.uint8)
    exact = pixels[0, 0, :3].astype(float) * alpha / 255 + 255 - alpha
    found = flatten(Image.fromarray(pixels), 0)
    assert found.has_alpha
    assert np.abs(found.pixels[0, 0] - exact).max() <= 0.5


def test_a_palette_with_a_transparent_colour_shows_white():
    image = Image.new("P", (4, 4), 1)
    image.putpalette([0, 0, 0, 200, 0, 0])
    assert (decode(file_of(image, "PNG", transparency=1)).pixels == 255).all()


def test_a_colour_profile_is_applied_and_srgb_is_left_alone():
    pixels = picture()
    own = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    plain = decode(file_of(pixels, "PNG", icc_profile=own))
    assert plain.profile == "srgb"
    assert np.array_equal(plain.pixels, np.asarray(pixels))
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    assert decode(file_of(pixels, "PNG", icc_profile=lab)).profile == "damaged"
    assert decode(file_of(pixels, "PNG", icc_profile=b"no profile at all" * 20)).profile == "damaged"


def swapped_profile() -> bytes:
    """Return sRGB with the primaries of red and green exchanged."""
    raw = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    for entry in range(struct.unpack_from(">I", raw, 128)[0]):
        name = bytes(raw[132 + 12 * entry : 136 + 12 * entry])
        if name in (b"rXYZ", b"gXYZ"):
            raw[132 + 12 * entry : 136 + 12 * entry] = b"gXYZ" if name == b"rXYZ" else b"rXYZ"
    return bytes(raw)


def test_what_a_profile_calls_red_is_what_comes_out_green():
    found = decode(file_of(Image.new("RGB", (4, 4), (255, 0, 0)), "PNG", icc_profile=swapped_profile()))
    assert found.profile == "applied"
    assert np.abs(found.pixels[0, 0].astype(int) - [0, 255, 0]).max() <= 2


@pytest.mark.parametrize(
    ("payload", "reason"),
    [
        pytest.param(b"", ImageFault.EMPTY_PAYLOAD, id="no bytes"),
        pytest.param(b"\x00" * 64, ImageFault.UNKNOWN_FORMAT, id="zeros"),
        pytest.param(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", ImageFault.UNKNOWN_FORMAT, id="PostScript"),
        pytest.param(b"8BPS\x00\x01" + bytes(40), ImageFault.UNKNOWN_FORMAT, id="PSD"),
        pytest.param(b"<svg xmlns='http://www.w3.org/2000/svg'/>", ImageFault.UNKNOWN_FORMAT, id="SVG"),
        pytest.param(png_header(60_000, 60_000), ImageFault.SIDE_TOO_LONG, id="header of 60,000 x 60,000"),
        pytest.param(png_header(9_400, 9_400), ImageFault.TOO_MANY_PIXELS, id="88 megapixels, below Pillow's warning"),
        pytest.param(file_of(Image.new("1", (16_385, 1)), "PNG"), ImageFault.SIDE_TOO_LONG, id="one side too long"),
    ],
)
def test_what_is_no_image_or_too_large_is_named(payload, reason):
    assert fault_of(payload).reason == reason


def test_limits_are_inclusive_and_told():
    payload = file_of(picture(), "PNG")
    exact = MediaLimits(max_image_pixels=48 * 32, max_image_side_px=48, max_image_bytes=len(payload))
    assert decode(payload, exact).pixels.shape == (32, 48, 3)
    for name, observed in (("max_image_pixels", 48 * 32), ("max_image_side_px", 48), ("max_image_bytes", len(payload))):
        fault = fault_of(payload, MediaLimits(**{name: observed - 1}))
        assert (fault.limit, fault.observed) == (observed - 1, observed)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF"])
def test_a_truncated_file_gives_all_pixels_or_none(form):
    payload = file_of(picture(), form)
    whole = decode(payload).pixels
    refused = 0
    for cut in range(0, len(payload), max(len(payload) // 60, 1)):
        try:
            assert np.array_equal(decode(payload[:cut]).pixels, whole)
        except ImageError:
            refused += 1
    assert refused >= 40


@settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(["JPEG", "PNG", "WEBP", "GIF", "TIFF", "BMP", "AVIF"]),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=8),
)
def test_damaged_bytes_give_an_image_or_a_named_fault(form, flips):
    payload = bytearray(file_of(picture(), form))
    for place, value in flips:
        payload[int(place * len(payload))] = value
    try:
        found = decode(bytes(payload))
    except ImageError as fault:
        assert fault.reason in ImageFault
    else:
        assert found.pixels.dtype == np.uint8
        assert found.pixels.ndim == 3


def animation(form: str, frames: int) -> bytes:
    images = [Image.new("L", (8, 8), k * 30 % 256).convert("RGB") for k in range(frames)]
    return file_of(images[0], form, save_all=True, append_images=images[1:], duration=20)


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG", "TIFF", "AVIF"])
def test_of_an_animation_the_first_frame_is_taken_and_all_are_counted(form):
    found = decode(animation(form, 7))
    assert found.frames == 7
    assert int(found.pixels.max()) <= 3


def test_ten_thousand_frames_are_counted_but_not_decoded():
    one = animation("GIF", 2)
    block = one[one.index(b"\x21\xf9") : -1]
    payload = one[: one.index(b"\x21\xf9")] + block * 20_000 + b";"
    assert gif_frames(payload, 10**6) == 40_000
    assert decode(payload).frames == MediaLimits().max_frames_counted


@given(st.binary(max_size=200))
def test_counting_gif_frames_always_ends(tail):
    assert 0 <= gif_frames(b"GIF89a" + tail, 50) <= 50


def test_the_format_is_told_by_content():
    folder = skimage_folder()
    assert decode((folder / "retina.jpg").read_bytes()).format == "JPEG"
    with pytest.raises(ImageError):
        decode((folder / "truncated.jpg").read_bytes())


def test_real_photographs_decode_as_pillow_and_others_are_named():
    seen = {}
    for path in sorted([*photographs(), *(forensics_folder() / "pic1").glob("*")]):
        try:
            seen[path.name] = decode(path.read_bytes()).format
        except ImageError as fault:
            seen[path.name] = str(fault.reason)
    assert seen["debian.ppm"] == seen["debian.xcf"] == "image_unknown_format"
    assert list(seen.values()).count("JPEG") >= 18
    payload = small_photographs()[0]
    assert np.array_equal(decode(payload).pixels, np.asarray(Image.open(io.BytesIO(payload))))
