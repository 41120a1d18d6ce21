"""Models that ship: the NSFW score and the faces of real pictures."""

import hashlib
import io

import cv2
import numpy as np
import pytest
from PIL import Image
from real_images import skimage_folder, small_photographs

from filters.images import nsfw
from filters.images.faces import blur_faces, find_faces
from filters.images.onnx import load
from filters.models import ModelDamagedError, ModelMissingError, fetch_model


@pytest.fixture(scope="module", autouse=True)
def models():
    for name in ("open-nsfw.onnx", "face_detection_back.tflite"):
        fetch_model(name)


def astronaut() -> np.ndarray:
    return np.asarray(Image.open(skimage_folder() / "astronaut.png").convert("RGB"))


def test_real_photographs_score_low_and_the_same_twice():
    pictures = [np.asarray(Image.open(io.BytesIO(payload))) for payload in small_photographs()]
    scores = [nsfw.nsfw_score(pixels) for pixels in [*pictures, astronaut()]]
    assert sorted(scores)[-2] < 0.1
    assert max(scores) < 0.5
    assert scores == [nsfw.nsfw_score(pixels) for pixels in [*pictures, astronaut()]]


def test_bare_skin_scores_higher_than_the_same_picture_in_blue():
    skin = cv2.GaussianBlur(np.full((300, 300, 3), (224, 172, 140), np.uint8), (0, 0), 3)
    cv2.ellipse(skin, (150, 170), (70, 120), 0, 0, 360, (198, 134, 100), 4)
    assert nsfw.nsfw_score(skin) > 3 * nsfw.nsfw_score(np.ascontiguousarray(skin[..., ::-1]))


def test_the_network_sees_the_middle_in_blue_green_red_less_the_mean():
    pixels = np.zeros((512, 512, 3), np.uint8)
    pixels[:] = (200, 100, 50)
    pixels[:30], pixels[-30:] = 0, 0
    seen = nsfw.prepared(pixels)
    assert seen.shape == (224, 224, 3)
    assert np.abs(seen[20:-20] - (np.array([50, 100, 200]) - [104, 117, 123])).max() <= 3


def lfw_sample(k: int) -> np.ndarray:
    """Return sample k of scikit-image's part of LFW: a face below 100, none from there on; 128 of 256 pixels."""
    samples = np.load(skimage_folder() / "lfw_subset.npy", allow_pickle=False)
    picture = np.full((256, 256, 3), 128, np.uint8)
    grown = cv2.resize((samples[k] * 255).astype(np.uint8), (128, 128), interpolation=cv2.INTER_CUBIC)
    picture[64:192, 64:192] = grown[..., None]
    return picture


def test_faces_of_lfw_are_found_and_other_parts_of_its_photographs_are_not():
    found = [len(find_faces(lfw_sample(k))) > 0 for k in range(0, 200, 2)]
    assert sum(found[:50]) >= 47
    assert sum(found[50:]) <= 1


def test_a_face_is_found_where_it_is_at_any_place_and_size():
    picture = astronaut()
    (face,) = find_faces(picture)
    left, top, right, bottom = face[:4] * 512
    assert left < 224 < right and top < 125 < bottom
    assert 80 < right - left < 140
    canvas = np.full((1200, 1600, 3), 200, np.uint8)
    canvas[600:1112, 1000:1512] = picture
    (face,) = find_faces(canvas)
    assert face[0] * 1600 < 1224 < face[2] * 1600
    assert face[1] * 1200 < 725 < face[3] * 1200


def test_a_blurred_face_is_gone_and_nothing_else_has_changed():
    picture = astronaut()
    faces = find_faces(picture)
    hidden = blur_faces(picture, faces)
    left, top, right, bottom = (faces[0, :4] * 512).astype(int)
    inside = np.zeros(picture.shape[:2], bool)
    inside[max(top - 12, 0) : bottom + 12, max(left - 12, 0) : right + 12] = True
    assert np.array_equal(hidden[~inside], picture[~inside])
    middle = np.s_[top + 10 : bottom - 10, left + 10 : right - 10]
    assert cv2.Laplacian(hidden[middle], cv2.CV_64F).var() < cv2.Laplacian(picture[middle], cv2.CV_64F).var() / 50
    assert len(find_faces(hidden)) == 0


def test_without_faces_the_same_pixels_come_back():
    picture = np.asarray(Image.open(skimage_folder() / "brick.png").convert("RGB"))
    assert blur_faces(picture, find_faces(picture)) is picture


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 1), (383, 500)])
def test_any_size_can_be_looked_at(size):
    pixels = np.zeros((*size, 3), np.uint8)
    assert find_faces(pixels).shape == (0, 5)
    assert 0 <= nsfw.nsfw_score(pixels) <= 1


def test_a_model_of_the_users_is_checked_before_it_is_loaded(tmp_path):
    path = tmp_path / "own.onnx"
    with pytest.raises(ModelMissingError, match=r"own\.onnx"):
        load(path, "0" * 64)
    path.write_bytes(b"other bytes")
    with pytest.raises(ModelDamagedError, match=hashlib.sha256(b"other bytes").hexdigest()):
        load(path, "0" * 64)
