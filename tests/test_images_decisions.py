"""What decides over images beside their pixels: captions of copies and pages, occurrences, models, known-bad lists."""

import hashlib
import json
import shutil

import jobs
import numpy as np
import onnx
import pyarrow.parquet as pq
import pytest
from onnx import TensorProto, helper
from PIL import Image
from real_images import skimage_folder

from filters.images.known import pdq_hash
from manifests.store import open_store

JOB = "images"
ASTRONAUT = "astronaut.png"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Pictures, captions of theirs and of their copies, and pages that show them."""
    root = tmp_path_factory.mktemp("corpus") / "in"
    root.mkdir()
    for name in (ASTRONAUT, "brick.png", "coffee.png", "camera.png", "rocket.jpg"):
        shutil.copy(skimage_folder() / name, root / name)
    with Image.open(root / ASTRONAUT) as image:
        image.resize((256, 256)).save(root / "small.png")
    shutil.copy(root / "coffee.png", root / "again.png")
    (root / "astronaut.txt").write_text("An astronaut")
    (root / "small.txt").write_text("宇宙飛行士")
    (root / "again.json").write_text('{"caption": "One cup"}')
    for n in range(3):
        body = f"<p>{'Some words about a cup of coffee and about the page on which it stands. ' * 9}"
        page = f"<html><body><h1>Page {n}</h1>{body}<img src=coffee.png alt='A cup of coffee'><p>{n} more words</p>"
        (root / f"page{n}.html").write_text(page)
    return root


def graph(path, nodes, inputs):
    made = helper.make_graph(nodes, "tiny", inputs, [helper.make_tensor_value_info("out", TensorProto.FLOAT, [1])])
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 20)], ir_version=9)
    onnx.checker.check_model(model)
    path.write_bytes(model.SerializeToString())
    return {"model": str(path), "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


@pytest.fixture(scope="module")
def scorers(tmp_path_factory):
    """Two tiny models: how bright a picture is, and whether its caption speaks of an astronaut or a cup."""
    folder = tmp_path_factory.mktemp("models")
    plain = {"side_px": 8, "mean": [0.0, 0.0, 0.0], "std": [1.0, 1.0, 1.0]}
    pixels = helper.make_tensor_value_info("pixels", TensorProto.FLOAT, [1, 3, 8, 8])
    caption = helper.make_tensor_value_info("caption", TensorProto.STRING, [1])
    shape = helper.make_node("Constant", [], ["one"], value=helper.make_tensor("v", TensorProto.INT64, [1], [1]))
    mean = helper.make_node("ReduceMean", ["pixels"], ["all"], keepdims=0)
    bright = graph(folder / "a.onnx", [mean, shape, helper.make_node("Reshape", ["all", "one"], ["out"])], [pixels])
    match = helper.make_node("RegexFullMatch", ["caption"], ["is"], pattern=".*(astronaut|[Cc]up).*")
    cast = helper.make_node("Cast", ["is"], ["out"], to=TensorProto.FLOAT)
    words = graph(folder / "b.onnx", [match, cast], [pixels, caption])
    return [
        {"name": "own_score", **bright, **plain, "max": 0.95},
        {"name": "image_text_similarity", **words, **plain, "reads_caption": True},
    ]


@pytest.fixture(scope="module")
def lists(folder, tmp_path_factory):
    """Lists of known-bad images: the rocket by its bytes, the camera by what a pressed half of it shows."""
    root = tmp_path_factory.mktemp("lists")
    rocket = hashlib.md5((folder / "rocket.jpg").read_bytes()).hexdigest()
    (root / "md5.csv").write_text(f"hash,source\n{rocket.upper()},police\n")
    with Image.open(folder / "camera.png") as image:
        half = np.asarray(image.convert("RGB").resize((image.width // 2, image.height // 2)))
    (root / "pdq.txt").write_text(f"# what it shows\n{pdq_hash(half).hex()}\n")
    return [{"path": str(root / "md5.csv"), "kind": "md5"}, {"path": str(root / "pdq.txt"), "kind": "pdq"}]


def ran(tmp, folder, images, *more):
    recipe = {"corpusmill": 1, "inputs": [{"name": "in", "uri": str(folder)}], "images": {"shards": 2, **images}}
    (tmp / "recipe.yaml").write_text(json.dumps(recipe))
    jobs.run("run", tmp / "recipe.yaml", "--out", tmp / "out", "--quiet", "--set=text.rules=[]", *more)
    return tmp / "out"


@pytest.fixture(scope="module")
def done(folder, scorers, lists, tmp_path_factory):
    block = {"profiles": ["mmc4_v1", "omnicorpus_v1"], "scorers": scorers, "known_bad": lists, "faces": "blur"}
    return ran(tmp_path_factory.mktemp("decided"), folder, block)


def rows(out, kind):
    shards = [shard["name"] for shard in jobs.manifest(out, JOB)["shards"] if shard["kind"] == kind]
    return [row for name in shards for row in pq.read_table(out / name).to_pylist()]


def by_name(out):
    return {row["uri"].partition(":")[2]: row for kind in ("records", "dropped") for row in rows(out, kind)}


def test_an_image_keeps_the_captions_of_its_copies_and_of_pages(done):
    found = by_name(done)
    coffee = {name: found[name] for name in ("coffee.png", "again.png")}
    kept = next(row for row in coffee.values() if not row.get("verdict"))
    assert set(kept["captions"]) == {"A cup of coffee", "One cup"}
    assert kept["caption"] == kept["captions"][0]
    assert kept["caption_word_count"] == len(kept["caption"].split())


def test_an_image_is_counted_where_pages_show_it_and_where_it_lies(done):
    counts = {name: row["occurrence_count"] for name, row in by_name(done).items()}
    assert counts == {
        **dict.fromkeys(("astronaut.png", "small.png", "brick.png", "camera.png", "rocket.jpg"), 1),
        **dict.fromkeys(("coffee.png", "again.png"), 4),  # three pages, and a file that no page shows
    }


def test_what_a_list_names_is_dropped_first_and_shown_nowhere(done):
    found = by_name(done)
    assert found["rocket.jpg"]["reason"] == "known_bad_v1/md5>0"
    assert found["camera.png"]["reason"] == "known_bad_v1/pdq>0"
    hidden = {row["uri"] for row in rows(done, "contact") if row["thumbnail"] is None}
    assert hidden == {row["uri"] for row in found.values() if "known_bad" in str(row.get("reason"))}


def test_models_of_the_users_score_pictures_and_captions(done, folder):
    found = by_name(done)
    for name in ("brick.png", "coffee.png"):
        with Image.open(folder / name) as image:
            middle = image.convert("RGB").crop(square(image)).resize((8, 8), Image.Resampling.BOX)
        assert found[name]["own_score"] == pytest.approx(np.asarray(middle).mean() / 255, abs=0.01)
    assert found[ASTRONAUT]["image_text_similarity"] == 1.0
    assert found["coffee.png"]["image_text_similarity"] == 1.0
    assert found["small.png"]["image_text_similarity"] == 0.0
    assert found["brick.png"]["image_text_similarity"] is None
    assert found["brick.png"]["reason"] == "mmc4_v1/image_text_similarity is NaN"


def square(image):
    side = min(image.size)
    left, top = (image.width - side) // 2, (image.height - side) // 2
    return left, top, left + side, top + side


def test_a_profile_that_reads_nsfw_scores_has_them_measured_and_faces_are_blurred(done):
    row = by_name(done)[ASTRONAUT]
    assert 0 <= row["nsfw_score"] < 0.1
    assert row["face_count"] == 1
    manifest = jobs.manifest(done, JOB)
    assert {"open-nsfw.onnx", "face_detection_back.tflite", "own_score"} <= manifest["models"].keys()
    assert "omnicorpus_v1/aesthetic_score" in manifest["settings"]["rules_without_scorer"]


def test_statistics_say_what_each_rule_drops(done):
    counted = jobs.manifest(done, JOB)["statistics"]
    found = by_name(done)
    missing = sum(row["image_text_similarity"] is None or row["image_text_similarity"] < 0.15 for row in found.values())
    assert counted["rules"]["mmc4_v1/image_text_similarity"]["objects"] == missing
    for name in ("short_side_px", "nsfw_score", "own_score", "occurrence_count"):
        bins = counted["histograms"][name]
        assert sum(bins["kept"]) + sum(bins["gone"]) == len(found)


def test_the_report_shows_pictures_with_their_captions_and_reasons(done):
    (page,) = (done / "report").glob("*.html")
    text = page.read_text().replace("<wbr>", "")
    section = text[text.index('<section id="images"') :].partition("</section>")[0]
    assert section.count("data:image/jpeg;base64,") == len([row for row in rows(done, "contact") if row["thumbnail"]])
    for said in ("A cup of coffee", "known_bad_v1/md5", "scorer: none", "not shown", "omnicorpus_v1/", "own_score"):
        assert said in section


def test_everything_is_sound_and_accounted_for(done, folder):
    ledger = jobs.manifest(done, JOB)["ledger"]
    assert ledger["in"] == sum(ledger["out"].values())
    assert "sound" in jobs.run("verify", "--out", done, "--job", JOB)


@pytest.mark.long
def test_another_scorer_decodes_nothing_again_and_other_workers_change_nothing(done, folder, scorers, lists, tmp_path):
    block = {"profiles": ["mmc4_v1", "omnicorpus_v1"], "known_bad": lists, "faces": "blur"}
    out = ran(tmp_path, folder, {**block, "scorers": scorers[:1]})
    staged = sorted(path.name for path in (out / "images/staged").rglob("*"))
    assert ran(tmp_path, folder, {**block, "scorers": scorers}, "--workers", "2") == out
    assert sorted(path.name for path in (out / "images/staged").rglob("*")) == staged
    assert jobs.digest(out, JOB) == jobs.digest(done, JOB)


@pytest.mark.parametrize(
    ("block", "said"),
    [
        pytest.param(
            {"scorers": [{"name": "a", "model": "no.onnx", "sha256": "0" * 64}]}, "there is no file at", id="no file"
        ),
        pytest.param({"known_bad": [{"path": "no.txt", "kind": "md5"}]}, "no.txt", id="no list"),
        pytest.param({"scorers": [{"name": "a b", "model": "m", "sha256": "0" * 64}]}, "not a column", id="name"),
        pytest.param({"known_bad": [{"path": "x", "kind": "sha1"}]}, "known_bad", id="kind of hash"),
    ],
)
def test_a_wrong_block_is_refused_and_says_why(folder, tmp_path, block, said):
    recipe = {"corpusmill": 1, "inputs": [{"name": "in", "uri": str(folder)}], "images": block}
    (tmp_path / "recipe.yaml").write_text(json.dumps(recipe))
    process = jobs.start("run", tmp_path / "recipe.yaml", "--out", tmp_path / "out", "--quiet", "--set=text.rules=[]")
    out, err = process.communicate(timeout=120)
    assert process.returncode in (1, 2)
    assert said in out + err
    assert "Traceback" not in err
    assert open_store(tmp_path / "out").size("images/manifests/v000001.json") is None
