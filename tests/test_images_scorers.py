"""Scorers of the user's: pinned by digest, run as they are described; the models here are made on the spot."""

import hashlib

import numpy as np
import onnx
import pyarrow as pa
import pytest
from onnx import TensorProto, helper
from PIL import Image
from real_images import file_of, noise

from filters.guard import ChildError, GuardedPool
from filters.images.scorers import Scorer, prepared, score
from filters.images.scoring import STORED
from filters.models import ModelDamagedError

PLAIN = {"mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)}


def saved(path, nodes, inputs, **more) -> Scorer:
    """Return the scorer of a graph whose result is called `out`."""
    graph = helper.make_graph(nodes, "tiny", inputs, [helper.make_tensor_value_info("out", TensorProto.FLOAT, [1])])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
    return Scorer("own_score", str(path), hashlib.sha256(path.read_bytes()).hexdigest(), **more)


def pixels_input(side: int):
    return helper.make_tensor_value_info("pixels", TensorProto.FLOAT, [1, 3, side, side])


@pytest.fixture
def brightness(tmp_path) -> Scorer:
    """The mean of all channels, in [0, 1]."""
    mean = helper.make_node("ReduceMean", ["pixels"], ["all"], keepdims=0)
    flat = helper.make_node("Reshape", ["all", "shape"], ["out"])
    shape = helper.make_node("Constant", [], ["shape"], value=helper.make_tensor("v", TensorProto.INT64, [1], [1]))
    return saved(tmp_path / "brightness.onnx", [mean, shape, flat], [pixels_input(16)], side_px=16, **PLAIN)


@pytest.fixture
def dog_words(tmp_path) -> Scorer:
    """1 where the caption speaks of a dog."""
    match = helper.make_node("RegexFullMatch", ["caption"], ["is"], pattern=".*dog.*")
    cast = helper.make_node("Cast", ["is"], ["out"], to=TensorProto.FLOAT)
    inputs = [pixels_input(8), helper.make_tensor_value_info("caption", TensorProto.STRING, [1])]
    return saved(tmp_path / "words.onnx", [match, cast], inputs, side_px=8, reads_caption=True, **PLAIN)


def test_a_model_scores_what_it_sees(brightness):
    for level in (0, 51, 255):
        assert score(brightness, np.full((40, 60, 3), level, np.uint8), None) == pytest.approx(level / 255, abs=1e-6)


def test_a_model_may_read_the_caption_and_says_nothing_without_one(dog_words):
    pixels = noise(9, 9)
    assert score(dog_words, pixels, "a dog on the beach") == 1.0
    assert score(dog_words, pixels, "a cat") == 0.0
    assert score(dog_words, pixels, None) is score(dog_words, pixels, "  ") is None


def test_pixels_are_normalised_by_channel(brightness):
    scorer = Scorer("s", brightness.path, brightness.sha256, 4, (0.1, 0.2, 0.3), (0.5, 0.25, 1.0))
    seen = prepared(scorer, np.full((4, 7, 3), (255, 51, 0), np.uint8))
    assert seen.shape == (1, 3, 4, 4)
    assert seen[0, :, 0, 0] == pytest.approx([1.8, 0.0, -0.3], abs=1e-6)


def test_a_long_strip_is_scored_too(brightness):
    assert score(brightness, np.full((1, 16_384, 3), 255, np.uint8), None) == pytest.approx(1.0)


def test_other_bytes_than_the_pinned_ones_are_never_run(brightness):
    with pytest.raises(ModelDamagedError):
        score(Scorer("own_score", brightness.path, "0" * 64, 16), noise(4, 4), None)


@pytest.mark.parametrize("wrong", [{"std": (1.0, 0.0, 1.0)}, {"mean": (0.0,)}, {"side_px": 0}])
def test_a_wrong_description_is_refused(wrong):
    with pytest.raises(ValueError, match=r"own: "):
        Scorer("own", "own.onnx", "0" * 64, **wrong)


def test_a_guarded_child_scores_stored_images_and_a_wrong_digest_stops_it(brightness):
    described = {"column": "own_score", "path": brightness.path, "sha256": brightness.sha256, "side_px": 16, **PLAIN}
    payloads = [file_of(Image.new("RGB", (20, 20), (level,) * 3), "PNG") for level in (51, 102)]
    batch = pa.record_batch([payloads, ["a", None]], schema=STORED)
    with GuardedPool("filters.images.scoring:factory", {"scorer": described}) as pool:
        scores = pool.run(batch).outputs["scores"]
    assert scores["score"].to_pylist() == pytest.approx([0.2, 0.4])
    with (
        GuardedPool("filters.images.scoring:factory", {"scorer": {**described, "sha256": "0" * 64}}) as pool,
        pytest.raises(ChildError, match="ModelDamagedError"),
    ):
        pool.run(batch)
