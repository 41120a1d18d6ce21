"""Quality by example: the same bytes each time, honest figures, one function for training and scoring."""

import json
import re
from dataclasses import replace
from itertools import product

import numpy as np
import pyarrow as pa
import pytest
import real_texts
from hypothesis import given, settings
from hypothesis import strategies as st
from jobs import run

from filters.models import ModelDamagedError, ModelMissingError, fetch_model
from filters.quality import train
from filters.quality.evaluate import at, auc, evaluated
from filters.quality.fit import ALLOCATOR
from filters.quality.lines import MAX_WORDS, word_lines
from filters.quality.model import file_sha256, load_fasttext
from filters.quality.signals import QualityModel, quality_rules, quality_signals
from filters.quality.train import Training, examples
from filters.rules import judge
from filters.safety.scorers import TextScorer, score
from filters.segmentation import segment
from pipelines.cli import main


@pytest.fixture(scope="module", autouse=True)
def language_model():
    fetch_model("lid.176.ftz")


def lines_of(*texts):
    batch = pa.array(texts, pa.string())
    return word_lines(batch, segment(batch)).to_pylist()


@pytest.mark.parametrize(
    ("text", "line"),
    [
        pytest.param("Hello, World! It's 3.5.", "hello world it's 3.5", id="English"),
        pytest.param("one\n\ntwo\tthree", "one two three", id="white space"),
        pytest.param("Straße ÉCOLE", "straße école", id="letter case beyond ASCII"),
        pytest.param("Ⱥ İ", "ⱥ İ", id="a lower case of more bytes, and one of more letters"),
        pytest.param("今日は良い天気です。", "今日 は 良い 天気 です", id="Japanese has words"),
        pytest.param("ฉันรักภาษาไทย", "ฉัน รัก ภาษาไทย", id="Thai has words"),
        pytest.param("한국어 문장입니다.", "한국어 문장입니다", id="Korean"),
        pytest.param("__label__positive", "__label__positive", id="a label is a word behind the first"),
        pytest.param("!?", "", id="no word"),
        pytest.param("", "", id="empty"),
        pytest.param(None, "", id="null"),
        pytest.param("𝐀 𐐀 😀", "𝐀 𐐨", id="letters beyond the first plane"),
    ],
)
def test_what_the_classifier_sees(text, line):
    assert lines_of(text) == [line]


@given(st.lists(st.text(max_size=60), max_size=6))
def test_lines_are_the_words_in_lower_case(texts):
    batch = pa.array(texts, pa.string())
    words = real_texts.spans_of(batch, segment(batch)) if texts else []
    lowered = [" ".join("".join(c.lower() if len(c.lower()) == 1 else c for c in w) for w in own) for own in words]
    assert lines_of(*texts) == lowered


def test_a_long_text_is_seen_to_a_limit():
    assert lines_of("word " * (MAX_WORDS + 9)) == [" ".join(["word"] * MAX_WORDS)]


@given(st.lists(st.tuples(st.integers(0, 4), st.booleans()), max_size=30))
def test_auc_is_the_share_of_pairs_in_order(pairs):
    scores = np.array([score for score, _ in pairs], np.float64)
    truth = np.array([positive for _, positive in pairs], bool)
    every = [(a > b) + 0.5 * (a == b) for a, b in product(scores[truth], scores[~truth])]
    assert auc(scores, truth) == (pytest.approx(np.mean(every)) if every else None)


@pytest.mark.parametrize(
    ("threshold", "precision", "recall", "kept"),
    [
        pytest.param(0.5, 2 / 3, 1.0, 0.75, id="the bound itself is kept"),
        pytest.param(0.8, 1.0, 0.5, 0.25, id="fewer"),
        pytest.param(0.95, None, 0.0, 0.0, id="nothing kept"),
    ],
)
def test_precision_and_recall(threshold, precision, recall, kept):
    found = at(np.array([0.9, 0.5, 0.6, 0.1]), np.array([True, True, False, False]), threshold)
    assert found == {"threshold": threshold, "precision": precision, "recall": recall, "kept_fraction": kept}


def test_the_evaluation_tells_languages_apart():
    found = evaluated(
        np.array([0.9, 0.1, 0.2, 0.8, 0.3]), [True, False, True, False, True], ["en", "en", "ja", "ja", "th"]
    )
    assert {code: own["auc"] for code, own in found["languages"].items()} == {"en": 1.0, "ja": 0.0, "th": None}
    assert found["thresholds"] == {"0.1": 0.9, "0.25": 0.8, "0.5": 0.3}


FOLDERS = ("en-US", "en", "ja-JP", "ja", "de-DE", "de", "fr-FR", "fr")


