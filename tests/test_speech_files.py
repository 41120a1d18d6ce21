"""What the user gives to jobs that hear speech: it goes with the job by its contents, and judges what is said."""

import hashlib
import shutil
from pathlib import Path

import pyarrow as pa
import pytest
from pydantic import ValidationError

from filters.audio.transcribe import files_of
from filters.models import ModelDamagedError, ModelMissingError
from manifests.store import open_store
from pipelines.speech_block import TranscriberBlock
from pipelines.stages import speech
from pipelines.text.safety_block import TextScorerBlock
from pipelines.video.block import Video

CONTENTS = {"model.bin": b"weights", "config.json": b"{}", "vocabulary.txt": "語\n".encode(), "notes.md": b"not ours"}
WEIGHTS = hashlib.sha256(b"weights").hexdigest()


@pytest.fixture
def model(tmp_path, monkeypatch):
    """A folder that looks like a model's, and a cache of its own."""
    monkeypatch.setenv("CORPUSMILL_CACHE", str(tmp_path / "cache"))
    (tmp_path / "whisper").mkdir()
    for name, content in CONTENTS.items():
        (tmp_path / "whisper" / name).write_bytes(content)
    return tmp_path / "whisper"


@pytest.fixture
def store(tmp_path):
    (tmp_path / "out").mkdir()
    return open_store(tmp_path / "out")


def recogniser(folder, sha256=WEIGHTS):
    return speech.Recogniser(TranscriberBlock(model=str(folder), sha256=sha256), "audio")


def test_a_worker_finds_the_folder_when_the_users_is_gone(model, store):
    kept = recogniser(model).kept(store)
    shutil.rmtree(model)
    here = speech.brought(store, kept)
    found = {path.name: path.read_bytes() for path in Path(here["model"]).iterdir()}
    assert found == {name: content for name, content in CONTENTS.items() if name != "notes.md"}
    assert (here["sha256"], speech.brought(store, kept)) == (WEIGHTS, here)


def test_settings_name_contents_and_no_place(model):
    told = recogniser(model).described()
    moved = model.rename(model.with_name("elsewhere"))
    assert recogniser(moved).described() == told
    assert told["files"] == files_of(moved, WEIGHTS)
    (moved / "vocabulary.txt").write_text("other")
    assert recogniser(moved).described() != told


def test_other_weights_than_those_pinned_are_refused_before_a_worker_starts(model, store):
    with pytest.raises(ModelDamagedError, match=WEIGHTS):
        recogniser(model, "0" * 64).kept(store)


def test_a_folder_without_weights_is_named(tmp_path):
    with pytest.raises(ModelMissingError, match="CTranslate2 Whisper folder"):
        _ = recogniser(tmp_path).files


def test_without_a_transcriber_nothing_is_kept(store):
    nobody = speech.Recogniser(None, "audio")
    assert (nobody.kept(store), nobody.described(), speech.brought(store, None)) == (None, None, None)


def test_a_film_without_sound_has_nothing_to_hear():
    with pytest.raises(ValidationError, match="hears nothing"):
        Video(audio=False, transcriber=TranscriberBlock(model="x", sha256="0" * 64))


def test_a_scorer_reads_the_lines_of_its_languages(store):
    """A cue a line: the score is that of the worst one; in Japanese, Arabic and Hindi nobody is asked."""
    config = speech.keep_safety(store, "video", None, [TextScorerBlock()])
    texts = [
        "Good morning, dear friends of the garden.\nToday we are going to plant some roses.",
        "Good morning, dear friends of the garden.\nYou are a stupid bitch and I hate you.",
        "おはようございます。今日は庭に薔薇を植えます。",
        "صباح الخير. اليوم سنزرع الورود في الحديقة.",
        "सुप्रभात। आज हम बगीचे में गुलाब लगाएंगे।",
        None,
    ]
    found = speech.Safety(store, config).measure(pa.array(texts, pa.string()))
    worst, lines = found["toxicity_max"].to_pylist(), found["toxicity_line_count"].to_pylist()
    assert found["transcript_language"].to_pylist()[:5] == ["en", "en", "ja", "ar", "hi"]
    assert worst[0] < 0.5 < worst[1]
    assert lines[:2] == [0, 1]
    assert worst[2:] == lines[2:] == [None] * 4
    (rule,) = speech.scorer_rules([TextScorerBlock()])
    assert (rule.numerator, rule.per) == ("toxicity_char_count", "transcript_char_count")