@pytest.fixture(scope="module")
def world(pages, tmp_path_factory):
    """Give a folder with pages of a handbook, good.jsonl, and of a server's reference, bad.jsonl."""
    folder = tmp_path_factory.mktemp("quality")
    for name, package in (("good", "debian-handbook"), ("bad", "apache2-doc")):
        texts = [real_texts.extracted(page) for path, page in pages(package) if path.split("/")[0] in FOLDERS]
        (folder / f"{name}.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    return folder


@pytest.fixture(scope="module")
def trained(world):
    """Give what `corpusmill quality train` made of them."""
    command = ["quality", "train", "--positive", str(world / "good.jsonl"), "--negative", str(world / "bad.jsonl")]
    assert main([*command, "--out", str(world / "one.bin"), "--epoch", "10", "--lr", "0.5"]) == 0
    return world / "one.bin", json.loads((world / "one.bin.json").read_text())


def test_it_tells_a_handbook_from_a_reference(trained):
    _, card = trained
    evaluation = card["evaluation"]
    assert evaluation["auc"] > 0.95
    assert min(evaluation["languages"][code]["auc"] for code in ("en", "ja")) > 0.9
    held = {label: own["held_back"] for label, own in card["classes"].items()}
    assert sum(held.values()) == evaluation["examples"] > 80
    assert card["classes"]["positive"]["languages"]["ja"] > 50


def test_the_same_bytes_in_any_order_of_examples(world, trained):
    model, card = trained
    for name in ("good", "bad"):
        rows = (world / f"{name}.jsonl").read_text().splitlines(keepends=True)
        (world / f"{name}-again.jsonl").write_text("".join([*reversed(rows), *rows[:9]]))
    places = [str(world / f"{name}-again.jsonl") for name in ("good", "bad")]
    command = ["quality", "train", "--positive", places[0], "--negative", places[1], "--epoch", "10", "--lr", "0.5"]
    assert main([*command, "--out", str(world / "again.bin")]) == 0
    assert (world / "again.bin").read_bytes() == model.read_bytes()
    assert json.loads((world / "again.bin.json").read_text()) == card


def test_scores_in_the_job_are_those_of_the_evaluation(world, trained):
    path, card = trained
    slot = QualityModel(str(path), card["sha256"], threshold=0.5)
    texts = pa.array([*[json.loads(line)["text"] for line in (world / "good.jsonl").open()][:40], "", "!", None])
    signals = quality_signals(texts, segment(texts), slot)
    scores = signals["quality_score"].to_numpy(zero_copy_only=False)
    assert signals.schema.names == ["quality_score"]
    assert np.isnan(scores[-3:]).all()
    assert (scores[:-3] >= 0.5).mean() > 0.9
    one_by_one = [
        quality_signals(texts.slice(k, 1), segment(texts.slice(k, 1)), slot)["quality_score"][0] for k in range(9)
    ]
    assert [score.as_py() for score in one_by_one] == scores[:9].tolist()
    verdicts = judge(quality_rules(slot), signals, pa.nulls(len(texts), pa.string()))
    assert (verdicts.first >= 0).tolist() == [not score >= 0.5 for score in scores]


def test_a_fasttext_model_is_a_scorer_too(trained):
    path, card = trained
    scorer = TextScorer("own", "fasttext", str(path), ("positive",), ("en",), card["sha256"])
    words, both = ["debian package maintainer", "apache module directive\nserver"], ("positive", "negative")
    scores = score(scorer, pa.array(words))
    assert scores[0] > scores[1] >= 0
    assert score(replace(scorer, classes=both), pa.array([*words, "", None])).tolist() == pytest.approx(
        [1.0] * 4, abs=1e-4
    )
    assert [score(scorer, pa.array([each]))[0] for each in words] == scores.tolist()


@pytest.mark.long
def test_a_snapshot_is_read_by_its_manifest(world, tmp_path, capsys):
    (tmp_path / "in").mkdir()
    rows = (world / "good.jsonl").read_text().splitlines(keepends=True)
    (tmp_path / "in" / "good.jsonl").write_text("".join(rows[:80]))
    out = tmp_path / "out"
    run("text", tmp_path / "in", "--out", out, "--quiet")
    for place in (out, f"{out}/text/manifests/v000001.json"):
        command = ["quality", "train", "--positive", str(place), "--negative", str(world / "bad.jsonl")]
        assert main([*command, "--out", str(tmp_path / "model.bin"), "--dim", "4"]) == 0
    card = json.loads((tmp_path / "model.bin.json").read_text())
    digest = json.loads((tmp_path / "out/text/manifests/v000001.json").read_text())["digest"]
    assert card["sources"]["positive"] == [{"manifest": digest}]
    assert re.search(r"text: \{quality: \{model: .*model\.bin, sha256: [0-9a-f]{64}", capsys.readouterr().out)


@pytest.mark.long
@pytest.mark.parametrize("dim", [4, 32])
def test_what_the_memory_held_before_is_in_no_model(world, dim, monkeypatch):
    """fastText 0.9.3 leaves nine tenths of its matrix as they come: see filters/quality/fit.py."""
    rows = [(world / f"{name}.jsonl").read_text().splitlines()[:60] for name in ("good", "bad")]
    own = [examples([pa.array([json.loads(row)["text"] for row in each])]) for each in rows]
    cards = []
    for without in ("MALLOC_MMAP_THRESHOLD_", "MALLOC_PERTURB_"):  # either alone hands out zeros
        with monkeypatch.context() as changed:
            changed.delitem(ALLOCATOR, without)
            cards.append(train.train(*own, Training(dim=dim, held_back_fraction=0.2), world / "memory.bin"))
    assert cards[0] == cards[1]
    monkeypatch.setitem(ALLOCATOR, "MALLOC_PERTURB_", "254")  # ones: then it does depend on them
    assert train.train(*own, Training(dim=dim, held_back_fraction=0.2), world / "memory.bin") != cards[0]


@settings(max_examples=20)
@given(st.sets(st.integers(0, 500)), st.sets(st.integers(0, 500)))
def test_a_text_in_both_classes_is_in_none_and_the_split_follows_from_the_text(good, bad):
    made = [{bytes([n % 256, n // 256]): example_of(n) for n in own} for own in (good, bad)]
    chosen = [[each for digest, each in own.items() if digest not in made[0].keys() & made[1].keys()] for own in made]
    held = [{each.digest for each in train._split(own, 0.3)[1]} for own in chosen]
    everyone = {each.digest for each in train._split([example_of(n) for n in range(501)], 0.3)[1]}
    assert 80 < len(everyone) < 220
    for own, kept in zip(chosen, held, strict=True):
        assert kept == {each.digest for each in own} & everyone


def example_of(number):
    digest = bytes([number % 256, number // 256])
    return train.Example(train._keyed(digest, b"order"), digest, "en", str(number))


def test_wrong_use_is_told(world, tmp_path, capsys):
    (tmp_path / "pages").mkdir()
    (tmp_path / "pages" / "a.html").write_text("<p>text</p>")
    given = ["--negative", str(world / "bad.jsonl"), "--out", str(tmp_path / "m.bin")]
    assert main(["quality", "train", "--positive", str(tmp_path / "pages"), *given]) == 1
    assert "holds no text (left out: file_type 1; pages become text by `corpusmill text`)" in capsys.readouterr().err
    assert main(["quality", "train", "--positive", str(world / "bad.jsonl"), *given]) == 1
    assert "positive: 0 texts to train on and 0 held back" in capsys.readouterr().err
    assert main(["quality", "train", "--positive", str(world / "good.jsonl"), *given, "--held-back", "1"]) == 2
    assert "held_back_fraction is between 0 and 1" in capsys.readouterr().err
    assert not (tmp_path / "m.bin").exists()


def test_only_the_pinned_model_is_loaded(world, trained, tmp_path):
    path, card = trained
    assert file_sha256(path) == card["sha256"]
    damaged = bytearray(path.read_bytes())
    damaged[len(damaged) // 2] ^= 1
    (tmp_path / "m.bin").write_bytes(damaged)
    with pytest.raises(ModelDamagedError, match=f"not {card['sha256']}"):
        load_fasttext(tmp_path / "m.bin", card["sha256"])
    (tmp_path / "m.bin").write_bytes(b"\x80\x04pickled")
    with pytest.raises(ModelDamagedError, match="is no fastText file"):
        load_fasttext(tmp_path / "m.bin", file_sha256(tmp_path / "m.bin"))
    with pytest.raises(ModelMissingError):
        load_fasttext(tmp_path / "none", card["sha256"])


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        pytest.param({"sha256": "abc"}, "64 hex digits", id="no digest"),
        pytest.param({"threshold": 1.5}, "from 0 to 1, not 1.5", id="threshold"),
    ],
)
def test_a_wrong_slot_is_refused(changed, message):
    with pytest.raises(ValueError, match=message):
        QualityModel(**{"model": "m.bin", "sha256": "0" * 64, **changed})
    assert quality_rules(QualityModel("m.bin", "0" * 64)) == ()
    assert Training().dim == 32
    assert examples([]) == {}
